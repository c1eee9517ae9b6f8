"""What one GitHub host knows us by, and how patient it is with us.

Tokens given on the command line or in the environment are used from the first question to the API; others are
looked for when the host has refused an answer without, or with what there was. One that is not accepted is
not used again. Waiting for a rate limit is announced, and all waits of a run together have a bound.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from binstall.limits import MAX_RATE_LIMIT_WAIT_SECONDS
from binstall.net.github_tokens import Token, TokenPlaces, given_tokens, token_variable
from binstall.net.transfers import Errand
from binstall.progress import Progress


class WaitBudget:
    """How long a run may still wait for rate limits, over all hosts."""

    def __init__(self, seconds: float = MAX_RATE_LIMIT_WAIT_SECONDS) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self.spent = 0.0

    def take(self, seconds: float) -> bool:
        """Spend so much, if there is so much."""
        with self._lock:
            if self.spent + seconds > self._seconds:
                return False
            self.spent += seconds
            return True


class Account:
    """One host's tokens and limits. Called from worker threads."""

    def __init__(
        self,
        host: str,
        *,
        option: str | None,
        places: TokenPlaces,
        discover: bool,
        budget: WaitBudget,
        progress: Progress,
    ) -> None:
        self.host = host
        self._discover = discover
        self._places = places
        self._budget = budget
        self._progress = progress
        self._lock = threading.RLock()
        self._usable: list[Token] = []
        """The last one is the one in use."""
        self._seen: set[str] = set()
        self._stopping = threading.Event()
        self._further = self._all_tokens(option)
        self._given = {token.source for token in given_tokens(host, option, places.environment)}
        if self._given:
            self.next_token(None)
        self._paused_until = 0.0
        self.asks_no_more = False
        """Whether the API was given up, for this run."""

    def _all_tokens(self, option: str | None) -> Iterator[Token]:
        yield from given_tokens(self.host, option, self._places.environment)
        if self._discover:
            yield from self._places.discovered(self.host, self._progress.detail, self._stopping)

    @property
    def token(self) -> Token | None:
        """The token in use."""
        with self._lock:
            return self._usable[-1] if self._usable else None

    def next_token(self, after: Token | None) -> bool:
        """Use another token than `after`, and tell whether there is one. May run a program.

        Where somebody else has found one in the meantime, that is it.
        """
        with self._lock:
            if self.token != after:
                return self.token is not None
            for token in self._further:
                if token.value in self._seen:
                    continue
                self._seen.add(token.value)
                self._usable.append(token)
                if token.source not in self._given:
                    self._progress.detail(f"{self.host} is asked with the token of {token.source}")
                return True
            return False

    def reject(self, token: Token) -> None:
        """Never use `token` again: the host does not accept it."""
        with self._lock:
            if token not in self._usable:
                return
            self._usable.remove(token)
        self._progress.warn(
            f"{self.host} does not accept the token of {token.source}; it is not used any more"
        )

    def pause(self, until: float, token: Token | None, errand: Errand) -> bool:
        """Wait until the host answers again, if that is not too long; tell whether it was done."""
        with self._lock:
            now = errand.timing.now()
            seconds = until - max(now, self._paused_until)
            when = time.strftime("%H:%M:%S", time.localtime(until))
            if seconds > 0:
                if not self._budget.take(seconds):
                    self._give_up(when, token)
                    return False
                self._paused_until = until
                self._progress.warn(
                    f"{self.host} answers no more questions {_asker(token)} until {when}; "
                    f"waiting {until - now:.0f} s; {self._remedy(token)}"
                )
            seconds = max(0.0, self._paused_until - now)
        errand.timing.pause(errand.stopping, seconds)
        return not errand.stopping.is_set()

    def _give_up(self, when: str, token: Token | None) -> None:
        if not self.asks_no_more:
            self.asks_no_more = True
            self._progress.warn(
                f"{self.host} answers no more questions {_asker(token)} until {when}, which is longer than "
                f"{MAX_RATE_LIMIT_WAIT_SECONDS:g} s of waiting; asking for each file instead; "
                f"{self._remedy(token)}"
            )

    def give_up(self, why: str) -> None:
        """Ask the API no more in this run."""
        with self._lock:
            if self.asks_no_more:
                return
            self.asks_no_more = True
        self._progress.warn(f"{why}; asking for each file instead")

    def _remedy(self, token: Token | None) -> str:
        variable = token_variable(self.host)
        return (
            f"a token in {variable} lifts the limit"
            if token is None
            else f"{variable} may hold another token"
        )

    def close(self) -> None:
        """End a program that is asked for a token."""
        self._stopping.set()


def _asker(token: Token | None) -> str:
    return "without a token" if token is None else f"with the token of {token.source}"
