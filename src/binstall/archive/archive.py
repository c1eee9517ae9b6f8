"""The two doors of this room: `extract` for packages, `read_crate` for crates.

Both take a VerifiedFile and read its one open file: what was judged is what is unpacked. The format is
what the manifest or the URL said, never guessed from the content. No byte is written before its member
was found to be a wanted regular file, and nothing is left behind by an archive that turns out bad later.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from binstall.archive.listing import Kind, Listing, quoted
from binstall.archive.staging import Staging
from binstall.archive.streams import Budget, codec_of, plain, reader, unpacked
from binstall.archive.tar import Keep, read_tar
from binstall.archive.zip import read_zip
from binstall.artifact import VerifiedFile
from binstall.errors import ArchiveError, LocalIOError
from binstall.formats.package_format import PackageFormat
from binstall.limits import MAX_MANIFEST_BYTES


@dataclass(frozen=True, slots=True)
class Extraction:
    """What a package holds, and where its wanted files are now."""

    members: frozenset[str]
    """Paths of all regular files: `/` between components, no `.`, `..` or empty ones; foreign text."""
    folders: frozenset[str]
    """Paths of all folders, those included that only the members' paths imply; likewise."""
    files: Mapping[str, Path]
    """Wanted name, as asked for → its staged file (0755, synced); names that are not there are missing."""


@dataclass(frozen=True, slots=True)
class CrateContents:
    """The part of a `.crate` that decides what it installs."""

    manifest: bytes | None
    """`Cargo.toml`, at most MAX_MANIFEST_BYTES; None if there is none."""
    files: frozenset[str]
    """Paths of the regular files below the crate's one folder, relative to it; foreign text."""


def extract(
    package: VerifiedFile, format: PackageFormat, wanted: Collection[str], into: Path
) -> Extraction:
    """Stage those of the `wanted` files that the package holds in the folder `into`, in one pass.

    `into` is fresh, private and on the destination's file system. Raises ArchiveError for a package that
    is hostile, broken or beyond the bounds, LocalIOError for this machine's refusals, and nothing else;
    `into` is then as before.
    """
    listing = Listing(wanted)
    with Staging(into) as staging:
        if format is PackageFormat.BIN:
            _stage_bare(package, wanted, listing, staging)
        else:
            _read(package, format, listing, staging.keep)
        return Extraction(frozenset(listing.members), frozenset(listing.folders), staging.files)


def read_crate(crate: VerifiedFile, top: str) -> CrateContents:
    """Read a `.crate`, a gzipped tar archive, in memory; `top` is its folder, `NAME-VERSION`.

    Members elsewhere are not looked at. Raises ArchiveError and LocalIOError as `extract` does; a second
    `Cargo.toml`, or one that is no regular file, is an ArchiveError.
    """
    manifest: list[bytes] = []

    def keep(asked: str, size: int, pieces: Iterator[memoryview]) -> None:
        if size > MAX_MANIFEST_BYTES:
            raise ArchiveError(
                f"{quoted(asked)} has {size} bytes, more than {MAX_MANIFEST_BYTES} (MAX_MANIFEST_BYTES)"
            )
        manifest.append(b"".join(pieces))

    listing = Listing([f"{top}/Cargo.toml"])
    _read(crate, PackageFormat.TGZ, listing, keep)
    below = f"{top}/"
    files = frozenset(path.removeprefix(below) for path in listing.members if path.startswith(below))
    return CrateContents(manifest[0] if manifest else None, files)


def _read(package: VerifiedFile, archive_format: PackageFormat, listing: Listing, keep: Keep) -> None:
    file, size = package.download.file, package.download.size
    budget = Budget(size)
    if archive_format is PackageFormat.ZIP:
        read_zip(file, size, listing, keep, budget)
        return
    _rewind(package)
    codec = codec_of(archive_format)
    pieces = plain(reader(file), budget) if codec is None else unpacked(reader(file), codec, budget)
    read_tar(pieces, listing, keep)


def _rewind(package: VerifiedFile) -> None:
    try:
        package.download.file.seek(0)
    except OSError as error:
        raise LocalIOError(f"the downloaded archive cannot be read: {error}") from error


def _stage_bare(package: VerifiedFile, wanted: Collection[str], listing: Listing, staging: Staging) -> None:
    if len(wanted) != 1:
        raise ArchiveError(f"the package is a single file, and {len(wanted)} binaries are wanted from it")
    size = package.download.size
    for name in wanted:
        asked = listing.enter([name.encode("utf-8", "surrogatepass")], Kind.FILE, size)
        if asked is not None:
            staging.copy(asked, package.download.file, size)
