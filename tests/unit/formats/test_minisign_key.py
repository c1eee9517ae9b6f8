"""Public key texts and secret key files: what is read, what is refused, and by which error."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import BadPublicKey, BadSecretKey
from binstall.formats.minisign_key import (
    KDF_NONE,
    parse_public_key,
    parse_secret_key,
    serialize_public_key,
    serialize_secret_key,
    strict_base64,
)
from binstall.limits import MAX_METADATA_STRING_CHARACTERS, MAX_SECRET_KEY_BYTES
from signature_vectors import FOLDER, minisign, needs_minisign, read, vector, vectors

THOUSAND = settings(max_examples=1000, deadline=None)
KEY = vector("pk-bare")["public_key"]
SECRET = read("keys/plain.key")


@pytest.mark.parametrize("case", vectors("minisign-public-key"))
def test_every_public_key_vector_gets_its_verdict(case: dict[str, Any]) -> None:
    if case["verdict"] == "accept":
        key = parse_public_key(case["public_key"])
        assert key.shown_id == case["key_id"]
        assert key.base64 in case["public_key"]
    else:
        with pytest.raises(BadPublicKey) as caught:
            parse_public_key(case["public_key"])
        assert caught.value.reason == case["reason"]


@pytest.mark.parametrize("name", ["plain", "other", "password"])
def test_a_pub_file_of_minisign_is_written_back_byte_for_byte(name: str) -> None:
    text = read(f"keys/{name}.pub").decode()
    assert serialize_public_key(parse_public_key(text)) == text


@needs_minisign
def test_minisign_reads_the_pub_file_that_is_written(tmp_path: Path) -> None:
    public = tmp_path / "k.pub"
    public.write_text(serialize_public_key(parse_public_key(KEY), "another comment"), newline="\n")
    case = vector("ok-basic")
    assert (
        minisign(
            "-V", "-p", public, "-m", FOLDER / case["file"], "-x", FOLDER / case["signature"]
        ).returncode
        == 0
    )


def test_a_text_beyond_the_bound_is_refused_in_words_that_name_it() -> None:
    blanks = " " * MAX_METADATA_STRING_CHARACTERS
    with pytest.raises(BadPublicKey, match="MAX_METADATA_STRING_CHARACTERS"):
        parse_public_key(KEY + blanks)
    with pytest.raises(BadSecretKey, match="MAX_SECRET_KEY_BYTES"):
        parse_secret_key(SECRET + b"\n" * MAX_SECRET_KEY_BYTES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(SECRET.decode(), "this is a secret key", id="secret key"),
        pytest.param("untrusted comment: x", "no key", id="comment alone"),
        pytest.param("", "empty", id="nothing"),
        pytest.param(f"{KEY}\n{KEY}", "does not start with", id="two keys"),
        pytest.param("RWQ", "3 characters", id="too short"),
    ],
)
def test_the_error_says_what_stands_in_the_keys_place(text: str, message: str) -> None:
    with pytest.raises(BadPublicKey, match=message):
        parse_public_key(text)


EDITS = st.lists(
    st.tuples(
        st.integers(0, 400),
        st.integers(0, 3),
        st.characters(codec="utf-8") | st.sampled_from("=\r\n\t A/+"),
    ),
    min_size=1,
    max_size=4,
)


def edited(text: str, edits: list[tuple[int, int, str]]) -> str:
    """Replace some characters, at each place, by another one."""
    for at, size, by in edits:
        place = at % (len(text) + 1)
        text = text[:place] + by + text[place + size :]
    return text


@THOUSAND
@given(
    EDITS, st.sampled_from([KEY, f"untrusted comment: x\n{KEY}\n", f"\r\nuntrusted comment:\r\n{KEY}\r\n"])
)
def test_an_edited_public_key_is_a_key_of_one_encoding_or_the_one_error(
    edits: list[tuple[int, int, str]], text: str
) -> None:
    changed = edited(text, edits)
    try:
        key = parse_public_key(changed)
    except BadPublicKey as error:
        assert error.reason == "public-key"
    else:
        assert changed.strip(" \t\r\n").endswith(key.base64)


@THOUSAND
@given(st.text())
def test_random_text_is_no_public_key(text: str) -> None:
    with pytest.raises(BadPublicKey):
        parse_public_key(text)


@THOUSAND
@given(st.binary(min_size=42, max_size=42))
def test_42_random_bytes_are_a_public_key_or_the_one_error(raw: bytes) -> None:
    text = base64.b64encode(b"Ed" + raw[2:]).decode()
    try:
        key = parse_public_key(text)
    except BadPublicKey:
        return
    assert (key.key_id, key.ed25519, key.base64) == (raw[2:10], raw[10:], text)


SECRET_REASONS = {"too-long", "encoding", "algorithm", "kdf", "checksum-algorithm", "work-factor"}


@THOUSAND
@given(EDITS, st.sampled_from(["keys/plain.key", "keys/rsign-password.key", "secret-keys/crlf.key"]))
def test_an_edited_secret_key_is_fields_or_the_one_error(
    edits: list[tuple[int, int, str]], name: str
) -> None:
    try:
        fields = parse_secret_key(edited(read(name).decode(), edits).encode("utf-8", "surrogatepass"))
    except BadSecretKey as error:
        assert error.reason in SECRET_REASONS
    else:
        assert len(fields.body) == 104


@THOUSAND
@given(st.binary())
def test_random_bytes_are_no_secret_key(data: bytes) -> None:
    with pytest.raises(BadSecretKey):
        parse_secret_key(data)


@THOUSAND
@given(
    st.binary(min_size=152, max_size=152), st.sampled_from([b"Ed\0\0B2", b"EdScB2", b"EdXXB2", b"EDScB2"])
)
def test_158_bytes_are_fields_or_the_one_error(raw: bytes, head: bytes) -> None:
    text = b"untrusted comment: x\n" + base64.b64encode(head + raw) + b"\n"
    try:
        fields = parse_secret_key(text)
    except BadSecretKey as error:
        assert error.reason in SECRET_REASONS
    else:
        assert serialize_secret_key(fields, "x") == text


def test_a_secret_key_never_shows_in_its_own_repr() -> None:
    fields = parse_secret_key(SECRET)
    assert fields.kdf == KDF_NONE
    assert "body" not in repr(fields)


def test_no_error_about_a_secret_key_carries_the_key() -> None:
    for data in (
        SECRET[:-5],
        b"\xff" + SECRET,
        SECRET.replace(b"\n", b"\n\n", 1),
        SECRET.replace(b"RW", b"RU"),
    ):
        with pytest.raises(BadSecretKey) as caught:
            parse_secret_key(data)
        error: BaseException | None = caught.value
        while error is not None:
            assert SECRET[60:100].decode() not in repr(error.args)
            error = error.__cause__ or error.__context__


@pytest.mark.parametrize(
    "text",
    ["QUI=", "QUI", "QUJ=", "QUI==", "QU=I", " QUI=", "QUI=\n", "QU I", "ＱUI=", "QUI\x00", "===="],
)
def test_base64_has_one_spelling(text: str) -> None:
    assert (strict_base64(text, 2) is not None) is (text == "QUI=")


@needs_minisign
def test_minisign_prints_the_same_key_id(tmp_path: Path) -> None:
    key, public = tmp_path / "k.key", tmp_path / "k.pub"
    made: subprocess.CompletedProcess[str] = minisign("-G", "-W", "-s", key, "-p", public)
    assert made.returncode == 0
    shown = public.read_text().splitlines()[0].rsplit(" ", 1)[1]
    assert parse_public_key(public.read_text()).shown_id == shown.zfill(16)
