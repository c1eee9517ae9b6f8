"""A few daemon threads, and futures whose `cancel` reaches them.

`concurrent.futures.ThreadPoolExecutor` waits for its threads when the interpreter ends. These threads may
be inside a call that nothing can interrupt before its time limit (`binstall.net.http`), and a user who
pressed Ctrl-C must not wait for that: a job that does not end soon is given up. Its future then fails, its
file is closed, and its thread ends by itself or with the process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from queue import SimpleQueue
from typing import Any, Final, Protocol, TypeVar

from binstall.errors import Cancelled

_GRACE_SECONDS: Final = 0.5
_T = TypeVar("_T")


class Closable(Protocol):
    """Something to close when a job is given up; from another thread than its own."""

    def close(self) -> None: ...


class Job(Future[_T]):
    """The future of one piece of work."""

    def __init__(self) -> None:
        super().__init__()
        self.stopping = threading.Event()
        """Set: end soon, with any error."""
        self.holds: Closable | None = None
        """What the work has opened."""
        self.begun = False

    def cancel(self) -> bool:
        """Ask the job to end; False where it has begun: it then ends with `Cancelled` or its result."""
        self.stopping.set()
        return not self.begun and self.fail(Cancelled("the transfer was stopped before it began"))

    def give_up(self) -> None:
        """End the future now, whatever its thread is doing."""
        self.stopping.set()
        if self.fail(Cancelled("the transfer was stopped")) and self.holds is not None:
            self.holds.close()

    def deliver(self, result: _T) -> bool:
        """Set the result unless the job has ended already, and tell which."""
        try:
            self.set_result(result)
        except InvalidStateError:
            return False
        return True

    def fail(self, error: BaseException) -> bool:
        """Set the error unless the job has ended already, and tell which."""
        try:
            self.set_exception(error)
        except InvalidStateError:
            return False
        return True


class Workers:
    """At most `limit` threads, started when they are needed."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._jobs: set[Job[Any]] = set()
        self._stopped = False

    def start(self, work: Callable[[Job[_T]], _T]) -> Job[_T]:
        """Queue `work`; after `stop` the job fails with `Cancelled` at once."""
        job: Job[_T] = Job()
        with self._lock:
            if self._stopped:
                job.cancel()
                return job
            self._jobs.add(job)
            if len(self._threads) < min(self._limit, len(self._jobs)):
                thread = threading.Thread(target=self._serve, name="transfer", daemon=True)
                self._threads.append(thread)
                thread.start()
        self._queue.put(lambda: self._do(job, work))
        return job

    def stop(self, interrupt: Callable[[], None]) -> None:
        """End every job: ask it, call `interrupt`, wait a moment, then give it up."""
        with self._lock:
            self._stopped = True
            jobs = list(self._jobs)
        for job in jobs:
            job.cancel()
        interrupt()
        for _ in self._threads:
            self._queue.put(None)
        deadline = time.monotonic() + _GRACE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for job in jobs:
            job.give_up()

    def _serve(self) -> None:
        while (task := self._queue.get()) is not None:
            task()
            del task

    def _do(self, job: Job[_T], work: Callable[[Job[_T]], _T]) -> None:
        try:
            if not job.done():
                job.begun = True
                self._finish(job, work)
        finally:
            with self._lock:
                self._jobs.discard(job)

    @staticmethod
    def _finish(job: Job[_T], work: Callable[[Job[_T]], _T]) -> None:
        try:
            result = work(job)
        except BaseException as error:
            if job.stopping.is_set() and not isinstance(error, Cancelled):
                cancelled = Cancelled("the transfer was stopped")
                cancelled.__cause__ = error
                job.fail(cancelled)
            else:
                job.fail(error)
        else:
            job.deliver(result)
