"""Extra fields of a zip member: a list of (id, length, data). Pure.

Two of them change what the header says: 0x0001, the zip64 sizes, which stand in for a size or offset of
all ones and only for those; and 0x7075, Info-ZIP's Unicode path, a second name for the member.
All other fields are passed over.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

from binstall.archive.listing import quoted
from binstall.errors import ArchiveError

_WIDE: Final = 0x0001
_UNICODE_PATH: Final = 0x7075
_ALL_ONES: Final = 0xFFFFFFFF


def parse_extra(data: bytes, name: bytes) -> dict[int, bytes]:
    """Return the fields that matter, by id; raise ArchiveError when one is damaged or comes twice."""
    fields: dict[int, bytes] = {}
    at = 0
    while len(data) - at >= 4:
        kind, length = struct.unpack_from("<HH", data, at)
        at += 4
        if at + length > len(data):
            raise ArchiveError(f"an extra field of {quoted(name)} in the zip archive is damaged")
        if kind in {_WIDE, _UNICODE_PATH}:
            if kind in fields:
                raise ArchiveError(f"an extra field of {quoted(name)} in the zip archive comes twice")
            fields[kind] = data[at : at + length]
        at += length
    if any(data[at:]):  # fewer than four NUL bytes are padding of alignment tools
        raise ArchiveError(f"an extra field of {quoted(name)} in the zip archive is damaged")
    return fields


def wide_sizes(extra: dict[int, bytes], short: tuple[int, int, int], name: bytes) -> tuple[int, int, int]:
    """Return size, packed size and offset, taking from the zip64 field those that are all ones.

    Fields that nobody asked for are an error unless they repeat the header: some writers give all three.
    """
    data = extra.get(_WIDE, b"")
    wanted = [index for index, value in enumerate(short) if value == _ALL_ONES]
    if not data:
        return short
    values = struct.unpack(f"<{len(data) // 8}Q", data[: len(data) // 8 * 8])
    result = list(short)
    if len(values) < len(wanted):
        raise ArchiveError(f"the zip64 field of {quoted(name)} in the zip archive is too short")
    for index, value in zip(wanted, values, strict=False):
        result[index] = value
    size, packed, offset = result
    if len(values) > len(wanted) and values != (size, packed, offset)[: len(values)]:
        raise ArchiveError(
            f"the zip64 field of {quoted(name)} in the zip archive disagrees with its header"
        )
    return size, packed, offset


def names_in(extra: dict[int, bytes], name: bytes) -> tuple[bytes, ...]:
    """Return the Unicode path, if there is one; raise ArchiveError when it is of another name."""
    data = extra.get(_UNICODE_PATH)
    if data is None:
        return ()
    if len(data) < 5 or data[0] != 1 or struct.unpack_from("<L", data, 1)[0] != zlib.crc32(name):
        raise ArchiveError(f"the Unicode path of {quoted(name)} in the zip archive belongs to another name")
    return (data[5:],)
