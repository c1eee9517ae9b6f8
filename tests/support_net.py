"""A small web server with real TLS on loopback, which answers as it is told and can misbehave.

    with Authority() as authority, Server(authority) as server:
        server.on("/x", Answer(503, headers={"Retry-After": "1"}), Answer(body=b"hello"))
        server.url("/x")        # https://localhost:PORT/x; the last answer of a path repeats
        server.requests         # what was asked, in order
        authority.pem_path      # what a client has to trust

`ConnectProxy` is an HTTP proxy that tunnels, and forwards plain http as well.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import re
import shutil
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """A certificate authority without keyUsage, and one server certificate for loopback."""

    def __init__(self, name: str = "Test Authority", *, hosts: Iterable[str] = ("localhost",)) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="binstall-test-ca-"))
        now = datetime.datetime.now(datetime.UTC)
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

        def builder(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
            begin, end = now - datetime.timedelta(hours=1), now + datetime.timedelta(hours=12)
            return (
                x509.CertificateBuilder()
                .subject_name(subject)
                .issuer_name(issuer)
                .public_key(public)
                .serial_number(x509.random_serial_number())
                .not_valid_before(begin)
                .not_valid_after(end)
            )

        root = (
            builder(issuer, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        names: list[x509.GeneralName] = [x509.DNSName(host) for host in hosts]
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        leaf = (
            builder(x509.Name([]), leaf_key.public_key())
            .add_extension(x509.SubjectAlternativeName(names), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        self.pem = root.public_bytes(pem)
        self.der = root.public_bytes(serialization.Encoding.DER)
        self.pem_path = self.folder / "ca.pem"
        self.pem_path.write_bytes(self.pem)
        self.chain_path = self.folder / "server.pem"
        private = leaf_key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.chain_path.write_bytes(leaf.public_bytes(pem) + private)

    def context(self, maximum: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """Return a server's context, of TLS up to `maximum`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain_path)
        if maximum is not None:
            context.maximum_version = maximum
        return context

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request gets."""

    status: int = 200
    body: bytes | Callable[[], Iterable[bytes]] = b""
    """The whole body, or what makes it piece by piece (then `length` must be given, or `chunked`)."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent as they are, beside the ones that this class makes."""
    raw_headers: bytes = b""
    """Header lines that no library would send, each with its CR LF."""
    length: int | None = None
    """`Content-Length`, if not the true one."""
    chunked: bool = False
    """Send with chunked coding and without a length."""
    until_close: bool = False
    """Send neither length nor chunks: the body ends with the connection."""
    etag: str | None = None
    """Sent as it is; with `ranges` also what `If-Range` is compared with."""
    ranges: bool = False
    """Honour `Range: bytes=N-` with a 206, if `If-Range` is absent or the ETag."""
    drop_after: int | None = None
    """Break the connection after so many bytes of body."""
    delay: float = 0.0
    """Seconds to wait before anything is sent."""
    stall_after: int | None = None
    """Send so many bytes of body, then nothing more until the server is closed; -1: not even headers."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that the server saw."""

    method: str
    path: str
    """With query."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = b""


class Server:
    """The server: `with Server(authority)` for https, `with Server(None)` for plain http."""

    def __init__(
        self,
        authority: Authority | None,
        *,
        maximum: ssl.TLSVersion | None = None,
        host: str = "localhost",
    ) -> None:
        self.requests: list[Asked] = []
        self.closing = threading.Event()
        self._context = None if authority is None else authority.context(maximum)
        self._answers: dict[str, list[Answer]] = {}
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._host = host
        self._http = _HttpServer(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    def url(self, path: str = "/", *, host: str | None = None) -> str:
        scheme = "http" if self._context is None else "https"
        return f"{scheme}://{host or self._host}:{self.port}{path}"

    def on(self, path: str, *answers: Answer) -> str:
        """Answer requests for `path` (without query) so, one after the other; return its URL."""
        with self._lock:
            self._answers[path] = list(answers)
        return self.url(path)

    def asked(self, path: str) -> list[Asked]:
        """Return the requests for `path`, in order."""
        with self._lock:
            return [asked for asked in self.requests if asked.path.partition("?")[0] == path]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.closing.set()
        self._http.shutdown()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            _shut(connection)
        self._http.server_close()
        self._thread.join()

    def answer_for(self, asked: Asked) -> Answer:
        with self._lock:
            self.requests.append(asked)
            answers = self._answers.get(asked.path.partition("?")[0])
            if answers is None:
                return Answer(404, b"nothing here")
            return answers.pop(0) if len(answers) > 1 else answers[0]

    def secured(self, connection: socket.socket) -> socket.socket:
        if self._context is not None:
            connection.settimeout(10)
            connection = self._context.wrap_socket(connection, server_side=True)
            connection.settimeout(None)
        with self._lock:
            self._connections.add(connection)
        return connection

    def forget(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.discard(connection)


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    owner: Server

    def finish_request(self, request: Any, client_address: Any) -> None:
        try:
            connection = self.owner.secured(request)
        except OSError:
            request.close()
            return
        try:
            super().finish_request(connection, client_address)
        except OSError:
            pass
        finally:
            self.owner.forget(connection)
            _shut(connection)
            connection.close()

    def shutdown_request(self, request: Any) -> None:
        request.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _HttpServer

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked_body = self.rfile.read(int(headers.get("content-length", "0")))
        answer = self.server.owner.answer_for(Asked(self.command, self.path, headers, asked_body))
        self.server.owner.closing.wait(answer.delay)
        if answer.stall_after == -1:
            self._stall()
            return
        status, start, extra = answer.status, 0, ""
        if answer.etag is not None:
            extra += f"ETag: {answer.etag}\r\n"
        body = answer.body if isinstance(answer.body, bytes) else None
        wanted = re.match(r"bytes=([0-9]+)-\Z", headers.get("range", ""))
        if answer.ranges and body is not None and wanted and headers.get("if-range") in (None, answer.etag):
            start, status = int(wanted[1]), 206
            extra += f"Content-Range: bytes {start}-{len(body) - 1}/{len(body)}\r\n"
            body = body[start:]
        length = answer.length if answer.length is not None else len(body or b"")
        if answer.chunked:
            extra += "Transfer-Encoding: chunked\r\n"
        elif not answer.until_close:
            extra += f"Content-Length: {length}\r\n"
        extra += "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        head = f"HTTP/1.1 {status} Text\r\n{extra}".encode("latin-1") + answer.raw_headers
        self.wfile.write(head + b"\r\n")
        if self.command == "HEAD" or status == 304:
            return
        pieces = [body] if body is not None else answer.body() if callable(answer.body) else []
        self._send(pieces, answer)

    do_HEAD = do_GET
    do_POST = do_GET

    def _send(self, pieces: Iterable[bytes], answer: Answer) -> None:
        sent = 0
        end = answer.drop_after if answer.drop_after is not None else answer.stall_after
        for piece in pieces:
            part = piece if end is None else piece[: end - sent]
            sent += len(part)
            self.wfile.write(
                f"{len(part):x}\r\n".encode() + part + b"\r\n" if answer.chunked and part else part
            )
        if answer.stall_after is not None:
            self._stall()
        elif answer.drop_after is not None or answer.until_close:
            self.close_connection = True
            if (
                answer.until_close
                and answer.drop_after is None
                and isinstance(self.connection, ssl.SSLSocket)
            ):
                self.connection.unwrap()
        elif answer.chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _stall(self) -> None:
        self.close_connection = True
        self.server.owner.closing.wait()


class ConnectProxy:
    """An HTTP proxy on loopback: tunnels CONNECT, forwards absolute http URLs, may ask for a password.

    `names` says where a host name leads: to an address, with a port if it is not the one asked for.
    """

    def __init__(self, *, authorization: str | None = None, names: Mapping[str, str] | None = None) -> None:
        self.seen: list[tuple[str, str, str | None]] = []
        """Method, target and `Proxy-Authorization` of each request, in order."""
        self._authorization = authorization
        self._names = dict(names or {})
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._accept)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        _shut(self._listener)
        self._listener.close()
        self._thread.join()
        with self._lock:
            sockets = list(self._sockets)
        for one in sockets:
            _shut(one)
        for thread in self._threads:
            thread.join()
        for one in sockets:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, client)

    def _start(self, work: Callable[..., None], *arguments: socket.socket) -> None:
        with self._lock:
            self._sockets.update(arguments)
        thread = threading.Thread(target=work, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _serve(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            data = _receive(client)
            if not data:
                return
            head += data
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        found = re.search(rb"(?i)\r\nproxy-authorization: ([^\r]*)", head)
        authorization = found[1].decode() if found else None
        self.seen.append((method, target, authorization))
        if self._authorization is not None and authorization != self._authorization:
            client.sendall(b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")
            _shut(client)
            return
        address = target if method == "CONNECT" else target.removeprefix("http://").partition("/")[0]
        host, _, port = address.rpartition(":")
        place, _, other_port = self._names.get(host, host).partition(":")
        origin = socket.create_connection((place, int(other_port or port)))
        if method == "CONNECT":
            client.sendall(b"HTTP/1.1 200 Go\r\n\r\n")
        else:
            origin.sendall(head.replace(b"http://" + address.encode(), b"", 1))
        self._start(_pump, client, origin)
        self._start(_pump, origin, client)


def _pump(source: socket.socket, target: socket.socket) -> None:
    while data := _receive(source):
        try:
            target.sendall(data)
        except OSError:
            break
    _shut(target)


def _receive(source: socket.socket) -> bytes:
    try:
        return source.recv(65536)
    except OSError:
        return b""


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
