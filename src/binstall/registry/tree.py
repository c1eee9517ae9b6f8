"""Files and folders with manifests in them: on this disk, or in a commit that nobody checked out.

The search for a package (`packages.py`) knows a tree only by these few questions, so that it finds the
same in both. Symbolic links are followed.
"""

from __future__ import annotations

import errno
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from pathlib import Path, PurePath
from typing import Generic, TypeVar

from binstall.errors import LocalManifestError
from binstall.limits import MAX_MANIFEST_BYTES

P = TypeVar("P", bound=PurePath)


class Tree(ABC, Generic[P]):
    """A tree of paths of the kind `P`; every question but `is_file` may raise OSError."""

    @abstractmethod
    def entries(self, folder: P) -> Mapping[str, bool]:
        """Return what is in a folder, in no certain order: name → whether it is a folder."""

    @abstractmethod
    def is_file(self, path: P) -> bool:
        """Tell whether there is a regular file."""

    @abstractmethod
    def read(self, path: P) -> bytes:
        """Return a regular file, cut after `MAX_MANIFEST_BYTES + 1` bytes.

        Raises `LocalManifestError` for what is no regular file, or no path at all.
        """

    @abstractmethod
    def identity(self, path: P) -> Hashable:
        """Return what two paths have in common exactly if they lead to one file or folder."""

    @abstractmethod
    def shown(self, path: P) -> str:
        """Return what messages call the path."""

    def files_of(self, folder: P) -> frozenset[str]:
        """Return the source files of binaries that the package in `folder` has.

        They are paths inside the package: `src/main.rs`, `src/bin/x.rs`, `src/bin/y/main.rs`.
        """
        source = folder / "src"
        files = {"src/main.rs"} if self.is_file(source / "main.rs") else set[str]()
        try:
            entries = self.entries(source / "bin")
        except (FileNotFoundError, NotADirectoryError):
            return frozenset(files)
        for name, is_folder in entries.items():
            if not is_folder:
                files.add(f"src/bin/{name}")
            elif self.is_file(source / "bin" / name / "main.rs"):
                files.add(f"src/bin/{name}/main.rs")
        return frozenset(files)


class DiskTree(Tree[Path]):
    """This machine's file system."""

    def entries(self, folder: Path) -> Mapping[str, bool]:
        """List a folder; what is neither file nor folder, such as a broken link, is left out."""
        found: dict[str, bool] = {}
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    if entry.is_dir() or entry.is_file():
                        found[entry.name] = entry.is_dir()
                except OSError as error:
                    if error.errno != errno.ELOOP:
                        raise
        return found

    def is_file(self, path: Path) -> bool:
        """Tell whether there is a regular file."""
        return path.is_file()

    def read(self, path: Path) -> bytes:
        """Return a regular file."""
        try:
            # A named pipe would keep us waiting for ever.
            if not stat.S_ISREG(path.stat().st_mode):
                raise LocalManifestError(f"{path} is not a regular file")
            with path.open("rb") as file:
                return file.read(MAX_MANIFEST_BYTES + 1)
        except ValueError as cause:
            raise LocalManifestError(f"{path} has a zero byte, which no path has") from cause

    def identity(self, path: Path) -> Hashable:
        """Return device and inode."""
        facts = path.stat()
        return facts.st_dev, facts.st_ino

    def shown(self, path: Path) -> str:
        """Return the path."""
        return str(path)
