"""GitHub's releases: download URLs, where the API is, its questions and its answers. Pure.

    host               REST                          GraphQL
    github.com         https://api.github.com        https://api.github.com/graphql
    NAME.ghe.com       https://api.NAME.ghe.com      https://api.NAME.ghe.com/graphql
    any other          https://HOST/api/v3           https://HOST/api/graphql

Owner, repository and tag go into a question as GraphQL variables or percent-encoded path segments, and only if
they are what such names may be. Of the places that an answer gives for files only assets of that same API are
kept: nothing else is to be asked with a token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from binstall.errors import Unreachable
from binstall.limits import MAX_RELEASE_ASSETS

PUBLIC_HOST: Final = "github.com"
_OWNER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}\Z")
_REPO: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,100}\Z")
_NOT_IN_A_TAG: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|//|^[/.-]|[/.]\Z|@\{")
_NOT_IN_A_NAME: Final = re.compile(r"[\x00-\x1f\x7f/\\]")
_MAX_TAG_CHARACTERS: Final = 255
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


def rest_question(release: Release) -> str:
    """Return the URL of a release in the REST API."""
    path = f"repos/{release.owner}/{release.repo}/releases/tags/{quote(release.tag, safe='')}"
    return f"{rest_url(release.host)}/{path}"


def graphql_question(release: Release, after: str | None) -> bytes:
    """Return the body that asks for a page of files, the one after the cursor `after`."""
    variables = {"owner": release.owner, "repo": release.repo, "tag": release.tag, "after": after}
    return json.dumps({"query": _QUERY, "variables": variables}).encode()


@dataclass(frozen=True, slots=True)
class Page:
    """One page of GraphQL's answer."""

    assets: Mapping[str, str | None]
    private: bool | None
    next: str | None
    """Cursor of the page that follows, None at the end."""


class NoPage(Enum):
    """Why GraphQL gives no page."""

    ABSENT = "absent"
    """No such release, or none that this asker may know of."""
    FORBIDDEN = "forbidden"
    """This token may not ask."""


def parse_release(body: bytes, release: Release) -> dict[str, str | None]:
    """Read REST's answer; raise `Unreachable`, and nothing else, if it is none. Half-sent files are left out."""
    document = _json(body, release)
    assets = document.get("assets") if isinstance(document, dict) else None
    if not isinstance(assets, list) or len(assets) > MAX_RELEASE_ASSETS:
        raise unusable(release, "no list of files, or an endless one")
    sent = [
        each for each in assets if isinstance(each, dict) and each.get("state", "uploaded") == "uploaded"
    ]
    return _named(sent, release)


def parse_graphql(body: bytes, release: Release) -> Page | NoPage:
    """Read GraphQL's answer; raise `Unreachable`, and nothing else, if it is none."""
    document = _json(body, release)
    if not isinstance(document, dict):
        raise unusable(release, "no object")
    kinds = _error_kinds(document)
    repository = _member(document.get("data"), "repository")
    if repository is None:
        if "NOT_FOUND" in kinds:
            return NoPage.ABSENT
        if "FORBIDDEN" in kinds:
            return NoPage.FORBIDDEN
        raise unusable(release, "no repository")
    if not isinstance(repository, dict) or "release" not in repository:
        raise unusable(release, "no release")
    if repository["release"] is None:
        return NoPage.FORBIDDEN if "FORBIDDEN" in kinds else NoPage.ABSENT
    found = _member(repository["release"], "releaseAssets")
    nodes = _member(found, "nodes")
    if not isinstance(nodes, list) or len(nodes) > MAX_RELEASE_ASSETS:
        raise unusable(release, "no list of files")
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


def says_rate_limited(body: bytes) -> bool:
    """Tell whether GraphQL's answer, whatever it is, refuses because of a rate."""
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
        raise unusable(release, "no JSON") from error


def unusable(release: Release, what: str) -> Unreachable:
    """Return the error for an answer that holds `what` instead of what it should."""
    return Unreachable(f"{release.host} was asked which files {release} has, and its answer holds {what}")
