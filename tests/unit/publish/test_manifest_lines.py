"""Where in a `Cargo.toml` something stands."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.formats.cargo_toml import parse_cargo_toml
from binstall.publish.manifest_lines import ManifestLines, table_of

TEXT = """\
[package]
name = "x"

# a comment
[package.metadata.binstall]
pkg-url = '''
https://example.com/'''

bin-dir = "b"
overrides = { "cfg(unix)" = { pkg-fmt = "zip" } }
[[bin]]
name = "y"
[package.metadata.binstall.signing]
pubkey = "k"
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("name",), 2),
        (("repository",), 1),
        (("metadata",), 1),
        (("metadata", "binstall"), 5),
        (("metadata", "binstall", "pkg-url"), 6),
        (("metadata", "binstall", "pkg-fmt"), 5),
        (("metadata", "binstall", "bin-dir"), 9),
        (("metadata", "binstall", "overrides", "cfg(unix)", "pkg-fmt"), 10),
        (("metadata", "binstall", "signing"), 13),
        (("metadata", "binstall", "signing", "pubkey"), 14),
        (("metadata", "binstall", "signing", "algorithm"), 13),
    ],
)
@pytest.mark.parametrize("before", ["", "\ufeff"], ids=["plain", "byte order mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_a_key_is_on_its_line_and_an_absent_one_where_it_belongs(
    path: tuple[str, ...], line: int, before: str, end: str
) -> None:
    lines = ManifestLines("a/Cargo.toml", before + TEXT.replace("\n", end))
    assert lines.place(*path) == f"a/Cargo.toml:{line}"


def test_the_old_name_of_package_is_understood() -> None:
    assert ManifestLines("Cargo.toml", '\n[project]\nname = "x"\n').place("name") == "Cargo.toml:3"


def test_a_manifest_without_a_package_has_no_line() -> None:
    assert ManifestLines("Cargo.toml", '[workspace]\nname = "x"\n').place("name") == "Cargo.toml"


@pytest.mark.parametrize(
    ("key", "header"),
    [
        (None, "[package.metadata.binstall]"),
        ("x86_64-apple-darwin", "[package.metadata.binstall.overrides.x86_64-apple-darwin]"),
        ('cfg(target_os = "linux")', r'[package.metadata.binstall.overrides."cfg(target_os = \"linux\")"]'),
    ],
)
def test_a_header_is_written_as_toml_wants_it(key: str | None, header: str) -> None:
    assert table_of(key) == header
    parse_cargo_toml(f"{header}\n")


KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)


@settings(max_examples=1000, deadline=None)
@given(st.integers(0, 20), st.lists(KEYS, min_size=1, max_size=3), st.text("\n #a", max_size=20))
def test_whatever_the_key_is_called_its_line_is_found(above: int, keys: list[str], value: str) -> None:
    def quoted(text: str) -> str:
        return '"' + "".join(f"\\U{ord(character):08x}" for character in text) + '"'

    dotted = ".".join(quoted(key) for key in keys)
    text = "[package]\n" + "# nothing\n" * above + f"{dotted} = '''{value}'''\nlast = 1\n"
    lines = ManifestLines("Cargo.toml", text)
    assert lines.place(*keys) == f"Cargo.toml:{above + 2}"
