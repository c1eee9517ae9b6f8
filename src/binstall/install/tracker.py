"""The two tracking files on disk: read under a shared lock, rewritten under cargo's exclusive one.

    ROOT/binstall/crates-v1.json    locked first, as cargo-binstall does
    ROOT/.crates.toml               locked second; cargo locks this one, then its own `.crates2.json`

Everybody takes the locks in this order and cargo does not take the first, so nobody can wait in a circle.
cargo locks the file and not its name; a file is therefore never replaced or removed, but rewritten in
place. A shorter text is first padded with empty lines to the old length, so between any two calls the file
is whole; a write that is cut short within a call is healed from the journal of the transaction.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from binstall.errors import TrackingError
from binstall.formats.tracking import Installed, Tracking, TrackingBytes, parse_tracking
from binstall.install.files import local_io, sync, write_all
from binstall.install.locks import open_locked
from binstall.limits import CHUNK_BYTES, MAX_TRACKING_BYTES
from binstall.progress import Progress, Silent

_SECTOR_BYTES: Final = 512


@dataclass(frozen=True, slots=True)
class Tracker:
    """The records of one root."""

    root: Path
    """cargo's root; binaries are in its folder `bin`. Need not exist."""

    @property
    def crates_toml(self) -> Path:
        """Return the path of cargo's list."""
        return self.root / ".crates.toml"

    @property
    def crates_v1(self) -> Path:
        """Return the path of the richer list."""
        return self.root / "binstall" / "crates-v1.json"

    def read(self) -> Tracking:
        """Return what is installed, creating nothing; locks are held while reading only.

        Raises:
            TrackingError: a file is malformed.
            LocalIOError: a file cannot be read.
        """
        with local_io(f"read the list of installed crates in {self.root}"), ExitStack() as stack:
            found = []
            for path in (self.crates_v1, self.crates_toml):
                try:
                    fd = open_locked(path, exclusive=False, create=False)
                except FileNotFoundError:
                    found.append(b"")
                    continue
                stack.callback(os.close, fd)
                found.append(_read(fd, path))
        return self.parse(TrackingBytes(crates_toml=found[1], crates_v1=found[0]))

    def parse(self, files: TrackingBytes) -> Tracking:
        """Read both files' contents; raise `TrackingError` that names the root."""
        try:
            return parse_tracking(files)
        except TrackingError as error:
            raise TrackingError(f"in {self.root}: {error.message}") from error

    def installed(self, name: str) -> Installed | None:
        """Return what is installed of one crate; raises as `read`."""
        return self.read().installed(name)

    def forget_evidence(self, name: str) -> None:
        """Drop our record of a crate that cargo has just built: what it says of a package is history.

        Raises:
            TrackingError: a file is malformed.
            LocalIOError: a file cannot be read or written.
        """
        if self.read().records.get(name) is None:
            return
        with local_io(f"change the list of installed crates in {self.root}"), self.locked() as locked:
            tracking = self.parse(locked.read())
            records = {other: record for other, record in tracking.records.items() if other != name}
            locked.rewrite(Tracking(tracking.listing, records).serialize())

    @contextmanager
    def locked(self, progress: Progress | None = None) -> Iterator[LockedTracking]:
        """Hold both exclusive locks; files that are not there are made, empty.

        Raises:
            OSError: a file cannot be made, opened or locked.
        """
        progress = progress or Silent()
        self.crates_v1.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            fds = []
            for path in (self.crates_v1, self.crates_toml):
                fd = open_locked(path, exclusive=True, create=True, on_wait=_waiting(progress, path))
                stack.callback(os.close, fd)
                fds.append(fd)
            yield LockedTracking(self, crates_toml_fd=fds[1], crates_v1_fd=fds[0])


@dataclass(frozen=True, slots=True)
class LockedTracking:
    """Both files, open and locked."""

    tracker: Tracker
    crates_toml_fd: int
    crates_v1_fd: int

    def read(self) -> TrackingBytes:
        """Return what the files hold now."""
        return TrackingBytes(
            crates_toml=_read(self.crates_toml_fd, self.tracker.crates_toml),
            crates_v1=_read(self.crates_v1_fd, self.tracker.crates_v1),
        )

    def rewrite(self, new: TrackingBytes) -> None:
        """Make the files hold `new`, on disk. The caller has a synced copy of what they held."""
        old = self.read()
        _rewrite(self.crates_toml_fd, old.crates_toml, new.crates_toml)
        _rewrite(self.crates_v1_fd, old.crates_v1, new.crates_v1)


def is_cut(now: bytes, *, before: bytes, after: bytes) -> bool:
    """Tell whether `now` is `before` or `after`, or a write of the one over the other, cut short.

    Such a write ends where a page or, when the power fails, a sector of the disk ends.
    """
    return now in (before, after) or _is_cut(now, before, after) or _is_cut(now, after, before)


def _is_cut(now: bytes, old: bytes, new: bytes) -> bool:
    written = new.ljust(len(old), b"\n")
    pairs = enumerate(zip(now, written, strict=False))
    same = next((at for at, (found, ours) in pairs if found != ours), min(len(now), len(written)))
    at = same if same == len(written) else same - same % _SECTOR_BYTES
    return now[at:] == old[at:]


def is_mixture(now: bytes, *, before: bytes, after: bytes) -> bool:
    """Tell whether every byte of `now` is one of `before` or of `after`: not so for most other texts."""
    length = max(len(before), len(after))
    either = zip(now, before.ljust(length, b"\n"), after.ljust(length, b"\n"), strict=False)
    return len(now) <= length and all(found in (one, other) for found, one, other in either)


def _rewrite(fd: int, old: bytes, new: bytes) -> None:
    if new == old:
        return
    if new:
        os.lseek(fd, 0, os.SEEK_SET)
        write_all(fd, new.ljust(len(old), b"\n"))
    if len(new) < len(old):
        os.ftruncate(fd, len(new))
    sync(fd)


def _read(fd: int, path: Path) -> bytes:
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        raise TrackingError(f"{path} is not a regular file")
    if found.st_size > MAX_TRACKING_BYTES:
        raise TrackingError(f"{path} has more than {MAX_TRACKING_BYTES} bytes (MAX_TRACKING_BYTES)")
    os.lseek(fd, 0, os.SEEK_SET)
    chunks = []
    while chunk := os.read(fd, CHUNK_BYTES):
        chunks.append(chunk)
    return b"".join(chunks)


def _waiting(progress: Progress, path: Path) -> Callable[[], None]:
    return lambda: progress.warn(f"waiting for another program that holds the lock on {path}")
