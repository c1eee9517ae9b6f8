"""GitHub's API, as far as an installer needs it: which files a release has, and where a private one is got.

With a token GraphQL is asked, which says in the same answer whether the repository is private; without one,
or where GraphQL fails, REST. A token goes to the host's own API, and to the assets that it names below itself.
Every failure is an answer of its own kind: what follows from it is not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from binstall.errors import RemoteError, Unreachable
from binstall.formats.github_release import (
    NoPage,
    Release,
    graphql_question,
    graphql_url,
    parse_graphql,
    parse_release,
    rest_question,
    says_rate_limited,
    unusable,
)
from binstall.limits import MAX_API_ANSWER_BYTES, MAX_RELEASE_ASSETS
from binstall.net.fetcher import Response
from binstall.net.github_tokens import Token
from binstall.net.retry import TryAgain, expect, retry_after
from binstall.net.transfers import Errand

_UNSPECIFIED_LIMIT_SECONDS: Final = 60.0
_EPOCH_FROM: Final = 10**9


@dataclass(frozen=True, slots=True)
class AssetList:
    """What a release has."""

    assets: Mapping[str, str | None]
    """File name to its URL in the API; None where the answer gave no such URL."""
    private: bool | None
    """Whether the repository is; None where the answer does not say."""
    token: Token | None
    """With which it was asked for."""


@dataclass(frozen=True, slots=True)
class NoRelease:
    """There is no such release, or none that this asker may know of."""

    token: Token | None = None
    """With which it was asked for."""


@dataclass(frozen=True, slots=True)
class Limited:
    """The host does not answer this asker for a while."""

    until: float
    """Seconds since 1970, UTC."""


@dataclass(frozen=True, slots=True)
class Denied:
    """The host does not answer this asker at all."""

    status: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """No answer that can be used."""

    error: RemoteError


ApiAnswer = AssetList | NoRelease | Limited | Denied | Trouble


def asset_headers(token: Token) -> dict[str, str]:
    """Return what an asset's URL in the API is asked with, to get the file and not its description."""
    return {**_headers(token), "accept": "application/octet-stream"}


def _headers(token: Token | None) -> dict[str, str]:
    headers = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}
    if token is not None:
        headers["authorization"] = f"Bearer {token.value}"
    return headers


def ask_assets(release: Release, token: Token | None, errand: Errand) -> ApiAnswer:
    """Ask which files `release` has; every failure is an answer, too.

    Raises:
        Cancelled: the errand was stopped.
    """
    if token is not None:
        answer = _by_graphql(release, token, errand)
        if not isinstance(answer, Trouble):
            return answer
    return _by_rest(release, token, errand)


def _by_rest(release: Release, token: Token | None, errand: Errand) -> ApiAnswer:
    body = _answer(rest_question(release), token, errand, None)
    if not isinstance(body, bytes):
        return body
    try:
        return AssetList(parse_release(body, release), None, token)
    except Unreachable as error:
        return Trouble(error)


def _by_graphql(release: Release, token: Token, errand: Errand) -> ApiAnswer:
    assets: dict[str, str | None] = {}
    after: str | None = None
    while True:
        body = _answer(graphql_url(release.host), token, errand, graphql_question(release, after))
        if isinstance(body, NoRelease):  # a host without GraphQL
            return Trouble(Unreachable(f"{release.host} has no GraphQL API"))
        if not isinstance(body, bytes):
            return body
        try:
            page = parse_graphql(body, release)
        except Unreachable as error:
            return Trouble(error)
        if page is NoPage.ABSENT:
            return NoRelease(token)
        if page is NoPage.FORBIDDEN:
            return Denied(403)
        assets |= page.assets
        if page.next is None or page.next == after:
            return AssetList(assets, page.private, token)
        if len(assets) > MAX_RELEASE_ASSETS:
            return Trouble(unusable(release, f"more than {MAX_RELEASE_ASSETS} files (MAX_RELEASE_ASSETS)"))
        after = page.next


def _answer(
    url: str, token: Token | None, errand: Errand, question: bytes | None
) -> bytes | NoRelease | Limited | Denied | Trouble:
    headers = _headers(token)
    if question is not None:
        headers["content-type"] = "application/json"

    def attempt() -> bytes | NoRelease | Limited | Denied:
        method = "GET" if question is None else "POST"
        with errand.fetcher.open(url, method=method, headers=headers, body=question) as response:
            if urlsplit(response.url).netloc != urlsplit(url).netloc:
                raise Unreachable(f"{url} leads to another host", url=url)
            until = None
            if response.status in (403, 429):
                until = limit_ends(response, _read(response, url), errand.timing.now())
            if until is not None:
                return Limited(until)
            if response.status in (401, 403):
                return Denied(response.status)
            if response.status == 404:
                return NoRelease(token)
            expect(response, (200,), url, "a list of files")
            body = _read(response, url)
            if question is not None and says_rate_limited(body):
                return Limited(_limit_from(response.headers, errand.timing.now()))
            return body

    try:
        # A stranger can ask for each file instead; only who has a token may find private ones here alone.
        return errand.patience().until_settled(attempt) if token is not None else attempt()
    except TryAgain as again:
        return Trouble(again.error)
    except RemoteError as error:
        return Trouble(error)


def _read(response: Response, url: str) -> bytes:
    body = bytearray()
    for chunk in response.chunks():
        body += chunk
        if len(body) > MAX_API_ANSWER_BYTES:
            raise Unreachable(
                f"the answer of {url} has more than {MAX_API_ANSWER_BYTES} bytes (MAX_API_ANSWER_BYTES)",
                url=url,
            )
    return bytes(body)


def limit_ends(response: Response, body: bytes, now: float) -> float | None:
    """Return when a refusal ends that is one of rate only, in seconds since 1970; None for other refusals."""
    headers = response.headers
    limited = (
        response.status == 429
        or "retry-after" in headers
        or headers.get("x-ratelimit-remaining", "").strip() == "0"
        or b"rate limit" in body.lower()
    )
    return _limit_from(headers, now) if limited else None


def _limit_from(headers: Mapping[str, str], now: float) -> float:
    """`Retry-After` first, then `x-ratelimit-reset`: seconds, or a time if it is as large as one."""
    seconds = retry_after(headers.get("retry-after"), now)
    if seconds > 0:
        return now + seconds
    reset = headers.get("x-ratelimit-reset", "").strip()
    if reset.isascii() and reset.isdecimal() and len(reset) <= 12:
        return float(reset) if int(reset) >= _EPOCH_FROM else now + float(reset)
    return now + _UNSPECIFIED_LIMIT_SECONDS
