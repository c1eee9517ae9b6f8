"""Signature files: four strict lines or one error."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import BadSignature
from binstall.formats.minisig import (
    PREHASHED,
    Signature,
    has_control_characters,
    parse_signature,
    serialize_signature,
)
from binstall.limits import MAX_SIGNATURE_BYTES
from signature_vectors import read, vector

THOUSAND = settings(max_examples=1000, deadline=None)
MINISIG = read(vector("ok-basic")["signature"])
REASONS = {"too-long", "utf8", "encoding", "control-char", "trailing-data"}
COMMENT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")) | st.just("\t"), max_size=100
)
SIGNATURES = st.builds(
    Signature,
    algorithm=st.just(PREHASHED) | st.binary(min_size=2, max_size=2),
    key_id=st.binary(min_size=8, max_size=8),
    ed25519=st.binary(min_size=64, max_size=64),
    trusted_comment=COMMENT,
    global_ed25519=st.binary(min_size=64, max_size=64),
    untrusted_comment=COMMENT,
)


def test_a_signature_of_minisign_is_taken_apart_and_put_together_again() -> None:
    signature = parse_signature(MINISIG)
    assert signature.algorithm == PREHASHED
    assert signature.shown_id == "7CF31CC99A284872"
    assert signature.untrusted_comment == "signature from minisign secret key"
    assert signature.trusted_comment == "timestamp:1767225600\tfile:hello.txt\thashed"
    assert signature.covered_by_global[64:] == signature.trusted_comment.encode()
    assert serialize_signature(signature) == MINISIG


@THOUSAND
@given(SIGNATURES)
def test_what_is_written_is_read_back(signature: Signature) -> None:
    assert parse_signature(serialize_signature(signature)) == signature


@THOUSAND
@given(SIGNATURES, st.booleans(), st.integers(0, 3))
def test_crlf_and_blank_lines_at_the_end_change_nothing(
    signature: Signature, crlf: bool, blank: int
) -> None:
    data = serialize_signature(signature) + b"\n" * blank
    assert parse_signature(data.replace(b"\n", b"\r\n") if crlf else data) == signature


@THOUSAND
@given(
    st.lists(
        st.tuples(
            st.integers(0, 400),
            st.integers(0, 3),
            st.binary(max_size=2)
            | st.sampled_from([b"\n", b"\r", b"\r\n", b"\x1b", b"=", b" ", b"\0", b"\xc2\x85"]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_an_edited_signature_is_a_value_or_the_one_error(edits: list[tuple[int, int, bytes]]) -> None:
    data = MINISIG
    for at, size, by in edits:
        place = at % (len(data) + 1)
        data = data[:place] + by + data[place + size :]
    try:
        signature = parse_signature(data)
    except BadSignature as error:
        assert error.reason in REASONS
    else:
        text = serialize_signature(signature).rstrip(b"\n")
        assert data.replace(b"\r\n", b"\n").rstrip(b"\n") == text
        assert not has_control_characters(signature.untrusted_comment + signature.trusted_comment)


@THOUSAND
@given(
    st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_random_bytes_are_the_one_error(data: bytes) -> None:
    with pytest.raises(BadSignature) as caught:
        parse_signature(data)
    assert caught.value.reason in REASONS


def padded(prefix: bytes, size: int) -> bytes:
    """Return a comment line of `size` bytes with its LF."""
    return prefix + b"x" * (size - len(prefix) - 1) + b"\n"


@pytest.mark.parametrize(
    ("line", "prefix", "limit"),
    [
        pytest.param(0, b"untrusted comment: ", 1023, id="untrusted"),
        pytest.param(2, b"trusted comment: ", 8191, id="trusted"),
    ],
)
def test_a_comment_line_may_be_exactly_as_long_as_minisign_reads(
    line: int, prefix: bytes, limit: int
) -> None:
    lines = MINISIG.splitlines(keepends=True)
    lines[line] = padded(prefix, limit)
    parse_signature(b"".join(lines))
    lines[line] = padded(prefix, limit + 1)
    with pytest.raises(BadSignature, match=f"more than {limit} bytes") as caught:
        parse_signature(b"".join(lines))
    assert caught.value.reason == "too-long"


def test_a_file_may_be_exactly_as_long_as_the_bound() -> None:
    whole = MINISIG + b"\n" * (MAX_SIGNATURE_BYTES - len(MINISIG))
    parse_signature(whole)
    with pytest.raises(BadSignature, match="MAX_SIGNATURE_BYTES") as caught:
        parse_signature(whole + b"\n")
    assert caught.value.reason == "too-long"
