"""`--manifest-path`: a crate whose `Cargo.toml` is on this disk, alone or in a workspace.

The given manifest is looked at first; where its package is another one, or there is none, the members of
its workspace follow, and theirs in turn. Members that are not the wanted package need only be TOML.
Whoever names the path answers for what it says: there is no checksum, and no registry was asked.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from binstall.errors import LocalManifestError
from binstall.formats.cargo_toml import Table, parse_cargo_toml
from binstall.formats.crate_source import path_source
from binstall.formats.manifest import package_of, read_manifest
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


def find_local(path: Path, name: str, requirement: VersionReq | None) -> FoundCrate:
    """Return the package `name` of the manifest at `path`, a file or a folder, or of its workspace.

    A full three-part `=x.y.z` replaces the version that the manifest states, because a checkout often
    says the next one; any other requirement must hold. Raises `LocalManifestError` for anything about
    files, TOML and the requirement; `BadVersion` and `NoBinaries` about the package that was found.
    """
    try:
        return _find(path, name, requirement)
    except OSError as cause:
        raise LocalManifestError(f"{cause.filename or path} cannot be read: {cause.strerror}") from cause


def _find(path: Path, name: str, requirement: VersionReq | None) -> FoundCrate:
    given = _absolute(path)
    start = given / _MANIFEST if given.is_dir() else given
    found = _search(start, name, deep=False) or _search(start, name, deep=True)
    if found is None:
        raise LocalManifestError(
            f"no package `{name}` in {start}, nor in a member of its workspace",
            hint="name the package as its Cargo.toml does, or point --manifest-path at that Cargo.toml",
        )
    manifest_path, document = found
    manifest = read_manifest(
        document,
        _source_files(manifest_path.parent),
        workspace=_workspace_of(document, manifest_path),
    )
    if requirement is not None and requirement.exact is not None:
        manifest = replace(manifest, version=requirement.exact)
    elif requirement is not None and requirement.comparators and not requirement.matches(manifest.version):
        raise LocalManifestError(
            f"{name} `{requirement.text}` was asked for, but {manifest_path} says {manifest.version}",
            hint="a full version such as 1.2.3 is taken in place of the one in the manifest",
        )
    return FoundCrate(
        manifest=manifest,
        source=path_source(given),
        version_requirement_text="*" if requirement is None else requirement.text,
        checksum=None,
        trusted_transport=True,
    )


def _absolute(path: Path) -> Path:
    absolute = path.absolute()
    try:
        real = os.path.realpath(absolute)
    except ValueError as cause:
        raise LocalManifestError(f"{path} has a zero byte, which no path has") from cause
    # Only the file system knows where `..` leads from a symbolic link.
    return Path(real) if ".." in absolute.parts else absolute


def _search(start: Path, name: str, *, deep: bool) -> tuple[Path, Table] | None:
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
        if (
            package is not None
            and package.string("name", MAX_NAME_CHARACTERS, "MAX_NAME_CHARACTERS") == name
        ):
            return manifest_path, document
        workspace = document.table("workspace")
        if workspace is None:
            continue
        members, excludes = _patterns(workspace, "members"), _patterns(workspace, "exclude")
        folders = member_folders(manifest_path.parent, members, excludes, deep=deep) if members else ()
        manifests = [folder / _MANIFEST for folder in folders]
        stack.extend(manifest for manifest in reversed(manifests) if manifest.is_file())
    return None


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
