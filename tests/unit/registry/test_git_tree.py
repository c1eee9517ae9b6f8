"""The same package is found in a commit as in the folder that it was made from."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import GitError, LocalManifestError, UsageError
from binstall.formats.git_url import parse_git_url
from binstall.registry.git import clone
from binstall.registry.git_settings import GitRules
from binstall.registry.git_tree import GitTree, parse_listing
from binstall.registry.packages import FoundPackage, find_package
from binstall.registry.tree import DiskTree
from support_git import Repository, needs_git

MAIN = {"src/main.rs": "fn main() {}"}


def member(name: str, more: str = "") -> str:
    return f'[package]\nname = "{name}"\nversion = "1.2.3"\n{more}'


WORKSPACE: dict[str, str | bytes | Path] = {
    "Cargo.toml": "[workspace]\nmembers = ['crates/*', 'linked']\nexclude = ['crates/excluded']\n"
    "[workspace.package]\nversion = '4.5.6'\n",
    "crates/one/Cargo.toml": '[package]\nname = "one"\nversion.workspace = true\n',
    "crates/one/src/main.rs": "",
    "crates/one/src/bin/extra.rs": "",
    "crates/one/src/bin/tool/main.rs": "",
    "crates/one/src/bin/empty/README": "",
    "crates/excluded/Cargo.toml": member("excluded"),
    "crates/far/Cargo.toml": '[package]\nname = "far"\nworkspace = "../.."\nversion.workspace = true\n',
    "crates/far/src/main.rs": "",
    "elsewhere/Cargo.toml": member("elsewhere"),
    "elsewhere/src/main.rs": "",
    "linked": Path("elsewhere"),
    "crates/up": Path(".."),
    "crates/outside": Path("/etc"),
    "crates/above": Path("../../.."),
    "crates/broken": Path("nothing"),
    "crates/self": Path("self"),
    "deep/er/pack/Cargo.toml": member("pack"),
    "deep/er/pack/src/main.rs": "",
}


def tree_of(repository: Repository, tmp_path: Path) -> GitTree:
    staging = tmp_path / "staging"
    staging.mkdir()
    url = parse_git_url(str(repository.folder), tmp_path, origin="", error=UsageError)
    rules = GitRules({"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
    return GitTree(clone(url, staging, rules), "the repository")


def found(tree: GitTree, name: str | None) -> FoundPackage[PurePosixPath]:
    return find_package(tree, PurePosixPath("Cargo.toml"), name)


@needs_git
@pytest.mark.parametrize("name", ["one", "far", "elsewhere"])
def test_a_package_is_found_in_a_commit_as_on_a_disk(tmp_path: Path, name: str) -> None:
    repository = Repository.create(tmp_path / "repo")
    repository.commit(WORKSPACE)
    here = found(tree_of(repository, tmp_path), name)
    there = find_package(DiskTree(), repository.folder / "Cargo.toml", name)
    assert here.manifest_path == PurePosixPath(there.manifest_path.relative_to(repository.folder))
    assert here.files == there.files
    mine, theirs = here.read(), there.read()
    assert (mine.version, mine.binaries) == (theirs.version, theirs.binaries)


@needs_git
def test_what_is_excluded_or_outside_is_not_found_and_circles_end(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / "repo")
    (tmp_path / "Cargo.toml").write_text(member("outside"))
    repository.commit(WORKSPACE)
    tree = tree_of(repository, tmp_path)
    for name in ("excluded", "outside", "pack"):
        with pytest.raises(LocalManifestError, match=f"no package `{name}`"):
            found(tree, name)
    assert set(tree.entries(PurePosixPath("crates"))) == {"one", "excluded", "far", "up"}


@needs_git
def test_the_questions_of_a_tree_have_the_answers_of_a_disk(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / "repo")
    inner = Repository.create(tmp_path / "inner")
    inner.commit({"Cargo.toml": member("inner")})
    repository.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner.folder), "sub")
    repository.commit({**WORKSPACE, "run.sh": "#!/bin/sh", "name\twith\ntab": "", "\u00fc/x": "y"})
    (repository.folder / "run.sh").chmod(0o755)
    repository.commit()
    tree = tree_of(repository, tmp_path)
    top = PurePosixPath()
    assert tree.entries(top) == {
        ".gitmodules": False, "Cargo.toml": False, "crates": True, "deep": True, "elsewhere": True, "linked": True,
        "run.sh": False, "name\twith\ntab": False, "\u00fc": True,
    }  # fmt: skip
    assert tree.is_file(PurePosixPath("run.sh"))
    assert tree.is_file(PurePosixPath("linked/Cargo.toml"))
    assert tree.is_file(PurePosixPath("crates/../Cargo.toml"))
    assert tree.read(PurePosixPath("\u00fc/x")) == b"y"
    for path in ("crates", "nothing", "sub", "sub/Cargo.toml", "../x", "run.sh/x", "crates/outside/passwd"):
        assert not tree.is_file(PurePosixPath(path)), path
    for path in ("nothing", "../x", "run.sh/x", "crates/self", "crates/above/Cargo.toml"):
        with pytest.raises(FileNotFoundError):
            tree.read(PurePosixPath(path))
    with pytest.raises(LocalManifestError, match="not a regular file"):
        tree.read(PurePosixPath("crates"))
    with pytest.raises(NotADirectoryError):
        tree.entries(PurePosixPath("run.sh"))
    assert tree.identity(PurePosixPath("crates/up")) == tree.identity(top)


@needs_git
def test_a_manifest_has_the_bound_of_every_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("binstall.registry.git_tree.MAX_MANIFEST_BYTES", 10)
    repository = Repository.create(tmp_path / "repo")
    repository.commit({"Cargo.toml": "#" * 11})
    with pytest.raises(LocalManifestError, match="MAX_MANIFEST_BYTES"):
        found(tree_of(repository, tmp_path), "x")


ENTRY = b"100644 blob " + b"a" * 40 + b"\tCargo.toml\0"
LISTING = ENTRY + b"040000 tree " + b"b" * 40 + b"\tsrc\x00100755 blob " + b"c" * 40 + b"\tsrc/main.rs\0"


def check(listed: bytes) -> None:
    try:
        entries = list(parse_listing(listed))
    except GitError:
        return
    for parts, _ in entries:
        assert parts
        assert not {"", ".", ".."} & set(parts)
        assert not any("/" in part or "\0" in part for part in parts)


def test_a_listing_has_every_entry_by_its_parts() -> None:
    assert [parts for parts, _ in parse_listing(LISTING)] == [("Cargo.toml",), ("src",), ("src", "main.rs")]
    with pytest.raises(GitError, match="no entry of a commit"):
        list(parse_listing(b"warning: x\0"))
    assert list(parse_listing(ENTRY.replace(b"Cargo.toml", b"../Cargo.toml"))) == []


@settings(max_examples=1000, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 150), st.integers(0, 4), st.binary(max_size=4)), min_size=1, max_size=3
    )
)
def test_a_mutated_listing_is_read_or_refused(changes: list[tuple[int, int, bytes]]) -> None:
    listed = LISTING
    for at, size, piece in changes:
        listed = listed[:at] + piece + listed[at + size :]
    check(listed)


@settings(max_examples=1000, deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=50).map(lambda path: ENTRY[:-11] + path + b"\0"))
def test_any_listing_is_read_or_refused(listed: bytes) -> None:
    check(listed)
