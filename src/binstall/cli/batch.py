"""Many crates looked for at once, told one after another in the order of their names.

    threads of `Crew`     find and prepare one crate each; nobody waits for another one's answers
    main thread           takes the results in order, and alone prints results, asks and places
    `Turns`               holds back what is said about a crate until those before it are done

What a thread does it does in the run's private folder. If the run ends early, by an error or a signal, the
transfers are stopped, downloaded files are closed under the feet of whoever still unpacks one, and the
threads are waited for, so that the folder can be removed behind them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

from binstall.install.signals import despite_signals
from binstall.net.transfers import wait
from binstall.net.workers import Job, Workers
from binstall.progress import Progress, Transfer

_T = TypeVar("_T")
_R = TypeVar("_R")
_END_SECONDS: Final = 10.0
"""How long threads of a run that has ended may still be busy; their folder is then left to the next run."""
_POLL_SECONDS: Final = 0.02


class Turns:
    """Progress that lets one crate speak at a time; threads that work for none speak at once."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._speaker = threading.local()
        self._turn = 0
        """Number of the crate that is dealt with; crates before it are done."""
        self._held: dict[int, list[tuple[Callable[[str], None], str]]] = {}

    @contextmanager
    def speaking_for(self, number: int) -> Iterator[None]:
        """What the current thread says is about the crate of this number, counted from 0."""
        self._speaker.number = number
        try:
            yield
        finally:
            self._speaker.number = None

    def give(self, number: int) -> None:
        """Tell what was held back about this crate, and let it speak from now on."""
        with self._lock:
            self._turn = number
            for say, words in self._held.pop(number, ()):
                say(words)

    def stage(self, words: str) -> None:
        """Tell that a stage has ended, or keep that for later."""
        self._say(self._progress.stage, words)

    def detail(self, words: str) -> None:
        """Tell a curious reader, now or later."""
        self._say(self._progress.detail, words)

    def warn(self, words: str) -> None:
        """Tell what the user should know, now or later."""
        self._say(self._progress.warn, words)

    def transfer(self, label: str, size: int | None) -> Transfer:
        """Show a download, of whichever crate."""
        return self._progress.transfer(label, size)

    def _say(self, say: Callable[[str], None], words: str) -> None:
        number: int | None = getattr(self._speaker, "number", None)
        with self._lock:
            if number is not None and number > self._turn:
                self._held.setdefault(number, []).append((say, words))
            else:
                say(words)


class Crew(Generic[_T]):
    """Threads that do `work` for each item; a context manager, which none of them survives.

    One item needs no thread: its work is done where its result is asked for.
    """

    def __init__(
        self,
        items: Sequence[_T],
        turns: Turns,
        *,
        at_once: int,
        interrupt: Callable[[], None],
    ) -> None:
        """`interrupt` makes work under way fail soon; it is called, perhaps twice, if a run ends early."""
        self._items = items
        self._turns = turns
        self._interrupt = interrupt
        self._workers = Workers(at_once)
        self._busy = 0
        self._lock = threading.Lock()

    def results(self, work: Callable[[_T], _R]) -> Iterator[tuple[_T, Callable[[], _R]]]:
        """Begin all work; yield, in the items' order, each item and a call that waits for its result.

        The call raises what `work` raises.
        """
        if len(self._items) == 1:
            item = self._items[0]
            yield item, partial(work, item)
            return
        jobs = [self._start(number, item, work) for number, item in enumerate(self._items)]
        for number, (item, job) in enumerate(zip(self._items, jobs, strict=True)):
            self._turns.give(number)
            yield item, partial(wait, job)

    def _start(self, number: int, item: _T, work: Callable[[_T], _R]) -> Job[_R]:
        def task(job: Job[_R]) -> _R:
            del job
            with self._lock:
                self._busy += 1
            try:
                with self._turns.speaking_for(number):
                    return work(item)
            finally:
                with self._lock:
                    self._busy -= 1

        return self._workers.start(task)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        despite_signals(self._end if kind is None else self._end_early)

    def _end(self) -> None:
        self._workers.stop(lambda: None)

    def _end_early(self) -> None:
        self._workers.stop(self._interrupt)
        deadline = time.monotonic() + _END_SECONDS
        while self._busy and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
