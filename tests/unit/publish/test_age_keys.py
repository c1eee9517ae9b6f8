"""Recipients and identities as publishers paste them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import signature_vectors
from binstall.errors import AgeError, BinstallError, LocalIOError
from binstall.formats.minisign_key import serialize_public_key
from binstall.limits import MAX_AGE_KEYS, MAX_AGE_KEYS_BYTES
from binstall.publish.age import decrypt, encrypt, generate_identity
from binstall.publish.age_keys import parse_identities, parse_recipients, recipients_of
from binstall.signing.minisign_keys import generate
from support_keys import needs_pyrage, read, secret

pytestmark = needs_pyrage
THOUSAND = settings(max_examples=1000, deadline=None)
IDENTITY = read("keys/age-identity.txt")
RECIPIENT = IDENTITY.split(b"public key: ")[1].split(b"\n")[0].decode()
LINE = IDENTITY.split(b"\n")[2]
SSH = read("keys/ssh-ed25519.pub").decode()
MINISIGN_PUBLIC = serialize_public_key(generate().public_key).encode()


def test_an_identity_file_is_read_with_its_comments_blanks_and_line_ends() -> None:
    for text in (IDENTITY, LINE, b"\r\n# x\r\n\r\n  " + LINE + b" \r\n", IDENTITY.replace(b"\n", b"\r\n")):
        assert recipients_of(parse_identities(secret(text), "it")) == [RECIPIENT]
    other = generate_identity()
    both = secret(LINE + b"\n" + bytes(other.text.data))
    assert recipients_of(parse_identities(both, "it")) == [RECIPIENT, other.recipient]


def test_a_generated_identity_is_another_one_each_time_and_not_shown() -> None:
    one, other = generate_identity(), generate_identity()
    assert one.recipient != other.recipient
    assert len(one.text) == 74 and "AGE-SECRET" not in repr(one)
    assert recipients_of(parse_identities(one.text, "it")) == [one.recipient]


@pytest.mark.parametrize(
    ("text", "reason", "told"),
    [
        pytest.param(b"", "kind", "no key of any known kind", id="empty"),
        pytest.param(b"# nothing\n", "kind", "no key", id="comments alone"),
        pytest.param(RECIPIENT.encode(), "kind", "-r takes an age recipient", id="a recipient"),
        pytest.param(SSH.encode(), "kind", "-r takes an ssh public key", id="an ssh public key"),
        pytest.param(read("x25519.age"), "encrypted", "binstall key decrypt", id="encrypted"),
        pytest.param(
            signature_vectors.read("keys/plain.key"), "kind", "-s takes a secret key", id="minisign key"
        ),
        pytest.param(LINE[:-1], "identity", "line 1 is no age identity", id="cut off"),
        pytest.param(LINE[:-1] + b"Q", "identity", "line 1", id="mistyped"),
        pytest.param(IDENTITY + b"more\n", "identity", "line 4", id="text after it"),
        pytest.param(b"AGE-PLUGIN-YUBIKEY-1QQQQ\n", "plugin", "never run", id="a plugin's"),
        pytest.param(LINE + b"\nage-plugin-se-1qqqq\n", "plugin", "never run", id="a plugin's second"),
        pytest.param(
            read("keys/ssh-ed25519.key")[:100], "identity", "cannot be used", id="ssh key cut off"
        ),
        pytest.param(LINE + b"\n" * MAX_AGE_KEYS_BYTES, "too-long", "MAX_AGE_KEYS_BYTES", id="too long"),
        pytest.param((LINE + b"\n") * (MAX_AGE_KEYS + 1), "too-many", "MAX_AGE_KEYS", id="too many"),
    ],
)
def test_what_is_no_identity_is_refused_and_not_shown(text: bytes, reason: str, told: str) -> None:
    with pytest.raises(AgeError) as caught:
        parse_identities(secret(text), "id.txt")
    assert caught.value.reason == reason
    shown = f"{caught.value} {caught.value.hint}"
    assert told in shown
    assert LINE[20:40].decode() not in shown


@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        ("ed25519", ["-N", "password"], "encrypted"),
        ("rsa", ["-N", "password", "-b", "2048"], "encrypted"),
        ("rsa", ["-N", "password", "-b", "2048", "-m", "PEM"], "encrypted"),
        ("ecdsa", ["-N", ""], "identity"),
        ("ed25519", ["-N", ""], None),
        ("rsa", ["-N", "", "-b", "2048", "-m", "PEM"], None),
    ],
)
def test_ssh_keys_are_used_where_age_can(
    kind: str, options: list[str], reason: str | None, tmp_path: Path
) -> None:
    try:
        subprocess.run(["ssh-keygen", "-q", "-t", kind, *options, "-f", tmp_path / "key"], check=True)
    except FileNotFoundError:
        pytest.skip("ssh-keygen is not on PATH")
    text = secret((tmp_path / "key").read_bytes())
    if reason is None:
        known = parse_identities(text, "the key")
        data = encrypt(secret(b"x"), parse_recipients([str(tmp_path / "key.pub")]))
        assert decrypt(data, known).data == b"x"
        assert recipients_of(known) == []
    else:
        with pytest.raises(AgeError) as caught:
            parse_identities(text, "the key")
        assert caught.value.reason == reason


def test_recipients_come_as_text_and_in_files(tmp_path: Path) -> None:
    (tmp_path / "team").write_text(f"# the team\n\n{RECIPIENT}\r\n{SSH}\n")
    assert len(parse_recipients([RECIPIENT, SSH, f" {RECIPIENT}\n".strip()])) == 3
    assert len(parse_recipients([str(tmp_path / "team"), RECIPIENT])) == 3
    data = encrypt(secret(b"x"), parse_recipients([str(tmp_path / "team")]))
    assert decrypt(data, parse_identities(secret(read("keys/ssh-ed25519.key")), "it")).data == b"x"


@pytest.mark.parametrize(
    ("word", "reason", "told"),
    [
        pytest.param(LINE.decode(), "kind", "-r takes its public half", id="an identity"),
        pytest.param("AGE-PLUGIN-YUBIKEY-1QQ", "kind", "secret age identity", id="a plugin identity"),
        pytest.param(
            RECIPIENT[:-1] + ("q" if RECIPIENT[-1] != "q" else "p"), "recipient", "mistyped", id="mistyped"
        ),
        pytest.param(RECIPIENT[:-1], "recipient", "58 letters", id="cut off"),
        pytest.param("age1" + RECIPIENT[4:].upper(), "recipient", "lower case", id="upper case"),
        pytest.param("age1yubikey1q0000000", "plugin", "'yubikey'", id="a plugin's"),
        pytest.param("age1pq1" + "q" * 60, "plugin", "'pq'", id="a newer kind"),
        pytest.param(
            read("keys/ssh-ecdsa.pub").decode(), "recipient", "ssh-ed25519 and ssh-rsa", id="ecdsa"
        ),
        pytest.param(read("keys/ssh-dsa.pub").decode(), "recipient", "ssh-dss", id="dsa"),
        pytest.param(read("keys/ssh-rsa1024.pub").decode(), "recipient", "2048 bits", id="rsa 1024"),
        pytest.param("ssh-ed25519 AAAA", "recipient", "no ssh public key", id="broken ssh key"),
        pytest.param("ssh-ed25519", "recipient", "type", id="bare ssh type"),
    ],
)
def test_what_is_no_recipient_is_refused(word: str, reason: str, told: str) -> None:
    with pytest.raises(AgeError) as caught:
        parse_recipients([word])
    assert caught.value.reason == reason
    assert told in f"{caught.value} {caught.value.hint}"
    assert LINE[20:40].decode() not in f"{caught.value}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(b"", "recipient", id="empty"),
        pytest.param(IDENTITY, "kind", id="identities"),
        pytest.param(MINISIGN_PUBLIC, "kind", id="a minisign key behind its comment"),
        pytest.param(read("x25519.age"), "encrypted", id="encrypted"),
        pytest.param(b"age1yubikey1qq\n", "plugin", id="plugin"),
        pytest.param(b"a" * (MAX_AGE_KEYS_BYTES + 1), None, id="too long"),
        pytest.param((RECIPIENT.encode() + b"\n") * (MAX_AGE_KEYS + 1), "too-many", id="too many"),
    ],
)
def test_a_file_of_something_else_is_refused(text: bytes, reason: str | None, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(text)
    with pytest.raises((AgeError, LocalIOError)) as caught:
        parse_recipients([str(tmp_path / "file")])
    assert getattr(caught.value, "reason", None) == reason
    if text == MINISIGN_PUBLIC:
        assert "a minisign public key" in caught.value.message and "-P" in (caught.value.hint or "")


def test_a_missing_file_says_how_a_recipient_looks(tmp_path: Path) -> None:
    with pytest.raises(LocalIOError) as caught:
        parse_recipients([str(tmp_path / "nobody")])
    assert "begins with age1 or ssh-" in (caught.value.hint or "")
    with pytest.raises(AgeError, match="no recipient"):
        parse_recipients([])


EDITS = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 3), st.binary(max_size=3)), max_size=3)


@THOUSAND
@given(st.sampled_from([IDENTITY, LINE, read("keys/ssh-ed25519.key"), read("keys/ssh-rsa.key")]), EDITS)
def test_an_edited_identity_is_one_or_the_one_error(
    data: bytes, edits: list[tuple[int, int, bytes]]
) -> None:
    for at, size, by in edits:
        place = at % (len(data) + 1)
        data = data[:place] + by + data[place + size :]
    try:
        assert parse_identities(secret(data), "it")
    except AgeError as error:
        assert error.reason


@THOUSAND
@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"AGE-SECRET-KEY-1", b"-----BEGIN OPENSSH PRIVATE KEY-----\n"]),
)
def test_random_bytes_are_no_identity(data: bytes, start: bytes) -> None:
    with pytest.raises(AgeError):
        parse_identities(secret(start + data), "it")


@THOUSAND
@given(
    st.sampled_from([RECIPIENT, SSH, read("keys/ssh-rsa.pub").decode()]),
    st.integers(0, 700),
    st.text(max_size=3),
)
def test_an_edited_recipient_is_one_or_an_error(word: str, at: int, by: str) -> None:
    place = at % len(word)
    try:
        assert parse_recipients([(word[:place] + by + word[place + 1 :]).replace("\0", "")])
    except BinstallError:
        return


@THOUSAND
@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=80),
    st.sampled_from(["age1", "ssh-rsa ", "ssh-ed25519 "]),
)
def test_random_text_is_no_recipient(text: str, start: str) -> None:
    with pytest.raises(AgeError):
        parse_recipients([start + text])
