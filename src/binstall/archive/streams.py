"""Decompression of a stranger's stream, piece by piece, under bounds.

All of the file must be compressed data: it is read to its end, checksums included, and a stream that is
damaged, cut short or followed by anything else is an error. Streams of one format that follow each other
are unpacked one after the other, as gzip, bzip2, xz and zstd do it (programs that stop after the first
one would see a shorter archive, but tar's end mark then makes ours an error). NUL bytes may follow where
the format allows padding: gzip and xz.

Memory is bounded by the decoder's window (MAX_XZ_MEMORY_BYTES, MAX_ZSTD_WINDOW_LOG; gzip and bzip2 have
fixed ones), output by `Budget`. Each piece of input is small, because decoders copy what follows a stream:
many tiny streams in one large piece would cost time that grows with its square.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, Protocol, cast

from binstall.errors import ArchiveError, LocalIOError
from binstall.formats.package_format import PackageFormat
from binstall.limits import (
    CHUNK_BYTES,
    KIB,
    MAX_COMPRESSED_STREAMS,
    MAX_UNPACK_RATIO,
    MAX_UNPACKED_BYTES,
    MAX_XZ_MEMORY_BYTES,
    MAX_ZSTD_WINDOW_LOG,
    RATIO_FREE_BYTES,
)

_INPUT_BYTES: Final = 64 * KIB

_ANY_DECODER: Final = (ValueError, OverflowError, EOFError, MemoryError)

Read = Callable[[int], bytes]
"""Gives at most so many bytes, and b"" only at the end; raises LocalIOError."""


class Decoder(Protocol):
    """What the decompressors of `bz2`, `lzma`, `isal` and `zstd` have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Codec:
    """One compression: how to begin a stream, and what its decoder raises."""

    name: str
    """For error messages."""
    new: Callable[[], Decoder]
    errors: tuple[type[Exception], ...]
    """What a damaged stream, or one too large, makes the decoder raise."""
    bound: str = ""
    """The bound that a memory error of the decoder means, for its message."""
    padded: bool = False
    """NUL bytes may follow the last stream."""


class Budget:
    """The bytes that one package may still unpack to."""

    def __init__(self, package_bytes: int) -> None:
        by_ratio = max(RATIO_FREE_BYTES, MAX_UNPACK_RATIO * package_bytes)
        if by_ratio < MAX_UNPACKED_BYTES:
            self._words = (
                f"more than {MAX_UNPACK_RATIO} times its own {package_bytes} bytes"
                f" (MAX_UNPACK_RATIO, beyond {RATIO_FREE_BYTES} bytes, RATIO_FREE_BYTES)"
            )
        else:
            self._words = f"more than {MAX_UNPACKED_BYTES} bytes (MAX_UNPACKED_BYTES)"
        self._left = min(by_ratio, MAX_UNPACKED_BYTES)

    def spend(self, size: int) -> None:
        """Count `size` unpacked bytes; raise ArchiveError once they are too many."""
        self._left -= size
        if self._left < 0:
            raise ArchiveError(f"the archive unpacks to {self._words}")


def reader(file: BinaryIO) -> Read:
    """Return a Read over `file` from its position onwards."""

    def read(size: int) -> bytes:
        try:
            return file.read(size)
        except OSError as error:
            raise LocalIOError(f"the downloaded archive cannot be read: {error}") from error

    return read


def plain(read: Read, budget: Budget) -> Iterator[bytes]:
    """Yield an uncompressed file in pieces."""
    while piece := read(CHUNK_BYTES):
        budget.spend(len(piece))
        yield piece


def unpacked(read: Read, codec: Codec, budget: Budget) -> Iterator[bytes]:
    """Yield what the streams unpack to, in pieces of at most CHUNK_BYTES; raise ArchiveError."""
    data = read(_INPUT_BYTES)
    if not data:
        raise ArchiveError(f"the archive should be {codec.name} data and is empty")
    streams = 0
    while data:
        if streams and codec.padded and data[0] == 0:
            _check_padding(data, read, codec)
            return
        streams += 1
        if streams > MAX_COMPRESSED_STREAMS:
            raise ArchiveError(
                f"the archive has more than {MAX_COMPRESSED_STREAMS} {codec.name} streams"
                " (MAX_COMPRESSED_STREAMS)"
            )
        data = yield from one_stream(data, read, codec, budget)
        data = data or read(_INPUT_BYTES)


def one_stream(data: bytes, read: Read, codec: Codec, budget: Budget) -> Generator[bytes, None, bytes]:
    """Yield one stream that begins with `data`; return the bytes behind it that were read already."""
    decoder: Decoder | None = None
    while True:
        try:
            decoder = decoder or codec.new()
            piece = decoder.decompress(data, CHUNK_BYTES)
        except codec.errors as error:
            raise _damaged(codec, error) from error
        if piece:
            budget.spend(len(piece))
            yield piece
        if decoder.eof:
            return decoder.unused_data
        data = b""
        if decoder.needs_input:
            data = read(_INPUT_BYTES)
            if not data:
                raise ArchiveError(f"the archive ends inside its {codec.name} data")
        elif not piece:
            raise ArchiveError(f"the {codec.name} data of the archive is damaged: its decoder stands still")


def _damaged(codec: Codec, error: Exception) -> ArchiveError:
    words = str(error) or type(error).__name__
    if codec.bound and "memory" in words.lower():
        return ArchiveError(f"the {codec.name} data of the archive needs more memory than {codec.bound}")
    return ArchiveError(f"the {codec.name} data of the archive is damaged: {words}")


def _check_padding(data: bytes, read: Read, codec: Codec) -> None:
    while data:
        if data.count(0) != len(data):
            raise ArchiveError(f"the archive goes on after the end of its {codec.name} data")
        data = read(CHUNK_BYTES)


def codec_of(archive_format: PackageFormat) -> Codec | None:
    """Return the compression around a tar archive of this format; None for formats that have none."""
    match archive_format:
        case PackageFormat.TGZ:
            return gzip_codec()
        case PackageFormat.TBZ2:
            return bzip2_codec()
        case PackageFormat.TXZ:
            return xz_codec()
        case PackageFormat.TZSTD:
            return zstd_codec()
        case _:
            return None


def gzip_codec() -> Codec:
    """RFC 1952, by Intel's isa-l: about twice as fast as zlib. CRC and length are checked."""
    from isal import igzip_lib

    def new() -> Decoder:
        return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)

    return Codec("gzip", new, (cast("type[Exception]", igzip_lib.IsalError), *_ANY_DECODER), padded=True)


def deflate_codec() -> Codec:
    """RFC 1951 without any wrapper, as in zip: nothing is checked but the code itself."""
    from isal import igzip_lib

    def new() -> Decoder:
        return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_DEFLATE)

    return Codec("deflate", new, (cast("type[Exception]", igzip_lib.IsalError), *_ANY_DECODER))


def bzip2_codec() -> Codec:
    """Blocks of at most 900 kB, each with its CRC."""
    import bz2

    return Codec("bzip2", bz2.BZ2Decompressor, (OSError, *_ANY_DECODER))


def xz_codec() -> Codec:
    """The .xz container (not .lzma), with whatever check the stream carries."""
    import lzma

    def new() -> Decoder:
        return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=MAX_XZ_MEMORY_BYTES)

    bound = f"{MAX_XZ_MEMORY_BYTES} bytes (MAX_XZ_MEMORY_BYTES)"
    return Codec("xz", new, (lzma.LZMAError, *_ANY_DECODER), bound, padded=True)


def lzma_codec() -> Codec:
    """The old .lzma container without its own check: 5 bytes of properties, 8 of size, the stream."""
    import lzma

    def new() -> Decoder:
        return lzma.LZMADecompressor(format=lzma.FORMAT_ALONE, memlimit=MAX_XZ_MEMORY_BYTES)

    bound = f"{MAX_XZ_MEMORY_BYTES} bytes (MAX_XZ_MEMORY_BYTES)"
    return Codec("lzma", new, (lzma.LZMAError, *_ANY_DECODER), bound)


def zstd_codec() -> Codec:
    """RFC 8878 without dictionary; skippable frames are passed over."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    def new() -> Decoder:
        return zstd.ZstdDecompressor(
            options={zstd.DecompressionParameter.window_log_max: MAX_ZSTD_WINDOW_LOG}
        )

    bound = f"a window of 2^{MAX_ZSTD_WINDOW_LOG} bytes takes (MAX_ZSTD_WINDOW_LOG)"
    return Codec("zstd", new, (zstd.ZstdError, *_ANY_DECODER), bound)
