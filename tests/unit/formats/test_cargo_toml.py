"""`Cargo.toml` as TOML: bounds, encodings, and values of the wrong type."""

from __future__ import annotations

import time

import pytest

from binstall.errors import LocalManifestError, ManifestError
from binstall.formats.cargo_toml import Table, parse_cargo_toml
from binstall.limits import MAX_MANIFEST_BYTES, MAX_MANIFEST_KEY_PARTS, MAX_METADATA_KEYS


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(b"a = " + b"[" * 100_000, "nested too deeply", id="arrays"),
        pytest.param(b"a = " + b"{a=" * 100_000, "nested too deeply", id="inline tables"),
        pytest.param(b"[" + b"a." * 300_000 + b"a]", "MAX_MANIFEST_KEY_PARTS", id="header"),
        pytest.param(b"a." * 300_000 + b"a = 1", "MAX_MANIFEST_KEY_PARTS", id="dotted key"),
        pytest.param(
            b'x = 1\n"" . ' + b'"\\"" . ' * 300_000 + b"a = 1", "MAX_MANIFEST_KEY_PARTS", id="quoted"
        ),
        pytest.param(b"''.a ." * 300_000 + b"a = 1", "MAX_MANIFEST_KEY_PARTS", id="literal"),
        pytest.param(b"a = {" + b"a." * 300_000 + b"a = 1}", "MAX_MANIFEST_KEY_PARTS", id="inside a table"),
        pytest.param(b"a" * (MAX_MANIFEST_BYTES + 1), "MAX_MANIFEST_BYTES", id="size"),
        pytest.param(b"a" * MAX_MANIFEST_BYTES, "not valid TOML", id="one word"),
        pytest.param(b'"' * MAX_MANIFEST_BYTES, "not valid TOML", id="quotes"),
        pytest.param(b"'a" * (MAX_MANIFEST_BYTES // 2), "not valid TOML", id="apostrophes"),
        pytest.param(b"a " * (MAX_MANIFEST_BYTES // 2), "not valid TOML", id="words"),
        pytest.param(b"a = " + b"9" * 5000, "not valid TOML", id="number"),
        pytest.param(b"a = 2024-02-30", "not valid TOML", id="date"),
        pytest.param(b"a = \xff", "not UTF-8", id="encoding"),
        pytest.param("a = '\ud800'", "not UTF-8", id="surrogate"),
        pytest.param(b"a = 1\na = 2", "not valid TOML", id="key given twice"),
        pytest.param("\ufeff\ufeffa = 1", "not valid TOML", id="two byte order marks"),
    ],
)
def test_a_hostile_document_is_refused_at_once(text: bytes | str, problem: str) -> None:
    begin = time.monotonic()
    with pytest.raises(ManifestError, match=problem):
        parse_cargo_toml(text)
    assert time.monotonic() - begin < 10


def test_a_byte_order_mark_is_dropped() -> None:
    assert parse_cargo_toml(b"\xef\xbb\xbfa = 1").values == {"a": 1}


def test_a_key_of_just_the_bound_is_read() -> None:
    parse_cargo_toml("[" + ".".join("a" * MAX_MANIFEST_KEY_PARTS) + "]\ns = 'so. many. words.'")


def test_the_error_is_of_the_class_that_was_asked_for() -> None:
    with pytest.raises(LocalManifestError, match=r"my/Cargo\.toml is not valid TOML"):
        parse_cargo_toml("=", what="my/Cargo.toml", error=LocalManifestError)


TABLE = parse_cargo_toml("""
text = "text"
number = 1.5
yes = true
list = [1]
words = ["a", "b"]
when = 2024-01-01
[table]
"odd key" = 1
[[tables]]
""")


@pytest.mark.parametrize(
    ("read", "problem"),
    [
        pytest.param(
            lambda: TABLE.string("number", 9, "MAX"), "`number` is a number, expected a string", id="1"
        ),
        pytest.param(
            lambda: TABLE.string("yes", 9, "MAX"), "`yes` is true or false, expected a string", id="2"
        ),
        pytest.param(lambda: TABLE.string("when", 9, "MAX"), "`when` is a date or time, expected", id="3"),
        pytest.param(lambda: TABLE.string("text", 3, "MAX"), r"longer than 3 characters \(MAX\)", id="4"),
        pytest.param(
            lambda: TABLE.boolean("text", default=True), "`text` is a string, expected true", id="5"
        ),
        pytest.param(
            lambda: TABLE.strings("list", 9, "MAX"), "`list` is a number, expected a string", id="6"
        ),
        pytest.param(
            lambda: TABLE.strings("text", 9, "MAX"), "`text` is a string, expected an array", id="7"
        ),
        pytest.param(lambda: TABLE.strings("words", 0, "MAX"), "longer than 0", id="8"),
        pytest.param(lambda: TABLE.table("tables"), "`tables` is an array, expected a table", id="9"),
        pytest.param(
            lambda: TABLE.tables("table", 9, "MAX"), "`table` is a table, expected an array", id="10"
        ),
        pytest.param(lambda: TABLE.tables("list", 9, "MAX"), "`list` holds a number", id="11"),
        pytest.param(lambda: TABLE.tables("tables", 0, "MAX"), r"more than 0 entries \(MAX\)", id="12"),
    ],
)
def test_a_wrong_type_is_named_with_its_place(read: object, problem: str) -> None:
    assert callable(read)
    with pytest.raises(ManifestError, match=problem):
        read()


def test_absent_keys_are_empty_or_the_default() -> None:
    assert TABLE.string("no", 1, "MAX") is None
    assert TABLE.table("no") is None
    assert TABLE.boolean("no", default=True) is True
    assert TABLE.strings("no", 1, "MAX") == ()
    assert TABLE.tables("no", 1, "MAX") == ()


def test_a_path_quotes_odd_keys_and_cuts_long_ones() -> None:
    table = TABLE.table("table")
    assert table is not None
    assert table.path("odd key") == "table.'odd key'"
    assert table.path("k" * 500) == f"table.{'k' * 80}…"


def test_long_arrays_of_strings_are_refused() -> None:
    table = Table({"a": ["x"] * (MAX_METADATA_KEYS + 1)}, "Cargo.toml", "", ManifestError)
    with pytest.raises(ManifestError, match="MAX_METADATA_KEYS"):
        table.strings("a", 1, "MAX")
