"""`[[mirror]]` rules, and which URL falls under which."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import ConfigError, MirrorError, TemplateError
from binstall.formats.mirrors import Mirror, mirror_for, parse_mirrors
from binstall.formats.settings_file import parse_settings

RULE = b'[[mirror]]\nfrom = "https://github.com/"\nto = "https://u:pw@mirror.example/gh/"\n'
GITHUB = Mirror("https://github.com/", "https://mirror.example/gh/")


def test_rules_are_read_from_the_settings_and_never_show_a_password() -> None:
    (mirror,) = parse_settings(RULE + b"fallback = true").mirrors
    assert mirror == Mirror("https://github.com/", "https://u:pw@mirror.example/gh/", fallback=True)
    assert "pw" not in repr(mirror) + str(mirror)
    assert parse_settings(RULE).mirrors[0].fallback is False
    assert parse_settings(b"").mirrors == ()


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("x", id="text"),
        pytest.param({"from": "https://a/", "to": "https://b/"}, id="one table"),
        pytest.param(["x"], id="list of texts"),
        pytest.param([{"from": "https://a/"}], id="no to"),
        pytest.param([{"to": "https://a/"}], id="no from"),
        pytest.param([{"from": "https://a", "to": "https://b/gh"}], id="no final slash"),
        pytest.param([{"from": "http://a/", "to": "https://b/"}], id="from http"),
        pytest.param([{"from": "https://u@a/", "to": "https://b/"}], id="user in from"),
        pytest.param([{"from": "https://a/?x=/", "to": "https://b/"}], id="query"),
        pytest.param([{"from": "https://a/", "to": "file:///b/"}], id="to file"),
        pytest.param([{"from": "https://a/", "to": "https://b/", "fallback": 1}], id="fallback 1"),
        pytest.param([{"from": "https://a/", "to": "https://b/", "falback": True}], id="misspelt"),
        pytest.param([{"from": "https://a/", "to": "https://b/"}] * 2, id="twice"),
    ],
)
def test_a_rule_that_cannot_be_used_is_an_error(value: object) -> None:
    with pytest.raises(MirrorError):
        parse_mirrors(value)


@pytest.mark.parametrize("more", [b'strategies = ["nonsense"]\n', b"confirm = 1\n", b"confirm = \n"])
def test_a_broken_file_with_rules_is_never_passed_over(more: bytes) -> None:
    with pytest.raises(MirrorError):
        parse_settings(more + RULE)
    with pytest.raises(ConfigError) as caught:
        parse_settings(more)
    assert not isinstance(caught.value, MirrorError)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.just("https://a.example/b/"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["from", "to", "fallback", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(max_examples=1000, deadline=None)
@given(VALUES)
def test_any_value_is_rules_or_a_mirror_error(value: object) -> None:
    try:
        mirrors = parse_mirrors(value)
    except MirrorError:
        return
    assert all(mirror.original.startswith("https://") for mirror in mirrors)


@pytest.mark.parametrize(
    ("url", "rest"),
    [
        ("https://github.com/o/r", "o/r"),
        ("HTTPS://GitHub.COM:443/o/r?x=1", "o/r?x=1"),
        ("https://github.com./o/r", "o/r"),
        ("https://user:secret@github.com/o/r", "o/r"),
        ("https://github.com", ""),
        ("https://github.com/../../x", "x"),
        ("https://github.com/%2e%2E/x", "x"),
        ("https://github.com.evil.example/o", None),
        ("https://github.com:8443/o", None),
        ("https://github.com@evil.example/o", None),
        ("http://github.com/o", None),
        ("https://api.github.com/o", None),
    ],
)
def test_a_rule_counts_for_its_host_and_nothing_leaves_the_prefix(url: str, rest: str | None) -> None:
    found = mirror_for((GITHUB,), url)
    assert (found and found[1]) == rest


def test_the_longest_prefix_counts() -> None:
    own = Mirror("https://github.com/own/", "https://elsewhere.example/")
    assert mirror_for((GITHUB, own), "https://github.com/own/r") == (own, "r")
    assert mirror_for((own, GITHUB), "https://github.com/owner/r") == (GITHUB, "owner/r")


@settings(max_examples=1000, deadline=None)
@given(st.text(max_size=60).map(lambda text: f"https://github.com/{text}") | st.text(max_size=60))
def test_any_text_is_under_a_rule_or_not_or_no_url(text: str) -> None:
    try:
        found = mirror_for((GITHUB,), text)
    except TemplateError:
        return
    assert found is None or "/../" not in f"/{found[1]}/"
