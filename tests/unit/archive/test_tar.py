from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from binstall.archive.listing import Listing
from binstall.archive.tar import read_tar
from binstall.archive.tar_headers import parse_pax
from binstall.errors import ArchiveError
from binstall.limits import MAX_PAX_HEADER_BYTES, MAX_UNPACKED_BYTES
from support_tar import END, GNU, OLD, POSIX, entry, header, long_name, pax, record, tar, with_checksum

WANTED = "d/tool"
case = pytest.param


def read(
    archive: bytes, wanted: list[str] | None = None, step: int = 700
) -> tuple[Listing, dict[str, bytes]]:
    """Read an archive that arrives in pieces of `step` bytes."""
    listing = Listing([WANTED] if wanted is None else wanted)
    kept: dict[str, bytes] = {}

    def keep(asked: str, size: int, pieces: Iterator[memoryview]) -> None:
        kept[asked] = b"".join(pieces)
        assert len(kept[asked]) == size

    read_tar((archive[at : at + step] for at in range(0, len(archive), step)), listing, keep)
    return listing, kept


TOOL = entry(b"d/tool", b"binary")
LONG = b"x" * 150 + b"/" + b"y" * 150


@pytest.mark.parametrize(
    "archive",
    [
        case(tar(entry(b"d/", kind=b"5"), TOOL), id="posix"),
        case(tar(entry(b"./d/tool", b"binary", b"\0", magic=OLD)), id="old"),
        case(tar(entry(b"d/tool", b"binary", magic=GNU)), id="gnu"),
        case(tar(entry(b"tool", b"binary", prefix=b"./d")), id="prefix"),
        case(tar(TOOL, end=b""), id="without end mark"),
        case(tar(TOOL, end=bytes(512)), id="half an end mark"),
        case(tar(TOOL, end=bytes(10_240 + 7)), id="padded"),
        case(tar(pax({b"path": b"d/tool", b"mtime": b"1.5"}), entry(b"q", b"binary")), id="pax path"),
        case(tar(long_name(b"d/tool"), entry(b"q", b"binary", magic=GNU)), id="gnu long name"),
        case(
            tar(long_name(b"t", b"K"), long_name(b"l"), entry(b"q", kind=b"2", magic=GNU), TOOL),
            id="both long names of a link",
        ),
        case(tar(pax({b"comment": b"x"}, b"g"), TOOL), id="global comment"),
        case(tar(pax({b"size": b"6"}), TOOL), id="pax size that agrees"),
        case(tar(entry(b"d/tool", b"binary", size=b"\x80" + bytes(10) + b"\6")), id="base 256"),
        case(tar(entry(b"d/tool", b"binary", size=b"          6 ")), id="blanks before digits"),
        case(tar(entry(b"d/tool", b"binary", size=b"000000000006")), id="twelve digits"),
        case(tar(entry(b"d/tool", b"binary", link=b"/x")), id="unused link target"),
        case(tar(entry(b"e", kind=b"2", link=b"d"), entry(b"e/f", kind=b"1"), TOOL), id="links elsewhere"),
        case(tar(entry(b"z", b"123", b"Z"), entry(b"c", b"12", b"7"), TOOL), id="other kinds elsewhere"),
        case(tar(entry(b"caf\xe9\n", b"1"), TOOL), id="a name that is not UTF-8"),
    ],
)
@pytest.mark.parametrize("step", [1, 511, 512, 100_000])
def test_the_wanted_file_is_read(archive: bytes, step: int) -> None:
    assert read(archive, step=step)[1] == {WANTED: b"binary"}


def sparse(name: bytes, content: bytes, extents: int) -> bytes:
    """Return an old GNU sparse member with `extents` further blocks of extents."""
    block = bytearray(header(name, len(content), b"S", magic=GNU))
    block[482] = bool(extents)
    further = b"".join(bytes(504) + bytes([left > 1]) + bytes(7) for left in range(extents, 0, -1))
    return with_checksum(bytes(block)) + further + content + bytes(-len(content) % 512)


@pytest.mark.parametrize("extents", [0, 1, 3])
def test_a_sparse_file_elsewhere_is_passed_over_with_its_extents(extents: int) -> None:
    listing, kept = read(tar(sparse(b"s", b"x" * 600, extents), TOOL))
    assert kept == {WANTED: b"binary"}
    assert listing.members == {WANTED}


def damaged(block: bytes, at: int, value: bytes) -> bytes:
    """Return a header with other bytes and the right checksum."""
    return with_checksum(block[:at] + value + block[at + len(value) :])


HUGE = pax({b"size": str(8**11).encode()})


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        case(tar(entry(b"/etc/x", b"1"), TOOL), "absolute", id="absolute"),
        case(tar(entry(b"a/../../x", b"1"), TOOL), r"\.\.", id="dots"),
        case(tar(TOOL, entry(b"../x", kind=b"2")), r"\.\.", id="dots of a link"),
        case(tar(entry(b"x", prefix=b"..")), r"\.\.", id="dots in the prefix"),
        case(tar(pax({b"path": b"../x"}), entry(b"x")), r"\.\.", id="dots by pax"),
        case(tar(long_name(b"../x"), entry(b"x", magic=GNU)), r"\.\.", id="dots by gnu"),
        case(tar(pax({b"path": b"a\0b"}), entry(b"x")), "NUL", id="NUL by pax"),
        case(tar(long_name(b"a\0b"), entry(b"x", magic=GNU)), "NUL", id="NUL by gnu"),
        case(tar(entry(b"d\\tool", b"1")), "back-slash", id="back-slash"),
        case(tar(entry(b"C:tool", b"1")), "drive", id="drive letter"),
        case(tar(TOOL, TOOL), "twice", id="duplicate"),
        case(tar(TOOL, entry(b"./d/tool", b"2")), "twice", id="duplicate, spelled otherwise"),
        case(tar(TOOL, pax({b"path": b"d/tool"}), entry(b"q", b"2")), "twice", id="duplicate by pax"),
        case(tar(TOOL, long_name(b"d/tool"), entry(b"q", magic=GNU)), "twice", id="duplicate by gnu"),
        case(tar(entry(b"d/tool", kind=b"2", link=b"/bin/sh")), "symbolic link", id="link"),
        case(tar(entry(b"d/tool", kind=b"1", link=b"x")), "hard link", id="hard link"),
        case(tar(entry(b"d/tool", kind=b"3")), "device", id="character device"),
        case(tar(entry(b"d/tool", kind=b"4")), "device", id="block device"),
        case(tar(entry(b"d/tool", kind=b"6")), "named pipe", id="pipe"),
        case(tar(entry(b"d/tool", b"1", b"7")), "contiguous", id="contiguous"),
        case(tar(sparse(b"d/tool", b"1", 1)), "sparse", id="sparse"),
        case(tar(entry(b"d/tool", b"1", b"Z")), "unknown kind", id="kind that nobody knows"),
        case(
            tar(pax({b"GNU.sparse.major": b"1", b"GNU.sparse.name": b"d/tool"}), entry(b"G/tool", b"0\n")),
            "sparse",
            id="pax sparse",
        ),
        case(
            tar(pax({b"GNU.sparse.map": b"0,1", b"path": b"d/tool"}), entry(b"q", b"1")),
            "sparse",
            id="older pax sparse",
        ),
        case(
            tar(pax({b"GNU.sparse.name": b"../x"}), entry(b"q", b"1")), r"\.\.", id="dots of a sparse name"
        ),
        case(tar(entry(b"d", kind=b"2", link=b"/tmp"), TOOL), "symbolic link", id="link on its way"),
        case(tar(TOOL, entry(b"D", kind=b"2", link=b"/tmp")), "both", id="link on its way, other case"),
        case(tar(entry(b"d/tool/", kind=b"5")), "is a folder", id="folder"),
        case(tar(entry(b"d/tool/", kind=b"0")), "is a folder", id="folder by its slash"),
        case(tar(entry(b"d/tool/x", b"1")), "is a folder", id="implied folder"),
        case(tar(entry(b"d/tool/", b"binary")), "folder with 6 bytes", id="folder with content"),
        case(tar(entry(b"l", b"binary", b"2")), "link with 6 bytes", id="link with content"),
        case(tar(entry(b"l", b"binary", b"1")), "link with 6 bytes", id="hard link with content"),
        case(tar(TOOL)[:200], "inside a header", id="cut in the first header"),
        case(tar(TOOL)[:515], 'inside "d/tool"', id="cut in the content"),
        case(tar(TOOL)[:1000], 'inside "d/tool"', id="cut in the padding"),
        case(tar(TOOL, TOOL)[:1100], "inside a header", id="cut in the second header"),
        case(tar(TOOL, pax({b"path": b"x"}), end=b""), "member to come", id="cut behind pax"),
        case(tar(pax({b"path": b"x"})), "member to come", id="pax before the end mark"),
        case(tar(TOOL, long_name(b"x")), "member to come", id="long name before the end mark"),
        case(tar(TOOL) + b"x", "goes on after", id="behind the end mark"),
        case(tar(TOOL) + TOOL, "goes on after", id="a member behind the end mark"),
        case(tar(TOOL, bytes(512), entry(b"x")), "goes on after", id="a member behind half a mark"),
        case(b"x" * 512, "checksum|number", id="no tar"),
        case(tar(TOOL, b"x" * 512), "checksum|number", id="no header behind a member"),
        case(tar(TOOL[:5] + b"X" + TOOL[6:]), "checksum", id="checksum"),
        case(tar(damaged(TOOL, 257, b"vstar")), "unknown kind of tar", id="magic"),
        case(tar(damaged(TOOL, 263, b"01")), "unknown kind of tar", id="version"),
        case(tar(entry(b"tool", prefix=b"d", magic=OLD)), "unknown kind of tar", id="old with prefix"),
        case(tar(entry(b"tool", prefix=b"d", tail=b"tar")), "unknown kind of tar", id="star"),
        case(tar(entry(b"d/tool", b"1", size=b"0000000000x\0")), "for a number", id="size of letters"),
        case(tar(entry(b"d/tool", b"1", size=b"00000000008\0")), "for a number", id="no octal digit"),
        case(tar(entry(b"d/tool", b"1", size=b"-0000000001\0")), "for a number", id="negative size"),
        case(tar(entry(b"d/tool", b"1", size=b"1\0001\0")), "for a number", id="two numbers"),
        case(tar(entry(b"d/tool", b"1", size=b"\xff" * 12)), "for a number", id="negative base 256"),
        case(tar(entry(b"d/tool", size=b"\x80" + b"\xff" * 11)), "MAX_UNPACKED_BYTES", id="2^88 bytes"),
        case(
            tar(entry(b"q", size=b"\x80" + (MAX_UNPACKED_BYTES + 1).to_bytes(11, "big"))),
            "17179869184 .MAX_UNPACKED_BYTES",
            id="one byte too many",
        ),
        case(tar(pax({b"size": b"9" * 20}), TOOL), "MAX_UNPACKED_BYTES", id="too large by pax"),
        case(
            tar(entry(b"d/tool", size=b"\x80" + (5 << 30).to_bytes(11, "big"))),
            "MAX_BINARY_BYTES",
            id="binary too large",
        ),
        case(
            tar(pax({b"size": b"1024"}), entry(b"q"), TOOL, TOOL), "as 0 and as 1024", id="pax size hides"
        ),
        case(tar(pax({b"size": b"0"}), entry(b"q", TOOL)), "as 1024 and as 0", id="pax size shows"),
        case(tar(HUGE, entry(b"q", TOOL)), "ends inside", id="pax size that no header can hold"),
        case(tar(pax({b"size": b"-1"}), TOOL), "gives the size", id="negative pax size"),
        case(tar(pax({b"size": b""}), TOOL), "gives the size", id="empty pax size"),
        case(tar(pax({b"size": "६".encode()}), TOOL), "gives the size", id="foreign digits"),
        case(tar(pax({b"size": b"6" * 21}), TOOL), "gives the size", id="endless pax size"),
        case(tar(pax({b"path": b""}), TOOL), "without a name", id="empty pax path"),
        case(tar(pax(record(b"path", b"a") * 2), TOOL), '"path" twice', id="pax path twice"),
        case(tar(pax(record(b"size", b"6") * 2), TOOL), '"size" twice', id="pax size twice"),
        case(tar(pax({b"path": b"a"}), pax({b"path": b"b"}), TOOL), "two extended", id="pax twice"),
        case(tar(pax({}), pax({}, b"X"), TOOL), "two extended", id="pax twice, Solaris"),
        case(tar(long_name(b"a"), long_name(b"b"), TOOL), "two extended", id="long name twice"),
        case(tar(pax({}), long_name(b"b"), TOOL), "two extended", id="pax and gnu"),
        case(tar(long_name(b"b"), pax({}), TOOL), "two extended", id="gnu and pax"),
        case(tar(pax({b"path": b"a"}, b"g"), TOOL), "global header", id="global path"),
        case(tar(pax({b"size": b"6"}, b"g"), TOOL), "global header", id="global size"),
        case(tar(pax({b"GNU.sparse.major": b"1"}, b"g"), TOOL), "global header", id="global sparse"),
        case(tar(pax({b"path": b"a"}), pax({}, b"g"), TOOL), "global header", id="global between"),
        case(tar(pax(b"x"), TOOL), "without length", id="pax without length"),
        case(tar(pax(b"0 a=b\n"), TOOL), "wrong length", id="pax length 0"),
        case(tar(pax(b"9 a=b\n"), TOOL), "wrong length", id="pax length too large"),
        case(tar(pax(b"5 a=b\n"), TOOL), "wrong length", id="pax length too small"),
        case(tar(pax(b"5 ab\n"), TOOL), "wrong length", id="pax without ="),
        case(tar(pax(b"5 =b\n"), TOOL), "wrong length", id="pax without key"),
        case(tar(pax(record(b"a", b"b") + b"\0"), TOOL), "without length", id="pax goes on"),
        case(tar(pax(b"9" * 30 + b" a=b\n"), TOOL), "without length", id="pax endless length"),
        case(
            tar(header(b"x", MAX_PAX_HEADER_BYTES + 1, b"x")),
            "1048576 .MAX_PAX_HEADER_BYTES",
            id="pax too large",
        ),
        case(tar(header(b"x", 4097, b"L")), "4096 .MAX_MEMBER_NAME_BYTES", id="long name too long"),
        case(tar(pax({b"path": b"x" * 4097}), TOOL), "MAX_MEMBER_NAME_BYTES", id="long pax name too long"),
        case(sparse(b"s", b"", 3)[:1200], "ends inside", id="cut in the extents"),
    ],
)
def test_a_hostile_or_damaged_archive_is_refused(archive: bytes, words: str) -> None:
    with pytest.raises(ArchiveError, match=words):
        read(archive)


def test_a_pax_size_counts_only_for_its_member_and_not_for_its_header() -> None:
    with pytest.raises(ArchiveError, match="two extended"):
        read(tar(pax({b"size": b"600"}), long_name(b"q"), entry(b"q", b"x" * 600), TOOL))
    assert read(tar(pax({b"size": b"600"}), entry(b"q", b"x" * 600), TOOL))[1] == {WANTED: b"binary"}


def test_pax_records_may_hold_anything_but_end_in_a_newline() -> None:
    assert parse_pax(record(b"a", b"b=c\n\0\xff") + record(b"k", b"")) == {b"a": b"b=c\n\0\xff", b"k": b""}
    assert parse_pax(record(b"c", b"1") + record(b"c", b"2")) == {b"c": b"2"}


def test_no_members_are_an_empty_listing() -> None:
    for archive in (b"", END):
        listing, kept = read(archive)
        assert (listing.members, listing.folders, kept) == (set(), set(), {})


SHORT = "x" * 70 + "/" + "y" * 90


def files(*, ustar: bool) -> dict[str, bytes]:
    """Return what the real archives hold; ustar has no room for the longest name."""
    return {
        "d/tool": b"\x7fELF" + bytes(range(256)) * 40,
        "d/empty": b"",
        "d/block": b"x" * 512,
        "d/ünï": b"u",
        SHORT if ustar else LONG.decode(): b"long",
    }


def write_tree(folder: Path, content: dict[str, bytes]) -> None:
    """Write the files, and links beside them."""
    for name, data in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / "d" / "link").symlink_to("tool")
    (folder / "d" / "twin").write_bytes(b"twin")
    (folder / "d" / "twin2").hardlink_to(folder / "d" / "twin")


def check_tree(archive: bytes, content: dict[str, bytes]) -> None:
    """Read a packed tree and compare: one of the twins is a hard link, and so no member."""
    listing, kept = read(archive, list(content))
    assert kept == content
    assert len(listing.members & {"d/twin", "d/twin2"}) == 1
    assert listing.members - {"d/twin", "d/twin2"} == set(content)
    assert listing.folders == {name.partition("/")[0] for name in content}


GNU_TAR = shutil.which("tar")


@pytest.mark.skipif(GNU_TAR is None, reason="needs the program `tar`")
@pytest.mark.parametrize("form", ["gnu", "oldgnu", "pax", "posix", "ustar"])
def test_what_tar_packs_is_read(tmp_path: Path, form: str) -> None:
    version = subprocess.run(["tar", "--version"], capture_output=True, text=True, check=True).stdout
    if "GNU" not in version:
        pytest.skip("needs GNU `tar`, for its --format")
    content = files(ustar=form == "ustar")
    write_tree(tmp_path / "tree", content)
    packed = tmp_path / "x.tar"
    subprocess.run(["tar", f"--format={form}", "-cf", packed, "-C", tmp_path / "tree", "."], check=True)
    check_tree(packed.read_bytes(), content)


@pytest.mark.skipif(GNU_TAR is None, reason="needs the program `tar`")
@pytest.mark.parametrize("form", ["gnu", "0.0", "0.1", "1.0"])
def test_sparse_files_that_tar_packs_are_passed_over(tmp_path: Path, form: str) -> None:
    version = subprocess.run(["tar", "--version"], capture_output=True, text=True, check=True).stdout
    if "GNU" not in version:
        pytest.skip("needs GNU `tar`, for its --sparse-version")
    with (tmp_path / "holes").open("wb") as file:
        for number in range(30):
            file.seek(number << 20)
            file.write(b"x" * 5000)
    (tmp_path / "tool").write_bytes(b"binary")
    how = ["--format=gnu"] if form == "gnu" else ["--format=posix", f"--sparse-version={form}"]
    subprocess.run(["tar", *how, "-S", "-cf", "x.tar", "holes", "tool"], check=True, cwd=tmp_path)
    packed = (tmp_path / "x.tar").read_bytes()
    assert len(packed) < 2 << 20, "this file system keeps no holes"
    listing, kept = read(packed, ["tool"], step=100_000)
    assert (kept, listing.members) == ({"tool": b"binary"}, {"tool"})
    with pytest.raises(ArchiveError, match="sparse"):
        read(packed, ["holes"], step=100_000)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_python_packs_is_read(tmp_path: Path, form: int) -> None:
    content = files(ustar=form == tarfile.USTAR_FORMAT)
    write_tree(tmp_path, content)
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=form) as archive:
        archive.add(tmp_path, arcname=".")
    check_tree(data.getvalue(), content)


def test_the_magics_are_those_of_the_formats() -> None:
    assert tarfile.POSIX_MAGIC == POSIX
    assert tarfile.GNU_MAGIC == GNU
