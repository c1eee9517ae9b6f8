"""The door and the policy: what must be proved, and that nothing else makes a VerifiedFile."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import binstall
from binstall.artifact import Download, Evidence
from binstall.errors import BadSignature, LocalIOError, MissingSignature, UnsupportedSignature
from binstall.signing.binding import Expected
from binstall.signing.digest import Skipped, Unsigned
from binstall.signing.verifier import (
    VERIFIERS,
    SignaturePolicy,
    Verify,
    decide,
    key_is_authentic_from,
    new_verifier,
    verify,
)
from signature_vectors import downloaded, read, vector

BASIC = vector("ok-basic")
KEY, MINISIG, PAYLOAD = BASIC["public_key"], read(BASIC["signature"]), read(BASIC["file"])


def test_a_verified_file_is_made_in_one_place_only() -> None:
    source = Path(binstall.__file__).parent
    makers = {
        path.relative_to(source).as_posix(): len(found)
        for path in source.rglob("*.py")
        if (found := re.findall(r"\bVerifiedFile\s*\(", path.read_text(encoding="utf-8")))
    }
    assert makers == {"signing/verifier.py": 1}


def test_a_verified_file_holds_the_very_download_that_was_judged() -> None:
    download = downloaded(PAYLOAD)
    verified = verify(download, new_verifier("minisign", KEY, MINISIG, Expected("hello.txt")))
    assert verified.download is download
    assert verified.evidence.verdict == "verified"


def test_a_refusal_gives_no_file() -> None:
    with pytest.raises(BadSignature):
        verify(downloaded(b"other"), new_verifier("minisign", KEY, MINISIG, Expected("hello.txt")))


def test_the_name_check_is_lifted_only_when_told() -> None:
    with pytest.raises(BadSignature):
        new_verifier("minisign", KEY, MINISIG, Expected("other.txt"))
    lax = new_verifier("minisign", KEY, MINISIG, Expected("other.txt"), allow_name_mismatch=True)
    assert len(verify(downloaded(PAYLOAD), lax).evidence.warnings) == 1


def test_a_file_that_cannot_be_read_is_this_machines_fault(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as unreadable:  # open for writing alone
        download = Download("u", unreadable, 0)
        with pytest.raises(LocalIOError):
            verify(download, new_verifier("minisign", KEY, MINISIG, Expected("hello.txt")))


@pytest.mark.parametrize("algorithm", ["", "Minisign", "MINISIGN", "minisign ", "signify", "x" * 9999])
def test_an_algorithm_without_verifier_is_unsupported(algorithm: str) -> None:
    assert set(VERIFIERS) == {"minisign"}
    with pytest.raises(UnsupportedSignature) as caught:
        new_verifier(algorithm, KEY, MINISIG, Expected("hello.txt"))
    assert caught.value.exit_code == 41
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    ("policy", "declared", "authentic", "decision"),
    [
        pytest.param(SignaturePolicy.IF_DECLARED, "s", True, Verify("s"), id="declared"),
        pytest.param(SignaturePolicy.IF_DECLARED, "s", False, Unsigned, id="declared over http"),
        pytest.param(SignaturePolicy.IF_DECLARED, None, True, Unsigned, id="not declared"),
        pytest.param(SignaturePolicy.IF_DECLARED, None, False, Unsigned, id="not declared, over http"),
        pytest.param(SignaturePolicy.REQUIRED, "s", True, Verify("s"), id="required, declared"),
        pytest.param(SignaturePolicy.REQUIRED, "s", False, MissingSignature, id="required, over http"),
        pytest.param(SignaturePolicy.REQUIRED, None, True, MissingSignature, id="required, not declared"),
        pytest.param(SignaturePolicy.REQUIRED, None, False, MissingSignature, id="required, neither"),
        pytest.param(SignaturePolicy.SKIP, "s", True, Skipped, id="skipped"),
        pytest.param(SignaturePolicy.SKIP, "s", False, Skipped, id="skipped, over http"),
        pytest.param(SignaturePolicy.SKIP, None, True, Skipped, id="skipped, not declared"),
        pytest.param(SignaturePolicy.SKIP, None, False, Skipped, id="skipped, neither"),
    ],
)
def test_policy(policy: SignaturePolicy, declared: str | None, authentic: bool, decision: object) -> None:
    if decision is MissingSignature:
        with pytest.raises(MissingSignature) as caught:
            decide(policy, declared, key_is_authentic=authentic)
        assert caught.value.exit_code == 41
        return
    decided = decide(policy, declared, key_is_authentic=authentic)
    if isinstance(decision, Verify):
        assert decided == decision
    else:
        assert type(decided) is decision


def test_what_policy_lets_pass_is_recorded_as_proving_nothing() -> None:
    decided = decide(SignaturePolicy.IF_DECLARED, "signing", key_is_authentic=False)
    assert isinstance(decided, Unsigned)
    evidence = verify(downloaded(PAYLOAD), decided).evidence
    assert evidence == Evidence("none", "unsigned", warnings=evidence.warnings)
    assert "plain http" in evidence.warnings[0]


@pytest.mark.parametrize(
    ("url", "authentic"),
    [
        pytest.param("https://index.crates.io/", True, id="https"),
        pytest.param("sparse+https://index.crates.io/", True, id="sparse https"),
        pytest.param("HTTPS://host/", True, id="capitals"),
        pytest.param("http://host/", False, id="http"),
        pytest.param("sparse+http://host/", False, id="sparse http"),
        pytest.param("http://127.0.0.1:8080/", True, id="loopback"),
        pytest.param("sparse+http://127.9.9.9/", True, id="another loopback"),
        pytest.param("http://[::1]:80/", True, id="IPv6 loopback"),
        pytest.param("http://localhost/", True, id="localhost"),
        pytest.param("http://localhost.example/", False, id="localhost as a label"),
        pytest.param("http://127.0.0.1.example/", False, id="loopback as labels"),
        pytest.param("http://127.0.0.1@host/", False, id="loopback as user"),
        pytest.param("http://host\\@127.0.0.1/", False, id="back-slash before the user-info"),
        pytest.param("http://host#@127.0.0.1/", False, id="fragment before the user-info"),
        pytest.param("http://0.0.0.0/", False, id="any address"),
        pytest.param("http://10.0.0.1/", False, id="private address"),
        pytest.param("file:///home/registry", True, id="file"),
        pytest.param("file://host/share", False, id="file of another machine"),
        pytest.param("https://", False, id="no host"),
        pytest.param("git+https://host/", False, id="another scheme"),
        pytest.param("https://[::1", False, id="broken"),
        pytest.param("", False, id="empty"),
    ],
)
def test_a_key_is_as_authentic_as_its_way(url: str, authentic: bool) -> None:
    assert key_is_authentic_from(url) is authentic
