"""Taking back a transaction that did not come to its end: at once, or in the next run after a kill.

There is one way back and no way forward: what a journal lists is undone. Every step looks first whether the
file is still what the transaction put there; whatever somebody else has changed since stays. So undoing may
itself be interrupted anywhere and done again.
"""

from __future__ import annotations

import os
from pathlib import Path

from binstall.formats.tracking import Tracking, TrackingBytes, undone
from binstall.install.files import is_plain_name, local_io, mark, sync_folder
from binstall.install.journal import Journal, Step, TrackingChange, read_journal, remove_journal
from binstall.install.staging import dead_folders, remove_folder
from binstall.install.tracker import LockedTracking, Tracker, is_torn
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
    with local_io(f"undo an interrupted install in {install_dir}"):
        for folder, lock in dead_folders(install_dir):
            try:
                journal = read_journal(folder)
                if journal is not None:
                    _undo_with_locks(folder, install_dir, journal, progress)
                    progress.warn(f"an install of {journal.crate} had been interrupted; it was undone")
            except BaseException:
                os.close(lock)
                raise
            remove_folder(folder, lock, progress)


def _undo_with_locks(folder: Path, install_dir: Path, journal: Journal, progress: Progress) -> None:
    root = install_dir / journal.tracking.root if journal.tracking is not None else None
    if root is None or not root.is_dir():
        undo(folder, install_dir, journal, None)
        return
    with Tracker(Path(os.path.realpath(root))).locked(progress) as locked:
        undo(folder, install_dir, journal, locked)


def undo(folder: Path, install_dir: Path, journal: Journal, locked: LockedTracking | None) -> None:
    """Undo all steps of `journal`, which stands in the staging folder `folder`, and remove it.

    `locked` is None where there are no tracking files. Raises OSError, TrackingError.
    """
    tracked: Tracking | None = None
    if locked is not None and journal.tracking is not None:
        tracked = _undo_tracking(locked, journal.tracking)
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


def _undo_tracking(locked: LockedTracking, change: TrackingChange) -> Tracking:
    now = locked.read()
    tracker, before, after = locked.tracker, change.before, change.after
    toml_is_ours = is_torn(now.crates_toml, before=before.crates_toml, after=after.crates_toml)
    v1_is_ours = is_torn(now.crates_v1, before=before.crates_v1, after=after.crates_v1)
    if toml_is_ours and v1_is_ours:
        locked.rewrite(before)
        return tracker.parse(before)
    # Somebody wrote one of them since the kill: only our crate's entries are taken back.
    whole = TrackingBytes(
        crates_toml=_whole(now.crates_toml, before.crates_toml, after.crates_toml, ours=toml_is_ours),
        crates_v1=_whole(now.crates_v1, before.crates_v1, after.crates_v1, ours=v1_is_ours),
    )
    merged = undone(tracker.parse(whole), before=tracker.parse(before), after=tracker.parse(after))
    locked.rewrite(merged.serialize())
    return merged


def _whole(now: bytes, before: bytes, after: bytes, *, ours: bool) -> bytes:
    return after if ours and now != before else now
