"""Files under a name of ours that a killed run has left: whole ones, between two calls of the system.

    .tmp-19bcda9d6140-Cargo.toml      on its way to `Cargo.toml`

Whoever writes such a file holds a lock on it, which ends with the process however it ends. So a file that can
be locked is nobody's, and the next run that writes a file of that name takes it away: in a package, cargo
would publish it. Windows has no such lock; there they stay.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

if sys.platform != "win32":
    import fcntl

_HIDDEN: Final = re.compile(r"\.tmp-[0-9a-f]{12}-(.+)", re.DOTALL)
_NAME_CHARACTERS: Final = 100


def hidden_name(path: Path) -> Path:
    """Return a name beside `path` that no other run will take."""
    return path.with_name(f".tmp-{os.urandom(6).hex()}-{path.name[-_NAME_CHARACTERS:]}")


def hold(descriptor: int) -> None:
    """Lock a file of ours until it is closed; where the file system has no locks, it has none."""
    if sys.platform != "win32":
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def remove_leftovers(paths: Iterable[Path]) -> None:
    """Take away what killed runs have left of `paths`; what cannot be locked or removed stays."""
    if sys.platform == "win32":
        return
    by_folder: dict[Path, set[str]] = {}
    for path in paths:
        by_folder.setdefault(path.parent, set()).add(path.name[-_NAME_CHARACTERS:])
    for folder, names in by_folder.items():
        with suppress(OSError):
            for name in os.listdir(folder):  # noqa: PTH208 - names are compared, not opened
                hidden = _HIDDEN.fullmatch(name)
                if hidden is not None and hidden[1] in names:
                    _remove_if_nobodys(folder / name)


if sys.platform != "win32":

    def _remove_if_nobodys(path: Path) -> None:
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(descriptor)
