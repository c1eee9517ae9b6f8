"""A root with crates in it, and an install that changes all that an install can change."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import binstall
from binstall.formats.tracking import (
    CRATES_IO,
    InstalledCrate,
    InstallEvidence,
    TrackingBytes,
    parse_tracking,
)
from binstall.formats.version import parse_crate_spec, parse_version
from binstall.install.files import local_io
from binstall.install.journal import JOURNAL
from binstall.install.recovery import recover
from binstall.install.removal import uninstall
from binstall.install.staging import PREFIX, Staging
from binstall.install.tracker import Tracker
from binstall.install.transaction import Committed, Placement, TrackingUpdate, Untracked, commit

_MODULES = [str(Path(__file__).parent), str(Path(binstall.__file__).parents[1])]
TARGET = "x86_64-unknown-linux-gnu"
OTHER_TABLE = '\n[metadata]\nkept = "yes"\n'


@dataclass
class Heard:
    """A Progress that remembers what it was told."""

    warnings: list[str] = field(default_factory=list)

    def stage(self, words: str) -> None:
        del words

    def detail(self, words: str) -> None:
        del words

    def warn(self, words: str) -> None:
        self.warnings.append(words)

    def transfer(self, label: str, size: int | None) -> Any:
        raise AssertionError(f"{label}: nothing is downloaded here ({size})")


def crate(name: str, version: str, *, signed: bool = True) -> InstalledCrate:
    """Return what would be recorded of a crate."""
    evidence = InstallEvidence(
        verdict="verified",
        algorithm="minisign",
        key_id="0123456789ABCDEF",
        public_key="RW",
        trusted_comment='file:\t"x"',
        package_url=f"https://host.example/{name}-{version}.tgz",
        sha256="ab" * 32,
        installed_at="2026-01-31T12:00:00Z",
    )
    return InstalledCrate(
        name, "*", parse_version(version), CRATES_IO, TARGET, (), evidence if signed else None
    )


def install(
    root: Path,
    name: str,
    version: str,
    bins: Sequence[str],
    *,
    every: Sequence[str] = (),
    untracked: Untracked = "refuse",
    track: bool = True,
    progress: Heard | None = None,
) -> Committed:
    """Install `bins`, whose content says which version they are, as a run of the program does."""
    folder = root / "bin"
    recover(folder, progress)
    with Staging(folder, progress=progress) as staging:
        unpacked = staging.subfolder("unpacked")
        placements = []
        for number, file_name in enumerate(bins):
            staged = unpacked / str(number)
            with local_io("unpack"):
                staged.write_bytes(content(name, version, file_name))
            placements.append(Placement(staged, folder / file_name))
        update = TrackingUpdate(Tracker(root), crate(name, version), frozenset(every or bins))
        return commit(
            staging,
            placements,
            update if track else None,
            crate=name,
            untracked=untracked,
            progress=progress,
        )


def content(name: str, version: str, file_name: str) -> bytes:
    """Return what a binary holds."""
    return f"{file_name} of {name} {version}\n".encode()


def prepare(root: Path, *, fresh: bool = False) -> None:
    """Make a root as the upgrade meets it; a fresh one is not there at all."""
    if fresh:
        return
    install(root, "other", "1.0.0", ["x", "y"])
    install(root, "single", "1.0.0", ["s"])
    install(root, "foo", "1.0.0", ["a", "b", "gone"])
    (root / "bin" / "linked").symlink_to("y")
    with Tracker(root).crates_toml.open("a") as file:
        file.write(OTHER_TABLE)


def upgrade(root: Path) -> None:
    """Replace, add, keep and remove binaries, a link too, and take files over from two other crates."""
    install(
        root,
        "foo",
        "2.0.0",
        ["a", "c", "linked", "s", "x"],
        every=["a", "b", "c", "linked", "s", "x"],
        untracked="replace",
    )


def uninstall_two(root: Path) -> None:
    """Remove two crates in one go, as a run of the program does."""
    uninstall(Tracker(root), [parse_crate_spec("foo"), parse_crate_spec("single")], Heard())


@dataclass(frozen=True)
class State:
    """What is under a root, as far as anybody who uses it can tell."""

    files: dict[str, bytes | str]
    """Content of files, target of links, in `bin`."""
    packages: dict[str, tuple[str, ...]]
    versions: dict[str, str]
    """By crate, as its record says."""
    other: dict[str, Any]


def state(root: Path) -> State:
    """Look at a root without touching it."""
    folder, tracker = root / "bin", Tracker(root)
    files: dict[str, bytes | str] = {}
    for path in sorted(folder.iterdir()) if folder.exists() else []:
        if not path.name.startswith(PREFIX):
            files[path.name] = str(path.readlink()) if path.is_symlink() else path.read_bytes()
    found = [
        path.read_bytes() if path.exists() else b"" for path in (tracker.crates_toml, tracker.crates_v1)
    ]
    tracking = parse_tracking(TrackingBytes(*found))
    return State(
        files,
        {str(package): names for package, names in tracking.listing.packages.items()},
        {name: str(record.crate.version) for name, record in tracking.records.items()},
        dict(tracking.listing.other),
    )


def leftovers(root: Path) -> list[str]:
    """Return the staging folders under a root."""
    return [str(path) for path in root.glob(f"bin/{PREFIX}*")]


def interrupted(root: Path) -> Path | None:
    """Return the staging folder in which a journal stands."""
    found = [path.parent for path in root.glob(f"bin/{PREFIX}*/{JOURNAL}")]
    return found[0] if found else None


def run_python(code: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh interpreter that finds the modules beside this one; little environment, no HOME."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        env={"PYTHONPATH": os.pathsep.join(_MODULES), "PATH": os.defpath} | environment,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def stopped(*arguments: object) -> subprocess.Popen[str]:
    """Start `support_install_stopped` with `arguments`."""
    program = Path(__file__).with_name("support_install_stopped.py")
    return subprocess.Popen(
        [sys.executable, str(program), *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )
