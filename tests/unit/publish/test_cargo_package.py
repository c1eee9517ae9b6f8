"""The package that is released, as cargo sees it; and as git or its folder shows it where cargo cannot."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from binstall.errors import LocalManifestError, UsageError
from binstall.publish.cargo_package import open_package, published_files, refuse_leaks
from binstall.publish.git import ask_git, commit_of
from binstall.signing.minisign_keys import generate, lock
from support_check import needs_cargo, needs_git, tool_environment
from support_files import tree
from support_sign import MANIFEST, crate

NOWHERE: Mapping[str, str] = {"PATH": os.devnull}


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.example", *words],
        cwd=folder,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def names(paths: tuple[Path, ...], folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in paths}


def test_a_manifest_that_would_be_is_read_in_place_of_the_one_on_the_disk(tmp_path: Path) -> None:
    package = crate(tmp_path)
    assert package.folder == tmp_path and package.text == MANIFEST
    assert str(package.manifest().version) == "1.2.3"
    assert str(package.manifest(MANIFEST.replace("1.2.3", "2.0.0")).version) == "2.0.0"
    with pytest.raises(LocalManifestError, match="not valid TOML"):
        package.manifest("[")


def test_a_member_of_a_workspace_inherits_its_version(tmp_path: Path) -> None:
    (tmp_path / "Cargo.toml").write_text(
        '[workspace]\nmembers = ["crates/*"]\n[workspace.package]\nversion = "3.2.1"\n'
    )
    member = MANIFEST.replace('version = "1.2.3"   # the next one', "version.workspace = true")
    crate(tmp_path / "crates/hello", member)
    crate(tmp_path / "crates/other", MANIFEST.replace('"hello"', '"other"'))
    assert str(open_package(tmp_path, "hello").manifest().version) == "3.2.1"
    assert open_package(tmp_path, "other").manifest_path == tmp_path / "crates/other/Cargo.toml"
    with pytest.raises(LocalManifestError, match="2 packages: hello, other") as raised:
        open_package(tmp_path, None)
    assert raised.value.hint == "--package NAME picks one"
    with pytest.raises(LocalManifestError, match="no package `absent`"):
        open_package(tmp_path, "absent")


def test_the_only_member_of_a_workspace_needs_no_name(tmp_path: Path) -> None:
    (tmp_path / "Cargo.toml").write_text('[workspace]\nmembers = ["hello"]\n')
    crate(tmp_path / "hello")
    assert open_package(tmp_path / "Cargo.toml", None).manifest().name == "hello"
    (tmp_path / "Cargo.toml").write_text("[workspace]\nmembers = []\n")
    with pytest.raises(LocalManifestError, match=r"no \[package\]"):
        open_package(tmp_path, None)


def test_a_package_that_is_a_workspace_too_is_meant_itself(tmp_path: Path) -> None:
    crate(tmp_path, MANIFEST + '\n[workspace]\nmembers = ["other"]\n')
    crate(tmp_path / "other", MANIFEST.replace('"hello"', '"other"'))
    assert open_package(tmp_path, None).manifest().name == "hello"
    assert open_package(tmp_path, "other").manifest().name == "other"


@needs_cargo
def test_cargo_names_what_it_would_publish_and_leaves_no_trace(tmp_path: Path) -> None:
    package = crate(
        tmp_path, MANIFEST.replace("edition", 'exclude = ["secret.txt"]\nedition') + 'serde = "1"\n'
    )
    (tmp_path / "secret.txt").write_text("x")
    (tmp_path / "shown.txt").write_text("x")
    before = tree(tmp_path)
    found = published_files(package, tool_environment())
    assert (found.told_by, found.note) == ("cargo", None)
    listed = names(found.paths, tmp_path)
    assert {"Cargo.toml", "src/main.rs", "shown.txt"} <= listed and "secret.txt" not in listed
    assert tree(tmp_path) == before


@needs_git
def test_git_is_asked_where_there_is_no_cargo(tmp_path: Path) -> None:
    package = crate(tmp_path)
    (tmp_path / ".gitignore").write_text("ignored\n")
    for name in ("ignored", "new"):
        (tmp_path / name).write_text("x")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "src")
    folder = Path(
        subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout.strip()
    )
    (tmp_path / ".git/tools").mkdir()
    (tmp_path / ".git/tools/git").symlink_to(folder)
    found = published_files(package, {"PATH": str(tmp_path / ".git/tools")})
    assert found.told_by == "git" and found.note is not None and "cargo is not on PATH" in found.note
    assert names(found.paths, tmp_path) == {".gitignore", "Cargo.toml", "new", "src/main.rs"}


def test_the_folder_is_looked_at_where_there_is_neither(tmp_path: Path) -> None:
    package = crate(tmp_path)
    crate(tmp_path / "nested")
    (tmp_path / "target").mkdir()
    for name in ("target/CACHEDIR.TAG", "target/big", "note"):
        (tmp_path / name).write_text("x")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/config").write_text("x")
    found = published_files(package, NOWHERE)
    assert (
        found.told_by == "folder" and found.note is not None and "nor is the package in git" in found.note
    )
    assert names(found.paths, tmp_path) == {"Cargo.toml", "src/main.rs", "note"}


@needs_cargo
def test_a_manifest_that_cargo_refuses_is_no_reason_not_to_look(tmp_path: Path) -> None:
    package = crate(tmp_path, MANIFEST.replace('edition = "2021"', 'edition = "1234"'))
    (tmp_path / "key").write_bytes(lock(generate(), None))
    warnings: list[str] = []
    with pytest.raises(UsageError, match=r"key \(a minisign secret key\)"):
        refuse_leaks(package, tool_environment(), warnings.append)
    assert len(warnings) == 1 and "`cargo package --list` failed: error" in warnings[0]


@needs_git
def test_the_commit_is_that_of_the_folder_whatever_the_environment_says(tmp_path: Path) -> None:
    crate(tmp_path)
    assert commit_of(tmp_path, os.environ) is None
    git(tmp_path, "init", "-q")
    assert commit_of(tmp_path, os.environ) is None
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    head = git(tmp_path, "rev-parse", "HEAD").strip()
    assert commit_of(tmp_path, {**os.environ, "GIT_DIR": str(tmp_path / "elsewhere")}) == head
    assert commit_of(tmp_path / "src", os.environ) == head
    assert commit_of(tmp_path, NOWHERE) is None
    assert ask_git(tmp_path, os.environ, "no-such-word") is None
