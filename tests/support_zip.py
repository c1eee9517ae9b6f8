"""Zip files put together by hand, byte by byte, so that any of them may be wrong; and one reader of them.

read(zipped(Zipped(b"d/tool", b"content"), Zipped(b"b", local={"crc": 1})))
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from binstall.archive.listing import Listing
from binstall.archive.streams import Budget
from binstall.archive.zip import read_zip

WANTED: Final = "d/tool"
DESCRIBED: Final = 1 << 3
UTF8: Final = 1 << 11
ENCRYPTED: Final = 1
LZMA_END_MARKER: Final = 1 << 1
ALL_ONES: Final = 0xFFFFFFFF
BINARY: Final = b"binary" * 100


def read(archive: bytes, wanted: list[str] | None = None) -> tuple[Listing, dict[str, bytes]]:
    """Read an archive in memory: what it lists, and the wanted files in it."""
    listing = Listing([WANTED] if wanted is None else wanted)
    kept: dict[str, bytes] = {}

    def keep(asked: str, size: int, pieces: Iterator[memoryview]) -> None:
        kept[asked] = b"".join(pieces)
        assert len(kept[asked]) == size

    read_zip(io.BytesIO(archive), len(archive), listing, keep, Budget(len(archive)))
    return listing, kept


@dataclass
class Zipped:
    """One member of a zip file; `local` and `central` replace single fields of its two headers."""

    name: bytes
    content: bytes = b""
    method: int = 0
    flags: int = 0
    mode: int = 0o100644
    packed: bytes | None = None
    """The bytes in the archive where they are not `content` itself."""
    local_extra: bytes = b""
    central_extra: bytes = b""
    descriptor: bytes = b""
    local: dict[str, int] = field(default_factory=dict)
    local_name: bytes | None = None
    central: dict[str, int] = field(default_factory=dict)
    gap: bytes = b""
    """Bytes behind the member."""

    def fields(self, changes: Mapping[str, int]) -> dict[str, int]:
        packed = self.content if self.packed is None else self.packed
        return {
            "flags": self.flags,
            "method": self.method,
            "crc": zlib.crc32(self.content),
            "packed": len(packed),
            "size": len(self.content),
            **changes,
        }


def extra(kind: int, data: bytes) -> bytes:
    """Return one extra field."""
    return struct.pack("<HH", kind, len(data)) + data


def unicode_path(name: bytes, of: bytes) -> bytes:
    """Return Info-ZIP's field that gives the member `of` the UTF-8 name `name`."""
    return extra(0x7075, b"\1" + struct.pack("<L", zlib.crc32(of)) + name)


def local_part(member: Zipped) -> bytes:
    """Return local header, content and descriptor."""
    now = member.fields(member.local)
    name = member.name if member.local_name is None else member.local_name
    head = struct.pack(
        "<4s5H3L2H", b"PK\3\4", 20, now["flags"], now["method"], 0, 0x21,
        now["crc"], now["packed"], now["size"], len(name), len(member.local_extra),
    )  # fmt: skip
    packed = member.content if member.packed is None else member.packed
    return head + name + member.local_extra + packed + member.descriptor + member.gap


def central_part(member: Zipped, offset: int) -> bytes:
    """Return the entry of the directory."""
    now = member.fields(member.central)
    head = struct.pack(
        "<4s6H3L5H2L", b"PK\1\2", 3 << 8 | 20, 20, now["flags"], now["method"], 0, 0x21,
        now["crc"], now["packed"], now["size"], len(member.name), len(member.central_extra), 0,
        now.get("disk", 0), 0, now.get("attributes", member.mode << 16), now.get("offset", offset),
    )  # fmt: skip
    return head + member.name + member.central_extra


def end_record(count: int, size: int, start: int, comment: bytes, changes: Mapping[str, int]) -> bytes:
    """Return the end record; `changes` are of disk, first_disk, here, count, size, start, comment."""
    now = {
        "disk": 0, "first_disk": 0, "here": count, "count": count, "size": size, "start": start,
        "comment": len(comment), **changes,
    }  # fmt: skip
    return struct.pack("<4s4H2LH", b"PK\5\6", *now.values()) + comment


def wide_end(count: int, size: int, start: int, at: int, changes: Mapping[str, int]) -> bytes:
    """Return zip64's end record, which lies at `at`, and its locator."""
    now = {
        "rest": 44, "version": 45, "needed": 45, "disk": 0, "first_disk": 0, "here": count,
        "count": count, "size": size, "start": start, **changes,
    }  # fmt: skip
    located = now.pop("located", at)
    record_ = struct.pack("<4sQ2H2L4Q", b"PK\6\6", *now.values())
    return record_ + struct.pack("<4sLQL", b"PK\6\7", 0, located, 1)


def zipped(
    *members: Zipped,
    before: bytes = b"",
    comment: bytes = b"",
    behind_directory: bytes = b"",
    wide: Mapping[str, int] | None = None,
    end: Mapping[str, int] | None = None,
) -> bytes:
    """Return a zip file; `wide` adds zip64's end record, `end` changes fields of the end record."""
    data, directory = before, b""
    for member in members:
        directory += central_part(member, len(data))
        data += local_part(member)
    start = len(data)
    data += directory
    if wide is not None:
        data += wide_end(len(members), len(directory), start, len(data), wide)
    data += behind_directory
    return data + end_record(len(members), len(directory), start, comment, end or {})


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def descriptor(
    content: bytes, packed: int, *, mark: bytes = b"PK\7\x08", form: str = "<LLL", crc: int = 0
) -> bytes:
    return mark + struct.pack(form, crc or zlib.crc32(content), packed, len(content))


PACKED = deflated(BINARY)
TOOL = Zipped(b"d/tool", BINARY)
ZEROS: dict[str, int] = {"crc": 0, "packed": 0, "size": 0}
WIDE = extra(1, struct.pack("<QQ", len(BINARY), len(BINARY)))
WIDE_LOCAL = {"packed": ALL_ONES, "size": ALL_ONES}


def described(form: str, mark: bytes) -> Zipped:
    behind = descriptor(BINARY, len(PACKED), mark=mark, form=form)
    return Zipped(b"d/tool", BINARY, 8, DESCRIBED, packed=PACKED, local=ZEROS, descriptor=behind)
