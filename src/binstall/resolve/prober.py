"""The seam through which candidates are asked about, and by which they are fetched.

A hosting service may know a shorter way than one question for each URL, and may have to be asked for a file
at another place than its public URL. `PlainProber` knows neither; `resolve.github_prober` knows both.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from concurrent.futures import Future
from typing import Protocol

from binstall.net.fetcher import NO_HEADERS
from binstall.net.transfers import Transfers


class Prober(Protocol):
    """Knows whether files exist, and how to ask for them. Called from any thread; only futures wait."""

    @property
    def announced_seconds(self) -> float:
        """Seconds that have been waited, or will be, because a host limits its rate; each was announced."""

    def exists(self, url: str, *, guessed: bool = False) -> Future[None]:
        """Tell whether `url` is there; `guessed` if no manifest names it, so that most likely it is not.

        The future resolves to None, or raises Absent, Refused, Unreachable or Cancelled.
        """

    def request_for(self, url: str) -> tuple[str, Mapping[str, str]]:
        """Return what to really ask for to get `url`: another URL perhaps, and headers."""

    def asks_first(self, url: str) -> bool:
        """Tell whether to ask `exists` before `url` is asked for, although the manifest names it."""

    def another_way(self, url: str) -> Future[None] | None:
        """Look for another way to a file that a plain request did not find; None if there is none.

        Where the future resolves, `request_for` knows the way; it raises what `exists` does.
        """

    def leads_to(self, url: str) -> Future[str]:
        """Return where a page leads by redirects; each page is asked for once."""

    def look_again(self, urls: Collection[str]) -> bool:
        """Tell whether some of `urls`, none of which was found, may be found now that a token has turned up.

        May ask the network and run programs, and waits for them.
        """


class PlainProber:
    """Asks for each URL, as anybody would."""

    def __init__(self, transfers: Transfers) -> None:
        self._transfers = transfers
        self._pages: dict[str, Future[str]] = {}
        self._pages_lock = threading.Lock()

    @property
    def announced_seconds(self) -> float:
        """Return 0."""
        return 0.0

    def exists(self, url: str, *, guessed: bool = False) -> Future[None]:
        """Ask for `url` itself."""
        del guessed
        return self._transfers.exists(url)

    def request_for(self, url: str) -> tuple[str, Mapping[str, str]]:
        """Return `url` itself."""
        return url, NO_HEADERS

    def asks_first(self, url: str) -> bool:
        """Return False."""
        del url
        return False

    def another_way(self, url: str) -> Future[None] | None:
        """Return None."""
        del url
        return None

    def leads_to(self, url: str) -> Future[str]:
        """Ask for the page, unless that was done."""
        with self._pages_lock:
            if url not in self._pages:
                self._pages[url] = self._transfers.locate(url)
            return self._pages[url]

    def look_again(self, urls: Collection[str]) -> bool:
        """Return False."""
        del urls
        return False
