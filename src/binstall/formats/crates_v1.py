"""`binstall/crates-v1.json`, cargo-binstall's richer list of installed crates.

JSON objects one after the other, without separators, sorted by name:

    {"name":"bar","version_req":"=0.4.0","current_version":"0.4.0",
     "source":{"source_type":"Sparse","url":"https://reg.example/index"},
     "target":"x86_64-unknown-linux-gnu","bins":["bar"]}{"name":"foo-cli",…}

White space between them is accepted, and of two objects of one name the later counts. Members that are not
known survive, here as in cargo-binstall, which therefore keeps the one member that is ours:

    "evidence": {
        "verdict": "verified", "algorithm": "minisign", "key_id": "…", "public_key": "RW…",
        "trusted_comment": "…", "package_url": "https://…", "sha256": "…",
        "installed_at": "2026-01-31T12:00:00Z", "files": ["foo-cli"]
    }

It tells what was verified when the files named in it were placed. An object that is not touched is written
back as it was read, byte for byte.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import NoReturn

from binstall.errors import BadVersion, TrackingError
from binstall.formats.crate_source import CrateSource, source_of
from binstall.formats.version import Version, parse_version
from binstall.limits import MAX_TRACKING_BYTES

_WHITE_SPACE = re.compile(r"[ \t\r\n]*")
_KNOWN = ("name", "version_req", "current_version", "source", "target", "bins", "evidence")


@dataclass(frozen=True, slots=True)
class InstallEvidence:
    """What was known about the package when its files were placed; every text as shown then."""

    verdict: str
    """`verified`, `checksum`, `unsigned` or `skipped`."""
    algorithm: str
    """`minisign`, `sha256` or `none`."""
    key_id: str | None
    """16 upper-case hex digits. A label, not an identity."""
    public_key: str | None
    """In the form that manifests use."""
    trusted_comment: str | None
    """Signed text; escape it before it is shown."""
    package_url: str
    """Before redirects, without user-info and query values."""
    sha256: str
    """Of the package, 64 lower-case hex digits."""
    installed_at: str
    """RFC 3339, UTC, whole seconds, ends in `Z`."""
    files: tuple[str, ...] = ()
    """File names that came out of this package; others in `bins` were left from an earlier version."""


@dataclass(frozen=True, slots=True)
class InstalledCrate:
    """What is recorded of one crate."""

    name: str
    version_req: str
    """As asked for: `*`, `^1.2`, `=1.2.3`."""
    version: Version
    source: CrateSource
    target: str
    """Target triple of the package."""
    bins: tuple[str, ...]
    """File names, with `.exe` where there is one."""
    evidence: InstallEvidence | None = None
    """None where cargo-binstall wrote the record."""


@dataclass(frozen=True, slots=True)
class Record:
    """One object of the file."""

    crate: InstalledCrate
    text: str
    """The object as it stands in the file."""
    unknown: Mapping[str, object]
    """Members that are not known here."""


def parse_records(data: bytes) -> dict[str, Record]:
    """Read a whole file, by name of crate; raise `TrackingError`, and nothing else, on anything else."""
    if len(data) > MAX_TRACKING_BYTES:
        raise TrackingError(f"more than {MAX_TRACKING_BYTES} bytes (MAX_TRACKING_BYTES)")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise TrackingError("not UTF-8 text") from error
    decoder = json.JSONDecoder(parse_float=_finite, parse_constant=_no_number)
    records = {}
    at = _skip(text, 0)
    while at < len(text):
        try:
            value, end = decoder.raw_decode(text, at)
        except RecursionError:
            raise TrackingError("nested too deeply to be read") from None
        except ValueError as error:
            raise TrackingError(f"not JSON from character {at + 1} on: {str(error)[:200]}") from error
        if not isinstance(value, dict):
            raise TrackingError(f"no JSON object at character {at + 1}")
        crate = _crate_of(value)
        unknown = {key: member for key, member in value.items() if key not in _KNOWN}
        records[crate.name] = Record(crate, text[at:end], unknown)
        at = _skip(text, end)
    return records


def record_of(crate: InstalledCrate, unknown: Mapping[str, object] | None = None) -> Record:
    """Return the object for `crate`, with members that are not known here taken over."""
    members: dict[str, object] = {
        "name": crate.name,
        "version_req": crate.version_req,
        "current_version": str(crate.version),
        "source": crate.source.members(),
        "target": crate.target,
        "bins": list(crate.bins),
    }
    if crate.evidence is not None:
        members["evidence"] = asdict(crate.evidence)
    unknown = dict(unknown or {})
    text = json.dumps(members | unknown, separators=(",", ":"), allow_nan=False)
    return Record(crate, text, unknown)


def without_bins(record: Record, taken: Collection[str]) -> Record:
    """Return `record` without the file names that another crate has taken over; all else as it was read."""
    members = json.loads(record.text)
    members["bins"] = [name for name in members["bins"] if name not in taken]
    evidence = members.get("evidence")
    if evidence is not None:
        evidence["files"] = [name for name in evidence["files"] if name not in taken]
    text = json.dumps(members, separators=(",", ":"), allow_nan=False)
    return Record(_crate_of(members), text, record.unknown)


def serialize_records(records: Iterable[Record]) -> bytes:
    """Return the file for `records`."""
    return "".join(record.text for record in sorted(records, key=lambda record: record.crate.name)).encode()


def _crate_of(members: Mapping[str, object]) -> InstalledCrate:
    name = _string(members, "name")
    try:
        version = parse_version(_string(members, "current_version"))
    except BadVersion as error:
        raise TrackingError(f"the record of `{name[:200]}` has no version: {error.message}") from error
    source = source_of(members.get("source"))
    if source is None:
        raise TrackingError(f"the record of `{name[:200]}` has no source of a known type")
    evidence = members.get("evidence")
    return InstalledCrate(
        name=name,
        version_req=_string(members, "version_req"),
        version=version,
        source=source,
        target=_string(members, "target"),
        bins=_strings(members, "bins"),
        evidence=None if evidence is None else _evidence_of(evidence),
    )


def _evidence_of(value: object) -> InstallEvidence:
    if not isinstance(value, dict):
        raise TrackingError("the member `evidence` of a record is not an object")
    return InstallEvidence(
        verdict=_string(value, "verdict"),
        algorithm=_string(value, "algorithm"),
        key_id=_optional(value, "key_id"),
        public_key=_optional(value, "public_key"),
        trusted_comment=_optional(value, "trusted_comment"),
        package_url=_string(value, "package_url"),
        sha256=_string(value, "sha256"),
        installed_at=_string(value, "installed_at"),
        files=_strings(value, "files"),
    )


def _string(members: Mapping[str, object], key: str) -> str:
    value = members.get(key)
    if not isinstance(value, str):
        raise TrackingError(f"the member `{key}` of a record is missing or not a string")
    return value


def _optional(members: Mapping[str, object], key: str) -> str | None:
    return None if members.get(key) is None else _string(members, key)


def _strings(members: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = members.get(key)
    if not isinstance(value, list) or not all(isinstance(element, str) for element in value):
        raise TrackingError(f"the member `{key}` of a record is missing or not an array of strings")
    return tuple(value)


def _skip(text: str, at: int) -> int:
    found = _WHITE_SPACE.match(text, at)
    return found.end() if found else at


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:20]} is too large a number")
    return number


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")
