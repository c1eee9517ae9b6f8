"""An HTTP/1.1 host on 127.0.0.1, a random port, for listed files only.

There is no folder behind it: a path is answered if exactly it was `put` here, and is 404 otherwise.
Requests for a host name that is not this machine's loopback are 421, so that a web page that rebinds
its own name to 127.0.0.1 reads nothing. GET, HEAD, ranges and validators; nothing can be written.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote, urlsplit

from binstall import limits
from binstall.hosting.answer import Answer, Entry, answer_for, plain
from binstall.hosting.authority import Authority
from binstall.hosting.request import Request
from binstall.hosting.server import Server

_POLL_SECONDS: Final = 0.05
_OWN_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})

OnRequest = Callable[[Request], Answer | None]
"""Asked first, for every well-formed request, from any thread; None lets the host answer."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what was answered to it."""

    request: Request
    status: int | None
    """None where the connection was dropped on purpose."""


class Host:
    """Serves from construction until `close`; a context manager that closes.

    An error that is not a client's doing, such as one raised by `on_request`, is answered with 500 and
    raised by `close`.
    """

    def __init__(
        self,
        authority: Authority | None,
        *,
        on_request: OnRequest | None = None,
        idle_seconds: float = limits.HOST_IDLE_SECONDS,
    ) -> None:
        """Bind and begin to serve; plain HTTP without an authority.

        `idle_seconds` bounds the time for one request head, handshake included, and for one piece of
        an answer to be taken. Raises OSError where 127.0.0.1 cannot be bound.
        """
        self.on_request = on_request
        self._entries: dict[str, Entry] = {}
        self._exchanges: deque[Exchange] = deque(maxlen=limits.MAX_HOST_LOG_ENTRIES)
        self._log_lock = threading.Lock()
        self._failures: list[Exception] = []
        self._closed = False
        context = authority.server_context if authority else None
        self._server = Server(self._reply, self._failures.append, context, idle_seconds)
        self.port: Final[int] = self._server.server_address[1]
        self.base_url: Final = f"{'https' if authority else 'http'}://127.0.0.1:{self.port}"
        """Without a final slash. By address: `localhost` may mean ::1 first, where nobody listens."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), name="binstall-host", daemon=True
        )
        self._thread.start()

    def put(self, path: str, content: bytes | Path, content_type: str = "application/octet-stream") -> str:
        """List a file under `path`, which is decoded and begins with a slash; return its URL.

        What was listed there before is replaced. A Path is read when it is asked for. Raises ValueError
        for a path without its slash.
        """
        if not path.startswith("/"):
            raise ValueError(f"a path begins with a slash, not {path!r}")
        self._entries[path] = Entry.of(content, content_type)
        return self.url(path)

    def put_all(self, files: Mapping[str, bytes]) -> None:
        """List every file of a mapping from paths to contents."""
        for path, content in files.items():
            self.put(path, content)

    def remove(self, path: str) -> None:
        """Take a file off the list; raises KeyError where it is not on it."""
        del self._entries[path]

    def content(self, path: str) -> bytes:
        """Return what is listed under `path`; raises KeyError, and OSError for a file on disk."""
        content = self._entries[path].content
        return content if isinstance(content, bytes) else content.read_bytes()

    def url(self, path: str) -> str:
        """Return the URL that names exactly this path."""
        return self.base_url + quote(path, safe="/")

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """What was asked and answered, oldest first, the last `MAX_HOST_LOG_ENTRIES`; well-formed only."""
        with self._log_lock:
            return tuple(self._exchanges)

    def answer(self, request: Request) -> Answer:
        """Return what the host itself says to a request; `on_request` may start from it."""
        if request.path is None:
            return plain(400, "the request target is not a path")
        name = request.headers.get("host")
        if name is not None and _host_name(name) not in _OWN_NAMES:
            return plain(421, "only loopback names are answered for")
        return answer_for(self._entries.get(request.path), request)

    def close(self) -> None:
        """Stop serving, break what is under way, wait for every thread; once is enough.

        Raises the first error that was not a client's doing.
        """
        if self._closed:
            return
        self._closed = True
        self._server.stop()
        self._thread.join()
        if self._failures:
            raise self._failures[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._failures.clear()  # the error under way came first, and is not hidden by another
        self.close()

    def _reply(self, request: Request) -> Answer:
        try:
            answer = self.on_request(request) if self.on_request else None
            answer = answer or self.answer(request)
        except Exception as error:
            self._failures.append(error)
            answer = plain(500, "the host failed")
        # Before a byte is sent: whoever has the answer finds it in the log.
        with self._log_lock:
            self._exchanges.append(Exchange(request, None if answer.drop else answer.status))
        return answer


def _host_name(value: str) -> str | None:
    try:
        return urlsplit(f"//{value}").hostname
    except ValueError:
        return None
