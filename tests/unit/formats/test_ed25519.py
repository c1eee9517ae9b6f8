"""Encodings that no signer makes are refused before any library sees them."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl import bindings

from binstall.formats.ed25519 import FIELD_PRIME, GROUP_ORDER, is_sound_public_key, is_sound_signature

ORDER_8 = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"


def number(value: int) -> bytes:
    return value.to_bytes(32, "little")


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param(number(0), id="order 4"),
        pytest.param(number(1), id="identity"),
        pytest.param(number(FIELD_PRIME - 1), id="order 2"),
        pytest.param(bytes.fromhex(ORDER_8), id="order 8"),
        pytest.param(number(int.from_bytes(bytes.fromhex(ORDER_8), "little") | 1 << 255), id="order 8, -x"),
        pytest.param(number(1 | 1 << 255), id="x = -0"),
        pytest.param(number(FIELD_PRIME), id="y = p"),
        pytest.param(number(FIELD_PRIME + 1), id="y = p + 1"),
        pytest.param(number(FIELD_PRIME + 3), id="y = p + 3, a good point written otherwise"),
        pytest.param(number(2), id="not on the curve"),
        pytest.param(b"", id="nothing"),
        pytest.param(bytes(31), id="31 bytes"),
        pytest.param(os.urandom(33), id="33 bytes"),
    ],
)
def test_no_public_key_is(encoded: bytes) -> None:
    assert not is_sound_public_key(encoded)
    assert encoded == number(2) or not is_sound_signature(encoded + bytes(32))


@settings(max_examples=1000, deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_every_public_key_of_a_seed_is_sound_and_so_are_its_signatures(seed: bytes) -> None:
    public, secret = bindings.crypto_sign_seed_keypair(seed)
    assert is_sound_public_key(public)
    assert is_sound_signature(bindings.crypto_sign(b"message", secret)[:64])


@settings(max_examples=1000, deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_points_of_the_prime_order_subgroup_are_found_on_the_curve(encoded: bytes) -> None:
    if bindings.crypto_core_ed25519_is_valid_point(encoded):
        assert is_sound_public_key(encoded)


@settings(max_examples=1000, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**256 - 1))
def test_a_signature_is_sound_only_below_the_group_order(seed: bytes, scalar: int) -> None:
    r = bindings.crypto_sign_seed_keypair(seed)[0]
    assert is_sound_signature(r + number(scalar)) is (scalar < GROUP_ORDER)


@pytest.mark.parametrize(("scalar", "sound"), [(GROUP_ORDER - 1, True), (GROUP_ORDER, False), (0, True)])
def test_the_bound_of_the_scalar_is_exact(scalar: int, sound: bool) -> None:
    r = bindings.crypto_sign_seed_keypair(bytes(32))[0]
    assert is_sound_signature(r + number(scalar)) is sound
