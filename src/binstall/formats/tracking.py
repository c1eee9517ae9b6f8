"""What is installed under one root, and how an install changes it. Pure: no files, no locks.

Two files are one `Tracking`. `.crates.toml` decides what is installed, because cargo writes it too; a
record of `crates-v1.json` counts only while it speaks of the version and source that cargo's list names,
so what cargo installed over our files is never told as verified. `.crates2.json` is cargo's alone: cargo
brings it in line with `.crates.toml` by itself.

Rules that keep cargo working on the result: full package ids; one id for each name; no file in two arrays;
no empty array.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from binstall.errors import TrackingError
from binstall.formats.crate_source import (
    CRATES_IO,
    CrateSource,
    SourceKind,
    git_source,
    path_source,
    registry_source,
)
from binstall.formats.crates_toml import (
    CratesToml,
    PackageId,
    parse_crates_toml,
    serialize_crates_toml,
)
from binstall.formats.crates_v1 import (
    InstalledCrate,
    InstallEvidence,
    Record,
    parse_records,
    record_of,
    serialize_records,
    without_bins,
)
from binstall.formats.version import Version, parse_version

__all__ = [
    "CRATES_IO",
    "CrateSource",
    "CratesToml",
    "InstallEvidence",
    "Installed",
    "InstalledCrate",
    "PackageId",
    "Record",
    "SourceKind",
    "Tracking",
    "TrackingBytes",
    "git_source",
    "parse_tracking",
    "path_source",
    "registry_source",
    "undone",
]


@dataclass(frozen=True, slots=True)
class TrackingBytes:
    """The two files as they stand on disk; an absent one is empty."""

    crates_toml: bytes
    crates_v1: bytes


@dataclass(frozen=True, slots=True)
class Installed:
    """One installed crate, as far as anything is known of it."""

    name: str
    version: Version
    source: str
    """`KIND+URL`."""
    bins: tuple[str, ...]
    """File names."""
    record: InstalledCrate | None
    """None where cargo installed it, or something else than binstall did since."""


@dataclass(frozen=True, slots=True)
class Tracking:
    """What is installed under one root."""

    listing: CratesToml = field(default_factory=CratesToml)
    records: Mapping[str, Record] = field(default_factory=dict)
    """By name of crate; only of crates that `listing` has."""

    def installed(self, name: str) -> Installed | None:
        """Return what is installed of the crate `name`; of several ids the last in the file counts."""
        ids = self.ids(name)
        return self._installed_as(ids[-1]) if ids else None

    def everything(self) -> list[Installed]:
        """Return all that is installed, each package id by itself, sorted."""
        return [self._installed_as(package) for package in sorted(self.listing.packages)]

    def _installed_as(self, package: PackageId) -> Installed:
        record = self.records.get(package.name)
        crate = record.crate if record is not None else None
        if crate is not None and (str(crate.version), str(crate.source)) != (
            package.version,
            package.source,
        ):
            crate = None
        return Installed(
            package.name,
            parse_version(package.version),
            package.source,
            self.listing.packages[package],
            crate,
        )

    def names(self) -> list[str]:
        """Return the names of all installed crates, sorted."""
        return sorted({package.name for package in self.listing.packages})

    def ids(self, name: str) -> list[PackageId]:
        """Return the package ids of one crate, in file order; more than one is cargo's doing."""
        return [package for package in self.listing.packages if package.name == name]

    def owner(self, file_name: str) -> PackageId | None:
        """Return the package that lists `file_name`."""
        for package, names in self.listing.packages.items():
            if file_name in names:
                return package
        return None

    def with_crate(self, crate: InstalledCrate) -> Tracking:
        """Return this with `crate` in place of every id of its name, and owner of all its files."""
        taken = frozenset(crate.bins)
        packages: dict[PackageId, tuple[str, ...]] = {}
        for package, names in self.listing.packages.items():
            left = tuple(name for name in names if name not in taken)
            if package.name != crate.name and left:
                packages[package] = left
        packages[PackageId(crate.name, str(crate.version), str(crate.source))] = tuple(sorted(taken))
        kept = {package.name for package in packages} - {crate.name}
        records = {
            name: without_bins(record, taken) if taken.intersection(record.crate.bins) else record
            for name, record in self.records.items()
            if name in kept
        }
        previous = self.records.get(crate.name)
        records[crate.name] = record_of(crate, previous.unknown if previous is not None else None)
        return Tracking(CratesToml(packages, self.listing.other), records)

    def without(self, packages: Collection[PackageId]) -> Tracking:
        """Return this without some package ids; a crate of which no id is left has no record either."""
        left = {
            package: names for package, names in self.listing.packages.items() if package not in packages
        }
        names = {package.name for package in left}
        records = {name: record for name, record in self.records.items() if name in names}
        return Tracking(CratesToml(left, self.listing.other), records)

    def serialize(self) -> TrackingBytes:
        """Return both files; raise `TrackingError` where a name is not Unicode text."""
        return TrackingBytes(serialize_crates_toml(self.listing), serialize_records(self.records.values()))


def parse_tracking(files: TrackingBytes) -> Tracking:
    """Read both files; raise `TrackingError`, which names the file, and nothing else, on anything else."""
    try:
        listing = parse_crates_toml(files.crates_toml)
    except TrackingError as error:
        raise TrackingError(f".crates.toml cannot be used: {error.message}") from error
    try:
        records = parse_records(files.crates_v1)
    except TrackingError as error:
        raise TrackingError(f"crates-v1.json cannot be used: {error.message}") from error
    names = {package.name for package in listing.packages}
    return Tracking(listing, {name: record for name, record in records.items() if name in names})


def undone(current: Tracking, *, before: Tracking, after: Tracking) -> Tracking:
    """Return `current` without the change from `before` to `after`, crate by crate.

    A crate that is not as the change left it was changed by somebody else since, and stays as it is;
    a file name that such a crate lists is not given back to another.
    """
    was, became, now = (_by_name(tracking.listing) for tracking in (before, after, current))
    restored = _taken_back(was, became, now)
    merged = {name: group for name, group in now.items() if name not in restored}
    theirs = {file_name for group in merged.values() for names in group.values() for file_name in names}
    packages = {package: names for group in merged.values() for package, names in group.items()}
    for name in sorted(restored & was.keys()):
        packages |= _without(was[name], theirs)
    # The two files are written one after the other, so each is taken back by itself.
    restored = _taken_back(before.records, after.records, current.records)
    records = {name: record for name, record in current.records.items() if name not in restored}
    records |= {name: record for name, record in before.records.items() if name in restored}
    names = {package.name for package in packages}
    listing = CratesToml(packages, current.listing.other)
    return Tracking(listing, {name: record for name, record in records.items() if name in names})


def _taken_back(
    was: Mapping[str, object], became: Mapping[str, object], now: Mapping[str, object]
) -> set[str]:
    return {
        name
        for name in was.keys() | became.keys()
        if was.get(name) != became.get(name) and now.get(name) == became.get(name)
    }


def _by_name(listing: CratesToml) -> dict[str, dict[PackageId, tuple[str, ...]]]:
    groups: dict[str, dict[PackageId, tuple[str, ...]]] = {}
    for package, names in listing.packages.items():
        groups.setdefault(package.name, {})[package] = names
    return groups


def _without(
    group: Mapping[PackageId, tuple[str, ...]], theirs: Collection[str]
) -> dict[PackageId, tuple[str, ...]]:
    left = {
        package: tuple(name for name in names if name not in theirs) for package, names in group.items()
    }
    return {package: names for package, names in left.items() if names}
