"""`--manifest-path`: a crate whose `Cargo.toml` is on this disk, alone or in a workspace.

The given manifest is looked at first; where its package is another one, or there is none, the members of
its workspace follow, and theirs in turn. Members that are not the wanted package need only be TOML.
Whoever names the path answers for what it says: there is no checksum, and no registry was asked.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from binstall.errors import LocalManifestError
from binstall.formats.cargo_toml import Table, parse_cargo_toml
from binstall.formats.crate_source import path_source
from binstall.formats.manifest import Manifest, package_of, read_manifest
from binstall.formats.version import VersionReq
from binstall.limits import (
    MAX_MANIFEST_BYTES,
    MAX_METADATA_STRING_CHARACTERS,
    MAX_NAME_CHARACTERS,
    MAX_WORKSPACE_MANIFESTS,
)
from binstall.registry.found import FoundCrate
from binstall.registry.workspace import member_folders

_MANIFEST = "Cargo.toml"
_LISTED_MEMBERS = 20


@dataclass(frozen=True, slots=True)
class LocalPackage:
    """One package on this disk, found and not yet read."""

    manifest_path: Path
    """Absolute; of its `Cargo.toml`."""
    document: Table
    """That file, parsed; it has a `[package]`."""
    files: frozenset[str]
    """`src/main.rs` and what is in `src/bin`, as `read_manifest` wants them."""
    workspace: Mapping[str, object] | None
    """The `[workspace]` table that it inherits from; None where it inherits nothing, or from nobody."""

    def read(self, document: Table | None = None) -> Manifest:
        """Return its manifest, or what it would be if `document` were its `Cargo.toml`.

        Raises `LocalManifestError`, `BadVersion` and `NoBinaries`.
        """
        return read_manifest(document or self.document, self.files, workspace=self.workspace)


def open_local(path: Path, name: str | None) -> LocalPackage:
    """Return the package `name` of the manifest at `path`, a file or a folder, or of its workspace.

    Without a name it is the package of that very manifest, or the only member of a mere workspace. Raises
    `LocalManifestError` for whatever is wrong.
    """
    try:
        start = _start(path)
        return _opened(*(_only(start) if name is None else _named(start, name)))
    except OSError as cause:
        raise _unreadable(path, cause) from cause


def find_local(path: Path, name: str, requirement: VersionReq | None) -> FoundCrate:
    """Return the package `name` of the manifest at `path`, a file or a folder, or of its workspace.

    A full three-part `=x.y.z` replaces the version that the manifest states, because a checkout often
    says the next one; any other requirement must hold. Raises `LocalManifestError` for anything about
    files, TOML and the requirement; `BadVersion` and `NoBinaries` about the package that was found.
    """
    package = open_local(path, name)
    try:
        manifest = package.read()
        source = path_source(_absolute(path))
    except OSError as cause:
        raise _unreadable(path, cause) from cause
    if requirement is not None and requirement.exact is not None:
        manifest = replace(manifest, version=requirement.exact)
    elif requirement is not None and requirement.comparators and not requirement.matches(manifest.version):
        raise LocalManifestError(
            f"{name} `{requirement.text}` was asked for, but {package.manifest_path} says {manifest.version}",
            hint="a full version such as 1.2.3 is taken in place of the one in the manifest",
        )
    return FoundCrate(
        manifest=manifest,
        source=source,
        version_requirement_text="*" if requirement is None else requirement.text,
        checksum=None,
        trusted_transport=True,
    )


def _unreadable(path: Path, cause: OSError) -> LocalManifestError:
    return LocalManifestError(f"{cause.filename or path} cannot be read: {cause.strerror}")


def _start(path: Path) -> Path:
    given = _absolute(path)
    return given / _MANIFEST if given.is_dir() else given


def _named(start: Path, name: str) -> tuple[Path, Table]:
    for deep in (False, True):
        for manifest_path, document, found in _packages(start, deep=deep):
            if found == name:
                return manifest_path, document
    raise LocalManifestError(
        f"no package `{name}` in {start}, nor in a member of its workspace",
        hint="name the package as its Cargo.toml does, or point --manifest-path at that Cargo.toml",
    )


def _only(start: Path) -> tuple[Path, Table]:
    document = _read(start)
    if package_of(document) is not None:
        return start, document
    members = list(_packages(start, deep=False))
    if not members:
        raise LocalManifestError(
            f"{start} has no [package], and no workspace member has one",
            hint="point at a crate's Cargo.toml",
        )
    if len(members) > 1:
        names = ", ".join(sorted(str(found) for _, _, found in members[:_LISTED_MEMBERS]))
        more = f" and {len(members) - _LISTED_MEMBERS} more" if len(members) > _LISTED_MEMBERS else ""
        raise LocalManifestError(
            f"{start} is a workspace of {len(members)} packages: {names}{more}",
            hint="--package NAME picks one",
        )
    return members[0][0], members[0][1]


def _opened(manifest_path: Path, document: Table) -> LocalPackage:
    return LocalPackage(
        manifest_path,
        document,
        _source_files(manifest_path.parent),
        _workspace_of(document, manifest_path),
    )


def _absolute(path: Path) -> Path:
    absolute = path.absolute()
    try:
        real = os.path.realpath(absolute)
    except ValueError as cause:
        raise LocalManifestError(f"{path} has a zero byte, which no path has") from cause
    # Only the file system knows where `..` leads from a symbolic link.
    return Path(real) if ".." in absolute.parts else absolute


def _packages(start: Path, *, deep: bool) -> Iterator[tuple[Path, Table, str | None]]:
    """Yield path, document and name of every package of a manifest: its own first, then its members."""
    stack, seen = [start], set[str]()
    while stack:
        manifest_path = stack.pop()
        real = os.path.realpath(manifest_path)
        if real in seen:
            continue
        seen.add(real)
        if len(seen) > MAX_WORKSPACE_MANIFESTS:
            raise LocalManifestError(
                f"the workspace of {start} has more than {MAX_WORKSPACE_MANIFESTS} manifests"
                " (MAX_WORKSPACE_MANIFESTS)"
            )
        document = _read(manifest_path)
        package = package_of(document)
        if package is not None:
            name = package.string("name", MAX_NAME_CHARACTERS, "MAX_NAME_CHARACTERS")
            yield manifest_path, document, name
        workspace = document.table("workspace")
        if workspace is None:
            continue
        members, excludes = _patterns(workspace, "members"), _patterns(workspace, "exclude")
        folders = member_folders(manifest_path.parent, members, excludes, deep=deep) if members else ()
        manifests = [folder / _MANIFEST for folder in folders]
        stack.extend(manifest for manifest in reversed(manifests) if manifest.is_file())


def _patterns(workspace: Table, key: str) -> tuple[str, ...]:
    return workspace.strings(key, MAX_METADATA_STRING_CHARACTERS, "MAX_METADATA_STRING_CHARACTERS")


def _read(manifest_path: Path) -> Table:
    try:
        # A named pipe would keep us waiting for ever.
        if not stat.S_ISREG(manifest_path.stat().st_mode):
            raise LocalManifestError(f"{manifest_path} is not a regular file")
        with manifest_path.open("rb") as file:
            text = file.read(MAX_MANIFEST_BYTES + 1)
    except ValueError as cause:
        raise LocalManifestError(f"{manifest_path} has a zero byte, which no path has") from cause
    return parse_cargo_toml(text, what=str(manifest_path), error=LocalManifestError)


def _workspace_of(document: Table, manifest_path: Path) -> Mapping[str, object] | None:
    """Return the `[workspace]` table to inherit from: the package's own, the one it names, or one above."""
    package = package_of(document)
    if package is None or not any(
        isinstance(package.values.get(key), dict) for key in ("version", "repository")
    ):
        return None
    own = document.table("workspace")
    if own is not None:
        return own.values
    named = package.string("workspace", MAX_METADATA_STRING_CHARACTERS, "MAX_METADATA_STRING_CHARACTERS")
    if named is not None:
        root = _read(manifest_path.parent / named / _MANIFEST).table("workspace")
        return None if root is None else root.values
    for folder in manifest_path.parent.parents:
        if (folder / _MANIFEST).is_file():
            above = _read(folder / _MANIFEST).table("workspace")
            if above is not None:
                return above.values
    return None


def _source_files(folder: Path) -> frozenset[str]:
    files = {"src/main.rs"} if (folder / "src/main.rs").is_file() else set[str]()
    try:
        with os.scandir(folder / "src/bin") as entries:
            for entry in entries:
                if entry.is_dir() and (folder / "src/bin" / entry.name / "main.rs").is_file():
                    files.add(f"src/bin/{entry.name}/main.rs")
                elif entry.is_file():
                    files.add(f"src/bin/{entry.name}")
    except (FileNotFoundError, NotADirectoryError):
        pass  # a package without further binaries
    return frozenset(files)
