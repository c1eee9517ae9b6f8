"""What QuickInstall is told about installs, by those who agreed to tell.

One POST without a body for each report: crate, version, target, this program, and a status. QuickInstall
decides by it what to build next. It is for crates of crates.io alone: the name of any other crate is
nobody's business. Nobody waits long for the answers, and an answer that does not come changes nothing.
"""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import Final, Literal
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
    """The reports of one run; made only where the user has consented and it is no dry run."""

    def __init__(self, transfers: Transfers, progress: Progress) -> None:
        self._transfers = transfers
        self._progress = progress
        self._under_way: list[Future[int]] = []

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
        self._under_way.append(self._transfers.run(lambda errand: _post(errand, f"{_URL}?{query}")))

    def finish(self) -> None:
        """Wait for what is under way, STATISTICS_TIMEOUT_SECONDS in all, then give it up."""
        until = time.monotonic() + STATISTICS_TIMEOUT_SECONDS
        for report in self._under_way:
            try:
                self._progress.detail(f"statistics: QuickInstall answered {wait(report, until=until)}")
            except RemoteError as error:
                self._progress.detail(f"statistics: {error.message}")
            except TimeoutError:
                report.cancel()
                self._progress.detail("statistics: no answer in time")
        self._under_way = []


def _post(errand: Errand, url: str) -> int:
    if errand.stopping.is_set():
        raise Cancelled("the report was stopped")
    with errand.fetcher.open(url, method="POST", body=b"") as response:
        return response.status
