from __future__ import annotations

import threading
from collections.abc import Callable
from email.utils import formatdate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import Refused, Unreachable
from binstall.limits import MAX_RETRY_WAIT_SECONDS, MAX_TRIES
from binstall.net.answers import content_length, content_range, is_same_place, strong_etag
from binstall.net.retry import Patience, Timing, TryAgain, retry_after
from binstall.progress import Silent

NOW = 1_800_000_000.0


class Told(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, words: str) -> None:
        self.warnings.append(words)


def waits_of(failure: Callable[[], Exception], *, jitter: float = 0.5) -> tuple[list[float], list[str]]:
    """Fail again and again; return the waits and the warnings."""
    waits: list[float] = []
    told = Told()
    timing = Timing(lambda: NOW, lambda _, seconds: waits.append(seconds), lambda: jitter)

    def attempt() -> None:
        raise failure()

    with pytest.raises((Refused, Unreachable)):
        Patience(timing, told, threading.Event()).until_settled(attempt)
    return waits, told.warnings


def refused(asked: str | None) -> Callable[[], Exception]:
    return lambda: TryAgain(Refused("no", url="https://h/x?t=s", status=503), "503", asked)


def test_waits_grow_and_tries_end() -> None:
    waits, warnings = waits_of(refused(None))
    assert waits == [0.5, 1, 2, 4]
    assert len(waits) == MAX_TRIES - 1
    assert warnings[0] == "https://h/x?t=…: 503, trying again in 0.5 s"


def test_waits_are_spread_by_chance() -> None:
    assert waits_of(refused(None), jitter=0.0)[0] == [0.25, 0.5, 1, 2]
    assert waits_of(refused(None), jitter=0.99)[0][0] > 0.7


def test_a_longer_retry_after_is_kept_to() -> None:
    waits, warnings = waits_of(refused("2"))
    assert waits == [2, 2, 2, 4]
    assert warnings[0].endswith("503, trying again in 2.0 s")


def test_all_waits_together_stay_under_the_bound() -> None:
    assert waits_of(refused("25"))[0] == [25, 25]
    assert waits_of(refused("60"))[0] == [60]
    assert waits_of(refused("61"))[0] == []
    assert MAX_RETRY_WAIT_SECONDS == 60


def test_a_dropped_connection_is_tried_again_and_a_final_failure_is_not() -> None:
    assert len(waits_of(lambda: Unreachable("gone", url="https://h/", transient=True))[0]) == 4
    assert waits_of(lambda: Unreachable("gone", url="https://h/"))[0] == []


def test_nothing_is_waited_for_once_the_transfer_is_stopped() -> None:
    stopping = threading.Event()
    stopping.set()

    def attempt() -> None:
        raise Unreachable("gone", transient=True)

    timing = Timing(lambda: NOW, lambda *_: pytest.fail("waited"), lambda: 0.5)
    with pytest.raises(Unreachable):
        Patience(timing, Silent(), stopping).until_settled(attempt)


def test_the_real_pause_ends_when_the_transfer_is_stopped() -> None:
    stopping = threading.Event()
    timer = threading.Timer(0.05, stopping.set)
    timer.start()
    Timing().pause(stopping, 60.0)
    timer.join()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("7", 7),
        (" 7 ", 7),
        ("1, 9", 9),
        ("-5", 0),
        ("1.5", 0),
        ("soon", 0),
        ("9" * 400, 0),
        (formatdate(NOW + 30, usegmt=True), 30),
        (formatdate(NOW - 30, usegmt=True), 0),
        ("Wed, 99 Foo 2015 07:28:00 GMT", 0),
        ("٣", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str | None, seconds: float) -> None:
    assert retry_after(text, NOW) == seconds


@settings(max_examples=1000, deadline=None)
@given(
    text=st.one_of(
        st.text(),
        st.from_regex(
            r"[A-Z][a-z]{2}, [0-9]{1,6} [A-Z][a-z]{2} [0-9]{1,9} [0-9:]{1,12} (GMT|[+-][0-9]{1,9})"
        ),
    )
)
def test_any_retry_after_is_a_number_that_is_not_negative(text: str) -> None:
    assert retry_after(text, NOW) >= 0


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("0", 0),
        ("12", 12),
        (" 12", 12),
        ("-1", None),
        ("1, 1", None),
        ("", None),
        ("9" * 30, None),
        ("٣", None),
    ],
)
def test_a_length_is_decimal_digits(text: str, length: int | None) -> None:
    assert content_length({"content-length": text}) == length
    assert content_length({}) is None


@pytest.mark.parametrize(
    ("text", "etag"),
    [
        ('"a"', '"a"'),
        ('W/"a"', None),
        ("a", None),
        ('""', None),
        ('"a" "b"', None),
        ('"ä"', None),
        ('"a\n"', None),
    ],
)
def test_only_a_strong_etag_counts(text: str, etag: str | None) -> None:
    assert strong_etag({"etag": text}) == etag


@settings(max_examples=1000, deadline=None)
@given(
    text=st.one_of(
        st.text(), st.from_regex(r"bytes ?[0-9*]{0,25}-[0-9]{0,25}/[0-9*]{0,25}", fullmatch=True)
    )
)
def test_any_content_range_is_three_numbers_or_nothing(text: str) -> None:
    part = content_range({"content-range": text, "content-length": text, "etag": text})
    assert part is None or f"bytes {part.start}-{part.end}/{part.total}".replace(
        "0", ""
    ) == text.strip().replace("0", "")


def test_signed_redirects_lead_to_the_same_place() -> None:
    assert is_same_place("https://h/x?a=1", "https://h/x?a=2#y")
    assert not is_same_place("https://h/x?a=1", "https://h/y?a=1")
    assert not is_same_place("https://h/x", "https://h:1/x")
