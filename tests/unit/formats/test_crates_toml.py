from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import TrackingError
from binstall.formats.crates_toml import (
    CratesToml,
    PackageId,
    parse_crates_toml,
    parse_package_id,
    serialize_crates_toml,
)
from binstall.limits import MAX_TRACKING_BYTES

EXAMPLE = b"""\
[v1]
"bar 0.4.0 (sparse+https://reg.example/index/)" = ["bar"]
"foo-cli 1.2.3 (registry+https://github.com/rust-lang/crates.io-index)" = [
    "foo",
    "foo-helper",
]
"""
_OTHERS = b"""
top = [1, 2.5, "x", inf, 0xffff_ffff_ffff_ffff_ffff, {a = 1979-05-27T07:32:00Z}]
[v1]
"a b" = 1
[other."dotted key"]
deep.est = [[], {}]
"""

_text = st.text(st.characters(exclude_categories=["Cs"]))
_scalars = (
    _text
    | st.booleans()
    | st.integers(-(2**63), 2**200)
    | st.floats(allow_nan=False)
    | st.dates(min_value=date(1, 1, 1))
    | st.times()
    | st.datetimes()
    | st.datetimes(timezones=st.just(UTC))
)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=8,
)
_word = _text.filter(lambda text: bool(text) and " " not in text)
_ids = st.builds(PackageId, _word, st.sampled_from(["0.1.0", "1.2.3-rc.1+b", "10.0.0"]), _text)
_listings = st.builds(
    CratesToml,
    st.dictionaries(_ids, st.lists(_text, max_size=4).map(tuple), max_size=4),
    st.dictionaries(_text.filter(lambda key: key != "v1"), _values, max_size=3),
)


def _value_or_tracking_error(data: bytes) -> None:
    try:
        listing = parse_crates_toml(data)
    except TrackingError:
        return
    assert parse_crates_toml(serialize_crates_toml(listing)) == listing


def test_the_example_is_read_and_written_byte_for_byte() -> None:
    listing = parse_crates_toml(EXAMPLE)
    assert listing == CratesToml(
        {
            PackageId("bar", "0.4.0", "sparse+https://reg.example/index/"): ("bar",),
            PackageId("foo-cli", "1.2.3", "registry+https://github.com/rust-lang/crates.io-index"): (
                "foo",
                "foo-helper",
            ),
        },
        {},
    )
    assert serialize_crates_toml(listing) == EXAMPLE


@pytest.mark.parametrize("data", [b"", b"\n\n \n", b"[v1]\n", b"v1 = {}"])
def test_a_file_may_list_nothing(data: bytes) -> None:
    assert parse_crates_toml(data).packages == {}


def test_an_empty_listing_is_written_with_its_table() -> None:
    assert serialize_crates_toml(CratesToml()) == b"[v1]\n"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"# nothing\n", id="no v1"),
        pytest.param(b"v1 = []", id="v1 is no table"),
        pytest.param(b"[v1]\nfoo = [1]", id="no package id"),
        pytest.param(b'[v1]\n"foo 1.0.0" = []', id="no source"),
        pytest.param(b'[v1]\n"foo 1.0.0 path+file:///x" = []', id="no brackets"),
        pytest.param(b'[v1]\n"foo 1.0 (path+file:///x)" = []', id="bad version"),
        pytest.param(b'[v1]\n" 1.0.0 (path+file:///x)" = []', id="no name"),
        pytest.param(b'[v1]\n"foo 1.0.0 (path+file:///x)" = "foo"', id="no array"),
        pytest.param(b'[v1]\n"foo 1.0.0 (path+file:///x)" = ["foo", 1]', id="not all strings"),
        pytest.param(b"[v1]\nx = 1\nx = 2", id="twice"),
        pytest.param(b"\xff", id="not UTF-8"),
        pytest.param(b"x = " + b"[" * 5000, id="deep"),
        pytest.param(b"x = " + b"9" * 5000, id="long number"),
        pytest.param(b"x = 2024-02-31", id="no such day"),
        pytest.param(b"\0" * 100, id="zeros"),
        pytest.param(b" " * (MAX_TRACKING_BYTES + 1), id="too long"),
    ],
)
def test_anything_else_is_a_tracking_error(data: bytes) -> None:
    with pytest.raises(TrackingError) as error:
        parse_crates_toml(data)
    assert error.value.exit_code == 16


def test_ids_split_at_the_first_two_blanks() -> None:
    assert parse_package_id("foo 1.0.0 (new kind+x y)") == PackageId("foo", "1.0.0", "new kind+x y")


def test_other_tables_and_keys_survive() -> None:
    listing = parse_crates_toml(_OTHERS.replace(b'"a b" = 1', b'"a 1.0.0 (path+file:///a)" = []'))
    assert parse_crates_toml(serialize_crates_toml(listing)).other == listing.other
    assert tomllib.loads(serialize_crates_toml(listing).decode())["top"][4] == 0xFFFF_FFFF_FFFF_FFFF_FFFF


@pytest.mark.parametrize(
    "value", [float("inf"), float("-inf"), datetime(1, 1, 1, tzinfo=UTC), time(23, 59, 59, 999999)]
)
def test_values_with_a_form_of_their_own_survive(value: object) -> None:
    listing = CratesToml({}, {"x": value, "y": {"z": [value]}})
    assert parse_crates_toml(serialize_crates_toml(listing)) == listing


def test_a_name_that_is_not_unicode_is_a_tracking_error() -> None:
    with pytest.raises(TrackingError):
        serialize_crates_toml(CratesToml({PackageId("a", "1.0.0", "x"): ("\udc80",)}))


@settings(max_examples=1000, deadline=None)
@given(_listings)
def test_what_is_written_is_read_again(listing: CratesToml) -> None:
    assert parse_crates_toml(serialize_crates_toml(listing)) == listing


@settings(max_examples=1000, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="replace")))
def test_random_bytes_give_a_value_or_a_tracking_error(data: bytes) -> None:
    _value_or_tracking_error(data)
    _value_or_tracking_error(b"[v1]\n" + data)


@settings(max_examples=1000, deadline=None)
@given(st.sampled_from([EXAMPLE, _OTHERS]), st.data())
def test_mutated_files_give_a_value_or_a_tracking_error(valid: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(valid)))
    end = data.draw(st.integers(at, min(len(valid), at + 20)))
    piece = data.draw(
        st.binary(max_size=6) | st.sampled_from([b'"', b"\\u0000", b"]", b"=", b" ", b"(", b"[v1]\n"])
    )
    _value_or_tracking_error(valid[:at] + piece + valid[end:])
