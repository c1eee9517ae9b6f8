"""Which folders of a cargo workspace `members` and `exclude` name.

Both are lists of gitignore-style patterns: `*`, `?` and `[…]` within one component, `**` for any number of
them, an excluded folder takes everything below it along. A pattern without a `/` means, in gitignore's way,
any folder of that name; cargo means the one at the root. So the search is made cargo's way, and only `deep`
in gitignore's.

Symbolic links to folders are followed, never in a circle. `.git` and folders with a `CACHEDIR.TAG`, such as
cargo's `target`, are not entered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from binstall.errors import LocalManifestError
from binstall.limits import MAX_WORKSPACE_DEPTH, MAX_WORKSPACE_FOLDERS
from binstall.registry.tree import P, Tree

_ANY_NUMBER = "**"
_States = frozenset[int]


@dataclass(frozen=True, slots=True)
class FolderPattern:
    """One pattern, matched component by component; a state is how many of `parts` are behind it."""

    parts: tuple[str, ...]

    def start(self) -> _States:
        """Return the states at the workspace's root."""
        return self._closed({0})

    def step(self, states: _States, name: str) -> _States:
        """Return the states one folder further down; none means that nothing below can match."""
        after = {state for state in states if self._at(state) == _ANY_NUMBER}
        after |= {
            state + 1
            for state in states
            if self._at(state) not in {None, _ANY_NUMBER} and fnmatchcase(name, self.parts[state])
        }
        return self._closed(after)

    def is_match(self, states: _States) -> bool:
        """Tell whether the pattern names the folder of these states."""
        return len(self.parts) in states

    def _at(self, state: int) -> str | None:
        return self.parts[state] if state < len(self.parts) else None

    def _closed(self, states: set[int]) -> _States:
        for state in sorted(states):
            reached = state
            while self._at(reached) == _ANY_NUMBER:
                reached += 1
                states.add(reached)
        return frozenset(states)


def parse_folder_pattern(text: str, *, deep: bool) -> FolderPattern:
    """Read one pattern of `members` or `exclude`; raise `LocalManifestError` for an unclosed `[`."""
    parts = [part for part in text.split("/") if part not in {"", "."}]
    for part in parts:
        at = part.find("[")
        while at >= 0:
            # A `]` right after the bracket, or after its `!`, stands for itself.
            end = part.find("]", at + (3 if part[at + 1 : at + 2] == "!" else 2))
            if end < 0:
                raise LocalManifestError(f"workspace pattern `{text[:200]}` has a `[` without its `]`")
            at = part.find("[", end)
    if deep and len(parts) == 1 and not text.startswith(("/", "./")):
        parts.insert(0, _ANY_NUMBER)
    if parts and parts[-1] == _ANY_NUMBER:
        parts.append("*")
    return FolderPattern(tuple(parts))


def member_folders(
    tree: Tree[P], root: P, members: Iterable[str], excludes: Iterable[str], *, deep: bool
) -> tuple[P, ...]:
    """Return the folders below `root` that are members, nearest first, each level by name.

    Raises `LocalManifestError` for a bad pattern or a bound, `OSError` for what cannot be read.
    """
    wanted = tuple(parse_folder_pattern(text, deep=deep) for text in members)
    unwanted = tuple(parse_folder_pattern(text, deep=deep) for text in excludes)
    patterns = (*wanted, *unwanted)
    found: list[P] = []
    visited = 0
    # Folder, states of each pattern, identity of it and its parents.
    waiting = deque(
        [(root, tuple(pattern.start() for pattern in patterns), frozenset({tree.identity(root)}))]
    )
    while waiting:
        folder, states, above = waiting.popleft()
        visited += 1
        if visited > MAX_WORKSPACE_FOLDERS:
            raise LocalManifestError(
                f"workspace {tree.shown(root)} has more than {MAX_WORKSPACE_FOLDERS} folders to search"
                " (MAX_WORKSPACE_FOLDERS)"
            )
        for name in _subfolders(tree, folder):
            after = tuple(
                pattern.step(before, name) for pattern, before in zip(patterns, states, strict=True)
            )
            matched = [pattern.is_match(now) for pattern, now in zip(patterns, after, strict=True)]
            if any(matched[len(wanted) :]) or not any(after[: len(wanted)]):
                continue
            path = folder / name
            if any(matched):
                found.append(path)
            identity = tree.identity(path)
            if identity not in above and len(above) < MAX_WORKSPACE_DEPTH:
                waiting.append((path, after, above | {identity}))
    return tuple(found)


def _subfolders(tree: Tree[P], folder: P) -> list[str]:
    found = tree.entries(folder)
    if "CACHEDIR.TAG" in found:
        return []
    return sorted(name for name, is_folder in found.items() if name != ".git" and is_folder)
