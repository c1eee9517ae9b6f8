"""Everything that waits for the network, in one small pool of threads.

The library under `binstall.net.http` blocks its thread, Ctrl-C included, so it runs in worker threads
only; the main thread waits for futures with `wait`, which a signal interrupts. `Future.cancel` ends one
transfer, `Transfers.stop` all of them: they raise `Cancelled`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from concurrent.futures import wait as wait_for_any
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from binstall.artifact import DigestName, Download
from binstall.errors import Cancelled, TooLarge, Unreachable
from binstall.net.answers import ABSENT, COMPLETE, content_length
from binstall.net.download import DownloadRun, PrivateFile
from binstall.net.fetcher import NO_HEADERS, Fetcher
from binstall.net.retry import Patience, Timing, expect
from binstall.net.workers import Job, Workers
from binstall.progress import Progress, Silent
from binstall.text import without_secrets

WORKERS: Final = 6
"""As many requests are under way at once for one crate."""
_WAIT_SECONDS: Final = 0.1
"""Windows delivers Ctrl-C between two waits only."""
_SUCCESS: Final = range(200, 300)
_MAY_MEAN_NO_HEAD: Final = frozenset({400, 401, 403, 404, 405, 410})
T = TypeVar("T")


def wait(future: Future[T], *, until: float | None = None) -> T:
    """Return the result of `future`, or raise its error; a signal interrupts the waiting.

    Raises:
        Cancelled: the transfer was stopped, by `Future.cancel`, `Transfers.stop` or `Transfers.close`.
        TimeoutError: `until`, on the clock of `time.monotonic`, has come.
    """
    while not wait_for_any((future,), timeout=_WAIT_SECONDS).done:
        if until is not None and time.monotonic() >= until:
            raise TimeoutError
    try:
        return future.result()
    except CancelledError as error:
        raise Cancelled("the transfer was stopped") from error


@dataclass(frozen=True, slots=True)
class Errand:
    """What work in a worker thread has to ask the network with."""

    fetcher: Fetcher
    timing: Timing
    patience: Callable[[], Patience]
    """Makes the tries of one question."""
    stopping: threading.Event
    """Set: end soon, with any error."""


class Transfers:
    """All transfers of one run. Also a context manager: leaving it closes."""

    def __init__(
        self,
        fetcher: Fetcher,
        progress: Progress | None = None,
        *,
        timing: Timing | None = None,
        workers: int = WORKERS,
    ) -> None:
        """Use `fetcher`, and close it in the end; `progress` hears from worker threads."""
        self._fetcher = fetcher
        self._progress = progress or Silent()
        self._timing = timing or Timing()
        self._workers = Workers(workers)
        self._lock = threading.Lock()
        self._downloads: list[Download] = []

    def fetch(
        self, url: str, *, limit: int, what: str, headers: Mapping[str, str] = NO_HEADERS
    ) -> Future[bytes]:
        """Get a small body, of at most `limit` bytes, into memory.

        The future raises Absent, Refused, Unreachable, TooLarge or Cancelled; `what` names the thing in
        their messages ("the signature").
        """

        def attempt(job: Job[bytes]) -> bytes:
            with self._fetcher.open(url, headers=headers) as response:
                expect(response, COMPLETE, url, what)
                total = content_length(response.headers)
                body = bytearray()
                _check_limit(total or 0, limit, url, what)
                for chunk in response.chunks():
                    if job.stopping.is_set():
                        raise Cancelled(f"the download of {what} was stopped")
                    _check_limit(len(body) + len(chunk), limit, url, what)
                    body += chunk
                if total is not None and len(body) != total:
                    raise Unreachable(
                        f"{without_secrets(url)} sent {len(body)} bytes of {total}", url=url, transient=True
                    )
                return bytes(body)

        return self._workers.start(lambda job: self._patience(job).until_settled(lambda: attempt(job)))

    def download(
        self,
        url: str,
        folder: Path,
        *,
        digests: tuple[DigestName, ...],
        limit: int,
        what: str,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Future[Download]:
        """Stream a body, of at most `limit` bytes, to a private file in `folder`.

        The future raises Absent, Refused, Unreachable, TooLarge, LocalIOError or Cancelled. The file may
        be closed earlier than by `close`, which closes every file that a transfer made.
        """

        def work(job: Job[Download]) -> Download:
            file = job.holds = PrivateFile(folder, digests)
            run = DownloadRun(
                self._fetcher,
                url,
                file,
                limit=limit,
                what=what,
                headers=headers,
                progress=self._progress,
                stopping=job.stopping,
            )
            try:
                done = run.run(self._patience(job))
            except BaseException:
                file.close()
                raise
            with self._lock:
                self._downloads.append(done)
            return done

        return self._workers.start(work)

    def exists(
        self, url: str, *, what: str = "a file", headers: Mapping[str, str] = NO_HEADERS
    ) -> Future[None]:
        """Ask whether `url` is there: by HEAD, and by GET without its body where HEAD gives no answer.

        The future resolves to None, or raises Absent, Refused, Unreachable or Cancelled.
        """

        def attempt() -> None:
            with self._fetcher.open(url, method="HEAD", headers=headers) as response:
                if response.status in _SUCCESS or response.status in ABSENT:
                    expect(response, _SUCCESS, url, what)
                    return
            with self._fetcher.open(url, headers=headers) as response:
                expect(response, _SUCCESS, url, what)

        return self._workers.start(lambda job: self._patience(job).until_settled(attempt))

    def locate(self, url: str) -> Future[str]:
        """Return where `url` leads, after redirects, asked for by HEAD, or by GET where HEAD is refused.

        The future raises Absent, Refused, Unreachable or Cancelled.
        """

        def attempt() -> str:
            with self._fetcher.open(url, method="HEAD") as response:
                if response.status not in _MAY_MEAN_NO_HEAD:
                    expect(response, _SUCCESS, url, "a page")
                    return response.url
            with self._fetcher.open(url) as response:
                expect(response, _SUCCESS, url, "a page")
                return response.url

        return self._workers.start(lambda job: self._patience(job).until_settled(attempt))

    def run(self, work: Callable[[Errand], T]) -> Future[T]:
        """Do `work`, which asks the network in its own way, in a worker thread."""
        return self._workers.start(
            lambda job: work(Errand(self._fetcher, self._timing, lambda: self._patience(job), job.stopping))
        )

    def stop(self) -> None:
        """End every transfer, queued or under way, with `Cancelled`; later ones end so at once."""
        self._workers.stop(self._fetcher.close)

    def close(self) -> None:
        """Stop what is left and close every downloaded file."""
        self.stop()
        with self._lock:
            downloads, self._downloads = self._downloads, []
        for download in downloads:
            download.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _patience(self, job: Job[T]) -> Patience:
        return Patience(self._timing, self._progress, job.stopping)


def _check_limit(size: int, limit: int, url: str, what: str) -> None:
    if size > limit:
        raise TooLarge(
            f"{what} at {without_secrets(url)} is longer than its bound of {limit} bytes", url=url
        )
