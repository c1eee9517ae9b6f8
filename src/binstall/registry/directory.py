"""A `directory` source: unpacked crates side by side, as `cargo vendor` makes them.

    ROOT/ANY-NAME/Cargo.toml, src/…        one folder for each crate and version
    ROOT/ANY-NAME/.cargo-checksum.json     {"package": SHA-256 of the .crate, "files": {PATH: SHA-256}}

As in cargo, folders that begin with a dot or have no Cargo.toml are none of it, there is no index and so
nothing is yanked, and a crate without its checksums is an error. `Cargo.toml` must have the SHA-256 that
stands there: that guards against accidents, not against whoever can write to the folder.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from binstall.errors import BadVersion, ChecksumMismatch, CrateNotFound, NoMatchingVersion, RegistryError
from binstall.formats.cargo_toml import Table, parse_cargo_toml
from binstall.formats.index import same_crate
from binstall.formats.manifest import package_of, read_manifest
from binstall.formats.version import ANY, CrateSpec, Version, parse_version
from binstall.limits import (
    MAX_INDEX_BYTES,
    MAX_MANIFEST_BYTES,
    MAX_NAME_CHARACTERS,
    MAX_VERSION_CHARACTERS,
    MAX_WORKSPACE_MANIFESTS,
)
from binstall.progress import Progress
from binstall.registry.found import FoundCrate
from binstall.registry.packages import MANIFEST
from binstall.registry.selection import RegistryChoice
from binstall.registry.tree import DiskTree

_CHECKSUMS: Final = ".cargo-checksum.json"


@dataclass(frozen=True, slots=True)
class _Vendored:
    """One crate in the folder."""

    folder: Path
    name: str
    version: Version
    text: bytes
    document: Table


class DirectoryRegistry:
    """The crates in one folder; nothing of it comes over a network."""

    def __init__(self, choice: RegistryChoice, progress: Progress) -> None:
        """Read the folder of `choice` whenever it is asked."""
        self._choice = choice
        self._progress = progress
        self._root = Path(choice.place.url)

    @property
    def words(self) -> str:
        """What messages call the registry."""
        return self._choice.words

    def find(self, spec: CrateSpec, staging: Path) -> FoundCrate:
        """Return the highest version that matches; nothing is written.

        Raises:
            CrateNotFound, NoMatchingVersion: It is not there.
            ChecksumMismatch: `Cargo.toml` was changed.
            RegistryError: The folder, or a crate in it, cannot be read.
            ManifestError, BadVersion, NoBinaries: The crate's manifest.
        """
        del staging
        named = [crate for crate in self._crates() if same_crate(crate.name, spec.name)]
        if not named:
            raise CrateNotFound(
                f"there is no crate `{spec.name}` in {self.words}",
                hint="a folder of vendored crates has only those that somebody put there",
            )
        wanted = spec.requirement if spec.requirement is not None else ANY
        matching = [crate for crate in named if wanted.matches(crate.version)]
        if not matching:
            newest = max(crate.version for crate in named)
            raise NoMatchingVersion(
                f"there is no version of `{spec.name}` that matches {wanted.text} in {self.words}; "
                f"the newest there is {newest}"
            )
        crate = max(matching, key=lambda crate: crate.version)
        self._check(crate)
        self._progress.stage(f"{crate.name} {crate.version}: vendored in {self.words}")
        try:
            files = DiskTree().files_of(crate.folder)
        except OSError as error:
            raise _unreadable(crate.folder, error) from error
        return FoundCrate(
            manifest=read_manifest(crate.document, files),
            source=self._choice.source,
            version_requirement_text=wanted.text,
            checksum=None,
            trusted_transport=True,
        )

    def has(self, name: str, version: Version) -> bool:
        """Tell whether the folder has a version. Raises RegistryError where nobody knows."""
        return any(same_crate(crate.name, name) and crate.version == version for crate in self._crates())

    def _crates(self) -> Iterator[_Vendored]:
        try:
            folders = sorted(path for path in self._root.iterdir() if not path.name.startswith("."))
        except OSError as error:
            raise _unreadable(self._root, error) from error
        count = 0
        for folder in folders:
            text = _read(folder / MANIFEST, MAX_MANIFEST_BYTES)
            if text is None:
                continue
            count += 1
            if count > MAX_WORKSPACE_MANIFESTS:
                raise RegistryError(
                    f"{self._root} has more than {MAX_WORKSPACE_MANIFESTS} crates (MAX_WORKSPACE_MANIFESTS)"
                )
            document = parse_cargo_toml(text, what=str(folder / MANIFEST))
            package = package_of(document)
            if package is None:
                continue
            name = package.string("name", MAX_NAME_CHARACTERS, "MAX_NAME_CHARACTERS")
            version = package.string("version", MAX_VERSION_CHARACTERS, "MAX_VERSION_CHARACTERS")
            if name is None:
                raise RegistryError(f"{folder / MANIFEST} has no name")
            try:
                parsed = parse_version(version or "0.0.0")
            except BadVersion as cause:
                raise BadVersion(f"{folder / MANIFEST}: {cause.message}", hint=cause.hint) from cause
            yield _Vendored(folder, name, parsed, text, document)

    def _check(self, crate: _Vendored) -> None:
        path = crate.folder / _CHECKSUMS
        data = _read(path, MAX_INDEX_BYTES)
        if data is None:
            raise RegistryError(
                f"{crate.folder} has no {_CHECKSUMS}", hint="`cargo vendor` makes folders that have one"
            )
        expected = parse_checksums(data, str(path)).get(MANIFEST)
        found = hashlib.sha256(crate.text).hexdigest()
        if expected is None or expected.lower() != found:
            raise ChecksumMismatch(
                f"{crate.folder / MANIFEST} should have SHA-256 {expected or 'told by ' + str(path)} "
                f"and has {found}",
                hint="vendored crates are not to be edited; vendor them again",
            )


def parse_checksums(data: bytes, what: str) -> Mapping[str, str]:
    """Return the SHA-256 of each file, in hex, that a `.cargo-checksum.json` lists.

    Raises `RegistryError`, and nothing else, for what is none.
    """
    try:
        value: object = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise RegistryError(f"{what} is not JSON") from error
    files = value.get("files") if isinstance(value, dict) else None
    if not isinstance(files, dict) or not all(isinstance(each, str) for each in files.values()):
        raise RegistryError(f"{what} lists no checksums under `files`")
    return files


def _read(path: Path, limit: int) -> bytes | None:
    """Return a regular file, None where there is none; raises RegistryError for any other trouble."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise RegistryError(f"{path} is not a regular file")
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(data) > limit:
        raise RegistryError(f"{path} has more than {limit} bytes")
    return data


def _unreadable(path: Path, error: OSError) -> RegistryError:
    return RegistryError(f"{path} cannot be read: {error.strerror}")
