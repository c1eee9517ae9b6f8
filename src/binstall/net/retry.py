"""When a failed question is asked again, and after how long.

At most MAX_TRIES tries, with waits of about 0.5, 1, 2 and 4 seconds, each up to half shorter or longer so
that many clients do not come back at once; a longer `Retry-After` is kept to. All waits of one transfer
together stay under MAX_RETRY_WAIT_SECONDS: a server that asks for more has refused. `Retry-After` on an
answer that is no failure means nothing.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, TypeVar

from binstall.errors import RemoteError, Unreachable
from binstall.limits import MAX_RETRY_WAIT_SECONDS, MAX_TRIES
from binstall.net.answers import RETRIED, failure
from binstall.net.fetcher import Response
from binstall.progress import Progress
from binstall.text import without_secrets

_FIRST_WAIT_SECONDS: Final = 0.5
_SECONDS = re.compile(r"[0-9]{1,9}\Z")
_T = TypeVar("_T")


def _pause(stopping: threading.Event, seconds: float) -> None:
    stopping.wait(seconds)


@dataclass(frozen=True, slots=True)
class Timing:
    """Clock, sleep and chance."""

    now: Callable[[], float] = time.time
    """Seconds since 1970, UTC."""
    pause: Callable[[threading.Event, float], None] = _pause
    """Sleep for so many seconds, or until the event is set."""
    jitter: Callable[[], float] = random.random
    """A number of at least 0 and under 1."""


class TryAgain(Exception):
    """A failure that may be another try's success; never leaves `Patience`."""

    def __init__(self, error: RemoteError, reason: str, asked: str | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        """What to raise if there is no other try."""
        self.reason = reason
        """A few words for the user."""
        self.asked = asked
        """`Retry-After` as it came."""


def expect(response: Response, statuses: Collection[int], asked: str, what: str) -> None:
    """Return if the answer to `asked` has one of `statuses`.

    Raises:
        Absent, Refused: the answer is final.
        TryAgain: another try may do better.
    """
    if response.status in statuses:
        return
    error = failure(response, asked, what)
    if response.status in RETRIED:
        raise TryAgain(error, str(response.status), response.headers.get("retry-after"))
    raise error


class Patience:
    """How much trying is left in one transfer."""

    def __init__(self, timing: Timing, progress: Progress, stopping: threading.Event) -> None:
        self._timing = timing
        self._progress = progress
        self._stopping = stopping
        self._tries = 1
        self._waited = 0.0

    def until_settled(self, attempt: Callable[[], _T]) -> _T:
        """Call `attempt` until it returns, fails for good or patience ends.

        Raises:
            RemoteError: the last failure. Whatever else `attempt` raises comes out at once.
        """
        while True:
            try:
                return attempt()
            except TryAgain as again:
                error, reason = again.error, again.reason
                asked = retry_after(again.asked, self._timing.now())
            except Unreachable as unreachable:
                if not unreachable.transient:
                    raise
                error, reason, asked = unreachable, unreachable.message, 0.0
            if self._stopping.is_set() or not self._wait(error.url, reason, asked):
                raise error

    def _wait(self, url: str, reason: str, asked: float) -> bool:
        seconds = _FIRST_WAIT_SECONDS * 2 ** (self._tries - 1) * (0.5 + self._timing.jitter())
        seconds = max(seconds, asked)
        if self._tries >= MAX_TRIES or self._waited + seconds > MAX_RETRY_WAIT_SECONDS:
            return False
        self._tries += 1
        self._waited += seconds
        shown = without_secrets(url)
        words = reason if shown in reason else f"{shown}: {reason}"
        self._progress.warn(f"{words}, trying again in {seconds:.1f} s")
        self._timing.pause(self._stopping, seconds)
        return True


def retry_after(text: str | None, now: float) -> float:
    """Return the seconds that a `Retry-After` asks to wait, 0 where it asks for nothing sensible.

    It is a number of seconds or an HTTP date (RFC 9110, section 10.2.3); of several the last counts.
    """
    if not text:
        return 0.0
    last = text.rpartition(", ")[2].strip()
    if _SECONDS.match(last):
        return float(last)
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(text.strip()).timestamp() - now)
    except (ValueError, TypeError, OverflowError, IndexError):
        return 0.0
