"""How often requests may begin: `MS` or `MS/COUNT`, cargo-binstall's `--rate-limit`.

At most COUNT requests begin in a period of MS milliseconds; a period starts with the first request in it.
Redirects that are followed, and further tries, count as what they are: the latter as requests of their own.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from binstall.errors import Unreachable, UsageError
from binstall.net.fetcher import NO_HEADERS, Fetcher, Response

_FORM: Final = re.compile(r"(?P<ms>[0-9]{1,5})(?:/(?P<count>[0-9]{1,20}))?\Z")
_MAX_MS: Final = 65_535
_MAX_COUNT: Final = 2**64 - 1


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How many requests may begin, and in which time."""

    count: int
    """At least 1."""
    seconds: float
    """More than 0."""


def parse_rate_limit(text: str) -> RateLimit:
    """Read `MS` or `MS/COUNT`; raise `UsageError`, and nothing else, if it is neither."""
    match = _FORM.match(text)
    ms, count = (int(match["ms"]), int(match["count"] or 1)) if match else (0, 0)
    if not (1 <= ms <= _MAX_MS and 1 <= count <= _MAX_COUNT):
        raise UsageError(
            f"`{text[:80]}` is no rate limit",
            hint="milliseconds from 1 to 65535, then perhaps a slash and how many requests: 10 or 50/5",
        )
    return RateLimit(count, ms / 1000)


class PacedFetcher:
    """Fetcher that lets another one's requests begin no faster than a limit."""

    def __init__(
        self, fetcher: Fetcher, limit: RateLimit, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetcher = fetcher
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._begin = float("-inf")
        """When the period under way began."""
        self._used = 0
        """How many of its requests are spoken for."""

    def open(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] = NO_HEADERS,
        body: bytes | None = None,
    ) -> AbstractContextManager[Response]:
        """Wait until it is this request's turn, then ask; see `Fetcher.open`."""
        if self._closed.wait(self._turn()):
            raise Unreachable("the client was closed", url=url)
        return self._fetcher.open(url, method=method, headers=headers, body=body)

    def close(self) -> None:
        """Close the other one; whoever waits for a turn fails."""
        self._closed.set()
        self._fetcher.close()

    def _turn(self) -> float:
        """Return the seconds until the caller may begin."""
        with self._lock:
            now = self._clock()
            if now >= self._begin + self._limit.seconds:
                self._begin, self._used = now, 0
            elif self._used == self._limit.count:
                self._begin, self._used = self._begin + self._limit.seconds, 0
            self._used += 1
            return max(0.0, self._begin - now)
