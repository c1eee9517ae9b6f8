from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import sys
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.archive.streams import (
    Budget,
    Codec,
    bzip2_codec,
    codec_of,
    deflate_codec,
    gzip_codec,
    lzma_codec,
    one_stream,
    reader,
    unpacked,
    xz_codec,
    zstd_codec,
)
from binstall.errors import ArchiveError
from binstall.formats.package_format import PackageFormat
from binstall.limits import (
    CHUNK_BYTES,
    GIB,
    MAX_COMPRESSED_STREAMS,
    MAX_UNPACK_RATIO,
    MAX_UNPACKED_BYTES,
    MIB,
    RATIO_FREE_BYTES,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def xz(data: bytes) -> bytes:
    return lzma.compress(data, preset=1)


def lzma_alone(data: bytes) -> bytes:
    return lzma.compress(data, format=lzma.FORMAT_ALONE, preset=1)


def checked_zstd(data: bytes) -> bytes:
    return zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})


Pack = Callable[[bytes], bytes]
CHAINED = [
    pytest.param(gzip_codec(), gzip.compress, id="gzip"),
    pytest.param(bzip2_codec(), bz2.compress, id="bzip2"),
    pytest.param(xz_codec(), xz, id="xz"),
    pytest.param(zstd_codec(), checked_zstd, id="zstd"),
]
ALL = [
    *CHAINED,
    pytest.param(deflate_codec(), deflate, id="deflate"),
    pytest.param(lzma_codec(), lzma_alone, id="lzma"),
]
DATA = random.Random(1).randbytes(300_000) + bytes(3 * CHUNK_BYTES) + b"the end"


def unpack(codec: Codec, packed: bytes) -> bytes:
    return b"".join(unpacked(reader(io.BytesIO(packed)), codec, Budget(len(packed))))


def unpack_one(codec: Codec, packed: bytes) -> tuple[bytes, bytes]:
    read = reader(io.BytesIO(packed))
    pieces, stream = [], one_stream(b"", read, codec, Budget(len(packed)))
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as stop:
            return b"".join(pieces), stop.value + read(-1)


@pytest.mark.parametrize(("codec", "pack"), ALL)
@pytest.mark.parametrize("data", [b"", b"x", DATA], ids=["empty", "one byte", "large"])
def test_what_was_packed_is_unpacked(codec: Codec, pack: Pack, data: bytes) -> None:
    assert unpack_one(codec, pack(data)) == (data, b"")


@pytest.mark.parametrize(("codec", "pack"), ALL)
def test_pieces_are_bounded(codec: Codec, pack: Pack) -> None:
    packed = pack(DATA)
    pieces = list(one_stream(packed, reader(io.BytesIO()), codec, Budget(len(packed))))
    assert max(map(len, pieces)) <= CHUNK_BYTES


@pytest.mark.parametrize(("codec", "pack"), ALL)
@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=3000), behind=st.binary(max_size=20))
def test_the_bytes_behind_one_stream_are_given_back(
    codec: Codec, pack: Pack, data: bytes, behind: bytes
) -> None:
    assert unpack_one(codec, pack(data) + behind) == (data, behind)


@pytest.mark.parametrize(("codec", "pack"), CHAINED)
def test_streams_that_follow_each_other_are_all_unpacked(codec: Codec, pack: Pack) -> None:
    assert unpack(codec, pack(b"one") + pack(b"") + pack(DATA) + pack(b"two")) == b"one" + DATA + b"two"


@pytest.mark.parametrize(("codec", "pack"), CHAINED)
@pytest.mark.parametrize("behind", [b"x", b"garbage behind it", b"\0" * 10 + b"x"])
def test_anything_else_behind_a_stream_is_an_error(codec: Codec, pack: Pack, behind: bytes) -> None:
    with pytest.raises(ArchiveError, match=codec.name):
        unpack(codec, pack(DATA) + behind)


@pytest.mark.parametrize(("codec", "pack"), CHAINED)
def test_nul_bytes_may_follow_where_the_format_pads(codec: Codec, pack: Pack) -> None:
    packed = pack(b"data") + bytes(100_000)
    if codec.name in {"gzip", "xz"}:
        assert unpack(codec, packed) == b"data"
    else:
        with pytest.raises(ArchiveError):
            unpack(codec, packed)


@pytest.mark.parametrize(("codec", "pack"), CHAINED)
def test_an_empty_file_is_no_compressed_data(codec: Codec, pack: Pack) -> None:
    del pack
    with pytest.raises(ArchiveError, match="is empty"):
        unpack(codec, b"")
    with pytest.raises(ArchiveError):
        unpack(codec, b"\0")


@pytest.mark.parametrize(("codec", "pack"), CHAINED)
def test_any_cut_is_an_error(codec: Codec, pack: Pack) -> None:
    packed = pack(b"some data" * 20)
    for length in range(1, len(packed)):
        with pytest.raises(ArchiveError):
            unpack(codec, packed[:length])


@pytest.mark.parametrize(("codec", "pack"), CHAINED)
def test_a_changed_byte_never_gives_other_data(codec: Codec, pack: Pack) -> None:
    data = random.Random(2).randbytes(300)
    packed = pack(data)
    refused = 0
    for at in range(len(packed)):
        try:
            assert unpack(codec, packed[:at] + bytes([packed[at] ^ 0x41]) + packed[at + 1 :]) == data
        except ArchiveError:
            refused += 1
    assert refused >= len(packed) - 10  # gzip's time and system, and the like, decide nothing


@pytest.mark.parametrize(("codec", "pack"), ALL)
@settings(max_examples=1000, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_unpack_or_are_an_archive_error(codec: Codec, pack: Pack, data: bytes) -> None:
    for start in (b"", pack(b"")[:4], pack(b"x" * 50)[:12]):
        try:
            unpack(codec, start + data)
        except ArchiveError as error:
            assert error.exit_code == 88


def test_a_window_beyond_the_bound_is_refused_by_name() -> None:
    packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 28})
    with pytest.raises(ArchiveError, match="MAX_ZSTD_WINDOW_LOG"):
        unpack(zstd_codec(), packer.compress(b"data") + packer.flush())


@pytest.mark.parametrize(
    ("codec", "form"), [(xz_codec(), lzma.FORMAT_XZ), (lzma_codec(), lzma.FORMAT_ALONE)]
)
def test_a_dictionary_beyond_the_bound_is_refused_by_name(codec: Codec, form: int) -> None:
    packed = bytearray(lzma.compress(b"data", format=form, preset=1))
    if form == lzma.FORMAT_ALONE:
        packed[1:5] = (512 * MIB).to_bytes(4, "little")
    else:  # block header: size, flags, filter id, length of properties, dictionary, padding, CRC
        block = packed[12 : 12 + 4 * (packed[12] + 1)]
        assert block[2:4] == b"\x21\x01"
        block[4] = 34  # 512 MiB
        block[-4:] = zlib.crc32(block[:-4]).to_bytes(4, "little")
        packed[12 : 12 + len(block)] = block
    with pytest.raises(ArchiveError, match=r"268435456 bytes .MAX_XZ_MEMORY_BYTES"):
        unpack(codec, bytes(packed))


def test_a_bomb_is_refused_at_the_ratio() -> None:
    bomb = gzip.compress(bytes(16 * MIB)) * 17
    assert len(bomb) * MAX_UNPACK_RATIO < RATIO_FREE_BYTES
    total = 0
    with pytest.raises(ArchiveError, match=r"200 times its own .*MAX_UNPACK_RATIO"):
        for piece in unpacked(reader(io.BytesIO(bomb)), gzip_codec(), Budget(len(bomb))):
            total += len(piece)
    assert total <= RATIO_FREE_BYTES


def test_a_budget_is_the_larger_of_free_bytes_and_ratio_and_never_beyond_the_bound() -> None:
    Budget(1).spend(RATIO_FREE_BYTES)
    Budget(2 * MIB).spend(2 * MIB * MAX_UNPACK_RATIO)
    Budget(GIB).spend(MAX_UNPACKED_BYTES)
    for package, size, words in [
        (1, RATIO_FREE_BYTES + 1, "MAX_UNPACK_RATIO"),
        (2 * MIB, 2 * MIB * MAX_UNPACK_RATIO + 1, "MAX_UNPACK_RATIO"),
        (GIB, MAX_UNPACKED_BYTES + 1, "MAX_UNPACKED_BYTES"),
    ]:
        with pytest.raises(ArchiveError, match=words):
            Budget(package).spend(size)


def test_streams_are_bounded_in_number() -> None:
    with pytest.raises(ArchiveError, match=r"100000 gzip streams .MAX_COMPRESSED_STREAMS"):
        unpack(gzip_codec(), gzip.compress(b"") * (MAX_COMPRESSED_STREAMS + 1))


def test_every_format_has_its_compression() -> None:
    names = {form: codec.name for form in PackageFormat if (codec := codec_of(form))}
    assert names == {
        PackageFormat.TGZ: "gzip",
        PackageFormat.TBZ2: "bzip2",
        PackageFormat.TXZ: "xz",
        PackageFormat.TZSTD: "zstd",
    }
