from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.formats.url import normal_url
from binstall.resolve.repository import Repository, hosting_service, read_repository


@pytest.mark.parametrize(
    ("text", "url", "service", "subcrate"),
    [
        ("https://github.com/o/r", "https://github.com/o/r", "github", None),
        ("https://github.com/o/r/", "https://github.com/o/r", "github", None),
        ("https://github.com/o/r.git", "https://github.com/o/r", "github", None),
        ("https://www.GitHub.com:443/o/r.git/", "https://github.com/o/r", "github", None),
        ("https://github.com/o/r?tab=readme#readme", "https://github.com/o/r", "github", None),
        ("https://github.com/o/r/tree/main", "https://github.com/o/r", "github", None),
        ("https://github.com/o/r/tree/main/c", "https://github.com/o/r", "github", "c"),
        ("https://github.com/o/r/tree/main/crates/c", "https://github.com/o/r", "github", "c"),
        ("https://github.com/o/r/tree/main/a/b/c/d/", "https://github.com/o/r", "github", "d"),
        ("https://github.com/o/r/blob/main/c/Cargo.toml", "https://github.com/o/r", "github", "c"),
        ("https://github.com/o/r/issues", "https://github.com/o/r", "github", None),
        ("https://github.com/o", "https://github.com/o", None, None),
        ("https://gitlab.com/g/r/-/tree/main/crates/c", "https://gitlab.com/g/r", "gitlab", "c"),
        ("https://gitlab.com/g/s/t/r/-/blob/main/c", "https://gitlab.com/g/s/t/r", "gitlab", "c"),
        ("https://gitlab.com/g/s/t/r", "https://gitlab.com/g/s/t/r", "gitlab", None),
        ("https://gitlab.com/g/s/r/-/issues", "https://gitlab.com/g/s/r", "gitlab", None),
        ("https://gitlab.com/g/r/tree/main/c", "https://gitlab.com/g/r", "gitlab", "c"),
        ("https://gitlab.example.org/g/r.git", "https://gitlab.example.org/g/r", "gitlab", None),
        ("https://codeberg.org/o/r/src/branch/main/c", "https://codeberg.org/o/r", "codeberg", "c"),
        ("https://codeberg.org/o/r/src/tag/v1/a/c", "https://codeberg.org/o/r", "codeberg", "c"),
        ("https://forgejo.example.org/o/r", "https://forgejo.example.org/o/r", "codeberg", None),
        ("https://bitbucket.org/o/r/src/main/c", "https://bitbucket.org/o/r", "bitbucket", None),
        ("https://sourceforge.net/p/r/code", "https://sourceforge.net/projects/r", "sourceforge", None),
        ("https://sourceforge.net/projects/r/files/", "https://sourceforge.net/projects/r", "sourceforge", None),
        ("http://github.com/o/r", "https://github.com/o/r", "github", None),
        ("http://gitlab.local:8080/g/r", "http://gitlab.local:8080/g/r", "gitlab", None),
        ("git://github.com/o/r.git", "https://github.com/o/r", "github", None),
        ("git@github.com:o/r.git", "https://github.com/o/r", "github", None),
        ("ssh://git@codeberg.org:2222/o/r.git", "https://codeberg.org/o/r", "codeberg", None),
        ("git+https://gitlab.com/g/r", "https://gitlab.com/g/r", "gitlab", None),
        ("https://corp.example:8443/o/r.git", "https://corp.example:8443/o/r", "github", None),
        ("https://home.example/r/", "https://home.example/r", None, None),
        ("http://home.example/r.git", "http://home.example/r", None, None),
        ("https://github.com.evil.example/o/r", "https://github.com.evil.example/o/r", None, None),
        ("ftp://github.com/o/r", "ftp://github.com/o/r", None, None),
        ("no address at all", "no address at all", None, None),
        ("https://[::1/o/r", "https://[::1/o/r", None, None),
        ("https://github.com:99999/o/r", "https://github.com:99999/o/r", None, None),
    ],
)  # fmt: skip
def test_a_repository_is_read_as_its_service_writes_it(
    text: str, url: str, service: str | None, subcrate: str | None
) -> None:
    assert read_repository(text, {"corp.example:8443"}) == Repository(url, service, subcrate)


@pytest.mark.parametrize("text", [None, "", "  "])
def test_no_text_is_no_repository(text: str | None) -> None:
    assert read_repository(text) is None


@pytest.mark.parametrize(
    "host",
    ["github-evil.example", "githubs.com", "evil-github.com", "mygithub.com", "gitlab-evil.example", "gitlab",
     "github.com.", "notgitlab.com", "a.b.ghe.com", "127.0.0.1", "bitbucket.org.example"],
)  # fmt: skip
def test_a_host_that_is_merely_called_like_a_service_is_none(host: str) -> None:
    assert hosting_service(host, {"github.com"}) is None


def test_a_crate_s_name_inside_is_one_plain_word() -> None:
    for text in ("https://github.com/o/r/tree/main/..", "https://github.com/o/r/tree/main/%2e%2e%2fx"):
        found = read_repository(text)
        assert found is not None
        assert found.subcrate is None


_WORDS = st.sampled_from(
    ["https://", "http://", "git@", "ssh://", "github.com", "gitlab.com", "codeberg.org", "/", ":", "-", "tree",
     "blob", "src", "branch", "main", "o", "r", ".git", "..", "%2f", "?", "#", "@", "[", "\\", " ", "\n", "\u202e"]
)  # fmt: skip


@settings(max_examples=1000, deadline=None)
@given(st.lists(_WORDS, max_size=14).map("".join) | st.text(max_size=80))
def test_whatever_stands_there_reading_it_raises_nothing_and_a_service_gives_an_address(text: str) -> None:
    found = read_repository(text)
    if found is not None and found.service is not None:
        assert normal_url(found.url, what="it").rstrip("/").startswith(("https://", "http://"))
        assert not found.url.endswith("/")
