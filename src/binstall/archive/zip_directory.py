"""The structure of a zip file: its directory, and the local headers that must say the same.

A zip file names everything twice, before the content and in the directory at its end, and where the
directory lies is itself searched for from the end. Archives that say two things have shown one content to
a scanner and another to an installer, so every byte must be accounted for, once (facts: APPNOTE 6.3.10):

    local header, content, data descriptor if flag bit 3  ×N   from byte 0, without gap or overlap
    directory entries ×N                                       in any order
    zip64 end record and locator                               both or neither
    end record and its comment                                 to the last byte

Name, method, encryption, CRC and sizes of both headers agree (with flag bit 3 the local ones may be 0, and
the descriptor agrees); the zip64 forms agree with the short ones. Python's `zipfile` checks little of this:
it serves bytes before the archive, overlaps and disagreeing sizes, and cuts names at a NUL.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from binstall.archive.listing import Kind, quoted
from binstall.archive.zip_extra import names_in, parse_extra, wide_sizes
from binstall.errors import ArchiveError, LocalIOError
from binstall.limits import MAX_ARCHIVE_MEMBERS, MAX_ZIP_DIRECTORY_BYTES

_END = struct.Struct("<4s4H2LH")
_END_MARK = b"PK\5\6"
_LOCATOR = struct.Struct("<4sLQL")
_LOCATOR_MARK = b"PK\6\7"
_WIDE_END = struct.Struct("<4sQ2H2L4Q")
_WIDE_END_MARK = b"PK\6\6"
_ENTRY = struct.Struct("<4s6H3L5H2L")
_ENTRY_MARK = b"PK\1\2"
_LOCAL = struct.Struct("<4s5H3L2H")
_LOCAL_MARK = b"PK\3\4"
_DESCRIPTOR_MARK = b"PK\7\x08"

_ENCRYPTED: Final = 1 << 0 | 1 << 6 | 1 << 13
_DESCRIBED: Final = 1 << 3
_UTF8: Final = 1 << 11
_MAX_COMMENT_BYTES: Final = 0xFFFF
_LONGEST_DESCRIPTOR: Final = 24


@dataclass(frozen=True, slots=True)
class Entry:
    """One member of which both headers say the same."""

    names: tuple[bytes, ...]
    """UTF-8 where its bytes are; more than one where a Unicode path field disagrees with the name."""
    kind: Kind
    method: int
    flags: int
    crc: int
    packed: int
    """Bytes in the archive."""
    size: int
    """Bytes unpacked, as declared."""
    at: int
    """Offset of the content from the beginning of the file."""


@dataclass(frozen=True, slots=True)
class _Central:
    """One directory entry as stored, zip64 sizes put in."""

    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    mode: int
    """Unix mode, or 0."""
    extra: dict[int, bytes]
    offset: int
    """Of the local header."""


def read_directory(file: BinaryIO, file_bytes: int) -> list[Entry]:
    """Return the members in the order of their content; raise ArchiveError or LocalIOError."""
    start, directory, count = _find_directory(file, file_bytes)
    centrals = sorted(_centrals(directory, count), key=lambda central: central.offset)
    edges = [*(central.offset for central in centrals), start]
    if edges[0] != 0:
        raise ArchiveError("the zip archive begins with bytes that belong to no member")
    return [_entry(file, central, end) for central, end in zip(centrals, edges[1:], strict=True)]


def _read(file: BinaryIO, at: int, size: int) -> bytes:
    try:
        file.seek(at)
        return file.read(size)
    except OSError as error:
        raise LocalIOError(f"the downloaded archive cannot be read: {error}") from error


def _find_directory(file: BinaryIO, file_bytes: int) -> tuple[int, bytes, int]:
    """Return where the directory begins, its bytes, and the number of its entries."""
    tail_bytes = min(file_bytes, _END.size + _MAX_COMMENT_BYTES)
    tail = _read(file, file_bytes - tail_bytes, tail_bytes)
    at = tail.rfind(_END_MARK, 0, max(0, len(tail) - _END.size + len(_END_MARK)))
    if at < 0:
        raise ArchiveError("the archive should be a zip file and has no end record")
    _, disk, first_disk, here, count, size, start, comment = _END.unpack_from(tail, at)
    if at + _END.size + comment != len(tail):
        raise ArchiveError("the zip archive does not end where its end record says")
    end = file_bytes - tail_bytes + at
    locator = _read(file, max(0, end - _LOCATOR.size), _LOCATOR.size) if end >= _LOCATOR.size else b""
    if locator[:4] == _LOCATOR_MARK:
        short = (disk, first_disk, here, count, size, start)
        end, (disk, first_disk, here, count, size, start) = _wide_end(file, end, locator, short)
    if disk or first_disk or here != count:
        raise ArchiveError("the zip archive is one of several parts")
    if count > MAX_ARCHIVE_MEMBERS:
        raise ArchiveError(
            f"the archive has {count} members, more than {MAX_ARCHIVE_MEMBERS} (MAX_ARCHIVE_MEMBERS)"
        )
    if size > MAX_ZIP_DIRECTORY_BYTES:
        raise ArchiveError(
            f"the zip archive has a directory of {size} bytes, more than {MAX_ZIP_DIRECTORY_BYTES}"
            " (MAX_ZIP_DIRECTORY_BYTES)"
        )
    if start + size != end:
        raise ArchiveError("the zip archive does not have its directory where its end record says")
    directory = _read(file, start, size)
    if _END_MARK in directory or _END_MARK in tail[at + 4 :]:
        raise ArchiveError("the zip archive has a second end record")
    return start, directory, count


def _wide_end(
    file: BinaryIO, end: int, locator: bytes, short: tuple[int, ...]
) -> tuple[int, tuple[int, int, int, int, int, int]]:
    """Return where the zip64 end record begins, and its fields; raise unless the short ones agree."""
    _, record_disk, record_at, disks = _LOCATOR.unpack(locator)
    end -= _LOCATOR.size + _WIDE_END.size
    record = _read(file, max(end, 0), _WIDE_END.size)
    if end < 0 or record_at != end or record_disk or disks > 1 or record[:4] != _WIDE_END_MARK:
        raise ArchiveError("the zip archive does not have its zip64 end record where its locator says")
    _, rest, _, _, disk, first_disk, here, count, size, start = _WIDE_END.unpack(record)
    wide = (disk, first_disk, here, count, size, start)
    unknown = (0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    agree = all(s in {w, u} for s, w, u in zip(short, wide, unknown, strict=True))
    if rest != _WIDE_END.size - 12 or not agree:
        raise ArchiveError("the two end records of the zip archive disagree")
    return end, wide


def _centrals(directory: bytes, count: int) -> Iterator[_Central]:
    at = 0
    for _ in range(count):
        if len(directory) - at < _ENTRY.size or directory[at : at + 4] != _ENTRY_MARK:
            raise ArchiveError("the directory of the zip archive is damaged")
        (
            *_, flags, method, _, _, crc, packed, size,
            name_bytes, extra_bytes, comment_bytes, disk, _, attributes, offset,
        ) = _ENTRY.unpack_from(directory, at)  # fmt: skip
        at += _ENTRY.size
        name = directory[at : at + name_bytes]
        at += name_bytes
        extra_data = directory[at : at + extra_bytes]
        at += extra_bytes + comment_bytes
        if at > len(directory):
            raise ArchiveError("the directory of the zip archive is damaged")
        if flags & _ENCRYPTED:
            raise ArchiveError(f"{quoted(name)} is encrypted in the zip archive")
        extra = parse_extra(extra_data, name)
        if disk:
            raise ArchiveError("the zip archive is one of several parts")
        size, packed, offset = wide_sizes(extra, (size, packed, offset), name)
        yield _Central(name, flags, method, crc, packed, size, attributes >> 16, extra, offset)
    if at != len(directory):
        raise ArchiveError("the directory of the zip archive is longer than its entries")


def _entry(file: BinaryIO, central: _Central, end: int) -> Entry:
    """Return one member whose local header and content fill the file up to `end`."""
    name = central.name
    if central.offset + _LOCAL.size > end:
        raise ArchiveError(f"{quoted(name)} overlaps what follows it in the zip archive")
    header = _read(file, central.offset, _LOCAL.size)
    if len(header) < _LOCAL.size or header[:4] != _LOCAL_MARK:
        raise ArchiveError(f"the zip archive has no header where its directory says, at {quoted(name)}")
    _, _, flags, method, _, _, crc, packed, size, name_bytes, extra_bytes = _LOCAL.unpack(header)
    names = _read(file, central.offset + _LOCAL.size, name_bytes + extra_bytes)
    if names[:name_bytes] != name:
        raise ArchiveError(
            f"the zip archive gives one member two names, {quoted(name)} and {quoted(names[:name_bytes])}"
        )
    extra = parse_extra(names[name_bytes:], name)
    size, packed, _ = wide_sizes(extra, (size, packed, 0), name)
    compared = _ENCRYPTED | _DESCRIBED | (0 if name.isascii() else _UTF8)
    found, promised = (crc, packed, size), (central.crc, central.packed, central.size)
    may_be_zero = bool(flags & _DESCRIBED)
    agree = all(f == p or (may_be_zero and f == 0) for f, p in zip(found, promised, strict=True))
    if not agree or method != central.method or (flags ^ central.flags) & compared:
        raise ArchiveError(f"the two headers of {quoted(name)} in the zip archive disagree")
    at = central.offset + _LOCAL.size + name_bytes + extra_bytes
    gap = end - at - central.packed
    if gap < 0:
        raise ArchiveError(f"{quoted(name)} overlaps what follows it in the zip archive")
    behind = _read(file, at + central.packed, min(gap, _LONGEST_DESCRIPTOR + 1))
    if behind not in (_descriptors(central) if may_be_zero else (b"",)):
        raise ArchiveError(f"the zip archive has bytes that belong to no member behind {quoted(name)}")
    stored = name if central.flags & _UTF8 or name.isascii() else name.decode("cp437").encode()
    aliases = (stored, *names_in(central.extra, name), *names_in(extra, name))
    return Entry(aliases, _kind(central), method, flags, central.crc, central.packed, central.size, at)


def _descriptors(central: _Central) -> tuple[bytes, ...]:
    """Return the four forms in which a descriptor that agrees with the directory may be written."""
    sizes = [struct.pack("<LQQ", central.crc, central.packed, central.size)]
    if max(central.packed, central.size) <= 0xFFFFFFFF:
        sizes.append(struct.pack("<LLL", central.crc, central.packed, central.size))
    return tuple(mark + form for form in sizes for mark in (b"", _DESCRIPTOR_MARK))


def _kind(central: _Central) -> Kind:
    file_type = stat.S_IFMT(central.mode)
    if central.name.endswith(b"/"):
        if central.size:
            raise ArchiveError(f"{quoted(central.name)} is a folder with content in the zip archive")
        return Kind.FOLDER if file_type in {0, stat.S_IFDIR, stat.S_IFREG} else Kind.OTHER
    match file_type:
        case 0 | stat.S_IFREG:
            return Kind.FILE
        case stat.S_IFLNK:
            return Kind.SYMLINK
        case stat.S_IFIFO:
            return Kind.PIPE
        case stat.S_IFCHR | stat.S_IFBLK:
            return Kind.DEVICE
        case _:
            return Kind.OTHER
