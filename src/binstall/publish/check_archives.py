"""The archives in a folder of release files that no target leads to: packages that nobody can install.

Named is an archive to which the installer's resolution leads for no target at all, as far as it was meant to
be installed. It was not if

    a target in its name is served by another file          a second packing, another program, debug symbols
    it is a file that is served, in another format          the same name up to the extension
    its name has no target and no word for a platform,      sources, completions, manuals
    and it holds none of the crate's binaries
    it belongs to another crate of the workspace
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from binstall.errors import NothingFound
from binstall.publish.archive_names import archive_format, members_of, names_a_platform, stem
from binstall.publish.check_mends import Mender
from binstall.publish.check_targets import Question, Reach, target_in
from binstall.publish.manifest_lines import table_of


@dataclass(frozen=True, slots=True)
class Unreachable:
    """One archive that no installer gets to."""

    name: str
    error: NothingFound
    mend: str


def unreachable_archives(menders: Sequence[Mender], folder: Path) -> Iterator[Unreachable]:
    """Yield them by name; `menders` are those of all crates whose release is in `folder`."""
    reaches = [mender.reach for mender in menders]
    claimed = {name for reach in reaches for name in reach.claims}
    stems = {stem(name) for name in claimed}
    for name in sorted({name for reach in reaches for name in reach.names} - claimed):
        if archive_format(name) is None or stem(name) in stems or not _is_package(name, reaches, folder):
            continue
        target = target_in(name)
        error = NothingFound(
            f"no target leads to {name}" if target is None else f"{target.text} does not lead to {name}"
        )
        yield Unreachable(name, error, _mend(name, _nearest(name, menders)))


def _is_package(name: str, reaches: Collection[Reach], folder: Path) -> bool:
    target = target_in(name)
    if target is not None:
        return all(reach.file_for(target) is None for reach in reaches)
    if names_a_platform(name):
        return True
    package_format = archive_format(name)
    members = members_of(folder / name, package_format) if package_format is not None else frozenset()
    files = {member.rpartition("/")[2] for member in members}
    binaries = {one.name for reach in reaches for one in reach.manifest.binaries}
    return any(binary in files or f"{binary}.exe" in files for binary in binaries)


def _nearest(name: str, menders: Sequence[Mender]) -> Mender:
    """Return the crate of which the name holds the most: that of its package or of a binary."""

    def held(mender: Mender) -> int:
        manifest = mender.reach.manifest
        words = [manifest.name, *(binary.name for binary in manifest.binaries)]
        return max((len(word) for word in words if word in name), default=0)

    return max(menders, key=held)


def _mend(name: str, mender: Mender) -> str:
    target = target_in(name)
    if target is not None:
        question = Question(target, is_machines=False)
        row_mend = mender.mend(question, mender.reach.failure(target))
        if row_mend is not None:
            return row_mend
    key = "TARGET" if target is None else target.text
    version = str(mender.reach.manifest.version)
    template = name.replace(version, "{ version }") if version else name
    return (
        f"{mender.lines.place('metadata', 'binstall', 'pkg-url')}: below {table_of(key)} write a pkg-url that "
        f"ends in /{template}"
    )
