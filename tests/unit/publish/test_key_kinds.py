"""A key in the wrong place is called by its name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import signature_vectors
from binstall.publish.key_kinds import KeyKind, kind_of
from support_keys import read


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        pytest.param(signature_vectors.read("keys/plain.key"), KeyKind.MINISIGN_SECRET, id="secret key"),
        pytest.param(
            signature_vectors.read("keys/password.key"), KeyKind.MINISIGN_SECRET, id="protected key"
        ),
        pytest.param(signature_vectors.read("keys/plain.pub"), KeyKind.MINISIGN_PUBLIC, id="public key"),
        pytest.param(
            signature_vectors.read("keys/plain.pub").splitlines()[1], KeyKind.MINISIGN_PUBLIC, id="bare"
        ),
        pytest.param(
            signature_vectors.read("sign/basic.minisig"), KeyKind.MINISIGN_SIGNATURE, id="signature"
        ),
        pytest.param(read("x25519.age"), KeyKind.AGE_FILE, id="age"),
        pytest.param(read("x25519-armored-crlf.age"), KeyKind.AGE_FILE, id="age, armoured"),
        pytest.param(read("keys/age-identity.txt"), KeyKind.AGE_IDENTITY, id="identity"),
        pytest.param(b"# c\nAGE-PLUGIN-YUBIKEY-1QQ\n", KeyKind.AGE_IDENTITY, id="plugin identity"),
        pytest.param(b"# mine\nage1qq\n", KeyKind.AGE_RECIPIENT, id="recipient"),
        pytest.param(read("keys/ssh-rsa.key"), KeyKind.SSH_PRIVATE, id="ssh private key"),
        pytest.param(read("keys/ssh-ecdsa.pub"), KeyKind.SSH_PUBLIC, id="ssh public key"),
        pytest.param(b"", KeyKind.UNKNOWN, id="empty"),
        pytest.param(b"<html>", KeyKind.UNKNOWN, id="html"),
        pytest.param(b"signing.key", KeyKind.UNKNOWN, id="a file name"),
        pytest.param(b"untrusted comment: x\n", KeyKind.UNKNOWN, id="a comment alone"),
    ],
)
def test_a_kind_is_seen(data: bytes, kind: KeyKind) -> None:
    assert kind_of(data) is kind_of(bytearray(data)) is kind


@settings(max_examples=1000, deadline=None)
@given(
    st.binary(max_size=300) | st.sampled_from([signature_vectors.read("keys/plain.key")]),
    st.binary(max_size=5),
)
def test_any_bytes_have_a_kind(data: bytes, tail: bytes) -> None:
    assert isinstance(kind_of(data[: len(data) - len(tail)] + tail), KeyKind)
