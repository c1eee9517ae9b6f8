"""`Cargo.toml` of one package: what an installer needs of it, and nothing that building needs.

Read are `name`, `version`, `repository`, `autobins` and `metadata.binstall` of `[package]` (or of its old
name `[project]`), and `[[bin]]`. A published manifest is complete in itself; one in a checkout may inherit
`version` and `repository` from its workspace.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from binstall.errors import BadVersion, ManifestError, NoBinaries, NoPackage
from binstall.formats.binaries import Binary, read_binaries
from binstall.formats.cargo_toml import Table, parse_cargo_toml
from binstall.formats.metadata import (
    BinstallMetadata,
    CliOverrides,
    PackageMeta,
    read_metadata,
    refuse_misplaced,
)
from binstall.formats.signing_table import SigningConfig
from binstall.formats.target import TargetTriple
from binstall.formats.version import Version, parse_version
from binstall.limits import (
    MAX_MANIFEST_WARNINGS,
    MAX_METADATA_STRING_CHARACTERS,
    MAX_NAME_CHARACTERS,
    MAX_VERSION_CHARACTERS,
)

__all__ = [
    "Binary",
    "CliOverrides",
    "Manifest",
    "PackageMeta",
    "SigningConfig",
    "package_of",
    "parse_manifest",
    "read_manifest",
]

_CRATE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*\Z")


@dataclass(frozen=True, slots=True)
class Manifest:
    """One package as its author describes it. As trustworthy as the way it came."""

    name: str
    """ASCII letters, digits, `-` and `_`; at most `MAX_NAME_CHARACTERS`."""
    version: Version
    """`0.0.0` where the manifest has none."""
    repository: str | None
    """As written; not necessarily a URL."""
    binaries: tuple[Binary, ...]
    """At least one, each name once, sorted by name."""
    metadata: BinstallMetadata
    warnings: tuple[str, ...]
    """About keys without effect, at most `MAX_MANIFEST_WARNINGS`; sentences, raw foreign text inside."""

    @property
    def declares_signature(self) -> bool:
        """Tell whether a signature is declared for any target at all, in whatever form."""
        return self.metadata.declares_signature

    def for_target(self, target: TargetTriple, cli: CliOverrides, *, skip_signatures: bool) -> PackageMeta:
        """Return the metadata that holds for `target`; the errors are those of `BinstallMetadata`."""
        return self.metadata.for_target(target, cli, skip_signatures=skip_signatures)


def parse_manifest(
    text: bytes | str,
    files: Collection[str],
    *,
    what: str = "Cargo.toml",
    workspace: Mapping[str, object] | None = None,
    error: type[ManifestError] = ManifestError,
) -> Manifest:
    """Read the manifest of a package that has `files` beside it.

    `files` are paths inside the package, `/` between components. `what` names the manifest in messages,
    `workspace` is the parsed `[workspace]` table to inherit from, `error` is `ManifestError` or its
    subclass for manifests given by path. Raises `error`, `NoPackage`, `BadVersion` and `NoBinaries`.
    """
    return read_manifest(parse_cargo_toml(text, what=what, error=error), files, workspace=workspace)


def read_manifest(
    document: Table, files: Collection[str], *, workspace: Mapping[str, object] | None = None
) -> Manifest:
    """Do what `parse_manifest` does with a document that is parsed already."""
    package = package_of(document)
    if package is None:
        raise NoPackage(f"{document.what} has no [package]", hint="name a crate, not a workspace")
    name = package.string("name", MAX_NAME_CHARACTERS, "MAX_NAME_CHARACTERS")
    if name is None:
        raise document.error(f"{document.what}: [package] has no name")
    if not _CRATE_NAME.match(name):
        raise package.wrong("name", f"is `{name}`, which is not a crate name")
    version_text = _inherited(document, package, workspace, "version", MAX_VERSION_CHARACTERS)
    try:
        version = parse_version("0.0.0" if version_text is None else version_text)
    except BadVersion as cause:
        raise BadVersion(f"{document.what}: {cause.message}", hint=cause.hint) from cause
    repository = _inherited(document, package, workspace, "repository", MAX_METADATA_STRING_CHARACTERS)
    refuse_misplaced(document, package)
    metadata = read_metadata(package)
    binaries = read_binaries(document, package, name, files)
    if not binaries:
        raise NoBinaries(
            f"{name} {version} has no binary to install", hint="it is a library, or not built by cargo"
        )
    warnings = metadata.warnings
    if len(warnings) > MAX_MANIFEST_WARNINGS:
        more = len(warnings) - MAX_MANIFEST_WARNINGS + 1
        warnings = (
            *warnings[: MAX_MANIFEST_WARNINGS - 1],
            f"{document.what}: {more} more keys have no effect",
        )
    return Manifest(name, version, repository, binaries, metadata, warnings)


def package_of(document: Table) -> Table | None:
    """Return `[package]`, or `[project]` as it was once called; None for a mere workspace."""
    package, project = document.table("package"), document.table("project")
    if package is not None and project is not None:
        raise document.error(f"{document.what} has both [package] and [project]")
    return project if package is None else package


def _inherited(
    document: Table, package: Table, workspace: Mapping[str, object] | None, key: str, limit: int
) -> str | None:
    limit_name = "MAX_VERSION_CHARACTERS" if key == "version" else "MAX_METADATA_STRING_CHARACTERS"
    value = package.values.get(key)
    if not isinstance(value, dict):
        return package.string(key, limit, limit_name)
    if value.get("workspace") is not True:
        raise package.wrong(key, "is a table, expected a string or `workspace = true`")
    if workspace is None:
        raise package.wrong(key, "is inherited, but there is no workspace to inherit from")
    shared = Table(workspace, document.what, "workspace", document.error).table("package")
    text = None if shared is None else shared.string(key, limit, limit_name)
    if text is None:
        raise package.wrong(key, f"is inherited, but the workspace has no `workspace.package.{key}`")
    return text
