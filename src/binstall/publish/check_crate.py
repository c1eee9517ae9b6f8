"""The crate as it will be published: its manifest, its files, and what must not be among them.

    a `.crate` file       read to its end, by the reader that installers use; nothing of it is written
    a package on disk     the files that `cargo package --list --allow-dirty` names; without cargo, those that
                          git does not ignore; without git, all in its folder

In both, a private key is looked for in every file, under whatever name. Of a package on disk, git must have
every file as it is, `Cargo.toml` save its signing section.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from binstall.archive.archive import read_crate
from binstall.archive.listing import Kind, Listing
from binstall.archive.streams import Budget, codec_of, reader, unpacked
from binstall.archive.tar import read_tar
from binstall.artifact import Download, VerifiedFile
from binstall.errors import ArchiveError, BinstallError, LocalIOError, LocalManifestError, UsageError
from binstall.formats.cargo_toml import parse_cargo_toml
from binstall.formats.crate_source import path_source
from binstall.formats.manifest import Manifest, parse_manifest
from binstall.formats.package_format import PackageFormat
from binstall.limits import MAX_CRATE_BYTES, MAX_KEY_SEARCH_BYTES
from binstall.publish.cargo_package import CargoPackage, published_files
from binstall.publish.check_committed import uncommitted_files
from binstall.publish.leak import Leak, private_key_in, private_keys_in
from binstall.publish.manifest_lines import ManifestLines
from binstall.registry.found import FoundCrate
from binstall.signing.digest import Unsigned
from binstall.signing.verifier import verify

_LISTED = 5


@dataclass(frozen=True, slots=True)
class CheckedCrate:
    """One crate, read as it will be published."""

    found: FoundCrate
    """As an installer will find it."""
    lines: ManifestLines
    """Of the `Cargo.toml` that a person edits."""
    judged: str
    """What was judged, in words."""
    problems: tuple[BinstallError, ...]
    """Why it must not be published as it is."""
    warnings: tuple[str, ...]

    @property
    def manifest(self) -> Manifest:
        """What installers will read."""
        return self.found.manifest


def read_crate_file(
    path: Path, package: CargoPackage | None, environment: Mapping[str, str]
) -> CheckedCrate:
    """Read a `.crate`; of `package`, from which it was made, git is asked what is committed.

    `environment` is what git inherits.

    Raises:
        ArchiveError: it is no crate.
        ManifestError, BadVersion, NoBinaries: its manifest is of no use to an installer.
        LocalIOError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            if size > MAX_CRATE_BYTES:
                raise ArchiveError(
                    f"{path} has {size} bytes, more than {MAX_CRATE_BYTES} (MAX_CRATE_BYTES)"
                )
            crate = verify(Download(str(path), file, size), Unsigned("a crate that is not published yet"))
            return _crate_of(path, crate, package, environment)
    except OSError as error:
        raise LocalIOError(f"{path} cannot be read: {error.strerror or error}") from error


def _crate_of(
    path: Path, crate: VerifiedFile, package: CargoPackage | None, environment: Mapping[str, str]
) -> CheckedCrate:
    kept: dict[str, bytes] = {}
    leaks: list[Leak] = []

    def look(name: str, beginning: bytes) -> None:
        kind = private_key_in(beginning)
        if kind is not None:
            leaks.append(Leak(Path(name), kind))
        if name.count("/") == 1 and name.endswith(("/Cargo.toml", "/Cargo.toml.orig")):
            kept[name] = beginning

    _every_file(crate, look)
    tops = [
        name.partition("/")[0] for name in kept if name.count("/") == 1 and name.endswith("/Cargo.toml")
    ]
    if len(tops) != 1:
        raise ArchiveError(
            f"{path} is no crate: it has {len(tops)} folders with a Cargo.toml, a crate has one"
        )
    top = tops[0]
    contents = read_crate(crate, top)
    manifest = parse_manifest(contents.manifest or b"", contents.files, what=f"Cargo.toml in {path.name}")
    problems = list(_leak_problem(leaks, path.name))
    if top != f"{manifest.name}-{manifest.version}":
        problems.append(
            ArchiveError(
                f"{path.name} holds the folder {top[:200]}, and its manifest says {manifest.name} "
                f"{manifest.version}",
                hint="pack it again with `cargo package`",
            )
        )
    warnings = list(manifest.warnings)
    if package is None:
        warnings.append("git was not asked what is committed; with --manifest-path it is")
    else:
        _ask_git(package, manifest.name, contents.files, environment, problems, warnings)
    original = kept.get(f"{top}/Cargo.toml.orig")
    name, text = "Cargo.toml", original or contents.manifest or b""
    try:
        parse_cargo_toml(text)
    except BinstallError:
        name, text = f"{top}/Cargo.toml", contents.manifest or b""
    return CheckedCrate(
        _found(manifest, path),
        ManifestLines(name, text.decode()),
        f"{path.name}, {len(contents.files)} files",
        tuple(problems),
        tuple(warnings),
    )


def read_package(package: CargoPackage, environment: Mapping[str, str], shown: str) -> CheckedCrate:
    """Read a package on disk; `environment` is what cargo and git inherit, `shown` names its Cargo.toml.

    Raises:
        LocalManifestError, BadVersion, NoBinaries: its manifest is of no use to an installer.
        LocalIOError: a file cannot be read.
    """
    files = published_files(package, environment)
    names = frozenset(_names(package.folder, files.paths))
    manifest = replace(package.local, files=names).read()
    problems = list(_leak_problem(list(_leaks(package.folder, files.paths)), f"{manifest.name}"))
    warnings = list(manifest.warnings)
    _ask_git(package, manifest.name, names, environment, problems, warnings)
    if files.note is not None:
        warnings.append(f"{files.note}, so `include` and `exclude` of Cargo.toml were not applied")
    judged = {
        "cargo": f"the {len(names)} files that `cargo package --list` names",
        "git": f"the working tree, {len(names)} files that git does not ignore",
        "folder": f"the working tree, {len(names)} files",
    }[files.told_by]
    return CheckedCrate(
        _found(manifest, package.folder),
        ManifestLines(shown, package.text),
        judged,
        tuple(problems),
        tuple(warnings),
    )


def read_neighbour(package: CargoPackage, shown: str) -> CheckedCrate:
    """Read a package that is not checked; raises what reading its manifest does."""
    manifest = package.manifest()
    return CheckedCrate(
        _found(manifest, package.folder), ManifestLines(shown, package.text), "its manifest", (), ()
    )


def _ask_git(
    package: CargoPackage,
    name: str,
    files: Collection[str],
    environment: Mapping[str, str],
    problems: list[BinstallError],
    warnings: list[str],
) -> None:
    dirty = uncommitted_files(package, files, environment)
    if dirty is None:
        warnings.append(f"{package.folder} is in no git repository that could be asked what is committed")
    elif dirty:
        problems.append(
            LocalManifestError(
                f"{name} would be published with what is not committed: {_listed(dirty)}",
                hint="commit it, or have git ignore it; only the signing section of Cargo.toml may differ",
            )
        )


def _found(manifest: Manifest, path: Path) -> FoundCrate:
    return FoundCrate(
        manifest=manifest,
        source=path_source(path.absolute()),
        version_requirement_text=f"={manifest.version}",
        checksum=None,
        trusted_transport=True,
    )


class _EveryFile(Listing):
    """A listing that wants the content of every regular file."""

    def enter(self, names: Collection[bytes], kind: Kind, size: int) -> str | None:
        """Record a member; return its path if it is a regular file."""
        super().enter(list(names), kind, size)
        return _clean(next(iter(names))) if kind is Kind.FILE else None


def _clean(name: bytes) -> str:
    return "/".join(
        part for part in name.decode("utf-8", "backslashreplace").split("/") if part not in {"", "."}
    )


def _every_file(crate: VerifiedFile, look: Callable[[str, bytes], None]) -> None:
    """Show every regular file to `look`, each as far as private keys are looked for."""
    codec = codec_of(PackageFormat.TGZ)
    assert codec is not None  # noqa: S101 - a fact about gzip
    crate.download.file.seek(0)

    def keep(name: str, size: int, pieces: Iterator[memoryview]) -> None:
        del size
        beginning = bytearray()
        for piece in pieces:
            beginning += piece[: MAX_KEY_SEARCH_BYTES - len(beginning)]
        look(name, bytes(beginning))

    budget = Budget(crate.download.size)
    read_tar(unpacked(reader(crate.download.file), codec, budget), _EveryFile([]), keep)


def _names(folder: Path, paths: Collection[Path]) -> Iterator[str]:
    for path in paths:
        yield path.relative_to(folder).as_posix()


def _leaks(folder: Path, paths: Collection[Path]) -> Iterator[Leak]:
    for leak in private_keys_in(paths):
        yield Leak(leak.path.relative_to(folder), leak.kind)


def _leak_problem(leaks: Collection[Leak], what: str) -> Iterator[BinstallError]:
    if leaks:
        told = _listed([f"{leak.path.as_posix()} ({leak.kind})" for leak in leaks])
        yield UsageError(
            f"a private key would be published with {what}: {told}",
            hint="move it out of the package, or name it in .gitignore or in `exclude` of Cargo.toml; "
            "if it was ever published or pushed, make a new one",
        )


def _listed(names: Collection[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(name[:200] for name in list(names)[:_LISTED]) + more
