"""Files that are whole or not there: keys, signatures, manifests.

All of a command's files are written beside their places first, synced, and only then put there, in one go
that a signal waits for. On Linux they have no name until then, so that not even `kill -9` leaves a part of a
key behind; elsewhere they have a name that tells what it is (`publish.leftovers`). Nothing is put over an
existing file unless `replace` says so, and a link is replaced, not followed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from binstall.errors import LocalIOError
from binstall.publish.leftovers import hidden_name, hold, remove_leftovers

SECRET_MODE: Final = 0o600
PUBLIC_MODE: Final = 0o666
"""Less the umask."""

_UNNAMED: Final = getattr(os, "O_TMPFILE", 0)
_NAMED: Final = os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
_PLAIN: Final = os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_UNNAMED: Final = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOSYS})
_CANNOT_SYNC: Final = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF})


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to be."""

    path: Path
    """Its folder exists."""
    data: bytes | bytearray
    mode: int = SECRET_MODE
    replace: bool = False
    """Whether a file at `path` may be put an end to; it then gives its mode to one that is not secret."""


class FileExists(LocalIOError):
    """A file stands where a new one should go."""

    hint = "-f (--force) replaces it"


def write_new(path: Path, data: bytes | bytearray, mode: int = SECRET_MODE, force: bool = False) -> None:
    """Make one file; see `write_files`."""
    write_files([NewFile(path, data, mode, force)])


def write_files(files: Sequence[NewFile]) -> None:
    """Make all of `files`, in their order, or none; what `replace` put an end to is not brought back.

    Raises:
        FileExists: a file is there already, and `replace` does not allow for it.
        LocalIOError: the file system refused.
    """
    for file in files:
        if not file.replace and os.path.lexists(file.path):
            raise _exists(file)
    remove_leftovers(file.path for file in files)
    with contextlib.ExitStack() as stack:
        staged = [stack.enter_context(_staged(file)) for file in files]
        with _without_signals():
            _place_all(staged)


class _Staged:
    """A file whose data is on disk, without its name."""

    def __init__(self, file: NewFile, descriptor: int, name: Path | None) -> None:
        self.file = file
        self._descriptor = descriptor
        self._name = name

    def place(self) -> None:
        target = self.file.path
        if not self.file.replace:
            self._link(target)
            return
        name = self._name
        if name is None:
            name = hidden_name(target)
            self._link(name)
        try:
            name.replace(target)
        except OSError:
            if self._name is None:
                name.unlink()
            raise

    def _link(self, target: Path) -> None:
        if self._name is None:
            # With a descriptor, though an unused one, Python calls linkat(2), which can follow this link.
            os.link(
                f"/proc/self/fd/{self._descriptor}",
                target,
                src_dir_fd=self._descriptor,
                follow_symlinks=True,
            )
            return
        try:
            target.hardlink_to(self._name)
        except FileExistsError:
            raise
        except OSError:
            # No hard links here: take the name first, then put the file over our own empty one.
            os.close(os.open(target, _PLAIN | _NAMED, self.file.mode))
            self._name.replace(target)


@contextlib.contextmanager
def _staged(file: NewFile) -> Iterator[_Staged]:
    name: Path | None = None
    try:
        descriptor, name = _open_beside(file)
    except OSError as error:
        raise _refused(file.path, error) from error
    try:
        hold(descriptor)
        try:
            _write(descriptor, file)
        except OSError as error:
            raise _refused(file.path, error) from error
        if name is not None and sys.platform == "win32":
            os.close(descriptor)  # an open file cannot be renamed there
            descriptor = -1
        yield _Staged(file, descriptor, name)
    finally:
        if descriptor >= 0:
            os.close(descriptor)
        if name is not None:
            with contextlib.suppress(FileNotFoundError):
                name.unlink()


def _open_beside(file: NewFile) -> tuple[int, Path | None]:
    folder = file.path.parent
    if _UNNAMED and os.path.exists("/proc/self/fd"):  # noqa: PTH110 - a question, not a path to keep
        try:
            return os.open(folder, _PLAIN | _UNNAMED, file.mode), None
        except OSError as error:
            if error.errno not in _NO_UNNAMED:
                raise
    name = hidden_name(file.path)
    return os.open(name, _PLAIN | _NAMED, file.mode), name


def _write(descriptor: int, file: NewFile) -> None:
    if file.replace and file.mode != SECRET_MODE and sys.platform != "win32":
        with contextlib.suppress(FileNotFoundError):
            os.fchmod(descriptor, file.path.stat().st_mode & 0o777)
    with memoryview(file.data) as rest:
        at = 0
        while at < len(rest):
            sys.audit("binstall.write", descriptor, len(rest) - at)
            at += os.write(descriptor, rest[at:])
    sys.audit("binstall.fsync", descriptor)
    os.fsync(descriptor)


def _place_all(staged: Sequence[_Staged]) -> None:
    placed: list[Path] = []
    try:
        for one in staged:
            try:
                one.place()
            except FileExistsError as error:
                raise _exists(one.file) from error
            except OSError as error:
                raise _refused(one.file.path, error) from error
            if not one.file.replace:
                placed.append(one.file.path)
    except BaseException:
        for path in placed:
            with contextlib.suppress(OSError):
                path.unlink()
        raise
    for folder in {one.file.path.parent for one in staged}:
        _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:
        return  # one may write into a folder that one may not read
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise LocalIOError(f"{folder} cannot be synced: {error.strerror}") from error
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _without_signals() -> Iterator[None]:
    """Let signals wait: between two renames a pair of keys would not be a pair."""
    if sys.platform == "win32":
        yield
        return
    waiting = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waiting)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _exists(file: NewFile) -> FileExists:
    return FileExists(f"{file.path} exists already")


def _refused(path: Path, error: OSError) -> LocalIOError:
    return LocalIOError(f"{path} cannot be written: {error.strerror or error}")
