"""A registry that `cargo publish` can publish to: the publisher's host, and an API that takes uploads.

    with UploadRegistry(publisher) as registry:
        registry.token = "…"                      what an upload must bring, or it is 403
        registry.publish(name, version, crate)    the same without cargo

What is uploaded stands in the publisher's index at once. A version is taken once, as by crates.io.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from binstall.hosting.static_registry import PublishedCrate, publish
from support_registry import Publisher


class UploadRegistry:
    """Owns a server on loopback; a context manager that ends it."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher
        self.token = "a token"
        self.crates: list[PublishedCrate] = []
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self._list()

    @property
    def versions(self) -> list[tuple[str, str]]:
        """Name and version of what is published, oldest first."""
        return [(crate.name, crate.version) for crate in self.crates]

    def publish(self, name: str, version: str, crate: bytes) -> None:
        """Take a version; raises ValueError for one that is there."""
        if (name, version) in self.versions:
            raise ValueError(f"crate {name}@{version} already exists")
        self.crates.append(PublishedCrate(name, version, crate))
        self._list()

    def _list(self) -> None:
        host = self.publisher.host
        files = publish(host.base_url, self.crates)
        config = json.loads(files["/index/config.json"])
        config["api"] = f"http://127.0.0.1:{self._server.server_address[1]}"
        host.put_all({**files, "/index/config.json": json.dumps(config).encode()})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    def __init__(self, registry: UploadRegistry) -> None:
        self.registry = registry
        super().__init__(("127.0.0.1", 0), _Upload)


class _Upload(BaseHTTPRequestHandler):
    """`PUT /api/v1/crates/new`: two parts, each after its length as 32 bits little-endian."""

    server: _Server

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        registry = self.server.registry
        if self.path != "/api/v1/crates/new" or self.headers["authorization"] != registry.token:
            self._answer(403, {"errors": [{"detail": "not with this token"}]})
            return
        size = int.from_bytes(body[:4], "little")
        about = json.loads(body[4 : 4 + size])
        try:
            registry.publish(about["name"], about["vers"], body[8 + size :])
        except ValueError as error:
            self._answer(400, {"errors": [{"detail": str(error)}]})
            return
        self._answer(200, {"warnings": {"invalid_categories": [], "invalid_badges": [], "other": []}})

    def _answer(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
