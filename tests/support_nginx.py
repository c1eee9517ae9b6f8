"""A real nginx with TLS and HTTP/2 on loopback, in front of a folder and, if wanted, of another server."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import pytest

from support_net import Authority

_CONFIGURATION: Final = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    log_format exchange '$connection $server_protocol $request_method $request_uri $status';
    access_log {folder}/access.log exchange;
    client_body_temp_path {folder}/temporary;
    proxy_temp_path {folder}/temporary;
    fastcgi_temp_path {folder}/temporary;
    uwsgi_temp_path {folder}/temporary;
    scgi_temp_path {folder}/temporary;
    keepalive_requests {keepalive_requests};
    etag on;
    server {{
        listen 127.0.0.1:{port} ssl{protocol};
        ssl_certificate {chain};
        ssl_certificate_key {chain};
        root {folder}/files;
        location /silent {{ return 444; }}
        {behind}
    }}
}}
"""
_BEHIND: Final = """
        location /behind/ {{
            proxy_pass http://127.0.0.1:{port}/;
            proxy_http_version 1.1;
            proxy_set_header Range $http_range;
            proxy_set_header If-Range $http_if_range;
            proxy_buffering off;
        }}
"""


@dataclass(frozen=True, slots=True)
class Logged:
    """One line of nginx's own log."""

    connection: int
    protocol: str
    """`HTTP/1.1` or `HTTP/2.0`."""
    method: str
    path: str
    status: int


class Nginx:
    """Serves `files` inside its `with`; skips the test where there is no nginx."""

    def __init__(
        self,
        authority: Authority,
        folder: Path,
        *,
        http2: bool = True,
        behind: int | None = None,
        keepalive_requests: int = 1000,
    ) -> None:
        """Write into `folder`, which exists; below `/behind/` answers the plain http server of that port."""
        # Debian has it where only root's PATH looks.
        program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
        if program is None:
            pytest.skip("nginx is not on PATH")
        self.files = folder / "files"
        self._folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: Final[int] = free.getsockname()[1]
        for name in (self.files, folder / "temporary"):
            name.mkdir()
        configuration = _CONFIGURATION.format(
            folder=folder,
            port=self.port,
            protocol=" http2" if http2 else "",
            chain=authority.chain_path,
            keepalive_requests=keepalive_requests,
            behind="" if behind is None else _BEHIND.format(port=behind),
        )
        (folder / "nginx.conf").write_text(configuration)
        self._command = [
            program,
            "-p",
            str(folder),
            "-e",
            f"{folder}/error.log",
            "-c",
            f"{folder}/nginx.conf",
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, path: str, *, port: int | None = None) -> str:
        return f"https://localhost:{port or self.port}{path}"

    def put(self, name: str, content: bytes) -> str:
        """Serve a file under `/name`; return its URL."""
        (self.files / name).write_bytes(content)
        return self.url(f"/{name}")

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                assert self._process.poll() is None, (self._folder / "error.log").read_text()
                assert time.monotonic() < deadline, "nginx does not listen"
                time.sleep(0.02)
            else:
                return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=10)

    def log(self) -> list[Logged]:
        """Return what was asked and answered, once nginx has ended; in the order of the answers' ends."""
        self.__exit__()
        lines = (self._folder / "access.log").read_text().splitlines()
        words = [line.split(" ") for line in lines]
        return [Logged(int(one), two, three, four, int(five)) for one, two, three, four, five in words]
