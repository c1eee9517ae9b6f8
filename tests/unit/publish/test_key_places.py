"""Keys have their default places, and none inside of what cargo publishes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from binstall.errors import UsageError
from binstall.publish.key_places import (
    default_folder,
    default_secret_key,
    make_folder,
    public_beside,
    refuse_inside_package,
)
from support_keys import posix_only

HOME = Path("/home/me")
MANIFEST = '[package]\nname = "hello"\nversion = "1.0.0"\nedition = "2021"\n'


@pytest.mark.parametrize(
    ("environment", "platform", "folder"),
    [
        pytest.param({}, "linux", "/home/me/.config/binstall", id="linux"),
        pytest.param({"XDG_CONFIG_HOME": "/cfg"}, "linux", "/cfg/binstall", id="XDG_CONFIG_HOME"),
        pytest.param({"XDG_CONFIG_HOME": "cfg"}, "linux", "/home/me/.config/binstall", id="relative is invalid"),
        pytest.param({"XDG_CONFIG_HOME": ""}, "freebsd14", "/home/me/.config/binstall", id="empty"),
        pytest.param({}, "darwin", "/home/me/Library/Application Support/binstall", id="macOS"),
        pytest.param({"APPDATA": "/roaming"}, "win32", "/roaming/binstall", id="Windows"),
        pytest.param({}, "win32", "/home/me/AppData/Roaming/binstall", id="Windows without APPDATA"),
    ],
)  # fmt: skip
def test_each_system_has_its_place(environment: dict[str, str], platform: str, folder: str) -> None:
    assert default_folder(environment, HOME, platform) == Path(folder)


def test_the_encrypted_key_is_the_default_where_there_is_only_that(tmp_path: Path) -> None:
    assert default_secret_key(tmp_path).name == "signing.key"
    (tmp_path / "signing.key.age").touch()
    assert default_secret_key(tmp_path).name == "signing.key.age"
    (tmp_path / "signing.key").touch()
    assert default_secret_key(tmp_path).name == "signing.key"


@pytest.mark.parametrize(
    ("secret", "public"),
    [("a.key", "a.pub"), ("a.key.age", "a.pub"), ("a", "a.pub"), ("a.b", "a.b.pub"), (".key", ".key.pub")],
)
def test_the_public_key_goes_beside_the_secret_one(secret: str, public: str) -> None:
    assert public_beside(Path("/x") / secret) == Path("/x") / public


@posix_only
def test_the_default_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        make_folder(tmp_path / "config" / "binstall")
        make_folder(tmp_path / "config" / "binstall")
    finally:
        os.umask(before)
    assert (tmp_path / "config" / "binstall").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "config").stat().st_mode & 0o777 == 0o755


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "package"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "main.rs").write_text("fn main() {}\n")
    (folder / "Cargo.toml").write_text(MANIFEST)
    return folder


def git(folder: Path, *arguments: str) -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not on PATH")
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def repository(folder: Path) -> None:
    """Make a repository that knows the manifest: without it, cargo does not ask git."""
    git(folder, "init", "-q")
    git(folder, "add", "Cargo.toml")


@pytest.mark.parametrize("place", ["signing.key", "src/signing.key", "keys/deep/signing.key", ".hidden"])
def test_no_place_inside_of_a_package_will_do(place: str, package: Path) -> None:
    for path in (package / place, package / "src" / ".." / place):
        with pytest.raises(UsageError, match="cargo publish") as caught:
            refuse_inside_package(path, "the secret key")
        assert str(package) in str(caught.value)


def test_a_relative_path_and_a_link_are_seen_through(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(package / "src")
    with pytest.raises(UsageError):
        refuse_inside_package(Path("signing.key"), "the secret key")
    refuse_inside_package(Path("../../signing.key"), "the secret key")
    (tmp_path / "link").symlink_to(package)
    with pytest.raises(UsageError):
        refuse_inside_package(tmp_path / "link" / "signing.key", "the secret key")


def test_a_place_that_git_ignores_will_do(package: Path) -> None:
    repository(package)
    with pytest.raises(UsageError):
        refuse_inside_package(package / "signing.key", "the secret key")
    (package / ".gitignore").write_text("*.key\n/private/\n")
    refuse_inside_package(package / "signing.key", "the secret key")
    refuse_inside_package(package / "private" / "deep" / "anything", "the secret key")
    with pytest.raises(UsageError):
        refuse_inside_package(package / "signing.key.age", "the secret key")


def test_no_variable_leads_git_to_other_rules(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(package)
    other = tmp_path / "other"
    other.mkdir()
    (other / "Cargo.toml").write_text(MANIFEST)
    repository(other)
    (other / ".git/info/exclude").write_text("*.key\n")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    with pytest.raises(UsageError):
        refuse_inside_package(package / "signing.key", "the secret key")


def test_a_file_that_git_tracks_is_not_ignored(package: Path) -> None:
    repository(package)
    (package / "signing.key").touch()
    git(package, "add", "-f", "signing.key")
    (package / ".gitignore").write_text("*.key\n")
    with pytest.raises(UsageError):
        refuse_inside_package(package / "signing.key", "the secret key")


def test_outside_of_a_repository_no_file_of_rules_helps(package: Path) -> None:
    (package / ".gitignore").write_text("*.key\n")
    with pytest.raises(UsageError):
        refuse_inside_package(package / "signing.key", "the secret key")


@pytest.mark.parametrize(
    ("manifest", "refused"),
    [
        pytest.param("[workspace]\nmembers = []\n", False, id="a workspace without package"),
        pytest.param("[workspace]\n" + MANIFEST, True, id="a workspace with package"),
        pytest.param("[package\n", True, id="a manifest that does not parse"),
        pytest.param("[project]\nname = 'x'\n", True, id="the old name of the table"),
    ],
)
def test_the_nearest_manifest_decides(manifest: str, refused: bool, package: Path) -> None:
    folder = package / "inner"
    folder.mkdir()
    (folder / "Cargo.toml").write_text(manifest)
    try:
        refuse_inside_package(folder / "signing.key", "the secret key")
    except UsageError:
        assert refused
    else:
        assert not refused


@pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not on PATH")
@pytest.mark.parametrize("known", [True, False], ids=["git knows the manifest", "git does not"])
@pytest.mark.parametrize(
    "include",
    [
        "",
        'include = ["/src", "*.private"]',
        'include = ["src/**", "/ignored"]',
        'include = ["*", "!*.private"]',
    ],
    ids=["no include", "include by suffix", "include a folder", "include all but one"],
)
def test_cargo_packs_nothing_that_is_not_refused(
    known: bool, include: str, package: Path, tmp_path: Path
) -> None:
    (package / "Cargo.toml").write_text(f"{MANIFEST}{include}\n")
    git(package, "init", "-q")
    if known:
        git(package, "add", "Cargo.toml")
    (package / ".gitignore").write_text("/ignored/\n*.private\n")
    (package / "inner").mkdir()
    (package / "inner" / "Cargo.toml").write_text("[workspace]\n")
    places = ["signing.key", "keys/a.key", "ignored/a.key", "a.private", "inner/a.key"]
    for place in places:
        (package / place).parent.mkdir(exist_ok=True)
        (package / place).write_text("x")
    environment = {**os.environ, "CARGO_HOME": str(tmp_path / "cargo")}
    listed = subprocess.run(
        ["cargo", "package", "--list", "--allow-dirty", "--offline"],
        cwd=package, env=environment, capture_output=True, text=True, check=True,
    ).stdout.replace("\\", "/").split()  # fmt: skip
    refused = set()
    for place in places:
        try:
            refuse_inside_package(package / place, "the secret key")
        except UsageError:
            refused.add(place)
    assert set(places) & set(listed) <= refused
    if not include:
        assert set(places) & set(listed) == refused
        assert ("a.private" in refused) is not known
