"""`binstall list`: what is installed under a root, where it came from, and what was proved of it then."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from binstall.cli.params import Command
from binstall.cli.records import crate_object, level_from, open_tracker, record_options
from binstall.cli.report import THIRD_PARTY, failure_object
from binstall.cli.terminal import Terminal
from binstall.errors import BinstallError
from binstall.formats.crates_v1 import InstallEvidence
from binstall.formats.tracking import CRATES_IO, Installed
from binstall.install.files import is_plain_name, mark
from binstall.resolve.quickinstall import PACKAGES_URL


def list_lines(crate: Installed, bin_dir: Path) -> list[str]:
    """Return a line for the crate and one for each of its files."""
    source = "crates.io" if crate.source == str(CRATES_IO) else crate.source
    lines = [f"{crate.name} {crate.version} from {source}: {evidence_words(crate)}"]
    for name in crate.bins:
        notes = []
        if not _exists(bin_dir, name):
            notes.append("missing")
        if (
            crate.record is not None
            and crate.record.evidence is not None
            and not _is_of_package(crate, name)
        ):
            notes.append("not of that package")
        lines.append(f"    {name}" + (f" ({', '.join(notes)})" if notes else ""))
    return lines


def evidence_words(crate: Installed) -> str:
    """Say who signed the package of a crate, as the records have it, or why nobody can tell."""
    if crate.record is None:
        return "not installed by binstall"
    evidence = crate.record.evidence
    if evidence is None:
        return f"for {crate.record.target}, nothing is recorded of a signature"
    third_party = _is_third_party(evidence)
    built = f"built by {THIRD_PARTY}, " if third_party else ""
    if evidence.verdict == "verified":
        whose = "with QuickInstall's" if third_party else "by its publisher with"
        said = f"signed {whose} {evidence.algorithm} key {evidence.key_id}"
    else:
        said = "UNSIGNED" if evidence.verdict == "unsigned" else f"signature {evidence.verdict}"
    return f"{built}{said}, for {crate.record.target}, installed {evidence.installed_at}"


def list_object(crate: Installed, bin_dir: Path) -> dict[str, Any]:
    """Return the JSON object of one crate; `docs/json.md` is its description."""
    record = crate.record
    evidence = record.evidence if record is not None else None
    members = asdict(evidence) if evidence is not None else None
    if members is not None and evidence is not None:
        del members["files"]
        members["party"] = "third party" if _is_third_party(evidence) else "publisher"
    return {
        **crate_object("listed", crate),
        "version_requirement": record.version_req if record is not None else None,
        "files": [
            {
                "binary": name,
                "path": str(bin_dir / name) if is_plain_name(name) else None,
                "exists": _exists(bin_dir, name),
                "from_package": _is_of_package(crate, name),
            }
            for name in crate.bins
        ],
        "evidence": members,
    }


def _is_third_party(evidence: InstallEvidence) -> bool:
    return evidence.package_url.startswith(f"{PACKAGES_URL}/")


def _exists(bin_dir: Path, name: str) -> bool:
    return is_plain_name(name) and mark(bin_dir / name) is not None


def _is_of_package(crate: Installed, name: str) -> bool:
    evidence = crate.record.evidence if crate.record is not None else None
    return evidence is not None and name in evidence.files


def _run(**options: Any) -> int:
    terminal = Terminal(level_from(options), json_lines=options["json_output"])
    with terminal.open():
        try:
            tracker = open_tracker(options["root"])
            crates = tracker.read().everything()
        except BinstallError as error:
            terminal.json_result(failure_object(error, None))
            raise
        if not crates:
            terminal.stage(f"nothing is installed in {tracker.root}")
        bin_dir = tracker.root / "bin"
        for crate in crates:
            terminal.json_result(list_object(crate, bin_dir))
            for line in list_lines(crate, bin_dir):
                terminal.result(line)
            evidence = crate.record.evidence if crate.record is not None else None
            if evidence is not None:
                terminal.detail(f"{crate.name}: {evidence.package_url}")
    return 0


command = Command(
    "list",
    callback=_run,
    params=record_options(),
    help="List what is installed, by binstall, cargo-binstall or cargo, and who signed it.\n\n"
    "Read from cargo's own list and from the records beside it; nothing is changed. What is said of a "
    "signature was proved when the package was installed; the files are not looked into again. A crate that "
    "cargo has installed over ours in another version counts as cargo's.",
    example="binstall list\nbinstall list --json --root ~/tools",
)
