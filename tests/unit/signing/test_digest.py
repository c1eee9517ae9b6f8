"""Judges without a signature say what they proved, which is little or nothing."""

from __future__ import annotations

import hashlib

import pytest

from binstall.artifact import Evidence
from binstall.errors import ChecksumMismatch
from binstall.signing.digest import Sha256Verifier, Skipped, Unsigned
from signature_vectors import downloaded


def test_the_file_whose_checksum_is_known_is_accepted() -> None:
    verifier = Sha256Verifier(hashlib.sha256(b"crate").digest(), "app-1.0.0.crate")
    assert verifier.judge(downloaded(b"crate")) == Evidence(algorithm="sha256", verdict="checksum")
    assert verifier.digest_names == ("sha256",)


@pytest.mark.parametrize("data", [b"", b"Crate", b"crate\n"])
def test_any_other_file_is_refused_with_both_values(data: bytes) -> None:
    expected = hashlib.sha256(b"crate")
    with pytest.raises(ChecksumMismatch) as caught:
        Sha256Verifier(expected.digest(), "app-1.0.0.crate").judge(downloaded(data))
    for part in ("app-1.0.0.crate", expected.hexdigest(), hashlib.sha256(data).hexdigest()):
        assert part in caught.value.message
    assert caught.value.exit_code == 76


@pytest.mark.parametrize("cut", [0, 4, 31])
def test_a_part_of_the_checksum_is_not_the_checksum(cut: int) -> None:
    with pytest.raises(ChecksumMismatch):
        Sha256Verifier(hashlib.sha256(b"crate").digest()[:cut], "it").judge(downloaded(b"crate"))


def test_unsigned_and_skipped_prove_nothing_and_say_why() -> None:
    assert Unsigned("no key").judge(downloaded(b"x")) == Evidence("none", "unsigned", warnings=("no key",))
    assert Skipped("told so").judge(downloaded(b"x")) == Evidence("none", "skipped", warnings=("told so",))
