"""`binstall check`: whether installers will get what is about to be published, asked of the installer itself.

    for each crate: the crate as it will be published        check_crate
    for each of its targets, in each place: one row          check_targets, check_packages
    what is declared for no target that was checked          mistakes, here
    the archives that no target leads to                     check_archives

Nothing is changed, nothing is stored, nothing is asked of anybody but the places that are given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from binstall.errors import BinstallError
from binstall.formats.target import TargetTriple
from binstall.publish.check_archives import Unreachable, unreachable_archives
from binstall.publish.check_crate import CheckedCrate
from binstall.publish.check_mends import Mender, template_mistakes
from binstall.publish.check_packages import Place, Row, ask, foresee
from binstall.publish.check_targets import Question, Reach, choose_questions

_SIGNATURES = (".sig", ".minisig")


@dataclass(frozen=True, slots=True)
class CrateReport:
    """What was found out about one crate."""

    crate: CheckedCrate
    rows: tuple[Row, ...]
    mistakes: tuple[str, ...]
    """What is wrong in the manifest without stopping any installer; sentences, foreign text inside."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found out."""

    crates: tuple[CrateReport, ...]
    unreachable: tuple[Unreachable, ...]

    @property
    def failures(self) -> tuple[BinstallError, ...]:
        """Everything that must be mended before publishing, in the order in which it is told."""
        found: list[BinstallError] = []
        for crate in self.crates:
            found += crate.crate.problems
            found += [row.error for row in crate.rows if row.verdict == "failed" and row.error is not None]
        return (*found, *(archive.error for archive in self.unreachable))

    @property
    def exit_code(self) -> int:
        """0, or the code with which an installer, or publishing, would fail first."""
        return next((error.exit_code for error in self.failures), 0)


@dataclass(frozen=True, slots=True)
class Dist:
    """A folder with the files of a release."""

    folder: Path
    names: frozenset[str]


def check(
    crates: Sequence[CheckedCrate],
    *,
    dist: Dist | None,
    places: Sequence[Place],
    targets: Sequence[TargetTriple],
    machine: Sequence[TargetTriple],
    neighbours: Sequence[CheckedCrate] = (),
    told: Callable[[CheckedCrate, Row], None] = lambda crate, row: None,
) -> Report:
    """Check `crates`, each in all `places`.

    `targets` are those to check; empty: what `check_targets` says, of which `machine` is a part.
    `neighbours` are crates that are not checked, whose files may be in `dist`. `told` hears of each row as
    soon as it is known.

    Raises:
        LocalIOError, Cancelled: the check could not be made.
    """
    names = dist.names if dist is not None else frozenset()
    folder = None if dist is None else dist.folder
    everyone = [
        Mender(Reach(crate.manifest, names, [*targets, *machine]), crate.lines, folder)
        for crate in (*crates, *neighbours)
    ]
    reports = []
    for at, crate in enumerate(crates):
        mender = everyone[at]
        others = {name for other in everyone if other is not mender for name in other.reach.claims}
        questions = choose_questions(mender.reach, explicit=targets, machine=machine, of_others=others)
        rows = []
        asked: Sequence[Place | None] = places or [None]
        for place in asked:
            for row in _rows(crate, questions, place, mender):
                told(crate, row)
                rows.append(row)
        mistakes = (
            *template_mistakes(mender, questions),
            *_unread_signatures(mender, questions),
            *_old_stamp(mender),
            *_other_bytes(rows),
        )
        reports.append(CrateReport(crate, tuple(rows), mistakes))
    unreachable = () if dist is None else unreachable_archives(everyone, dist.folder)
    return Report(tuple(reports), tuple(unreachable))


def _rows(
    crate: CheckedCrate, questions: Sequence[Question], place: Place | None, mender: Mender
) -> Iterator[Row]:
    """Yield a row for each question; with nothing found for anybody, that is a failure of this machine's."""
    nothing: list[Row] = []
    found_any = False
    for question in questions:
        row = foresee(crate.manifest, question) if place is None else ask(crate.found, question, place)
        if row.error is not None:
            here = replace(mender, folder=None) if row.where == "host" else mender
            row = replace(row, mend=here.mend(question, row.error))
        found_any = found_any or row.verdict != "none"
        if row.verdict == "none" and not found_any:
            nothing.append(row)
            continue
        yield from nothing
        nothing.clear()
        yield row
    yield from (replace(row, verdict="failed") for row in nothing)


def _unread_signatures(mender: Mender, questions: Sequence[Question]) -> Iterator[str]:
    """Yield a sentence where there are signatures beside packages, and the manifest declares none."""
    unread: set[str] = set()
    for question in questions:
        name = mender.reach.file_for(question.target)
        candidates = mender.reach.candidates(question.target)
        if name is not None and not candidates[0].meta.declares_signature:
            unread |= {f"{name}{end}" for end in _SIGNATURES} & mender.reach.names
    if unread:
        first = min(unread)
        more = f" and {len(unread) - 1} more" if len(unread) > 1 else ""
        place = mender.lines.place("metadata", "binstall")
        yield (
            f"{place}: no installer looks at {first}{more}, because the manifest declares no signature; "
            "`binstall stamp` declares it"
        )


def _old_stamp(mender: Mender) -> Iterator[str]:
    """Yield a sentence where the signing section says that it is another release's."""
    manifest = mender.reach.manifest
    signing = manifest.metadata.base.signing
    if signing is not None and signing.release not in {None, str(manifest.version)}:
        place = mender.lines.place("metadata", "binstall", "signing", "release")
        yield (
            f"{place}: the signing section is that of release {signing.release}, and this is {manifest.version}; "
            "`binstall sign --just-in-time` writes the new one"
        )


def _other_bytes(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a sentence for each package that the host serves with other bytes than the folder has."""
    ours = {row.question.target.text: row.sha256 for row in rows if row.where == "folder" and row.sha256}
    for row in rows:
        mine = ours.get(row.question.target.text)
        if row.where == "host" and row.sha256 and mine and row.sha256 != mine:
            yield f"for {row.question.target.text} the host serves another file than the folder has"
