"""`cfg(...)` keys: cargo's grammar, and the facts of a target."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import ManifestError
from binstall.formats.cfg import parse_cfg
from binstall.formats.target import parse_target
from binstall.limits import MAX_CFG_CHARACTERS, MAX_CFG_DEPTH

LINUX = parse_target("x86_64-unknown-linux-gnu")
TARGETS = tuple(
    parse_target(text)
    for text in (
        "x86_64-unknown-linux-gnu",
        "aarch64-apple-darwin",
        "i686-pc-windows-msvc",
        "wasm32-wasip1",
    )
)


@pytest.mark.parametrize(
    ("text", "target", "holds"),
    [
        ("cfg(unix)", "x86_64-unknown-linux-gnu", True),
        ("cfg(unix)", "x86_64-pc-windows-msvc", False),
        ("cfg(windows)", "x86_64-pc-windows-msvc", True),
        ("cfg(unix)", "wasm32-wasip1", False),
        ("cfg(windows)", "wasm32-wasip1", False),
        ('cfg(target_family = "unix")', "aarch64-apple-darwin", True),
        ('cfg(target_os = "macos")', "aarch64-apple-darwin", True),
        ('cfg(target_os = "darwin")', "aarch64-apple-darwin", False),
        ('cfg(target_env = "unknown")', "aarch64-apple-darwin", True),
        ('cfg(target_vendor = "apple")', "aarch64-apple-darwin", True),
        ('cfg(target_arch = "i686")', "i686-unknown-linux-gnu", True),
        ('cfg(target_arch = "x86")', "i686-unknown-linux-gnu", False),
        ('cfg(target_env = "gnueabihf")', "armv7-unknown-linux-gnueabihf", True),
        ('cfg(target_os = "linux")', "aarch64-linux-android", True),
        ('cfg(target_pointer_width = "64")', "x86_64-unknown-linux-gnu", False),
        ('cfg(not(feature = "x"))', "x86_64-unknown-linux-gnu", True),
        ("cfg(target_os)", "x86_64-unknown-linux-gnu", False),
        ("cfg(all())", "x86_64-unknown-linux-gnu", True),
        ("cfg(any())", "x86_64-unknown-linux-gnu", False),
        ("cfg(true)", "x86_64-unknown-linux-gnu", True),
        ("cfg(false)", "x86_64-unknown-linux-gnu", False),
        ("cfg(r#true)", "x86_64-unknown-linux-gnu", False),
        ("cfg(r#unix)", "x86_64-unknown-linux-gnu", True),
        ('cfg(r#target_os="linux")', "x86_64-unknown-linux-gnu", True),
        ("cfg( all ( unix , not( windows ) , ) )", "x86_64-unknown-linux-gnu", True),
        ('cfg(any(windows, target_os = "linux"))', "x86_64-unknown-linux-gnu", True),
        ('cfg(all(unix, target_arch = "aarch64"))', "x86_64-unknown-linux-gnu", False),
        ("cfg(not(all()))", "x86_64-unknown-linux-gnu", False),
        ("cfg(not(unix))", "x86_64-pc-windows-msvc", True),
    ],
)
def test_an_expression_holds_by_the_targets_own_words(text: str, target: str, holds: bool) -> None:
    assert parse_cfg(text).matches(parse_target(target)) is holds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "unix",
        "cfg",
        "cfg()",
        "cfg( )",
        "cfg(unix",
        " cfg(unix)",
        "cfg (unix)",
        "CFG(unix)",
        "cfg(unix windows)",
        "cfg(unix,)",
        "cfg(all)",
        "cfg(all(,))",
        "cfg(all(unix windows))",
        "cfg(all(unix,,))",
        "cfg(not())",
        "cfg(not(unix, windows))",
        "cfg(not(unix,))",
        "cfg(cfg(unix))",
        "cfg(unix))",
        "cfg((unix))",
        "cfg(target_os = linux)",
        'cfg(target_os = "linux)',
        'cfg("linux")',
        'cfg(target_os == "linux")',
        'cfg(true = "x")',
        "cfg(r#all(unix))",
        "cfg(1unix)",
        "cfg(tärget)",
        "cfg(unix\t)",
        "cfg(\nunix)",
        "cfg(a-b)",
        "cfg(unix" + "\0" + ")",
    ],
)
def test_what_cargo_would_refuse_is_refused(text: str) -> None:
    with pytest.raises(ManifestError, match=r"is not a cfg\(\) expression"):
        parse_cfg(text)


def test_nesting_is_bounded() -> None:
    nested = "unix"
    for _ in range(MAX_CFG_DEPTH):
        nested = f"not({nested})"
    assert parse_cfg(f"cfg({nested})").matches(LINUX)
    with pytest.raises(ManifestError, match="MAX_CFG_DEPTH"):
        parse_cfg(f"cfg(not({nested}))")


def test_length_is_bounded() -> None:
    with pytest.raises(ManifestError, match="MAX_CFG_CHARACTERS"):
        parse_cfg("cfg(" + "a" * MAX_CFG_CHARACTERS + ")")


def test_names_without_a_fact_are_told() -> None:
    cfg = parse_cfg('cfg(any(unix, feature = "x", all(target_pointer_width = "64", target_os = "linux")))')
    assert cfg.unknown == {"feature", "target_pointer_width"}


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    listed = st.lists(inner, max_size=3).map(", ".join)
    return st.one_of(
        listed.map("all({})".format), listed.map("any({})".format), inner.map("not({})".format)
    )


_LEAVES = st.sampled_from(["unix", "windows", "true", "r#x", 'target_os = "linux"', 'target_env="msvc"'])
EXPRESSIONS = st.recursive(_LEAVES, _grown, max_leaves=8).map("cfg({})".format)


@settings(max_examples=1000, deadline=None)
@given(inner=EXPRESSIONS, target=st.sampled_from(TARGETS))
def test_negation_turns_every_verdict_round(inner: str, target: object) -> None:
    assert isinstance(target, type(LINUX))
    negated = f"cfg(not({inner[4:-1]}))"
    assert parse_cfg(inner).matches(target) is not parse_cfg(negated).matches(target)


@settings(max_examples=1000, deadline=None)
@given(
    text=EXPRESSIONS,
    at=st.integers(min_value=4),
    cut=st.integers(0, 3),
    put=st.text('alnyotr#=",() \\\t_\0é', max_size=3),
)
def test_an_altered_expression_is_read_or_refused(text: str, at: int, cut: int, put: str) -> None:
    at %= len(text)
    _read_or_refuse(text[:at] + put + text[at + cut :])


@settings(max_examples=1000, deadline=None)
@given(st.one_of(st.text(), st.text('alnyot=",() #r', max_size=200).map("cfg({})".format)))
def test_any_text_is_read_or_refused(text: str) -> None:
    _read_or_refuse(text)


def _read_or_refuse(text: str) -> None:
    try:
        cfg = parse_cfg(text)
    except ManifestError:
        return
    assert cfg.text == text
    assert all(cfg.matches(target) in {True, False} for target in TARGETS)
