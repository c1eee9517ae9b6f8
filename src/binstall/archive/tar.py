"""Tar archives, read once from front to back: ustar, GNU, PAX and the old format.

Own reader, because Python's `tarfile` takes a damaged or truncated header after the first member for the
end of the archive, keeps every member in memory, and reads in its own way what the next reader reads in
another. Here an archive ends with its end mark (a block of NUL, then nothing but NUL) or, as some tools
write it, exactly behind a member; anything else is an error.

Every way in which a header may change the next one is used once and alone or refused: a PAX size counts
for the content of the member and must be the header's unless that cannot hold it (readers that skipped
by one of the two read other archives inside this one); PAX and GNU headers are not mixed; global headers
may not name or size members; kinds without content declare none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from binstall.archive.listing import Kind, Listing, quoted
from binstall.archive.tar_headers import (
    BLOCK_BYTES,
    OCTAL_SIZE_LIMIT,
    Header,
    decides_bytes,
    goes_on,
    parse_header,
    parse_pax,
    pax_size,
)
from binstall.errors import ArchiveError
from binstall.limits import MAX_MEMBER_NAME_BYTES, MAX_PAX_HEADER_BYTES, MAX_UNPACKED_BYTES

Keep = Callable[[str, int, Iterator[memoryview]], None]
"""Takes a wanted file: its name as asked for, its size in bytes, and its content, to be used up."""

_KINDS: Final = {
    b"0": Kind.FILE,
    b"\0": Kind.FILE,
    b"1": Kind.HARD_LINK,
    b"2": Kind.SYMLINK,
    b"3": Kind.DEVICE,
    b"4": Kind.DEVICE,
    b"5": Kind.FOLDER,
    b"6": Kind.PIPE,
    b"7": Kind.CONTIGUOUS,
    b"S": Kind.SPARSE,
}
_WITHOUT_CONTENT: Final = {Kind.HARD_LINK, Kind.SYMLINK, Kind.DEVICE, Kind.FOLDER, Kind.PIPE}


class _Stream:
    """The unpacked bytes, handed on in the pieces in which they come."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def take(self, limit: int) -> memoryview:
        """Return at least one and at most `limit` bytes; none only at the end."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return self._rest
            self._rest = memoryview(piece)
        taken, self._rest = self._rest[:limit], self._rest[limit:]
        return taken

    def content(self, size: int, name: bytes) -> Iterator[memoryview]:
        """Yield exactly `size` bytes; raise ArchiveError when the archive ends before."""
        while size:
            piece = self.take(size)
            if not piece:
                raise ArchiveError(f"the archive ends inside {quoted(name)}")
            size -= len(piece)
            yield piece

    def block(self) -> bytes:
        """Return the next block; less than a block, or nothing, only at the end."""
        block = bytes(self.take(BLOCK_BYTES))
        while len(block) < BLOCK_BYTES and (more := self.take(BLOCK_BYTES - len(block))):
            block += more
        return block


@dataclass(slots=True)
class _Overrides:
    """What the headers before a member say about it."""

    pax: dict[bytes, bytes] | None = None
    gnu: dict[bytes, bytes] = field(default_factory=dict)
    """Long name under b"L", long link target under b"K"."""

    def __bool__(self) -> bool:
        return self.pax is not None or bool(self.gnu)


def read_tar(pieces: Iterator[bytes], listing: Listing, keep: Keep) -> None:
    """Enter every member into `listing`, and hand the wanted ones to `keep`.

    Raises ArchiveError for a bad archive, and what `pieces` and `keep` raise.
    """
    stream = _Stream(pieces)
    before = _Overrides()
    while block := stream.block():
        if len(block) < BLOCK_BYTES:
            raise ArchiveError("the archive ends inside a header")
        if not any(block):
            _check_end(stream)
            break
        listing.count()
        header = parse_header(block)
        if header.type in b"gxXLK":
            _read_override(stream, header, before)
            continue
        names, kind, size = _member(header, before)
        before = _Overrides()
        _skip_extents(stream, header, listing)
        asked = listing.enter(names, kind, size)
        content = stream.content(size, names[0])
        if asked is not None:
            keep(asked, size, content)
        _use_up(content)
        _use_up(stream.content(-size % BLOCK_BYTES, names[0]))
    if before:
        raise ArchiveError("the archive ends behind a header that belongs to a member to come")


def _use_up(content: Iterator[memoryview]) -> None:
    for _ in content:
        pass


def _check_end(stream: _Stream) -> None:
    while piece := stream.take(MAX_UNPACKED_BYTES):
        if bytes(piece).count(0) != len(piece):
            raise ArchiveError("the archive goes on after its end mark")


def _skip_extents(stream: _Stream, header: Header, listing: Listing) -> None:
    more = header.continues
    while more:
        listing.count()
        extents = stream.block()
        if len(extents) < BLOCK_BYTES:
            raise ArchiveError(f"the archive ends inside {quoted(header.name)}")
        more = goes_on(extents)


def _read_override(stream: _Stream, header: Header, before: _Overrides) -> None:
    """Read the content of a header of type g, x, X, L or K into `before`."""
    is_gnu = header.type in b"LK"
    limit, name = MAX_PAX_HEADER_BYTES, "MAX_PAX_HEADER_BYTES"
    if is_gnu:
        limit, name = MAX_MEMBER_NAME_BYTES, "MAX_MEMBER_NAME_BYTES"
    if header.size > limit:
        raise ArchiveError(
            f"the archive has an extended header of {header.size} bytes, more than {limit} ({name})"
        )
    data = b"".join(stream.content(header.size, header.name))
    _use_up(stream.content(-header.size % BLOCK_BYTES, header.name))
    if header.type == b"g":
        decisive = [key for key in parse_pax(data) if decides_bytes(key)]
        if before or decisive:
            raise ArchiveError("the archive has a global header that changes the members behind it")
    elif is_gnu:
        if before.pax is not None or header.type in before.gnu:
            raise ArchiveError("the archive has two extended headers for one member")
        before.gnu[header.type] = data.rstrip(b"\0")
    else:
        if before:
            raise ArchiveError("the archive has two extended headers for one member")
        before.pax = parse_pax(data)


def _member(header: Header, before: _Overrides) -> tuple[tuple[bytes, ...], Kind, int]:
    """Return the names, the kind and the content's size of the member that `header` begins."""
    pax = before.pax or {}
    name = pax.get(b"path", before.gnu.get(b"L", header.name))
    names = (name, pax[b"GNU.sparse.name"]) if b"GNU.sparse.name" in pax else (name,)
    size = header.size
    if b"size" in pax:
        size = pax_size(pax[b"size"])
        if size != header.size and size < OCTAL_SIZE_LIMIT:
            raise ArchiveError(
                f"two headers of {quoted(name)} give its size as {header.size} and as {size} bytes"
            )
    if size > MAX_UNPACKED_BYTES:
        raise ArchiveError(
            f"{quoted(name)} has {size} bytes, more than {MAX_UNPACKED_BYTES} (MAX_UNPACKED_BYTES)"
        )
    kind = _KINDS.get(header.type, Kind.OTHER)
    if any(key.startswith(b"GNU.sparse.") for key in pax):
        kind = Kind.SPARSE
    if kind is Kind.FILE and name.endswith(b"/"):
        kind = Kind.FOLDER
    if size and kind in _WITHOUT_CONTENT:
        raise ArchiveError(f"{quoted(name)} is a {kind} with {size} bytes of content in the archive")
    return names, kind, size
