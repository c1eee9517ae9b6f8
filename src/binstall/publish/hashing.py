"""BLAKE2b-512 of many files at once: a thread for each core, which hashlib lets run at full speed.

Files are read in pieces that stay in the processor's cache, so reading costs little beside hashing and
memory does not grow with a file. A file that changes while it is read has no digest, but an error.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from binstall.errors import LocalIOError, UsageError

_PIECE_BYTES: Final = 256 * 1024
_PATIENCE_SECONDS: Final = 0.2
"""How long the main thread waits at a stretch: on Windows Ctrl-C does not end a wait."""


class Tick(Protocol):
    """Told of bytes read; from any thread."""

    def __call__(self, path: Path, size: int, /) -> None: ...


class Hashed(NamedTuple):
    """What was read of one file."""

    path: Path
    blake2b: bytes
    """64 bytes."""
    size: int
    """Bytes."""
    state: tuple[int, ...]
    """Device, inode, size and times of the file that was read, for `still_the_same`."""

    def still_the_same(self) -> bool:
        """Tell whether `path` is still that file, as far as its times show it."""
        try:
            return _state(os.stat(self.path)) == self.state  # noqa: PTH116 - as `os.fstat` gives it
        except OSError:
            return False


def open_regular(path: Path) -> int:
    """Return a descriptor for reading; a pipe or device is refused, never waited for.

    Raises:
        LocalIOError: there is no such file, or it cannot be read.
        UsageError: it is a folder, or no regular file.
    """
    try:
        # Windows cannot open a folder at all, so the question comes first; and again of what was opened.
        _check_kind(path, path.stat())
        flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        raise LocalIOError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(f"{str(path)!r:.200} has a zero byte, which no path has") from error
    try:
        _check_kind(path, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_kind(path: Path, found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise UsageError(f"{path} is a folder", hint="name the files in it")
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"{path} is not a regular file")


def hash_file(path: Path, stopping: threading.Event | None = None, tick: Tick | None = None) -> Hashed:
    """Read one file; give up when `stopping` is set.

    Raises:
        LocalIOError, UsageError: it cannot be read, or is no regular file; it was changed meanwhile, or
            reading was stopped.
    """
    descriptor = open_regular(path)
    try:
        before = _state(os.fstat(descriptor))
        digest = hashlib.blake2b()
        buffer = bytearray(_PIECE_BYTES)
        size = 0
        with memoryview(buffer) as view, open(descriptor, "rb", buffering=0, closefd=False) as file:
            while count := file.readinto(buffer):
                digest.update(view[:count])
                size += count
                if tick is not None:
                    tick(path, count)
                if stopping is not None and stopping.is_set():
                    raise LocalIOError(f"reading {path} was stopped")
        if _state(os.fstat(descriptor)) != before or size != before[2]:
            raise LocalIOError(
                f"{path} was changed while it was read", hint="run again when it is complete"
            )
        return Hashed(path, digest.digest(), size, before)
    except OSError as error:
        raise LocalIOError(f"{path} cannot be read: {error.strerror or error}") from error
    finally:
        os.close(descriptor)


def hash_files(
    paths: Sequence[Path], *, threads: int = 0, tick: Tick | None = None
) -> list[Hashed | LocalIOError | UsageError]:
    """Read all files, `threads` at once (0: as many as there are cores); each has its result or its error."""
    stopping = threading.Event()
    results: list[Hashed | LocalIOError | UsageError | None] = [None] * len(paths)
    faults: list[BaseException] = []
    # The largest first, so that no thread is left alone with one at the end.
    waiting = sorted(range(len(paths)), key=lambda at: _size(paths[at]))

    def work() -> None:
        while waiting and not stopping.is_set():
            with contextlib.suppress(IndexError):  # another thread was quicker
                at = waiting.pop()
                try:
                    results[at] = hash_file(paths[at], stopping, tick)
                except (LocalIOError, UsageError) as error:
                    results[at] = error

    def work_aside() -> None:
        try:
            work()
        except BaseException as error:  # raised again in the main thread
            faults.append(error)
            stopping.set()

    threads = min(threads or usable_cores(), len(paths))
    if threads <= 1:
        work()
    else:
        _run([threading.Thread(target=work_aside, name=f"hash-{n}") for n in range(threads)], stopping)
    if faults:
        raise faults[0]
    return [result for result in results if result is not None]


def _run(workers: Sequence[threading.Thread], stopping: threading.Event) -> None:
    """Let threads run to their end; an error or a signal here ends them early."""
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            while worker.is_alive():
                worker.join(_PATIENCE_SECONDS)
    finally:
        stopping.set()
        for worker in workers:
            if worker.ident is not None:
                worker.join()


def usable_cores() -> int:
    """Return how many cores this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return 0


def _state(found: os.stat_result) -> tuple[int, ...]:
    if sys.platform == "win32":
        # There the rest depends on whether a path or a descriptor was asked.
        return 0, 0, found.st_size, found.st_mtime_ns
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
