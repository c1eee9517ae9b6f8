"""GitHub's API, as far as an installer needs it: which files a release has, and where a private one is got.

    host               REST                          GraphQL
    github.com         https://api.github.com        https://api.github.com/graphql
    NAME.ghe.com       https://api.NAME.ghe.com      https://api.NAME.ghe.com/graphql
    any other          https://HOST/api/v3           https://HOST/api/graphql

With a token GraphQL is asked, which says in the same answer whether the repository is private; without one,
or where GraphQL fails, REST. Owner, repository and tag travel as GraphQL variables or percent-encoded path
segments, and only if they are what such names may be. A token goes to these two URLs and to the assets below
the first, nowhere else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from binstall.errors import RemoteError, Unreachable
from binstall.limits import MAX_API_ANSWER_BYTES, MAX_RELEASE_ASSETS
from binstall.net.fetcher import Response
from binstall.net.github_tokens import Token
from binstall.net.retry import TryAgain, expect, retry_after
from binstall.net.transfers import Errand

PUBLIC_HOST: Final = "github.com"
_OWNER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}\Z")
_REPO: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,100}\Z")
_NOT_IN_A_TAG: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|//|^[/.-]|[/.]\Z|@\{")
_NOT_IN_A_NAME: Final = re.compile(r"[\x00-\x1f\x7f/\\]")
_MAX_TAG_CHARACTERS: Final = 255
_UNSPECIFIED_LIMIT_SECONDS: Final = 60.0
_EPOCH_FROM: Final = 10**9
_PAGE: Final = 100
_QUERY: Final = (
    "query($owner:String!,$repo:String!,$tag:String!,$after:String){"
    "repository(owner:$owner,name:$repo){isPrivate release(tagName:$tag){"
    f"releaseAssets(first:{_PAGE},after:$after)"
    "{nodes{name url}pageInfo{endCursor hasNextPage}}}}}"
)


@dataclass(frozen=True, slots=True)
class Release:
    """One release, by names that are fit to ask for."""

    host: str
    """Lower case, with its port if that is not 443."""
    owner: str
    repo: str
    tag: str

    @property
    def page(self) -> str:
        """The repository's own URL."""
        return f"https://{self.host}/{self.owner}/{self.repo}"

    def __str__(self) -> str:
        return f"release {self.tag} of {self.host}/{self.owner}/{self.repo}"


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


def rest_url(host: str) -> str:
    """Return the root of a host's REST API, without a final slash."""
    if host == PUBLIC_HOST or _is_tenant(host):
        return f"https://api.{host}"
    return f"https://{host}/api/v3"


def graphql_url(host: str) -> str:
    """Return the URL of a host's GraphQL API."""
    if host == PUBLIC_HOST or _is_tenant(host):
        return f"https://api.{host}/graphql"
    return f"https://{host}/api/graphql"


def _is_tenant(host: str) -> bool:
    return host.endswith(".ghe.com") and host.count(".") == 2


def parse_release_url(url: str, hosts: Collection[str]) -> tuple[Release, str] | None:
    """Return the release and the file name that a download URL on one of `hosts` means; else None.

    `https://HOST/OWNER/REPO/releases/download/TAG/FILE`, where TAG may hold slashes, percent-encoded or not.
    """
    try:
        parts = urlsplit(url)
        host = parts.netloc.lower().removesuffix(":443")
    except ValueError:
        return None
    if parts.scheme != "https" or host not in hosts or parts.query or parts.fragment:
        return None
    try:
        words = [unquote(word, errors="strict") for word in parts.path.split("/")]
    except UnicodeDecodeError:
        return None
    if len(words) < 7 or words[0] or words[3:5] != ["releases", "download"]:
        return None
    release = Release(host, words[1], words[2], "/".join(words[5:-1]))
    if not (_OWNER.match(release.owner) and _REPO.match(release.repo) and _is_tag(release.tag)):
        return None
    file = words[-1]
    return (release, file) if file and not _NOT_IN_A_NAME.search(file) else None


def _is_tag(text: str) -> bool:
    return 0 < len(text) <= _MAX_TAG_CHARACTERS and not _NOT_IN_A_TAG.search(text)


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
    path = f"repos/{release.owner}/{release.repo}/releases/tags/{quote(release.tag, safe='')}"
    body = _answer(f"{rest_url(release.host)}/{path}", token, errand, None)
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
        variables = {"owner": release.owner, "repo": release.repo, "tag": release.tag, "after": after}
        question = json.dumps({"query": _QUERY, "variables": variables}).encode()
        body = _answer(graphql_url(release.host), token, errand, question)
        if isinstance(body, NoRelease):  # a host without GraphQL
            return Trouble(Unreachable(f"{release.host} has no GraphQL API"))
        if not isinstance(body, bytes):
            return body
        try:
            page = parse_graphql(body, release)
        except Unreachable as error:
            return Trouble(error)
        if not isinstance(page, Page):
            return NoRelease(token) if isinstance(page, NoRelease) else page
        assets |= page.assets
        if page.next is None or page.next == after:
            return AssetList(assets, page.private, token)
        if len(assets) > MAX_RELEASE_ASSETS:
            return Trouble(_unusable(release, f"more than {MAX_RELEASE_ASSETS} files (MAX_RELEASE_ASSETS)"))
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
            if question is not None and _says_rate_limited(body):
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


@dataclass(frozen=True, slots=True)
class Page:
    """One page of GraphQL's answer."""

    assets: Mapping[str, str | None]
    private: bool | None
    next: str | None
    """Cursor of the page that follows, None at the end."""


def parse_release(body: bytes, release: Release) -> dict[str, str | None]:
    """Read REST's answer; raise `Unreachable`, and nothing else, if it is none. Half-sent files are left out."""
    document = _json(body, release)
    assets = document.get("assets") if isinstance(document, dict) else None
    if not isinstance(assets, list) or len(assets) > MAX_RELEASE_ASSETS:
        raise _unusable(release, "no list of files, or an endless one")
    sent = [
        each for each in assets if isinstance(each, dict) and each.get("state", "uploaded") == "uploaded"
    ]
    return _named(sent, release)


def parse_graphql(body: bytes, release: Release) -> Page | NoRelease | Denied:
    """Read GraphQL's answer; raise `Unreachable`, and nothing else, if it is none."""
    document = _json(body, release)
    if not isinstance(document, dict):
        raise _unusable(release, "no object")
    kinds = _error_kinds(document)
    repository = _member(document.get("data"), "repository")
    if repository is None:
        if "NOT_FOUND" in kinds:
            return NoRelease()
        if "FORBIDDEN" in kinds:
            return Denied(403)
        raise _unusable(release, "no repository")
    if not isinstance(repository, dict) or "release" not in repository:
        raise _unusable(release, "no release")
    if repository["release"] is None:
        return Denied(403) if "FORBIDDEN" in kinds else NoRelease()
    found = _member(repository["release"], "releaseAssets")
    nodes = _member(found, "nodes")
    if not isinstance(nodes, list) or len(nodes) > MAX_RELEASE_ASSETS:
        raise _unusable(release, "no list of files")
    info = _member(found, "pageInfo")
    cursor = _member(info, "endCursor") if _member(info, "hasNextPage") is True else None
    private = repository.get("isPrivate")
    return Page(
        _named([each for each in nodes if isinstance(each, dict)], release),
        private if isinstance(private, bool) else None,
        cursor if isinstance(cursor, str) and len(cursor) <= 1024 else None,
    )


def _named(assets: list[dict[str, Any]], release: Release) -> dict[str, str | None]:
    names: dict[str, str | None] = {}
    for each in assets:
        name, url = each.get("name"), each.get("url")
        if isinstance(name, str):
            names.setdefault(name, url if isinstance(url, str) and _is_asset_url(url, release) else None)
    return names


def _is_asset_url(url: str, release: Release) -> bool:
    """Tell whether a token of this host may go to `url`, which the answer gives for a file."""
    root = re.escape(rest_url(release.host))
    return (
        re.match(rf"{root}/repos/[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+/releases/assets/[0-9]{{1,20}}\Z", url)
        is not None
    )


def _says_rate_limited(body: bytes) -> bool:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(document, dict) and not document.get("data") and "RATE_LIMITED" in _error_kinds(document)
    )


def _error_kinds(document: dict[str, Any]) -> set[str]:
    errors = document.get("errors")
    if not isinstance(errors, list):
        return set()
    kinds = [_member(error, "type") for error in errors]
    return {kind for kind in kinds if isinstance(kind, str)}


def _member(value: object, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _json(body: bytes, release: Release) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _unusable(release, "no JSON") from error


def _unusable(release: Release, what: str) -> Unreachable:
    return Unreachable(f"{release.host} was asked which files {release} has, and its answer holds {what}")
