"""Removing installed crates: all that are named, with what is recorded of them, or nothing.

    choose    by the records alone: the package ids that are named, and the files that they list
    remove    one transaction, as for an install (`transaction.py`), under cargo's lock

The records decide what goes: a file that they do not list for a named crate is never touched. A listed file
stays where another crate lists it too, where it is no plain name in `bin`, and where a folder stands in its
place; that, and one that is already gone, is a warning and keeps nobody from uninstalling the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from binstall.errors import LocalIOError, NotInstalled
from binstall.formats.crates_toml import PackageId
from binstall.formats.tracking import Installed, Tracking
from binstall.formats.version import CrateSpec, parse_version
from binstall.install.files import is_plain_name, local_io, mark
from binstall.install.recovery import recover
from binstall.install.staging import Staging
from binstall.install.tracker import Tracker
from binstall.install.transaction import commit_removal
from binstall.progress import Progress


@dataclass(frozen=True, slots=True)
class Leaving:
    """One crate that is to be, or was, uninstalled."""

    crate: Installed
    files: tuple[Path, ...]
    """To remove: they exist, and nobody else lists them."""
    staying: tuple[str, ...]
    """Listed file names that are not removed; `Removal.warnings` says why."""


@dataclass(frozen=True, slots=True)
class Removal:
    """What an uninstall does."""

    packages: frozenset[PackageId]
    crates: tuple[Leaving, ...]
    """Sorted by package id."""
    warnings: tuple[str, ...]

    @property
    def words(self) -> str:
        """Return the names, for messages."""
        return ", ".join(dict.fromkeys(leaving.crate.name for leaving in self.crates))


def plan_removal(tracking: Tracking, specs: Sequence[CrateSpec], bin_dir: Path) -> Removal:
    """Choose what goes; looks at files and changes nothing.

    A version in a spec means that this very version, or one that matches, has to be what is installed.

    Raises:
        NotInstalled: of all the specs that name nothing, in one error.
        LocalIOError: a file cannot be looked at.
    """
    packages: set[PackageId] = set()
    missing: list[str] = []
    for spec in specs:
        chosen = _chosen(tracking, spec)
        packages.update(chosen)
        if not chosen:
            missing.append(_missing(tracking, spec))
    if missing:
        raise NotInstalled("; ".join(dict.fromkeys(missing)))
    theirs = {
        name: package
        for package, names in tracking.listing.packages.items()
        if package not in packages
        for name in names
    }
    warnings: list[str] = []
    taken: set[str] = set()
    crates = []
    everything = zip(sorted(tracking.listing.packages), tracking.everything(), strict=True)
    for package, crate in everything:
        if package not in packages:
            continue
        files, staying = [], []
        for name in dict.fromkeys(crate.bins):
            path = bin_dir / name
            reason = "is not a plain file name" if not is_plain_name(name) else None
            if reason is None and name in theirs:
                reason = f"belongs to {theirs[name].name} {theirs[name].version} as well"
            if reason is None:
                reason = _why_not(path)
            if reason is not None:
                staying.append(name)
                warnings.append(
                    f"{path if is_plain_name(name) else name[:200]} {reason}; it is not removed"
                )
            elif name not in taken:
                taken.add(name)
                files.append(path)
        crates.append(Leaving(crate, tuple(files), tuple(staying)))
    return Removal(frozenset(packages), tuple(crates), tuple(warnings))


def uninstall(tracker: Tracker, specs: Sequence[CrateSpec], progress: Progress) -> Removal:
    """Remove the files of the crates that `specs` name and what is recorded of them, or change nothing.

    Returns what was removed; its warnings have been told.

    Raises:
        NotInstalled: see `plan_removal`.
        TrackingError: a tracking file is malformed; it is left as it is.
        LocalIOError: the file system refused; everything was undone, or the message says what was not.
    """
    bin_dir = tracker.root / "bin"
    recover(bin_dir, progress)
    # A refusal is better found before the files that carry the locks are made.
    removal = plan_removal(tracker.read(), specs, bin_dir)
    doing = f"uninstall {removal.words} from {tracker.root}"
    try:
        with (
            Staging(bin_dir, progress=progress) as staging,
            local_io(doing),
            tracker.locked(progress) as locked,
        ):
            before = locked.read()
            current = tracker.parse(before)
            removal = plan_removal(current, specs, bin_dir)
            for warning in removal.warnings:
                progress.warn(warning)
            commit_removal(
                staging,
                locked,
                crate=removal.words,
                names=tuple(path.name for leaving in removal.crates for path in leaving.files),
                before=before,
                after=current.without(removal.packages).serialize(),
                progress=progress,
            )
    except LocalIOError as error:
        if isinstance(error.__cause__, PermissionError):
            error.hint = "uninstall as the user who owns that folder"
        raise
    return removal


def _chosen(tracking: Tracking, spec: CrateSpec) -> list[PackageId]:
    return [
        package
        for package in tracking.ids(spec.name)
        if spec.requirement is None or spec.requirement.matches(parse_version(package.version))
    ]


def _missing(tracking: Tracking, spec: CrateSpec) -> str:
    versions = ", ".join(package.version for package in tracking.ids(spec.name))
    if not versions:
        return f"{spec.name} is not installed"
    requirement = spec.requirement.text if spec.requirement is not None else "*"
    return f"{spec.name} {requirement} is not installed, {versions} is"


def _why_not(path: Path) -> str | None:
    with local_io(f"look at {path}"):
        there = mark(path)
    if there is None:
        return "is already gone"
    return "is not a file" if there.kind == "other" else None
