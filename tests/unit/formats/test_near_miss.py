"""Misspelled words: which are near enough to be meant."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.formats.near_miss import holds_signing, looks_like_signing, meant, meant_in_signing


@pytest.mark.parametrize(
    "word",
    [
        "signature", "sign", "signed", "signings", "Signing", "SIGNING", "signing_key", "signing-key",
        "sining",
        "singing", "signng", "siging", "signin", "ssigning", "sigining", "sig", "sigs", "signer", "signify",
        "Signatures", "signature-s", "sgnatures", "pkg-signing", "package_signature", "minisign", "pubkey",
        "pub-key", "public_key", "algorithm", "signing.",
    ],
)  # fmt: skip
def test_what_may_be_meant_for_signing_looks_like_it(word: str) -> None:
    assert looks_like_signing(word)


@pytest.mark.parametrize(
    "word",
    ["pkg-url", "pkg-fmt", "bin-dir", "overrides", "x-signing", "x-sign", "string", "group", "", "x"],
)
def test_other_words_do_not_look_like_signing(word: str) -> None:
    assert not looks_like_signing(word)


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("pub-key", "pubkey"), ("pub_key", "pubkey"), ("PubKey", "pubkey"), ("public-key", "pubkey"),
        ("pubkeys", "pubkey"), ("key", "pubkey"), ("algo", "algorithm"), ("algoritm", "algorithm"),
        ("files", "file"), ("url", "file"), ("signature", "file"), ("groups", "group"),
        ("realease", "release"),
        ("version", "release"), ("comment", None),
    ],
)  # fmt: skip
def test_a_key_of_a_signing_table_is_guessed(word: str, key: str | None) -> None:
    assert meant_in_signing(word) == key


def test_the_nearest_word_is_meant() -> None:
    assert meant("pkg_url", {"pkg-url", "pkg-fmt"}) == "pkg-url"
    assert meant("pkg-frm", {"pkg-url", "pkg-fmt"}) == "pkg-fmt"
    assert meant("something", {"pkg-url", "pkg-fmt"}) is None


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        ({"signing": {}}, True),
        ({"deep": [{"er": [[{"Signature": 1}]]}]}, True),
        ({"pubkey": "RW"}, True),
        ({"x-mine": {"signing": {}}}, False),
        ({"deep": ["signing", {"er": "signing"}]}, False),
        ("signing", False),
    ],
)
def test_a_signing_table_is_found_at_any_depth(value: object, holds: bool) -> None:
    assert holds_signing(value) is holds


@settings(max_examples=1000, deadline=None)
@given(
    word=st.text("sigurd", max_size=9),
    at=st.integers(0, 9),
    put=st.text("aix", max_size=1),
    cut=st.booleans(),
)
def test_one_change_is_always_near(word: str, at: int, put: str, cut: bool) -> None:
    assert meant(word[:at] + put + word[at + cut :], {word}) == word
