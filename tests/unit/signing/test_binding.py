"""A good signature of something else is refused, by name."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import BadSignature, TemplateError, UsageError
from binstall.formats.minisig import has_control_characters
from binstall.limits import MAX_URL_CHARACTERS
from binstall.signing.binding import (
    Expected,
    asset_name,
    check_binding,
    mismatches,
    trusted_comment_for,
    trusted_fields,
)

THOUSAND = settings(max_examples=1000, deadline=None)
EXPECTED = Expected("app-1.1.0.tgz", crate="app", version="1.1.0", target="x86_64-unknown-linux-gnu")


@pytest.mark.parametrize(
    "comment",
    [
        pytest.param("", id="nothing"),
        pytest.param("free words", id="no fields"),
        pytest.param("timestamp:1\tfile:app-1.1.0.tgz\thashed", id="as minisign writes it"),
        pytest.param("file:dist/app-1.1.0.tgz", id="path as typed"),
        pytest.param("file:C:\\dist\\app-1.1.0.tgz", id="Windows path"),
        pytest.param("file:app-1.1.0.tgz\tfile:./app-1.1.0.tgz", id="two that agree"),
        pytest.param("crate:app\tversion:1.1.0\ttarget:x86_64-unknown-linux-gnu", id="every other field"),
        pytest.param("release file:other.tgz", id="a field begins after a TAB only"),
        pytest.param(" file:other.tgz", id="a space before it makes it another word"),
        pytest.param("File:other.tgz\tprofile:x\tfiles:y", id="names are exact"),
        pytest.param("timestamp:99999999999999", id="the clock is never asked"),
    ],
)
def test_let_pass(comment: str) -> None:
    check_binding(comment, EXPECTED)


@pytest.mark.parametrize(
    ("comment", "signed", "wanted"),
    [
        pytest.param("file:app-1.0.0.tgz", "app-1.0.0.tgz", "app-1.1.0.tgz", id="older release"),
        pytest.param("file:App-1.1.0.tgz", "App-1.1.0.tgz", "app-1.1.0.tgz", id="case differs"),
        pytest.param("file:аpp-1.1.0.tgz", "аpp-1.1.0.tgz", "app-1.1.0.tgz", id="Cyrillic letter"),
        pytest.param("file:app-1.1.0.tgz ", "app-1.1.0.tgz ", "app-1.1.0.tgz", id="space at the end"),
        pytest.param("file:", "(none)", "app-1.1.0.tgz", id="empty file"),
        pytest.param("file:dist/", "(none)", "app-1.1.0.tgz", id="empty base name"),
        pytest.param("file:app-1.1.0.tgz\tfile:b", "b", "app-1.1.0.tgz", id="two that disagree"),
        pytest.param("file:app-1.1.0.tgz\tversion:1.0.0", "1.0.0", "1.1.0", id="version"),
        pytest.param("version:v1.1.0", "v1.1.0", "1.1.0", id="version with a v"),
        pytest.param("version:1.1.0\tversion:1.0.0", "1.0.0", "1.1.0", id="two versions"),
        pytest.param("crate:dist/app", "dist/app", "app", id="crate is no path"),
        pytest.param("crate:", "(none)", "app", id="empty crate"),
        pytest.param("target:aarch64-apple-darwin", "aarch64-apple-darwin", EXPECTED.target, id="target"),
    ],
)
def test_refused_with_both_names(comment: str, signed: str, wanted: str) -> None:
    with pytest.raises(BadSignature) as caught:
        check_binding(comment, EXPECTED)
    assert caught.value.reason == "name"
    assert caught.value.exit_code == 40
    assert signed in caught.value.message
    assert wanted in caught.value.message
    assert "--allow-name-mismatch" in (caught.value.hint or "")


def test_every_mismatch_is_told_when_mismatches_are_let_pass() -> None:
    assert len(mismatches("file:a\tcrate:b\tversion:1.1.0\ttarget:c", EXPECTED)) == 3


def test_what_is_not_known_is_not_compared() -> None:
    assert mismatches("file:a\tcrate:b\tversion:2\ttarget:c", Expected(file_name=None)) == ()


def test_a_url_without_a_file_name_equals_no_file_field() -> None:
    assert mismatches("file:a", Expected(file_name="")) != ()
    assert mismatches("file:", Expected(file_name="")) != ()
    assert mismatches("no field", Expected(file_name="")) == ()


def test_a_hostile_length_is_cut_in_the_message() -> None:
    assert len(mismatches("file:" + "x" * 8000, EXPECTED)[0]) < 500


PIECE = st.sampled_from(
    ["file:", "crate:", "version:", "target:", "\t", "/", "\\", "app", "1.1.0", ":", " "]
)


@THOUSAND
@given(
    st.lists(PIECE | st.text(max_size=4), max_size=20).map("".join),
    st.builds(Expected, *[st.none() | st.text(max_size=5) | st.sampled_from(["app", "1.1.0", ""])] * 4),
)
def test_any_comment_agrees_in_every_known_field_or_is_the_one_error(
    comment: str, expected: Expected
) -> None:
    known = {
        "file": expected.file_name,
        "crate": expected.crate,
        "version": expected.version,
        "target": expected.target,
    }
    agrees = all(
        known[name] is None or known[name] == value != "" for name, value in trusted_fields(comment)
    )
    try:
        check_binding(comment, expected)
    except BadSignature as error:
        assert error.reason == "name"
        assert not agrees
    else:
        assert agrees


@pytest.mark.parametrize(
    ("url", "name"),
    [
        pytest.param("https://h/a/b/app-1.tgz", "app-1.tgz", id="last segment"),
        pytest.param("https://h/app.tgz?token=a/b.zip#c/d", "app.tgz", id="query and fragment"),
        pytest.param("https://h/app.tgz#?x", "app.tgz", id="fragment with question mark"),
        pytest.param("https://h/a%20b%2Btgz", "a b+tgz", id="percent-decoded"),
        pytest.param("https://h/%C3%A4.tgz", "ä.tgz", id="UTF-8"),
        pytest.param("https://h/ä.tgz", "ä.tgz", id="not encoded"),
        pytest.param("https://h/a+b.tgz", "a+b.tgz", id="plus stays"),
        pytest.param("https://h/x%2Fapp.tgz", "x/app.tgz", id="an encoded slash parts nothing"),
        pytest.param("https://h/%FF.tgz", "\udcff.tgz", id="not UTF-8"),
        pytest.param("https://h/a%zz%2.tgz", "a%zz%2.tgz", id="broken escape"),
        pytest.param("https://h/dir\\app.tgz", "app.tgz", id="back-slash, as clients read it"),
        pytest.param("https://h/dir/", "", id="ends in a slash"),
        pytest.param("https://h", "", id="host alone"),
        pytest.param("https://h?/app.tgz", "", id="slash in the query"),
        pytest.param("https://u:p@h:8/app.tgz", "app.tgz", id="user-info and port"),
        pytest.param("app.tgz", "app.tgz", id="no URL"),
        pytest.param("", "", id="empty"),
        pytest.param("https://h/..", "..", id="dots"),
    ],
)
def test_the_asset_name_of(url: str, name: str) -> None:
    assert asset_name(url) == name


@THOUSAND
@given(
    st.lists(
        st.sampled_from(["https://", "/", "%", "%2F", "%ff", "?", "#", "\\", "a", "\ud800"])
        | st.text(max_size=4)
    )
)
def test_any_text_has_a_name_of_one_raw_segment(parts: list[str]) -> None:
    url = "".join(parts)[:MAX_URL_CHARACTERS]
    name = asset_name(url)
    if "%" not in url and "\ud800" not in url:
        assert name in url
        assert not set(name) & set("/\\?#")


@THOUSAND
@given(st.text(string.printable + "äß世\x00\t", min_size=1, max_size=30))
def test_a_name_that_was_encoded_is_decoded(name: str) -> None:
    from urllib.parse import quote

    assert asset_name(f"https://h/dir/{quote(name, safe='')}?query=1") == name


def test_a_url_beyond_the_bound_is_refused() -> None:
    with pytest.raises(TemplateError, match="MAX_URL_CHARACTERS"):
        asset_name("https://h/" + "a" * MAX_URL_CHARACTERS)


def test_the_default_comment_has_minisigns_fields_first() -> None:
    assert trusted_comment_for(Expected("a.tgz"), timestamp=7) == "timestamp:7\tfile:a.tgz\thashed"
    assert trusted_comment_for(EXPECTED, timestamp=7) == (
        "timestamp:7\tfile:app-1.1.0.tgz\thashed\tcrate:app\tversion:1.1.0\ttarget:x86_64-unknown-linux-gnu"
    )


@THOUSAND
@given(st.builds(Expected, st.text(max_size=8), *[st.none() | st.text(max_size=8)] * 3))
def test_a_default_comment_holds_for_what_it_was_made_for_or_is_not_made(expected: Expected) -> None:
    try:
        comment = trusted_comment_for(expected, timestamp=0)
    except UsageError:
        return
    check_binding(comment, expected)
    assert not has_control_characters(comment)
    assert dict(trusted_fields(comment))["file"] == expected.file_name


@pytest.mark.parametrize("name", ["a\tfile:b", "a\nb", "\x1b[31m", "", "a/b", "a\\b", "\ud800"])
def test_a_name_that_would_be_read_back_otherwise_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        trusted_comment_for(Expected(name), timestamp=0)


@pytest.mark.parametrize(
    ("comment", "wrong"),
    [
        ("timestamp:1\tfile:a-1-t.tar.gz\thashed", 0),
        ("timestamp:1\thashed", 1),
        ("file", 1),
        ("crate:a", 1),
        ("file:", 1),
        ("file:b", 1),
        ("file:a-1-t.tar.gz\tfile:b", 1),
    ],
)
def test_where_a_file_must_be_named_a_comment_without_one_is_a_mismatch(comment: str, wrong: int) -> None:
    expected = Expected("a-1-t.tar.gz", "a", "1", "t", must_name_file=True)
    assert len(mismatches(comment, expected)) == wrong
