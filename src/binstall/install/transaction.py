"""Placing the binaries of one crate: all of them, with the record of it, or none. Removing likewise.

    check     names, what stands in the way
    keep      old files, by hard link, in the staging folder
    write     the journal, synced
    place     each file by one rename over its destination; binaries that the new version lacks go
    record    the tracking files, in place, under cargo's lock
    commit    the journal is removed

An error or a signal undoes everything. A kill leaves each file wholly old or wholly new, and a journal, by
which the next run undoes the rest (`recovery.py`). The lock on the tracking files is held from before the
check until after the commit.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from binstall.errors import FileInTheWay, InstallError, LocalIOError, TrackingError
from binstall.formats.tracking import InstalledCrate, PackageId, Tracking, TrackingBytes
from binstall.install.files import (
    is_plain_name,
    keep,
    local_io,
    mark,
    place_new,
    place_over,
    reason,
    seal,
    sync_folder,
)
from binstall.install.journal import JOURNAL, Journal, Step, TrackingChange, remove_journal, write_journal
from binstall.install.recovery import undo
from binstall.install.signals import despite_signals
from binstall.install.staging import Staging
from binstall.install.tracker import LockedTracking, Tracker
from binstall.progress import Progress, Silent

Untracked = Literal["refuse", "warn", "replace"]
"""What happens to a file in the way: an error, a warning, nothing. Without tracking `warn` is `refuse`."""


@dataclass(frozen=True, slots=True)
class Placement:
    """One binary to place."""

    staged: Path
    """A regular file in the staging folder; nothing may write to it afterwards."""
    destination: Path
    """A plain name in the install folder."""


@dataclass(frozen=True, slots=True)
class TrackingUpdate:
    """How the install is to be recorded."""

    tracker: Tracker
    """Of the root whose folder `bin` is the install folder."""
    crate: InstalledCrate
    """`bins`, and `files` of its evidence, are filled in from what is placed."""
    binaries: frozenset[str]
    """File names of all binaries that this version has, placed now or not."""


@dataclass(frozen=True, slots=True)
class InTheWay:
    """A file that stands where a binary would go, and is not an earlier one of the same crate."""

    path: Path
    owner: PackageId | None
    """The package that lists it; None where no record does."""

    def __str__(self) -> str:
        if self.owner is None:
            return f"{self.path} exists, and no record tells where it came from"
        return f"{self.path} exists as part of {self.owner.name} {self.owner.version}"


@dataclass(frozen=True, slots=True)
class Committed:
    """What a transaction did."""

    placed: tuple[Path, ...]
    removed: tuple[Path, ...]
    """Binaries of an earlier version that this one does not have."""


@dataclass(frozen=True, slots=True)
class _Plan:
    crate: str
    placements: Sequence[Placement]
    removals: tuple[str, ...]
    change: TrackingChange | None


def in_the_way(
    install_dir: Path, names: Sequence[str], crate: str, tracking: Tracking | None
) -> list[InTheWay]:
    """Return the files that an install of `names` would replace and that `crate` does not own.

    `tracking` is None where nothing is tracked. A file of another crate is in the way as well: cargo does
    not hand it over unasked either.

    Raises:
        InstallError: a name is not plain, or not a file stands there; nothing can replace that.
        LocalIOError: the folder cannot be read.
    """
    found = []
    for name in names:
        if not is_plain_name(name):
            raise InstallError(f"`{name[:200]}` is not a plain file name")
        path = install_dir / name
        with local_io(f"look at {path}"):
            there = mark(path)
        if there is None:
            continue
        if there.kind == "other":
            raise InstallError(
                f"{path} is not a file, so no binary can take its place",
                hint="move it away, then try again",
            )
        owner = tracking.owner(name) if tracking is not None else None
        if owner is None or owner.name != crate:
            found.append(InTheWay(path, owner))
    return found


def commit(
    staging: Staging,
    placements: Sequence[Placement],
    tracking: TrackingUpdate | None,
    *,
    crate: str,
    untracked: Untracked,
    progress: Progress | None = None,
) -> Committed:
    """Place all binaries of one crate and record it, or change nothing.

    Raises:
        FileInTheWay: a file stands in the way and `untracked` does not allow to replace it.
        InstallError: a destination is no plain name in the install folder, or not a file.
        TrackingError: a tracking file is malformed; it is left as it is.
        LocalIOError: the file system refused; everything was undone, or the message says what was not.
    """
    progress = progress or Silent()
    names = _names(staging, placements)
    with local_io(f"install {crate} into {staging.install_dir}"):
        if tracking is None:
            strict: Untracked = "replace" if untracked == "replace" else "refuse"
            _check(staging, names, crate, None, untracked=strict, progress=progress)
            plan = _Plan(crate, placements, (), None)
            return _apply(staging, plan, None, progress)
        tracker = tracking.tracker
        if Path(os.path.realpath(tracker.root / "bin")) != staging.install_dir:
            raise InstallError(f"{staging.install_dir} is not the folder `bin` of {tracker.root}")
        # A refusal is better found before the files that carry the locks are made.
        _check(staging, names, crate, tracker.read(), untracked=untracked, progress=Silent())
        with tracker.locked(progress) as locked:
            before = locked.read()
            current = tracker.parse(before)
            _check(staging, names, crate, current, untracked=untracked, progress=progress)
            removals, after = _next(staging, names, current, tracking)
            change = TrackingChange(_root_from(staging.install_dir, tracker), before, after)
            return _apply(staging, _Plan(crate, placements, removals, change), locked, progress)


def commit_removal(
    staging: Staging,
    locked: LockedTracking,
    *,
    crate: str,
    names: tuple[str, ...],
    before: TrackingBytes,
    after: TrackingBytes,
    progress: Progress,
) -> Committed:
    """Remove files and what is recorded of them, or change nothing. The caller holds the lock.

    `names` are plain ones of the install folder; `before` is what `locked` holds; `crate` is for messages.

    Raises:
        LocalIOError: the file system refused and not everything could be undone.
        OSError: the file system refused; everything was undone.
    """
    change = TrackingChange(_root_from(staging.install_dir, locked.tracker), before, after)
    return _apply(staging, _Plan(crate, (), names, change), locked, progress)


def _names(staging: Staging, placements: Sequence[Placement]) -> list[str]:
    if staging.dry_run or not placements:
        raise InstallError(
            "nothing can be placed" + (" in a dry run" if staging.dry_run else ": no binaries")
        )
    names = [placement.destination.name for placement in placements]
    for placement in placements:
        if Path(os.path.realpath(placement.destination.parent)) != staging.install_dir:
            raise InstallError(
                f"{placement.destination} is not in the install folder {staging.install_dir}"
            )
    if len(set(names)) != len(names):
        raise InstallError(f"two binaries would have the same name: {', '.join(sorted(names))}")
    return names


def _check(
    staging: Staging,
    names: Sequence[str],
    crate: str,
    tracking: Tracking | None,
    *,
    untracked: Untracked,
    progress: Progress,
) -> None:
    for obstacle in in_the_way(staging.install_dir, names, crate, tracking):
        if untracked == "refuse":
            raise FileInTheWay(str(obstacle))
        if untracked == "warn":
            progress.warn(f"{obstacle}; it is replaced")


def _next(
    staging: Staging, names: Sequence[str], current: Tracking, update: TrackingUpdate
) -> tuple[tuple[str, ...], TrackingBytes]:
    """Return the names to remove, and the tracking files as they shall be."""
    crate = update.crate
    theirs = {
        name
        for package, bins in current.listing.packages.items()
        if package.name != crate.name
        for name in bins
    }
    earlier = {name for package in current.ids(crate.name) for name in current.listing.packages[package]}
    left = sorted(
        name for name in earlier - theirs - set(names) if is_plain_name(name) and _is_file(staging, name)
    )
    # cargo too keeps a binary that was not asked for this time, if the new version still has it.
    bins = (*names, *(name for name in left if name in update.binaries))
    evidence = replace(crate.evidence, files=tuple(sorted(names))) if crate.evidence is not None else None
    after = current.with_crate(replace(crate, bins=tuple(sorted(bins)), evidence=evidence))
    return tuple(name for name in left if name not in update.binaries), after.serialize()


def _is_file(staging: Staging, name: str) -> bool:
    there = mark(staging.install_dir / name)
    return there is not None and there.kind != "other"


def _root_from(install_dir: Path, tracker: Tracker) -> str:
    root = os.path.realpath(tracker.root)
    return ".." if Path(root) == install_dir.parent else root


def _apply(staging: Staging, plan: _Plan, locked: LockedTracking | None, progress: Progress) -> Committed:
    journal = _prepare(staging, plan)
    install_dir, folder = staging.install_dir, staging.folder
    try:
        write_journal(folder, journal)
        sync_folder(install_dir)
        _place(staging, plan, journal)
        if locked is not None and plan.change is not None:
            locked.rewrite(plan.change.after)
        remove_journal(folder)
    except BaseException as error:
        _undo_after(error, staging, journal, locked)
        raise
    try:
        sync_folder(folder)
    except OSError as error:
        # It is done; only a power failure just now could have it undone by the next run.
        progress.warn(f"cannot sync {folder}: {reason(error)}")
    return Committed(
        placed=tuple(install_dir / placement.destination.name for placement in plan.placements),
        removed=tuple(install_dir / name for name in plan.removals),
    )


def _prepare(staging: Staging, plan: _Plan) -> Journal:
    kept = staging.subfolder("kept")
    placed = [_step(staging, kept, one.destination.name, one) for one in plan.placements]
    removed = [_step(staging, kept, name, None) for name in plan.removals]
    sync_folder(kept)
    return Journal(plan.crate, (*placed, *removed), plan.change)


def _step(staging: Staging, kept: Path, name: str, placement: Placement | None) -> Step:
    destination = staging.install_dir / name
    old = mark(destination)
    if old is None:
        return Step(name, seal(placement.staged) if placement else None, None, None)
    keep(destination, kept / name)
    new = seal(placement.staged) if placement else None
    return Step(name, new, mark(destination), f"{kept.name}/{name}")


def _place(staging: Staging, plan: _Plan, journal: Journal) -> None:
    steps = {step.name: step for step in journal.steps}
    for placement in plan.placements:
        step = steps[placement.destination.name]
        destination = staging.install_dir / step.name
        if step.old is not None:
            place_over(placement.staged, destination, staging.folder / f"{step.kept}.aside")
            continue
        try:
            place_new(placement.staged, destination)
        except FileExistsError:
            raise FileInTheWay(f"{destination} was made by somebody else in the meantime") from None
    for name in plan.removals:
        (staging.install_dir / name).unlink(missing_ok=True)
    sync_folder(staging.install_dir)


def _undo_after(
    error: BaseException, staging: Staging, journal: Journal, locked: LockedTracking | None
) -> None:
    def work() -> None:
        # Without a journal nothing had begun, or everything was done.
        if (staging.folder / JOURNAL).exists():
            undo(staging.folder, staging.install_dir, journal, locked, alone=True)

    try:
        despite_signals(work)
    except (OSError, TrackingError) as second:
        why = reason(second) if isinstance(second, OSError) else str(second)
        raise LocalIOError(
            f"{journal.verb}ing {journal.crate} failed, and not all of it could be undone: {why}",
            hint=f"the next run tries again; the old files are in {staging.folder}",
        ) from error
