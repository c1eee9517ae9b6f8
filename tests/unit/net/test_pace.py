from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import Unreachable, UsageError
from binstall.net.fetcher import NO_HEADERS, Response
from binstall.net.pace import PacedFetcher, RateLimit, parse_rate_limit


class Instant:
    """Fetcher that answers at once, and keeps when it was asked."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.closed = False

    @contextmanager
    def open(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] = NO_HEADERS,
        body: bytes | None = None,
    ) -> Iterator[Response]:
        del method, body
        self.times.append(time.monotonic())
        yield SimpleNamespace(status=200, url=url, headers=headers, chunks=lambda: iter(()))

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("text", "count", "seconds"),
    [
        ("1", 1, 0.001),
        ("10", 1, 0.01),
        ("10/1", 1, 0.01),
        ("65535/18446744073709551615", 2**64 - 1, 65.535),
    ],
)
def test_a_rate_is_milliseconds_and_perhaps_a_count(text: str, count: int, seconds: float) -> None:
    assert parse_rate_limit(text) == RateLimit(count, seconds)


@pytest.mark.parametrize(
    "text",
    ["", "0", "0/1", "10/0", "65536", "10/18446744073709551616", "-1", "1.5", " 1", "1/", "/1", "1/2/3"],
)
def test_anything_else_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="rate limit"):
        parse_rate_limit(text)


@settings(max_examples=1000, deadline=None)
@given(st.text(max_size=40) | st.from_regex(r"\A[0-9/]{1,24}\Z"))
def test_whatever_stands_there_is_a_rate_or_a_usage_error(text: str) -> None:
    try:
        found = parse_rate_limit(text)
    except UsageError:
        return
    assert found.count >= 1
    assert 0 < found.seconds < 66


def test_no_period_holds_more_requests_than_it_may() -> None:
    inner = Instant()
    fetcher = PacedFetcher(inner, RateLimit(3, 0.1))

    def ask() -> None:
        with fetcher.open("https://h/"):
            pass

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = sorted(inner.times)
    assert len(times) == 10
    assert times[9] - times[0] >= 0.29
    assert all(later - earlier > 0.05 for earlier, later in zip(times, times[6:], strict=False))


def test_who_waits_for_a_turn_ends_when_the_fetcher_is_closed() -> None:
    inner = Instant()
    fetcher = PacedFetcher(inner, RateLimit(1, 60.0))
    with fetcher.open("https://h/"):
        pass
    threading.Timer(0.1, fetcher.close).start()
    with pytest.raises(Unreachable, match="closed"), fetcher.open("https://h/"):
        pass
    assert inner.closed
    assert len(inner.times) == 1
