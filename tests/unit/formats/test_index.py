from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from binstall.errors import NoMatchingVersion, RegistryError
from binstall.formats.index import (
    CrateIndex,
    crate_url,
    index_path,
    parse_config_json,
    parse_index,
    prefix,
    same_crate,
    select_version,
)
from binstall.formats.version import VersionReq, parse_requirement
from binstall.limits import MAX_CONFIG_JSON_BYTES, MAX_INDEX_LINES, MAX_NAME_CHARACTERS

SUM = "07eca2d461d15454dbe4647074075ef3d038c3d826f0b1e1cc0812e83257673c"
CONFIG = b'{"dl": "https://static.example/crates", "api": "https://example", "auth-required": true}'


def line(**members: Any) -> bytes:
    entry = {"name": "foo", "vers": "1.0.0", "deps": [], "cksum": SUM, "features": {}, "yanked": False}
    return json.dumps({**entry, **members}).encode() + b"\n"


def lines(*versions: str, yanked: tuple[str, ...] = ()) -> CrateIndex:
    return parse_index(b"".join(line(vers=each, yanked=each in yanked) for each in versions), "foo")


def requirement(text: str | None) -> VersionReq | None:
    return None if text is None else parse_requirement(text)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a", "1/a"),
        ("ab", "2/ab"),
        ("Abc", "3/a/abc"),
        ("Cargo-Watch", "ca/rg/cargo-watch"),
        ("four", "fo/ur/four"),
        ("A_B-c", "a_/b-/a_b-c"),
    ],
)
def test_a_crate_lies_under_the_first_letters_of_its_lower_case_name(name: str, path: str) -> None:
    assert index_path(name) == path


@pytest.mark.parametrize("name", ["../x", "a/b", "..", "ab?c", "ab#c", "ab c", "ab%2fc", "a\\b", "a\0"])
def test_no_name_leaves_its_folder(name: str) -> None:
    with pytest.raises(RegistryError, match="no crate name"):
        index_path(name)


@pytest.mark.parametrize("name", ["", "x" * (MAX_NAME_CHARACTERS + 1)], ids=["empty", "long"])
def test_a_name_that_no_registry_can_have_is_an_error(name: str) -> None:
    with pytest.raises(RegistryError, match="MAX_NAME_CHARACTERS"):
        index_path(name)


def test_the_prefix_keeps_the_letters_as_they_are() -> None:
    assert [prefix(name) for name in ("A", "Ab", "Abc", "MyCrate")] == ["1", "2", "3/A", "My/Cr"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Cargo_Watch", "cargo-watch", True),
        ("foo", "foo", True),
        ("foo", "fo-o", False),
        ("foo", "bar", False),
    ],
)
def test_names_are_one_crate_up_to_case_and_hyphens(one: str, other: str, same: bool) -> None:
    assert same_crate(one, other) is same


def test_config_json_is_read() -> None:
    config = parse_config_json(CONFIG)
    assert (config.dl, config.api, config.auth_required) == (
        "https://static.example/crates",
        "https://example",
        True,
    )
    assert parse_config_json(b'{"dl":"https://x","api":null,"new":[1]}').auth_required is False


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"<html>hello</html>", "not JSON; it begins with `<html>"),
        (b"", "not JSON"),
        (b"[]", "no JSON object"),
        (b'{"api":"x"}', "has no `dl`"),
        (b'{"dl":5}', "has no `dl`"),
        (b'{"dl":"https://x","auth-required":"yes"}', "neither true nor false"),
        (b'{"dl":"https://x/{crate"}', "no template"),
        (b'{"dl":"https://x/crate}"}', "no template"),
        (b'{"dl":"https://x/{crate}/{arch}"}', r"names \{arch\}"),
        (b'{"dl":"https://x"}' + b" " * MAX_CONFIG_JSON_BYTES, "more than"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 50_000, "not JSON"),
        (b'{"dl":' + b"9" * 5000 + b"}", "not JSON"),
    ],
)
def test_a_config_json_that_is_none_is_refused_in_words(data: bytes, says: str) -> None:
    with pytest.raises(RegistryError, match=says):
        parse_config_json(data)


@pytest.mark.parametrize(
    ("dl", "url"),
    [
        pytest.param("https://x/crates", "https://x/crates/MyCrate/1.2.3+b/download", id="plain"),
        pytest.param(
            "https://x/crates/", "https://x/crates//MyCrate/1.2.3+b/download", id="slash, as cargo"
        ),
        pytest.param("https://x/{crate}/{version}", "https://x/MyCrate/1.2.3+b", id="two"),
        pytest.param("https://x/{ crate }.crate", "https://x/MyCrate.crate", id="blanks"),
        pytest.param(
            "https://x/{prefix}/{lowerprefix}/{sha256-checksum}",
            f"https://x/My/Cr/my/cr/{SUM}",
            id="others",
        ),
        pytest.param(
            "http://127.0.0.1:8000/c", "http://127.0.0.1:8000/c/MyCrate/1.2.3+b/download", id="port"
        ),
    ],
)
def test_dl_leads_to_the_crate_file(dl: str, url: str) -> None:
    config = parse_config_json(json.dumps({"dl": dl}).encode())
    (entry,) = parse_index(line(name="MyCrate", vers="1.2.3+b"), "mycrate").entries
    assert crate_url(config, entry) == url


@pytest.mark.parametrize("dl", ["", "x/y", "ftp://x/", "file:///etc/{crate}", "{crate}", "https://"])
def test_dl_that_is_no_web_address_is_an_error(dl: str) -> None:
    config = parse_config_json(json.dumps({"dl": dl}).encode())
    (entry,) = parse_index(line(), "foo").entries
    with pytest.raises(RegistryError, match="`dl` of the registry's config"):
        crate_url(config, entry)


def test_secrets_in_dl_are_not_shown() -> None:
    config = parse_config_json(b'{"dl": "ftp://user:hidden@x/?key=secret"}')
    (entry,) = parse_index(line(), "foo").entries
    with pytest.raises(RegistryError) as caught:
        crate_url(config, entry)
    assert "hidden" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_every_line_of_an_index_is_a_version() -> None:
    index = parse_index(
        line(pubtime="2025-11-12T19:30:12Z")
        + b"\r\n\n"
        + line(vers="2.0.0", cksum=SUM.upper(), v=2, yanked=None),
        "Foo",
    )
    assert index.name == "foo"
    assert index.skipped == ()
    first, second = index.entries
    assert (str(first.version), first.pubtime, first.yanked) == ("1.0.0", "2025-11-12T19:30:12Z", False)
    assert (str(second.version), second.pubtime, second.yanked) == ("2.0.0", None, False)
    assert first.cksum == second.cksum == bytes.fromhex(SUM)


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"v": 3, "cksum": "new kind"}, "schema 3 that is not known"),
        ({"v": "two"}, "schema that is not known"),
        ({"vers": "1.0"}, "no readable version: `1.0`"),
        ({"pubtime": "yesterday"}, "no readable publish time"),
        ({"pubtime": 5}, "no readable publish time"),
    ],
)
def test_a_line_of_the_future_is_skipped_and_told(members: dict[str, Any], says: str) -> None:
    index = parse_index(line() + line(**{"vers": "9.0.0", **members}), "foo")
    assert [str(entry.version) for entry in index.entries] == ["1.0.0"]
    (sentence,) = index.skipped
    assert says in sentence
    assert "line 2" in sentence


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (b"{", "line 2 of the index of `foo` is not JSON"),
        (b"<html>", "begins with `<html>`"),
        (b"[]", "no JSON object"),
        (line(name="bar"), "is about `bar`"),
        (line(name="Foo"), "is about `Foo`"),
        (line(name=None), "no text in `name`"),
        (line(vers=None), "no text in `vers`"),
        (line(cksum=None), "no text in `cksum`"),
        (line(cksum=SUM[:-1]), "no SHA-256"),
        (line(cksum=SUM + "00"), "no SHA-256"),
        (line(cksum=SUM[:-1] + "\n"), "no SHA-256"),
        (line(cksum="é" * 64), "no SHA-256"),
        (line(yanked="false"), "neither true nor false"),
        (line()[:40], "not JSON"),
    ],
)
def test_a_broken_line_is_an_error_and_no_short_index(bad: bytes, says: str) -> None:
    with pytest.raises(RegistryError, match=says):
        parse_index(line() + bad, "foo")


def test_an_index_without_end_is_refused() -> None:
    with pytest.raises(RegistryError, match="MAX_INDEX_LINES"):
        parse_index(b"\n" * (MAX_INDEX_LINES + 1), "foo")


def test_the_later_of_two_lines_for_one_version_counts() -> None:
    (entry,) = parse_index(line() + line(yanked=True), "foo").entries
    assert entry.yanked


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (None, "1.10.0"),
        ("*", "1.10.0"),
        ("^1.2", "1.10.0"),
        ("=1.2.3", "1.2.3"),
        ("<1.5", "1.2.3"),
        ("=2.0.0-rc.2", "2.0.0-rc.2"),
        ("^2.0.0-rc.1", "2.0.0-rc.2"),
        ("=0.9.0", "0.9.0"),
    ],
)
def test_the_highest_match_is_chosen(wanted: str | None, chosen: str) -> None:
    index = lines(
        "0.9.0", "1.10.0", "1.2.3", "2.0.0-rc.1", "2.0.0-rc.2", "1.99.0", "2.1.0-a", yanked=("1.99.0",)
    )
    assert str(select_version(index, requirement(wanted)).version) == chosen


@pytest.mark.parametrize(
    ("index", "wanted", "says"),
    [
        (lines("1.0.0", "1.1.0"), "^2", r"no version of `foo` that matches \^2; the newest is 1.1.0"),
        (lines("1.0.0", "1.1.0", yanked=("1.1.0",)), "=1.1.0", "is yanked; the newest of them is 1.1.0"),
        (lines("1.0.0", yanked=("1.0.0",)), None, "every version of `foo` is yanked"),
        (lines("2.0.0-rc.1"), None, "pre-releases only, the newest is 2.0.0-rc.1"),
        (lines(), None, "lists no usable version of `foo`"),
        (parse_index(line(v=3), "foo"), None, "schema 3"),
    ],
)
def test_no_match_tells_what_comes_nearest(index: CrateIndex, wanted: str | None, says: str) -> None:
    with pytest.raises(NoMatchingVersion, match=says):
        select_version(index, requirement(wanted))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
INDEX = line(pubtime="2025-11-12T19:30:12Z", v=2) + line(vers="2.0.0-rc.1+x", yanked=True)


@st.composite
def mutated(draw: st.DrawFn, valid: bytes) -> bytes:
    data = bytearray(valid)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 8)))
        data[at:end] = draw(
            st.binary(max_size=8) | st.sampled_from([b'"', b"{", b"}", b"\n", b"null", b","])
        )
    return bytes(data)


def read_config(data: bytes) -> None:
    try:
        config = parse_config_json(data)
        (entry,) = parse_index(line(), "foo").entries
        assert crate_url(config, entry).startswith(("http://", "https://"))
    except RegistryError as error:
        assert error.exit_code == 76


def read_index(data: bytes) -> None:
    try:
        index = parse_index(data, "foo")
    except RegistryError:
        return
    for entry in index.entries:
        assert same_crate(entry.name, "foo")
        assert len(entry.cksum) == 32
    try:
        assert not select_version(index, None).yanked
    except NoMatchingVersion as error:
        assert error.exit_code == 76


@settings(max_examples=1000, deadline=None)
@given(mutated(CONFIG) | mutated(b'{"dl":"https://x/{crate}/{version}/{prefix}"}'))
def test_a_mutated_config_json_is_read_or_refused(data: bytes) -> None:
    read_config(data)


@settings(max_examples=1000, deadline=None)
@given(
    st.binary(max_size=200)
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.text(max_size=60).map(lambda dl: json.dumps({"dl": dl}).encode())
)
@example(b'{"dl":"https://\\ud800/"}')
@example(b'{"dl":"https://[::1/"}')
def test_any_config_json_is_read_or_refused(data: bytes) -> None:
    read_config(data)


@settings(max_examples=1000, deadline=None)
@given(mutated(INDEX))
def test_a_mutated_index_is_read_or_refused(data: bytes) -> None:
    read_index(data)


@settings(max_examples=1000, deadline=None)
@given(
    st.binary(max_size=200)
    | st.dictionaries(
        st.sampled_from(["name", "vers", "cksum", "yanked", "v", "pubtime"]),
        json_values | st.sampled_from(["foo", "1.0.0", SUM]),
    ).map(lambda members: line(**members))
)
@example(line(v=[[[[]]]]))
@example(line(name="\ud800"))
def test_any_index_is_read_or_refused(data: bytes) -> None:
    read_index(data)


@settings(max_examples=1000, deadline=None)
@given(st.text(max_size=300))
def test_any_name_has_a_place_or_is_refused(name: str) -> None:
    try:
        path = index_path(name)
    except RegistryError:
        return
    assert path.isascii()
    assert not set("?# \\.") & set(path)
