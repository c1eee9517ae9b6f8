"""Foreign text is shown on one line, whole, and without power over terminals and CI systems."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from binstall.text import sentence, visible, without_secrets

COMMANDS = ("::", "##[", "##vso[", "##VSO[", "##teamcity[", "\x1b[31m", "\r\n", "\\x1b", "\U000e0041")
PIECES = ("https://", "user:pw@", "host/", "::error::")
SINGLE = (
    "\\\n\r\t\x07\x85\x9b\u202e\u2066\u200b\u2028\u2029\ufeff\u3164\ufe0f\ud800\ue000\uffff \u00a0#:?&=a"
)
HOSTILE = st.sampled_from((*COMMANDS, *PIECES, *SINGLE))
FOREIGN = st.lists(HOSTILE | st.characters() | st.text(max_size=5), max_size=20).map("".join)
THOUSAND = settings(max_examples=1000, deadline=None)


def is_clean(shown: str) -> bool:
    hidden = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
    return (
        not any(unicodedata.category(character) in hidden for character in shown)
        and len(shown.splitlines()) <= 1
        and not shown.lstrip().startswith("::")
        and not re.search(r"##([a-z]*)\[", shown, re.IGNORECASE)
    )


def read_back(shown: str) -> str:
    """Undo the escapes of `visible`."""
    named = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}

    def character(match: re.Match[str]) -> str:
        code = match["u"] or match["x"]
        return chr(int(code, 16)) if code else named[match["name"]]

    return re.sub(r"\\(?:u\{(?P<u>[0-9a-f]+)\}|x(?P<x>[0-9a-f]{2})|(?P<name>[nrt\\]))", character, shown)


@THOUSAND
@given(FOREIGN, st.booleans(), st.integers(0, 40))
def test_visible_is_one_clean_line_whatever_comes(foreign: str, keep_tabs: bool, limit: int) -> None:
    assert is_clean(visible(foreign))
    assert is_clean(visible(foreign, keep_tabs=keep_tabs, limit=limit))


@THOUSAND
@given(FOREIGN)
def test_sentence_is_one_clean_line_whatever_comes(foreign: str) -> None:
    assert is_clean(sentence(foreign))


@THOUSAND
@given(FOREIGN)
def test_what_visible_shows_can_be_read_back(foreign: str) -> None:
    assert read_back(visible(foreign)) == foreign


@THOUSAND
@given(st.text())
def test_a_url_without_its_secrets_is_one_clean_line_once_made_visible(foreign: str) -> None:
    assert is_clean(visible(without_secrets(foreign)))


WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789.-", min_size=1, max_size=8)
SECRET = st.from_regex(r"SECRET[A-Z0-9%;,!]{0,8}", fullmatch=True)


@THOUSAND
@given(
    st.sampled_from(
        ["https://", "http://", "sparse+https://", "https:/", "https:///", "https:\\\\", "//", ""]
    ),
    SECRET,
    st.none() | SECRET,
    WORD,
    st.sampled_from(["", ":8080"]),
    st.lists(WORD | st.just("scope@1.0"), max_size=3),
    st.lists(st.tuples(st.none() | WORD, SECRET), max_size=3),
    st.none() | SECRET,
)
def test_no_user_name_password_query_value_or_fragment_is_left_of_a_url(
    scheme: str,
    user: str,
    password: str | None,
    host: str,
    port: str,
    path: list[str],
    query: list[tuple[str | None, str]],
    fragment: str | None,
) -> None:
    user_info = user if password is None else f"{user}:{password}"
    tail = "".join(f"/{part}" for part in path)
    url = f"{scheme}{user_info}@{host}{port}{tail}"
    if query:
        url += "?" + "&".join(value if name is None else f"{name}={value}" for name, value in query)
    if fragment is not None:
        url += f"#{fragment}"
    shown = without_secrets(url)
    assert "SECRET" not in shown
    assert shown.startswith(f"{scheme}{host}{port}{tail}")


@THOUSAND
@given(FOREIGN)
def test_taking_the_secrets_out_never_fails_and_leaves_no_user_info(foreign: str) -> None:
    assume("?" not in foreign and "#" not in foreign and "\\" not in foreign and "/" not in foreign)
    assert "@" not in without_secrets(f"https://{foreign}/path")


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        pytest.param("plain text, with: colons", "plain text, with: colons", id="plain"),
        pytest.param("grüße 世界 🔏", "grüße 世界 🔏", id="letters of other scripts"),
        pytest.param("a\x1b[31mb", "a\\x1b[31mb", id="colour escape"),
        pytest.param("a\u202eb", "a\\u{202e}b", id="reversed reading order"),
        pytest.param("one\ntwo\r\n", "one\\ntwo\\r\\n", id="line ends"),
        pytest.param("a\\nb", "a\\\\nb", id="a written escape is not taken for a real one"),
        pytest.param("::error::no", "\\x3a:error::no", id="GitHub command"),
        pytest.param("  ::error::no", "  \\x3a:error::no", id="GitHub command after spaces"),
        pytest.param("##vso[task.x]", "\\x23#vso[task.x]", id="Azure command"),
        pytest.param("x ##[group]", "x \\x23#[group]", id="runner command inside a line"),
        pytest.param("##TeamCity[x]", "\\x23#TeamCity[x]", id="TeamCity command"),
        pytest.param("crate::module", "crate::module", id="a Rust path is left alone"),
        pytest.param("a\u3164b", "a\\u{3164}b", id="a letter that is drawn as nothing"),
        pytest.param("\ud800", "\\u{d800}", id="lone surrogate"),
    ],
)
def test_visible_shows(foreign: str, shown: str) -> None:
    assert visible(foreign) == shown


def test_tabs_become_spaces_where_they_separate_fields() -> None:
    assert visible("timestamp:1\tfile:a", keep_tabs=True) == "timestamp:1  file:a"


def test_long_text_is_cut_and_its_length_told() -> None:
    assert visible("x" * 5000) == "x" * 4096 + "… (5000 characters)"


def test_paths_stay_readable_in_sentences() -> None:
    assert sentence("C:\\Users\\me is read-only") == "C:\\Users\\me is read-only"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        pytest.param("https://h/a?x=1&y=2", "https://h/a?x=…&y=…", id="query values"),
        pytest.param("https://h/a?token", "https://h/a?…", id="a query that is one value"),
        pytest.param("https://u:p@h:8/a", "https://h:8/a", id="user-info"),
        pytest.param("https://u:p@p@h/a", "https://h/a", id="at sign in a password"),
        pytest.param("https://u:p?q@h/a", "https://u:…?…", id="question mark in a password"),
        pytest.param("https://h/@scope/a@1.0", "https://h/@scope/a@1.0", id="at signs of a path stay"),
        pytest.param("https://[::1]:8/a", "https://[::1]:8/a", id="IPv6"),
        pytest.param("file:///a@b/c", "file:///a@b/c", id="file"),
        pytest.param("/a@b/c", "/a@b/c", id="path"),
    ],
)
def test_without_secrets_shows(url: str, shown: str) -> None:
    assert without_secrets(url) == shown
