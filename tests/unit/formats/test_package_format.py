"""Package formats, their extensions, and the guess from a template."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.formats.package_format import PackageFormat, guess_package_format, parse_package_format


def test_formats_stand_in_trial_order() -> None:
    assert [str(each) for each in PackageFormat] == ["tar", "tbz2", "tgz", "txz", "tzstd", "zip", "bin"]


@pytest.mark.parametrize(
    ("package_format", "extensions"),
    [
        ("tar", (".tar",)),
        ("tbz2", (".tbz2", ".tar.bz2", ".tbz", ".tar.bz")),
        ("tgz", (".tgz", ".tar.gz")),
        ("txz", (".txz", ".tar.xz")),
        ("tzstd", (".tzstd", ".tzst", ".tar.zst")),
        ("zip", (".zip",)),
        ("bin", (".bin", "")),
    ],
)
def test_extensions_stand_in_trial_order(package_format: str, extensions: tuple[str, ...]) -> None:
    assert PackageFormat(package_format).extensions(windows=False) == extensions


def test_only_a_raw_binary_has_another_extension_on_windows() -> None:
    for each in PackageFormat:
        more = (".exe",) if each is PackageFormat.BIN else ()
        assert each.extensions(windows=True) == each.extensions(windows=False) + more


@pytest.mark.parametrize("text", ["", "TGZ", "Tgz", " tgz", "tar.gz", ".tgz", "exe", "gz"])
def test_a_format_is_spelled_exactly(text: str) -> None:
    assert parse_package_format(text) is None


@pytest.mark.parametrize("package_format", list(PackageFormat))
def test_each_format_parses_its_own_name(package_format: PackageFormat) -> None:
    assert parse_package_format(str(package_format)) is package_format


@pytest.mark.parametrize(
    ("template", "guessed"),
    [
        ("https://h/x.tgz", "tgz"),
        ("{repo}/x.tar.gz", "tgz"),
        ("foo.tgz", "tgz"),
        (".tgz", "tgz"),
        ("x.tar", "tar"),
        ("x.tar.tar", "tar"),
        ("x.tbz2", "tbz2"),
        ("x.tbz", "tbz2"),
        ("x.tar.bz2", "tbz2"),
        ("x.tar.bz", "tbz2"),
        ("x.txz", "txz"),
        ("x.tar.xz", "txz"),
        ("x.tzstd", "tzstd"),
        ("x.tzst", "tzstd"),
        ("x.tar.zst", "tzstd"),
        ("x.tar.tgz", "tgz"),
        ("x.zip", "zip"),
        ("x.bin", "bin"),
        ("x.exe", "bin"),
        ("{ name }-{ version }.{ target }.zip", "zip"),
        (".tar.gz", "tgz"),
    ],
)
def test_the_end_of_a_template_names_its_format(template: str, guessed: str) -> None:
    assert guess_package_format(template) is PackageFormat(guessed)


@pytest.mark.parametrize(
    "template",
    [
        *[
            "https://h/x.gz",
            "x.bz2",
            "x.bz",
            "x.xz",
            "x.zst",
            "x.tar.zstd",
            "x.TGZ",
            "x.Tar.gz",
            "x.tar.GZ",
        ],
        *[
            "x.tgz?a=b",
            "x.zip/download",
            "x{ binary-ext }",
            "x{ archive-suffix }",
            "tgz",
            "tar",
            "zip",
            "exe",
        ],
        *["", ".", "..", "x.", "x.tar.", "xtar.gz", "x..gz", "x.tgz "],
        "tar.gz",  # nothing is left before `tar`
    ],
)
def test_other_ends_name_no_format(template: str) -> None:
    assert guess_package_format(template) is None


_PIECES = st.sampled_from(
    [".", "tar", "gz", "tgz", "bz2", "bz", "xz", "zst", "zip", "exe", "bin", "x", "/", "{ n }"]
)


@settings(max_examples=1000, deadline=None)
@given(st.lists(_PIECES).map("".join))
def test_a_guess_is_a_format_whose_extension_ends_the_template(template: str) -> None:
    _guess(template)


@settings(max_examples=1000, deadline=None)
@given(st.text())
def test_any_text_gives_a_guess_or_none(template: str) -> None:
    _guess(template)


def _guess(template: str) -> None:
    guessed = guess_package_format(template)
    known = [
        each
        for each in PackageFormat
        for extension in each.extensions(windows=True)
        if extension and template.endswith(extension)
    ]
    if guessed is None:
        assert not known
    else:
        assert guessed in known


@settings(max_examples=1000, deadline=None)
@given(st.one_of(st.text(), st.sampled_from([*PackageFormat, "TAR", "Zip"]).map(str)))
def test_what_parses_as_a_format_is_its_name(text: str) -> None:
    parsed = parse_package_format(text)
    assert parsed is None if text not in set(PackageFormat) else str(parsed) == text
