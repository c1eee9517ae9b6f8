"""The outside of age files: what is read of them before anything is decrypted."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import AgeError
from binstall.formats.age_file import AgeHeader, is_age_file, parse_age_header, without_armor
from binstall.limits import (
    MAX_AGE_FILE_BYTES,
    MAX_AGE_HEADER_BYTES,
    MAX_AGE_SCRYPT_LOG_N,
    MAX_AGE_STANZAS,
)
from support_keys import age_vectors, read

THOUSAND = settings(max_examples=1000, deadline=None)
PLAIN, ARMORED = read("x25519.age"), read("x25519-armored.age")
SALT, MAC, PAYLOAD = b"A" * 22, b"M" * 43, bytes(32)
BEGIN, END = b"-----BEGIN AGE ENCRYPTED FILE-----\n", b"-----END AGE ENCRYPTED FILE-----\n"


def age_file(*stanzas: bytes, mac: bytes = MAC, payload: bytes = PAYLOAD) -> bytes:
    return b"age-encryption.org/v1\n" + b"".join(stanzas) + b"--- " + mac + b"\n" + payload


def scrypt(log_n: bytes, salt: bytes = SALT) -> bytes:
    return b"-> scrypt " + salt + b" " + log_n + b"\n" + b"B" * 43 + b"\n"


def x25519() -> bytes:
    return b"-> X25519 " + b"S" * 43 + b"\n" + b"B" * 43 + b"\n"


def armored(binary: bytes, columns: int = 64) -> bytes:
    text = base64.b64encode(binary)
    lines = [text[at : at + columns] for at in range(0, len(text), columns)]
    return BEGIN + b"\n".join(lines) + b"\n" + END


@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("x25519.age", ["X25519"]),
        ("x25519-armored.age", ["X25519"]),
        ("x25519-armored-crlf.age", ["X25519"]),
        ("two-recipients.age", ["X25519", "X25519"]),
        ("ssh-ed25519.age", ["ssh-ed25519"]),
        ("ssh-rsa.age", ["ssh-rsa"]),
        ("passphrase.age", ["scrypt"]),
    ],
)
def test_the_stanzas_of_real_files_are_read(name: str, types: list[str]) -> None:
    assert is_age_file(read(name))
    header = parse_age_header(without_armor(read(name)))
    assert [known for known in header.stanza_types if not known.endswith("grease")] == types
    assert (header.scrypt_log_n is not None) is (types == ["scrypt"])


@pytest.mark.parametrize("case", age_vectors())
def test_no_accepted_vector_is_refused_by_its_outside(case: dict[str, Any]) -> None:
    try:
        parse_age_header(without_armor(read(case["file"])))
    except AgeError:
        assert case["verdict"] == "reject"


def test_armor_is_the_same_file_whatever_its_line_ends() -> None:
    crlf = ARMORED.replace(b"\n", b"\r\n")
    assert without_armor(ARMORED) == without_armor(crlf) == without_armor(b" \r\n" + ARMORED + b"\n \n")
    assert armored(without_armor(ARMORED)) == ARMORED
    assert without_armor(PLAIN) == PLAIN


@pytest.mark.parametrize("size", [1, 2, 3, 47, 48, 49, 95, 96, 97])
def test_armor_of_any_length_is_taken_off(size: int) -> None:
    assert without_armor(armored(b"x" * size)) == b"x" * size


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(ARMORED + b"text", id="text after it"),
        pytest.param(ARMORED + ARMORED, id="twice"),
        pytest.param(armored(PLAIN, 60), id="60 columns"),
        pytest.param(armored(PLAIN, 76), id="76 columns"),
        pytest.param(ARMORED.replace(b"\n", b"\r"), id="CR alone"),
        pytest.param(ARMORED.replace(b"-----END", b"\n-----END"), id="blank line"),
        pytest.param(
            ARMORED.replace(b"-----BEGIN AGE ENCRYPTED FILE-----", b"-----BEGIN AGE ENCRYPTED FILE----- "),
            id="mark with a blank",
        ),
        pytest.param(BEGIN + END, id="nothing in it"),
        pytest.param(BEGIN, id="no end"),
        pytest.param(BEGIN + b"YQ\n" + END, id="no padding"),
        pytest.param(BEGIN + b"YR==\n" + END, id="stray bits"),
        pytest.param(BEGIN + b"YQ==YQ==\n" + END, id="padding inside"),
        pytest.param(BEGIN + b"Y Q=\n" + END, id="blank inside"),
        pytest.param(BEGIN + b"-_-_\n" + END, id="url-safe alphabet"),
    ],
)
def test_armor_that_could_be_read_in_two_ways_is_refused(data: bytes) -> None:
    with pytest.raises(AgeError) as caught:
        without_armor(data)
    assert caught.value.reason == "armor"


def test_a_header_says_who_may_open_the_file() -> None:
    assert parse_age_header(age_file(x25519(), b"-> x?-grease a b c\n\n")) == AgeHeader(
        ("X25519", "x?-grease"), None
    )
    full = b"-> long\n" + b"L" * 64 + b"\n\n"
    assert parse_age_header(age_file(full, x25519())).stanza_types == ("long", "X25519")
    assert parse_age_header(age_file(scrypt(b"18"))) == AgeHeader(("scrypt",), 18)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "not-age", id="empty"),
        pytest.param(b"untrusted comment: x\n", "not-age", id="another file"),
        pytest.param(age_file(x25519()).replace(b"/v1", b"/v2"), "version", id="v2"),
        pytest.param(age_file(x25519()).replace(b"/v1\n", b"/v1\r\n"), "version", id="CRLF"),
        pytest.param(age_file(), "header", id="no stanza"),
        pytest.param(age_file(b"-> \n\n"), "header", id="no type"),
        pytest.param(age_file(b"-> a  b\n\n"), "header", id="two blanks"),
        pytest.param(age_file(b"-> a\x7f\n\n"), "header", id="control character"),
        pytest.param(age_file(b"-> a\n" + b"B" * 64 + b"\n"), "header", id="no last line"),
        pytest.param(age_file(b"-> a\n" + b"B" * 65 + b"\n"), "header", id="65 columns"),
        pytest.param(age_file(b"-> a\nYQ==\n"), "header", id="padded body"),
        pytest.param(age_file(x25519(), mac=b"M" * 42), "header", id="short MAC"),
        pytest.param(age_file(x25519(), mac=b"M" * 44), "header", id="long MAC"),
        pytest.param(b"age-encryption.org/v1\n" + x25519(), "header", id="no MAC"),
        pytest.param(age_file(x25519(), payload=PAYLOAD[:-1]), "truncated", id="no payload"),
        pytest.param(age_file(scrypt(b"18"), x25519()), "header", id="scrypt not alone"),
        pytest.param(age_file(scrypt(b"18"), scrypt(b"18")), "header", id="scrypt twice"),
        pytest.param(age_file(scrypt(b"018")), "header", id="leading zero"),
        pytest.param(age_file(scrypt(b"0")), "header", id="no work"),
        pytest.param(age_file(scrypt(b"-1")), "header", id="negative work"),
        pytest.param(age_file(scrypt(b"18", SALT[1:])), "header", id="short salt"),
        pytest.param(age_file(scrypt(b"22")), "work-factor", id="2^22"),
        pytest.param(age_file(scrypt(b"63")), "work-factor", id="2^63"),
        pytest.param(age_file(scrypt(b"255")), "work-factor", id="2^255"),
    ],
)
def test_a_header_is_refused_for_its_fault(data: bytes, reason: str) -> None:
    with pytest.raises(AgeError) as caught:
        parse_age_header(data)
    assert caught.value.reason == reason


def test_the_bounds_are_met_and_not_passed() -> None:
    assert len(parse_age_header(age_file(*[x25519()] * MAX_AGE_STANZAS)).stanza_types) == MAX_AGE_STANZAS
    most = str(MAX_AGE_SCRYPT_LOG_N).encode()
    assert parse_age_header(age_file(scrypt(most))).scrypt_log_n == MAX_AGE_SCRYPT_LOG_N
    for data, reason in (
        (age_file(*[x25519()] * (MAX_AGE_STANZAS + 1)), "too-many"),
        (age_file(b"-> a " + b"b" * MAX_AGE_HEADER_BYTES + b"\n\n"), "header"),
        (age_file(x25519(), payload=bytes(MAX_AGE_FILE_BYTES)), "too-long"),
    ):
        with pytest.raises(AgeError) as caught:
            parse_age_header(without_armor(data))
        assert caught.value.reason == reason


@THOUSAND
@given(
    st.sampled_from(
        [PLAIN, ARMORED, read("passphrase.age"), age_file(scrypt(b"18")), armored(age_file(x25519()))]
    ),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 9), st.binary(max_size=4)), max_size=4),
)
def test_an_edited_file_is_read_or_the_one_error(data: bytes, edits: list[tuple[int, int, bytes]]) -> None:
    for at, size, by in edits:
        place = at % (len(data) + 1)
        data = data[:place] + by + data[place + size :]
    is_age_file(data)
    try:
        header = parse_age_header(without_armor(data))
    except AgeError as error:
        assert error.reason
    else:
        assert header.stanza_types
        assert header.scrypt_log_n is None or 1 <= header.scrypt_log_n <= MAX_AGE_SCRYPT_LOG_N


@THOUSAND
@given(st.binary(max_size=300), st.sampled_from([b"", b"age-encryption.org/v1\n", BEGIN]))
def test_random_bytes_are_the_one_error(data: bytes, start: bytes) -> None:
    with pytest.raises(AgeError) as caught:
        parse_age_header(without_armor(start + data))
    assert caught.value.reason


@THOUSAND
@given(st.binary(min_size=1, max_size=300))
def test_armor_gives_back_what_was_put_into_it(data: bytes) -> None:
    assert without_armor(armored(data)) == data
