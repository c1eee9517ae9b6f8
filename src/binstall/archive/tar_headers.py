"""One 512-byte tar header, and the records of a PAX extended header. Pure.

Fields (POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar, "Basic Tar Format"): name 0-99, size
124-135, checksum 148-155, type 156, magic 257-264, prefix 345-499. Only what decides which bytes belong
to which name is read; owner, times and mode are not.

Readers differ in what they make of odd headers, and archives that use this have shown one content to a
scanner and another to an installer. So whatever could be read in two ways is an error: a checksum that
only holds with signed bytes, text after a number, a prefix where the magic does not promise one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from binstall.archive.listing import quoted
from binstall.errors import ArchiveError

BLOCK_BYTES: Final = 512
OCTAL_SIZE_LIMIT: Final = 8**11
"""The first size in bytes that the eleven octal digits of a header cannot hold."""

_POSIX = b"ustar\x0000"
_GNU = b"ustar  \x00"
_OLD = bytes(8)
_MOST_DIGITS = 20
_ONCE = {b"path", b"linkpath", b"size", b"GNU.sparse.name"}


@dataclass(frozen=True, slots=True)
class Header:
    """What one header says; a header before it may override name and size."""

    name: bytes
    """With its prefix, as stored; not cleaned."""
    size: int
    """Bytes of content, at least 0."""
    type: bytes
    """One byte; NUL is the old form of "0", a regular file."""
    continues: bool
    """Old GNU sparse header (type "S") that is followed by blocks of further extents."""


def parse_header(block: bytes) -> Header:
    """Read one block that is not all NUL; raise ArchiveError, and nothing else, on a bad one."""
    name = _text(block[0:100])
    if _number(block[148:156], name) != sum(block[:148]) + 8 * 0x20 + sum(block[156:]):
        raise ArchiveError(f"the archive is damaged: a header's checksum is wrong, at {quoted(name)}")
    magic = block[257:265]
    if magic not in {_POSIX, _GNU, _OLD}:
        raise ArchiveError(f"the archive is of an unknown kind of tar, at {quoted(name)}")
    if magic == _POSIX:
        prefix = _text(block[345:500])
        if prefix and any(block[500:512]):
            raise ArchiveError(f"the archive is of an unknown kind of tar, at {quoted(name)}")
        if prefix:
            name = prefix + b"/" + name
    elif magic == _OLD and any(block[265:]):
        raise ArchiveError(f"the archive is of an unknown kind of tar, at {quoted(name)}")
    kind = block[156:157]
    return Header(name, _number(block[124:136], name), kind, kind == b"S" and block[482] != 0)


def goes_on(extents: bytes) -> bool:
    """Tell whether one more block follows this block of old GNU sparse extents."""
    return extents[504] != 0


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes, name: bytes) -> int:
    """Octal digits, blanks before and NUL or blanks behind; or base 256 after a byte 0x80."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.rstrip(b"\0 ").lstrip(b" ")
    if not digits:
        return 0
    if digits.strip(b"01234567"):
        raise ArchiveError(
            f"the archive is damaged: a header has {quoted(field)} for a number, at {quoted(name)}"
        )
    return int(digits, 8)


def parse_pax(data: bytes) -> dict[bytes, bytes]:
    """Read the records `LENGTH KEY=VALUE` of an extended header; raise ArchiveError, and nothing else."""
    records: dict[bytes, bytes] = {}
    at = 0
    while at < len(data):
        blank = data.find(b" ", at, at + _MOST_DIGITS)
        digits = data[at:blank] if blank > at else b""
        if not digits.isdigit():
            raise ArchiveError("the archive is damaged: an extended header has a record without length")
        end = at + int(digits)
        key, equals, value = data[blank + 1 : end].partition(b"=")
        if end > len(data) or not key or not equals or not value.endswith(b"\n"):
            raise ArchiveError("the archive is damaged: an extended header has a record of wrong length")
        if key in records and key in _ONCE:
            raise ArchiveError(f"an extended header of the archive gives {quoted(key)} twice")
        records[key] = value[:-1]
        at = end
    return records


def decides_bytes(key: bytes) -> bool:
    """Tell whether a PAX record of this key changes which bytes belong to which name."""
    return key in {b"path", b"linkpath", b"size"} or key.startswith(b"GNU.sparse.")


def pax_size(value: bytes) -> int:
    """Read the value of a `size` record; raise ArchiveError on anything but a plain number."""
    if not value.isdigit() or len(value) > _MOST_DIGITS:
        raise ArchiveError(f"an extended header of the archive gives the size {quoted(value)}")
    return int(value)
