from __future__ import annotations

import stat
import struct

import pytest

from binstall.errors import ArchiveError
from binstall.limits import MAX_BINARY_BYTES
from support_zip import (
    ALL_ONES,
    BINARY,
    DESCRIBED,
    ENCRYPTED,
    LZMA_END_MARKER,
    PACKED,
    TOOL,
    UTF8,
    WIDE,
    WIDE_LOCAL,
    ZEROS,
    Zipped,
    descriptor,
    extra,
    read,
    unicode_path,
    zipped,
)

case = pytest.param


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        case(b"", "no end record", id="empty"),
        case(b"PK\5\6", "no end record", id="only a mark"),
        case(b"x" * 100_000, "no end record", id="no zip"),
        case(zipped(TOOL)[:-1], "no end record|does not end where", id="cut"),
        case(zipped(TOOL) + b"x", "does not end where", id="bytes behind"),
        case(zipped(TOOL, comment=b"x", end={"comment": 0}), "does not end where", id="comment too long"),
        case(zipped(TOOL, before=b"#!/bin/sh\n"), "begins with bytes", id="bytes before"),
        case(zipped(before=b"x"), "begins with bytes", id="bytes before nothing"),
        case(zipped(TOOL, behind_directory=b"x"), "its directory where", id="bytes behind the directory"),
        case(zipped(TOOL, end={"start": 0}), "its directory where", id="start of the directory"),
        case(zipped(TOOL, end={"size": 0}), "its directory where", id="size of the directory"),
        case(zipped(TOOL, end={"here": 2, "count": 2}), "directory .* damaged", id="too few entries"),
        case(zipped(TOOL, end={"here": 0, "count": 0}), "longer than its entries", id="too many entries"),
        case(zipped(TOOL, end={"here": 0}), "several parts", id="count of this disk"),
        case(zipped(TOOL, end={"disk": 1}), "several parts", id="disk"),
        case(zipped(TOOL, end={"first_disk": 1}), "several parts", id="first disk"),
        case(
            zipped(Zipped(b"d/tool", BINARY, central={"disk": 1})), "several parts", id="disk of a member"
        ),
        case(zipped(TOOL, comment=zipped(TOOL)), "its directory where", id="a zip file in the comment"),
        case(zipped(TOOL, comment=b"PK\5\6"), "second end record", id="a mark in the comment"),
        case(
            zipped(TOOL, comment=zipped(wide={})),
            "its zip64 end record|its directory where",
            id="a wide zip file in the comment",
        ),
        case(
            zipped(TOOL, Zipped(b"PK\5\6" + b"\1" * 18)),
            "second end record",
            id="an end record in the directory",
        ),
        case(zipped(TOOL, wide={"located": 5}), "zip64 end record where", id="zip64 locator"),
        case(zipped(TOOL, wide={"count": 2}), "end records .* disagree", id="zip64 count"),
        case(zipped(TOOL, wide={"here": 2}), "end records .* disagree", id="zip64 count of this disk"),
        case(zipped(TOOL, wide={"size": 9}), "end records .* disagree", id="zip64 size"),
        case(zipped(TOOL, wide={"start": 9}), "end records .* disagree", id="zip64 start"),
        case(zipped(TOOL, wide={"rest": 45}), "end records .* disagree", id="zip64 record with more"),
        case(zipped(TOOL, wide={"disk": 7}, end={"disk": 0xFFFF}), "several parts", id="zip64 disk"),
        case(
            zipped(wide={"here": 200_001, "count": 200_001}, end={"here": 0xFFFF, "count": 0xFFFF}),
            r"200000 .MAX_ARCHIVE_MEMBERS",
            id="too many members",
        ),
        case(
            zipped(wide={"size": 1 << 27}, end={"size": ALL_ONES}),
            r"67108864 .MAX_ZIP_DIRECTORY_BYTES",
            id="too large a directory",
        ),
        case(
            zipped(wide={"start": 1 << 63}, end={"start": ALL_ONES}),
            "its directory where",
            id="start beyond all",
        ),
        case(
            zipped(Zipped(b"d/tool", BINARY, central={"offset": 1 << 31})),
            "overlaps|begins",
            id="offset beyond",
        ),
        case(
            zipped(
                Zipped(
                    b"d/tool", BINARY, central={"offset": ALL_ONES}, central_extra=extra(1, b"\xff" * 8)
                ),
                TOOL,
            ),
            "overlaps|begins",
            id="offset beyond all",
        ),
        case(
            zipped(Zipped(b"e", BINARY), Zipped(b"d/tool", BINARY, central={"offset": 0})),
            "overlaps",
            id="one content for two members",
        ),
        case(
            zipped(Zipped(b"e", BINARY, local={"packed": 999}, central={"packed": 999}), TOOL),
            "overlaps",
            id="content that reaches into the next",
        ),
        case(
            zipped(TOOL, Zipped(b"e", gap=b"x")), "belong to no member", id="bytes behind the last member"
        ),
        case(zipped(Zipped(b"e", gap=b"x" * 99), TOOL), "belong to no member", id="bytes between members"),
        case(
            zipped(Zipped(b"e", gap=zipped(TOOL)), TOOL),
            "belong to no member",
            id="a zip file between members",
        ),
        case(zipped(Zipped(b"d/tool", BINARY, local_name=b"d/door")), "two names", id="local name"),
        case(zipped(Zipped(b"d/tool", BINARY, local={"method": 8})), "disagree", id="local method"),
        case(zipped(Zipped(b"d/tool", BINARY, local={"size": 9})), "disagree", id="local size"),
        case(zipped(Zipped(b"d/tool", BINARY, local={"packed": 9})), "disagree", id="local packed size"),
        case(zipped(Zipped(b"d/tool", BINARY, local={"crc": 9})), "disagree", id="local CRC"),
        case(zipped(Zipped(b"d/tool", BINARY, local=ZEROS)), "disagree", id="zeros without descriptor"),
        case(
            zipped(Zipped(b"d/tool", BINARY, local={"flags": ENCRYPTED})), "disagree", id="local encryption"
        ),
        case(
            zipped(Zipped(b"d/tool", BINARY, local={"flags": DESCRIBED})),
            "disagree",
            id="local descriptor flag",
        ),
        case(zipped(Zipped(b"\x82", BINARY, local={"flags": UTF8})), "disagree", id="local encoding"),
        case(zipped(Zipped(b"d/tool", BINARY, flags=DESCRIBED)), "belong to no member", id="no descriptor"),
        case(
            zipped(Zipped(b"d/tool", BINARY, flags=DESCRIBED, descriptor=descriptor(BINARY, 600, crc=1))),
            "belong to no member",
            id="descriptor that disagrees",
        ),
        case(
            zipped(
                Zipped(
                    b"d/tool",
                    BINARY,
                    flags=DESCRIBED,
                    local={"size": 9},
                    descriptor=descriptor(BINARY, 600),
                )
            ),
            "disagree",
            id="size that is neither 0 nor the descriptor's",
        ),
        case(zipped(Zipped(b"d/tool", BINARY, flags=ENCRYPTED)), "encrypted", id="encrypted"),
        case(zipped(TOOL, Zipped(b"e", flags=1 << 6)), "encrypted", id="strongly encrypted elsewhere"),
        case(zipped(Zipped(b"d/tool", BINARY, flags=1 << 13)), "encrypted", id="masked"),
        case(
            zipped(Zipped(b"d/tool", BINARY, central_extra=WIDE[:12], central={"packed": ALL_ONES})),
            "extra field .* damaged",
            id="zip64 field cut",
        ),
        case(
            zipped(Zipped(b"d/tool", BINARY, local_extra=extra(1, bytes(8)), local=WIDE_LOCAL)),
            "too short",
            id="zip64 field too short",
        ),
        case(
            zipped(
                Zipped(
                    b"d/tool", BINARY, local_extra=extra(1, struct.pack("<QQ", 600, 9)), local=WIDE_LOCAL
                )
            ),
            "disagree",
            id="zip64 field that disagrees with the directory",
        ),
        case(
            zipped(Zipped(b"d/tool", BINARY, local_extra=extra(1, struct.pack("<QQ", 600, 9)))),
            "zip64 field .* disagrees",
            id="zip64 field that disagrees with its header",
        ),
        case(
            zipped(Zipped(b"d/tool", BINARY, local_extra=WIDE * 2)), "comes twice", id="zip64 field twice"
        ),
        case(
            zipped(Zipped(b"d/tool", BINARY, local_extra=b"\1")),
            "extra field",
            id="extra field of one byte",
        ),
        case(zipped(Zipped(b"d/tool", BINARY, central={"crc": 1}, local={"crc": 1})), "CRC", id="CRC"),
        case(
            zipped(Zipped(b"d/tool", BINARY, central={"size": 9}, local={"size": 9})),
            "does not unpack to the size",
            id="stored size",
        ),
        case(
            zipped(Zipped(b"d/tool", BINARY, 8, packed=PACKED, central={"size": 9}, local={"size": 9})),
            "does not unpack to the size",
            id="size too small",
        ),
        case(
            zipped(Zipped(b"d/tool", BINARY, 8, packed=PACKED, central={"size": 999}, local={"size": 999})),
            "does not unpack to the size",
            id="size too large",
        ),
        case(zipped(Zipped(b"d/tool", BINARY, 8, packed=PACKED[:-1])), "ends inside", id="deflate cut"),
        case(
            zipped(Zipped(b"d/tool", BINARY, 8, packed=PACKED + b"x")),
            "goes on after",
            id="deflate goes on",
        ),
        case(
            zipped(Zipped(b"d/tool", BINARY, 8, packed=b"\xff" * 9)), "deflate .* damaged", id="no deflate"
        ),
        case(
            zipped(Zipped(b"d/tool", BINARY, 14, LZMA_END_MARKER, packed=b"\5\2\5\0")),
            "damaged lzma header",
            id="lzma header cut",
        ),
        case(
            zipped(Zipped(b"d/tool", BINARY, 14, LZMA_END_MARKER, packed=b"\5\2\6\0" + bytes(20))),
            "damaged lzma header",
            id="lzma header of another length",
        ),
        case(
            zipped(Zipped(b"d/tool", BINARY, 9, packed=PACKED)), r"method 9 \(deflate64\)", id="deflate64"
        ),
        case(
            zipped(Zipped(b"d/tool", BINARY, 77, packed=PACKED)), r"method 77 \(unknown\)", id="method 77"
        ),
        case(
            zipped(
                Zipped(
                    b"d/tool",
                    BINARY,
                    local=WIDE_LOCAL,
                    central=WIDE_LOCAL,
                    local_extra=extra(1, struct.pack("<QQ", MAX_BINARY_BYTES + 1, 600)),
                    central_extra=extra(1, struct.pack("<QQ", MAX_BINARY_BYTES + 1, 600)),
                )
            ),
            "MAX_BINARY_BYTES",
            id="binary too large",
        ),
        case(zipped(TOOL, TOOL), "twice", id="duplicate"),
        case(zipped(TOOL, Zipped(b"./d/tool", b"2")), "twice", id="duplicate, spelled otherwise"),
        case(zipped(TOOL, Zipped(b"D/x")), "both", id="case collision"),
        case(zipped(TOOL, Zipped(b"../x")), r"\.\.", id="dots"),
        case(zipped(TOOL, Zipped(b"/x")), "absolute", id="absolute"),
        case(zipped(TOOL, Zipped(b"d\\x")), "back-slash", id="back-slash"),
        case(zipped(TOOL, Zipped(b"a\0b")), "NUL", id="NUL"),
        case(zipped(TOOL, Zipped(b"")), "without a name", id="no name"),
        case(zipped(Zipped(b"d/tool", b"/x", mode=stat.S_IFLNK | 0o777)), "symbolic link", id="link"),
        case(
            zipped(Zipped(b"d", b"/x", mode=stat.S_IFLNK | 0o777), TOOL),
            "symbolic link",
            id="link on its way",
        ),
        case(zipped(Zipped(b"d/tool", mode=stat.S_IFIFO)), "named pipe", id="pipe"),
        case(zipped(Zipped(b"d/tool", mode=stat.S_IFCHR)), "device", id="device"),
        case(zipped(Zipped(b"d/tool", mode=stat.S_IFSOCK)), "unknown kind", id="socket"),
        case(zipped(Zipped(b"d/tool", mode=stat.S_IFDIR)), "unknown kind", id="folder by mode alone"),
        case(zipped(Zipped(b"d/tool/", mode=stat.S_IFDIR)), "is a folder", id="folder"),
        case(zipped(Zipped(b"d/tool/")), "is a folder", id="folder by its slash"),
        case(zipped(Zipped(b"d/tool/", b"x")), "folder with content", id="folder with content"),
        case(
            zipped(Zipped(b"x", BINARY, central_extra=unicode_path(b"d/tool", b"x"))),
            "two names",
            id="Unicode path of the wanted file",
        ),
        case(
            zipped(Zipped(b"d/tool", BINARY, local_extra=unicode_path(b"x", b"d/tool"))),
            "two names",
            id="other Unicode path of the wanted file",
        ),
        case(
            zipped(TOOL, Zipped(b"e", local_extra=unicode_path(b"../x", b"e"))),
            r"\.\.",
            id="dots in a Unicode path",
        ),
        case(
            zipped(TOOL, Zipped(b"e", local_extra=unicode_path(b"x", b"f"))),
            "belongs to another name",
            id="Unicode path of another name",
        ),
        case(
            zipped(TOOL, Zipped(b"e", local_extra=extra(0x7075, b"\1"))),
            "another name",
            id="Unicode path cut",
        ),
    ],
)
def test_a_hostile_or_damaged_archive_is_refused(archive: bytes, words: str) -> None:
    with pytest.raises(ArchiveError, match=words):
        read(archive)
