"""Locks on open files: `flock` as cargo takes it, `LockFileEx` on Windows.

A lock belongs to the open file and goes with it when its process ends, however it ends. Locks are advisory
on Unix. Some network file systems have none; there the work goes on without, as cargo does.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

Outcome = Literal["held", "busy", "unsupported"]

_OPEN: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)

if sys.platform == "win32":
    import msvcrt

    def _lock(fd: int, *, exclusive: bool, wait: bool) -> Outcome:
        del exclusive  # the C library knows no shared locks
        while True:
            os.lseek(fd, 0, os.SEEK_SET)
            try:
                msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
            except OSError as error:
                if error.errno not in {errno.EACCES, errno.EDEADLK}:
                    raise
                if not wait:
                    return "busy"
                time.sleep(0.05)
            else:
                return "held"

else:
    import fcntl

    _UNSUPPORTED: Final = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})

    def _lock(fd: int, *, exclusive: bool, wait: bool) -> Outcome:
        kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        try:
            fcntl.flock(fd, kind if wait else kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return "busy"
        except OSError as error:
            if error.errno in _UNSUPPORTED:
                return "unsupported"
            raise
        return "held"


def open_locked(
    path: Path, *, exclusive: bool, create: bool, on_wait: Callable[[], None] | None = None
) -> int:
    """Open `path` and wait for its lock; return the descriptor, whose closing lets go of the lock.

    An exclusive lock comes with a file open for reading and writing, a shared one with reading only.
    `on_wait` is called once if somebody else has it. Raises OSError.
    """
    flags = (os.O_RDWR if exclusive else os.O_RDONLY) | (os.O_CREAT if create else 0) | _OPEN
    while True:
        fd = os.open(path, flags, 0o666)
        try:
            if _lock(fd, exclusive=exclusive, wait=False) == "busy":
                if on_wait is not None:
                    on_wait()
                _lock(fd, exclusive=exclusive, wait=True)
            if _is_at(fd, path):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


class Claim:
    """A lock that was taken without waiting."""

    def __init__(self, fd: int, *, sure: bool) -> None:
        self._fd = fd
        self.sure = sure
        """False where the file system has no locks, and somebody else may think the same."""

    def close(self) -> None:
        """Let go of the lock; once is enough."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)


def claim(path: Path) -> Claim | None:
    """Make `path`, if need be, and take its lock without waiting; None where somebody else has it.

    That is also so where the file was removed before its lock was had. Raises OSError.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | _OPEN, 0o600)
    try:
        outcome = _lock(fd, exclusive=True, wait=False)
        if outcome != "busy" and _is_at(fd, path):
            return Claim(fd, sure=outcome == "held")
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return None


def _is_at(fd: int, path: Path) -> bool:
    """Tell whether `path` still is the open file, and not another one or none."""
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False
