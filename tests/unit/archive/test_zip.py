from __future__ import annotations

import bz2
import io
import lzma
import shutil
import stat
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import pytest

from binstall.errors import ArchiveError
from binstall.limits import MIB, RATIO_FREE_BYTES
from support_zip import (
    ALL_ONES,
    BINARY,
    LZMA_END_MARKER,
    PACKED,
    TOOL,
    UTF8,
    WANTED,
    WIDE,
    WIDE_LOCAL,
    Zipped,
    described,
    extra,
    read,
    unicode_path,
    zipped,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

case = pytest.param


def zip_lzma(data: bytes) -> bytes:
    """Return LZMA content as zip holds it, with its end marker."""
    alone = lzma.compress(data, format=lzma.FORMAT_ALONE)
    return b"\x05\x02\5\0" + alone[:5] + alone[13:]


@pytest.mark.parametrize(
    "archive",
    [
        case(zipped(TOOL), id="stored"),
        case(zipped(Zipped(b"d/", mode=0o40755), TOOL, Zipped(b"e")), id="with a folder"),
        case(zipped(TOOL, comment=b"hello"), id="with a comment"),
        case(zipped(Zipped(b"./d//tool", BINARY)), id="cleaned"),
        case(zipped(Zipped(b"d/tool", BINARY, 8, packed=PACKED)), id="deflate"),
        case(zipped(Zipped(b"d/tool", BINARY, 12, packed=bz2.compress(BINARY))), id="bzip2"),
        case(zipped(Zipped(b"d/tool", BINARY, 14, LZMA_END_MARKER, packed=zip_lzma(BINARY))), id="lzma"),
        case(zipped(Zipped(b"d/tool", BINARY, 93, packed=zstd.compress(BINARY))), id="zstd"),
        case(zipped(described("<LLL", b"PK\7\x08"), Zipped(b"e")), id="descriptor"),
        case(zipped(described("<LLL", b"")), id="descriptor without mark"),
        case(zipped(described("<LQQ", b"PK\7\x08")), id="wide descriptor"),
        case(zipped(described("<LQQ", b"")), id="wide descriptor without mark"),
        case(zipped(TOOL, wide={}), id="zip64 record that repeats the short one"),
        case(zipped(TOOL, wide={}, end={"count": 0xFFFF, "here": 0xFFFF}), id="zip64 count"),
        case(zipped(TOOL, wide={}, end={"size": ALL_ONES, "start": ALL_ONES}), id="zip64 offsets"),
        case(
            zipped(Zipped(b"d/tool", BINARY, local_extra=WIDE, local=WIDE_LOCAL)), id="zip64 sizes, local"
        ),
        case(
            zipped(Zipped(b"d/tool", BINARY, central_extra=WIDE, central=WIDE_LOCAL)),
            id="zip64 sizes, central",
        ),
        case(
            zipped(
                Zipped(
                    b"d/tool",
                    BINARY,
                    central_extra=extra(1, struct.pack("<QQQ", 600, 600, 0)),
                    central=WIDE_LOCAL,
                )
            ),
            id="zip64 field with an offset that nobody asked for",
        ),
        case(zipped(Zipped(b"d/tool", BINARY, local_extra=bytes(3))), id="padding of an alignment tool"),
        case(zipped(Zipped(b"d/tool", BINARY, flags=UTF8, mode=0)), id="from DOS, in UTF-8"),
        case(zipped(TOOL, Zipped(b"l", b"/tmp", mode=stat.S_IFLNK | 0o777)), id="link elsewhere"),
        case(zipped(TOOL, Zipped(b"x", b"1", 9, packed=b"?")), id="unknown method elsewhere"),
        case(zipped(TOOL, Zipped(b"caf\x82")), id="code page 437"),
        case(zipped(TOOL, Zipped(b"caf\xe9", flags=UTF8)), id="UTF-8 that is none"),
        case(
            zipped(TOOL, Zipped(b"r#U00e9", central_extra=unicode_path("ré".encode(), b"r#U00e9"))),
            id="two names elsewhere",
        ),
        case(
            zipped(Zipped(b"d/tool", BINARY, local_extra=unicode_path(b"d/tool", b"d/tool"))),
            id="Unicode path that agrees",
        ),
        case(zipped(TOOL, Zipped(b"e", b"PK\5\6" + bytes(18))), id="end record in the content"),
    ],
)
def test_the_wanted_file_is_read(archive: bytes) -> None:
    assert read(archive)[1] == {WANTED: BINARY}


def test_the_order_of_the_directory_does_not_matter() -> None:
    parts = zipped(Zipped(b"e", b"12"), TOOL)
    directory = parts[parts.index(b"PK\1\2") : parts.rindex(b"PK\5\6")]
    second = directory.rindex(b"PK\1\2")
    assert read(parts.replace(directory, directory[second:] + directory[:second]))[1] == {WANTED: BINARY}


def test_names_are_read_by_their_flag() -> None:
    listing, _ = read(
        zipped(Zipped(b"caf\x82"), Zipped(b"caf\xc3\xa9", flags=UTF8), Zipped(b"x/\x82", flags=UTF8))
    )
    assert listing.members == {"café", "x/\\x82"}


def test_any_cut_is_an_error() -> None:
    archive = zipped(described("<LLL", b"PK\7\x08"), Zipped(b"e", b"12"), wide={})
    for length in range(len(archive)):
        with pytest.raises(ArchiveError):
            read(archive[:length])


def test_a_bomb_is_refused_at_the_ratio() -> None:
    size = RATIO_FREE_BYTES + MIB
    packer = zlib.compressobj(1, wbits=-15)
    packed = b"".join(packer.compress(bytes(MIB)) for _ in range(size // MIB)) + packer.flush()
    sizes = {"size": size}
    with pytest.raises(ArchiveError, match="MAX_UNPACK_RATIO"):
        read(zipped(Zipped(b"d/tool", b"", 8, packed=packed, local=sizes, central=sizes)))


UNMARKED = bytes.fromhex("5d00100000 00241949986f051527270d7678d0291d2000")


def test_lzma_without_end_marker_is_read() -> None:
    """The stream is xz's own test file good-known_size-without_eopm.lzma, its size left out."""
    packed = b"\x05\x02\5\0" + UNMARKED
    content = b"Hello\nWorld!\n"
    assert read(zipped(Zipped(b"d/tool", content, 14, packed=packed)))[1] == {WANTED: content}
    with pytest.raises(ArchiveError):
        read(zipped(Zipped(b"d/tool", content, 14, LZMA_END_MARKER, packed=packed)))


METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


class Pipe(io.BytesIO):
    """A file that cannot be sought in, so that zip writers use descriptors."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: object) -> int:
        raise OSError

    def tell(self) -> int:
        raise OSError


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pipe", [False, True])
@pytest.mark.parametrize("wide", [False, True])
def test_what_python_packs_is_read(method: int, pipe: bool, wide: bool) -> None:
    data = Pipe() if pipe else io.BytesIO()
    content = {"d/tool": BINARY * 3000, "d/empty": b"", "é": b"x"}
    with zipfile.ZipFile(data, "w", method) as archive:
        for name, body in content.items():
            with archive.open(name, "w", force_zip64=wide) as member:
                member.write(body)
        archive.mkdir("folder") if hasattr(archive, "mkdir") else archive.writestr("folder/", b"")
        archive.comment = b"a comment"
    listing, kept = read(data.getvalue(), list(content))
    assert kept == content
    assert listing.folders == {"d", "folder"}


ZIP = shutil.which("zip")


@pytest.mark.skipif(ZIP is None, reason="needs the program `zip`")
@pytest.mark.parametrize(
    ("options", "pipe"),
    [
        (["-r"], False),
        (["-r", "-fz"], False),
        (["-ry", "-Z", "bzip2"], False),
        (["-r0"], False),
        (["-r"], True),
        (["-r", "-D"], True),
    ],
)
def test_what_info_zip_packs_is_read(tmp_path: Path, options: list[str], pipe: bool) -> None:
    for name, body in {"d/tool": BINARY * 3000, "é": b"x", "d/e/x": b""}.items():
        (tmp_path / "t" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "t" / name).write_bytes(body)
    (tmp_path / "t" / "link").symlink_to("d")
    how = ["zip", "-q", *options]
    if pipe:
        archive = subprocess.run(
            [*how, "-", "."], cwd=tmp_path / "t", check=True, capture_output=True
        ).stdout
    else:
        subprocess.run([*how, "../x.zip", "."], cwd=tmp_path / "t", check=True)
        archive = (tmp_path / "x.zip").read_bytes()
    listing, kept = read(archive)
    assert kept == {WANTED: BINARY * 3000}
    assert {"d", "d/e"} <= listing.folders
    assert {"d/tool", "d/e/x"} <= listing.members
