"""From wherever a secret key stands to the key pair, and what to do with what is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import signature_vectors
from binstall.errors import AgeError, BadSecretKey, LocalIOError, UsageError, WrongPassword
from binstall.formats.minisign_key import serialize_public_key
from binstall.limits import MAX_AGE_FILE_BYTES
from binstall.publish.age import encrypt, encrypt_with_passphrase, generate_identity
from binstall.publish.age_keys import parse_recipients
from binstall.publish.key_files import KeySource, StoredText, load_key_pair
from binstall.publish.passwords import Passwords
from binstall.signing.minisign_keys import generate, lock
from support_keys import CHEAP, needs_pyrage, posix_only, read, secret

PLAIN = signature_vectors.read("keys/plain.key")


def in_memory(data: bytes, name: str = "the key") -> StoredText:
    return StoredText(name, None, secret(data))


def source(data: bytes, password: str | None = None, identities: tuple[bytes, ...] = ()) -> KeySource:
    given = Passwords(variable=None if password is None else secret(password))
    stored = [in_memory(text, f"identity {at}") for at, text in enumerate(identities, 1)]
    return KeySource(in_memory(data), given, stored)


@pytest.mark.parametrize("password", [None, "", "pw", "pässword"])
def test_a_key_is_loaded_whatever_its_password(password: str | None) -> None:
    with generate() as key:
        data = lock(key, None if password is None else password.encode(), cost=CHEAP)
        given = None if password is None else password + "\n"
        with load_key_pair(source(data, given)) as loaded:
            assert loaded.public_key == key.public_key
            assert loaded.seed == key.seed
        assert not any(loaded.seed)


def test_a_wrong_password_is_told_and_none_is_asked_for() -> None:
    with generate() as key:
        data = lock(key, b"pw", cost=CHEAP)
    with pytest.raises(WrongPassword, match="does not open"):
        load_key_pair(source(data, "PW"))
    with pytest.raises(UsageError, match="no terminal to ask on"):
        load_key_pair(source(data))


def test_what_was_read_is_wiped(tmp_path: Path) -> None:
    with generate() as key:
        held = source(lock(key, b"pw", cost=CHEAP), "pw")
        assert held.key.content is not None
        load_key_pair(held).wipe()
        assert not any(held.key.content.data)


@needs_pyrage
@pytest.mark.parametrize("armored", [False, True], ids=["binary", "armoured"])
@pytest.mark.parametrize("password", [None, "pw"], ids=["plain", "with a password too"])
def test_a_key_encrypted_with_age_is_loaded(armored: bool, password: str | None) -> None:
    identity = generate_identity()
    with generate() as key:
        inner = lock(key, None if password is None else password.encode(), cost=CHEAP)
        words = [identity.recipient, read("keys/ssh-ed25519.pub").decode()]
        data = encrypt(secret(inner), parse_recipients(words), armored=armored)
        text, ssh, other = (
            bytes(identity.text.data),
            read("keys/ssh-ed25519.key"),
            read("keys/age-identity.txt"),
        )
        for identities in ((text,), (ssh,), (other, text), (other, ssh)):
            with load_key_pair(source(data, password, identities)) as loaded:
                assert loaded.public_key == key.public_key
        with pytest.raises(AgeError, match="does not open"):
            load_key_pair(source(data, password, (other,)))
        with pytest.raises(AgeError, match="no identity was given") as caught:
            load_key_pair(source(data, password))
        assert "BINSTALL_AGE_IDENTITY" in (caught.value.hint or "")


@needs_pyrage
def test_a_key_encrypted_with_a_passphrase_is_loaded() -> None:
    with generate() as key:
        data = encrypt_with_passphrase(secret(lock(key, None)), secret("pw"))
        with load_key_pair(source(data, "pw")) as loaded:
            assert loaded.public_key == key.public_key
        with pytest.raises(WrongPassword):
            load_key_pair(source(data, "PW"))


@needs_pyrage
@pytest.mark.parametrize(
    ("inner", "words"),
    [
        (signature_vectors.read("keys/plain.pub"), "a minisign public key where a secret key belongs"),
        (b"hello", "not two lines"),
        (b"", "not two lines"),
        (read("x25519.age"), "a file encrypted with age where a secret key belongs"),
    ],
    ids=["public key", "text", "nothing", "encrypted twice"],
)
def test_an_age_file_with_something_else_in_it_is_no_key(inner: bytes, words: str) -> None:
    identity = generate_identity()
    data = encrypt(secret(inner), parse_recipients([identity.recipient]))
    with pytest.raises(BadSecretKey, match=words):
        load_key_pair(source(data, None, (bytes(identity.text.data),)))


@pytest.mark.parametrize(
    ("data", "words", "option"),
    [
        pytest.param(
            serialize_public_key(generate().public_key).encode(), "minisign public key", "-p", id="public"
        ),
        pytest.param(generate().public_key.base64.encode(), "minisign public key", "-P", id="bare public"),
        pytest.param(
            signature_vectors.read("sign/basic.minisig"), "minisign signature", "-x", id="signature"
        ),
        pytest.param(read("keys/age-identity.txt"), "age identity", "-i", id="identity"),
        pytest.param(read("keys/ssh-rsa.key"), "ssh private key", "-i", id="ssh"),
        pytest.param(read("keys/ssh-rsa.pub"), "ssh public key", "-r", id="ssh public"),
        pytest.param(b"age1qqqq\n", "age recipient", "-r", id="recipient"),
    ],
)
def test_another_kind_of_key_gets_its_own_option_named(data: bytes, words: str, option: str) -> None:
    with pytest.raises(BadSecretKey, match=words) as caught:
        load_key_pair(source(data))
    assert option in (caught.value.hint or "")
    assert caught.value.reason == "kind"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(PLAIN[:200], id="truncated"),
        pytest.param(PLAIN[:-2], id="truncated by a character"),
        pytest.param(PLAIN.splitlines()[0], id="the comment alone"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\0" * 100, id="zeros"),
        pytest.param(
            signature_vectors.read("secret-keys/scrypt-opslimit-huge.key"), id="hostile work factor"
        ),
        pytest.param(signature_vectors.read("secret-keys/signify-secret.key"), id="signify"),
    ],
)
def test_a_damaged_key_is_refused_at_once(data: bytes) -> None:
    with pytest.raises(BadSecretKey) as caught:
        load_key_pair(source(data, "pw"))
    assert caught.value.reason in {"encoding", "work-factor", "checksum"}
    assert "the key" in caught.value.message


@needs_pyrage
def test_an_empty_identity_is_told_where_it_is_needed_and_only_there() -> None:
    load_key_pair(source(PLAIN, identities=(b"",))).wipe()
    recipients = parse_recipients([generate_identity().recipient])
    with pytest.raises(UsageError, match="identity 1 is empty"):
        load_key_pair(source(encrypt(secret(PLAIN), recipients), identities=(b"",)))


@pytest.mark.parametrize("case", signature_vectors.vectors("minisign-secret-key"))
def test_every_secret_key_vector_gets_its_verdict_here_too(case: dict[str, Any]) -> None:
    if case["id"] == "sk-file-password":
        pytest.skip("takes a GiB, and is loaded in the tests of the signing room")
    held = source(
        signature_vectors.read(case["secret_key"]),
        None if case["password"] is None else case["password"] + "\n",
    )
    if case["verdict"] == "accept":
        assert load_key_pair(held).public_key.base64 == case["public_key"]
    else:
        with pytest.raises(BadSecretKey):
            load_key_pair(held)


@posix_only
def test_an_open_key_file_is_loaded_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    path.write_bytes(PLAIN)
    warnings: list[str] = []
    for mode in (0o600, 0o644):
        path.chmod(mode)
        load_key_pair(KeySource(StoredText(str(path), path), Passwords()), warnings.append).wipe()
    assert len(warnings) == 1 and "chmod 600" in warnings[0]


def test_an_identity_that_is_not_needed_is_told(tmp_path: Path) -> None:
    warnings: list[str] = []
    unused = StoredText("id.txt", tmp_path / "id.txt")
    load_key_pair(KeySource(in_memory(PLAIN), Passwords(), [unused]), warnings.append).wipe()
    assert "id.txt was not used" in warnings[0]


def test_a_key_that_is_not_there_or_far_too_long_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LocalIOError, match="cannot be read"):
        load_key_pair(KeySource(StoredText("x", tmp_path / "x"), Passwords()))
    with pytest.raises(LocalIOError, match="more than"):
        load_key_pair(source(b"x" * (MAX_AGE_FILE_BYTES + 1)))
