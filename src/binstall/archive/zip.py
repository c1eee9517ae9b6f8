"""Zip archives: the content of the wanted members, size and CRC checked against both headers.

Stored, deflate, bzip2, lzma and zstd are unpacked. Members that nobody wants may use any method: their
content is not looked at.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

from binstall.archive.listing import Listing, quoted
from binstall.archive.streams import (
    Budget,
    Codec,
    Read,
    bzip2_codec,
    deflate_codec,
    lzma_codec,
    one_stream,
    plain,
    reader,
    zstd_codec,
)
from binstall.archive.tar import Keep
from binstall.archive.zip_directory import Entry, read_directory
from binstall.errors import ArchiveError, LocalIOError

_STORED: Final = 0
_LZMA: Final = 14
_CODECS: Final[dict[int, Callable[[], Codec]]] = {
    8: deflate_codec,
    12: bzip2_codec,
    _LZMA: lzma_codec,
    93: zstd_codec,
}
_METHOD_NAMES: Final = {1: "shrink", 6: "implode", 9: "deflate64", 95: "xz", 98: "ppmd", 99: "encrypted"}
_LZMA_END_MARKER: Final = 1 << 1
_UNKNOWN_SIZE: Final = 0xFFFF_FFFF_FFFF_FFFF


def read_zip(file: BinaryIO, file_bytes: int, listing: Listing, keep: Keep, budget: Budget) -> None:
    """Enter every member into `listing`, and hand the wanted ones to `keep`.

    Raises ArchiveError for a bad archive, LocalIOError, and what `keep` raises.
    """
    found: list[tuple[str, Entry]] = []
    for entry in read_directory(file, file_bytes):
        listing.count()
        asked = listing.enter(entry.names, entry.kind, entry.size)
        if asked is not None:
            found.append((asked, entry))
    for asked, entry in found:
        keep(asked, entry.size, _content(file, entry, budget))


def _content(file: BinaryIO, entry: Entry, budget: Budget) -> Iterator[memoryview]:
    """Yield exactly the declared bytes; raise ArchiveError as soon as they are found to be others."""
    from isal.isal_zlib import crc32

    left, crc = entry.size, 0
    for piece in _pieces(file, entry, budget):
        left -= len(piece)
        if left < 0:
            break
        crc = crc32(piece, crc)
        yield memoryview(piece)
    if left:
        raise ArchiveError(
            f"{quoted(entry.names[0])} does not unpack to the size that the archive declares"
        )
    if crc != entry.crc:
        raise ArchiveError(f"{quoted(entry.names[0])} is damaged in the archive: its CRC is wrong")


def _pieces(file: BinaryIO, entry: Entry, budget: Budget) -> Iterator[bytes]:
    read = _window(file, entry)
    if entry.method == _STORED:
        yield from plain(read, budget)
        return
    new_codec = _CODECS.get(entry.method)
    if new_codec is None:
        name = _METHOD_NAMES.get(entry.method, "unknown")
        raise ArchiveError(
            f"{quoted(entry.names[0])} is packed by method {entry.method} ({name}), which is not supported"
        )
    start = _lzma_start(read, entry) if entry.method == _LZMA else b""
    rest = yield from one_stream(start, read, new_codec(), budget)
    if rest or read(1):
        raise ArchiveError(f"{quoted(entry.names[0])} goes on after the end of its packed content")


def _window(file: BinaryIO, entry: Entry) -> Read:
    """Return a Read over the packed bytes of one member."""
    try:
        file.seek(entry.at)
    except OSError as error:
        raise LocalIOError(f"the downloaded archive cannot be read: {error}") from error
    whole = reader(file)
    left = entry.packed

    def read(size: int) -> bytes:
        nonlocal left
        data = whole(min(size, left))
        left -= len(data)
        return data

    return read


def _lzma_start(read: Read, entry: Entry) -> bytes:
    """Turn zip's header of LZMA content (version, length, 5 bytes of properties) into .lzma's."""
    header = read(9)
    if len(header) < 9 or header[2:4] != b"\5\0":
        raise ArchiveError(f"{quoted(entry.names[0])} has a damaged lzma header in the archive")
    size = _UNKNOWN_SIZE if entry.flags & _LZMA_END_MARKER else entry.size
    return header[4:] + struct.pack("<Q", size)
