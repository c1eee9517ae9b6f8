"""What an answer means, read from its status and headers. Pure.

    200, 203            the file
    206                 the rest of the file, where exactly that was asked for
    404, 410            absent
    408, 429, 5xx*      worth another try; * 500, 502, 503 and 504
    anything else       refused

A refusal counts as *rate limited* when the status is 429, or `Retry-After` or `x-ratelimit-remaining: 0`
comes with it: it then says nothing about the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from binstall.errors import Absent, Refused
from binstall.net.fetcher import Response
from binstall.text import without_secrets

COMPLETE: Final = frozenset({200, 203})
ABSENT: Final = frozenset({404, 410})
RETRIED: Final = frozenset({408, 429, 500, 502, 503, 504})

_LENGTH = re.compile(r"[0-9]{1,18}\Z")
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})\Z")
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{1,256}"\Z')
_SHOWN_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class ContentRange:
    """`Content-Range: bytes START-END/TOTAL`, in bytes; END is the last byte that is sent."""

    start: int
    end: int
    total: int


def content_length(headers: Mapping[str, str]) -> int | None:
    """Return the announced length of the body in bytes, or None where there is none."""
    text = headers.get("content-length", "").strip()
    return int(text) if _LENGTH.match(text) else None


def content_range(headers: Mapping[str, str]) -> ContentRange | None:
    """Return what part of the file a 206 sends, or None where it is not said in full."""
    match = _CONTENT_RANGE.match(headers.get("content-range", "").strip())
    return None if match is None else ContentRange(*map(int, match.groups()))


def strong_etag(headers: Mapping[str, str]) -> str | None:
    """Return the `ETag` if it is a strong one, which alone stands for the same bytes."""
    text = headers.get("etag", "").strip()
    return text if _STRONG_ETAG.match(text) else None


def is_same_place(one: str, other: str) -> bool:
    """Tell whether two URLs differ at most in query and fragment, as signed redirects do."""
    return _place(one) == _place(other)


def _place(url: str) -> str:
    return url.partition("#")[0].partition("?")[0]


def failure(response: Response, asked: str, what: str) -> Absent | Refused:
    """Return the error for an answer that is not the file; `what` names what was asked for."""
    shown = without_secrets(asked)[:_SHOWN_CHARACTERS]
    final = without_secrets(response.url)[:_SHOWN_CHARACTERS]
    who = "the server" if is_same_place(final, shown) else final
    message = f"asked for {what} at {shown}, and {who} answered {response.status}"
    if response.status in ABSENT:
        return Absent(message, url=asked)
    headers = response.headers
    rate_limited = (
        response.status == 429
        or "retry-after" in headers
        or headers.get("x-ratelimit-remaining", "").strip() == "0"
    )
    hint = None
    if rate_limited:
        hint = "the server limits how often it may be asked; try again later"
    elif response.status in (401, 403):
        hint = "the server wants to know who asks, or does not let anybody have it"
    elif response.status in RETRIED:
        hint = "the server is in trouble of its own; try again later"
    return Refused(
        message,
        url=asked,
        status=response.status,
        rate_limited=rate_limited,
        challenge=headers.get("www-authenticate", ""),
        hint=hint,
    )
