from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

import pytest

from binstall.formats.crate_source import (
    CRATES_IO,
    CrateSource,
    SourceKind,
    git_source,
    path_source,
    registry_source,
    source_of,
)


@pytest.mark.parametrize(
    "index",
    [
        "sparse+https://index.crates.io/",
        "sparse+https://index.crates.io",
        "https://github.com/rust-lang/crates.io-index",
        "registry+https://github.com/rust-lang/crates.io-index",
        "https://GitHub.com/rust-lang/crates.io-index.git/",
    ],
)
def test_crates_io_is_one_source_by_whatever_route(index: str) -> None:
    assert registry_source(index) == CRATES_IO
    assert str(CRATES_IO) == "registry+https://github.com/rust-lang/crates.io-index"


@pytest.mark.parametrize(
    ("index", "text", "url"),
    [
        ("sparse+https://reg.example/i/", "sparse+https://reg.example/i/", "https://reg.example/i"),
        ("sparse+https://reg.example/i", "sparse+https://reg.example/i/", "https://reg.example/i"),
        ("sparse+https://reg.example//", "sparse+https://reg.example/", "https://reg.example"),
        ("https://reg.example/i.git", "registry+https://reg.example/i.git", "https://reg.example/i.git"),
        (
            "sparse+https://me:secret@reg.example/i/?token=1",
            "sparse+https://reg.example/i/",
            "https://reg.example/i",
        ),
        ("https://reg.example/a b", "registry+https://reg.example/a%20b", "https://reg.example/a%20b"),
    ],
)
def test_another_registry_is_recorded_as_cargo_would(index: str, text: str, url: str) -> None:
    source = registry_source(index)
    assert (str(source), source.url) == (text, url)


def test_a_path_is_an_absolute_file_url() -> None:
    assert str(path_source(PurePosixPath("/a b/ü"))) == "path+file:///a%20b/%C3%BC"
    assert str(path_source(PureWindowsPath("C:/a"))) == "path+file:///C:/a"
    with pytest.raises(ValueError, match="relative"):
        path_source(PurePosixPath("a"))


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://me:secret@host.example/r?key=1#frag", "git+https://host.example/r#c0ffee"),
        ("git@host.example:owner/r.git", "git+ssh://host.example/owner/r.git#c0ffee"),
        ("ssh://git@host.example/r", "git+ssh://host.example/r#c0ffee"),
    ],
)
def test_a_git_repository_is_recorded_with_its_commit(url: str, text: str) -> None:
    assert str(git_source(url, "c0ffee")) == text


@pytest.mark.parametrize("kind", list(SourceKind))
def test_the_members_of_a_record_are_read_again(kind: SourceKind) -> None:
    source = CrateSource(kind, "https://host.example")
    assert source_of(source.members()) == source


@pytest.mark.parametrize(
    "members", [None, [], {}, {"source_type": "git", "url": "x"}, {"source_type": "Git", "url": 1}]
)
def test_other_members_are_no_source(members: object) -> None:
    assert source_of(members) is None
