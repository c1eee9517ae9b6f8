"""HTTP/1.1 request heads as the embedded host reads them: pure, bounded by the caller, strict.

The one path rule: what stands between the target's first `/` and its first `?` is percent-decoded
once, as UTF-8. There is no normalisation: `//`, `/./` and `/../` stay as they are, and so name nothing
that a host lists. Whatever RFC 9112 lets a server guess at is an error here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([!-~]+) HTTP/([0-9])\.([0-9])")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class BadRequest(Exception):
    """A client sent something that is not answered with a file; never leaves the host."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One request head. All of it is the client's word."""

    method: str
    """As sent; methods are case-sensitive."""
    target: str
    """As sent: visible ASCII, `/path?query` or, to a proxy, a whole URL."""
    path: str | None
    """Decoded by the one path rule, without query; None where `target` does not begin with `/`."""
    headers: Mapping[str, str]
    """Lower-case names; repeated ones joined by `, `; values as Latin-1."""
    keep_alive: bool
    """Whether the client would send another request on this connection."""
    body_size: int | None
    """Bytes that follow the head; None for a transfer coding, whose length is unknown."""


def parse_request(head: bytes) -> Request:
    """Read a request head, blank line included; raise `BadRequest`, and nothing else, on bad input."""
    if not head.endswith((b"\r\n\r\n", b"\n\n")):
        raise BadRequest(400, "the request head does not end in a blank line")
    first, *lines = [line.removesuffix(b"\r") for line in head.split(b"\n")[:-2]]
    words = _REQUEST_LINE.fullmatch(first)
    if words is None:
        raise BadRequest(400, "the request line is malformed")
    method, target, major, minor = (word.decode("ascii") for word in words.groups())
    if major != "1":
        raise BadRequest(505, f"HTTP/{major}.{minor} is not spoken here")
    headers: dict[str, str] = {}
    for line in lines:
        match = _HEADER.fullmatch(line)
        if match is None or _CONTROL.search(line):
            raise BadRequest(400, "a header line is malformed")
        name, value = match[1].decode("ascii").lower(), match[2].decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if minor != "0" and "host" not in headers:
        raise BadRequest(400, "the Host header is missing")
    options = {option.strip().lower() for option in headers.get("connection", "").split(",")}
    keep_alive = minor != "0" and "close" not in options
    path = decode_path(target) if target.startswith("/") else None
    return Request(method, target, path, headers, keep_alive, _body_size(headers))


def decode_path(target: str) -> str:
    """Return the path of an origin-form target by the one path rule; raises `BadRequest` only."""
    raw = target.partition("?")[0]
    if _BAD_PERCENT.search(raw):
        raise BadRequest(400, "a percent sign is not followed by two hexadecimal digits")
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeError as error:
        raise BadRequest(400, "the path is not UTF-8") from error


def parse_range(header: str, size: int) -> range | None:
    """Return the bytes of a file of `size` bytes that a Range header asks for.

    None means the whole file: several ranges, other units and malformed headers may be ignored
    (RFC 9110 §14.2). An empty range means that no byte of the file is in it, which is status 416.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        return range(max(0, size - int(match[2])), size)
    first = int(match[1])
    last = int(match[2]) if match[2] else size - 1
    if match[2] and last < first:
        return None
    return range(min(first, size), min(last + 1, size))


def _body_size(headers: Mapping[str, str]) -> int | None:
    if "transfer-encoding" in headers:
        return None
    text = headers.get("content-length", "0")
    if re.fullmatch(r"[0-9]{1,18}", text) is None:
        raise BadRequest(400, "the Content-Length header is malformed")
    return int(text)
