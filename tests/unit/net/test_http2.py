"""HTTP/2 with a real nginx; misbehaving servers stand behind it."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait as wait_for_all
from pathlib import Path

import pytest

from binstall.errors import Cancelled, Unreachable
from binstall.limits import MIB
from binstall.net.http import HttpFetcher
from binstall.net.transfers import Transfers, wait
from support_distance import Distance
from support_net import Answer, Authority, ConnectProxy, Server
from support_nginx import Nginx

NewFetcher = Callable[..., HttpFetcher]
_ETAG = '"one"'


def body(fetcher: HttpFetcher, url: str) -> bytes:
    with fetcher.open(url) as response:
        assert response.status == 200
        return b"".join(response.chunks())


def test_http_2_is_spoken_where_it_is_offered_on_one_connection(
    fetcher: HttpFetcher, authority: Authority, tmp_path: Path
) -> None:
    with Nginx(authority, tmp_path) as nginx, Transfers(fetcher) as transfers:
        urls = [nginx.put(f"file{number}", b"x" * number) for number in range(20)]
        wait(transfers.fetch(urls[0], limit=MIB, what="x"))
        under_way = [transfers.fetch(url, limit=MIB, what="x") for url in urls[1:]]
        assert [len(wait(each)) for each in under_way] == list(range(1, 20))
        logged = nginx.log()
    assert {each.protocol for each in logged} == {"HTTP/2.0"}
    assert len(logged) == 20, "nothing is asked for twice"
    assert len({each.connection for each in logged}) == 1


def test_http_1_1_is_spoken_where_nothing_else_is_offered(
    fetcher: HttpFetcher, authority: Authority, tmp_path: Path
) -> None:
    with Nginx(authority, tmp_path, http2=False) as nginx:
        assert body(fetcher, nginx.put("file", b"hello")) == b"hello"
        assert [each.protocol for each in nginx.log()] == ["HTTP/1.1"]


def test_http_2_goes_through_the_tunnel_of_a_proxy(
    new_fetcher: NewFetcher, authority: Authority, tmp_path: Path
) -> None:
    from binstall.net.proxy import find_proxies

    with Nginx(authority, tmp_path) as nginx, ConnectProxy() as proxy:
        fetcher = new_fetcher(proxies=find_proxies({"https_proxy": f"http://{proxy.address}"}, None))
        assert body(fetcher, nginx.put("file", b"hello")) == b"hello"
        assert [method for method, _, _ in proxy.seen] == ["CONNECT"]
        assert [each.protocol for each in nginx.log()] == ["HTTP/2.0"]


def test_a_connection_that_the_server_ends_after_some_requests_is_replaced(
    fetcher: HttpFetcher, authority: Authority, tmp_path: Path
) -> None:
    with Nginx(authority, tmp_path, keepalive_requests=3) as nginx, Transfers(fetcher) as transfers:
        url = nginx.put("file", b"hello")
        for _ in range(8):
            under_way = [transfers.fetch(url, limit=MIB, what="x") for _ in range(4)]
            assert {wait(each) for each in under_way} == {b"hello"}
        logged = nginx.log()
    assert {each.status for each in logged} == {200}
    assert len({each.connection for each in logged}) > 1


def test_a_stream_that_is_reset_before_an_answer_is_worth_another_try(
    fetcher: HttpFetcher, authority: Authority, tmp_path: Path
) -> None:
    with (
        Nginx(authority, tmp_path) as nginx,
        pytest.raises(Unreachable) as caught,
        fetcher.open(nginx.url("/silent")),
    ):
        pass
    assert caught.value.transient
    assert "/silent: " in caught.value.message


def test_a_dropped_download_is_resumed(
    fetcher: HttpFetcher, authority: Authority, plain_server: Server, tmp_path: Path
) -> None:
    content = os.urandom(3_000_000)
    whole = Answer(body=content, etag=_ETAG, ranges=True)
    plain_server.on("/a", Answer(body=content, etag=_ETAG, ranges=True, drop_after=2_000_000), whole)
    with (
        Nginx(authority, tmp_path, behind=plain_server.port) as nginx,
        Transfers(fetcher) as transfers,
    ):
        url = nginx.url("/behind/a")
        download = wait(
            transfers.download(url, tmp_path, digests=("sha256",), limit=10 * MIB, what="the package")
        )
        assert download.digest("sha256") == hashlib.sha256(content).digest()
        assert {each.protocol for each in nginx.log()} == {"HTTP/2.0"}
    first, second = plain_server.asked("/a")
    assert "range" not in first.headers
    assert second.headers["if-range"] == _ETAG
    assert int(second.headers["range"].removeprefix("bytes=").removesuffix("-")) > 0


def test_one_silent_stream_times_out_and_hinders_no_other(
    new_fetcher: NewFetcher, authority: Authority, plain_server: Server, tmp_path: Path
) -> None:
    plain_server.on("/silent", Answer(body=b"x" * 100, stall_after=50))
    fetcher = new_fetcher(idle_timeout=1.0)
    with Nginx(authority, tmp_path, behind=plain_server.port) as nginx:
        url = nginx.put("file", b"hello")
        body(fetcher, url)
        failures: list[Unreachable] = []

        def ask() -> None:
            try:
                body(fetcher, nginx.url("/behind/silent"))
            except Unreachable as error:
                failures.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        answers = 0
        while thread.is_alive():
            assert body(fetcher, url) == b"hello"
            answers += 1
            time.sleep(0.05)
        thread.join()
    assert answers > 3
    assert "timed out" in failures[0].message
    assert failures[0].transient


def test_cancel_ends_one_transfer_and_no_other_of_its_connection(
    fetcher: HttpFetcher, authority: Authority, plain_server: Server, tmp_path: Path
) -> None:
    def endless() -> Iterator[bytes]:
        while not ended.wait(0.01):
            yield b"x" * 100

    ended = threading.Event()
    plain_server.on("/endless", Answer(body=endless, chunked=True))
    with (
        Nginx(authority, tmp_path, behind=plain_server.port) as nginx,
        Transfers(fetcher) as transfers,
    ):
        url = nginx.put("file", b"hello")
        one = transfers.download(
            nginx.url("/behind/endless"), tmp_path, digests=(), limit=MIB, what="the package"
        )
        while not plain_server.asked("/endless"):
            time.sleep(0.01)
        one.cancel()
        with pytest.raises(Cancelled):
            wait(one)
        assert wait(transfers.fetch(url, limit=MIB, what="x")) == b"hello"
        ended.set()


def test_stop_ends_everything_that_waits(
    fetcher: HttpFetcher, authority: Authority, plain_server: Server, tmp_path: Path
) -> None:
    for name in ("head", "body"):
        plain_server.on(f"/{name}", Answer(body=b"x" * 100, stall_after=-1 if name == "head" else 50))
    with Nginx(authority, tmp_path, behind=plain_server.port) as nginx:
        transfers = Transfers(fetcher)
        under_way = [
            transfers.fetch(nginx.url(f"/behind/{name}"), limit=MIB, what="x") for name in ("head", "body")
        ]
        while len(plain_server.requests) < 2:
            time.sleep(0.01)
        began = time.monotonic()
        transfers.close()
        assert not wait_for_all(under_way, timeout=0).not_done
        assert time.monotonic() - began < 1.5
        assert {type(each.exception()) for each in under_way} == {Cancelled}


def test_a_connection_that_has_died_is_given_up_before_another_try(
    new_fetcher: NewFetcher, authority: Authority, tmp_path: Path
) -> None:
    with Nginx(authority, tmp_path) as nginx, Distance(nginx.port, round_trip=0) as way:
        fetcher = new_fetcher(idle_timeout=1.5)
        nginx.put("file", b"hello")
        url = nginx.url("/file", port=way.port)
        with Transfers(fetcher) as transfers:
            assert wait(transfers.fetch(url, limit=MIB, what="x")) == b"hello"
            way.lose_everything()
            assert wait(transfers.fetch(url, limit=MIB, what="x")) == b"hello"


def test_a_large_file_from_far_away_comes_about_as_fast_as_over_http_1_1(
    fetcher: HttpFetcher, authority: Authority, tmp_path: Path
) -> None:
    took: dict[bool, float] = {}
    for http2 in (False, True):
        folder = tmp_path / str(http2)
        folder.mkdir()
        with (
            Nginx(authority, folder, http2=http2) as nginx,
            Distance(nginx.port, round_trip=0.1) as far,
        ):
            nginx.put("small", b"")
            nginx.put("large", bytes(48 * MIB))
            body(fetcher, nginx.url("/small", port=far.port))
            runs = []
            for _ in range(2):
                began = time.monotonic()
                assert len(body(fetcher, nginx.url("/large", port=far.port))) == 48 * MIB
                runs.append(time.monotonic() - began)
            took[http2] = min(runs)
    # The library's own window of 64 KiB would need 768 round trips, over a minute.
    assert took[True] < 3 * took[False] + 0.5, took
