from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import TrackingError
from binstall.formats.crate_source import CRATES_IO, CrateSource, SourceKind
from binstall.formats.crates_v1 import (
    InstalledCrate,
    InstallEvidence,
    parse_records,
    record_of,
    serialize_records,
    without_bins,
)
from binstall.formats.version import parse_version
from binstall.limits import MAX_TRACKING_BYTES

EXAMPLE = (
    b'{"name":"bar","version_req":"=0.4.0","current_version":"0.4.0","source":{"source_type":"Sparse",'
    b'"url":"https://reg.example/index"},"target":"x86_64-unknown-linux-gnu","bins":["bar"]}'
    b'{"name":"foo-cli","version_req":"*","current_version":"1.2.3","source":{"source_type":"Registry",'
    b'"url":"https://github.com/rust-lang/crates.io-index"},"target":"x86_64-unknown-linux-gnu",'
    b'"bins":["foo","foo-helper"]}'
)
EVIDENCE = InstallEvidence(
    "verified",
    "minisign",
    "0123456789ABCDEF",
    "RWQ",
    'file:"\u202e',
    "https://x/",
    "ab" * 32,
    "2026-01-31T12:00:00Z",
    ("foo",),
)
FOO = InstalledCrate("foo", "^1", parse_version("1.2.3"), CRATES_IO, "t", ("foo", "föö"), EVIDENCE)

_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_crates = st.builds(
    InstalledCrate,
    name=st.text(),
    version_req=st.text(),
    version=st.sampled_from(["0.1.0", "1.2.3-rc.1+b"]).map(parse_version),
    source=st.builds(CrateSource, st.sampled_from(SourceKind), st.text()),
    target=st.text(),
    bins=st.lists(st.text(), max_size=3).map(tuple),
    evidence=st.none()
    | st.builds(
        InstallEvidence,
        key_id=st.none() | st.text(),
        trusted_comment=st.none() | st.text(),
        files=st.lists(st.text(), max_size=2).map(tuple),
    ),
)


def _value_or_tracking_error(data: bytes) -> None:
    try:
        records = parse_records(data)
    except TrackingError:
        return
    assert parse_records(serialize_records(records.values())) == dict(sorted(records.items()))
    for record in records.values():
        assert record_of(record.crate, record.unknown).crate == record.crate


def test_the_example_is_read_and_written_byte_for_byte() -> None:
    records = parse_records(EXAMPLE)
    assert records["bar"].crate == InstalledCrate(
        "bar",
        "=0.4.0",
        parse_version("0.4.0"),
        CrateSource(SourceKind.SPARSE, "https://reg.example/index"),
        "x86_64-unknown-linux-gnu",
        ("bar",),
    )
    assert serialize_records(reversed(records.values())) == EXAMPLE
    assert serialize_records(record_of(record.crate) for record in records.values()) == EXAMPLE


def test_white_space_between_objects_is_accepted_and_the_later_of_two_counts() -> None:
    first, second = EXAMPLE.replace(b"}{", b"} {").split(b"} {")
    first += b"}"
    data = (
        b"\n"
        + first
        + b" \t\r\n{"
        + second
        + b"\n\n"
        + first.replace(b'"*"', b'"^1"').replace(b"=0", b"^0")
    )
    records = parse_records(data)
    assert sorted(records) == ["bar", "foo-cli"]
    assert records["bar"].crate.version_req == "^0.4.0"


def test_evidence_is_written_and_read() -> None:
    (record,) = parse_records(serialize_records([record_of(FOO)])).values()
    assert record.crate == FOO
    assert record.text.isascii()


def test_unknown_members_survive_in_a_record_that_is_replaced() -> None:
    text = record_of(FOO, {"later": {"x": [1, 2.5, None]}}).text
    (record,) = parse_records(text.encode()).values()
    again = record_of(replace(FOO, version=parse_version("2.0.0"), evidence=None), record.unknown)
    members = json.loads(again.text)
    assert members["later"] == {"x": [1, 2.5, None]}
    assert "evidence" not in members


def test_an_untouched_record_keeps_its_bytes() -> None:
    odd = EXAMPLE.replace(b'"name":"bar"', b'"x" : 1.50,\n "name": "b\\u0061r" ')
    assert serialize_records(parse_records(odd).values()) == odd


def test_files_taken_over_leave_the_record_and_nothing_else_changes() -> None:
    (record,) = parse_records(record_of(FOO, {"later": 1}).text.encode()).values()
    left = without_bins(record, {"foo"})
    assert left.crate == replace(FOO, bins=("föö",), evidence=replace(EVIDENCE, files=()))
    assert json.loads(left.text)["later"] == 1


@pytest.mark.parametrize("member", ["name", "version_req", "current_version", "source", "target", "bins"])
@pytest.mark.parametrize("change", ["missing", "null", "number"])
def test_every_known_member_is_needed_and_has_its_type(member: str, change: str) -> None:
    members = json.loads(record_of(FOO).text)
    if change == "missing":
        del members[member]
    else:
        members[member] = None if change == "null" else 1
    with pytest.raises(TrackingError):
        parse_records(json.dumps(members).encode())


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xff", id="not UTF-8"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b"{}", id="no members"),
        pytest.param(EXAMPLE[:-1], id="cut"),
        pytest.param(EXAMPLE + b",", id="comma"),
        pytest.param(EXAMPLE.replace(b"Sparse", b"Quantum"), id="unknown source"),
        pytest.param(EXAMPLE.replace(b'"0.4.0"', b'"0.4"'), id="bad version"),
        pytest.param(EXAMPLE.replace(b'{"name"', b'{"x":NaN,"name"'), id="NaN"),
        pytest.param(EXAMPLE.replace(b'{"name"', b'{"x":1e999,"name"'), id="beyond a float"),
        pytest.param(EXAMPLE.replace(b'{"name"', b'{"x":' + b"9" * 5000 + b',"name"'), id="long number"),
        pytest.param(EXAMPLE.replace(b'{"name"', b'{"evidence":[],"name"'), id="evidence is no object"),
        pytest.param(EXAMPLE.replace(b'{"name"', b'{"evidence":{},"name"'), id="evidence is empty"),
        pytest.param(b'{"x":' + b"[" * 100_000, id="deep"),
        pytest.param(b" " * (MAX_TRACKING_BYTES + 1), id="too long"),
    ],
)
def test_anything_else_is_a_tracking_error(data: bytes) -> None:
    with pytest.raises(TrackingError) as error:
        parse_records(data)
    assert error.value.exit_code == 16


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.tuples(_crates, st.dictionaries(st.text(min_size=9), _json, max_size=2)), max_size=3))
def test_what_is_written_is_read_again(written: list[tuple[InstalledCrate, dict[str, object]]]) -> None:
    known = {"version_req", "current_version"}
    records = {
        crate.name: record_of(crate, {key: value for key, value in unknown.items() if key not in known})
        for crate, unknown in written
    }
    assert parse_records(serialize_records(records.values())) == records


@settings(max_examples=1000, deadline=None)
@given(st.binary(max_size=200) | _json.map(lambda value: json.dumps(value).encode()))
def test_random_bytes_give_a_value_or_a_tracking_error(data: bytes) -> None:
    _value_or_tracking_error(data)
    _value_or_tracking_error(EXAMPLE + data)


@settings(max_examples=1000, deadline=None)
@given(st.sampled_from([EXAMPLE, record_of(FOO).text.encode()]), st.data())
def test_mutated_files_give_a_value_or_a_tracking_error(valid: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(valid)))
    end = data.draw(st.integers(at, min(len(valid), at + 20)))
    piece = data.draw(
        st.binary(max_size=6) | st.sampled_from([b'"', b"\\ud800", b"}", b"{", b"null", b"1e9", b":", b","])
    )
    _value_or_tracking_error(valid[:at] + piece + valid[end:])
