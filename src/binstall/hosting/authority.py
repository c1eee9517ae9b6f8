"""A certificate authority that exists for one hour, for this machine, in this process.

Its key signs two certificates, its own and the one server certificate, and is forgotten before
`Authority.create` returns: nobody can issue another certificate, and no file ever held it. The
authority is name-constrained to `localhost`, 127.0.0.1 and ::1, so that a user who adds `ca_pem` to
a trust store by mistake has trusted nobody else.

The server's key has to pass through a file, because `ssl` loads keys from files only. It passes
encrypted, under a random password that is never written, in a private file (0600) that is removed at
once; this one way works on every platform, where a memory file would be Linux's alone. A killed
process leaves at most a file that nobody can decrypt.
"""

from __future__ import annotations

import os
import secrets
import ssl
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Final

LIFETIME: Final = timedelta(hours=1)
CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far before `now` the certificates begin, for clients whose clock is a little behind."""


@dataclass(frozen=True, slots=True)
class Authority:
    """What is left of the authority once its key is gone."""

    ca_pem: bytes
    """The authority's own certificate, PEM: what clients must be told to trust."""
    server_context: ssl.SSLContext
    """TLS 1.2 or newer, ALPN `http/1.1`, with the certificate for localhost; for `Host`."""
    not_after: datetime
    """Both certificates end here; aware, one hour after `now`."""

    @classmethod
    def create(cls, now: datetime) -> Authority:
        """Make an authority and its one server certificate, good from `now` for an hour.

        `now` must be aware. Raises OSError where the temporary folder cannot be written.
        """
        ca_pem, leaf_pem, encrypted_key, password = _issue(now)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
        # A ticket is written after the handshake, when a client may already have gone.
        context.num_tickets = 0
        context.set_alpn_protocols(["http/1.1"])
        _load(context, leaf_pem + encrypted_key, password)
        return cls(ca_pem, context, now + LIFETIME)


def _issue(now: datetime) -> tuple[bytes, bytes, bytes, bytes]:
    """Return the authority's PEM, the server's PEM, its encrypted key and that key's password."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def named(common_name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])

    def key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
        return x509.KeyUsage(
            digital_signature=not signs_certificates,
            key_cert_sign=signs_certificates,
            crl_sign=signs_certificates,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )

    ca_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    # Two authorities of one name in one bundle would be taken for each other.
    ca_name = named(f"binstall loopback authority {secrets.token_hex(8)}")
    ca_key_id = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    server_only = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])

    def builder(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - CLOCK_SKEW)
            .not_valid_after(now + LIFETIME)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_key_id), critical=False
            )
            .add_extension(server_only, critical=False)
        )

    allowed: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(IPv4Network("127.0.0.1/32")),
        x509.IPAddress(IPv6Network("::1/128")),
    ]
    ca = (
        builder(ca_name, ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(signs_certificates=True), critical=True)
        .add_extension(
            x509.NameConstraints(permitted_subtrees=allowed, excluded_subtrees=None), critical=True
        )
        .sign(ca_key, hashes.SHA256())
    )
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(IPv4Address("127.0.0.1")),
        x509.IPAddress(IPv6Address("::1")),
    ]
    leaf = (
        builder(named("localhost"), leaf_key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    password = secrets.token_hex(32).encode()
    encrypted_key = leaf_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password),
    )
    pem = serialization.Encoding.PEM
    return ca.public_bytes(pem), leaf.public_bytes(pem), encrypted_key, password


def _load(context: ssl.SSLContext, chain_and_key: bytes, password: bytes) -> None:
    descriptor, name = tempfile.mkstemp(prefix="binstall-", suffix=".pem")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(chain_and_key)
        context.load_cert_chain(name, password=password)
    finally:
        Path(name).unlink()
