"""The package that is being released: its `Cargo.toml` on this disk, and the files that cargo would publish."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from binstall.errors import LocalManifestError
from binstall.formats.cargo_toml import parse_cargo_toml
from binstall.formats.manifest import Manifest
from binstall.limits import MAX_PACKAGE_FILES
from binstall.publish.git import ask_git
from binstall.publish.leak import refuse_private_keys
from binstall.publish.secrets import Warn
from binstall.publish.stamp import read_text
from binstall.registry.local import LocalPackage, open_local

_CARGO_SECONDS: Final = 300.0
_ERROR_LINE_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class CargoPackage:
    """One package and the very text of its manifest."""

    local: LocalPackage
    text: str
    """Of `Cargo.toml` as it was read, line ends and byte order mark included."""

    @property
    def manifest_path(self) -> Path:
        """Absolute path of its `Cargo.toml`."""
        return self.local.manifest_path

    @property
    def folder(self) -> Path:
        """Absolute."""
        return self.local.manifest_path.parent

    def manifest(self, text: str | None = None) -> Manifest:
        """Return what an installer reads, or would read if `text` were the manifest.

        Raises:
            LocalManifestError, BadVersion, NoBinaries: it is no manifest that can be installed from.
        """
        if text is None or text == self.text:
            return self.local.read()
        document = parse_cargo_toml(text, what=str(self.manifest_path), error=LocalManifestError)
        return self.local.read(document)


def open_package(path: Path, name: str | None) -> CargoPackage:
    """Return the package of the manifest at `path`, a file or a folder; `name` picks a workspace member.

    Raises:
        LocalManifestError: there is none, or a workspace has several and `name` is None.
    """
    local = open_local(path, name)
    text = read_text(local.manifest_path)
    document = parse_cargo_toml(text, what=str(local.manifest_path), error=LocalManifestError)
    return CargoPackage(replace(local, document=document), text)


@dataclass(frozen=True, slots=True)
class PublishedFiles:
    """What `cargo publish` would take, as far as it can be known."""

    paths: tuple[Path, ...]
    """Absolute; not all exist: cargo makes some of them."""
    told_by: Literal["cargo", "git", "folder"]
    """Git and the folder name more than cargo does: they know neither `include` nor `exclude`."""
    note: str | None
    """Why it was not cargo, as a sentence."""


def published_files(package: CargoPackage, environment: Mapping[str, str]) -> PublishedFiles:
    """Ask cargo, else git, else look into the folder; `environment` is what those programs inherit.

    Raises:
        LocalManifestError: there are more than MAX_PACKAGE_FILES.
    """
    listed, note = _by_cargo(package, environment)
    if listed is not None:
        return PublishedFiles(_paths(package, listed, b"\n"), "cargo", None)
    listed = ask_git(
        package.folder, environment, "ls-files", "-z", "--cached", "--others", "--exclude-standard"
    )
    if listed is not None:
        return PublishedFiles(_paths(package, listed, b"\0"), "git", f"{note}; git was asked instead")
    note = f"{note}, nor is the package in git; every file in its folder was looked at"
    return PublishedFiles(tuple(_in_folder(package.folder)), "folder", note)


def refuse_leaks(package: CargoPackage, environment: Mapping[str, str], warn: Warn) -> None:
    """See that no private key would be published with the package.

    Raises:
        UsageError: one would be.
        LocalManifestError, LocalIOError: nobody can tell.
    """
    files = published_files(package, environment)
    if files.note is not None:
        warn(f"{files.note}, in search of private keys that would be published")
    refuse_private_keys(files.paths, str(package.manifest_path))


def _by_cargo(package: CargoPackage, environment: Mapping[str, str]) -> tuple[bytes | None, str]:
    """Return the list, or None and the reason."""
    import shutil
    import subprocess
    import tempfile

    cargo = shutil.which("cargo", path=environment.get("PATH"))
    if cargo is None:
        return None, "cargo is not on PATH"
    command = [cargo, "package", "--list", "--allow-dirty", "--color=never"]
    try:
        with tempfile.TemporaryDirectory(prefix="binstall-") as target:
            answer = subprocess.run(  # noqa: S603 - a list, and cargo is the user's own
                [*command, "--manifest-path", str(package.manifest_path)],
                cwd=package.folder,
                # Listing makes a target folder, which has no business in the package.
                env={**environment, "CARGO_TARGET_DIR": target},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_CARGO_SECONDS,
                check=False,
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, f"`cargo package --list` did not answer: {error}"
    if answer.returncode != 0:
        lines = answer.stderr.decode("utf-8", "replace").splitlines()
        told = next((line for line in lines if line.startswith("error")), "it gave no reason")
        return None, f"`cargo package --list` failed: {told[:_ERROR_LINE_CHARACTERS]}"
    return answer.stdout, ""


def _paths(package: CargoPackage, listed: bytes, separator: bytes) -> tuple[Path, ...]:
    names = [name for name in listed.split(separator) if name]
    if len(names) > MAX_PACKAGE_FILES:
        raise _too_many(package.folder)
    return tuple(package.folder / os.fsdecode(name.rstrip(b"\r")) for name in names)


def _in_folder(folder: Path) -> Iterator[Path]:
    found = 0
    for place, folders, files in os.walk(folder):
        if place != str(folder) and "Cargo.toml" in files:
            folders.clear()
            continue  # another package
        if "CACHEDIR.TAG" in files:
            folders.clear()
            continue  # cargo's `target`
        folders[:] = [name for name in folders if name != ".git"]
        for name in files:
            found += 1
            if found > MAX_PACKAGE_FILES:
                raise _too_many(folder)
            yield Path(place, name)


def _too_many(folder: Path) -> LocalManifestError:
    return LocalManifestError(
        f"the package in {folder} has more than {MAX_PACKAGE_FILES} files (MAX_PACKAGE_FILES)"
    )
