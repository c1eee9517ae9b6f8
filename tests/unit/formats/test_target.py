"""Target triples, compared with what target-lexicon, the parser of cargo-binstall, makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import BadTarget
from binstall.formats.target import parse_target
from binstall.limits import MAX_TARGET_CHARACTERS

_VECTORS = Path(__file__).parents[2] / "vectors" / "targets.tsv"
ROWS = [
    line.split("\t")
    for line in _VECTORS.read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
KNOWN = [row for row in ROWS if row[1] != "ERROR"]
UNKNOWN = [row for row in ROWS if row[1] == "ERROR"]


def test_the_vectors_hold_all_targets() -> None:
    assert (len(KNOWN), len(UNKNOWN)) == (269, 57)


@pytest.mark.parametrize("row", KNOWN, ids=lambda row: str(row[0]))
def test_a_known_triple_has_the_values_of_the_reference_parser(row: list[str]) -> None:
    text, family, os_name, arch, libc, vendor, cfg_family = row
    target = parse_target(text)
    assert target.template_values() == {
        "target": text,
        "target-family": family,
        "os-name": os_name,
        "target-arch": arch,
        "target-libc": libc,
        "target-vendor": vendor,
        "binary-ext": ".exe" if family == "windows" else "",
    }
    assert (target.cfg_family or "-") == cfg_family


@pytest.mark.parametrize("row", UNKNOWN, ids=lambda row: str(row[0]))
def test_a_triple_unknown_to_the_reference_parser_is_refused_for_the_same_part(row: list[str]) -> None:
    text, _, complaint = row
    part = complaint.rpartition(" ")[2]
    kind = complaint.removeprefix("Unrecognized ").partition(":")[0]
    with pytest.raises(BadTarget) as refused:
        parse_target(text)
    assert refused.value.message == f"target `{text}` has an unknown {kind} `{part}`"
    assert refused.value.exit_code == 97


@pytest.mark.parametrize(
    ("text", "arch", "vendor", "family", "libc"),
    [
        pytest.param("arm64-apple-darwin", "aarch64", "apple", "darwin", "unknown", id="arm64 is aarch64"),
        pytest.param("x86_64", "x86_64", "unknown", "unknown", "unknown", id="architecture alone"),
        pytest.param("x86_64-acme", "x86_64", "acme", "unknown", "unknown", id="free vendor"),
        pytest.param("armv7-none-eabi-elf", "armv7", "unknown", "none", "eabi", id="binary format"),
        pytest.param("armv8.3a-linux", "armv8.3a", "unknown", "linux", "unknown", id="dotted architecture"),
        pytest.param("x86_64-apple-darwin21.3.0", "x86_64", "apple", "darwin", "unknown", id="version"),
        pytest.param("x86_64-apple-ios65535.255.255", "x86_64", "apple", "ios", "unknown", id="widest"),
    ],
)
def test_the_grammar_beyond_rustc_s_list(text: str, arch: str, vendor: str, family: str, libc: str) -> None:
    target = parse_target(text)
    assert (target.arch, target.vendor, target.family, target.libc) == (arch, vendor, family, libc)


@pytest.mark.parametrize("system", ["darwin", "macosx", "darwin20", "macosx10.7"])
def test_apples_desktop_system_is_called_macos(system: str) -> None:
    assert parse_target(f"x86_64-apple-{system}").os_name == "macos"


@pytest.mark.parametrize(
    "text",
    [
        *["", "-", "x86_64-", "-x86_64", "X86_64-unknown-linux-gnu", " x86_64-unknown-linux-gnu"],
        *["x86_64-unknown-linux-gnu\n", "x86_64-unknown-linux-gnu-", "x86_64-unknown-linux-gnu-elf-elf"],
        *["x86_64-Acme-linux", "x86_64-1acme-linux", "x86_64--linux", "linux-gnu", "universal-apple-ios"],
        *["x86_64-apple-darwin65536", "x86_64-apple-darwin1.256", "x86_64-apple-darwin1.2.3.4"],
        *["x86_64-apple-darwin1.", "x86_64-apple-darwin+1", "x86_64-apple-darwin٣", "x86_64,aarch64"],
        "x86_64-" + "a" * MAX_TARGET_CHARACTERS,
    ],
)
def test_what_is_no_triple_is_refused(text: str) -> None:
    with pytest.raises(BadTarget) as refused:
        parse_target(text)
    assert len(refused.value.message) < 2 * MAX_TARGET_CHARACTERS + 80


_PARTS = sorted(
    {part for row in ROWS for part in row[0].split("-")} | {"", "darwin1.2", "Acme", "acme", "elf"}
)


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.sampled_from(_PARTS), min_size=1, max_size=6).map("-".join))
def test_parts_in_any_order_give_a_target_or_the_one_error(text: str) -> None:
    _parse(text)


@settings(max_examples=1000, deadline=None)
@given(st.sampled_from([row[0] for row in KNOWN]), st.data())
def test_a_mutated_triple_gives_a_target_or_the_one_error(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 3))
    _parse(text[:at] + data.draw(st.text(max_size=3)) + text[at + cut :])


@settings(max_examples=1000, deadline=None)
@given(st.text())
def test_any_text_gives_a_target_or_the_one_error(text: str) -> None:
    _parse(text)


def _parse(text: str) -> None:
    try:
        target = parse_target(text)
    except BadTarget:
        return
    assert target.text == text
    # Nothing but lower-case words of a URL can come out of a target.
    for value in target.template_values().values():
        assert value.isascii()
        assert all(character.isalnum() or character in "-_." for character in value)
        assert value == value.lower()
