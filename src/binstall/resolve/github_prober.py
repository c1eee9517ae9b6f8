"""Asking GitHub: one list of files for a release in place of a question for each of hundreds of URLs.

    a URL that was guessed     the release's list, asked for once; plain requests where the API gives none
    a URL of the manifest      a plain request; only if that meets nothing, and there is a token for the host,
                               the list: GitHub says 404 of what is private
    a file of a private        its URL in the API, with the token and `Accept: application/octet-stream`;
    repository                 so for packages and their signatures alike

An answer that is refused, because of a rate or at all, sends us for a token where there is none, then makes
us wait or fall back to plain requests; it is never taken for "not there". What the API said, be it a failure,
is kept for the run. On an Enterprise host that has given us a list by token every file goes this way, because
such a host commonly shows strangers a login page, which is no file.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from binstall.errors import Absent, Refused, RemoteError
from binstall.formats.github_release import PUBLIC_HOST, Release, parse_release_url
from binstall.net.chained import chained, failed, settled
from binstall.net.fetcher import NO_HEADERS
from binstall.net.github import AssetList, Denied, Limited, NoRelease, ask_assets, asset_headers
from binstall.net.github_tokens import Token, TokenPlaces, token_variable
from binstall.net.transfers import Errand, Transfers, wait
from binstall.progress import Progress
from binstall.resolve.github_account import Account, WaitBudget
from binstall.resolve.prober import PlainProber
from binstall.resolve.repository import is_login_page


@dataclass(frozen=True, slots=True)
class _Unknown:
    """The API does not say."""


_UNKNOWN: Final = _Unknown()
_List = AssetList | NoRelease | _Unknown


class GitHubProber(PlainProber):
    """Prober that knows GitHub's API on some hosts, and asks plainly everywhere else."""

    def __init__(
        self,
        transfers: Transfers,
        progress: Progress,
        places: TokenPlaces,
        *,
        hosts: Collection[str] = (PUBLIC_HOST,),
        token: str | None = None,
        discover: bool = True,
        is_mirrored: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """Ask the API of `hosts`. `token` is the command line's, for github.com; with `discover`, other
        tokens are looked for in `places` where one is needed. What `is_mirrored` is asked for plainly: the
        API of its original tells nothing about the mirror, and may not be reached."""
        super().__init__(transfers)
        self.hosts = frozenset(hosts)
        self._is_mirrored = is_mirrored
        self._budget = WaitBudget()
        self._accounts = {
            host: Account(
                host, option=token, places=places, discover=discover, budget=self._budget, progress=progress
            )
            for host in hosts
        }
        self._lock = threading.Lock()
        self._lists: dict[Release, Future[_List]] = {}
        self._routes: dict[str, tuple[str, Token]] = {}
        """URL to what a plain request did not find and the API has."""
        self._missed: dict[Release, Token | None] = {}
        """Releases that were not found, or in which something was not found, and the token in use then."""

    @property
    def announced_seconds(self) -> float:
        """See `Prober`."""
        return self._budget.spent

    def exists(self, url: str, *, guessed: bool = False) -> Future[None]:
        """Look into the release's list, or ask for `url` itself; see above."""
        found = self._release_of(url)
        if found is None:
            return self._transfers.exists(url)
        release, file = found
        if guessed or self.asks_first(url):
            return chained(
                self._list(release), lambda known: self._look_up(known, url, release, file), owned=False
            )
        return chained(self._transfers.exists(url), settled, lambda error: self._otherwise(url, error))

    def request_for(self, url: str) -> tuple[str, Mapping[str, str]]:
        """Return the asset's URL in the API where only that gives the file."""
        with self._lock:
            route = self._routes.get(url)
        route = route or self._listed_route(url)
        if route is None:
            return url, NO_HEADERS
        return route[0], asset_headers(route[1])

    def asks_first(self, url: str) -> bool:
        """Tell whether `url` is on an Enterprise host that we have a token for."""
        found = self._release_of(url)
        if found is None or found[0].host == PUBLIC_HOST:
            return False
        account = self._accounts[found[0].host]
        return account.token is not None and not account.asks_no_more

    def another_way(self, url: str) -> Future[None] | None:
        """Look into the list with the token in use, unless that is how `url` was asked for."""
        found = self._release_of(url)
        if found is None or self.request_for(url)[0] != url:
            return None
        release, file = found
        token = self._accounts[release.host].token
        self._note_missed(release, token)
        if token is None:
            return None
        return chained(
            self._list(release), lambda known: self._find_route(known, url, release, file), owned=False
        )

    def look_again(self, urls: Collection[str]) -> bool:
        """Ask whether a stranger sees the repositories in which nothing was found; if not, find a token."""
        releases = {found[0] for url in urls if (found := self._release_of(url)) is not None}
        with self._lock:
            missed = [
                (release, self._missed.pop(release)) for release in releases if release in self._missed
            ]
        hosts = {release.host for release, token in missed if self._has_other_token(release, token)}
        with self._lock:
            for known, answer in list(self._lists.items()):
                if known.host in hosts and answer.done() and not _is_a_list(answer):
                    del self._lists[known]
        return bool(hosts)

    def _has_other_token(self, release: Release, token: Token | None) -> bool:
        account = self._accounts[release.host]
        if account.asks_no_more:
            return False
        current = account.token
        if current is not None and current != token:  # found by somebody else in the meantime
            return True
        return not self._is_public(release.page) and account.next_token(current)

    def close(self) -> None:
        """End a program that is asked for a token."""
        for account in self._accounts.values():
            account.close()

    def _release_of(self, url: str) -> tuple[Release, str] | None:
        return None if self._is_mirrored(url) else parse_release_url(url, self._accounts)

    def _note_missed(self, release: Release, token: Token | None) -> None:
        with self._lock:
            self._missed[release] = token

    def _is_public(self, page: str) -> bool:
        try:
            final = wait(self.leads_to(page))
        except RemoteError as error:
            return not (
                isinstance(error, Absent) or (isinstance(error, Refused) and error.status in (401, 403))
            )
        return urlsplit(final).netloc == urlsplit(page).netloc and not is_login_page(final)

    def _otherwise(self, url: str, error: Exception) -> Future[None] | None:
        return self.another_way(url) if isinstance(error, Absent) else None

    def _look_up(self, known: _List, url: str, release: Release, file: str) -> Future[None]:
        match known:
            case AssetList() if file in known.assets:
                return settled(None)
            case AssetList():
                return failed(Absent(f"the {release} has no file {file}", url=url))
            case NoRelease():
                self._note_missed(release, known.token)
                return failed(Absent(f"there is no {release}", url=url))
            case _:
                return self._transfers.exists(url)

    def _find_route(self, known: _List, url: str, release: Release, file: str) -> Future[None]:
        if isinstance(known, AssetList) and known.token is not None:
            place = known.assets.get(file)
            if place is not None:
                with self._lock:
                    self._routes[url] = (place, known.token)
                return settled(None)
        if isinstance(known, AssetList):
            with self._lock:
                self._missed.pop(release, None)
        elif isinstance(known, NoRelease):
            self._note_missed(release, known.token)
        return failed(
            Absent(f"there is no {file} in the {release}, asked with and without a token", url=url)
        )

    def _listed_route(self, url: str) -> tuple[str, Token] | None:
        """Return the way to a file that the list says is private, if that was asked for already."""
        found = self._release_of(url)
        if found is None:
            return None
        release, file = found
        with self._lock:
            future = self._lists.get(release)
        if future is None or not future.done() or future.exception() is not None:
            return None
        known = future.result()
        if not isinstance(known, AssetList) or known.token is None:
            return None
        place = known.assets.get(file)
        if place is None or not (known.private or release.host != PUBLIC_HOST):
            return None
        return place, known.token

    def _list(self, release: Release) -> Future[_List]:
        with self._lock:
            if release not in self._lists:
                self._lists[release] = self._transfers.run(lambda errand: self._ask(release, errand))
            return self._lists[release]

    def _ask(self, release: Release, errand: Errand) -> _List:
        account = self._accounts[release.host]
        while not account.asks_no_more:
            token = account.token
            answer = ask_assets(release, token, errand)
            match answer:
                case AssetList() | NoRelease():
                    return answer
                case Limited():
                    if token is None and account.next_token(None):
                        continue
                    if not account.pause(answer.until, token, errand):
                        break
                case Denied() if token is not None:
                    account.reject(token)
                case Denied():
                    if not account.next_token(None):
                        account.give_up(
                            f"{release.host} gives no lists of files without a token (status {answer.status}); "
                            f"{token_variable(release.host)} may hold one"
                        )
                case _:
                    account.give_up(f"the API of {release.host} is in trouble: {answer.error.message}")
        return _UNKNOWN


def _is_a_list(answer: Future[_List]) -> bool:
    return answer.exception() is None and isinstance(answer.result(), AssetList)
