"""The files of a commit as a tree to look for packages in, straight from git's objects.

    git ls-tree -r -t -z  →  MODE TYPE OBJECT TAB PATH NUL      one for each file, link, folder, submodule

Links that stay inside of the repository are followed as a checkout would follow them; any other link leads
nowhere, and a submodule is nothing: it is never fetched.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from binstall.errors import GitError, LocalManifestError
from binstall.limits import MAX_MANIFEST_BYTES
from binstall.registry.git import GitRepository
from binstall.registry.tree import Tree

_FILES: Final = frozenset({b"100644", b"100755", b"100664"})
_LINK: Final = b"120000"
_FOLDER: Final = b"040000"
_MAX_LINKS: Final = 40
_MAX_LINK_BYTES: Final = 4096
_Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Node:
    """One entry of the commit."""

    mode: bytes
    name: str
    """Object, in hex."""


class GitTree(Tree[PurePosixPath]):
    """One commit; paths are relative to its top."""

    def __init__(self, repository: GitRepository, shown: str) -> None:
        """Read the listing; `shown` is what messages call the repository. Raises GitError."""
        self._repository = repository
        self._shown = shown
        self._nodes: dict[_Parts, _Node] = {(): _Node(_FOLDER, "")}
        self._children: dict[_Parts, list[str]] = {(): []}
        for parts, node in parse_listing(repository.listing()):
            self._nodes[parts] = node
            self._children.setdefault(parts[:-1], []).append(parts[-1])

    def entries(self, folder: PurePosixPath) -> Mapping[str, bool]:
        """List a folder; submodules and links that lead nowhere are left out."""
        parts = self._resolved(folder)
        found: dict[str, bool] = {}
        for name in self._children.get(parts, []):
            node = self._find(PurePosixPath(*parts, name))
            if node is not None:
                found[name] = node.mode == _FOLDER
        if self._nodes[parts].mode != _FOLDER:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), self.shown(folder))
        return found

    def is_file(self, path: PurePosixPath) -> bool:
        """Tell whether there is a regular file, or a link to one."""
        node = self._find(path)
        return node is not None and node.mode in _FILES

    def read(self, path: PurePosixPath) -> bytes:
        """Return a file's content; raises LocalManifestError for a folder or a broken repository."""
        node = self._nodes[self._resolved(path)]
        if node.mode not in _FILES:
            raise LocalManifestError(f"{self.shown(path)} is not a regular file")
        try:
            content = self._repository.blob(node.name, MAX_MANIFEST_BYTES)
        except GitError as cause:
            raise LocalManifestError(f"{self.shown(path)} cannot be read: {cause.message}") from cause
        if content is None:
            raise LocalManifestError(
                f"{self.shown(path)} has more than {MAX_MANIFEST_BYTES} bytes (MAX_MANIFEST_BYTES)"
            )
        return content

    def identity(self, path: PurePosixPath) -> Hashable:
        """Return the path without links."""
        return self._resolved(path)

    def shown(self, path: PurePosixPath) -> str:
        """Return the path with the repository's name before it."""
        return f"{path} of {self._shown}"

    def _find(self, path: PurePosixPath) -> _Node | None:
        try:
            return self._nodes[self._resolved(path)]
        except FileNotFoundError:
            return None

    def _resolved(self, path: PurePosixPath) -> _Parts:
        """Return where `path` leads, links followed; raises FileNotFoundError where that is nowhere."""
        missing = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.shown(path))
        waiting, done, links = list(reversed(path.parts)), list[str](), 0
        while waiting:
            part = waiting.pop()
            if part in {"", "."}:
                continue
            if part == "..":
                if not done:
                    raise missing
                done.pop()
                continue
            done.append(part)
            node = self._nodes.get(tuple(done))
            if node is None or (node.mode not in _FILES and node.mode not in {_LINK, _FOLDER}):
                raise missing
            if node.mode == _LINK:
                links += 1
                target = self._target(node)
                if links > _MAX_LINKS or target is None:
                    raise missing
                done.pop()
                waiting += reversed(target.split("/"))
            elif waiting and node.mode != _FOLDER:
                raise missing
        return tuple(done)

    def _target(self, node: _Node) -> str | None:
        try:
            target = self._repository.blob(node.name, _MAX_LINK_BYTES)
        except GitError:
            return None
        return None if target is None or target.startswith(b"/") else os.fsdecode(target)


def parse_listing(listed: bytes) -> Iterator[tuple[_Parts, _Node]]:
    """Read what `git ls-tree -r -t -z` prints; raise `GitError`, and nothing else, for what it does not.

    A name that would lead elsewhere on a disk (`..`, or with a zero byte) is none here either.
    """
    for entry in listed.split(b"\0"):
        if not entry:
            continue
        facts, tab, path = entry.partition(b"\t")
        words = facts.split()
        if not tab or len(words) != 3 or not path:
            raise GitError(f"git lists `{os.fsdecode(entry[:80])}`, which is no entry of a commit")
        parts = tuple(os.fsdecode(path).split("/"))
        if not {"", ".", ".."} & set(parts):
            yield parts, _Node(words[0], words[2].decode("ascii", "replace"))
