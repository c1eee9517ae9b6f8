"""Sockets and threads of the embedded host: one thread and one time limit per connection.

Knows HTTP's framing and nothing of what is served: `reply` turns a request into an answer. A broken,
slow or silent client costs its own connection and nothing else; nothing is ever printed.
"""

from __future__ import annotations

import os
import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http import HTTPStatus
from time import monotonic
from typing import Any, Final

from binstall import limits
from binstall.hosting.answer import Answer, FileSlice, file_state, plain
from binstall.hosting.request import BadRequest, Request, parse_request

_SEND_BYTES: Final = 256 * limits.KIB
_LINGER_BYTES: Final = 4 * limits.MIB
_LINGER_SECONDS: Final = 2.0


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Listens on 127.0.0.1, a random port, from construction; `serve_forever` accepts."""

    request_queue_size = 128
    daemon_threads = False

    def __init__(
        self,
        reply: Callable[[Request], Answer],
        failed: Callable[[Exception], None],
        context: ssl.SSLContext | None,
        idle_seconds: float,
    ) -> None:
        self.reply = reply
        self.failed = failed
        self.context = context
        self.idle_seconds = idle_seconds
        self.stopping = threading.Event()
        self._deadlines: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Connection)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self.context is not None:
            # The handshake belongs to the connection's thread: here it would hold up everybody.
            connection = self.context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        del request, client_address
        with self._lock:
            return len(self._deadlines) < limits.MAX_HOST_CONNECTIONS

    def process_request(self, request: Any, client_address: Any) -> None:
        self.allow(request, self.idle_seconds)
        super().process_request(request, client_address)

    def allow(self, connection: socket.socket, seconds: float) -> None:
        """Give a connection so long, from now, before it is broken."""
        with self._lock:
            self._deadlines[connection] = monotonic() + seconds

    def service_actions(self) -> None:
        """Break the connections whose time is over; `serve_forever` calls this at every turn."""
        self._break_due(monotonic())

    def stop(self) -> None:
        """Stop accepting, break every connection, wait for their threads."""
        self.stopping.set()
        self.shutdown()
        self._break_due(float("inf"))
        self.server_close()

    def _break_due(self, now: float) -> None:
        with self._lock:
            for connection in [each for each, deadline in self._deadlines.items() if deadline <= now]:
                del self._deadlines[connection]
                _shut(connection, socket.SHUT_RDWR)

    def shutdown_request(self, request: Any) -> None:
        # Under the lock, so that a socket is not broken under a file number that is in use again.
        with self._lock:
            self._deadlines.pop(request, None)
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report what is not the client's doing; broken, slow and distrusting clients are OSErrors."""
        del request, client_address
        error = sys.exception()
        if isinstance(error, Exception) and not isinstance(error, OSError):
            self.failed(error)


class _Connection(socketserver.StreamRequestHandler):
    server: Server
    disable_nagle_algorithm = True

    def setup(self) -> None:
        self.request.settimeout(self.server.idle_seconds)
        if isinstance(self.request, ssl.SSLSocket):
            self.request.do_handshake()
        super().setup()

    def handle(self) -> None:
        while self._exchange():
            self.server.allow(self.request, self.server.idle_seconds)

    def _exchange(self) -> bool:
        """Answer one request; return whether another may follow."""
        try:
            head = self._read_head()
            if not head:
                return False
            request = parse_request(head)
        except BadRequest as error:
            self._send(plain(error.status, str(error), {"connection": "close"}), with_body=True)
            self._linger()
            return False
        self.server.allow(self.request, limits.HOST_ANSWER_SECONDS)
        answer = self.server.reply(request)
        if answer.drop:
            return False
        stays = request.keep_alive and request.body_size == 0
        if not stays:
            answer = replace(answer, headers={**answer.headers, "connection": "close"})
        if not self._send(answer, with_body=request.method != "HEAD"):
            return False
        if not stays:
            self._linger()
        return stays

    def _read_head(self) -> bytes:
        """Return the bytes up to the blank line; empty where the client has gone before it."""
        bound = limits.MAX_REQUEST_HEAD_BYTES
        head = bytearray()
        while line := self.rfile.readline(bound + 1 - len(head)):
            head += line
            if len(head) > bound:
                raise BadRequest(431, f"the head has more than {bound} bytes (MAX_REQUEST_HEAD_BYTES)")
            if line in (b"\r\n", b"\n"):
                return bytes(head)
        return b""

    def _send(self, answer: Answer, *, with_body: bool) -> bool:
        """Send an answer with its faults; return whether it went out whole."""
        size = len(answer.body) if isinstance(answer.body, bytes) else answer.body.size
        end = size if answer.truncate_after is None else min(size, answer.truncate_after)
        headers = dict(answer.headers)
        if answer.status not in (204, 304) and "transfer-encoding" not in headers:
            headers.setdefault("content-length", str(size))
        lines = [f"HTTP/1.1 {answer.status} {_reason(answer.status)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if answer.delay_after is None and self._stops_while_waiting(answer.delay_seconds):
            return False
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        if not with_body:
            return True
        pause = end if answer.delay_after is None else min(end, answer.delay_after)
        self._send_body(answer.body, 0, pause)
        if answer.delay_after is not None and self._stops_while_waiting(answer.delay_seconds):
            return False
        self._send_body(answer.body, pause, end)
        return answer.truncate_after is None

    def _send_body(self, body: bytes | FileSlice, start: int, stop: int) -> None:
        # In pieces, so that the idle limit is for each and a slow reader of a large file is served.
        for piece in _pieces(body, start, stop):
            self.wfile.write(piece)

    def _stops_while_waiting(self, seconds: float) -> bool:
        return seconds > 0 and self.server.stopping.wait(seconds)

    def _linger(self) -> None:
        """Read away what the client still sends: closing on it would reset what it has yet to read."""
        self.server.allow(self.request, _LINGER_SECONDS)
        _shut(self.request, socket.SHUT_WR)
        left = _LINGER_BYTES
        while left > 0 and (piece := self.rfile.read1(_SEND_BYTES)):
            left -= len(piece)


def _pieces(body: bytes | FileSlice, start: int, stop: int) -> Iterator[memoryview | bytes]:
    """Yield a part of a body; raises OSError, which breaks the connection, for a file that changed."""
    if isinstance(body, bytes):
        for at in range(start, stop, _SEND_BYTES):
            yield memoryview(body)[at : min(at + _SEND_BYTES, stop)]
        return
    with body.path.open("rb", buffering=0) as file:
        if file_state(os.fstat(file.fileno()))[0] != body.etag:
            raise OSError(f"{body.path} changed while it was served")
        file.seek(body.start + start)
        left = stop - start
        while left > 0:
            piece = file.read(min(_SEND_BYTES, left))
            if not piece:
                raise OSError(f"{body.path} became shorter while it was served")
            left -= len(piece)
            yield piece


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _shut(connection: socket.socket, how: int) -> None:
    """Shut a TCP connection; `SSLSocket.shutdown` would also take the TLS state from its thread."""
    try:
        socket.socket.shutdown(connection, how)
    except OSError:
        return  # the client was faster
