"""Which candidates exist, asked several at a time, answered in list order.

The first existing candidate *in the list* wins, whichever server answers first, so the same manifest and
the same hosts always lead to the same package. What a server may say short of "here it is":

    absent       404, 410                           the next candidate
    refused      401, 403 without rate limiting     the next candidate; remembered
    anything else (rate limits, 5xx after the retries, no answer)    ends the search

The last row is an error and not a reason to go on: a host in trouble, or somebody on the line, could
otherwise choose which package is installed.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from typing import TypeVar

from binstall.errors import Absent, NothingFound, Refused, RemoteError, Unreachable
from binstall.limits import RESOLUTION_TIMEOUT_SECONDS
from binstall.net.transfers import wait
from binstall.progress import Progress
from binstall.resolve.candidates import Candidate
from binstall.resolve.prober import Prober
from binstall.text import without_secrets

_T = TypeVar("_T")
_ASKED_AT_ONCE = 8
_WORTH_ASKING = 3
"""From this many candidates on, a short question for each costs less than a failed download."""


def is_plain_refusal(error: RemoteError) -> bool:
    """Tell whether a host said "not for you", which may be its way of saying "not here"."""
    return isinstance(error, Refused) and error.status in {401, 403} and not error.rate_limited


class Bound:
    """How long the questions about one list of candidates may take, announced waits not counted."""

    def __init__(self, prober: Prober, seconds: float = RESOLUTION_TIMEOUT_SECONDS) -> None:
        self.prober = prober
        self._seconds = seconds
        self._begin()

    def _begin(self) -> None:
        self._began = time.monotonic()
        self._announced = self.prober.announced_seconds

    def restart(self) -> None:
        """Begin another list."""
        self._begin()

    def wait(self, future: Future[_T]) -> _T:
        """Return the result of `future`, or raise its error.

        Raises:
            Unreachable: it took longer than it may.
        """
        while True:
            announced = self.prober.announced_seconds
            try:
                return wait(future, until=self._began + self._seconds + announced - self._announced)
            except TimeoutError as error:
                if self.prober.announced_seconds != announced:
                    continue
                future.cancel()
                raise Unreachable(
                    f"asking where the package is took longer than {self._seconds:g} s",
                    hint="--maximum-resolution-timeout SECONDS gives slow hosts more time",
                ) from error


class Search:
    """One walk over the candidates of one crate.

    `by_target` yields the candidates of each target, better targets first. It is asked for a target when
    all before it are exhausted, and what it raises is raised then: a manifest that is wrong about a lesser
    target does not keep a better one from being installed. `problems` grows with it: why there are fewer
    candidates than there might be.
    """

    def __init__(
        self,
        crate: str,
        by_target: Iterable[Sequence[Candidate]],
        bound: Bound,
        progress: Progress,
        *,
        problems: Sequence[str] = (),
        upload_note: str | None = None,
    ) -> None:
        """Walk; `upload_note` says, where it is so, that packages may not be there yet."""
        self._crate = crate
        self._by_target = by_target
        self._seen: list[Candidate] = []
        self._bound = bound
        self._prober = bound.prober
        self._progress = progress
        self._problems = problems
        self._upload_note = upload_note
        self._refusal: Refused | None = None

    def existing(self) -> Iterator[Candidate]:
        """Yield, in list order, the candidates that exist or are quicker tried than asked about.

        The caller reports one that turns out not to be there by `passed_over` and asks for the next.

        Raises:
            Refused, Unreachable: a host could not say whether a candidate exists.
        """
        for candidates in self._by_target:
            self._seen += candidates
            if len(candidates) >= _WORTH_ASKING or any(
                self._prober.asks_first(each.url) for each in candidates
            ):
                yield from self._asked_about(candidates)
            else:
                yield from candidates

    def survey(self) -> Iterator[tuple[Candidate, RemoteError | None]]:
        """Yield every candidate with its answer, in list order; None: it exists. No answer ends the walk."""
        for candidates in self._by_target:
            self._seen += candidates
            yield from self._answers(candidates)

    def _asked_about(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        with closing(self._answers(candidates)) as answers:
            for candidate, error in answers:
                if error is None:
                    yield candidate
                else:
                    self.passed_over(candidate, error)

    def _answers(
        self, candidates: Sequence[Candidate]
    ) -> Generator[tuple[Candidate, RemoteError | None], None, None]:
        asked: deque[tuple[Candidate, Future[None]]] = deque()
        waiting = iter(candidates)
        self._bound.restart()
        try:
            while True:
                while len(asked) < _ASKED_AT_ONCE and (candidate := next(waiting, None)) is not None:
                    asked.append((candidate, self._prober.exists(candidate.url, guessed=candidate.guessed)))
                if not asked:
                    return
                candidate, answer = asked.popleft()
                try:
                    self._bound.wait(answer)
                except RemoteError as error:
                    outcome: RemoteError | None = error
                else:
                    outcome = None
                yield candidate, outcome
        finally:
            for _, answer in asked:
                answer.cancel()

    def passed_over(self, candidate: Candidate, error: RemoteError) -> None:
        """Note why a candidate is not there; raise `error` again if it leaves that open."""
        match error:
            case Absent():
                pass
            case Refused() if is_plain_refusal(error):
                self._refusal = self._refusal or error
            case _:
                raise error
        self._progress.detail(f"{without_secrets(candidate.url)}: {error.message}")

    def failure(self) -> Refused | NothingFound:
        """Return the error for a walk that ended without a package."""
        if self._refusal is not None:
            return self._refusal
        targets = ", ".join(dict.fromkeys(candidate.target.text for candidate in self._seen))
        if self._problems and not self._seen:
            return NothingFound(
                f"{self._crate} has no package that can be asked for: {self._problems[0]}",
                hint="tell the publisher; --pkg-url TEMPLATE goes before the manifest's pkg-url",
            )
        if not self._seen:
            return NothingFound(
                f"{self._crate} declares no pkg-url, and its repository is on no known hosting service",
                hint="pass --pkg-url, or ask the publisher to declare [package.metadata.binstall]",
            )
        first = without_secrets(self._seen[0].url)
        places = len({candidate.url for candidate in self._seen}) - 1
        more = f" and {places} more" if places else ""
        return NothingFound(
            f"{self._crate} has no package for {targets}: nothing at {first}{more}"
            + (f"; {self._upload_note}" if self._upload_note else ""),
            hint="try again later; -v shows each URL"
            if self._upload_note
            else "the publisher may have no build for this machine, or be uploading it; -v shows each URL",
        )
