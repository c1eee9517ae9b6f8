"""Secrets while they are held: buffers that are wiped, and how they come in from files and variables.

What Python cannot promise: a `str` or `bytes` that once held a secret (a typed password, a variable, what
the age library returns) stays in memory until its place is used again. So secrets are kept in bytearrays
from the first moment that allows it, and `hold_secrets` shuts the ways by which memory leaves a process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, MutableMapping
from pathlib import Path
from types import TracebackType

from binstall.errors import LocalIOError
from binstall.publish.shelter import hold_secrets, lock_pages, wipe_variable

__all__ = ["Secret", "Warn", "hold_secrets", "read_secret", "read_stream", "take_variable"]

Warn = Callable[[str], None]
"""Takes a sentence that the user should read."""


class Secret:
    """Bytes that nobody else shall see, in one buffer. A context manager: leaving it wipes them."""

    __slots__ = ("data",)

    def __init__(self, data: bytearray) -> None:
        """Take `data` over: it is wiped with the secret."""
        self.data = data
        lock_pages(data)

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        return "<Secret>"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not to be copied")

    def wipe(self) -> None:
        """Overwrite the bytes; the length stays."""
        self.data[:] = bytes(len(self.data))

    def __enter__(self) -> Secret:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wipe()


def take_variable(environment: MutableMapping[str, str], name: str) -> Secret | None:
    """Take a variable out of `environment`, so that no child inherits it; None if it is not set.

    Where `environment` is `os.environ`, the process forgets it too, also for those who may look at it.
    """
    if name not in environment:
        return None
    if environment is os.environ:
        wipe_variable(name)
    return Secret(bytearray(os.fsencode(environment.pop(name))))


def read_secret(path: Path, limit: int, warn: Warn | None) -> Secret:
    """Return the content of a file, or of a pipe; warn if others on this machine may read it too.

    Raises:
        LocalIOError: it cannot be read, or holds more than `limit` bytes.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
        try:
            found = os.fstat(descriptor)
            if warn is not None and _is_open_to_others(found):
                warn(
                    f"{path} is open to other users of this machine (mode {found.st_mode & 0o777:04o}); "
                    f"`chmod 600` closes it"
                )
            return read_stream(descriptor, limit, str(path))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise LocalIOError(f"{path} cannot be read: {error.strerror}") from error


def read_stream(descriptor: int, limit: int, name: str) -> Secret:
    """Return all that a descriptor holds, such as standard input.

    Raises:
        LocalIOError: it cannot be read, or holds more than `limit` bytes.
    """
    data = bytearray()
    try:
        while piece := os.read(descriptor, min(65536, limit + 1 - len(data))):
            # Growing in place may move the buffer: the old one is wiped, not left behind.
            grown = bytearray(len(data) + len(piece))
            grown[: len(data)] = data
            grown[len(data) :] = piece
            data[:] = bytes(len(data))
            data = grown
            if len(data) > limit:
                raise LocalIOError(f"{name} holds more than {limit} bytes")
    except BaseException as error:
        data[:] = bytes(len(data))
        if isinstance(error, OSError):
            raise LocalIOError(f"{name} cannot be read: {error.strerror}") from error
        raise
    return Secret(data)


def _is_open_to_others(found: os.stat_result) -> bool:
    import stat

    return sys.platform != "win32" and stat.S_ISREG(found.st_mode) and bool(found.st_mode & 0o077)
