"""All packages of the workspace that a manifest on this disk belongs to."""

from __future__ import annotations

import os
from pathlib import Path

from binstall.errors import LocalManifestError
from binstall.formats.cargo_toml import Table, parse_cargo_toml
from binstall.formats.manifest import package_of
from binstall.limits import MAX_METADATA_STRING_CHARACTERS
from binstall.registry.packages import MANIFEST
from binstall.registry.tree import DiskTree
from binstall.registry.workspace import member_folders


def workspace_manifests(path: Path) -> tuple[Path, ...]:
    """Return the `Cargo.toml` of each package of the workspace around `path`, a manifest or its folder.

    They are absolute, the root's own first; outside of a workspace it is that one alone. A package that is
    a member only because another depends on its path is not among them. Raises `LocalManifestError` for
    whatever is wrong.
    """
    start = _absolute(path)
    if start.is_dir():
        start /= MANIFEST
    try:
        members = _members(_root_of(start))
        return members if start in members or package_of(_read(start)) is None else (start,)
    except OSError as cause:
        raise LocalManifestError(f"{cause.filename or path} cannot be read: {cause.strerror}") from cause


def _members(root: Path) -> tuple[Path, ...]:
    workspace = _read(root).table("workspace")
    if workspace is None:
        return (root,)
    members, excludes = _patterns(workspace, "members"), _patterns(workspace, "exclude")
    folders = member_folders(DiskTree(), root.parent, members, excludes, deep=False) if members else ()
    manifests = [root, *(folder / MANIFEST for folder in folders if (folder / MANIFEST).is_file())]
    return tuple(manifest for manifest in manifests if package_of(_read(manifest)) is not None)


def _root_of(start: Path) -> Path:
    document = _read(start)
    package = package_of(document)
    if package is None or document.table("workspace") is not None:
        return start
    named = package.string("workspace", MAX_METADATA_STRING_CHARACTERS, "MAX_METADATA_STRING_CHARACTERS")
    if named is not None:
        return _absolute(start.parent / named / MANIFEST)
    for folder in start.parent.parents:
        above = folder / MANIFEST
        if above.is_file() and _read(above).table("workspace") is not None:
            return above
    return start


def _absolute(path: Path) -> Path:
    absolute = path.absolute()
    # Only the file system knows where `..` leads from a symbolic link.
    return Path(os.path.realpath(absolute)) if ".." in absolute.parts else absolute


def _read(manifest: Path) -> Table:
    return parse_cargo_toml(DiskTree().read(manifest), what=str(manifest), error=LocalManifestError)


def _patterns(workspace: Table, key: str) -> tuple[str, ...]:
    return workspace.strings(key, MAX_METADATA_STRING_CHARACTERS, "MAX_METADATA_STRING_CHARACTERS")
