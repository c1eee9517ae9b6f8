"""Which files of a package git does not have as they are, our stamp aside.

Asked about are the files that cargo would publish, those of the package that were deleted, and the manifests
above it, from which it may inherit. `Cargo.toml` may differ from the last commit in its signing section.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from binstall.errors import BinstallError
from binstall.publish.cargo_package import CargoPackage
from binstall.publish.git import ask_git
from binstall.publish.stamp import read_text, remove

_MANIFEST = "Cargo.toml"


def uncommitted_files(
    package: CargoPackage, names: Collection[str], environment: Mapping[str, str]
) -> tuple[str, ...] | None:
    """Return the paths, from the package's folder, of what is not committed; None where git cannot tell.

    `names` are the files that would be published.
    """
    folder = package.folder
    answer = ask_git(folder, environment, "rev-parse", "--show-toplevel")
    if answer is None:
        return None
    top = Path(os.path.realpath(os.fsdecode(answer.rstrip(b"\r\n"))))
    here = Path(os.path.realpath(folder))
    above = [str(parent / _MANIFEST) for parent in here.parents if parent == top or top in parent.parents]
    status = ask_git(
        here,
        environment,
        "status",
        "--porcelain=v1",
        "-z",
        "--untracked-files=all",
        "--no-renames",
        "--",
        ".",
        *above,
    )
    if status is None:
        return None
    found = []
    manifest = Path(os.path.realpath(package.manifest_path))  # behind a link it may have any name
    for state, path in _entries(status, top):
        name = os.path.relpath(path, here).replace(os.sep, "/")
        if (path.name == _MANIFEST or path == manifest) and _differs_in_stamp_alone(path, environment):
            continue
        is_deleted = "D" in state and here in path.parents and not _is_of_another_package(path, here)
        if name in names or is_deleted or name.startswith("../"):
            found.append(name)
    return tuple(sorted(found))


def _entries(status: bytes, top: Path) -> Iterator[tuple[str, Path]]:
    for entry in status.split(b"\0"):
        if entry:
            yield entry[:2].decode("ascii", "replace"), top / os.fsdecode(entry[3:])


def _is_of_another_package(path: Path, folder: Path) -> bool:
    between = (parent for parent in path.parents if folder in parent.parents)
    return any((parent / _MANIFEST).is_file() for parent in between)


def _differs_in_stamp_alone(manifest: Path, environment: Mapping[str, str]) -> bool:
    committed = ask_git(manifest.parent, environment, "show", f"HEAD:./{manifest.name}")
    if committed is None:
        return False
    try:
        return _lines(remove(committed.decode())) == _lines(remove(read_text(manifest)))
    except (BinstallError, UnicodeDecodeError):
        return False


def _lines(text: str) -> list[str]:
    """Return what is on the lines of a text; where a section was taken out, blank ones may have stayed."""
    return [line.rstrip() for line in text.removeprefix("\ufeff").splitlines() if line.strip()]
