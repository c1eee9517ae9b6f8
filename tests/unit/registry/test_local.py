"""`--manifest-path`: the package is found alone or in its workspace, and read as cargo would read it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from binstall.errors import BadVersion, LocalManifestError, NoBinaries
from binstall.formats.manifest import CliOverrides
from binstall.formats.target import parse_target
from binstall.formats.version import ANY, parse_requirement
from binstall.limits import MAX_MANIFEST_BYTES
from binstall.registry.local import find_local

LINUX = parse_target("x86_64-unknown-linux-gnu")


def package(folder: Path, name: str, more: str = "", *, version: str = "version = '1.2.3'") -> Path:
    (folder / "src").mkdir(parents=True, exist_ok=True)
    (folder / "src" / "main.rs").touch()
    manifest = folder / "Cargo.toml"
    manifest.write_text(f"[package]\nname = '{name}'\n{version}\n{more}")
    return manifest


def test_a_file_and_its_folder_are_the_same_crate(tmp_path: Path) -> None:
    manifest = package(tmp_path / "a dir%é", "pack")
    by_file, by_folder = find_local(manifest, "pack", None), find_local(manifest.parent, "pack", None)
    assert by_file.manifest == by_folder.manifest
    assert by_file.manifest.name == "pack"
    assert (by_file.checksum, by_file.trusted_transport) == (None, True)
    assert by_file.version_requirement_text == "*"
    assert by_folder.source.kind == "path"
    assert by_folder.source.url == f"{tmp_path.as_uri()}/a%20dir%25%C3%A9"
    assert by_file.source.url == f"{by_folder.source.url}/Cargo.toml"


def test_a_relative_path_is_recorded_as_an_absolute_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path / "x", "pack").rename(tmp_path / "x" / "Other.toml")
    monkeypatch.chdir(tmp_path / "x")
    uri = Path(os.path.realpath(tmp_path)).as_uri()
    assert find_local(Path("Other.toml"), "pack", None).source.url == f"{uri}/x/Other.toml"
    assert find_local(Path("../x/Other.toml"), "pack", None).source.url == f"{uri}/x/Other.toml"


def test_binaries_are_inferred_from_the_disk(tmp_path: Path) -> None:
    manifest = package(tmp_path, "pack")
    (tmp_path / "src/bin/tool").mkdir(parents=True)
    (tmp_path / "src/bin/tool/main.rs").touch()
    (tmp_path / "src/bin/one.rs").touch()
    (tmp_path / "src/bin/empty").mkdir()
    (tmp_path / "src/bin/README.md").touch()
    (tmp_path / "src/bin/folder.rs").mkdir()
    names = [binary.name for binary in find_local(manifest, "pack", None).manifest.binaries]
    assert names == ["one", "pack", "tool"]


def workspace(root: Path) -> Path:
    """The layout: a root without a package, two members, one excluded, one nested workspace."""
    root.mkdir(exist_ok=True)
    manifest = root / "Cargo.toml"
    manifest.write_text(
        "[workspace]\nmembers = ['crates/*', 'nested']\nexclude = ['crates/excluded']\n"
        "[workspace.package]\nversion = '4.5.6'\nrepository = 'https://example.com/ws'\n"
    )
    package(root / "crates/one", "one", "repository.workspace = true\n", version="version.workspace = true")
    package(root / "crates/two", "two", "[package.metadata.binstall.signature]\n")
    package(root / "crates/excluded", "excluded")
    (root / "crates/no-manifest").mkdir()
    package(root / "nested", "nested", "[workspace]\nmembers = ['inner']\n")
    package(root / "nested/inner", "inner", "autobins = false\n")
    return manifest


def test_a_member_of_a_workspace_is_found_and_inherits(tmp_path: Path) -> None:
    found = find_local(workspace(tmp_path), "one", None)
    assert (str(found.manifest.version), found.manifest.repository) == ("4.5.6", "https://example.com/ws")
    assert found.source.url == f"{tmp_path.as_uri()}/Cargo.toml"


def test_a_member_inherits_when_it_is_named_itself(tmp_path: Path) -> None:
    workspace(tmp_path)
    assert str(find_local(tmp_path / "crates/one", "one", None).manifest.version) == "4.5.6"


def test_a_member_may_name_its_workspace(tmp_path: Path) -> None:
    workspace(tmp_path / "ws")
    manifest = package(tmp_path / "far", "far", "workspace = '../ws'\n", version="version.workspace = true")
    assert str(find_local(manifest, "far", None).manifest.version) == "4.5.6"


def test_a_workspace_within_a_workspace_is_searched(tmp_path: Path) -> None:
    manifest = workspace(tmp_path)
    assert find_local(manifest, "nested", None).manifest.name == "nested"
    with pytest.raises(NoBinaries, match=r"inner 1\.2\.3"):
        find_local(manifest, "inner", None)


@pytest.mark.parametrize("name", ["excluded", "missing", "", "crates/one"])
def test_what_no_member_is_called_is_not_found(tmp_path: Path, name: str) -> None:
    with pytest.raises(LocalManifestError, match=f"no package `{name}`") as caught:
        find_local(workspace(tmp_path), name, None)
    assert caught.value.exit_code == 99


def test_a_member_at_its_place_comes_before_another_folder_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "Cargo.toml").write_text("[workspace]\nmembers = ['pack']\n")
    package(tmp_path / "a/pack", "pack", version="version = '6.6.6'")
    package(tmp_path / "a/deeper/pack", "other")
    assert str(find_local(tmp_path, "pack", None).manifest.version) == "6.6.6"
    assert find_local(tmp_path, "other", None).manifest.name == "other"
    package(tmp_path / "pack", "pack")
    assert str(find_local(tmp_path, "pack", None).manifest.version) == "1.2.3"


def test_a_workspace_of_circles_ends(tmp_path: Path) -> None:
    (tmp_path / "Cargo.toml").write_text("[workspace]\nmembers = ['a', 'a/b']\n")
    package(tmp_path / "a", "a", "[workspace]\nmembers = ['b', 'up/*']\n")
    (tmp_path / "a/b").symlink_to(tmp_path)
    (tmp_path / "a/up").symlink_to(tmp_path)
    with pytest.raises(LocalManifestError, match="no package"):
        find_local(tmp_path, "pack", None)


@pytest.mark.parametrize(
    ("requirement", "version"),
    [
        ("=1.2.3", "1.2.3"),
        ("=9.8.7-rc.1", "9.8.7-rc.1"),
        ("^1.2", "1.2.3-dev"),
        ("=1.2", "1.2.3-dev"),
        ("*", "1.2.3-dev"),
    ],
)
def test_a_full_version_replaces_the_manifests_and_others_are_checked(
    tmp_path: Path, requirement: str, version: str
) -> None:
    stated = "1.2.3" if requirement in {"^1.2", "=1.2"} else "1.2.3-dev"
    manifest = package(tmp_path, "pack", version=f"version = '{stated}'")
    found = find_local(manifest, "pack", parse_requirement(requirement))
    assert str(found.manifest.version) == version.replace("1.2.3-dev", stated)
    assert found.version_requirement_text == requirement


@pytest.mark.parametrize("requirement", ["^2", "=1.3", "<1.2.3", ">=1.2.4, <2"])
def test_a_version_that_does_not_match_is_an_error(tmp_path: Path, requirement: str) -> None:
    with pytest.raises(LocalManifestError, match=r"says 1\.2\.3"):
        find_local(package(tmp_path, "pack"), "pack", parse_requirement(requirement))


def test_no_requirement_takes_a_pre_release(tmp_path: Path) -> None:
    manifest = package(tmp_path, "pack", version="version = '1.0.0-a'")
    for requirement in (None, ANY):
        assert str(find_local(manifest, "pack", requirement).manifest.version) == "1.0.0-a"


def test_metadata_errors_have_the_exit_code_of_local_manifests(tmp_path: Path) -> None:
    with pytest.raises(LocalManifestError, match="`signing` was probably meant") as caught:
        find_local(workspace(tmp_path), "two", None)
    assert caught.value.exit_code == 99
    assert str(tmp_path / "crates" / "two" / "Cargo.toml") in caught.value.message


def test_a_partial_signing_table_has_the_exit_code_of_local_manifests(tmp_path: Path) -> None:
    manifest = package(tmp_path, "pack", "[package.metadata.binstall.signing]\nalgorithm = 'minisign'\n")
    found = find_local(manifest, "pack", None).manifest
    with pytest.raises(LocalManifestError, match="has no `pubkey`") as caught:
        found.for_target(LINUX, CliOverrides(), skip_signatures=False)
    assert caught.value.exit_code == 99


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("[package", "not valid TOML", id="toml"),
        pytest.param("#" * (MAX_MANIFEST_BYTES + 1), "MAX_MANIFEST_BYTES", id="size"),
        pytest.param("a = " + "[" * 9999, "nested too deeply", id="depth"),
        pytest.param("[package]\nname = 1", "expected a string", id="name"),
        pytest.param("workspace = 1", "expected a table", id="workspace"),
        pytest.param("[workspace]\nmembers = 'a'", "expected an array", id="members"),
        pytest.param("[workspace]\nmembers = ['a']\nexclude = [1]", "expected a string", id="exclude"),
        pytest.param("[workspace]\nmembers = ['[']", "without its", id="pattern"),
        pytest.param(
            "[package]\nname = 'pack'\nversion.workspace = true", "no workspace to inherit", id="orphan"
        ),
        pytest.param(
            "[package]\nname='pack'\nworkspace='no'\nversion.workspace=true", "cannot be read", id="root"
        ),
    ],
)
def test_a_bad_manifest_names_its_path(tmp_path: Path, text: str, problem: str) -> None:
    manifest = tmp_path / "Cargo.toml"
    manifest.write_text(text)
    with pytest.raises(LocalManifestError, match=problem):
        find_local(manifest, "pack", None)


def test_a_bad_member_is_an_error(tmp_path: Path) -> None:
    manifest = workspace(tmp_path)
    (tmp_path / "crates/two/Cargo.toml").write_text("=")
    with pytest.raises(LocalManifestError, match="not valid TOML"):
        find_local(manifest, "missing", None)


def test_a_bad_version_keeps_its_exit_code(tmp_path: Path) -> None:
    with pytest.raises(BadVersion) as caught:
        find_local(package(tmp_path, "pack", version="version = '1'"), "pack", None)
    assert caught.value.exit_code == 80


@pytest.mark.parametrize(
    "path", ["missing", "missing/Cargo.toml", "empty", "zero\0byte", "empty/../../nowhere"]
)
def test_a_path_without_a_manifest_is_an_error(tmp_path: Path, path: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(LocalManifestError):
        find_local(tmp_path / path, "pack", None)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "Cargo.toml")
    with pytest.raises(LocalManifestError, match="not a regular file"):
        find_local(tmp_path, "pack", None)


@pytest.mark.skipif(os.name == "nt", reason="permissions are of another kind there")
@pytest.mark.parametrize(
    "locked", [".", "Cargo.toml", "crates", "crates/one", "nested/src", "nested/src/bin"]
)
def test_what_cannot_be_read_is_an_error(plain_user_folder: Path, locked: str) -> None:
    manifest = workspace(plain_user_folder / "ws")
    (plain_user_folder / "ws/nested/src/bin").mkdir()
    path = plain_user_folder / "ws" / locked
    path.chmod(0)
    try:
        with pytest.raises(LocalManifestError, match="cannot be read: Permission denied"):
            find_local(manifest, "nested", None)
    finally:
        path.chmod(0o700)


def test_the_number_of_manifests_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("binstall.registry.packages.MAX_WORKSPACE_MANIFESTS", 3)
    with pytest.raises(LocalManifestError, match="MAX_WORKSPACE_MANIFESTS"):
        find_local(workspace(tmp_path), "missing", None)
