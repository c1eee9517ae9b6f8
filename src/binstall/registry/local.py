"""`--manifest-path`: a crate whose `Cargo.toml` is on this disk, alone or in a workspace.

Whoever names the path answers for what it says: there is no checksum, and no registry was asked.
"""

from __future__ import annotations

import os
from pathlib import Path

from binstall.errors import LocalManifestError
from binstall.formats.crate_source import path_source
from binstall.formats.version import VersionReq
from binstall.registry.found import FoundCrate
from binstall.registry.packages import MANIFEST, FoundPackage, find_package
from binstall.registry.tree import DiskTree

LocalPackage = FoundPackage[Path]
"""One package on this disk, found and not yet read; its path is absolute."""


def open_local(path: Path, name: str | None) -> LocalPackage:
    """Return the package `name` of the manifest at `path`, a file or a folder, or of its workspace.

    Without a name it is the package of that very manifest, or the only member of a mere workspace. Raises
    `LocalManifestError` for whatever is wrong.
    """
    try:
        given = _absolute(path)
        return find_package(DiskTree(), given / MANIFEST if given.is_dir() else given, name)
    except OSError as cause:
        raise _unreadable(path, cause) from cause


def find_local(path: Path, name: str, requirement: VersionReq | None) -> FoundCrate:
    """Return the package `name` of the manifest at `path`, a file or a folder, or of its workspace.

    What a `requirement` does is told at `FoundPackage.read_as`. Raises `LocalManifestError` for anything
    about files, TOML and the requirement; `BadVersion` and `NoBinaries` about the package that was found.
    """
    package = open_local(path, name)
    try:
        source = path_source(_absolute(path))
    except OSError as cause:
        raise _unreadable(path, cause) from cause
    return FoundCrate(
        manifest=package.read_as(requirement),
        source=source,
        version_requirement_text="*" if requirement is None else requirement.text,
        checksum=None,
        trusted_transport=True,
    )


def _unreadable(path: Path, cause: OSError) -> LocalManifestError:
    return LocalManifestError(f"{cause.filename or path} cannot be read: {cause.strerror}")


def _absolute(path: Path) -> Path:
    absolute = path.absolute()
    try:
        real = os.path.realpath(absolute)
    except ValueError as cause:
        raise LocalManifestError(f"{path} has a zero byte, which no path has") from cause
    # Only the file system knows where `..` leads from a symbolic link.
    return Path(real) if ".." in absolute.parts else absolute
