"""Which folders `members` and `exclude` name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import LocalManifestError
from binstall.registry.tree import DiskTree
from binstall.registry.workspace import member_folders, parse_folder_pattern

TREE = (
    "cli", "crates/a", "crates/b", "crates/a/inner", "crates/deep/er/est", "tools/cli", "tools/x1",
    "tools/x2", "target/debug/cli", ".git/cli", "node/cli",
)  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in TREE:
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "target" / "CACHEDIR.TAG").touch()
    (tmp_path / "crates" / "file").touch()
    return tmp_path


def names(
    root: Path, members: Sequence[str], exclude: Sequence[str] = (), *, deep: bool = False
) -> list[str]:
    return [
        folder.relative_to(root).as_posix()
        for folder in member_folders(DiskTree(), root, members, exclude, deep=deep)
    ]


@pytest.mark.parametrize(
    ("members", "exclude", "expected"),
    [
        pytest.param(["cli"], [], ["cli"], id="one"),
        pytest.param(["./cli/", "/crates/a"], [], ["cli", "crates/a"], id="slashes"),
        pytest.param(["crates/*"], [], ["crates/a", "crates/b", "crates/deep"], id="star"),
        pytest.param(["crates/*"], ["crates/a"], ["crates/b", "crates/deep"], id="excluded"),
        pytest.param(
            ["crates/**"], ["crates/deep"], ["crates/a", "crates/b", "crates/a/inner"], id="excluded tree"
        ),
        pytest.param(["crates/**/est"], [], ["crates/deep/er/est"], id="double star inside"),
        pytest.param(["**/cli"], [], ["cli", "node/cli", "tools/cli"], id="double star first"),
        pytest.param(["tools/x?", "tools/x[!1]"], [], ["tools/x1", "tools/x2"], id="classes"),
        pytest.param(["tools/x[1]"], [], ["tools/x1"], id="class"),
        pytest.param(["tools/x[]]"], [], [], id="bracket in a class"),
        pytest.param(["*"], [], ["cli", "crates", "node", "target", "tools"], id="any"),
        pytest.param(["crates/file", "..", "../*", "", ".", "/", "no/where"], [], [], id="nothing"),
        pytest.param(["CLI"], [], [], id="case"),
    ],
)
def test_members_are_found_from_the_root(
    root: Path, members: list[str], exclude: list[str], expected: list[str]
) -> None:
    assert names(root, members, exclude) == expected


def test_the_deep_search_finds_a_bare_name_anywhere_nearest_first(root: Path) -> None:
    assert names(root, ["cli"], deep=True) == ["cli", "node/cli", "tools/cli"]
    assert names(root, ["/cli", "./node"], deep=True) == ["cli", "node"]
    assert names(root, ["cli"], ["node"], deep=True) == ["cli", "tools/cli"]


def test_links_are_followed_but_never_in_a_circle(root: Path) -> None:
    (root / "crates" / "linked").symlink_to(root / "tools")
    (root / "tools" / "up").symlink_to(root)
    (root / "crates" / "broken").symlink_to(root / "nothing")
    assert "crates/linked" in names(root, ["crates/*"])
    assert "crates/linked/x1" in names(root, ["**/x1"])
    assert len(names(root, ["**"])) < 100


@pytest.mark.parametrize("pattern", ["crates/[a", "[", "[!", "[]", "x[!]", "a/[b]/[c"])
def test_an_unclosed_bracket_is_an_error(root: Path, pattern: str) -> None:
    with pytest.raises(LocalManifestError, match="without its"):
        names(root, [pattern])


def test_the_depth_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "/".join("d" * 60)).mkdir(parents=True)
    assert len(names(tmp_path, ["**"])) == 32


def test_the_number_of_folders_is_bounded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("binstall.registry.workspace.MAX_WORKSPACE_FOLDERS", 5)
    with pytest.raises(LocalManifestError, match="MAX_WORKSPACE_FOLDERS"):
        names(root, ["**"])


@settings(max_examples=1000, deadline=None)
@given(st.text("ab*?[]!/.\\", max_size=12), st.booleans(), st.lists(st.text("ab.", min_size=1), max_size=5))
def test_any_pattern_is_read_or_refused_and_can_be_matched(text: str, deep: bool, path: list[str]) -> None:
    try:
        pattern = parse_folder_pattern(text, deep=deep)
    except LocalManifestError:
        assert "[" in text
        return
    states = pattern.start()
    for name in path:
        states = pattern.step(states, name)
    assert pattern.is_match(states) in {True, False}
