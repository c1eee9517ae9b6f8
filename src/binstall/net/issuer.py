"""Who issued a server's certificate: asked only to explain why it is not trusted.

A second connection, on which nothing is verified, nothing is sent but a TLS handshake (and CONNECT to a
proxy), and nothing is believed: the answer is text for one error message.
"""

from __future__ import annotations

import socket
import time
from base64 import b64encode

from binstall.limits import ISSUER_TIMEOUT_SECONDS
from binstall.net.proxy import Proxy

_MAX_CONNECT_ANSWER_BYTES = 16_384
_MAX_SHOWN_CHARACTERS = 200


def issuer_of(host: str, port: int, proxy: Proxy | None) -> str | None:
    """Return the issuer named in the certificate of `host`, or None where it cannot be read in time."""
    import ssl

    if proxy is not None and proxy.scheme != "http":
        return None
    deadline = time.monotonic() + ISSUER_TIMEOUT_SECONDS
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        where = (host, port) if proxy is None else (proxy.host, proxy.port)
        with socket.create_connection(where, timeout=ISSUER_TIMEOUT_SECONDS) as connection:
            if proxy is not None:
                _connect(connection, host, port, proxy, deadline)
            connection.settimeout(_left(deadline))
            with context.wrap_socket(connection, server_hostname=host) as tls:
                der = tls.getpeercert(binary_form=True)
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        return None
    return None if der is None else _issuer(der)


def _connect(connection: socket.socket, host: str, port: int, proxy: Proxy, deadline: float) -> None:
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {name} HTTP/1.1", f"Host: {name}"]
    if proxy.user is not None:
        secret = b64encode(f"{proxy.user}:{proxy.password or ''}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {secret}")
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    answer = b""
    # One byte at a time: what follows the blank line belongs to the TLS handshake.
    while not answer.endswith(b"\r\n\r\n"):
        connection.settimeout(_left(deadline))
        byte = connection.recv(1)
        answer += byte
        if not byte or len(answer) > _MAX_CONNECT_ANSWER_BYTES:
            raise OSError("the proxy gave no answer")
    if answer.split(b" ", 2)[1:2] != [b"200"]:
        raise OSError("the proxy refused")


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _issuer(der: bytes) -> str | None:
    from cryptography.x509 import load_der_x509_certificate

    try:
        name = load_der_x509_certificate(der).issuer.rfc4514_string()
    except (ValueError, Warning):
        return None
    return name[:_MAX_SHOWN_CHARACTERS] or None
