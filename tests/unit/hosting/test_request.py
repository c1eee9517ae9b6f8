"""Request heads and ranges: a value or BadRequest, whatever arrives."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from binstall.hosting.request import BadRequest, Request, decode_path, parse_range, parse_request

VALID = (
    b"GET /index/he/ll/hello?x=%20 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept: */*\r\n"
    b"Range: bytes=0-99\r\nConnection: keep-alive\r\nAccept: text/plain\r\n\r\n"
)


def head(line: str = "GET /a HTTP/1.1", *headers: str) -> bytes:
    return "\r\n".join([line, "Host: localhost", *headers, "", ""]).encode("latin-1")


def test_a_request_is_read_with_its_headers_lower_cased_and_joined() -> None:
    request = parse_request(VALID)
    assert request == Request(
        method="GET",
        target="/index/he/ll/hello?x=%20",
        path="/index/he/ll/hello",
        headers={
            "host": "127.0.0.1:8080",
            "accept": "*/*, text/plain",
            "range": "bytes=0-99",
            "connection": "keep-alive",
        },
        keep_alive=True,
        body_size=0,
    )


@pytest.mark.parametrize(
    ("target", "path"),
    [
        pytest.param("/", "/", id="root"),
        pytest.param("/a%20b", "/a b", id="space"),
        pytest.param("/a%2Fb", "/a/b", id="encoded slash"),
        pytest.param("/%252e%252e/x", "/%2e%2e/x", id="decoded once only"),
        pytest.param("//a//b", "//a//b", id="double slashes stay"),
        pytest.param("/a/../b/./c", "/a/../b/./c", id="dots stay"),
        pytest.param("/%2e%2e/etc", "/../etc", id="encoded dots are dots and nothing more"),
        pytest.param("/a+b", "/a+b", id="plus is plus"),
        pytest.param("/%E2%82%AC", "/€", id="UTF-8"),
        pytest.param("/a?/b", "/a", id="query cut"),
        pytest.param("/a%3Fb", "/a?b", id="encoded question mark"),
        pytest.param("http://example.org/x", None, id="a proxy's request"),
        pytest.param("*", None, id="asterisk"),
    ],
)
def test_a_path_is_decoded_once_and_never_normalised(target: str, path: str | None) -> None:
    assert parse_request(head(f"GET {target} HTTP/1.1")).path == path


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b"", 400, id="nothing"),
        pytest.param(b"\r\n", 400, id="blank line alone"),
        pytest.param(b"GET /\r\n\r\n", 400, id="HTTP/0.9"),
        pytest.param(head("GET  / HTTP/1.1"), 400, id="two spaces"),
        pytest.param(head("GET /\t HTTP/1.1"), 400, id="tab in target"),
        pytest.param(head("GET /\xe9 HTTP/1.1"), 400, id="raw Latin-1 in target"),
        pytest.param(head("GET /%zz HTTP/1.1"), 400, id="percent without digits"),
        pytest.param(head("GET /%ff HTTP/1.1"), 400, id="not UTF-8"),
        pytest.param(head("GET / HTTP/2.0"), 505, id="HTTP/2"),
        pytest.param(head("GET / HTTP/11.1"), 400, id="long version"),
        pytest.param(b"GET / HTTP/1.1\r\nAccept: x\r\n\r\n", 400, id="no Host"),
        pytest.param(head("GET / HTTP/1.1", " folded"), 400, id="folded header"),
        pytest.param(head("GET / HTTP/1.1", "Name : x"), 400, id="space before colon"),
        pytest.param(head("GET / HTTP/1.1", "Name: a\0b"), 400, id="NUL in value"),
        pytest.param(head("GET / HTTP/1.1", "Name: a\rb"), 400, id="bare CR in value"),
        pytest.param(head("GET / HTTP/1.1", "Content-Length: +1"), 400, id="signed length"),
        pytest.param(
            head("GET / HTTP/1.1", "Content-Length: 1", "Content-Length: 2"), 400, id="two lengths"
        ),
    ],
)
def test_a_malformed_head_is_refused(data: bytes, status: int) -> None:
    with pytest.raises(BadRequest) as refusal:
        parse_request(data)
    assert refusal.value.status == status


@pytest.mark.parametrize(
    ("data", "keep_alive", "body_size"),
    [
        pytest.param(head(), True, 0, id="1.1 stays"),
        pytest.param(head("GET / HTTP/1.1", "Connection: x, CLOSE"), False, 0, id="1.1 close"),
        pytest.param(b"GET / HTTP/1.0\r\n\r\n", False, 0, id="1.0 closes and needs no Host"),
        pytest.param(head("POST / HTTP/1.1", "Content-Length: 12"), True, 12, id="body"),
        pytest.param(head("POST / HTTP/1.1", "Transfer-Encoding: chunked"), True, None, id="chunked"),
    ],
)
def test_the_connection_after_a_request_is_known(
    data: bytes, keep_alive: bool, body_size: int | None
) -> None:
    request = parse_request(data)
    assert (request.keep_alive, request.body_size) == (keep_alive, body_size)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param("bytes=0-3", range(4), id="first four"),
        pytest.param("bytes=4-", range(4, 10), id="from four"),
        pytest.param("bytes=-3", range(7, 10), id="last three"),
        pytest.param("bytes=-30", range(10), id="more than all from the end"),
        pytest.param("bytes=8-99", range(8, 10), id="end beyond the file"),
        pytest.param("bytes=10-", range(10, 10), id="begin at the end: no byte"),
        pytest.param("bytes=99-100", range(10, 10), id="begin beyond the end: no byte"),
        pytest.param("bytes=-0", range(10, 10), id="last none: no byte"),
        pytest.param("bytes=5-4", None, id="backwards is malformed"),
        pytest.param("bytes=-", None, id="no numbers"),
        pytest.param("bytes=0-1,3-4", None, id="two ranges"),
        pytest.param("items=0-1", None, id="other unit"),
        pytest.param("bytes=" + "9" * 5000 + "-", None, id="absurd number"),
        pytest.param("", None, id="no header"),
    ],
)
def test_a_range_header_means_these_bytes_of_ten(header: str, expected: range | None) -> None:
    found = parse_range(header, 10)
    assert found == expected


@settings(max_examples=1000, deadline=None)
@given(header=st.from_regex(r"bytes=[0-9]{0,20}-[0-9]{0,20}") | st.text(), size=st.integers(0, 2**64))
def test_any_range_header_means_bytes_of_the_file_or_all_of_it(header: str, size: int) -> None:
    found = parse_range(header, size)
    if found is not None:
        assert found.step == 1
        assert 0 <= found.start <= found.stop <= size


@settings(max_examples=1000, deadline=None)
@given(path=st.text(alphabet=st.characters(codec="utf-8")))
def test_any_path_survives_quoting_and_one_decoding(path: str) -> None:
    assert decode_path(quote("/" + path)) == "/" + path


def mutated(valid: bytes) -> st.SearchStrategy[bytes]:
    def change(edits: list[tuple[int, int, bytes]]) -> bytes:
        data = valid
        for at, cut, put in edits:
            data = data[:at] + put + data[at + cut :]
        return data

    at = st.integers(0, len(valid))
    return st.lists(st.tuples(at, st.integers(0, 8), st.binary(max_size=8)), max_size=4).map(change)


@settings(max_examples=1000, deadline=None)
@given(data=mutated(VALID))
@example(data=VALID)
def test_any_mutated_request_is_read_or_refused(data: bytes) -> None:
    try:
        request = parse_request(data)
    except BadRequest as refusal:
        assert refusal.status in (400, 505)
    else:
        assert request.target.isascii()
        assert (request.path is None) == (not request.target.startswith("/"))
        assert all(name == name.lower() for name in request.headers)


@settings(max_examples=1000, deadline=None)
@given(
    data=st.binary(max_size=300) | st.binary(max_size=100).map(lambda tail: b"GET /" + tail + b"\r\n\r\n")
)
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    try:
        assert isinstance(parse_request(data), Request)
    except BadRequest as refusal:
        assert refusal.status in (400, 505)
