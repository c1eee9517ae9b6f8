"""The `{ name }` language."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import TemplateError
from binstall.formats.template import parse_template
from binstall.limits import MAX_TEMPLATE_CHARACTERS, MAX_URL_CHARACTERS

VALUES = {"name": "ripgrep", "version": "1.2.3", "a b": "inner", "{ x": "brace"}


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        pytest.param("", "", id="empty"),
        pytest.param("plain text/é", "plain text/é", id="literal"),
        pytest.param("{ name }", "ripgrep", id="spaced"),
        pytest.param("{name}", "ripgrep", id="tight"),
        pytest.param("{\t\u2003name\u3000\n}", "ripgrep", id="unicode white space"),
        pytest.param("{ name }{ version }-{name}", "ripgrep1.2.3-ripgrep", id="several"),
        pytest.param("{ a b }", "inner", id="inner white space is kept"),
        pytest.param("{ { x }", "brace", id="a key may hold an opening brace"),
        pytest.param(r"\{ name \}", "{ name }", id="escaped braces"),
        pytest.param(r"\\{ name }\\", "\\ripgrep\\", id="escaped back-slashes"),
        pytest.param(r"\\\{", "\\{", id="escape after escape"),
    ],
)
def test_a_template_renders_to_its_text_with_the_values_in_place(text: str, rendered: str) -> None:
    assert parse_template(text).render(VALUES) == rendered


def test_the_keys_are_the_trimmed_names() -> None:
    assert parse_template("{ name }-{version}-{ name }").keys == {"name", "version"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "`{` without its `}`"),
        ("a{ name", "`{` without its `}`"),
        ("a{ name \\", "`{` without its `}`"),
        ("}", "`}` without its `{`"),
        ("{ name }}", "`}` without its `{`"),
        ("{}", "empty braces"),
        ("{ \t }", "empty braces"),
        (r"{ na\me }", "back-slash inside braces"),
        (r"{ name\} }", "back-slash inside braces"),
        ("a\\", "back-slash before"),
        (r"\n", "back-slash before"),
        ("\\\n", "back-slash before"),
        ("x" * (MAX_TEMPLATE_CHARACTERS + 1), "MAX_TEMPLATE_CHARACTERS"),
    ],
)
def test_what_is_no_template_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(TemplateError) as refused:
        parse_template(text)
    assert complaint in refused.value.message
    assert len(refused.value.message) < 400


def test_a_key_without_a_value_is_refused_and_the_known_ones_are_told() -> None:
    with pytest.raises(TemplateError, match="needs `Name`, which has no value here") as refused:
        parse_template("{ Name }").render({"name": "x", "version": "1"})
    assert refused.value.hint == "known here: name, version"


def test_a_value_is_inserted_as_it_is() -> None:
    assert parse_template("{ a }").render({"a": r"{ b }\{", "b": "no"}) == r"{ b }\{"


def test_the_separators_of_ascii_are_no_white_space() -> None:
    assert parse_template("{ \x1fname }").keys == {"\x1fname"}


def test_a_rendered_template_is_bounded() -> None:
    values = {"a": "x" * 4096}
    assert len(parse_template("{a}{a}").render(values)) == MAX_URL_CHARACTERS
    with pytest.raises(TemplateError, match="MAX_URL_CHARACTERS"):
        parse_template("{a}{a}.").render(values)


_PIECES = st.sampled_from(
    [
        "{",
        "}",
        "\\",
        "\\{",
        "\\}",
        "\\\\",
        "{ name }",
        "{version}",
        "{ other }",
        " ",
        "https://h/",
        "é",
        "\n",
    ]
)


@settings(max_examples=1000, deadline=None)
@given(st.lists(_PIECES, max_size=12).map("".join))
def test_a_template_of_valid_pieces_parses_and_renders_or_is_refused(text: str) -> None:
    _parse_and_render(text)


@settings(max_examples=1000, deadline=None)
@given(st.text(st.characters()) | st.text(st.sampled_from("{}\\ ab\x85\ud800")))
def test_any_text_parses_and_renders_or_is_refused(text: str) -> None:
    _parse_and_render(text)


def _parse_and_render(text: str) -> None:
    try:
        template = parse_template(text)
    except TemplateError:
        assert any(mark in text for mark in "{}\\")
        return
    assert template.text == text
    assert all(key and "}" not in key and "\\" not in key for key in template.keys)
    rendered = template.render({key: f"<{key}>" for key in template.keys})
    assert all(f"<{key}>" in rendered for key in template.keys)
    try:
        template.render(VALUES)
    except TemplateError:
        assert not template.keys <= VALUES.keys()


@settings(max_examples=1000, deadline=None)
@given(st.text())
def test_escaped_text_renders_to_itself(text: str) -> None:
    escaped = text.replace("\\", "\\\\").replace("{", "\\{").replace("}", "\\}")
    template = parse_template(escaped)
    assert template.render({}) == text
    assert not template.keys
