"""The search for one package in a tree: the manifest that was named, alone or with its workspace around it.

The given manifest is looked at first; where its package is another one, or there is none, the members of
its workspace follow, and theirs in turn. Members that are not the wanted package need only be TOML.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Generic

from binstall.errors import LocalManifestError
from binstall.formats.cargo_toml import Table, parse_cargo_toml
from binstall.formats.manifest import Manifest, package_of, read_manifest
from binstall.formats.version import VersionReq
from binstall.limits import MAX_METADATA_STRING_CHARACTERS, MAX_NAME_CHARACTERS, MAX_WORKSPACE_MANIFESTS
from binstall.registry.tree import P, Tree
from binstall.registry.workspace import member_folders

MANIFEST = "Cargo.toml"
_LISTED_MEMBERS = 20


@dataclass(frozen=True, slots=True)
class FoundPackage(Generic[P]):
    """One package of a tree, found and not yet read."""

    manifest_path: P
    """Of its `Cargo.toml`."""
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

    def read_as(self, requirement: VersionReq | None) -> Manifest:
        """Return its manifest as the one that was asked for.

        A full three-part `=x.y.z` replaces the version that the manifest states, because a checkout often
        says the next one; any other requirement must hold. Raises what `read` raises.
        """
        manifest = self.read()
        if requirement is not None and requirement.exact is not None:
            return replace(manifest, version=requirement.exact)
        if (
            requirement is not None
            and requirement.comparators
            and not requirement.matches(manifest.version)
        ):
            raise LocalManifestError(
                f"{manifest.name} `{requirement.text}` was asked for, but {self.document.what} says "
                f"{manifest.version}",
                hint="a full version such as 1.2.3 is taken in place of the one in the manifest",
            )
        return manifest


def find_package(tree: Tree[P], start: P, name: str | None) -> FoundPackage[P]:
    """Return the package `name` of the manifest at `start`, or of its workspace.

    Without a name it is the package of that very manifest, or the only member of a mere workspace. Raises
    `LocalManifestError` for whatever is wrong, and OSError for what cannot be read.
    """
    manifest_path, document = _only(tree, start) if name is None else _named(tree, start, name)
    return FoundPackage(
        manifest_path,
        document,
        tree.files_of(manifest_path.parent),
        _workspace_of(tree, document, manifest_path),
    )


def _named(tree: Tree[P], start: P, name: str) -> tuple[P, Table]:
    for deep in (False, True):
        for manifest_path, document, found in _packages(tree, start, deep=deep):
            if found == name:
                return manifest_path, document
    raise LocalManifestError(
        f"no package `{name}` in {tree.shown(start)}, nor in a member of its workspace",
        hint="name the package as its Cargo.toml does, or point --manifest-path at that Cargo.toml",
    )


def _only(tree: Tree[P], start: P) -> tuple[P, Table]:
    document = _read(tree, start)
    if package_of(document) is not None:
        return start, document
    members = list(_packages(tree, start, deep=False))
    if not members:
        raise LocalManifestError(
            f"{tree.shown(start)} has no [package], and no workspace member has one",
            hint="point at a crate's Cargo.toml",
        )
    if len(members) > 1:
        names = ", ".join(sorted(str(found) for _, _, found in members[:_LISTED_MEMBERS]))
        more = f" and {len(members) - _LISTED_MEMBERS} more" if len(members) > _LISTED_MEMBERS else ""
        raise LocalManifestError(
            f"{tree.shown(start)} is a workspace of {len(members)} packages: {names}{more}",
            hint="--package NAME picks one",
        )
    return members[0][0], members[0][1]


def _packages(tree: Tree[P], start: P, *, deep: bool) -> Iterator[tuple[P, Table, str | None]]:
    """Yield path, document and name of every package of a manifest: its own first, then its members."""
    stack, seen = [start], set[Hashable]()
    while stack:
        manifest_path = stack.pop()
        identity = tree.identity(manifest_path)
        if identity in seen:
            continue
        seen.add(identity)
        if len(seen) > MAX_WORKSPACE_MANIFESTS:
            raise LocalManifestError(
                f"the workspace of {tree.shown(start)} has more than {MAX_WORKSPACE_MANIFESTS} manifests"
                " (MAX_WORKSPACE_MANIFESTS)"
            )
        document = _read(tree, manifest_path)
        package = package_of(document)
        if package is not None:
            name = package.string("name", MAX_NAME_CHARACTERS, "MAX_NAME_CHARACTERS")
            yield manifest_path, document, name
        workspace = document.table("workspace")
        if workspace is None:
            continue
        members, excludes = _patterns(workspace, "members"), _patterns(workspace, "exclude")
        folders = (
            member_folders(tree, manifest_path.parent, members, excludes, deep=deep) if members else ()
        )
        manifests = [folder / MANIFEST for folder in folders]
        stack.extend(manifest for manifest in reversed(manifests) if tree.is_file(manifest))


def _patterns(workspace: Table, key: str) -> tuple[str, ...]:
    return workspace.strings(key, MAX_METADATA_STRING_CHARACTERS, "MAX_METADATA_STRING_CHARACTERS")


def _read(tree: Tree[P], manifest_path: P) -> Table:
    return parse_cargo_toml(
        tree.read(manifest_path), what=tree.shown(manifest_path), error=LocalManifestError
    )


def _workspace_of(tree: Tree[P], document: Table, manifest_path: P) -> Mapping[str, object] | None:
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
        root = _read(tree, manifest_path.parent / named / MANIFEST).table("workspace")
        return None if root is None else root.values
    for folder in manifest_path.parent.parents:
        if tree.is_file(folder / MANIFEST):
            above = _read(tree, folder / MANIFEST).table("workspace")
            if above is not None:
                return above.values
    return None
