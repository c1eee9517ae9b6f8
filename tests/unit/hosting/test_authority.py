"""The authority in memory: whom it convinces, of what, and for how long."""

from __future__ import annotations

import os
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from binstall.hosting.authority import Authority

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create(NOW)


@contextmanager
def server(authority: Authority) -> Iterator[socket.socket]:
    """A connection whose other end greets by TLS once."""
    here, there = socket.socketpair()

    def greet() -> None:
        try:
            with authority.server_context.wrap_socket(there, server_side=True) as connection:
                connection.sendall(b"hello")
        except OSError:
            there.close()  # the client refused, which its own side reports

    thread = threading.Thread(target=greet)
    thread.start()
    try:
        yield here
    finally:
        here.close()
        thread.join()


def greeting(
    authority: Authority, trusted: bytes, name: str, **settings: object
) -> tuple[bytes, str | None]:
    context = ssl.create_default_context(cadata=trusted.decode())
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.set_alpn_protocols(["h2", "http/1.1"])
    for key, value in settings.items():
        setattr(context, key, value)
    with server(authority) as connection, context.wrap_socket(connection, server_hostname=name) as client:
        return client.recv(5), client.selected_alpn_protocol()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_openssl_in_strict_mode_accepts_it_for_loopback(
    authority: Authority, name: str, version: ssl.TLSVersion
) -> None:
    assert greeting(authority, authority.ca_pem, name, maximum_version=version) == (b"hello", "http/1.1")


@pytest.mark.parametrize("name", ["example.org", "127.0.0.2", "localhost.example.org"])
def test_it_is_good_for_no_other_name(authority: Authority, name: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=r"mismatch|not valid for"):
        greeting(authority, authority.ca_pem, name)


def test_another_authority_does_not_vouch_for_it(authority: Authority) -> None:
    other = Authority.create(NOW)
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        greeting(authority, other.ca_pem, "localhost")


def test_tls_below_1_2_is_refused(authority: Authority) -> None:
    assert authority.server_context.minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("born", "complaint"),
    [
        pytest.param(-timedelta(hours=1, seconds=2), "certificate has expired", id="an hour and more ago"),
        pytest.param(timedelta(minutes=6), "not yet valid", id="in the future, beyond the skew"),
    ],
)
def test_it_is_over_after_an_hour(born: timedelta, complaint: str) -> None:
    old = Authority.create(datetime.now(UTC) + born)
    with pytest.raises(ssl.SSLCertVerificationError, match=complaint):
        greeting(old, old.ca_pem, "localhost")


def test_it_is_good_within_its_hour_and_for_a_clock_a_little_behind() -> None:
    now = datetime.now(UTC)
    for born in (now - timedelta(minutes=59), now + timedelta(minutes=4)):
        authority = Authority.create(born)
        assert authority.not_after == born + timedelta(hours=1)
        assert greeting(authority, authority.ca_pem, "localhost")[0] == b"hello"


def test_the_authority_says_how_narrow_it_is(authority: Authority) -> None:
    certificate = x509.load_pem_x509_certificate(authority.ca_pem)
    constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert constraints.critical
    assert basic.critical
    assert usage.critical
    permitted = constraints.value.permitted_subtrees or []
    assert [str(each.value) for each in permitted] == ["localhost", "127.0.0.1/32", "::1/128"]
    assert (basic.value.ca, basic.value.path_length) == (True, 0)
    assert usage.value.key_cert_sign
    assert not usage.value.digital_signature
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)


def test_its_key_is_in_no_file_afterwards_and_only_encrypted_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen: list[tuple[int, bytes]] = []
    real = Path.unlink

    def look_then_unlink(path: Path, missing_ok: bool = False) -> None:
        seen.append((path.stat().st_mode & 0o777, path.read_bytes()))
        real(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", look_then_unlink)
    Authority.create(NOW)
    assert list(tmp_path.iterdir()) == []
    ((mode, text),) = seen
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in text
    assert text.count(b"PRIVATE KEY") == 2
    assert mode == 0o600 or os.name == "nt"
