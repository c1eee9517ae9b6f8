from __future__ import annotations

import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyreqwest.http import Url

from binstall import __version__
from binstall.errors import ConfigError, Unreachable
from binstall.limits import MAX_REDIRECTS
from binstall.net.http import HttpFetcher, checked_url
from binstall.net.proxy import Proxies, find_proxies
from binstall.net.tls import TrustedRoots, find_trusted_roots
from support_net import Answer, Authority, ConnectProxy, Server

NewFetcher = Callable[..., HttpFetcher]


def body(fetcher: HttpFetcher, url: str, **more: dict[str, str]) -> bytes:
    with fetcher.open(url, headers=more.get("headers", {})) as response:
        assert response.status == 200
        return b"".join(response.chunks())


def failure(fetcher: HttpFetcher, url: str) -> Unreachable:
    with pytest.raises(Unreachable) as caught, fetcher.open(url) as response:
        b"".join(response.chunks())
    return caught.value


def test_a_body_arrives_whole_with_status_final_url_and_lower_case_headers(
    fetcher: HttpFetcher, server: Server
) -> None:
    url = server.on("/a", Answer(body=b"x" * 3_000_000, headers={"X-Two": "1", "x-two": "2"}))
    with fetcher.open(url + "?q=1#part") as response:
        assert (response.status, response.url) == (200, url + "?q=1")
        assert response.headers["x-two"] == "1, 2"
        assert b"".join(response.chunks()) == b"x" * 3_000_000


def test_a_request_asks_for_identity_coding_in_the_name_of_this_program(
    fetcher: HttpFetcher, server: Server
) -> None:
    body(fetcher, server.on("/a", Answer()), headers={"Accept": "text/plain"})
    headers = server.requests[0].headers
    assert headers["accept-encoding"] == "identity"
    assert headers["user-agent"] == f"binstall/{__version__}"
    assert headers["accept"] == "text/plain"
    assert "referer" not in headers


def test_statuses_other_than_redirects_are_handed_out(fetcher: HttpFetcher, server: Server) -> None:
    for status in (204, 300, 304, 404, 500):
        with fetcher.open(server.on("/a", Answer(status))) as response:
            assert response.status == status


def test_head_brings_headers_and_no_body(fetcher: HttpFetcher, server: Server) -> None:
    with fetcher.open(server.on("/a", Answer(body=b"abc")), method="HEAD") as response:
        assert response.headers["content-length"] == "3"
        assert b"".join(response.chunks()) == b""


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "deflate", "x-gzip", "identity, gzip"])
def test_another_content_coding_is_refused_and_never_decoded(
    fetcher: HttpFetcher, server: Server, coding: str
) -> None:
    url = server.on("/a", Answer(body=b"\x1f\x8b", headers={"Content-Encoding": coding}))
    assert "content coding" in failure(fetcher, url).message


def test_a_coded_error_page_is_still_its_status(fetcher: HttpFetcher, server: Server) -> None:
    with fetcher.open(server.on("/a", Answer(404, headers={"Content-Encoding": "gzip"}))) as response:
        assert response.status == 404


# Redirects.


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_relative_ones_too(
    fetcher: HttpFetcher, server: Server, status: int
) -> None:
    server.on("/d/a", Answer(status, headers={"Location": "../b?x=1#y"}))
    url = server.on("/b", Answer(body=b"there"))
    with fetcher.open(server.url("/d/a")) as response:
        assert response.url == url + "?x=1"
        assert b"".join(response.chunks()) == b"there"


def test_ten_redirects_are_followed_and_not_eleven(fetcher: HttpFetcher, server: Server) -> None:
    for n in range(MAX_REDIRECTS + 1):
        server.on(f"/{n}", Answer(302, headers={"Location": f"/{n + 1}"}))
    server.on(f"/{MAX_REDIRECTS + 1}", Answer(body=b"end"))
    assert body(fetcher, server.url("/1")) == b"end"
    assert "MAX_REDIRECTS" in failure(fetcher, server.url("/0")).message


def test_a_loop_of_redirects_ends(fetcher: HttpFetcher, server: Server) -> None:
    error = failure(fetcher, server.on("/a", Answer(302, headers={"Location": "/a"})))
    assert "redirects more than 10 times" in error.message
    assert len(server.requests) == MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    "location",
    [
        "http://localhost/x",
        "HTTP://localhost/x",
        "file:///etc/passwd",
        "ftp://localhost/x",
        "data:text/plain,x",
        "javascript:alert(1)",
        "unix:/run/x",
        "ws://localhost/x",
    ],
)
@pytest.mark.parametrize("allow", [False, True])
def test_https_is_never_left(new_fetcher: NewFetcher, server: Server, location: str, allow: bool) -> None:
    url = server.on("/a", Answer(302, headers={"Location": location}))
    error = failure(new_fetcher(allow_insecure_http=allow), url)
    assert "redirects to" in error.message
    assert "not an https URL" in error.message
    assert not error.transient


def test_plain_http_needs_to_be_allowed_and_may_lead_to_https(
    new_fetcher: NewFetcher, server: Server, plain_server: Server
) -> None:
    plain_server.on("/a", Answer(302, headers={"Location": server.on("/b", Answer(body=b"safe"))}))
    assert body(new_fetcher(allow_insecure_http=True), plain_server.url("/a")) == b"safe"
    error = failure(new_fetcher(), plain_server.url("/a"))
    assert "--allow-insecure-http" in (error.hint or "")
    assert len(plain_server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(302), id="none"),
        pytest.param(Answer(302, raw_headers=b"Location: /\xff\xfe\r\n"), id="no text"),
        pytest.param(Answer(302, raw_headers="Location: /é\r\n".encode()), id="not ASCII"),
        pytest.param(Answer(302, headers={"Location": "/" + "x" * 9000}), id="huge"),
        pytest.param(Answer(302, headers={"Location": "https://"}), id="no host"),
        pytest.param(Answer(302, headers={"Location": "https://[::1"}), id="broken address"),
        pytest.param(Answer(302, headers={"Location": "https://localhost:99999/"}), id="no port"),
        pytest.param(Answer(302, raw_headers=b"Location: /a\tb\r\n"), id="control character"),
        pytest.param(Answer(302, raw_headers=b"Location: /" + b"x" * 600_000 + b"\r\n"), id="enormous"),
    ],
)
def test_an_unusable_location_is_unreachable(fetcher: HttpFetcher, server: Server, answer: Answer) -> None:
    error = failure(fetcher, server.on("/a", answer))
    assert len(error.message) < 1500
    assert not error.transient


def test_secrets_do_not_follow_to_another_port_or_scheme(
    new_fetcher: NewFetcher, authority: Authority, server: Server
) -> None:
    secrets = {"Authorization": "token", "Cookie": "a=b", "Private-Token": "x", "Range": "bytes=0-"}
    with Server(authority) as other:
        there = other.on("/b", Answer())
        here = server.on("/a", Answer(302, headers={"Location": "/a2"}))
        server.on("/a2", Answer(302, headers={"Location": there}))
        body(new_fetcher(), here, headers=secrets)
        for asked in server.requests:
            assert asked.headers["authorization"] == "token"
            assert asked.headers["cookie"] == "a=b"
        assert set(other.requests[0].headers) & {"authorization", "cookie", "private-token"} == set()
        assert other.requests[0].headers["range"] == "bytes=0-"


def test_user_info_is_basic_authentication_for_its_host_alone(
    fetcher: HttpFetcher, authority: Authority, server: Server
) -> None:
    with Server(authority) as other:
        server.on("/a", Answer(302, headers={"Location": other.on("/b", Answer())}))
        url = server.url("/a").replace("https://", "https://us%40er:p%C3%A4ss@")
        body(fetcher, url)
        expected = b64encode("us@er:päss".encode()).decode()
        assert server.requests[0].headers["authorization"] == f"Basic {expected}"
        assert "authorization" not in other.requests[0].headers
    with fetcher.open(server.on("/b", Answer()).replace("https://", "https://us%40er@")) as response:
        assert response.url == server.url("/b")
    assert server.requests[-1].headers["authorization"] == "Basic " + b64encode(b"us@er:").decode()


def test_no_message_tells_user_info_or_query_values(fetcher: HttpFetcher, server: Server) -> None:
    server.on("/drop", Answer(drop_after=0, body=b"x"))
    for url in (
        "https://user:hunter2@localhost:1/x?token=hunter2",
        server.url("/drop?token=hunter2").replace("https://", "https://u:hunter2@"),
        "http://user:hunter2@localhost:1/x?token=hunter2",
        "https://user:hunter2@:1/x?token=hunter2",
        "https://user:hunter2@h:1x/x?token=hunter2",
        server.on("/r", Answer(302, headers={"Location": "http://u:hunter2@h/?a=hunter2"})),
        server.on("/s", Answer(302, headers={"Location": "//u:hunter2@localhost:1/?a=hunter2"})),
        server.on("/t", Answer(302, headers={"Location": "//u:hunter2@[::1/?a=hunter2"})),
        "https:u:hunter2@localhost/",
        "https:///u:hunter2@localhost/",
        "https:\\\\u:hunter2@localhost/",
        "//u:hunter2@localhost/",
    ):
        error = failure(fetcher, url)
        assert "hunter2" not in error.message + (error.hint or "")


# Time limits and broken answers.


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(stall_after=-1), id="before the headers"),
        pytest.param(Answer(stall_after=10, body=b"x" * 100), id="in the body"),
    ],
)
def test_silence_is_a_transient_failure(new_fetcher: NewFetcher, server: Server, answer: Answer) -> None:
    begin = time.monotonic()
    error = failure(new_fetcher(idle_timeout=0.3), server.on("/a", answer))
    assert error.transient
    assert "timed out" in error.message
    assert time.monotonic() - begin < 2


@pytest.mark.parametrize(
    ("answer", "transient"),
    [
        pytest.param(Answer(drop_after=10, body=b"x" * 100), True, id="dropped in the body"),
        pytest.param(Answer(drop_after=0, body=b"x" * 100), True, id="dropped before the body"),
        pytest.param(Answer(drop_after=10, body=b"x" * 100, chunked=True), True, id="dropped in a chunk"),
        pytest.param(Answer(drop_after=100, body=b"x" * 100, chunked=True), True, id="no last chunk"),
        pytest.param(Answer(drop_after=9, body=b"x" * 9, until_close=True), True, id="no close_notify"),
        pytest.param(Answer(length=200, drop_after=100, body=b"x" * 100), True, id="length too large"),
        pytest.param(Answer(raw_headers=b"no header at all\r\n"), False, id="no header"),
        pytest.param(Answer(raw_headers=b"Content-Length: 77\r\n"), False, id="two lengths"),
    ],
)
def test_a_broken_answer_is_unreachable(
    fetcher: HttpFetcher, server: Server, answer: Answer, transient: bool
) -> None:
    assert failure(fetcher, server.on("/a", answer)).transient is transient


def test_a_body_that_ends_with_the_connection_is_whole(fetcher: HttpFetcher, server: Server) -> None:
    assert body(fetcher, server.on("/a", Answer(body=b"abc", until_close=True))) == b"abc"


def test_a_dropped_body_brings_what_came_before(fetcher: HttpFetcher, server: Server) -> None:
    url = server.on("/a", Answer(drop_after=10, body=b"x" * 100, etag='"e"'))
    with fetcher.open(url) as response:
        assert response.headers["etag"] == '"e"'
        chunks = response.chunks()
        assert next(chunks) == b"x" * 10
        with pytest.raises(Unreachable):
            next(chunks)


def test_a_refused_connection_is_transient(fetcher: HttpFetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert failure(fetcher, f"https://127.0.0.1:{port}/").transient


def test_a_connection_that_is_never_accepted_times_out(new_fetcher: NewFetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        error = failure(new_fetcher(connect_timeout=0.3), f"https://localhost:{listener.getsockname()[1]}/")
    assert error.transient


def test_leaving_early_and_closing_are_harmless(fetcher: HttpFetcher, server: Server) -> None:
    url = server.on("/a", Answer(body=b"x" * 5_000_000))
    with fetcher.open(url) as response:
        assert next(response.chunks())
    with fetcher.open(url):
        fetcher.close()
    fetcher.close()
    assert "closed" in failure(fetcher, url).message


def test_an_error_of_the_reader_comes_out_as_it_is(fetcher: HttpFetcher, server: Server) -> None:
    with pytest.raises(KeyError), fetcher.open(server.on("/a", Answer(body=b"x"))):
        raise KeyError


def test_close_ends_a_call_in_another_thread(new_fetcher: NewFetcher, server: Server) -> None:
    fetcher = new_fetcher(idle_timeout=10.0)
    url = server.on("/a", Answer(stall_after=-1))
    timer = threading.Timer(0.2, fetcher.close)
    timer.start()
    begin = time.monotonic()
    error = failure(fetcher, url)
    timer.join()
    assert not error.transient
    assert time.monotonic() - begin < 1.5


def test_close_ends_a_body_at_the_next_bytes(fetcher: HttpFetcher, server: Server) -> None:
    def drips() -> Iterator[bytes]:
        while not server.closing.wait(0.02):
            yield b"x"

    with fetcher.open(server.on("/a", Answer(body=drips, chunked=True))) as response:
        chunks = response.chunks()
        assert next(chunks)
        fetcher.close()
        with pytest.raises(Unreachable, match="closed"):
            list(chunks)


# Hostile text.


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "//host/x",
        "https:",
        "https://",
        "https://host\n/x",
        "https://host/\x00",
        "https://host/\r\nX: y",
        "https://\ud800/",
        "https://a b/",
        "https://h/" + "x" * 9000,
        "file:///etc/passwd",
        "ssh://host/x",
        "https://[::1",
        "https://host:99999/",
    ],
)
def test_an_unusable_url_is_unreachable(fetcher: HttpFetcher, url: str) -> None:
    assert not failure(fetcher, url).transient


@pytest.mark.parametrize("headers", [{"a b": "c"}, {"a": "b\r\nc: d"}, {"": "x"}, {"a": "\ud800"}])
def test_an_unusable_request_header_is_unreachable(
    fetcher: HttpFetcher, server: Server, headers: dict[str, str]
) -> None:
    with pytest.raises(Unreachable), fetcher.open(server.on("/a", Answer()), headers=headers):
        pass
    assert server.requests == []


def test_a_header_that_is_no_text_is_left_out(fetcher: HttpFetcher, server: Server) -> None:
    url = server.on("/a", Answer(raw_headers=b"X-Odd: \xff\xfe\r\nX-Utf: \xc3\xa9\r\nX-Fine: 1\r\n"))
    with fetcher.open(url) as response:
        assert "x-odd" not in response.headers
        assert response.headers["x-fine"] == "1"


@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    url=st.one_of(
        st.text(), st.text().map("https://".__add__), st.from_regex(r"https?://[^/]{0,9}@?:[0-9]+")
    )
)
def test_any_text_as_url_is_unreachable_or_asked_for(refusing: HttpFetcher, url: str) -> None:
    failure(refusing, url)


@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    location=st.one_of(
        st.text(), st.from_regex(r"(https?|file|//)?:?/{0,3}[a-z0-9.]{0,9}(:[0-9]*)?/.*", fullmatch=True)
    )
)
def test_any_location_is_unreachable_or_followed_within_https(location: str) -> None:
    base = Url("https://localhost/a")
    try:
        target = checked_url(location, asked=str(base), base=base, schemes={"http", "https"})
    except Unreachable:
        return
    assert target.scheme == "https"
    assert target.host_str


@pytest.fixture
def refusing(new_fetcher: NewFetcher) -> HttpFetcher:
    """A fetcher of which every request ends at a proxy that is not there, so no test asks the world."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return new_fetcher(proxies=find_proxies({}, f"127.0.0.1:{port}"))


# TLS.


def test_an_unknown_authority_is_named_with_where_the_roots_came_from(
    new_fetcher: NewFetcher, authority: Authority, server: Server
) -> None:
    with Authority("Other") as other:
        fetcher = new_fetcher(roots=find_trusted_roots([other.pem_path], {}))
        error = failure(fetcher, server.on("/a", Answer()))
        assert "CN=Test Authority of Example Ltd" in error.message
        assert "UnknownIssuer" in error.message
        assert "the system's store" in error.message
        assert f"{other.pem_path} (--root-certificates)" in error.message
        assert "--root-certificates" in (error.hint or "")
        assert not error.transient
        assert server.requests == []


def test_a_certificate_for_another_name_is_refused(fetcher: HttpFetcher, authority: Authority) -> None:
    with Authority(hosts=["elsewhere.example"]) as other, Server(other) as server:
        own = HttpFetcher(roots=find_trusted_roots([other.pem_path], {}))
        try:
            assert "its certificate is not accepted" in failure(own, server.url("/")).message
        finally:
            own.close()


@pytest.mark.parametrize(
    ("least", "works"), [pytest.param("1.2", True, id="1.2"), pytest.param("1.3", False, id="1.3")]
)
def test_the_least_tls_version_holds(
    new_fetcher: NewFetcher, authority: Authority, least: str, works: bool
) -> None:
    with Server(authority, maximum=ssl.TLSVersion.TLSv1_2) as old:
        url = old.on("/a", Answer(body=b"ok"))
        fetcher = new_fetcher(min_tls_version=least)
        if works:
            assert body(fetcher, url) == b"ok"
        else:
            error = failure(fetcher, url)
            assert "ProtocolVersion" in error.message
            assert not error.transient


def test_plain_http_on_an_https_port_is_final(fetcher: HttpFetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def speak() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                connection.recv(10_000)

        thread = threading.Thread(target=speak)
        thread.start()
        error = failure(fetcher, f"https://127.0.0.1:{listener.getsockname()[1]}/")
        thread.join()
    assert not error.transient


def test_a_store_that_was_named_replaces_the_systems(
    monkeypatch: pytest.MonkeyPatch, new_fetcher: NewFetcher, authority: Authority, server: Server
) -> None:
    url = server.on("/a", Answer(body=b"ok"))
    roots = find_trusted_roots([], {"SSL_CERT_FILE": str(authority.pem_path)})
    assert body(new_fetcher(roots=roots), url) == b"ok"
    # The process environment itself counts for nothing.
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.pem_path))
    with Authority("Other") as other:
        elsewhere = find_trusted_roots([], {"SSL_CERT_FILE": str(other.pem_path)})
        assert "UnknownIssuer" in failure(new_fetcher(roots=elsewhere), url).message


def test_a_broken_store_in_the_process_environment_is_not_looked_at(
    monkeypatch: pytest.MonkeyPatch, new_fetcher: NewFetcher, server: Server
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    assert body(new_fetcher(), server.on("/a", Answer(body=b"ok"))) == b"ok"


@pytest.mark.skipif(
    "sys.platform in ('darwin', 'win32')", reason="the system's store cannot be replaced there"
)
def test_a_store_without_any_certificate_is_a_configuration_error(tmp_path: Path) -> None:
    roots = find_trusted_roots([], {"SSL_CERT_DIR": str(tmp_path)})
    with pytest.raises(ConfigError, match="no trusted root certificate") as caught:
        HttpFetcher(roots=roots)
    assert "ca-certificates" in (caught.value.hint or "")


def test_a_root_that_the_library_cannot_read_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match=r"here\.pem"):
        HttpFetcher(roots=TrustedRoots(added=(b"0\x82junk",), sources=("here.pem",)))


# Proxies.


def through(proxy: str, **environment: str) -> Proxies:
    return find_proxies({"HTTPS_PROXY": proxy, "http_proxy": proxy, **environment})


def test_https_is_tunnelled_through_the_proxy(new_fetcher: NewFetcher, server: Server) -> None:
    url = server.on("/a", Answer(body=b"ok"))
    with ConnectProxy(authorization="Basic " + b64encode(b"me:p@ss").decode()) as proxy:
        fetcher = new_fetcher(proxies=through(f"http://me:p%40ss@{proxy.address}"))
        assert body(fetcher, url) == b"ok"
        fetcher.close()
        assert [(method, target) for method, target, _ in proxy.seen] == [
            ("CONNECT", f"localhost:{server.port}")
        ]
    assert "proxy-authorization" not in server.requests[0].headers


def test_plain_http_is_forwarded_by_the_proxy(new_fetcher: NewFetcher, plain_server: Server) -> None:
    direct = plain_server.on("/a", Answer(body=b"ok"))
    url = f"http://plain.example:{plain_server.port}/a"
    with ConnectProxy(names={"plain.example": "127.0.0.1"}) as proxy:
        fetcher = new_fetcher(proxies=through(proxy.address), allow_insecure_http=True)
        assert body(fetcher, url) == b"ok"
        assert body(fetcher, direct) == b"ok"
        fetcher.close()
        assert proxy.seen == [("GET", url, None)], "this machine itself is asked past the proxy"


def test_plain_http_of_this_machine_redirects_to_itself_only(
    new_fetcher: NewFetcher, plain_server: Server
) -> None:
    away = plain_server.on("/away", Answer(302, headers={"Location": "http://plain.example/x"}))
    assert "away from this machine" in failure(new_fetcher(allow_insecure_http=True), away).message


def test_excepted_hosts_and_each_redirect_are_asked_directly(
    new_fetcher: NewFetcher, server: Server
) -> None:
    direct = server.on("/direct", Answer(body=b"ok")).replace("localhost", "127.0.0.1")
    url = server.on("/a", Answer(302, headers={"Location": direct}))
    with ConnectProxy() as proxy:
        fetcher = new_fetcher(proxies=through(proxy.address, NO_PROXY="127.0.0.0/8"))
        assert body(fetcher, url) == b"ok"
        fetcher.close()
        assert len(proxy.seen) == 1


def test_the_environment_of_the_process_names_no_proxy(
    monkeypatch: pytest.MonkeyPatch, new_fetcher: NewFetcher, server: Server
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert body(new_fetcher(), server.on("/a", Answer(body=b"ok"))) == b"ok"


def test_a_proxy_that_refuses_is_named_without_its_password(
    new_fetcher: NewFetcher, server: Server
) -> None:
    with ConnectProxy(authorization="Basic other") as proxy:
        fetcher = new_fetcher(proxies=through(f"http://me:hunter2@{proxy.address}"))
        error = failure(fetcher, server.on("/a", Answer()))
        fetcher.close()
        assert f"through the proxy http://{proxy.address} (HTTPS_PROXY)" in error.message
        assert "hunter2" not in error.message
        assert not error.transient


@pytest.mark.parametrize("status", [200, 301, 302, 303, 307, 308])
def test_a_question_with_a_body_goes_to_its_url_alone(
    fetcher: HttpFetcher, server: Server, status: int
) -> None:
    url = server.on("/ask", Answer(status, b"answer", headers={"Location": "/elsewhere"}))
    headers = {"Authorization": "Bearer x"}
    with fetcher.open(url, method="POST", headers=headers, body=b"question") as response:
        assert response.status == status
        assert b"".join(response.chunks()) == b"answer"
    assert [(asked.method, asked.path, asked.body) for asked in server.requests] == [
        ("POST", "/ask", b"question")
    ]


def test_the_issuer_is_read_through_the_proxy(new_fetcher: NewFetcher, server: Server) -> None:
    secret = "Basic " + b64encode(b"me:p").decode()
    with Authority("Other") as other, ConnectProxy(authorization=secret) as proxy:
        fetcher = new_fetcher(
            roots=find_trusted_roots([other.pem_path], {}), proxies=through(f"http://me:p@{proxy.address}")
        )
        assert "CN=Test Authority of Example Ltd" in failure(fetcher, server.url("/")).message
        fetcher.close()
        assert len(proxy.seen) == 2
