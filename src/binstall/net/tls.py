"""Which certificate authorities are trusted, and where each came from.

    --root-certificates, or BINSTALL_HTTPS_ROOT_CERTS    added
    CARGO_HTTP_CAINFO, or cargo's `http.cainfo`          added
    SSL_CERT_FILE, SSL_CERT_DIR                          in place of the system's store, as in OpenSSL
    the system's store                                   where neither of the two is set

On macOS and Windows the system itself judges certificates and cannot be replaced: there the certificates
of `SSL_CERT_FILE` are added. A file that was named and cannot be used is an error: silently trusting less
ends in a TLS failure that nobody can explain. An empty variable counts as not set.

A file is PEM with any number of certificates, or one certificate in DER. Extensions such as keyUsage are
not looked at: what is named here is trusted as it is.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from binstall.errors import ConfigError
from binstall.limits import MAX_ROOT_CERTIFICATES_BYTES

_PEM = re.compile(
    rb"-----BEGIN (X509 |)CERTIFICATE-----[ \t]*\r?\n(.*?)-----END \1CERTIFICATE-----", re.DOTALL
)
_DER_SEQUENCE = b"\x30"


@dataclass(frozen=True, slots=True)
class TrustedRoots:
    """The trust roots of one run."""

    added: tuple[bytes, ...] = ()
    """Certificates in DER that are trusted beside the store."""
    store_file: str | None = None
    """`SSL_CERT_FILE`: PEM, in place of the system's store."""
    store_folders: str | None = None
    """`SSL_CERT_DIR`: folders of hashed names, joined by the system's path separator."""
    sources: tuple[str, ...] = ("the system's store",)
    """Where the roots came from, for messages."""

    def __str__(self) -> str:
        return " and ".join(self.sources)


SYSTEM_ROOTS = TrustedRoots()
_environment_lock = threading.Lock()


@contextmanager
def process_environment_of(roots: TrustedRoots) -> Iterator[None]:
    """For a moment, let the process environment name the store of `roots`, and no other.

    A TLS library that has its own idea of the system's store reads these variables while it is set up.
    """
    wanted = {"SSL_CERT_FILE": roots.store_file, "SSL_CERT_DIR": roots.store_folders}
    with _environment_lock:
        before = {name: os.environ.get(name) for name in wanted}
        try:
            _set_environment(wanted)
            yield
        finally:
            _set_environment(before)


def _set_environment(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        elif os.environ.get(name) != value:
            os.environ[name] = value


def find_trusted_roots(
    options: Sequence[Path],
    environment: Mapping[str, str],
    cargo_cainfo: Path | None = None,
    *,
    platform: str = sys.platform,
) -> TrustedRoots:
    """Return the roots that `--root-certificates`, `environment` and cargo's `http.cainfo` ask for.

    Raises:
        ConfigError: a named file or folder cannot be read, or holds no certificate.
    """
    added: list[bytes] = []
    sources: list[str] = []
    store_file = environment.get("SSL_CERT_FILE") or None
    store_folders = environment.get("SSL_CERT_DIR") or None
    if store_file is not None:
        certificates = _read_pem(Path(store_file), "SSL_CERT_FILE")
        sources.append(f"{store_file} (SSL_CERT_FILE)")
        if platform in ("darwin", "win32"):
            added += certificates
    if store_folders is not None:
        for folder in filter(None, store_folders.split(os.pathsep)):
            try:
                os.scandir(folder).close()
            except (OSError, ValueError) as error:
                raise ConfigError(f"cannot read the folder {folder}, which SSL_CERT_DIR names") from error
        sources.append(f"{store_folders} (SSL_CERT_DIR)")
    if not sources or platform in ("darwin", "win32"):
        sources.insert(0, "the system's store")
    for path, source in _named(options, environment, cargo_cainfo):
        added += _read(path, source)
        sources.append(f"{path} ({source})")
    return TrustedRoots(tuple(dict.fromkeys(added)), store_file, store_folders, tuple(sources))


def _named(
    options: Sequence[Path], environment: Mapping[str, str], cargo_cainfo: Path | None
) -> list[tuple[Path, str]]:
    named = [(path, "--root-certificates") for path in options]
    if not named and (text := environment.get("BINSTALL_HTTPS_ROOT_CERTS")):
        named.append((Path(text), "BINSTALL_HTTPS_ROOT_CERTS"))
    if text := environment.get("CARGO_HTTP_CAINFO"):
        named.append((Path(text), "CARGO_HTTP_CAINFO"))
    elif cargo_cainfo is not None:
        named.append((cargo_cainfo, "http.cainfo of cargo's configuration"))
    return named


def _read(path: Path, source: str) -> list[bytes]:
    """Read certificates of which each must be sound: they are few, and were named one by one."""
    data = _bytes(path, source)
    certificates = [data] if data.startswith(_DER_SEQUENCE) else _certificates(data, path, source)
    import ssl

    for certificate in certificates:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=certificate)
        except (ssl.SSLError, ValueError) as error:
            raise ConfigError(f"{path}, which {source} names, holds a broken certificate") from error
    return certificates


def _read_pem(path: Path, source: str) -> list[bytes]:
    return _certificates(_bytes(path, source), path, source)


def _bytes(path: Path, source: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_ROOT_CERTIFICATES_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"cannot read {path}, which {source} names: {reason}") from error
    if len(data) > MAX_ROOT_CERTIFICATES_BYTES:
        raise ConfigError(
            f"{path}, which {source} names, has more than {MAX_ROOT_CERTIFICATES_BYTES} bytes "
            f"(MAX_ROOT_CERTIFICATES_BYTES)"
        )
    return data


def _certificates(data: bytes, path: Path, source: str) -> list[bytes]:
    from base64 import b64decode

    try:
        found = [b64decode(b"".join(block.split()), validate=True) for _, block in _PEM.findall(data)]
    except ValueError as error:
        raise ConfigError(f"{path}, which {source} names, holds a broken certificate") from error
    if not found:
        raise ConfigError(f"{path}, which {source} names, holds no certificate in PEM or DER")
    return found
