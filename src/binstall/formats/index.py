"""The sparse index of a registry: `config.json`, the file of one crate, and the URL of one `.crate`.

    config.json           {"dl": "https://…", "api": …, "auth-required": false}
    1/a  2/ab  3/a/abc    one file for each crate, lower case; from four letters on ca/rg/cargo-watch
    {"name": …, "vers": …, "cksum": sha256 in hex, "yanked": false, "v": 2, "pubtime": …}      one version

The facts are those of Cargo's reference, "Registry Index"; dependencies and features are not read. As in
cargo, a line of a newer schema, or with a version or time that cannot be read, is skipped, so that a
registry may grow; what is no JSON object or has no usable checksum is an error, so that a broken answer is
never mistaken for a short one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final
from urllib.parse import quote

from binstall.errors import BadVersion, NoMatchingVersion, RegistryError, TemplateError
from binstall.formats.publish_age import AgeRule, age_words, published_at
from binstall.formats.template import Template, parse_template
from binstall.formats.url import normal_url
from binstall.formats.version import ANY, Version, VersionReq, parse_version
from binstall.limits import MAX_CONFIG_JSON_BYTES, MAX_INDEX_BYTES, MAX_INDEX_LINES, MAX_NAME_CHARACTERS
from binstall.text import without_secrets

_KNOWN_SCHEMAS: Final = (None, 1, 2)
_PLACEHOLDERS: Final = frozenset({"crate", "version", "prefix", "lowerprefix", "sha256-checksum"})
_CHECKSUM = re.compile(r"[0-9A-Fa-f]{64}\Z")
_MEMBER_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class IndexConfig:
    """One `config.json`; believed as far as the transport of the index is."""

    dl: str
    """Where `.crate` files are: a template, or a URL to which `/CRATE/VERSION/download` is appended."""
    template: Template
    """`dl`, parsed."""
    api: str | None
    """Base URL of the registry's web API; crates are found without it."""
    auth_required: bool
    """Whether index and `.crate` requests need the registry's token."""


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One published version."""

    name: str
    """As the registry spells it."""
    version: Version
    cksum: bytes
    """SHA-256 of the `.crate` file: 32 bytes."""
    yanked: bool
    pubtime: str | None
    """When it was published, `2025-11-12T19:30:12Z`; None where the registry does not say."""

    @property
    def published(self) -> int | None:
        """`pubtime` in seconds since 1970."""
        return None if self.pubtime is None else published_at(self.pubtime)


@dataclass(frozen=True, slots=True)
class CrateIndex:
    """The index file of one crate."""

    name: str
    """As the registry spells it; equal to the name asked for up to case and `-` or `_`."""
    entries: tuple[IndexEntry, ...]
    """In the file's order; of two lines for one version the later one."""
    skipped: tuple[str, ...]
    """One sentence for each line that was passed over, in the file's order."""
    skipped_versions: frozenset[str] = frozenset()
    """What those lines say their version is."""

    def lists(self, version: Version) -> bool:
        """Tell whether `version` is taken: listed, yanked, or on a line that cannot be read otherwise.

        Build metadata makes no other version of it, as crates.io rules.
        """
        wanted = _without_build(str(version))
        return any(_without_build(str(entry.version)) == wanted for entry in self.entries) or any(
            _without_build(text) == wanted for text in self.skipped_versions
        )


def parse_config_json(data: bytes) -> IndexConfig:
    """Read `config.json`; raise `RegistryError`, and nothing else, on bad input."""
    value = _json(data, limit=MAX_CONFIG_JSON_BYTES, what="config.json of the registry")
    if not isinstance(value, dict):
        raise RegistryError("config.json of the registry is no JSON object")
    dl = value.get("dl")
    if not isinstance(dl, str):
        raise RegistryError("config.json of the registry has no `dl`, the place of its .crate files")
    try:
        template = parse_template(dl)
    except TemplateError as error:
        raise RegistryError(f"`dl` of the registry's config.json is no template: {error}") from error
    unknown = sorted(template.keys - _PLACEHOLDERS)
    if unknown:
        raise RegistryError(
            f"`dl` of the registry's config.json names {{{unknown[0][:_MEMBER_CHARACTERS]}}}, "
            f"which is none of {', '.join(sorted(_PLACEHOLDERS))}"
        )
    api = value.get("api")
    auth_required = value.get("auth-required")
    if auth_required is not None and not isinstance(auth_required, bool):
        raise RegistryError("`auth-required` of the registry's config.json is neither true nor false")
    return IndexConfig(dl, template, api if isinstance(api, str) else None, bool(auth_required))


def prefix(name: str) -> str:
    """Return the folder of a crate, its letters as in `name`: `1`, `2`, `3/a` or `ca/rg`."""
    if len(name) <= 2:
        return str(len(name))
    return f"3/{name[0]}" if len(name) == 3 else f"{name[:2]}/{name[2:4]}"


def index_path(name: str) -> str:
    """Return where the index keeps the crate: relative, lower case, percent-encoded.

    Raises:
        RegistryError: No registry can have such a name.
    """
    if not 0 < len(name) <= MAX_NAME_CHARACTERS:
        raise RegistryError(
            f"a crate name has 1 to {MAX_NAME_CHARACTERS} characters (MAX_NAME_CHARACTERS), not {len(name)}"
        )
    if not all(character.isalnum() or character in "-_" for character in name):
        raise RegistryError(f"`{name}` is no crate name: it has letters, digits, - and _ only")
    lower = name.lower()
    return quote(f"{prefix(lower)}/{lower}", safe="/", errors="replace")


def same_crate(one: str, other: str) -> bool:
    """Tell whether two names are one crate: equal up to ASCII case and `-` or `_`, as crates.io rules."""
    return one.lower().replace("_", "-") == other.lower().replace("_", "-")


def parse_index(data: bytes, asked: str) -> CrateIndex:
    """Read the index file of the crate `asked`; raise `RegistryError`, and nothing else, on bad input."""
    if len(data) > MAX_INDEX_BYTES:
        raise RegistryError(
            f"the index of `{asked}` has more than {MAX_INDEX_BYTES} bytes (MAX_INDEX_BYTES)"
        )
    name: str | None = None
    entries: dict[Version, IndexEntry] = {}
    skipped: list[str] = []
    skipped_versions = set[str]()
    for number, line in enumerate(BytesIO(data), start=1):
        if number > MAX_INDEX_LINES:
            raise RegistryError(
                f"the index of `{asked}` has more than {MAX_INDEX_LINES} lines (MAX_INDEX_LINES)"
            )
        if not line.strip():
            continue
        what = f"line {number} of the index of `{asked}`"
        value = _json(line, limit=MAX_INDEX_BYTES, what=what)
        if not isinstance(value, dict):
            raise RegistryError(f"{what} is no JSON object")
        schema = value.get("v", 1)
        if schema not in _KNOWN_SCHEMAS:
            shown = f" {schema}"[:20] if isinstance(schema, int) else ""
            skipped.append(f"{what} is of a schema{shown} that is not known here")
            skipped_versions.add(str(value.get("vers", "")))
            continue
        found = _text(value, "name", what)
        if not same_crate(found, asked) or name not in {None, found}:
            raise RegistryError(f"{what} is about `{found[:_MEMBER_CHARACTERS]}`")
        name = found
        entry = _entry(value, name, what)
        if isinstance(entry, str):
            skipped.append(entry)
            skipped_versions.add(str(value["vers"]))
        else:
            entries[entry.version] = entry
    return CrateIndex(name or asked, tuple(entries.values()), tuple(skipped), frozenset(skipped_versions))


def _without_build(version: str) -> str:
    return version.partition("+")[0]


def _entry(value: Mapping[str, object], name: str, what: str) -> IndexEntry | str:
    """Return the entry, or the sentence that says why it is skipped."""
    checksum = _text(value, "cksum", what)
    if not _CHECKSUM.match(checksum):
        raise RegistryError(f"{what} has no SHA-256 checksum of 64 hex digits in `cksum`")
    yanked = value.get("yanked")
    if yanked is not None and not isinstance(yanked, bool):
        raise RegistryError(f"`yanked` in {what} is neither true nor false")
    text = _text(value, "vers", what)
    try:
        version = parse_version(text)
    except BadVersion:
        return f"{what} has no readable version: `{text[:_MEMBER_CHARACTERS]}`"
    pubtime = value.get("pubtime")
    if pubtime is not None and not (isinstance(pubtime, str) and published_at(pubtime) is not None):
        return f"{what} has no readable publish time"
    return IndexEntry(name, version, bytes.fromhex(checksum), bool(yanked), pubtime)


def _text(value: Mapping[str, object], member: str, what: str) -> str:
    found = value.get(member)
    if not isinstance(found, str):
        raise RegistryError(f"{what} has no text in `{member}`")
    return found


def _json(data: bytes, *, limit: int, what: str) -> object:
    if len(data) > limit:
        raise RegistryError(f"{what} has more than {limit} bytes")
    try:
        value: object = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        shown = data.lstrip()[:60].decode("utf-8", "replace")
        raise RegistryError(f"{what} is not JSON; it begins with `{shown}`") from error
    return value


def select_version(
    index: CrateIndex, requirement: VersionReq | None, age: AgeRule | None = None
) -> IndexEntry:
    """Return the highest version that is not yanked, matches and is old enough.

    No requirement asks for any but a pre-release, an exact version is as old as any other must be, and one
    without a publish time is old enough.

    Raises:
        NoMatchingVersion: There is none; the message names what comes nearest.
    """
    wanted = requirement if requirement is not None else ANY
    usable = [entry for entry in index.entries if not entry.yanked]
    matching = [entry for entry in usable if wanted.matches(entry.version)]
    old_enough = [entry for entry in matching if not is_too_new(entry, age)]
    if old_enough:
        return max(old_enough, key=lambda entry: entry.version)
    if matching and age is not None:
        raise _all_too_new(index.name, requirement, matching, usable, age)
    asked = f"version of `{index.name}`" + (f" that matches {requirement.text}" if requirement else "")
    yanked = [entry.version for entry in index.entries if entry.yanked and wanted.matches(entry.version)]
    if yanked:
        raise NoMatchingVersion(
            f"every {asked} is yanked; the newest of them is {max(yanked)}",
            hint="ask for another version; a yanked one is not to be newly installed",
        )
    if not usable:
        more = f"; {index.skipped[-1]}" if index.skipped else ""
        raise NoMatchingVersion(f"the registry lists no usable {asked}{more}")
    newest = max(entry.version for entry in usable)
    finished = [entry.version for entry in usable if ANY.matches(entry.version)]
    if not finished:
        raise NoMatchingVersion(
            f"there is no {asked}: it has pre-releases only, the newest is {newest}",
            hint=f"ask for it by its full version: {index.name}@{newest}",
        )
    raise NoMatchingVersion(f"there is no {asked}; the newest is {max(finished)}")


def is_too_new(entry: IndexEntry, age: AgeRule | None) -> bool:
    """Tell whether the publish time of a version is known and too recent."""
    return age is not None and entry.published is not None and age.is_too_new(entry.published)


def newer_than_allowed(
    index: CrateIndex, requirement: VersionReq | None, chosen: IndexEntry
) -> IndexEntry | None:
    """Return the version that would have been chosen but for its age; None if `chosen` is that."""
    without = select_version(index, requirement)
    return without if without.version != chosen.version else None


def _all_too_new(
    name: str,
    requirement: VersionReq | None,
    matching: Sequence[IndexEntry],
    usable: Sequence[IndexEntry],
    age: AgeRule,
) -> NoMatchingVersion:
    newest = max(matching, key=lambda entry: entry.version)
    asked = f"every version of `{name}`" + (f" that matches {requirement.text}" if requirement else "")
    if len(matching) == 1:
        asked = f"{name} {newest.version}"
    old = [entry.version for entry in usable if ANY.matches(entry.version) and not is_too_new(entry, age)]
    other = f"{name}@{max(old)} is old enough; " if old else ""
    return NoMatchingVersion(
        f"{asked} is too new: {newest.version} was published {age_words(age.now - (newest.published or 0))}, "
        f"{age.words}",
        hint=f"{other}--min-age 0 lets every version pass, for a fix that cannot wait",
    )


def crate_url(config: IndexConfig, entry: IndexEntry) -> str:
    """Return the absolute http(s) URL of the `.crate` file of `entry`.

    `{prefix}` keeps the letters of the name as they are, `{lowerprefix}` does not.

    Raises:
        RegistryError: `dl` leads to no absolute http(s) URL.
    """
    name, version = quote(entry.name, safe="", errors="replace"), str(entry.version)
    values = {
        "crate": name,
        "version": version,
        "prefix": quote(prefix(entry.name), safe="/", errors="replace"),
        "lowerprefix": quote(prefix(entry.name.lower()), safe="/", errors="replace"),
        "sha256-checksum": entry.cksum.hex(),
    }
    try:
        url = config.template.render(values)
        if not config.template.keys:
            url += f"/{name}/{version}/download"
        return normal_url(url, what=f"the URL of {entry.name} {version}")
    except TemplateError as error:
        shown = without_secrets(config.dl[:_MEMBER_CHARACTERS])
        raise RegistryError(
            f"`dl` of the registry's config.json, `{shown}`, is of no use: {error}"
        ) from error
