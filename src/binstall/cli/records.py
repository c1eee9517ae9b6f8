"""What `binstall list` and `binstall uninstall` share: which root, and how an installed crate is told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from binstall.cli.connect import read_cargo
from binstall.cli.params import Option
from binstall.cli.report import JSON_SCHEMA
from binstall.cli.request import Surroundings
from binstall.cli.terminal import Level
from binstall.errors import ConfigError, UsageError
from binstall.formats.tracking import Installed, SourceKind
from binstall.install.tracker import Tracker
from binstall.registry.cargo_home import install_folders, user_home

_WHERE, _OUTPUT = "Where it is", "What is shown"


def record_options() -> list[click.Parameter]:
    """Return `--root`, `--json`, `-v` and `-q`."""
    return [
        Option(
            ["--root"],
            type=click.Path(path_type=Path),
            metavar="PATH",
            group=_WHERE,
            common=True,
            help="The root that was installed into. Else CARGO_INSTALL_ROOT, cargo's install.root, cargo's home.",
        ),
        Option(
            ["--json", "--json-output", "json_output"],
            is_flag=True,
            group=_OUTPUT,
            common=True,
            help="Print results as JSON, one object a line. The schema is in docs/json.md.",
        ),
        Option(["-v", "--verbose", "verbose"], is_flag=True, group=_OUTPUT, common=True, help="Tell more."),
        Option(
            ["-q", "--quiet", "quiet"], is_flag=True, group=_OUTPUT, common=True, help="Print errors only."
        ),
    ]


def level_from(options: dict[str, Any]) -> Level:
    """Return how much is told.

    Raises:
        UsageError: `-q` and `-v`.
    """
    if options["quiet"] and options["verbose"]:
        raise UsageError("-q and -v exclude each other")
    return Level.ERROR if options["quiet"] else Level.DEBUG if options["verbose"] else Level.INFO


def open_tracker(root: Path | None) -> Tracker:
    """Return the records of `root`, or of where cargo's configuration has crates installed.

    Raises:
        ConfigError: cargo's configuration cannot be used, or nothing is recorded for this user.
    """
    environment = dict(os.environ)
    config, cargo_home = read_cargo(Surroundings(environment, Path.cwd(), user_home(environment)))
    folders = install_folders(cli_root=root, cli_install_path=None, config=config, cargo_home=cargo_home)
    if not folders.tracked:
        raise ConfigError(
            f"nothing is recorded of what is installed into {folders.bin_dir}", hint="--root names a root"
        )
    return Tracker(folders.root)


def source_object(crate: Installed) -> dict[str, str]:
    """Return kind and URL of where a crate came from, as `binstall install --json` has them."""
    kind, _, url = crate.source.partition("+")
    return {"kind": kind, "url": url.removesuffix("/") if kind == SourceKind.SPARSE else url}


def crate_object(event: str, crate: Installed) -> dict[str, Any]:
    """Return the members that every object about an installed crate begins with."""
    return {
        "schema": JSON_SCHEMA,
        "event": event,
        "crate": crate.name,
        "version": str(crate.version),
        "target": crate.record.target if crate.record is not None else None,
        "source": source_object(crate),
    }
