"""A long way between a client and a server on this machine: every byte arrives later, none more slowly.

    with Distance(server.port, round_trip=0.05) as far:
        far.port            # 127.0.0.1:PORT is the same server, 50 ms away

A relay for TCP, which reads whatever is sent at once: so the only windows that can be felt are those of the
protocol inside. A new connection costs nothing.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from queue import SimpleQueue
from typing import Final, Self

_PIECE_BYTES: Final = 256 * 1024


class Distance:
    """The relay: listens from construction, serves inside its `with`."""

    def __init__(self, port: int, *, round_trip: float) -> None:
        """Lead to `port` of 127.0.0.1; `round_trip` is in seconds, half of it each way."""
        self._target = ("127.0.0.1", port)
        self._seconds = round_trip / 2
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: Final[int] = self._listener.getsockname()[1]
        self._lost: set[socket.socket] = set()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def lose_everything(self) -> None:
        """Let no byte arrive any more on the connections that there are, without a word to either end."""
        self._lost = set(self._sockets)

    def __exit__(self, *_: object) -> None:
        _shut(self._listener)
        self._listener.close()
        self._thread.join()
        for one in self._sockets:
            _shut(one)
        for thread in self._threads:
            thread.join()
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            self._sockets += (near, far)
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for source, target in ((near, far), (far, near)):
                waiting: SimpleQueue[tuple[float, bytes]] = SimpleQueue()
                self._start(threading.Thread(target=self._receive, args=(source, waiting)))
                self._start(threading.Thread(target=self._deliver, args=(waiting, target)))

    def _start(self, thread: threading.Thread) -> None:
        self._threads.append(thread)
        thread.start()

    def _receive(self, source: socket.socket, waiting: SimpleQueue[tuple[float, bytes]]) -> None:
        data = b"begin"
        while data:
            try:
                data = source.recv(_PIECE_BYTES)
            except OSError:
                data = b""
            waiting.put((time.monotonic() + self._seconds, data))

    def _deliver(self, waiting: SimpleQueue[tuple[float, bytes]], target: socket.socket) -> None:
        while True:
            due, data = waiting.get()
            time.sleep(max(0.0, due - time.monotonic()))
            if not data:
                _shut(target)
                return
            if target in self._lost:
                continue
            try:
                target.sendall(data)
            except OSError:
                return


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
