"""The minisign verifier against the vectors, against every flipped bit, and against minisign itself."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from binstall.artifact import Download, Evidence
from binstall.errors import BadPublicKey, BadSignature
from binstall.formats.minisig import parse_signature
from binstall.signing.binding import Expected
from binstall.signing.minisign import MinisignVerifier
from signature_vectors import FOLDER, VECTORS, downloaded, minisign, needs_minisign, read, vector, vectors

NOTHING_KNOWN = Expected(file_name=None)
BASIC = vector("ok-basic")
KEY, MINISIG, PAYLOAD = BASIC["public_key"], read(BASIC["signature"]), read(BASIC["file"])


def judged(
    key: str, signature: bytes, payload: bytes, expected: Expected = NOTHING_KNOWN, *, lax: bool = False
) -> Evidence:
    return MinisignVerifier(key, signature, expected, lax).judge(downloaded(payload))


@pytest.mark.parametrize("case", vectors("minisign-verify"))
def test_every_vector_gets_its_verdict_and_its_reason(case: dict[str, Any]) -> None:
    signature, payload = read(case["signature"]), read(case["file"])
    if case["verdict"] == "accept":
        evidence = judged(case["public_key"], signature, payload)
        assert evidence.verdict == "verified"
        assert (evidence.algorithm, evidence.key_id) == ("minisign", case["key_id"])
        assert evidence.trusted_comment == case["trusted_comment"]
    else:
        with pytest.raises((BadSignature, BadPublicKey)) as caught:
            judged(case["public_key"], signature, payload)
        error = caught.value
        assert isinstance(error, BadSignature | BadPublicKey)
        assert error.reason == case["reason"]
        assert error.exit_code == 40


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case["id"]) for case in VECTORS if "asset_name" in case]
)
def test_every_vector_with_an_asset_name_gets_its_name_check(case: dict[str, Any]) -> None:
    signature, payload = read(case["signature"]), read(case["file"])
    expected = Expected(file_name=case["asset_name"])
    if case["name_check"] == "accept":
        assert judged(case["public_key"], signature, payload, expected).warnings == ()
    else:
        with pytest.raises(BadSignature) as caught:
            MinisignVerifier(case["public_key"], signature, expected)
        assert caught.value.reason == "name"
        assert case["asset_name"] in caught.value.message
        lax = judged(case["public_key"], signature, payload, expected, lax=True)
        assert lax.verdict == "verified"
        assert any(case["asset_name"] in warning for warning in lax.warnings)


def test_a_mismatch_of_names_that_is_let_pass_lets_nothing_else_pass() -> None:
    expected = Expected(file_name="other.txt")
    with pytest.raises(BadSignature) as caught:
        judged(KEY, MINISIG, PAYLOAD + b"x", expected, lax=True)
    assert caught.value.reason == "signature"


def test_evidence_holds_the_key_as_manifests_write_it() -> None:
    evidence = judged(f"\nuntrusted comment: whatever\r\n{KEY}\n", MINISIG, PAYLOAD)
    assert evidence.public_key == KEY


def test_a_digest_made_while_the_file_arrived_is_used() -> None:
    good = hashlib.blake2b(PAYLOAD).digest()
    verifier = MinisignVerifier(KEY, MINISIG, NOTHING_KNOWN)
    assert verifier.digest_names == ("blake2b",)
    file = io.BytesIO()
    file.close()  # reading it would raise
    assert verifier.judge(Download("u", file, len(PAYLOAD), {"blake2b": good})).verdict == "verified"


@pytest.mark.parametrize("bit", range(8))
def test_any_flipped_bit_of_the_payload_is_refused(bit: int) -> None:
    verifier = MinisignVerifier(KEY, MINISIG, NOTHING_KNOWN)
    for at in range(len(PAYLOAD)):
        payload = bytearray(PAYLOAD)
        payload[at] ^= 1 << bit
        with pytest.raises(BadSignature) as caught:
            verifier.judge(downloaded(bytes(payload)))
        assert caught.value.reason == "signature"


@pytest.mark.parametrize("bit", range(8))
def test_any_flipped_bit_of_the_signature_is_refused_or_lies_in_the_untrusted_comment(bit: int) -> None:
    first_line = MINISIG.index(b"\n")
    unsigned = range(len(b"untrusted comment: "), first_line)
    for at in range(len(MINISIG)):
        changed = bytearray(MINISIG)
        changed[at] ^= 1 << bit
        if at in unsigned:
            try:
                evidence = judged(KEY, bytes(changed), PAYLOAD)
            except BadSignature as error:
                assert error.reason in {"utf8", "control-char", "encoding"}
            else:
                assert evidence == judged(KEY, MINISIG, PAYLOAD)
        else:
            with pytest.raises(BadSignature):
                judged(KEY, bytes(changed), PAYLOAD)


def test_a_signature_cut_anywhere_is_refused() -> None:
    for size in range(len(MINISIG) - 1):  # without its last LF it is still whole
        with pytest.raises(BadSignature):
            judged(KEY, MINISIG[:size], PAYLOAD)


def test_any_flipped_bit_of_the_public_key_is_refused() -> None:
    for at in range(len(KEY)):
        for bit in range(8):
            changed = KEY[:at] + chr(ord(KEY[at]) ^ (1 << bit)) + KEY[at + 1 :]
            with pytest.raises((BadPublicKey, BadSignature)):
                judged(changed, MINISIG, PAYLOAD)


def test_the_comment_is_refused_before_a_byte_of_the_file_is_read() -> None:
    with pytest.raises(BadSignature) as caught:
        MinisignVerifier(KEY, MINISIG.replace(b"hello.txt", b"hullo.txt"), NOTHING_KNOWN)
    assert caught.value.reason == "comment-signature"


def test_the_curve_library_is_loaded_only_when_a_signature_is_checked() -> None:
    code = (
        "import sys, binstall.signing.verifier, binstall.signing.minisign, binstall.signing.minisign_keys\n"
        "from binstall.formats.minisign_key import parse_public_key\n"
        f"parse_public_key({KEY!r})\n"
        "assert not [name for name in sys.modules if name.startswith(('nacl', 'cffi', '_cffi'))]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@needs_minisign
@pytest.mark.parametrize("case", vectors("minisign-verify"))
def test_what_is_accepted_minisign_accepts_and_what_only_minisign_accepts_is_marked(
    case: dict[str, Any],
) -> None:
    result = minisign(
        "-V", "-m", FOLDER / case["file"], "-x", FOLDER / case["signature"], "-P", case["public_key"]
    )
    if case["verdict"] == "accept":
        assert result.returncode == 0, result.stderr
        assert parse_signature(read(case["signature"])).trusted_comment in result.stdout
    elif result.returncode == 0:
        assert case.get("stricter_than_minisign") is True


@needs_minisign
def test_a_file_that_minisign_signs_is_verified(tmp_path: Path) -> None:
    payload = tmp_path / "päckage-1.0.0.tar.gz"
    payload.write_bytes(b"payload")
    key, public, signature = tmp_path / "k.key", tmp_path / "k.pub", tmp_path / "p.sig"
    assert minisign("-G", "-W", "-s", key, "-p", public).returncode == 0
    assert minisign("-S", "-s", key, "-m", payload, "-x", signature).returncode == 0
    evidence = judged(
        public.read_text(), signature.read_bytes(), b"payload", Expected(file_name=payload.name)
    )
    assert evidence.verdict == "verified"
    assert f"file:{payload.name}" in (evidence.trusted_comment or "")
