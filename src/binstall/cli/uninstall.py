"""`binstall uninstall`: all crates that are named, or none; for machines without cargo, and as cargo does it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from binstall.cli.params import Command, Option
from binstall.cli.records import crate_object, level_from, open_tracker, record_options
from binstall.cli.report import failure_object
from binstall.cli.terminal import Terminal
from binstall.errors import BinstallError
from binstall.formats.version import parse_crate_spec
from binstall.install.removal import Leaving, Removal, plan_removal, uninstall
from binstall.install.tracker import Tracker


def removal_object(leaving: Leaving, *, dry_run: bool) -> dict[str, Any]:
    """Return the JSON object of one crate; `docs/json.md` is its description."""
    return {
        **crate_object("planned-uninstall" if dry_run else "uninstalled", leaving.crate),
        "files": [{"binary": path.name, "path": str(path)} for path in leaving.files],
        "not_removed": list(leaving.staying),
    }


def _remove(tracker: Tracker, crates: Sequence[str], terminal: Terminal, *, dry_run: bool) -> Removal:
    specs = [parse_crate_spec(text) for text in crates]
    if not dry_run:
        return uninstall(tracker, specs, terminal)
    removal = plan_removal(tracker.read(), specs, tracker.root / "bin")
    for warning in removal.warnings:
        terminal.warn(warning)
    return removal


def _run(**options: Any) -> int:
    terminal = Terminal(level_from(options), json_lines=options["json_output"])
    dry_run = options["dry_run"]
    with terminal.open():
        try:
            removal = _remove(open_tracker(options["root"]), options["crates"], terminal, dry_run=dry_run)
        except BinstallError as error:
            terminal.json_result(failure_object(error, None))
            raise
        done = "would remove" if dry_run else "removed"
        for leaving in removal.crates:
            crate = leaving.crate
            terminal.json_result(removal_object(leaving, dry_run=dry_run))
            for path in leaving.files:
                terminal.result(f"{done} {crate.name} {crate.version}: {path}")
            if not leaving.files:
                terminal.result(f"{done} {crate.name} {crate.version}: no files, only its record")
    return 0


command = Command(
    "uninstall",
    callback=_run,
    params=[
        click.Argument(["crates"], nargs=-1, required=True, metavar="CRATE[@VERSION]..."),
        *record_options(),
        Option(
            ["--dry-run"],
            is_flag=True,
            group="What is shown",
            common=True,
            help="Tell what would be removed, and remove nothing.",
        ),
    ],
    help="Remove installed crates: their binaries and what is recorded of them.\n\n"
    "It works on what binstall, cargo-binstall or cargo installed, without cargo. Only files that the records "
    "list for these crates go; all crates are removed or none. A listed file that is gone already is a "
    "warning. If a crate is not installed, nothing is removed, and the exit code is 76.",
    example="binstall uninstall ripgrep\nbinstall uninstall ripgrep fd-find --root ~/tools --dry-run",
)
