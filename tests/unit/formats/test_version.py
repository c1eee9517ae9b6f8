"""Versions and requirements, compared with what the crate that Cargo uses answers."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import BadVersion, UsageError
from binstall.formats.version import (
    ANY,
    CrateSpec,
    Version,
    is_settled,
    parse_crate_spec,
    parse_requirement,
    parse_version,
    requirement_of,
)
from binstall.limits import (
    MAX_COMPARATORS,
    MAX_NAME_CHARACTERS,
    MAX_REQUIREMENT_CHARACTERS,
    MAX_VERSION_CHARACTERS,
)

_VECTORS = Path(__file__).parents[2] / "vectors" / "semver.tsv"
ROWS = [
    line.split("\t")
    for line in _VECTORS.read_text(encoding="utf-8").split("\n")
    if line and not line.startswith("#")
]


def _rows(kind: str) -> list[tuple[str, str, str]]:
    return [(first, second, answer) for word, first, second, answer in ROWS if word == kind]


@pytest.mark.parametrize(("text", "_", "answer"), _rows("version"))
def test_versions_parse_as_in_the_reference(text: str, _: str, answer: str) -> None:
    if answer == "ERROR":
        with pytest.raises(BadVersion):
            parse_version(text)
    else:
        assert str(parse_version(text)) == answer == text


@pytest.mark.parametrize(("text", "_", "answer"), _rows("requirement"))
def test_requirements_parse_as_in_the_reference(text: str, _: str, answer: str) -> None:
    if answer == "ERROR":
        with pytest.raises(BadVersion):
            parse_requirement(text)
    else:
        requirement = parse_requirement(text)
        assert str(requirement) == answer
        assert parse_requirement(answer) == requirement


@pytest.mark.parametrize(("requirement", "version", "answer"), _rows("matches"))
def test_requirements_match_as_in_the_reference(requirement: str, version: str, answer: str) -> None:
    assert parse_requirement(requirement).matches(parse_version(version)) is (answer == "true")


@pytest.mark.parametrize(("left", "right", "answer"), _rows("order"))
def test_versions_are_ordered_as_in_the_reference(left: str, right: str, answer: str) -> None:
    one, two = parse_version(left), parse_version(right)
    assert (one < two, one == two, one > two) == (answer == "Less", answer == "Equal", answer == "Greater")
    assert (one <= two, one >= two) == (answer != "Greater", answer != "Less")


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("1.2.3", "=1.2.3"),
        ("1.2", "=1.2"),
        ("1", "=1"),
        ("1.*", "=1"),
        ("1.x", "=1"),
        ("1.2.3-alpha.1", "=1.2.3-alpha.1"),
        ("1.2.3+b1", "=1.2.3"),
        ("^1", "^1"),
        ("~1.2", "~1.2"),
        (">=1.2, <2", ">=1.2, <2"),
        ("<=1.3.3", "<=1.3.3"),
        ("*", "*"),
        ("x", "*"),
        ("X", "*"),
        ("1.2, <2", "=1.2, <2"),
        (" 1.2.3", "^1.2.3"),
    ],
)
def test_a_leading_digit_on_the_command_line_means_exactly(text: str, stored: str) -> None:
    assert str(requirement_of(text)) == stored
    assert parse_crate_spec(f"ripgrep@{text}") == CrateSpec("ripgrep", requirement_of(text))


@pytest.mark.parametrize(
    "text", ["", "latest", "v1.2.3", "01.2.3", "1.2.3-", "1 .2", " ", "1,", "٣.1.1", "\n1"]
)
def test_what_is_no_requirement_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        requirement_of(text)
    assert refused.value.exit_code == 2
    with pytest.raises(UsageError):
        parse_crate_spec(f"ripgrep@{text}")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("latest", "leave the version out"),
        ("v1.2.3", "write 1.2.3, without the v"),
        ("1.2.3.4", "write 1.2.3, ^1.2"),
    ],
)
def test_a_usual_mistake_has_its_hint(text: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        requirement_of(text)
    assert refused.value.hint is not None
    assert hint in refused.value.hint


@pytest.mark.parametrize(
    ("requirement", "version", "matches"),
    [
        ("*", "1.2.3", True),
        ("*", "1.2.3-a", False),
        (">=1.0.0-a", "1.0.0-b", True),
        (">=1.0.0-a", "1.0.1-a", False),
        ("<2", "1.9.9-a", False),
        ("^1.0.0-a", "1.0.0", True),
        ("=1.2.3+y", "1.2.3+x", True),
        ("^0.0.1", "0.0.2", False),
        ("^0.0", "0.0.9", True),
        ("=1.2", "1.2.9", True),
        ("=1", "1.9.0", True),
    ],
)
def test_matching_follows_cargo(requirement: str, version: str, matches: bool) -> None:
    assert parse_requirement(requirement).matches(parse_version(version)) is matches


def test_build_metadata_takes_part_in_ordering() -> None:
    texts = ["1.0.0-a", "1.0.0", "1.0.0+a", "1.0.0+b", "1.0.1-0"]
    assert sorted(map(parse_version, reversed(texts))) == [parse_version(text) for text in texts]


def test_the_precedence_of_the_specification_holds() -> None:
    texts = ["alpha", "alpha.1", "alpha.beta", "beta", "beta.2", "beta.11", "rc.1"]
    versions = [*(parse_version(f"1.0.0-{text}") for text in texts), parse_version("1.0.0")]
    assert sorted(versions, reverse=True) == versions[::-1]


@pytest.mark.parametrize(
    ("requirement", "exact"),
    [
        ("=1.2.3", Version(1, 2, 3)),
        ("=1.2.3-a.1", Version(1, 2, 3, "a.1")),
        ("=1.2.3+b", Version(1, 2, 3)),
        ("=1.2", None),
        ("=1.2.*", None),
        ("1.2.3", None),
        ("=1.2.3, =1.2.3", None),
        (">=1.2.3", None),
        ("*", None),
    ],
)
def test_only_three_numbers_after_an_equals_sign_are_exact(requirement: str, exact: Version | None) -> None:
    assert parse_requirement(requirement).exact == exact


@pytest.mark.parametrize(
    ("requirement", "installed", "settled"),
    [
        ("=0.12.0", "0.12.0", True),
        ("=0.12.0", "0.12.0+x", True),
        ("=0.12.0", "0.12.1", False),
        ("^0.12.0", "0.12.0", False),
        ("=0.12", "0.12.0", False),
        ("*", "0.12.0", False),
        ("<=0.12.0", "0.12.0", True),
        (">=0.11, <=0.12.0", "0.12.0", True),
        ("<0.12.1", "0.12.0", True),
        ("=1.0.0-a", "1.0.0-a", True),
        ("<=1.0.0-a", "1.0.0-a", True),
        (">=1.0.0-a, <1.0.0", "1.0.0-a", False),
        ("*", "1.0.0-a", False),
        (
            "=18446744073709551615.0.18446744073709551615",
            "18446744073709551615.0.18446744073709551615",
            True,
        ),
    ],
)
def test_settled_means_that_no_next_version_matches(
    requirement: str, installed: str, settled: bool
) -> None:
    assert is_settled(parse_requirement(requirement), parse_version(installed)) is settled


@pytest.mark.parametrize(
    ("text", "name", "requirement"),
    [
        ("ripgrep", "ripgrep", None),
        ("cargo-binstall@1", "cargo-binstall", "=1"),
        ("_x@^1.2", "_x", "^1.2"),
        ("A1_b-c", "A1_b-c", None),
        ("a@*", "a", "*"),
        ("x" * MAX_NAME_CHARACTERS, "x" * MAX_NAME_CHARACTERS, None),
    ],
)
def test_a_crate_is_cut_from_its_version_at_the_first_at_sign(
    text: str, name: str, requirement: str | None
) -> None:
    spec = parse_crate_spec(text)
    assert spec.name == name
    assert (None if spec.requirement is None else str(spec.requirement)) == requirement


def test_a_crate_prints_with_its_requirement() -> None:
    assert str(parse_crate_spec("foo@1.2.3")) == "foo@=1.2.3"
    assert str(parse_crate_spec("foo")) == "foo"


@pytest.mark.parametrize(
    "text",
    [
        *[
            "",
            "@1",
            "a@@1",
            "a@1@2",
            "1password",
            "-x",
            "a b",
            "a/b",
            "../a",
            "a.b",
            "é",
            "a\n",
            "a\0",
            " a",
        ],
        *["https://example.org/a", "a:b", "a@", "x" * (MAX_NAME_CHARACTERS + 1), "ａ"],
    ],
)
def test_what_names_no_crate_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        parse_crate_spec(text)


def test_lengths_and_counts_are_bounded() -> None:
    longest = "1.2.3-" + "a" * (MAX_VERSION_CHARACTERS - 6)
    assert str(parse_version(longest)) == longest
    with pytest.raises(BadVersion, match="MAX_VERSION_CHARACTERS"):
        parse_version(longest + "a")
    assert len(parse_requirement(",".join(["1"] * MAX_COMPARATORS)).comparators) == MAX_COMPARATORS
    with pytest.raises(BadVersion, match="MAX_COMPARATORS"):
        parse_requirement(",".join(["1"] * (MAX_COMPARATORS + 1)))
    with pytest.raises(BadVersion, match="MAX_REQUIREMENT_CHARACTERS"):
        parse_requirement("1" + " " * MAX_REQUIREMENT_CHARACTERS)


def test_no_requirement_at_all_is_the_star() -> None:
    assert parse_requirement("*") == ANY


VERSIONS = st.builds(
    "{}.{}.{}{}{}".format,
    *[st.integers(0, 3) | st.sampled_from([2**64 - 1, 2**64])] * 3,
    st.sampled_from(["", "", "-a", "-1", "-a.1", "-01", "-0.x-y", "-"]),
    st.sampled_from(["", "", "+b", "+01.b", "+"]),
)
_COMPARATORS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "=", ">", ">=", "<", "<=", "~", "^", "^ ", "!"]),
    st.sampled_from(["1", "1.2", "1.*", "1.2.x", "0", "0.1", "0.*.*", "1.x.2"]) | VERSIONS,
    st.sampled_from(["", "", " "]),
)
REQUIREMENTS = st.lists(_COMPARATORS, min_size=1, max_size=3).map(",".join)


@st.composite
def mutated(draw: st.DrawFn, valid: st.SearchStrategy[str]) -> str:
    """Text in which up to three characters are replaced by up to three others."""
    text = draw(valid)
    at = draw(st.integers(0, len(text)))
    new = draw(st.text(st.sampled_from("0129.-+ab*xX,<>=~^ @é\0"), max_size=3))
    return text[:at] + new + text[at + draw(st.integers(0, 3)) :]


@settings(max_examples=1000, deadline=None)
@given(mutated(VERSIONS))
def test_a_mutated_version_prints_as_it_was_read_or_is_refused(text: str) -> None:
    _read_version(text)


@settings(max_examples=1000, deadline=None)
@given(st.text())
def test_any_text_is_a_version_or_is_refused(text: str) -> None:
    _read_version(text)


def _read_version(text: str) -> None:
    try:
        version = parse_version(text)
    except BadVersion:
        return
    assert str(version) == text
    assert parse_version(str(version)) == version


@settings(max_examples=1000, deadline=None)
@given(st.lists(VERSIONS, min_size=3, max_size=3))
def test_ordering_is_total(texts: list[str]) -> None:
    versions = []
    for text in texts:
        try:
            versions.append(parse_version(text))
        except BadVersion:
            return
    for one, two in itertools.permutations(versions, 2):
        assert [one < two, one == two, one > two].count(True) == 1
    ordered = sorted(versions)
    assert all(one <= two for one, two in itertools.combinations(ordered, 2))


@settings(max_examples=1000, deadline=None)
@given(mutated(REQUIREMENTS) | REQUIREMENTS, VERSIONS)
def test_a_mutated_requirement_prints_what_it_means_or_is_refused(text: str, version_text: str) -> None:
    _read_requirement(text, version_text)


@settings(max_examples=1000, deadline=None)
@given(st.text(), VERSIONS)
def test_any_text_is_a_requirement_or_is_refused(text: str, version_text: str) -> None:
    _read_requirement(text, version_text)


def _read_requirement(text: str, version_text: str) -> None:
    try:
        requirement = parse_requirement(text)
    except BadVersion:
        return
    again = parse_requirement(str(requirement))
    assert again == requirement
    try:
        version = parse_version(version_text)
    except BadVersion:
        return
    assert requirement.matches(version) is again.matches(version)
    exact = requirement.exact
    if exact is not None:
        assert requirement.matches(exact)
        assert is_settled(requirement, exact)
        same = Version(version.major, version.minor, version.patch, version.pre)
        assert requirement.matches(version) is (same == exact)


SPECS = st.builds("{}{}{}".format, st.sampled_from(["ripgrep", "_", "a-b"]), st.just("@"), REQUIREMENTS)


@settings(max_examples=1000, deadline=None)
@given(mutated(SPECS | st.sampled_from(["ripgrep", "a@*", "cargo-binstall@1.2"])))
def test_a_mutated_crate_spec_is_read_or_is_a_usage_error(text: str) -> None:
    _read_spec(text)


@settings(max_examples=1000, deadline=None)
@given(st.text())
def test_any_text_is_a_crate_spec_or_is_a_usage_error(text: str) -> None:
    _read_spec(text)


def _read_spec(text: str) -> None:
    try:
        spec = parse_crate_spec(text)
    except UsageError as error:
        assert len(error.message) < 1000
        return
    name, _, version_text = text.partition("@")
    assert spec.name == name
    assert name.isascii()
    assert name.replace("-", "_").isidentifier()
    assert spec.requirement == (requirement_of(version_text) if "@" in text else None)
    assert parse_crate_spec(str(spec)) == spec
