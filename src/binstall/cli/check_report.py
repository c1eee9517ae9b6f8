"""What `binstall check` tells, for people and as JSON. Pure: lines and objects out of values.

Foreign text goes in raw, save in the table, whose columns are measured as they will be shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from binstall.errors import BinstallError
from binstall.publish.check import CrateReport, Report
from binstall.publish.check_packages import Row
from binstall.text import visible, without_secrets

SCHEMA = 1
_HEADINGS = ("TARGET", "PLACE", "RESULT", "SIGNATURE", "BINARIES", "URL")
_PLACES = {"folder": "dist", "host": "online", None: "-"}


def report_lines(report: Report) -> Iterator[str]:
    """Yield the lines of the whole report: one table, with what is to be said of a row below it."""
    rows = [row for crate in report.crates for row in crate.rows]
    lines = iter(_table(rows))
    heading = next(lines)
    for at, crate in enumerate(report.crates):
        manifest = crate.crate.manifest
        yield f"{manifest.name} {manifest.version}, judged by {crate.crate.judged}"
        for problem in crate.crate.problems:
            yield from _error_lines(problem, problem.hint)
        for warning in (*crate.crate.warnings, *crate.mistakes):
            yield f"  warning: {warning}"
        if at == 0:
            yield heading
        for row in crate.rows:
            yield next(lines)
            yield from _row_lines(row)
    if report.unreachable:
        yield "Archives that no target leads to:"
    told = {row.mend for row in rows}
    for archive in report.unreachable:
        yield f"  {archive.name}: FAILED {archive.error.exit_code}"
        if archive.mend not in told:
            yield f"  mend: {archive.mend}"


def _table(rows: Sequence[Row]) -> list[str]:
    cells = [_HEADINGS, *(tuple(visible(cell) for cell in _cells(row)) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEADINGS) - 1)]
    return [
        "  ".join([*(f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)), row[-1]])
        for row in cells
    ]


def _cells(row: Row) -> tuple[str, ...]:
    failed = row.verdict == "failed" and row.error is not None
    result = f"FAILED {row.error.exit_code}" if failed and row.error is not None else row.verdict
    further = f" (or {row.further_urls} more)" if row.further_urls else ""
    url = without_secrets(row.url) + further if row.url is not None else "-"
    return (
        row.question.target.text,
        _PLACES[row.where],
        result,
        _signature(row),
        ", ".join(row.binaries) or "-",
        url,
    )


def _signature(row: Row) -> str:
    if row.evidence is None:
        return "-" if row.signature_url is None else "declared"
    return row.evidence.key_id or "UNSIGNED"


def _row_lines(row: Row) -> Iterator[str]:
    if row.evidence is not None and row.evidence.trusted_comment is not None:
        yield f"  trusted comment: {visible(row.evidence.trusted_comment, keep_tabs=True)}"
    for warning in row.warnings:
        yield f"  warning: {warning}"
    if row.error is not None and row.verdict == "failed":
        yield from _error_lines(row.error, row.mend)


def _error_lines(error: BinstallError, mend: str | None) -> Iterator[str]:
    yield f"  error: {error.message}"
    if mend is not None:
        yield f"  mend: {mend}"


def failures(report: Report) -> Iterator[BinstallError]:
    """Yield every failure as an error of its own, with what would mend it for its hint."""
    for crate in report.crates:
        yield from crate.crate.problems
        for row in crate.rows:
            if row.verdict == "failed" and row.error is not None:
                what = f"{crate.crate.manifest.name} for {row.question.target.text}"
                yield _told(row.error, what, row.mend)
    for archive in report.unreachable:
        yield _told(archive.error, archive.name, archive.mend)


def _told(error: BinstallError, what: str, mend: str | None) -> BinstallError:
    told = BinstallError(error.message, hint=mend or error.hint).about(what)
    told.exit_code = error.exit_code
    return told


def report_objects(report: Report) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects; `docs/json.md` is their description."""
    for crate in report.crates:
        yield _crate_object(crate)
        for row in crate.rows:
            yield _row_object(crate, row)
    for archive in report.unreachable:
        yield {
            "schema": SCHEMA,
            "event": "unreachable",
            "file": archive.name,
            **_failure(archive.error, archive.mend),
        }


def _crate_object(crate: CrateReport) -> dict[str, Any]:
    manifest = crate.crate.manifest
    return {
        "schema": SCHEMA,
        "event": "crate",
        "crate": manifest.name,
        "version": str(manifest.version),
        "judged": crate.crate.judged,
        "problems": [_failure(problem, problem.hint) for problem in crate.crate.problems],
        "warnings": [*crate.crate.warnings, *crate.mistakes],
    }


def _row_object(crate: CrateReport, row: Row) -> dict[str, Any]:
    manifest, evidence = crate.crate.manifest, row.evidence
    return {
        "schema": SCHEMA,
        "event": "checked",
        "crate": manifest.name,
        "version": str(manifest.version),
        "target": row.question.target.text,
        "place": None if row.where is None else _PLACES[row.where],
        "verdict": row.verdict,
        "url": None if row.url is None else without_secrets(row.url),
        "signature_url": None if row.signature_url is None else without_secrets(row.signature_url),
        "package": None
        if row.format is None
        else {
            "format": row.format.value,
            "size": row.size,
            "sha256": None if row.sha256 is None else row.sha256.hex(),
        },
        "signature": None
        if evidence is None
        else {
            "verdict": evidence.verdict,
            "key_id": evidence.key_id,
            "public_key": evidence.public_key,
            "trusted_comment": evidence.trusted_comment,
        },
        "binaries": list(row.binaries),
        "warnings": list(row.warnings),
        **_failure(row.error, row.mend),
    }


def _failure(error: BinstallError | None, mend: str | None) -> dict[str, Any]:
    return {
        "exit_code": None if error is None else error.exit_code,
        "error": None if error is None else type(error).__name__,
        "message": None if error is None else error.message,
        "mend": mend,
    }
