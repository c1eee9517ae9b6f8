"""The private folder in which one run keeps what is not installed yet.

    INSTALL/.binstall-XXXXXXXX/    mode 0700, on the file system of the destinations
        lock                       locked while the owner lives
        journal.json               only while files are being placed (`journal.py`)
        PURPOSE-XXXXXXXX/          one fresh folder for each download, attempt, extraction

A run that ends in any way but by a kill removes its folder. What a killed one left is told by its lock,
which nobody holds, and removed by the next run (`recovery.py`). Whoever takes the lock of a folder that is
just being made or removed finds that out: the file is then no longer where it was.

A dry run has its folder in the system's place for temporary files and makes nothing elsewhere.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Generator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from binstall.errors import LocalIOError
from binstall.install.files import local_io, reason
from binstall.install.journal import JOURNAL
from binstall.install.locks import Claim, claim
from binstall.install.signals import deferred_signals, despite_signals
from binstall.progress import Progress, Silent

PREFIX: Final = ".binstall-"
_LOCK: Final = "lock"
_ATTEMPTS: Final = 100


class Staging:
    """The folder of one run; a context manager that makes and removes it."""

    install_dir: Path
    """Where binaries go, absolute, without links on the way. Made on entry, but not by a dry run."""
    folder: Path
    """The private folder; known after entry."""
    dry_run: bool

    def __init__(
        self, install_dir: Path, *, dry_run: bool = False, progress: Progress | None = None
    ) -> None:
        # A link that stands for the install folder is followed once, here.
        self.install_dir = Path(os.path.realpath(install_dir))
        self.dry_run = dry_run
        self._progress = progress or Silent()
        self.keep = False
        """Whether to leave the folder behind, for somebody who wants to look; the next run removes it."""
        self._made: list[Path] = []
        self._claim: Claim | None = None

    def __enter__(self) -> Self:
        """Make the folder.

        Raises:
            LocalIOError: the install folder cannot be made or written to.
        """
        try:
            if self.dry_run:
                parent = Path(tempfile.gettempdir())
                with local_io(f"make a folder in {parent}"):
                    for dead, dead_claim in dead_folders(parent):
                        remove_folder(dead, dead_claim, self._progress)
                    self._make_in(parent)
            else:
                with local_io(f"write to the install folder {self.install_dir}"):
                    self._make_in(self.install_dir)
        except BaseException:
            despite_signals(self._leave)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the folder, unless a journal says that files still have to be undone."""
        despite_signals(self._leave)

    def _leave(self) -> None:
        if self._claim is not None:
            if self.keep or (self.folder / JOURNAL).exists():
                self._claim.close()
            else:
                remove_folder(self.folder, self._claim, self._progress)
        self._remove_made()

    def subfolder(self, purpose: str) -> Path:
        """Make a fresh folder in the private one; `purpose` starts its name.

        Raises:
            LocalIOError: it cannot be made.
        """
        with local_io(f"make a folder in {self.folder}"):
            return Path(tempfile.mkdtemp(prefix=f"{purpose}-", dir=self.folder))

    def _make_in(self, parent: Path) -> None:
        for _ in range(_ATTEMPTS):
            # A folder that was made is known to `__exit__`, whenever a signal arrives.
            with deferred_signals():
                if not self.dry_run:
                    self._make_folders(parent)
                try:
                    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
                    claimed = _claim_new(folder)
                except FileNotFoundError:
                    continue  # another run removed the folder that it had made, or took ours for dead
                if claimed is not None:
                    self.folder, self._claim = folder, claimed
                    return
        raise LocalIOError(f"cannot make a folder in {parent}: it is removed again and again")

    def _make_folders(self, path: Path) -> None:
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            self._made.append(folder)

    def _remove_made(self) -> None:
        """Remove the folders that were made for this run, as far as they are empty."""
        while self._made:
            try:
                self._made[-1].rmdir()
            except FileNotFoundError:
                pass  # a signal came between these lines before
            except OSError:
                return  # in use, by us or by another run: it has become a folder like any other
            self._made.pop()


def _claim_new(folder: Path) -> Claim | None:
    try:
        return claim(folder / _LOCK)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def dead_folders(parent: Path) -> Generator[tuple[Path, Claim], None, None]:
    """Yield the staging folders in `parent` whose owner is gone, each with its lock, ours for the moment.

    Folders of other users are passed over: their journals are not to be believed. So are those where the
    file system has no locks, since their owner may live. Raises OSError.
    """
    try:
        found = sorted(path for path in parent.iterdir() if path.name.startswith(PREFIX))
    except (FileNotFoundError, NotADirectoryError):
        return
    for folder in found:
        try:
            if not _is_ours(folder):
                continue
            claimed = claim(folder / _LOCK)
        except FileNotFoundError:
            continue
        if claimed is None:
            continue
        try:
            if claimed.sure:
                yield folder, claimed
        finally:
            claimed.close()


def remove_folder(folder: Path, claimed: Claim, progress: Progress) -> None:
    """Remove a staging folder and let go of its lock on the way; what cannot be removed is told."""
    try:
        for path in folder.iterdir():
            if path.name == _LOCK:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        claimed.close()  # not later, since Windows would then not remove the file
        (folder / _LOCK).unlink(missing_ok=True)
        folder.rmdir()
    except OSError as error:
        left = set(folder.iterdir()) if folder.exists() else set()
        if left - {folder / _LOCK}:
            progress.warn(f"cannot remove {folder}: {reason(error)}; the next run tries again")
        # An empty folder, or one with a new lock in it, is just being removed by another run.
    finally:
        claimed.close()


def _is_ours(folder: Path) -> bool:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        return False
    return os.name == "nt" or (found.st_uid == os.geteuid() and not found.st_mode & 0o077)
