from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import Unreachable
from binstall.formats.github_release import (
    NoPage,
    Page,
    Release,
    graphql_url,
    parse_graphql,
    parse_release,
    parse_release_url,
    rest_url,
    says_rate_limited,
)

RELEASE = Release("github.com", "o", "r", "v1")
ASSET = "https://api.github.com/repos/o/r/releases/assets/7"
HOSTS = {"github.com", "corp.example:8443", "me.ghe.com"}


@pytest.mark.parametrize(
    ("url", "release", "file"),
    [
        ("https://github.com/o/r/releases/download/v1/f.tgz", RELEASE, "f.tgz"),
        ("https://GitHub.com:443/o/r/releases/download/v1/f.tgz", RELEASE, "f.tgz"),
        ("https://github.com/o/r/releases/download/a%2Fv1/f%20g", Release("github.com", "o", "r", "a/v1"), "f g"),
        ("https://github.com/o/r/releases/download/a/v1/f", Release("github.com", "o", "r", "a/v1"), "f"),
        ("https://me.ghe.com/o/r/releases/download/n@v1/f", Release("me.ghe.com", "o", "r", "n@v1"), "f"),
        ("https://corp.example:8443/o/r/releases/download/v1/f", Release("corp.example:8443", "o", "r", "v1"), "f"),
    ],
)  # fmt: skip
def test_a_download_url_is_a_release_and_a_file(url: str, release: Release, file: str) -> None:
    assert parse_release_url(url, HOSTS) == (release, file)


@pytest.mark.parametrize(
    "url",
    [
        "http://github.com/o/r/releases/download/v1/f",
        "https://user@github.com/o/r/releases/download/v1/f",
        "https://gitlab.com/o/r/releases/download/v1/f",
        "https://github.com.evil.example/o/r/releases/download/v1/f",
        "https://github.com/o/r/releases/download/v1/f?x=y",
        "https://github.com/o/r/releases/download/v1/",
        "https://github.com/o/r/releases/download/f",
        "https://github.com/o/r/releases/v1/f",
        "https://github.com/o/r/archive/refs/tags/v1.tgz",
        "https://github.com/o/../releases/download/v1/f",
        "https://github.com/o/r%2Fx/releases/download/v1/f",
        "https://github.com/o%22/r/releases/download/v1/f",
        "https://github.com/o/r/releases/download/v1%0a/f",
        "https://github.com/o/r/releases/download/../f",
        "https://github.com/o/r/releases/download/-v1/f",
        "https://github.com/o/r/releases/download/v1/%2e%2e%2ff",
        "https://github.com/o/r/releases/download/%ff/f",
        "https://github.com/" + "o" * 101 + "/r/releases/download/v1/f",
        "https://[github.com/o/r/releases/download/v1/f",
    ],
)
def test_owner_repository_tag_and_file_are_asked_for_only_as_such_names_may_be(url: str) -> None:
    assert parse_release_url(url, HOSTS) is None


def test_the_api_is_where_the_host_has_it() -> None:
    assert (rest_url("github.com"), graphql_url("github.com")) == (
        "https://api.github.com",
        "https://api.github.com/graphql",
    )
    assert (rest_url("me.ghe.com"), graphql_url("me.ghe.com")) == (
        "https://api.me.ghe.com",
        "https://api.me.ghe.com/graphql",
    )
    assert (rest_url("corp.example:8443"), graphql_url("corp.example:8443")) == (
        "https://corp.example:8443/api/v3",
        "https://corp.example:8443/api/graphql",
    )


def test_the_files_of_a_release_are_read_and_half_sent_ones_are_left_out() -> None:
    body = json.dumps(
        {
            "assets": [
                {"name": "a", "url": ASSET},
                {"name": "b", "url": ASSET, "state": "open"},
                {"name": 3},
                4,
            ]
        }
    ).encode()
    assert parse_release(body, RELEASE) == {"a": ASSET}


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/repos/o/r/releases/assets/7",
        "https://api.github.com.evil.example/repos/o/r/releases/assets/7",
        "https://api.github.com@evil.example/repos/o/r/releases/assets/7",
        "http://api.github.com/repos/o/r/releases/assets/7",
        "https://api.github.com/user",
        "https://api.github.com/repos/o/r/releases/assets/7/../../../../../user",
        "https://github.com/o/r/releases/download/v1/a",
        7,
        None,
    ],
)
def test_a_place_that_is_no_asset_of_this_api_is_none(url: object) -> None:
    body = json.dumps({"assets": [{"name": "a", "url": url}]}).encode()
    assert parse_release(body, RELEASE) == {"a": None}


def graphql(**repository: object) -> bytes:
    return json.dumps({"data": {"repository": repository}}).encode()


def test_a_page_of_files_says_what_follows_and_whether_it_is_private() -> None:
    assets = {"nodes": [{"name": "a", "url": ASSET}], "pageInfo": {"hasNextPage": True, "endCursor": "c"}}
    body = graphql(isPrivate=True, release={"releaseAssets": assets})
    assert parse_graphql(body, RELEASE) == Page({"a": ASSET}, True, "c")


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (graphql(isPrivate=False, release=None), NoPage.ABSENT),
        (b'{"data":{"repository":null},"errors":[{"type":"NOT_FOUND"}]}', NoPage.ABSENT),
        (b'{"data":{"repository":null},"errors":[{"type":"FORBIDDEN"}]}', NoPage.FORBIDDEN),
    ],
)
def test_what_is_not_there_and_what_is_not_told_are_two_answers(body: bytes, answer: object) -> None:
    assert parse_graphql(body, RELEASE) == answer


_VALID = (
    json.dumps({"assets": [{"name": "a", "url": ASSET, "state": "uploaded"}]}).encode(),
    graphql(
        isPrivate=False,
        release={
            "releaseAssets": {"nodes": [{"name": "a", "url": ASSET}], "pageInfo": {"hasNextPage": False}}
        },
    ),
    b'{"data":{"repository":null},"errors":[{"type":"NOT_FOUND","message":"x"}]}',
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["data", "repository", "release", "releaseAssets", "nodes", "assets", "name", "url",
                         "pageInfo", "hasNextPage", "endCursor", "errors", "type", "isPrivate", "state"]),
        inner, max_size=4),
    max_leaves=24,
)  # fmt: skip


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    body = bytearray(draw(st.sampled_from(_VALID)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body) - 1))
        body[at : at + draw(st.integers(0, 6))] = draw(st.binary(max_size=4))
        body = body or bytearray(b" ")
    return bytes(body)


@settings(max_examples=2000, deadline=None)
@given(_mutated() | st.binary(max_size=80) | _JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_an_api_answers_reading_it_gives_an_answer_or_one_error(body: bytes) -> None:
    assert says_rate_limited(body) in (True, False)
    for parse in (parse_release, parse_graphql):
        try:
            found = parse(body, RELEASE)
        except Unreachable:
            continue
        urls = (
            found.assets.values()
            if isinstance(found, Page)
            else found.values()
            if isinstance(found, dict)
            else ()
        )
        assert all(url is None or url.startswith("https://api.github.com/repos/") for url in urls)


def test_an_answer_of_endless_depth_is_one_error() -> None:
    for parse in (parse_release, parse_graphql):
        with pytest.raises(Unreachable):
            parse(b"[" * 100_000, RELEASE)
