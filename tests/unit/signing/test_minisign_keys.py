"""The publisher's half: keys and signatures as minisign makes them, and keys that must not be used."""

from __future__ import annotations

import base64
import hashlib
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import BadSecretKey, BadSignature, UsageError, WrongPassword
from binstall.formats.minisign_key import parse_public_key, parse_secret_key, serialize_public_key
from binstall.limits import MAX_SCRYPT_MEMLIMIT_BYTES, MAX_SCRYPT_OPSLIMIT
from binstall.signing.binding import Expected, trusted_comment_for
from binstall.signing.minisign import MinisignVerifier
from binstall.signing.minisign_keys import (
    MINISIGN_COST,
    RSIGN_COST,
    SIGNATURE_COMMENT,
    ScryptCost,
    SecretKey,
    generate,
    is_protected,
    lock,
    scrypt_parameters,
    sign_digest,
    unlock,
)
from signature_vectors import downloaded, minisign, needs_minisign, read, vector, vectors

THOUSAND = settings(max_examples=1000, deadline=None)
CHEAP = ScryptCost(opslimit=32768, memlimit=1 << 20)
PLAIN = read("keys/plain.key")
PASSWORDS = st.binary(max_size=40).filter(lambda password: not set(password) & set(b"\n\0"))


@cache
def unlocked(name: str, password: str | None) -> SecretKey:
    """Derive each key once: one of them takes a GiB and seconds."""
    return unlock(read(name), None if password is None else password.encode())


def digest(data: bytes) -> bytes:
    return hashlib.blake2b(data).digest()


@pytest.mark.parametrize("case", vectors("minisign-secret-key"))
def test_every_secret_key_vector_gets_its_verdict(case: dict[str, Any]) -> None:
    if case["verdict"] == "accept":
        key = unlocked(case["secret_key"], case["password"])
        assert key.public_key.base64 == case["public_key"]
        assert key.public_key == parse_public_key(case["public_key"])
        assert is_protected(read(case["secret_key"])) is (case["password"] is not None)
    else:
        with pytest.raises(BadSecretKey):
            unlocked(case["secret_key"], case["password"])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("sk-plain-wrong-checksum", "checksum"),
        ("sk-plain-pubhalf-mismatch", "public-half"),
        ("sk-plain-pubhalf-mismatch-zero-chk", "public-half"),
        ("sk-scrypt-wrong-password", "password"),
        ("sk-scrypt-flip-cipher", "password"),
        ("sk-scrypt-memlimit-huge", "work-factor"),
        ("sk-scrypt-opslimit-huge", "work-factor"),
        ("sk-alg-ED", "algorithm"),
        ("sk-kdf-unknown", "kdf"),
        ("sk-chk-unknown", "checksum-algorithm"),
        ("sk-trailing-line", "encoding"),
        ("sk-public-key-file", "encoding"),
    ],
)
def test_a_refused_secret_key_is_refused_for_its_fault(name: str, reason: str) -> None:
    case = vector(name)
    with pytest.raises(BadSecretKey) as caught:
        unlocked(case["secret_key"], case["password"])
    assert caught.value.reason == reason
    assert isinstance(caught.value, WrongPassword) is (reason == "password")


def test_a_protected_key_without_password_says_so() -> None:
    with pytest.raises(WrongPassword, match="has a password"):
        unlock(read("keys/rsign-empty-password.key"), None)


@pytest.mark.parametrize("case", [case for case in vectors("minisign-sign") if case.id != "sign-legacy"])
def test_every_signature_is_minisigns_byte_for_byte(case: dict[str, Any]) -> None:
    key = unlocked(case["secret_key"], case["password"])
    comments = [case["trusted_comment"], case["untrusted_comment"] or SIGNATURE_COMMENT]
    assert sign_digest(key, digest(read(case["file"])), *comments) == read(case["expected_signature"])


def test_there_is_no_way_to_a_legacy_signature() -> None:
    case = vector("sign-legacy")
    key = unlocked(case["secret_key"], None)
    made = sign_digest(key, digest(read(case["file"])), case["trusted_comment"])
    assert made.splitlines()[1].startswith(b"RU")
    with pytest.raises(BadSignature) as caught:
        MinisignVerifier(key.public_key.base64, read(case["expected_signature"]), Expected(None))
    assert caught.value.reason == "legacy"
    with pytest.raises(ValueError, match="64 bytes"):
        sign_digest(key, read(case["file"]), "")


LIMITS_IN_NOTE = re.compile(r"opslimit (\d+), memlimit (\d+): N=2\^(\d+), r=(\d+), p=(\d+)")


@pytest.mark.parametrize(
    "case",
    [case for case in vectors("minisign-secret-key") if LIMITS_IN_NOTE.match(case.values[0]["note"])],
)
def test_scrypt_parameters_follow_libsodiums_rule(case: dict[str, Any]) -> None:
    match = LIMITS_IN_NOTE.match(case["note"])
    assert match
    opslimit, memlimit, log_n, r, p = map(int, match.groups())
    assert scrypt_parameters(ScryptCost(opslimit, memlimit)) == (1 << log_n, r, p)
    fields = parse_secret_key(read(case["secret_key"]))
    assert (fields.opslimit, fields.memlimit) == (opslimit, memlimit)


@pytest.mark.parametrize(
    ("name", "cost", "log_n"),
    [("keys/password.key", MINISIGN_COST, 20), ("keys/rsign-password.key", RSIGN_COST, 15)],
)
def test_the_presets_are_what_the_tools_write(name: str, cost: ScryptCost, log_n: int) -> None:
    fields = parse_secret_key(read(name))
    assert (fields.opslimit, fields.memlimit) == (cost.opslimit, cost.memlimit)
    assert scrypt_parameters(cost) == (1 << log_n, 8, 1)
    assert inspect.signature(lock).parameters["cost"].default == MINISIGN_COST


@THOUSAND
@given(st.integers(0, MAX_SCRYPT_OPSLIMIT), st.integers(0, MAX_SCRYPT_MEMLIMIT_BYTES))
def test_no_limits_that_are_let_pass_ask_for_more_than_minisigns(opslimit: int, memlimit: int) -> None:
    n, r, p = scrypt_parameters(ScryptCost(opslimit, memlimit))
    assert n >= 2 and n & (n - 1) == 0 and p >= 1
    assert n * r * p <= (1 << 20) * 8
    assert 128 * r * (n + p + 2) < 1 << 31  # what OpenSSL can be told


@THOUSAND
@given(st.none() | PASSWORDS)
def test_a_key_is_opened_by_its_password(password: bytes | None) -> None:
    with generate() as key:
        data = lock(key, password, cost=CHEAP)
        with unlock(data, password) as again:
            assert again.public_key == key.public_key
            assert again.seed == key.seed
        assert is_protected(data) is (password is not None)


def test_a_key_is_opened_by_no_other_password() -> None:
    with generate() as key:
        data = lock(key, "pässword".encode(), cost=CHEAP)
        for other in (b"", "pässword\n".encode(), "pa\u0308ssword".encode(), b"password"):
            with pytest.raises(WrongPassword):
                unlock(data, other)


def test_two_files_of_one_key_share_no_salt() -> None:
    with generate() as key:
        assert lock(key, b"pw", cost=CHEAP) != lock(key, b"pw", cost=CHEAP)


def test_a_password_is_changed_and_removed_by_opening_and_locking_again() -> None:
    with unlock(read("secret-keys/scrypt-fast.key"), b"pw") as key:
        changed = lock(key, b"new", cost=CHEAP)
        removed = lock(key, None)
    assert unlock(changed, b"new").public_key == unlock(removed, None).public_key
    with pytest.raises(WrongPassword):
        unlock(changed, b"pw")


def test_a_key_without_password_is_written_with_its_checksum() -> None:
    case = vector("sk-plain-with-checksum")
    with unlock(PLAIN, None) as key:
        assert lock(key, None).splitlines()[1] == read(case["secret_key"]).splitlines()[1]


def flipped(data: bytes, at: int, bit: int) -> bytes:
    """Flip one bit of the 158 bytes of a secret key file."""
    first, second = data.splitlines()
    raw = bytearray(base64.b64decode(second))
    raw[at] ^= 1 << bit
    return first + b"\n" + base64.b64encode(raw) + b"\n"


@pytest.mark.parametrize("bit", range(8))
def test_any_flipped_bit_of_an_open_key_is_refused_or_lies_where_nothing_is_read(bit: int) -> None:
    with unlock(PLAIN, None) as key:
        data = lock(key, None)
        for at in range(158):
            if 6 <= at < 54:  # salt and limits mean nothing without a password
                assert unlock(flipped(data, at, bit), None).public_key == key.public_key
            else:
                with pytest.raises(BadSecretKey):
                    unlock(flipped(data, at, bit), None)


def test_any_changed_byte_of_a_protected_key_is_refused() -> None:
    with unlock(PLAIN, None) as key:
        data = lock(key, b"pw", cost=CHEAP)
    for at in [*range(38), *range(54, 158)]:  # the limits are judged by another test
        with pytest.raises(BadSecretKey):
            unlock(flipped(data, at, at % 8), b"pw")


@THOUSAND
@given(
    st.lists(
        st.tuples(st.integers(0, 300), st.integers(0, 3), st.binary(max_size=2)), min_size=1, max_size=4
    ),
    st.sampled_from(["keys/plain.key", "secret-keys/plain-with-checksum.key", "keys/rsign-password.key"]),
)
def test_an_edited_key_file_is_the_same_key_or_the_one_error(
    edits: list[tuple[int, int, bytes]], name: str
) -> None:
    data = read(name)
    for at, size, by in edits:
        place = at % (len(data) + 1)
        data = data[:place] + by + data[place + size :]
    try:
        key = unlock(data, None)
    except BadSecretKey as error:
        assert error.reason
    else:
        # The zero checksum of `minisign -G -W` guards nothing: there the key id may be another one.
        assert key.seed == unlock(PLAIN, None).seed


@THOUSAND
@given(st.binary(max_size=400))
def test_random_bytes_are_the_one_error(data: bytes) -> None:
    with pytest.raises(BadSecretKey):
        unlock(data, b"pw")


def test_secrets_are_wiped_and_never_shown() -> None:
    with generate() as key:
        seed = key.seed
        assert any(seed)
        assert "seed" not in repr(key)
        lock(key, None)
        assert any(seed)
    assert not any(seed)


def test_every_generated_key_is_another_one() -> None:
    keys = [generate().public_key for _ in range(20)]
    assert len({key.ed25519 for key in keys}) == len({key.key_id for key in keys}) == 20


@pytest.mark.skipif(sys.platform != "linux", reason="limits its memory as Linux does")
def test_a_machine_without_the_memory_gets_an_error_in_words() -> None:
    code = (
        "import resource\n"
        "from binstall.errors import BadSecretKey\n"
        "from binstall.signing.minisign_keys import generate, lock\n"
        "key = generate()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (700 << 20, 700 << 20))\n"
        "try:\n"
        "    lock(key, b'pw')\n"
        "except BadSecretKey as error:\n"
        "    print(error.reason, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("memory the password of this secret key takes 1024 MiB")


def signs(**changed: str) -> Callable[[SecretKey], bytes]:
    comments = {"trusted_comment": "", "untrusted_comment": "", **changed}
    return lambda key: sign_digest(key, digest(b""), **comments)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(signs(trusted_comment="t" * 4077), id="trusted"),
        pytest.param(signs(trusted_comment="ä" * 2038), id="trusted, in bytes"),
        pytest.param(signs(untrusted_comment="u" * 1003), id="untrusted"),
        pytest.param(signs(trusted_comment="a\tb"), id="TAB"),
        pytest.param(lambda key: lock(key, b"p" * 1022, cost=CHEAP), id="password"),
        pytest.param(lambda key: lock(key, None, comment="c" * 1003), id="key comment"),
    ],
)
def test_comments_and_passwords_may_be_as_long_as_minisigns(make: Callable[[SecretKey], bytes]) -> None:
    with generate() as key:
        assert make(key)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(signs(trusted_comment="t" * 4078), id="trusted too long"),
        pytest.param(signs(trusted_comment="ä" * 2039), id="trusted too long in bytes"),
        pytest.param(signs(untrusted_comment="u" * 1004), id="untrusted too long"),
        pytest.param(signs(trusted_comment="a\nb"), id="line break"),
        pytest.param(signs(trusted_comment="a\r"), id="carriage return"),
        pytest.param(signs(trusted_comment="a\x1b[0m"), id="escape"),
        pytest.param(signs(trusted_comment="a\x85"), id="C1 control"),
        pytest.param(signs(untrusted_comment="a\0"), id="NUL"),
        pytest.param(signs(trusted_comment="\ud800"), id="lone surrogate"),
        pytest.param(lambda key: lock(key, b"p" * 1023, cost=CHEAP), id="password too long"),
        pytest.param(lambda key: lock(key, b"p\n", cost=CHEAP), id="password with a line end"),
        pytest.param(lambda key: lock(key, b"p\0q", cost=CHEAP), id="password with NUL"),
        pytest.param(lambda key: lock(key, None, comment="a\nb"), id="key comment with a line break"),
    ],
)
def test_what_minisign_could_not_read_back_is_refused(make: Callable[[SecretKey], bytes]) -> None:
    with generate() as key, pytest.raises(UsageError):
        make(key)


@THOUSAND
@given(
    st.binary(max_size=64),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")) | st.just("\t"), max_size=60),
)
def test_whatever_is_signed_is_verified(payload: bytes, comment: str) -> None:
    key = unlocked("keys/plain.key", None)
    made = sign_digest(key, digest(payload), comment)
    verifier = MinisignVerifier(key.public_key.base64, made, Expected(None))
    assert verifier.judge(downloaded(payload)).trusted_comment == comment
    assert sign_digest(key, digest(payload), comment) == made


@needs_minisign
@pytest.mark.parametrize(
    "comment",
    [
        pytest.param("", id="empty"),
        pytest.param("t" * 4077, id="longest"),
        pytest.param("  padded\t", id="padded"),
        pytest.param("héllo 世界 🔏", id="Unicode"),
        pytest.param(trusted_comment_for(Expected("p.tgz", "app", "1.0.0"), timestamp=1), id="default"),
    ],
)
def test_minisign_verifies_what_is_signed_with_a_new_key(comment: str, tmp_path: Path) -> None:
    payload, signature, public = tmp_path / "p.tgz", tmp_path / "p.sig", tmp_path / "k.pub"
    payload.write_bytes(os.urandom(1000))
    with generate() as key:
        public.write_text(serialize_public_key(key.public_key), newline="\n")
        signature.write_bytes(sign_digest(key, digest(payload.read_bytes()), comment, "u" * 1003))
        arguments = ("-V", "-H", "-Q", "-m", payload, "-x", signature)
        for flag, value in (("-p", public), ("-P", key.public_key.base64)):
            done = minisign(*arguments, flag, value)
            assert (done.returncode, done.stdout) == (0, f"{comment}\n"), done.stderr


@needs_minisign
@pytest.mark.parametrize("password", [None, "", "pässword 🔑", "p" * 1022])
def test_minisign_signs_the_same_bytes_with_a_new_key(password: str | None, tmp_path: Path) -> None:
    payload, signature, secret = tmp_path / "p", tmp_path / "p.sig", tmp_path / "k.key"
    payload.write_bytes(b"payload")
    with generate() as key:
        secret.write_bytes(lock(key, None if password is None else password.encode(), cost=CHEAP))
        done = minisign(
            "-S", "-s", secret, "-m", payload, "-x", signature, "-t", "comment", typed=f"{password or ''}\n"
        )
        assert done.returncode == 0, done.stderr
        assert signature.read_bytes() == sign_digest(key, digest(b"payload"), "comment")


@needs_minisign
def test_minisign_derives_the_same_public_key_and_removes_the_password(tmp_path: Path) -> None:
    secret, public = tmp_path / "k.key", tmp_path / "k.pub"
    with generate() as key:
        secret.write_bytes(lock(key, b"pw", cost=CHEAP))
        assert minisign("-R", "-s", secret, "-p", public, typed="pw\n").returncode == 0
        assert parse_public_key(public.read_text()) == key.public_key
        assert minisign("-C", "-W", "-s", secret, typed="pw\n").returncode == 0
        assert not is_protected(secret.read_bytes())
        assert unlock(secret.read_bytes(), None).seed == key.seed


@needs_minisign
def test_a_key_that_minisign_makes_without_password_is_read(tmp_path: Path) -> None:
    secret, public = tmp_path / "k.key", tmp_path / "k.pub"
    assert minisign("-G", "-W", "-s", secret, "-p", public).returncode == 0
    assert unlock(secret.read_bytes(), None).public_key == parse_public_key(public.read_text())
