"""One target, one place: what an installer would get there, found out by the installer itself.

`ask` runs `install.installer.Installer` up to the moment in which it would place files: the same candidates
in the same order, the same verification before the same unpacking, the same errors. The place is a folder of
release files (`release_folder.FolderFetcher`) or the real host. Without a place, `foresee` does what can be
done: URLs, templates and key.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from binstall.artifact import Evidence
from binstall.errors import BinstallError, Cancelled, LocalIOError, NothingFound
from binstall.formats.manifest import Manifest
from binstall.formats.minisign_key import parse_public_key
from binstall.formats.package_format import PackageFormat
from binstall.formats.version import CrateSpec
from binstall.install.installer import Installer, LocalSource, Prepared
from binstall.install.layout import plan_layout
from binstall.net.transfers import Transfers
from binstall.progress import Silent
from binstall.publish.check_targets import NO_OVERRIDES, Question, places_for
from binstall.publish.release_folder import file_name_of
from binstall.registry.found import FoundCrate
from binstall.resolve.candidates import Candidate
from binstall.signing.verifier import SignaturePolicy

Where = Literal["folder", "host"]
Verdict = Literal["ok", "failed", "none", "planned"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where packages are asked for."""

    where: Where
    transfers: Transfers
    staging: Path
    """A private folder, removed by its owner after `transfers` is closed."""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one question."""

    question: Question
    where: Where | None
    """None: no place was asked."""
    verdict: Verdict
    """`none`: no package, and none is demanded; `planned`: nobody was asked, and nothing speaks against it."""
    url: str | None
    """Of the package that was found, else the first that installers ask for; None if there is none."""
    further_urls: int = 0
    """How many more are asked for, if it is not there; of a file in a folder, how many others end in its name."""
    signature_url: str | None = None
    """As `url`; None where no signature is declared."""
    format: PackageFormat | None = None
    """Of the package that was found."""
    size: int | None = None
    """Bytes of that package."""
    sha256: bytes | None = None
    """32 bytes, of that package."""
    evidence: Evidence | None = None
    """What its signature proved; its trusted comment is foreign text."""
    binaries: tuple[str, ...] = ()
    """File names that would be installed."""
    warnings: tuple[str, ...] = ()
    error: BinstallError | None = None
    """What stops an installer; also where the verdict is `none`."""
    mend: str | None = None
    """What would mend it, with the line or the file name."""


@dataclass(slots=True)
class _Heard(Silent):
    """Listens to the installer for what the publisher should know."""

    warnings: list[str] = field(default_factory=list)

    def warn(self, words: str) -> None:
        self.warnings.append(words)


def ask(found: FoundCrate, question: Question, place: Place) -> Row:
    """Ask one place for the package of one target.

    Raises:
        LocalIOError, Cancelled: what has nothing to do with the release.
    """
    heard = _Heard()
    installer = Installer(
        LocalSource(Path()),
        place.transfers,
        heard,
        targets=(question.target,),
        overrides=NO_OVERRIDES,
        policy=SignaturePolicy.IF_DECLARED,
    )
    spec = CrateSpec(found.manifest.name, None)
    folder = _fresh(place.staging)
    try:
        prepared = installer.prepare(spec, found, folder, Path())
        assert isinstance(prepared, Prepared)  # noqa: S101 - nobody allowed a build
        return _good(question, place, prepared, heard.warnings)
    except (LocalIOError, Cancelled):
        raise
    except BinstallError as error:
        return _bad(found.manifest, question, place.where, error, heard.warnings)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fresh(staging: Path) -> Path:
    try:
        return Path(tempfile.mkdtemp(dir=staging))
    except OSError as error:
        raise LocalIOError(f"a temporary folder cannot be made in {staging}: {error.strerror}") from error


def foresee(manifest: Manifest, question: Question) -> Row:
    """Tell where installers would ask, with all that is wrong already."""
    try:
        candidates = places_for(manifest, question.target)
        for candidate in candidates:
            plan_layout(
                manifest.binaries,
                only=(),
                target=candidate.target,
                package_format=candidate.format,
                bin_dir=candidate.meta.bin_dir,
                values={
                    **candidate.values,
                    **({"repo": manifest.repository} if manifest.repository else {}),
                },
            )
        signing = candidates[0].meta.signing
        if signing is not None:
            parse_public_key(signing.pubkey)
    except BinstallError as error:
        return _bad(manifest, question, None, error, [])
    return Row(
        question,
        None,
        "planned",
        candidates[0].url,
        len({candidate.url for candidate in candidates}) - 1,
        candidates[0].signature_url,
        warnings=candidates[0].meta.warnings,
    )


def _good(question: Question, place: Place, prepared: Prepared, warnings: Sequence[str]) -> Row:
    candidate, download = prepared.candidate, prepared.package.download
    row = Row(
        question,
        place.where,
        "ok",
        candidate.url,
        _twins(prepared.found.manifest, candidate) if place.where == "folder" else 0,
        candidate.signature_url,
        candidate.format,
        download.size,
        download.digest("sha256"),
        prepared.package.evidence,
        tuple(placement.destination.name for placement in prepared.plan.placements),
        tuple(warnings),
    )
    download.file.close()  # its space is needed for the next one
    return row


def _twins(manifest: Manifest, candidate: Candidate) -> int:
    """Count the other URLs with the same file name: a folder cannot tell which of them the host has."""
    every = places_for(manifest, candidate.target, skip_signatures=True)
    name = file_name_of(candidate.url)
    return len({one.url for one in every if file_name_of(one.url) == name}) - 1


def _bad(
    manifest: Manifest,
    question: Question,
    where: Where | None,
    error: BinstallError,
    warnings: Sequence[str],
) -> Row:
    first, further = _first_candidate(manifest, question)
    is_missing = isinstance(error, NothingFound) and question.is_machines
    return Row(
        question,
        where,
        "none" if is_missing else "failed",
        first.url if first is not None else None,
        further,
        first.signature_url if first is not None else None,
        warnings=tuple(warnings),
        error=error,
    )


def _first_candidate(manifest: Manifest, question: Question) -> tuple[Candidate | None, int]:
    for skip_signatures in (False, True):
        try:
            candidates = places_for(manifest, question.target, skip_signatures=skip_signatures)
        except BinstallError:
            continue
        return candidates[0], len({candidate.url for candidate in candidates}) - 1
    return None, 0
