"""The embedded host over real sockets: what it serves, what it refuses, what it survives."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from binstall import limits
from binstall.hosting.answer import Answer
from binstall.hosting.authority import Authority
from binstall.hosting.host import Host
from binstall.hosting.request import Request

BODY = bytes(range(256)) * 40


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create(datetime.now(UTC))


@pytest.fixture(autouse=True)
def silent_and_alone(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Every test here leaves no thread behind and nothing on the standard streams."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def host() -> Iterator[Host]:
    with Host(None) as host:
        host.put("/file", BODY)
        yield host


class Reply:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()


def ask(host: Host, target: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=10)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, target, body=body, headers=sent)
        return Reply(connection.getresponse())
    finally:
        connection.close()


def raw(host: Host, data: bytes) -> bytes:
    """Send bytes as they are and return all that comes back until the connection ends."""
    with socket.create_connection(("127.0.0.1", host.port), timeout=10) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_listed_file_is_served_whole_with_its_length_and_a_strong_validator(host: Host) -> None:
    reply = ask(host, "/file")
    assert (reply.status, reply.body) == (200, BODY)
    assert reply.headers["content-length"] == str(len(BODY))
    assert reply.headers["accept-ranges"] == "bytes"
    assert reply.headers["etag"].startswith('"')


def test_head_tells_the_same_without_the_bytes(host: Host) -> None:
    got, headed = ask(host, "/file"), ask(host, "/file", "HEAD")
    assert (headed.status, headed.headers, headed.body) == (200, got.headers, b"")


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/fil",
        "/file/",
        "//file",
        "/./file",
        "/x/../file",
        "/%2e/file",
        "/FILE",
        "/file%00",
        "/file%20",
    ],
)
def test_what_is_not_listed_exactly_is_404(host: Host, target: str) -> None:
    assert ask(host, target).status == 404


def test_a_path_may_be_spelled_with_percent_signs_and_a_query(host: Host) -> None:
    assert host.put("/a b/ü?#%", b"odd") == f"{host.base_url}/a%20b/%C3%BC%3F%23%25"
    assert ask(host, "/a%20b/%C3%BC%3F%23%25").body == b"odd"
    assert ask(host, "/%66ile?download=1").body == BODY


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get"])
def test_other_methods_are_405(host: Host, method: str) -> None:
    reply = ask(host, "/file", method)
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")


def test_the_answer_to_a_large_upload_arrives(host: Host) -> None:
    reply = ask(host, "/file", "POST", body=bytes(1_000_000))
    assert (reply.status, reply.headers["connection"]) == (405, "close")


@pytest.mark.parametrize(
    ("header", "status", "expected", "content_range"),
    [
        pytest.param("bytes=0-9", 206, BODY[:10], "bytes 0-9/10240", id="first"),
        pytest.param("bytes=10000-", 206, BODY[10000:], "bytes 10000-10239/10240", id="rest"),
        pytest.param("bytes=-7", 206, BODY[-7:], "bytes 10233-10239/10240", id="last"),
        pytest.param("bytes=0-1,5-6", 200, BODY, None, id="two ranges are served whole"),
        pytest.param("bytes=10240-", 416, None, "bytes */10240", id="beyond the end"),
    ],
)
@pytest.mark.parametrize("on_disk", [False, True], ids=["memory", "disk"])
def test_a_range_is_served(
    host: Host,
    tmp_path: Path,
    header: str,
    status: int,
    expected: bytes | None,
    content_range: str | None,
    on_disk: bool,
) -> None:
    if on_disk:
        (tmp_path / "file").write_bytes(BODY)
        host.put("/file", tmp_path / "file")
    reply = ask(host, "/file", Range=header)
    assert (reply.status, reply.headers.get("content-range")) == (status, content_range)
    assert expected is None or reply.body == expected
    assert reply.headers["content-length"] == str(len(reply.body))


def test_if_range_with_another_validator_gets_the_whole_file(host: Host) -> None:
    etag = ask(host, "/file", "HEAD").headers["etag"]
    assert ask(host, "/file", Range="bytes=5-", If_Range=etag).status == 206
    for other in ('"else"', f"W/{etag}", "Tue, 01 Jan 2030 00:00:00 GMT"):
        reply = ask(host, "/file", Range="bytes=5-", If_Range=other)
        assert (reply.status, reply.body) == (200, BODY)


def test_a_known_validator_is_answered_with_304(host: Host) -> None:
    etag = ask(host, "/file").headers["etag"]
    assert ask(host, "/file", If_None_Match=f'"x", {etag}').status == 304
    assert ask(host, "/file", If_None_Match='"x"').status == 200


def test_changed_content_changes_its_validator(host: Host, tmp_path: Path) -> None:
    tags = [ask(host, "/file").headers["etag"]]
    host.put("/file", BODY[:-1] + b"!")
    tags.append(ask(host, "/file").headers["etag"])
    file = tmp_path / "file"
    for text in (b"one", b"three"):
        file.write_bytes(text)
        host.put("/file", file)
        reply = ask(host, "/file")
        assert reply.body == text
        tags.append(reply.headers["etag"])
    assert len(set(tags)) == 4


def test_a_file_on_disk_that_has_gone_is_404_and_one_removed_from_the_list_too(
    host: Host, tmp_path: Path
) -> None:
    host.put("/gone", tmp_path / "gone")
    assert ask(host, "/gone").status == 404
    host.remove("/file")
    assert ask(host, "/file").status == 404


def test_a_path_without_its_slash_is_not_listed(host: Host) -> None:
    with pytest.raises(ValueError, match="begins with a slash"):
        host.put("file", b"")


def test_one_connection_carries_many_requests(host: Host) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=10)
    connection.connect()
    first = connection.sock.getsockname()
    for target, status in (("/file", 200), ("/none", 404), ("/file", 200)):
        connection.request("GET", target)
        response = connection.getresponse()
        response.read()
        assert response.status == status
    assert connection.sock.getsockname() == first
    connection.close()


def test_requests_sent_ahead_are_answered_in_order(host: Host) -> None:
    host.put("/1", b"first")
    host.put("/2", b"second")
    one = b"GET /1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    reply = raw(host, one + b"GET /2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert reply.count(b"HTTP/1.1 200 OK") == 2
    assert reply.index(b"first") < reply.index(b"second")


def test_bytes_after_a_request_with_a_body_are_not_taken_for_a_request(host: Host) -> None:
    hidden = b"GET /file HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for framing in (f"Content-Length: {len(hidden)}".encode(), b"Transfer-Encoding: chunked"):
        raw_reply = raw(host, b"GET /none HTTP/1.1\r\nHost: localhost\r\n" + framing + b"\r\n\r\n" + hidden)
        assert raw_reply.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n", 400, id="TLS to a plain port"),
        pytest.param(b"GET /file\r\n\r\n", 400, id="HTTP/0.9"),
        pytest.param(b"GET /file HTTP/1.1\r\n\r\n", 400, id="no Host"),
        pytest.param(
            b"GET http://localhost/file HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, id="proxy form"
        ),
        pytest.param(b"GET /file HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, id="rebound name"),
        pytest.param(b"GET /file HTTP/1.1\r\nHost: [\r\n\r\n", 421, id="malformed Host"),
        pytest.param(b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 431, id="long line"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000 + b"\r\n", 431, id="many headers"),
        pytest.param(b"x" * 3_000_000, 431, id="no line at all"),
    ],
)
def test_a_bad_request_is_refused_and_the_next_client_served(host: Host, data: bytes, status: int) -> None:
    with socket.create_connection(("127.0.0.1", host.port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(12) == f"HTTP/1.1 {status}".encode()
    assert ask(host, "/file").status == 200


def test_silent_slow_and_vanishing_clients_cost_only_their_own_connection() -> None:
    with Host(None, idle_seconds=0.4) as host:
        host.put("/file", bytes(30_000_000))
        silent, dripping, greedy = (
            socket.create_connection(("127.0.0.1", host.port), timeout=10) for _ in range(3)
        )
        greedy.sendall(b"GET /file HTTP/1.1\r\nHost: localhost\r\n\r\n")  # and reads nothing
        with socket.create_connection(("127.0.0.1", host.port)) as vanishing:
            vanishing.sendall(b"GET /file HTTP/1.1\r\nHost: localhost\r\n\r\n")
        began = time.monotonic()
        with pytest.raises(OSError, match=r"(?i)broken|reset|abort"):
            while time.monotonic() < began + 8:
                dripping.sendall(b"x")
                time.sleep(0.02)
        assert silent.recv(1) == b""
        assert ask(host, "/file", "HEAD").status == 200
        for connection in (silent, dripping, greedy):
            connection.close()


def test_connections_beyond_the_bound_are_closed_and_later_ones_served(host: Host) -> None:
    if sys.platform != "win32":
        import resource

        if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 700:
            pytest.skip("this process may not open 700 files")
    many = [socket.create_connection(("127.0.0.1", host.port), timeout=10) for _ in range(260)]
    assert [connection.recv(1) for connection in many[limits.MAX_HOST_CONNECTIONS :]] == [b""] * 4
    for connection in many:
        connection.close()
    deadline = time.monotonic() + 5
    while True:
        try:
            assert ask(host, "/file").status == 200
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_close_ends_open_connections_and_waiting_answers_at_once() -> None:
    host = Host(None, on_request=lambda request: Answer(body=b"late", delay_seconds=60))
    idle = socket.create_connection(("127.0.0.1", host.port), timeout=10)
    waiting = socket.create_connection(("127.0.0.1", host.port), timeout=10)
    waiting.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    while not host.exchanges:
        time.sleep(0.01)
    began = time.monotonic()
    host.close()
    host.close()
    assert time.monotonic() - began < 2
    assert (idle.recv(1), waiting.recv(1)) == (b"", b"")
    idle.close()
    waiting.close()
    with pytest.raises(ConnectionError):
        socket.create_connection(("127.0.0.1", host.port))


def test_it_listens_on_127_0_0_1_alone(host: Host) -> None:
    with socket.socket() as other:
        other.settimeout(5)
        try:
            refused = other.connect_ex(("127.0.0.2", host.port)) != 0
        except OSError:
            refused = True
    assert refused


def test_the_log_tells_what_was_asked_and_answered(host: Host) -> None:
    ask(host, "/file?x=1", Range="bytes=0-0", X_Test="yes")
    ask(host, "/none", "HEAD")
    told = [
        (each.request.method, each.request.target, each.request.path, each.status)
        for each in host.exchanges
    ]
    assert told == [("GET", "/file?x=1", "/file", 206), ("HEAD", "/none", "/none", 404)]
    assert host.exchanges[0].request.headers["x-test"] == "yes"


def test_a_hook_may_answer_in_place_of_the_host() -> None:
    def redirect(request: Request) -> Answer | None:
        return Answer(302, {"location": "/file"}) if request.path == "/old" else None

    with Host(None, on_request=redirect) as host:
        host.put("/file", BODY)
        reply = ask(host, "/old")
        assert (reply.status, reply.headers["location"], reply.headers["content-length"]) == (
            302,
            "/file",
            "0",
        )
        assert ask(host, "/file").body == BODY
        assert raw(host, b"GET http://x/ HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 400 Bad Request")


def faulty(fault: Callable[[Answer], Answer]) -> Host:
    host = Host(None)
    host.put("/file", BODY)
    host.on_request = lambda request: fault(host.answer(request))
    return host


def test_a_truncated_answer_announces_its_whole_length_and_ends_early() -> None:
    with (
        faulty(lambda answer: replace(answer, truncate_after=100)) as host,
        pytest.raises(http.client.IncompleteRead) as broken,
    ):
        ask(host, "/file")
    assert broken.value.partial == BODY[:100]
    assert broken.value.expected == len(BODY) - 100


def test_a_dropped_connection_says_nothing() -> None:
    with faulty(lambda answer: replace(answer, drop=True)) as host:
        with pytest.raises(http.client.RemoteDisconnected):
            ask(host, "/file")
        assert [each.status for each in host.exchanges] == [None]


@pytest.mark.parametrize("after", [None, 0, 100])
def test_a_delayed_answer_is_late_and_whole(after: int | None) -> None:
    with faulty(lambda answer: replace(answer, delay_seconds=0.2, delay_after=after)) as host:
        began = time.monotonic()
        assert ask(host, "/file").body == BODY
        assert time.monotonic() - began >= 0.2


def test_an_answer_may_lie_about_its_length_or_bring_its_own_framing() -> None:
    chunked = Answer(200, {"transfer-encoding": "chunked"}, b"3\r\nabc\r\n0\r\n\r\n")
    with faulty(lambda answer: chunked) as host:
        assert ask(host, "/file").body == b"abc"
        host.on_request = lambda request: Answer(
            200, {"content-length": "2", "connection": "close"}, b"abc"
        )
        assert ask(host, "/file").body == b"ab"


def test_a_failing_hook_is_a_500_and_the_error_comes_out_at_the_end() -> None:
    def fail(request: Request) -> Answer | None:
        raise ZeroDivisionError("a bug in the hook")

    with pytest.raises(ZeroDivisionError, match="a bug in the hook"), Host(None, on_request=fail) as host:
        assert ask(host, "/file").status == 500


def test_a_file_that_changes_while_it_is_served_breaks_the_connection(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"before")
    with Host(None) as host:
        host.put("/file", file)

        def answer_then_change(request: Request) -> Answer:
            answer = host.answer(request)
            file.write_bytes(b"after and longer")
            return answer

        host.on_request = answer_then_change
        with pytest.raises(http.client.IncompleteRead):
            ask(host, "/file")


def test_large_files_on_disk_are_served_in_parallel(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(os.urandom(1_000_003))
    with Host(None) as host:
        host.put("/file", file)
        replies: list[bytes] = []
        threads = [
            threading.Thread(target=lambda: replies.append(ask(host, "/file").body)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert replies == [file.read_bytes()] * 8


def test_tls_serves_clients_that_trust_the_authority_and_survives_those_that_do_not(
    authority: Authority,
) -> None:
    with Host(authority) as host:
        host.put("/file", BODY)
        for attempt in range(3):
            trusting = ssl.create_default_context(cadata=authority.ca_pem.decode())
            connection = http.client.HTTPSConnection("127.0.0.1", host.port, context=trusting, timeout=10)
            connection.request("GET", "/file")
            assert connection.getresponse().read() == BODY
            connection.close()
            with (
                socket.create_connection(("127.0.0.1", host.port), timeout=10) as plain,
                pytest.raises(ssl.SSLCertVerificationError),
            ):
                ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")
            assert len(host.exchanges) == attempt + 1
        assert b"HTTP/1.1 200" not in raw(host, b"GET /file HTTP/1.1\r\nHost: localhost\r\n\r\n")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_curl_trusts_it_by_its_authority_alone(authority: Authority, tmp_path: Path, name: str) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(authority.ca_pem)
    with Host(authority) as host:
        host.put("/file", BODY)
        command = ["curl", "-q", "--silent", "--noproxy", "*", f"https://{name}:{host.port}/file"]
        trusting = subprocess.run([*command, "--cacert", str(ca_file)], capture_output=True, check=True)
        assert trusting.stdout == BODY
        resumed = subprocess.run(
            [*command, "--cacert", str(ca_file), "-r", "5-9"], capture_output=True, check=True
        )
        assert resumed.stdout == BODY[5:10]
        distrusting = subprocess.run(command, capture_output=True, check=False)
        assert distrusting.returncode in (35, 60, 77)
