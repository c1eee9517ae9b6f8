from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from binstall.errors import UsageError
from binstall.formats.git_url import GitUrl, parse_git_url

HERE = Path("/here")


def read(text: str, *, paths: bool = True) -> GitUrl:
    return parse_git_url(text, HERE, origin="--git", error=UsageError, paths=paths)


@pytest.mark.parametrize(
    ("text", "url", "asked"),
    [
        ("https://host.example/a/b.git", "https://host.example/a/b.git", None),
        ("HTTPS://Host.Example:443/a/./b/../c", "https://host.example/a/c", None),
        ("http://host.example:8080/a", "http://host.example:8080/a", None),
        ("https://[::1]:8443/a", "https://[::1]:8443/a", None),
        ("ssh://git@host.example/a/b.git", "ssh://git@host.example/a/b.git", None),
        ("ssh://host.example:2222/~me/a", "ssh://host.example:2222/~me/a", None),
        ("ssh://me@[::1]:22/a", "ssh://me@[::1]:22/a", None),
        ("git@github.com:me/repo.git", "ssh://git@github.com/me/repo.git", "git@github.com:me/repo.git"),
        ("host.example:/srv/repo", "ssh://host.example/srv/repo", "host.example:/srv/repo"),
        ("file:///srv/repo", "file:///srv/repo", None),
        ("file://localhost/srv/repo", "file:///srv/repo", None),
        ("/srv/a b", "file:///srv/a%20b", None),
        ("repo", "file:///here/repo", None),
        ("./git@host:x", "file:///here/git%40host%3Ax", None),
        ("./-x", "file:///here/-x", None),
    ],
)
def test_every_way_to_write_an_address_ends_in_one_form(text: str, url: str, asked: str | None) -> None:
    found = read(text)
    assert found.url.replace("%3A", ":").replace("%40", "@") == url.replace("%3A", ":").replace("%40", "@")
    assert found.asked == (asked or found.url)
    assert (found.user, found.password) == (None, None)


@pytest.mark.parametrize(
    ("login", "user", "password"),
    [("me", "me", None), ("me:p%40ss:w", "me", "p@ss:w"), (":x", None, "x"), ("me:", "me", "")],
)
def test_a_login_of_a_web_address_is_kept_apart_and_never_shown(
    login: str, user: str | None, password: str | None
) -> None:
    found = read(f"https://{login}@host.example/x")
    assert found.url == found.asked == "https://host.example/x"
    assert (found.user, found.password) == (user, password)
    assert str(found) == "https://host.example/x"
    assert "p@ss" not in repr(found)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-x",
        "--upload-pack=touch x",
        "ext::sh -c touch% x",
        "fd::3",
        "::x",
        "git://host.example/x",
        "ftp://host.example/x",
        "ext://x",
        "https://",
        "https:///x",
        "https://-host/x",
        "https://host/x?y",
        "https://host/x#y",
        "https://me:%0a@host/x",
        "https://host:99999/x",
        "ssh://host",
        "ssh://host/",
        "ssh:///x",
        "ssh://-oProxyCommand=x/y",
        "ssh://me:secret@host/x",
        "ssh://-me@host/x",
        "ssh://host:-1/x",
        "ssh://host:x/y",
        "-oProxyCommand=x:y",
        "me@-host:x",
        "-me@host:x",
        "me@host:",
        "me@host:-x",
        "host:/",
        "file://host/x",
        "file://x",
        "file:///x?y",
        "file:///x%00",
        "a\nb",
        "a\0b",
        "a\x1bb",
        "a\u202eb",
        "x" * 9000,
    ],
)
def test_what_is_no_address_or_would_be_an_option_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--git is no git repository") as caught:
        read(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["x", "/x", "../x", "C:x y"[2:]])
def test_a_path_is_none_where_only_urls_are_meant(text: str) -> None:
    with pytest.raises(UsageError, match="has no scheme"):
        read(text, paths=False)


@pytest.mark.parametrize(
    ("text", "authentic"),
    [
        ("https://h/x", True),
        ("ssh://h/x", True),
        ("me@h:x", True),
        ("/x", True),
        ("http://127.0.0.1:1/x", True),
        ("http://h/x", False),
    ],
)
def test_only_plain_http_from_elsewhere_proves_nothing(text: str, authentic: bool) -> None:
    assert read(text).is_authentic is authentic


VALID = (
    "https://me:pw@host.example:8443/a/b.git",
    "ssh://git@host.example:22/a/b",
    "git@host.example:a/b.git",
    "file:///srv/a",
    "/srv/a",
)
pieces = st.sampled_from(
    [
        "-",
        "--",
        "::",
        ":",
        "/",
        "@",
        "?",
        "#",
        "%",
        "%2f",
        "%00",
        "[",
        "]",
        "..",
        "\n",
        "\0",
        " ",
        "é",
        "\\",
    ]
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(VALID))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        end = at + draw(st.integers(0, 4))
        text = text[:at] + draw(pieces | st.text(max_size=4)) + text[end:]
    return text


def check(text: str) -> None:
    try:
        found = read(text)
    except UsageError:
        return
    assert found.scheme in {"https", "http", "ssh", "file"}
    for address in (found.url, found.asked):
        assert address.isprintable()
        assert not address.startswith("-")
        assert not re.match(r"[A-Za-z0-9+.-]*::", address), "a program to fetch it with"
    parts = urlsplit(found.url)
    assert not parts.netloc.startswith("-")
    assert "@-" not in parts.netloc
    assert not parts.query
    assert not parts.fragment
    assert bool(parts.netloc) == (found.scheme != "file")
    if found.scheme.startswith("http"):
        assert "@" not in parts.netloc
    assert read(found.url).url == found.url


@settings(max_examples=1000, deadline=None)
@given(mutated())
def test_a_mutated_address_is_read_or_refused(text: str) -> None:
    check(text)


@settings(max_examples=1000, deadline=None)
@given(st.text(max_size=60) | st.text(max_size=40).map(lambda text: f"ssh://{text}"))
@example("https://\ud800/")
def test_any_address_is_read_or_refused(text: str) -> None:
    check(text)
