"""The journal of one transaction: what is about to be placed, and how to take it back.

It is written and synced before the first file is touched, and its removal is the moment at which the
install counts. While it stands, every step in it can be undone: each old file is kept, and the tracking
files are in it whole, as they were and as they shall be. Own format, JSON, in a folder that nobody else can
write to.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from binstall.errors import LocalIOError
from binstall.formats.tracking import TrackingBytes
from binstall.install.files import Mark, sync_folder, write_synced

JOURNAL: Final = "journal.json"
_DRAFT: Final = "journal.draft"
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Step:
    """One file name in the install folder."""

    name: str
    new: Mark | None
    """What will stand there; None: nothing, the name is removed."""
    old: Mark | None
    """What stood there; None: nothing."""
    kept: str | None
    """Where the old file is kept, relative to the staging folder."""


@dataclass(frozen=True, slots=True)
class TrackingChange:
    """The tracking files of one root, before and after."""

    root: str
    """Relative to the install folder, or absolute."""
    before: TrackingBytes
    after: TrackingBytes


@dataclass(frozen=True, slots=True)
class Journal:
    """One transaction."""

    crate: str
    """Its name, for messages; of several, all of them."""
    steps: tuple[Step, ...]
    tracking: TrackingChange | None

    @property
    def verb(self) -> str:
        """What was being done, for messages: an install places something, an uninstall only removes."""
        return "install" if any(step.new is not None for step in self.steps) else "uninstall"


def write_journal(folder: Path, journal: Journal) -> None:
    """Write `journal` into `folder`, whole or not at all, and synced. Raises OSError."""
    tracking = journal.tracking
    members = {
        "version": _VERSION,
        "crate": journal.crate,
        "steps": [asdict(step) for step in journal.steps],
        "tracking": None
        if tracking is None
        else {"root": tracking.root, "before": _texts(tracking.before), "after": _texts(tracking.after)},
    }
    draft = folder / _DRAFT
    write_synced(draft, json.dumps(members).encode())
    draft.replace(folder / JOURNAL)
    sync_folder(folder)


def read_journal(folder: Path) -> Journal | None:
    """Return the journal in `folder`, None if there is none.

    Raises:
        LocalIOError: it cannot be read, or a newer version of this program wrote it.
    """
    path = folder / JOURNAL
    try:
        members = json.loads(path.read_bytes())
        if members["version"] != _VERSION:
            raise LocalIOError(
                f"{path} was left by a newer binstall that was interrupted",
                hint="run that newer version again, or remove the folder",
            )
        tracking = members["tracking"]
        return Journal(
            crate=members["crate"],
            steps=tuple(_step(step) for step in members["steps"]),
            tracking=None
            if tracking is None
            else TrackingChange(tracking["root"], _bytes(tracking["before"]), _bytes(tracking["after"])),
        )
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise LocalIOError(
            f"{path}, left by an interrupted install, cannot be read",
            hint="remove the folder, then install again what was being installed",
        ) from error


def remove_journal(folder: Path) -> None:
    """Remove the journal: from here on the transaction has happened, or has been undone."""
    (folder / JOURNAL).unlink()


def _texts(files: TrackingBytes) -> dict[str, str]:
    return {"crates_toml": files.crates_toml.decode(), "crates_v1": files.crates_v1.decode()}


def _bytes(members: dict[str, str]) -> TrackingBytes:
    return TrackingBytes(members["crates_toml"].encode(), members["crates_v1"].encode())


def _step(members: dict[str, Any]) -> Step:
    return Step(members["name"], _mark(members["new"]), _mark(members["old"]), members["kept"])


def _mark(members: dict[str, Any] | None) -> Mark | None:
    if members is None:
        return None
    return Mark(members["kind"], members["size"], members["mtime_ns"], members["target"])
