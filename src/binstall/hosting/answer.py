"""What the embedded host says: a listed file, whole or in part, or a status. Pure but for `stat`.

Validators are strong: the SHA-256 of content held in memory; size, modification time and inode of a
file on disk, checked again on the open file before a byte of it is sent.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from binstall.hosting.request import Request, parse_range


@dataclass(frozen=True, slots=True)
class FileSlice:
    """A part of a file on disk, opened when it is sent."""

    path: Path
    etag: str
    """Of the file when the answer was made; another by then means another file, which is not sent."""
    start: int
    """Bytes from the beginning of the file."""
    size: int
    """Bytes to send."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, with the faults that a test may want in it."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    """Lower-case names. Content-Length is added unless it, or Transfer-Encoding, is here."""
    body: bytes | FileSlice = b""
    """Sent as it is, so that a test may write its own chunk framing; not sent for HEAD."""
    truncate_after: int | None = None
    """Break the connection after so many bytes of the body; the announced length stays."""
    delay_seconds: float = 0.0
    delay_after: int | None = None
    """Where to wait: after so many bytes of the body; None for before the status line."""
    drop: bool = False
    """Break the connection without a word."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One listed file."""

    content: bytes | Path
    content_type: str = "application/octet-stream"
    etag: str = ""
    """In quotes; empty for a file on disk, which is looked at for every request."""

    @classmethod
    def of(cls, content: bytes | Path, content_type: str = "application/octet-stream") -> Entry:
        """Make an entry with its validator; a Path is read when it is asked for, not now."""
        if isinstance(content, Path):
            return cls(content, content_type)
        return cls(content, content_type, f'"{hashlib.sha256(content).hexdigest()}"')


def answer_for(entry: Entry | None, request: Request) -> Answer:
    """Answer GET and HEAD of a listed file; 404, 405 or 416 for the rest."""
    if entry is None:
        return plain(404, "no such file is listed here")
    if request.method not in ("GET", "HEAD"):
        return plain(405, "only GET and HEAD are answered", {"allow": "GET, HEAD"})
    etag, size = entry.etag, len(entry.content) if isinstance(entry.content, bytes) else 0
    if isinstance(entry.content, Path):
        try:
            etag, size = file_state(entry.content.stat())
        except OSError:
            return plain(404, "the listed file has gone")
    headers = {"content-type": entry.content_type, "etag": etag, "accept-ranges": "bytes"}
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if known & {etag, "*"}:
        return Answer(304, {"etag": etag})
    wanted = None
    if request.method == "GET" and request.headers.get("if-range", etag) == etag:
        wanted = parse_range(request.headers.get("range", ""), size)
    if wanted is None:
        return Answer(200, headers, _part(entry, etag, range(size)))
    if not wanted:
        return plain(416, "no byte of the file is in this range", {"content-range": f"bytes */{size}"})
    headers["content-range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{size}"
    return Answer(206, headers, _part(entry, etag, wanted))


def plain(status: int, words: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer that is one line of text."""
    return Answer(status, {"content-type": "text/plain", **(headers or {})}, f"{words}\n".encode())


def file_state(found: os.stat_result) -> tuple[str, int]:
    """Return the validator and the size of a file on disk."""
    return f'"{found.st_size:x}-{found.st_mtime_ns:x}-{found.st_ino:x}"', found.st_size


def _part(entry: Entry, etag: str, wanted: range) -> bytes | FileSlice:
    if isinstance(entry.content, Path):
        return FileSlice(entry.content, etag, wanted.start, len(wanted))
    return entry.content[wanted.start : wanted.stop]
