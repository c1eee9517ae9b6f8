"""Private keys among files that are about to be published, under whatever name.

    158 bytes of base64 with a minisign secret key's marks      also without its comment line, in any text
    AGE-SECRET-KEY-1 and the 58 characters that follow          as age writes them, or in lower case
    an OpenSSH private key                                      opens what age encrypts to its public half

A key under a password is one, too. What age has encrypted cannot be looked into and counts as no key. Only
the content is looked at, as far as MAX_KEY_SEARCH_BYTES, and also where PowerShell wrote it as UTF-16.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from binstall.errors import LocalIOError, UsageError
from binstall.formats.minisign_key import strict_base64
from binstall.limits import MAX_KEY_SEARCH_BYTES

_MINISIGN = re.compile(rb"(?<![A-Za-z0-9+/])RW[A-Za-z0-9+/]{209}=")
_AGE = re.compile(rb"AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}", re.IGNORECASE)
_AGE_PLUGIN = re.compile(rb"AGE-PLUGIN-[A-Z0-9+._-]{1,64}-1[02-9AC-HJ-NP-Z]{8,}")
_SSH = re.compile(rb"-----BEGIN OPENSSH PRIVATE KEY-----\s+b3BlbnNzaC1rZXktdjEA")
_LISTED = 5


@dataclass(frozen=True, slots=True)
class Leak:
    """A file that holds a private key."""

    path: Path
    kind: str
    """What it holds, with its article."""


def private_keys_in(files: Iterable[Path]) -> Iterator[Leak]:
    """Yield those of `files` that hold a private key; what is no regular file holds none.

    Raises:
        LocalIOError: a file cannot be read, so nobody knows.
    """
    for path in files:
        kind = private_key_in(_beginning(path))
        if kind is not None:
            yield Leak(path, kind)


def private_key_in(data: bytes) -> str | None:
    """Say what private key is somewhere in `data`, or None."""
    for text in (data, data.replace(b"\0", b"")) if b"\0" in data else (data,):
        if any(_is_minisign(found[0]) for found in _MINISIGN.finditer(text)):
            return "a minisign secret key"
        if _AGE.search(text) or _AGE_PLUGIN.search(text):
            return "an age identity"
        if _SSH.search(text):
            return "an ssh private key"
    return None


def refuse_private_keys(files: Iterable[Path], package: str) -> None:
    """Raise `UsageError` where one of `files`, which are those of `package`, holds a private key.

    Raises:
        LocalIOError: a file cannot be read.
    """
    leaks = list(private_keys_in(files))
    if not leaks:
        return
    told = ", ".join(f"{leak.path} ({leak.kind})" for leak in leaks[:_LISTED])
    more = f" and {len(leaks) - _LISTED} more" if len(leaks) > _LISTED else ""
    raise UsageError(
        f"`cargo publish` would publish a private key with {package}: {told}{more}",
        hint="move it out of the package, or name it in .gitignore or in `exclude` of Cargo.toml; "
        "if it was ever published or pushed, make a new one",
    )


def _is_minisign(base64: bytes) -> bool:
    raw = strict_base64(base64.decode("ascii"), 158)
    return raw is not None and raw[:2] == b"Ed" and raw[2:4] in {b"Sc", b"\0\0"} and raw[4:6] == b"B2"


def _beginning(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - one call for link and file
            return b""
        with path.open("rb", buffering=0) as file:
            return file.read(MAX_KEY_SEARCH_BYTES)
    except FileNotFoundError:
        return b""  # a dangling link, or gone since it was listed: nothing to publish
    except OSError as error:
        raise LocalIOError(f"{path} cannot be read: {error.strerror}") from error
