"""Taking back a transaction that did not come to its end: at once, or in the next run after a kill.

There is one way back and no way forward: what a journal lists is undone. Every step looks first whether the
file is still what the transaction put there; whatever somebody else has changed since stays. So undoing may
itself be interrupted anywhere and done again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from binstall.errors import TrackingError
from binstall.formats.crates_toml import parse_crates_toml
from binstall.formats.crates_v1 import parse_records
from binstall.formats.tracking import Tracking, TrackingBytes, undone
from binstall.install.files import is_plain_name, local_io, mark, sync_folder
from binstall.install.journal import Journal, Step, TrackingChange, read_journal, remove_journal
from binstall.install.staging import dead_folders, remove_folder
from binstall.install.tracker import LockedTracking, Tracker, is_cut, is_mixture
from binstall.progress import Progress, Silent


def recover(install_dir: Path, progress: Progress | None = None) -> None:
    """Undo what killed runs left half done in `install_dir`, and remove their folders.

    Runs that live are not disturbed. Call it before `install_dir` or its tracking files are looked at;
    a dry run, which changes nothing, must not.

    Raises:
        LocalIOError: something cannot be undone; it is tried again next time.
        TrackingError: a tracking file has been made unreadable since.
    """
    progress = progress or Silent()
    install_dir = Path(os.path.realpath(install_dir))
    with (
        local_io(f"undo an interrupted install in {install_dir}"),
        closing(dead_folders(install_dir)) as dead,
    ):
        for folder, claimed in dead:
            journal = read_journal(folder)
            if journal is not None:
                _undo_with_locks(folder, install_dir, journal, progress)
                progress.warn(f"an {journal.verb} of {journal.crate} had been interrupted; it was undone")
            remove_folder(folder, claimed, progress)


def _undo_with_locks(folder: Path, install_dir: Path, journal: Journal, progress: Progress) -> None:
    root = install_dir / journal.tracking.root if journal.tracking is not None else None
    if root is None or not root.is_dir():
        undo(folder, install_dir, journal, None)
        return
    with Tracker(Path(os.path.realpath(root))).locked(progress) as locked:
        undo(folder, install_dir, journal, locked)


def undo(
    folder: Path,
    install_dir: Path,
    journal: Journal,
    locked: LockedTracking | None,
    *,
    alone: bool = False,
) -> None:
    """Undo all steps of `journal`, which stands in the staging folder `folder`, and remove it.

    `locked` is None where there are no tracking files; `alone` says that nobody else has had them since
    before the transaction. Raises OSError, TrackingError.
    """
    tracked: Tracking | None = None
    if locked is not None and journal.tracking is not None:
        tracked = _undo_tracking(locked, journal.tracking, alone=alone)
    for step in journal.steps:
        if is_plain_name(step.name):
            _undo_step(folder, install_dir, step, tracked)
    sync_folder(install_dir)
    remove_journal(folder)
    sync_folder(folder)


def _undo_step(folder: Path, install_dir: Path, step: Step, tracked: Tracking | None) -> None:
    destination = install_dir / step.name
    kept = folder / step.kept if step.kept is not None else None
    now = mark(destination)
    if step.new is None:
        # Removed by the transaction, or by `cargo uninstall` since: the records, already undone, can tell.
        if (
            now is None
            and kept is not None
            and tracked is not None
            and tracked.owner(step.name) is not None
        ):
            _put_back(kept, destination)
    elif now == step.new:
        if kept is None:
            destination.unlink()
        else:
            _put_back(kept, destination)


def _put_back(kept: Path, destination: Path) -> None:
    if mark(kept) is not None:
        kept.replace(destination)


def _undo_tracking(locked: LockedTracking, change: TrackingChange, *, alone: bool) -> Tracking:
    parse, before, after = locked.tracker.parse, change.before, change.after
    if not alone:
        now = locked.read()
        whole = TrackingBytes(
            crates_toml=_whole(now.crates_toml, before.crates_toml, after.crates_toml, parse_crates_toml),
            crates_v1=_whole(now.crates_v1, before.crates_v1, after.crates_v1, parse_records),
        )
        merged = undone(parse(whole), before=parse(before), after=parse(after))
        if merged != parse(before):
            locked.rewrite(merged.serialize())
            return merged
    locked.rewrite(before)
    return parse(before)


def _whole(now: bytes, before: bytes, after: bytes, parse: Callable[[bytes], object]) -> bytes:
    """Return what the file would hold had our write not been cut short, or else what it holds."""
    if now in (before, after):
        return now
    if is_cut(now, before=before, after=after):
        return after
    try:
        parse(now)
    except TrackingError:
        return after if is_mixture(now, before=before, after=after) else now
    return now
