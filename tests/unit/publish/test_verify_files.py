"""Verdicts over files on disk: the vectors, both kinds of signature, and what is wrong with a file itself."""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

import binstall
from binstall.errors import BadSignature, BinstallError, LocalIOError, MissingSignature, UsageError
from binstall.limits import MAX_LEGACY_FILE_BYTES
from binstall.publish.verify_files import (
    BareKey,
    Verdict,
    Verification,
    exit_code_of,
    read_bounded,
)
from binstall.signing.minisign_keys import SecretKey, generate, sign_digest
from signature_vectors import FOLDER, minisign, needs_minisign, vector, vectors

HOSTILE_COMMENT = "timestamp:1\tfile:other.txt"


@pytest.fixture
def key() -> SecretKey:
    return generate()


def signed(key: SecretKey, path: Path, content: bytes = b"content", comment: str | None = None) -> Path:
    """Write a file and, beside it, its `.sig`; return the file."""
    path.write_bytes(content)
    text = sign_digest(key, blake2b(content).digest(), comment or f"timestamp:1\tfile:{path.name}")
    path.with_name(f"{path.name}.sig").write_bytes(text)
    return path


def verdicts(key: SecretKey, *files: Path, **how: Any) -> list[Verdict]:
    return Verification(files, BareKey(key.public_key.base64), **how).run()


def only(key: SecretKey, file: Path, **how: Any) -> Verdict:
    (verdict,) = verdicts(key, file, **how)
    assert (verdict.evidence is None) != (verdict.error is None)
    return verdict


def of_vector(case: dict[str, Any], *, allow_legacy: bool) -> Verdict:
    run = Verification(
        [FOLDER / case["file"]],
        BareKey(case["public_key"]),
        FOLDER / case["signature"],
        allow_legacy=allow_legacy,
    )
    (verdict,) = run.run()
    return verdict


@pytest.mark.parametrize("case", vectors("minisign-verify"))
def test_every_vector_gets_its_verdict(case: dict[str, Any]) -> None:
    verdict = of_vector(case, allow_legacy=False)
    if case["verdict"] == "accept":
        assert verdict.evidence is not None
        assert verdict.evidence.key_id == case["key_id"]
        assert verdict.evidence.trusted_comment == case["trusted_comment"]
    else:
        assert verdict.error is not None
        assert verdict.error.exit_code == 40
        assert getattr(verdict.error, "reason", None) == case["reason"]


@needs_minisign
@pytest.mark.parametrize("case", vectors("minisign-verify"))
def test_allow_legacy_adds_just_the_legacy_signatures_that_minisign_accepts(case: dict[str, Any]) -> None:
    result = minisign(
        "-V", "-m", FOLDER / case["file"], "-x", FOLDER / case["signature"], "-P", case["public_key"]
    )
    accepted_by_minisign = result.returncode == 0
    verdict = of_vector(case, allow_legacy=True)
    if verdict.evidence is not None:
        assert accepted_by_minisign, result.stderr
        assert case["verdict"] == "accept" or case["reason"] == "legacy"
    else:
        assert not accepted_by_minisign or case.get("stricter_than_minisign") is True
        assert not accepted_by_minisign or case["reason"] != "legacy"


def test_what_is_legacy_is_warned_of(key: SecretKey) -> None:
    case = vector("legacy")
    evidence = of_vector(case, allow_legacy=True).evidence
    assert evidence is not None
    assert "legacy" in evidence.warnings[0]
    refused = of_vector(case, allow_legacy=False).error
    assert refused is not None
    assert refused.hint is not None
    assert "--allow-legacy" in refused.hint


def test_only_verify_can_reach_legacy_signatures() -> None:
    package = Path(binstall.__file__).parent
    users = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if "signing.legacy" in path.read_text(encoding="utf-8") and path.name != "legacy.py"
    }
    assert users == {str(Path("publish/verify_files.py"))}


def test_a_legacy_file_that_does_not_fit_into_the_bound_is_not_judged(tmp_path: Path) -> None:
    case, file = vector("legacy"), tmp_path / "f"
    with file.open("wb") as sparse:
        sparse.truncate(MAX_LEGACY_FILE_BYTES + 1)
    run = Verification([file], BareKey(case["public_key"]), FOLDER / case["signature"], allow_legacy=True)
    (verdict,) = run.run()
    assert isinstance(verdict.error, LocalIOError)
    assert "MAX_LEGACY_FILE_BYTES" in verdict.error.message


@needs_minisign
def test_a_legacy_signature_covers_every_byte(tmp_path: Path) -> None:
    secret, public, file = tmp_path / "k.key", tmp_path / "k.pub", tmp_path / "f"
    file.write_bytes(b"x" * 3_000_000)
    assert minisign("-G", "-W", "-s", secret, "-p", public).returncode == 0
    assert minisign("-S", "-l", "-s", secret, "-m", file).returncode == 0
    run = Verification([file], BareKey(public.read_text()), allow_legacy=True)
    assert exit_code_of(run.run()) == 0
    file.write_bytes(b"x" * 2_999_999 + b"y")
    (verdict,) = run.run()
    assert isinstance(verdict.error, BadSignature)
    assert verdict.error.reason == "signature"


def test_the_first_name_beside_the_file_counts(key: SecretKey, tmp_path: Path) -> None:
    file = signed(key, tmp_path / "f")
    other = tmp_path / "f.minisig"
    other.write_bytes(b"not a signature")
    assert only(key, file).signature == tmp_path / "f.sig"
    (tmp_path / "f.sig").replace(other)
    assert only(key, file).signature == other
    other.unlink()
    assert isinstance(only(key, file).error, MissingSignature)


def test_a_signature_elsewhere_is_the_one_that_counts(key: SecretKey, tmp_path: Path) -> None:
    file = signed(key, tmp_path / "f")
    (tmp_path / "f.sig").rename(tmp_path / "elsewhere")
    (tmp_path / "f.sig").write_bytes(b"not a signature")
    assert only(key, file, signature=tmp_path / "elsewhere").evidence is not None
    missing = only(key, file, signature=tmp_path / "nowhere").error
    assert isinstance(missing, MissingSignature)
    assert "nowhere" in missing.message


def test_verdicts_come_in_the_order_of_the_files_however_long_each_takes(
    key: SecretKey, tmp_path: Path
) -> None:
    files = [signed(key, tmp_path / f"f{n}", b"x" * (8_000_000 if n == 0 else n)) for n in range(40)]
    files[7].write_bytes(b"changed")
    found = verdicts(key, *files, threads=4)
    assert [verdict.file for verdict in found] == files
    assert [verdict.file for verdict in found if verdict.error] == [files[7]]


def test_a_foreign_name_under_a_bare_key_is_a_warning(key: SecretKey, tmp_path: Path) -> None:
    evidence = only(key, signed(key, tmp_path / "f", comment=HOSTILE_COMMENT)).evidence
    assert evidence is not None
    assert ["other.txt" in warning for warning in evidence.warnings] == [True]
    other = "timestamp:1\tfile:f\tcrate:a\tversion:1\ttarget:b"
    evidence = only(key, signed(key, tmp_path / "f", comment=other)).evidence
    assert evidence is not None
    assert evidence.warnings == ()


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        pytest.param([], 0, id="no failure"),
        pytest.param([74], 74, id="one"),
        pytest.param([74, 41], 41, id="missing before unreadable"),
        pytest.param([74, 41, 40, 41], 40, id="wrong before all"),
        pytest.param([67, 2], 67, id="others in order"),
        pytest.param([67, 74], 74, id="named ones before others"),
    ],
)
def test_the_gravest_failure_gives_the_exit_code(codes: list[int], expected: int) -> None:
    found = [Verdict(Path("good"))]
    for code in codes:
        error = BinstallError("x")
        error.exit_code = code
        found.append(Verdict(Path("f"), error=error))
    assert exit_code_of(found) == expected


def test_a_malformed_signature_is_told_before_the_file_is_read(key: SecretKey, tmp_path: Path) -> None:
    (tmp_path / "absent.sig").write_bytes(b"no signature")
    assert isinstance(only(key, tmp_path / "absent").error, BadSignature)
    signed(key, tmp_path / "gone").unlink()
    assert isinstance(only(key, tmp_path / "gone").error, LocalIOError)
    assert isinstance(only(key, tmp_path / "neither").error, LocalIOError)


def test_a_signature_that_is_too_long_is_not_read_whole(key: SecretKey, tmp_path: Path) -> None:
    file = signed(key, tmp_path / "f")
    with (tmp_path / "f.sig").open("r+b") as signature:
        signature.truncate(1 << 40)  # a sparse TiB
    error = only(key, file).error
    assert isinstance(error, BadSignature)
    assert error.reason == "too-long"
    assert len(read_bounded(tmp_path / "f.sig", 10) or b"") == 11


@pytest.mark.parametrize("name", ["f", "f.sig"])
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_nobody_waits_for_a_pipe(key: SecretKey, tmp_path: Path, name: str) -> None:
    file = signed(key, tmp_path / "f")
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    error = only(key, file).error
    assert isinstance(error, LocalIOError | UsageError)
    assert "not a regular file" in error.message


def test_a_folder_is_no_file(key: SecretKey, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    error = only(key, tmp_path / "d").error
    assert isinstance(error, UsageError)
    assert "folder" in error.message


def test_a_signature_given_as_the_file_is_told_so(key: SecretKey, tmp_path: Path) -> None:
    signed(key, tmp_path / "f")
    error = only(key, tmp_path / "f.sig").error
    assert isinstance(error, MissingSignature)
    assert error.hint is not None
    assert "itself a signature" in error.hint


def test_a_key_given_as_the_signature_is_told_so(key: SecretKey, tmp_path: Path) -> None:
    file = signed(key, tmp_path / "f")
    public = tmp_path / "k.pub"
    public.write_text(f"untrusted comment: x\n{key.public_key.base64}\n")
    error = only(key, file, signature=public).error
    assert isinstance(error, BadSignature)
    assert error.hint is not None
    assert "public key" in error.hint
