"""Archives put together by hand, byte by byte, so that any of them may be wrong.

tar(entry(b"a", b"content"), pax({b"path": b"b"}), entry(b"x"))
zipped(Zipped(b"a", b"content"), Zipped(b"b", local={"crc": 1}))
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

POSIX: Final = b"ustar\x0000"
GNU: Final = b"ustar  \x00"
OLD: Final = bytes(8)
END: Final = bytes(1024)


def with_checksum(block: bytes) -> bytes:
    """Return a header of 512 bytes with the checksum that it ought to have."""
    total = sum(block[:148]) + 8 * 32 + sum(block[156:512])
    return block[:148] + f"{total:06o}\0 ".encode() + block[156:]


def header(
    name: bytes,
    size: int | bytes = 0,
    kind: bytes = b"0",
    *,
    magic: bytes = POSIX,
    prefix: bytes = b"",
    link: bytes = b"",
    tail: bytes = b"",
    mode: bytes = b"0000644\0",
) -> bytes:
    """Return one tar header; `size` as bytes goes in as it is, `tail` stands right behind the prefix."""
    number = size if isinstance(size, bytes) else f"{size:011o}\0".encode()
    block = name.ljust(100, b"\0")[:100] + mode + b"0000000\0" * 2
    block += (
        number.ljust(12, b"\0")[:12] + b"00000000000\0" + bytes(8) + kind + link.ljust(100, b"\0")[:100]
    )
    block += magic + bytes(80) + prefix.ljust(155, b"\0")[:155] + tail.ljust(12, b"\0")
    return with_checksum(block)


def entry(
    name: bytes,
    content: bytes = b"",
    kind: bytes = b"0",
    *,
    size: int | bytes | None = None,
    magic: bytes = POSIX,
    prefix: bytes = b"",
    link: bytes = b"",
    tail: bytes = b"",
) -> bytes:
    """Return a header and its padded content."""
    number = len(content) if size is None else size
    head = header(name, number, kind, magic=magic, prefix=prefix, link=link, tail=tail)
    return head + content + bytes(-len(content) % 512)


def record(key: bytes, value: bytes) -> bytes:
    """Return one PAX record."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return str(length).encode() + b" " + key + b"=" + value + b"\n"


def pax(records: Mapping[bytes, bytes] | bytes, kind: bytes = b"x") -> bytes:
    """Return an extended header, of records or of raw bytes."""
    data = records if isinstance(records, bytes) else b"".join(record(*item) for item in records.items())
    return entry(b"PaxHeaders/x", data, kind)


def long_name(name: bytes, kind: bytes = b"L") -> bytes:
    """Return GNU's header of a long name, or of a long link target."""
    return entry(b"././@LongLink", name + b"\0", kind, magic=GNU)


def tar(*parts: bytes, end: bytes = END) -> bytes:
    """Return an archive."""
    return b"".join(parts) + end
