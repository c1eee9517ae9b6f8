"""Whatever a stranger's archive holds: files inside the folder, or one ArchiveError and an empty folder."""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.archive.archive import extract, read_crate
from binstall.archive.tar_headers import parse_header, parse_pax
from binstall.archive.zip_extra import names_in, parse_extra, wide_sizes
from binstall.errors import ArchiveError
from binstall.formats.package_format import PackageFormat
from support_files import verified
from support_tar import GNU, entry, header, long_name, pax, record, tar, with_checksum
from support_zip import Zipped, extra, unicode_path, zipped

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

WANTED = ["d/tool", "tool", "d/other"]
NAMES = [
    b"d/tool",
    b"./d/tool",
    b"tool",
    b"d",
    b"D/TOOL",
    b"d/../tool",
    b"/d/tool",
    b"d\\tool",
    b"x/y",
    b"e\xff",
]
KINDS = [b"0", b"\0", b"1", b"2", b"3", b"5", b"6", b"7", b"S", b"x", b"g", b"L", b"K", b"Z"]


@st.composite
def mutated(draw: st.DrawFn, *originals: bytes) -> bytes:
    """Return one of `originals` after a few changes: bytes set, cut out, repeated, put in or cut off."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.sampled_from([1, 1, 2, 4, 8, 100, 512]))
        match draw(st.integers(0, 5)):
            case 0:
                data[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case 1:
                data[at : at + 1] = bytes(
                    [(data[at] if at < len(data) else 0) ^ 1 << draw(st.integers(0, 7))]
                )
            case 2:
                del data[at : at + length]
            case 3:
                data[at:at] = data[at : at + length]
            case 4:
                data[at : at + length] = draw(st.binary(max_size=length))
            case _:
                del data[at:]
    return bytes(data)


@st.composite
def tar_archives(draw: st.DrawFn) -> bytes:
    """Return an archive of members that are each well-formed, or nearly, in any order."""
    parts: list[bytes] = []
    for _ in range(draw(st.integers(1, 5))):
        name, content = draw(st.sampled_from(NAMES)), draw(st.binary(max_size=40))
        match draw(st.integers(0, 4)):
            case 0:
                parts.append(entry(name, content, draw(st.sampled_from(KINDS))))
            case 1:
                key = draw(st.sampled_from([b"path", b"size", b"linkpath", b"GNU.sparse.name", b"comment"]))
                value = draw(st.sampled_from([name, b"6", b"512", b"0", b""]))
                parts += [
                    pax({key: value}, draw(st.sampled_from([b"x", b"g"]))),
                    entry(b"d/tool", b"binary"),
                ]
            case 2:
                parts += [long_name(name), entry(b"q", content, magic=GNU)]
            case 3:
                sizes: list[int | bytes] = [0, 1, 511, 512, 1 << 33, b"\x80" + content[:11]]
                size = draw(st.sampled_from(sizes))
                parts.append(entry(name, content, size=size))
            case _:
                block = bytearray(entry(name, content))
                at = draw(st.integers(0, 511))
                block[at] = draw(st.integers(0, 255))
                parts.append(with_checksum(bytes(block[:512])) + bytes(block[512:]))
    return tar(*parts, end=draw(st.sampled_from([b"", bytes(512), bytes(1024), bytes(700)])))


@st.composite
def zip_archives(draw: st.DrawFn) -> bytes:
    """Return a zip file of members whose headers may say anything."""
    members = []
    for _ in range(draw(st.integers(0, 4))):
        name, content = draw(st.sampled_from(NAMES)), draw(st.binary(max_size=40))
        method = draw(st.sampled_from([0, 8, 9, 12, 14, 93]))
        packed = draw(st.sampled_from([None, content, zlib.compress(content)[2:-4]]))
        fields = st.dictionaries(
            st.sampled_from(["flags", "method", "crc", "packed", "size", "offset", "disk"]),
            st.sampled_from([0, 1, 8, 40, 0x800, 0xFFFF]),
            max_size=2,
        )
        extras = st.sampled_from(
            [b"", b"\0", extra(1, bytes(16)), unicode_path(b"d/tool", name), b"\1\2\3\4\5"]
        )
        members.append(
            Zipped(
                name,
                content,
                method,
                flags=draw(st.sampled_from([0, 0, 8, 0x800, 1])),
                mode=draw(st.sampled_from([0, 0o100755, 0o120777, 0o40755])),
                packed=packed,
                local=draw(st.one_of(st.just({}), fields)),
                central=draw(st.one_of(st.just({}), fields)),
                local_extra=draw(extras),
                central_extra=draw(extras),
            )
        )
    wide = draw(st.sampled_from([None, None, {}, {"count": 1}]))
    return zipped(*members, wide=wide, comment=draw(st.sampled_from([b"", b"PK\5\6", zipped()])))


@pytest.fixture(scope="module", name="root")
def make_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that holds the staging folder and a file beside it."""
    root = tmp_path_factory.mktemp("root")
    (root / "into").mkdir(0o700)
    (root / "tool").write_bytes(b"untouched")
    return root


def check(root: Path, form: PackageFormat, package: bytes) -> None:
    """Extract, and see that the promise of this file's first line holds."""
    into = root / "into"
    staged: set[Path] = set()
    try:
        found = extract(verified(package), form, WANTED, into)
    except ArchiveError as error:
        assert error.exit_code == 88
    else:
        staged = set(found.files.values())
        assert len(staged) == len(found.files)
        assert set(found.files) <= set(WANTED) & found.members
        for path in found.members | found.folders:
            assert not {"", ".", ".."} & set(path.split("/"))
    assert set(into.iterdir()) == staged
    assert set(root.iterdir()) == {into, root / "tool"}
    assert (root / "tool").read_bytes() == b"untouched"
    for file in staged:
        assert stat.S_ISREG(file.lstat().st_mode)
        file.unlink()


TAR = tar(
    entry(b"d/", kind=b"5"),
    entry(b"d/tool", b"binary" * 90),
    long_name(b"x" * 110),
    entry(b"x", b"1", magic=GNU),
    pax({b"path": b"./d/other", b"mtime": b"1"}),
    entry(b"y", b"other"),
    entry(b"l", kind=b"2", link=b"d"),
)
ZIP = zipped(
    Zipped(b"d/", mode=0o40755),
    Zipped(b"d/tool", b"binary" * 90, 8, packed=zlib.compress(b"binary" * 90)[2:-4]),
    Zipped(b"d/other", b"other", local_extra=unicode_path(b"d/other", b"d/other")),
    wide={},
    comment=b"comment",
)


@settings(max_examples=1000, deadline=None)
@given(package=mutated(TAR))
def test_a_mutated_tar_is_extracted_or_refused(root: Path, package: bytes) -> None:
    check(root, PackageFormat.TAR, package)


@settings(max_examples=1000, deadline=None)
@given(package=tar_archives())
def test_a_tar_of_any_members_is_extracted_or_refused(root: Path, package: bytes) -> None:
    check(root, PackageFormat.TAR, package)


@settings(max_examples=1000, deadline=None)
@given(package=mutated(ZIP))
def test_a_mutated_zip_is_extracted_or_refused(root: Path, package: bytes) -> None:
    check(root, PackageFormat.ZIP, package)


@settings(max_examples=1000, deadline=None)
@given(package=zip_archives())
def test_a_zip_of_any_members_is_extracted_or_refused(root: Path, package: bytes) -> None:
    check(root, PackageFormat.ZIP, package)


@pytest.mark.parametrize(
    ("form", "packed"),
    [
        (PackageFormat.TGZ, gzip.compress(TAR)),
        (PackageFormat.TBZ2, bz2.compress(TAR)),
        (PackageFormat.TXZ, lzma.compress(TAR, preset=0)),
        (PackageFormat.TZSTD, zstd.compress(TAR)),
    ],
)
@settings(max_examples=1000, deadline=None)
@given(data=st.data())
def test_a_mutated_compressed_tar_is_extracted_or_refused(
    root: Path, form: PackageFormat, packed: bytes, data: st.DataObject
) -> None:
    check(root, form, data.draw(mutated(packed, packed + packed)))


@pytest.mark.parametrize("form", [PackageFormat.TAR, PackageFormat.TGZ, PackageFormat.ZIP])
@settings(max_examples=1000, deadline=None)
@given(package=st.binary(max_size=1500))
def test_random_bytes_are_extracted_or_refused(root: Path, form: PackageFormat, package: bytes) -> None:
    check(root, form, package)


CRATE = tar(
    entry(b"a-1.0.0/Cargo.toml", b"[package]", magic=GNU),
    entry(b"a-1.0.0/src/main.rs", b"fn main() {}", magic=GNU),
)


@settings(max_examples=1000, deadline=None)
@given(st.one_of(mutated(gzip.compress(CRATE)), mutated(CRATE).map(gzip.compress), st.binary(max_size=300)))
def test_any_crate_is_read_or_refused(crate: bytes) -> None:
    try:
        contents = read_crate(verified(crate), "a-1.0.0")
    except ArchiveError:
        return
    assert ("Cargo.toml" in contents.files) == (contents.manifest is not None)


@settings(max_examples=1000, deadline=None)
@given(
    st.one_of(
        mutated(header(b"name", 5)), mutated(header(b"name", 5)).map(with_checksum), st.binary(max_size=600)
    )
)
def test_any_header_is_read_or_refused(block: bytes) -> None:
    block = block.ljust(512, b"\0")[:512]
    try:
        assert parse_header(block).size >= 0
    except ArchiveError:
        return


@settings(max_examples=1000, deadline=None)
@given(st.one_of(mutated(record(b"path", b"a\nb") + record(b"size", b"5")), st.binary(max_size=100)))
def test_any_pax_records_are_read_or_refused(data: bytes) -> None:
    try:
        records = parse_pax(data)
    except ArchiveError:
        return
    assert sum(len(key) + len(value) for key, value in records.items()) <= len(data)


@settings(max_examples=1000, deadline=None)
@given(st.one_of(mutated(extra(1, bytes(24)) + unicode_path(b"x", b"name")), st.binary(max_size=60)))
def test_any_extra_fields_are_read_or_refused(data: bytes) -> None:
    try:
        fields = parse_extra(data, b"name")
        wide_sizes(fields, (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF), b"name")
        names_in(fields, b"name")
    except ArchiveError:
        return
