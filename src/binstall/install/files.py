"""The file-system calls of an install that Python does not announce by itself, and what surrounds them.

Every call that changes something raises an audit event first: Python's own (`os.rename`, `os.link`,
`os.remove`, …) or, for writing and syncing, one of `binstall.write` and `binstall.fsync`. So whoever
watches a process, such as a test that ends it before each call, sees all of them.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from binstall.errors import LocalIOError
from binstall.limits import CHUNK_BYTES

BINARY_MODE: Final = 0o755
"""Mode of an installed binary, whatever the umask, as cargo sets it."""

_NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
# A file system may not know how to sync a folder; then there is nothing more to do.
_CANNOT_SYNC: Final = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF})


@dataclass(frozen=True, slots=True)
class Mark:
    """What tells one file of a name from another: never its inode, which some file systems invent."""

    kind: Literal["file", "link", "other"]
    size: int
    """Bytes; 0 for a link."""
    mtime_ns: int
    """Time of last change, nanoseconds; 0 for a link."""
    target: str = ""
    """Of a link."""


@contextmanager
def local_io(doing: str) -> Iterator[None]:
    """Turn what the file system refuses into `LocalIOError`; `doing` goes on after "cannot"."""
    try:
        yield
    except OSError as error:
        raise LocalIOError(f"cannot {doing}: {reason(error)}", hint=_hint(error)) from error


def reason(error: OSError) -> str:
    """Return the system's words, and the path they are about."""
    words = error.strerror or str(error) or type(error).__name__
    return f"{words} ({error.filename})" if error.filename is not None else words


def _hint(error: OSError) -> str | None:
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return "install into a folder of your own, with --root or --install-path"
    return None


def mark(path: Path) -> Mark | None:
    """Return what stands at `path`, links not followed; None where nothing does."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(found.st_mode):
        return Mark("link", 0, 0, str(path.readlink()))
    kind: Literal["file", "other"] = "file" if stat.S_ISREG(found.st_mode) else "other"
    return Mark(kind, found.st_size, found.st_mtime_ns)


def is_plain_name(name: str) -> bool:
    """Tell whether `name` is one component that stays in its folder."""
    return name not in {"", ".", ".."} and not any(character in name for character in "/\\\0")


def seal(path: Path) -> Mark:
    """Make a staged file a binary: mode, a time of its own, data on disk.

    The extractor has synced the data; after `chmod` and a new time only the inode is left to write.
    """
    writable = os.O_RDWR if sys.platform == "win32" else os.O_RDONLY
    fd = os.open(path, writable | _NO_FOLLOW)
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if sys.platform != "win32":
            os.fchmod(fd, BINARY_MODE)
        now = time.time_ns()
        os.utime(path if sys.platform == "win32" else fd, ns=(now, now))
        sync(fd)
        found = os.fstat(fd)
    finally:
        os.close(fd)
    return Mark("file", found.st_size, found.st_mtime_ns)


def keep(path: Path, kept: Path) -> None:
    """Make what stands at `path` stand at `kept` too, by hard link where that can be done."""
    if path.is_symlink():
        kept.symlink_to(path.readlink())
        return
    try:
        kept.hardlink_to(path)
    except OSError:
        _copy(path, kept)


def _copy(source: Path, copy: Path) -> None:
    with source.open("rb") as reader, copy.open("xb", buffering=0) as writer:
        while chunk := reader.read(CHUNK_BYTES):
            write_all(writer.fileno(), chunk)
        found = os.fstat(reader.fileno())
        copy.chmod(stat.S_IMODE(found.st_mode))
        os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns))
        sync(writer.fileno())


def place_new(staged: Path, destination: Path) -> None:
    """Put `staged` at `destination`, where nothing may stand; raise `FileExistsError` if something does."""
    try:
        destination.hardlink_to(staged)
    except FileExistsError:
        raise
    except OSError:
        # No hard links here: the check for an existing file was a moment ago and has to do.
        staged.replace(destination)


def place_over(staged: Path, destination: Path, aside: Path) -> None:
    """Put `staged` in the place of `destination` in one step; a link is replaced, not followed.

    Windows does not let a running program be replaced, but renamed: it goes to `aside`.
    """
    try:
        staged.replace(destination)
    except PermissionError:
        if sys.platform == "win32":
            destination.replace(aside)
            staged.replace(destination)
            return
        raise


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data` at the position of `fd`."""
    rest = memoryview(data)
    while rest:
        sys.audit("binstall.write", fd, len(rest))
        rest = rest[os.write(fd, rest) :]


def write_synced(path: Path, data: bytes) -> None:
    """Make `path`, which must not exist, hold `data`, on disk."""
    with path.open("xb", buffering=0) as file:
        write_all(file.fileno(), data)
        sync(file.fileno())


def sync(fd: int) -> None:
    """Wait until the file is on disk."""
    sys.audit("binstall.fsync", fd)
    os.fsync(fd)


def sync_folder(folder: Path) -> None:
    """Wait until the names in `folder` are on disk, where the system can do that."""
    if sys.platform == "win32":
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync(fd)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise
    finally:
        os.close(fd)
