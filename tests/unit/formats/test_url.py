from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import TemplateError
from binstall.formats.url import host_of, is_loopback, normal_url


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("https://H.Example:443/a b", "https://h.example/a%20b"),
        ("HTTPS://h", "https://h/"),
        ("http://h:80/x", "http://h/x"),
        ("https://h:8443/x", "https://h:8443/x"),
        ("https://h/a/../b/./c/", "https://h/b/c/"),
        ("https://h/a/%2e%2E/b", "https://h/b"),
        ("https://h/../../x", "https://h/x"),
        ("https://h/a//b", "https://h/a//b"),
        ("https://h/ä%20ü?ö=1#f", "https://h/%C3%A4%20%C3%BC?%C3%B6=1"),
        ("https://h/releases/download/name%2F1.0/x", "https://h/releases/download/name%2F1.0/x"),
        ("https://[::1]:8443/x", "https://[::1]:8443/x"),
        ("https://u:p@h/x", "https://u:p@h/x"),
        ("https://bücher.example/x", "https://xn--bcher-kva.example/x"),
        ("https:\\\\h\\x", "https://h/x"),
    ],
)
def test_a_url_has_one_form(text: str, normal: str) -> None:
    assert normal_url(text, what="it") == normal
    assert normal_url(normal, what="it") == normal


@pytest.mark.parametrize(
    "text",
    ["", "h", "//h/x", "ftp://h/x", "file:///x", "https://", "https:///x", "https://h:x/", "https://h:99999/",
     "https://[::1/x", "https://h/\n", "https://h/\x00", "https://a b/", "https://%41/", "javascript:x",
     "https://h" + "x" * 9000],
)  # fmt: skip
def test_anything_else_is_a_template_error(text: str) -> None:
    with pytest.raises(TemplateError, match="it"):
        normal_url(text, what="it")


@settings(max_examples=1000, deadline=None)
@given(st.text(max_size=80) | st.text("https:/@[]#?%.\\x é", max_size=40).map("https://h".__add__))
def test_any_text_is_a_normal_url_or_a_template_error(text: str) -> None:
    try:
        normal = normal_url(text, what="it")
    except TemplateError:
        return
    assert normal.isascii() and normal.isprintable()
    assert normal.startswith(("https://", "http://"))
    assert normal_url(normal, what="it") == normal


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("https://localhost/x", True),
        ("https://127.0.0.1:4/x", True),
        ("https://127.9.9.9/", True),
        ("https://[::1]/", True),
        ("https://localhost.evil.example/", False),
        ("https://127.0.0.1.evil.example/", False),
        ("https://127.0.0.1@evil.example/", False),
        ("https://128.0.0.1/", False),
        ("https://127.0.0.300/", False),
    ],
)
def test_loopback_is_this_machine_and_nothing_that_looks_like_it(url: str, loopback: bool) -> None:
    assert is_loopback(url) == loopback


def test_the_host_is_shown_without_user_info_and_with_an_unusual_port() -> None:
    assert host_of("https://u:p@h:8443/x") == "h:8443"
