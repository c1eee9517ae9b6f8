"""Repositories made by the real `git`, and a host that serves them over real TLS as smart HTTP.

repository = Repository.create(tmp_path / "repo")
commit = repository.commit({"Cargo.toml": "…", "src/main.rs": "fn main() {}"})

with GitHost(tmp_path, ca=authority) as host:         # git's own CGI program behind TLS on loopback
    host.url("repo")                                  # https://localhost:PORT/repo
"""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import threading
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from support_net import Authority

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not on PATH")
QUIET = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@localhost",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@localhost",
}


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository with a work tree."""

    folder: Path

    @classmethod
    def create(cls, folder: Path) -> Repository:
        folder.mkdir(parents=True)
        made = cls(folder)
        made.git("init", "--quiet", "--initial-branch=main")
        return made

    def git(self, *words: str, stdin: bytes = b"") -> str:
        done = subprocess.run(
            ["git", *words],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **QUIET},
            input=stdin,
            capture_output=True,
            check=True,
        )
        return done.stdout.decode().strip()

    def commit(self, files: Mapping[str, str | bytes | Path] | None = None) -> str:
        """Write and commit `files` (a Path is the target of a link); return the commit."""
        for name, content in (files or {}).items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                path.symlink_to(content)
            else:
                path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "--all", "--force", ".")
        self.git("commit", "--quiet", "--allow-empty", "--message=more")
        return self.git("rev-parse", "HEAD")


@dataclass
class GitHost:
    """Serves every repository below `folder`; with `login`, only to those who say it."""

    folder: Path
    authority: Authority | None
    login: str | None = None
    redirects: dict[str, str] = field(default_factory=dict)
    """Path prefix → URL that stands in its place."""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Authorization of each request."""

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"host": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        if self.authority is not None:
            context = self.authority.context()
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str, *, login: str = "") -> str:
        scheme = "http" if self.authority is None else "https"
        return f"{scheme}://{login}{'@' if login else ''}localhost:{self.port}/{path}"


class _Handler(BaseHTTPRequestHandler):
    host: GitHost
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._serve(body)

    def _serve(self, body: bytes) -> None:
        host, said = self.host, self.headers.get("Authorization")
        host.asked.append((self.path, said))
        for prefix, target in host.redirects.items():
            if self.path.startswith(prefix):
                self._answer(301, {"Location": target + self.path.removeprefix(prefix)}, b"")
                return
        if host.login is not None and said != "Basic " + b64encode(host.login.encode()).decode():
            self._answer(401, {"WWW-Authenticate": 'Basic realm="x"'}, b"")
            return
        path, _, query = self.path.partition("?")
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            capture_output=True,
            check=True,
            env={
                "PATH": os.environ["PATH"],
                **QUIET,
                "GIT_PROJECT_ROOT": str(host.folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            },
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        status = int(headers.pop("Status", "200").split()[0])
        self._answer(status, headers, content)

    def _answer(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, ssl.SSLError):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass
