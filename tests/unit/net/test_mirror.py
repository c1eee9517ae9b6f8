"""Mirrors in the place of other hosts, over real TLS: what they are told, and what is told of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from binstall.errors import Unreachable
from binstall.formats.mirrors import Mirror
from binstall.net.http import HttpFetcher
from binstall.net.mirror import MirrorFetcher, is_mirrored
from support_net import Answer, Server

NewFetcher = Callable[..., HttpFetcher]
HEADERS = {"authorization": "Bearer secret", "accept": "text/plain", "private-token": "secret"}
ORIGINAL = "https://original.invalid/gh/"


def _fetcher(new_fetcher: NewFetcher, *mirrors: Mirror) -> MirrorFetcher:
    return MirrorFetcher(new_fetcher(leads_elsewhere=partial(is_mirrored, mirrors)), mirrors)


def _body(fetcher: MirrorFetcher, url: str) -> tuple[str, bytes]:
    with fetcher.open(url, headers=HEADERS) as response:
        assert response.status == 200
        return response.url, b"".join(response.chunks())


def test_a_mirror_gets_no_secret_and_its_answer_is_the_originals(
    new_fetcher: NewFetcher, server: Server
) -> None:
    server.on("/m/o/r", Answer(body=b"hello"))
    fetcher = _fetcher(new_fetcher, Mirror(ORIGINAL, server.url("/m/")))
    url = "https://user:secret@original.invalid/gh/o/r?x=1"
    with fetcher.open(url, headers=HEADERS) as response:
        assert response.url == ORIGINAL + "o/r?x=1"
    assert _body(fetcher, ORIGINAL + "o/r?x=1") == (ORIGINAL + "o/r?x=1", b"hello")
    for request in server.requests:
        assert "secret" not in str(request.headers) + request.path
        assert request.headers["accept"] == "text/plain"


def test_other_hosts_are_asked_directly_with_all_headers(new_fetcher: NewFetcher, server: Server) -> None:
    url = server.on("/a", Answer(body=b"x"))
    assert _body(_fetcher(new_fetcher, Mirror(ORIGINAL, server.url("/m/"))), url) == (url, b"x")
    assert server.requests[0].headers["authorization"] == "Bearer secret"


def test_a_redirect_to_a_mirrored_place_is_followed_at_the_mirror_without_secrets(
    new_fetcher: NewFetcher, server: Server
) -> None:
    url = server.on("/a", Answer(302, headers={"Location": ORIGINAL + "b"}))
    server.on("/m/b", Answer(body=b"b"))
    fetcher = _fetcher(new_fetcher, Mirror(ORIGINAL, server.url("/m/")))
    assert _body(fetcher, url) == (ORIGINAL + "b", b"b")
    assert "authorization" in server.requests[0].headers
    assert "authorization" not in server.requests[1].headers


def test_where_a_mirror_leads_is_told_only_within_the_mirror(
    new_fetcher: NewFetcher, server: Server
) -> None:
    server.on("/m/old", Answer(301, headers={"Location": "/m/new"}))
    server.on("/m/new", Answer(body=b"x"))
    server.on("/m/away", Answer(301, headers={"Location": "/elsewhere"}))
    server.on("/elsewhere", Answer(body=b"y"))
    fetcher = _fetcher(new_fetcher, Mirror(ORIGINAL, server.url("/m/")))
    assert _body(fetcher, ORIGINAL + "old") == (ORIGINAL + "new", b"x")
    assert _body(fetcher, ORIGINAL + "away") == (ORIGINAL + "away", b"y")


def test_a_mirror_that_leads_back_to_the_original_leads_in_a_circle(
    new_fetcher: NewFetcher, server: Server
) -> None:
    server.on("/m/a", Answer(302, headers={"Location": ORIGINAL + "a"}))
    fetcher = _fetcher(new_fetcher, Mirror(ORIGINAL, server.url("/m/")))
    with pytest.raises(Unreachable, match="redirects more than"):
        _body(fetcher, ORIGINAL + "a")


@pytest.mark.parametrize(
    "answer", [Answer(404), Answer(503), Answer(302, headers={"Location": "http://x/"})]
)
def test_the_original_is_asked_with_its_secrets_only_where_the_rule_lets_it(
    new_fetcher: NewFetcher, server: Server, answer: Answer
) -> None:
    server.on("/m/a", answer)
    server.on("/o/a", Answer(body=b"original"))
    original = server.url("/o/")
    open_way = _fetcher(new_fetcher, Mirror(original, server.url("/m/"), fallback=True))
    assert _body(open_way, original + "a") == (original + "a", b"original")
    mirror, asked = server.requests
    assert "authorization" not in mirror.headers
    assert asked.headers["authorization"] == "Bearer secret"
    closed_way = _fetcher(new_fetcher, Mirror(original, server.url("/m/")))
    try:
        with closed_way.open(original + "a") as response:
            assert response.status in {404, 503}
    except Unreachable as error:
        assert error.url == original + "a"
    assert [request.path for request in server.requests] == ["/m/a", "/o/a", "/m/a"]


def test_what_could_be_read_as_a_mirrored_url_is_not_asked_for(
    new_fetcher: NewFetcher, server: Server
) -> None:
    fetcher = _fetcher(new_fetcher, Mirror(ORIGINAL, server.url("/m/")))
    for url in ("https://%6friginal.invalid/gh/a", "https:original.invalid/gh/a", "not a url"):
        with pytest.raises(Unreachable):
            _body(fetcher, url)
    assert not server.requests


def test_a_question_with_a_body_goes_neither_to_the_mirror_nor_past_it(
    new_fetcher: NewFetcher, server: Server
) -> None:
    fetcher = _fetcher(new_fetcher, Mirror(server.url("/o/"), server.url("/m/"), fallback=True))
    with (
        pytest.raises(Unreachable, match="files only"),
        fetcher.open(server.url("/o/q"), method="POST", body=b"{}"),
    ):
        pass
    assert not server.requests
