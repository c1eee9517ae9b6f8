"""Versions and version requirements by Cargo's rules, and the `CRATE[@VERSION]` of the command line.

A version is Semantic Versioning 2.0 with numbers of 64 bits. Its ordering is total, as in the `semver`
crate that Cargo uses: build metadata counts, so `1.0.0 < 1.0.0+a < 1.0.0+b`; for a match it does not.

A requirement is `*` (`x`, `X`), or at most 32 comparators joined by commas, each an operator out of
`= > >= < <= ~ ^` (none means `^`), then one to three numbers of which the later ones may be wildcards, and
after three numbers a pre-release. A version with a pre-release matches only if some comparator has the same
three numbers and a pre-release of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

from binstall.errors import BadVersion, UsageError
from binstall.limits import (
    MAX_COMPARATORS,
    MAX_NAME_CHARACTERS,
    MAX_REQUIREMENT_CHARACTERS,
    MAX_VERSION_CHARACTERS,
)

Operator = Literal["=", ">", ">=", "<", "<=", "~", "^", "*"]
"""`*` stands for a wildcard in place of a number, as in `1.*`."""

_MAX_NUMBER: Final = (1 << 64) - 1
_NUMBER: Final = r"(?:0|[1-9][0-9]{0,19})"
_PRE_PART: Final = r"(?:[0-9]*[A-Za-z-][0-9A-Za-z-]*|0|[1-9][0-9]*)"
_TAGS: Final = (
    rf"(?:-(?P<pre>{_PRE_PART}(?:\.{_PRE_PART})*))?(?:\+(?P<build>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)
_VERSION: Final = re.compile(rf"(?P<major>{_NUMBER})\.(?P<minor>{_NUMBER})\.(?P<patch>{_NUMBER}){_TAGS}")
_COMPARATOR: Final = re.compile(
    rf" *(?P<operator>[<>]=?|[=~^]|) *(?P<major>{_NUMBER})"
    rf"(?:(?P<any_minor>\.[*xX](?:\.[*xX])?)"
    rf"|\.(?P<minor>{_NUMBER})(?:(?P<any_patch>\.[*xX])|\.(?P<patch>{_NUMBER}){_TAGS})?)? *"
)
_WILDCARDS: Final = frozenset("*xX")
_OPERATORS: Final[dict[str, Operator]] = {operator: operator for operator in get_args(Operator)}
_CRATE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")

_Key = tuple[tuple[int, int, int, str], ...]


@dataclass(frozen=True, slots=True)
class Version:
    """One exact version; `str()` gives the text it was read from."""

    major: int
    """0 to 2^64 - 1, as are the two below."""
    minor: int
    patch: int
    pre: str = ""
    """Dotted identifiers after `-`, without it; empty for a release."""
    build: str = ""
    """Dotted identifiers after `+`, without it."""

    def __str__(self) -> str:
        pre = f"-{self.pre}" if self.pre else ""
        build = f"+{self.build}" if self.build else ""
        return f"{self.major}.{self.minor}.{self.patch}{pre}{build}"

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()

    def __le__(self, other: Version) -> bool:
        return self._key() <= other._key()

    def __gt__(self, other: Version) -> bool:
        return self._key() > other._key()

    def __ge__(self, other: Version) -> bool:
        return self._key() >= other._key()

    def _key(self) -> tuple[int, int, int, bool, _Key, _Key]:
        return (
            self.major,
            self.minor,
            self.patch,
            not self.pre,
            _pre_key(self.pre),
            _build_key(self.build),
        )


def _pre_key(pre: str) -> _Key:
    """Numbers come before words, fewer identifiers before more."""
    return tuple((0, int(part), 0, "") if part.isdigit() else (1, 0, 0, part) for part in pre.split("."))


def _build_key(build: str) -> _Key:
    """As `_pre_key`, where leading zeros are allowed: 0 < 00 < 1 < 01 < 2. The empty text comes first."""
    if not build:
        return ()
    return tuple(
        (0, int(part), len(part), "") if part.isdigit() else (1, 0, 0, part) for part in build.split(".")
    )


def parse_version(text: str) -> Version:
    """Read one whole version; raise `BadVersion`, and nothing else, on anything else."""
    if len(text) > MAX_VERSION_CHARACTERS:
        raise BadVersion(
            f"version `{text[:80]}…` has more than {MAX_VERSION_CHARACTERS} characters"
            " (MAX_VERSION_CHARACTERS)"
        )
    parts = _VERSION.fullmatch(text)
    if parts is None:
        raise BadVersion(f"`{text}` is not a version", hint="a version has three numbers, such as 1.2.3")
    major, minor, patch = (int(parts[name]) for name in ("major", "minor", "patch"))
    if max(major, minor, patch) > _MAX_NUMBER:
        raise BadVersion(f"version `{text}` has a number above {_MAX_NUMBER}")
    return Version(major, minor, patch, parts["pre"] or "", parts["build"] or "")


@dataclass(frozen=True, slots=True)
class Comparator:
    """One condition of a requirement."""

    operator: Operator
    major: int
    minor: int | None
    """None where the text has no second number, or a wildcard."""
    patch: int | None
    """None where the text has no third number, or a wildcard."""
    pre: str
    """Only beside three numbers; empty otherwise."""

    def __str__(self) -> str:
        numbers = ".".join(
            str(number) for number in (self.major, self.minor, self.patch) if number is not None
        )
        if self.operator == "*":
            return f"{numbers}.*"
        return f"{self.operator}{numbers}{'-' if self.pre else ''}{self.pre}"

    def matches(self, version: Version) -> bool:
        """Tell whether this condition alone holds, the requirement's rule about pre-releases aside."""
        given = tuple(number for number in (self.major, self.minor, self.patch) if number is not None)
        found = (version.major, version.minor, version.patch)[: len(given)]
        above, level = found > given, found == given
        # Missing numbers are level with any, but a pre-release is not level with `1.2`, nor below it.
        pre = _compare_pre(version.pre, self.pre)
        whole = self.patch is not None
        match self.operator:
            case "=" | "*":
                return level and pre == 0
            case ">":
                return above or (level and pre > 0)
            case ">=":
                return above or (level and pre >= 0)
            case "<":
                return not above and (not level or (whole and pre < 0))
            case "<=":
                return not above and (not level or pre == 0 or (whole and pre < 0))
            case "~":
                return found[:2] == given[:2] and (above or (level and pre >= 0))
            case "^":
                held = self._held_by_caret()
                return found[:held] == given[:held] and (above or (level and (not whole or pre >= 0)))

    def names_pre_release_of(self, version: Version) -> bool:
        """Tell whether this condition names a pre-release of the same three numbers."""
        same = (self.major, self.minor, self.patch) == (version.major, version.minor, version.patch)
        return same and bool(self.pre)

    def _held_by_caret(self) -> int:
        """How many leading numbers `^` holds fast: up to the first one given that is not 0."""
        if self.major > 0:
            return 1
        return 3 if self.minor == 0 and self.patch is not None else 2


def _compare_pre(left: str, right: str) -> int:
    """Return -1, 0 or 1; a release (the empty text) is above each of its pre-releases."""
    if left == right:
        return 0
    return 1 if (not left, _pre_key(left)) > (not right, _pre_key(right)) else -1


@dataclass(frozen=True, slots=True)
class VersionReq:
    """A parsed requirement; equal to another one that means the same in the same words."""

    text: str
    """As Cargo prints it: `^1.2`, `>=1.2, <2`, `*`; build metadata is gone."""
    comparators: tuple[Comparator, ...]
    """All must hold; none at all is `*`."""

    def __str__(self) -> str:
        return self.text

    @property
    def exact(self) -> Version | None:
        """The one version that `=x.y.z[-pre]` asks for; None for every other form."""
        if len(self.comparators) != 1:
            return None
        (only,) = self.comparators
        if only.operator != "=" or only.minor is None or only.patch is None:
            return None
        return Version(only.major, only.minor, only.patch, only.pre)

    def matches(self, version: Version) -> bool:
        """Tell whether `version` satisfies every comparator and the rule about pre-releases."""
        if not all(comparator.matches(version) for comparator in self.comparators):
            return False
        return not version.pre or any(
            comparator.names_pre_release_of(version) for comparator in self.comparators
        )


ANY: Final = VersionReq("*", ())


def parse_requirement(text: str) -> VersionReq:
    """Read a requirement as Cargo does; raise `BadVersion`, and nothing else, if it is none."""
    if len(text) > MAX_REQUIREMENT_CHARACTERS:
        raise BadVersion(
            f"version requirement `{text[:80]}…` has more than {MAX_REQUIREMENT_CHARACTERS} characters"
            " (MAX_REQUIREMENT_CHARACTERS)"
        )
    if text.strip(" ") in _WILDCARDS:
        return ANY
    pieces = text.split(",")
    if len(pieces) > MAX_COMPARATORS:
        raise BadVersion(
            f"version requirement `{text[:80]}…` has more than {MAX_COMPARATORS} comparators"
            " (MAX_COMPARATORS)"
        )
    comparators = tuple(_comparator(piece, text) for piece in pieces)
    return VersionReq(", ".join(map(str, comparators)), comparators)


def _comparator(piece: str, text: str) -> Comparator:
    parts = _COMPARATOR.fullmatch(piece)
    shown = text if len(text) <= 200 else f"{text[:200]}…"
    if parts is None:
        raise BadVersion(f"`{shown}` is not a version or a version requirement", hint=_hint_for(text))
    major, minor, patch = (
        None if parts[name] is None else int(parts[name]) for name in ("major", "minor", "patch")
    )
    if max(major or 0, minor or 0, patch or 0) > _MAX_NUMBER:
        raise BadVersion(f"version requirement `{shown}` has a number above {_MAX_NUMBER}")
    wildcard = parts["any_minor"] or parts["any_patch"]
    operator = parts["operator"] or ("*" if wildcard else "^")
    return Comparator(_OPERATORS[operator], major or 0, minor, patch, parts["pre"] or "")


def _hint_for(text: str) -> str:
    bare = text.lstrip("=")
    if bare == "latest":
        return "leave the version out: the latest one is the default"
    if bare[:1] in {"v", "V"} and bare[1:2].isdigit():
        return f"write {bare[1:]}, without the v" if bare[1:].isprintable() else "leave the v out"
    return "write 1.2.3, ^1.2, ~1.2 or, in quotes, '>=1.2, <2'"


@dataclass(frozen=True, slots=True)
class CrateSpec:
    """What the user asked for: a crate, and maybe which of its versions."""

    name: str
    """Follows Cargo's rules for package names, in ASCII; case as typed."""
    requirement: VersionReq | None
    """None where no version was given."""

    def __str__(self) -> str:
        return self.name if self.requirement is None else f"{self.name}@{self.requirement}"


def parse_crate_spec(text: str) -> CrateSpec:
    """Read `CRATE[@VERSION]`, cut at the first `@`; raise `UsageError`, and nothing else, if it is none."""
    name, at, version_text = text.partition("@")
    if len(name) > MAX_NAME_CHARACTERS:
        raise UsageError(
            f"crate name `{name[:80]}…` has more than {MAX_NAME_CHARACTERS} characters"
            " (MAX_NAME_CHARACTERS)"
        )
    if _CRATE_NAME.fullmatch(name) is None:
        shown = text if len(text) <= 200 else f"{text[:200]}…"
        raise UsageError(
            f"`{shown}` does not begin with the name of a crate",
            hint="write CRATE or CRATE@VERSION; a name is ASCII letters, digits, - and _, no digit first",
        )
    return CrateSpec(name, requirement_of(version_text) if at else None)


def requirement_of(version_text: str) -> VersionReq:
    """Read a version as the command line takes it, after `@` or `--version`: a leading digit means `=`.

    Raise `UsageError`, and nothing else, if it is no requirement.
    """
    if version_text[:1] in set("0123456789"):
        version_text = f"={version_text}"
    try:
        return parse_requirement(version_text)
    except BadVersion as error:
        raise UsageError(error.message, hint=error.hint) from error


def is_settled(requirement: VersionReq, installed: Version) -> bool:
    """Tell whether no later version could satisfy `requirement` better than `installed` does.

    That is so if it matches `installed` but neither the next patch release nor, beside a pre-release, the
    one with `.1` appended. `=0.12.0` is settled by 0.12.0; `^0.12.0`, `=0.12` and `*` never are.
    """
    major, minor, patch = installed.major, installed.minor, installed.patch
    later = [Version(major, minor, patch + 1)]
    if installed.pre:
        later.append(Version(major, minor, patch, f"{installed.pre}.1"))
    return requirement.matches(installed) and not any(requirement.matches(version) for version in later)
