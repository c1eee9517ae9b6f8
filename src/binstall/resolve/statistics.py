"""What QuickInstall is told about installs, by those who agreed to tell.

One POST without a body for each report: crate, version, target, this program, and a status. QuickInstall
decides by it what to build next. It is for crates of crates.io alone: the name of any other crate is
nobody's business. Nobody waits long for the answers, and an answer that does not come changes nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Final, Literal, Self
from urllib.parse import urlencode

from binstall import __version__
from binstall.errors import Cancelled, RemoteError
from binstall.formats.manifest import Manifest
from binstall.formats.target import TargetTriple
from binstall.limits import STATISTICS_TIMEOUT_SECONDS
from binstall.net.transfers import Errand, Transfers, wait
from binstall.progress import Progress

STATISTICS_HOST: Final = "cargo-quickinstall-stats-server.fly.dev"
_URL: Final = f"https://{STATISTICS_HOST}/record-install"

Status = Literal["not-found", "invalid-signature", "installed-from-tarball"]


class Statistics:
    """The reports of one run, as a context manager; made only where the user consents and it is no dry run.

    They have transfers of their own, opened for the first report: those of the install are stopped as soon as
    it fails, and a failure may be just what is reported.
    """

    def __init__(self, open_transfers: Callable[[], Transfers], progress: Progress) -> None:
        self._open_transfers = open_transfers
        self._progress = progress
        self._transfers: Transfers | None = None
        self._under_way: list[Future[int]] = []
        self._lock = threading.Lock()

    def report(self, manifest: Manifest, target: TargetTriple, status: Status) -> None:
        """Send one report in the background; the crate is one of crates.io."""
        query = urlencode(
            {
                "crate": manifest.name,
                "version": str(manifest.version),
                "target": target.text,
                "agent": f"binstall/{__version__}",
                "status": status,
            }
        )
        with self._lock:
            if self._transfers is None:
                self._transfers = self._open_transfers()
            self._under_way.append(self._transfers.run(lambda errand: _post(errand, f"{_URL}?{query}")))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Wait for what is under way, STATISTICS_TIMEOUT_SECONDS in all, then give it up; after a signal or
        a no, wait for nothing."""
        try:
            if kind is None or not issubclass(kind, Cancelled | KeyboardInterrupt):
                self._wait()
        finally:
            if self._transfers is not None:
                self._transfers.close()

    def _wait(self) -> None:
        until = time.monotonic() + STATISTICS_TIMEOUT_SECONDS
        for report in self._under_way:
            try:
                self._progress.detail(f"statistics: QuickInstall answered {wait(report, until=until)}")
            except RemoteError as error:
                self._progress.detail(f"statistics: {error.message}")
            except TimeoutError:
                self._progress.detail("statistics: no answer in time")


def _post(errand: Errand, url: str) -> int:
    with errand.fetcher.open(url, method="POST", body=b"") as response:
        return response.status
