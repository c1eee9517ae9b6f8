"""`cargo-binstall`: the Rust program's command line and voice, our engine.

Started by cargo as `cargo-binstall binstall ARGUMENTS` or directly without that word. No sub-commands. All
log lines go to standard output, as in that program; usage errors to standard error. What differs on
purpose is in `docs/compatibility.md`: where the Rust program lowers trust, this one stops.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TextIO

import click

from binstall import __version__
from binstall.cli.app import run
from binstall.cli.install import level_of, request_from, surroundings
from binstall.cli.install_options import shared_options
from binstall.cli.params import Command, Option, expand_greedy
from binstall.cli.report import signature_words
from binstall.cli.request import InstallRequest
from binstall.cli.session import run_install
from binstall.cli.terminal import Level, Terminal
from binstall.errors import BinstallError, Cancelled
from binstall.formats.url import host_of
from binstall.install.installer import Prepared
from binstall.install.transaction import InTheWay, Untracked
from binstall.progress import Transfer
from binstall.text import sentence

COMPATIBLE_WITH = "1.22.0"
"""The version of the Rust program whose behaviour is given, and that `-V` prints."""


class CargoTerminal(Terminal):
    """Log lines on standard output: ` INFO message`, or JSON objects with `--json-output`."""

    def __init__(self, level: Level, *, json_lines: bool = False, out: TextIO | None = None) -> None:
        super().__init__(level, json_lines=json_lines, out=out, err=out or sys.stdout)

    def stage(self, words: str) -> None:
        """Log at INFO."""
        self._log(Level.INFO, words)

    def detail(self, words: str) -> None:
        """Log at DEBUG."""
        self._log(Level.DEBUG, words)

    def warn(self, words: str) -> None:
        """Log at WARN."""
        self._log(Level.WARN, words)

    def result(self, words: str) -> None:
        """Log at INFO: results are log lines here."""
        self._log(Level.INFO, words)

    def json_result(self, value: Mapping[str, Any]) -> None:
        """Nothing: `--json-output` is JSON log lines here, as in the Rust program."""

    def transfer(self, label: str, size: int | None) -> Transfer:
        """Show a bar where there is a terminal, and nothing in JSON."""
        if self.json_lines:
            self._bars_wanted = False
        return super().transfer(label, size)

    def error(self, error: BinstallError) -> None:
        """Print the final error, at whatever level; a cancellation is only a warning."""
        if isinstance(error, Cancelled):
            self._log(Level.WARN, "Installation cancelled")
            return
        message = sentence(error.message)
        if self.json_lines:
            self._log(Level.OFF, f"Fatal error: {message}", name="ERROR")
            return
        self._say(f"{self._painted('1;31', 'ERROR')} Fatal error:")
        self._say(f"  × {message}")
        if error.hint:
            self._say(f"  help: {sentence(error.hint)}")

    def ask(self, question: str) -> None:
        """Ask in the Rust program's words; end of input, which that program takes for yes, is no.

        Raises:
            Cancelled: the answer is no.
        """
        while True:
            self._out.write(f"{question} [yes]/no ")
            self._out.flush()
            line = sys.stdin.readline()
            answer = line.strip()
            if not line or answer in {"no", "n", "NO", "N"}:
                raise Cancelled("Installation cancelled")
            if answer in {"", "yes", "y", "YES", "Y"}:
                return

    def _log(self, level: Level, words: str, *, name: str = "") -> None:
        if self.level < level:
            return
        name = name or level.name
        if self.json_lines:
            line = {
                "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "level": name,
                "fields": {"message": words},
                "target": "binstall",
            }
            self._say(json.dumps(line, ensure_ascii=True, separators=(",", ":")))
            return
        colour = {"WARN": "33", "INFO": "32", "DEBUG": "34", "ERROR": "31"}.get(name, "35")
        self._say(f"{self._painted(colour, f'{name:>5}')} {sentence(words)}")


@dataclass(frozen=True, slots=True)
class CargoManners:
    """One question before anything is placed, and files that nobody tracks are replaced with a warning."""

    request: InstallRequest
    terminal: CargoTerminal

    def already_installed(self, name: str, version: str) -> None:
        """Tell that there is nothing to do for a crate."""
        self.terminal.stage(f"{name} v{version} is already installed, use --force to override")

    def show(self, prepared: Prepared) -> None:
        """Tell what is about to be installed, and whose it is."""
        manifest, candidate = prepared.found.manifest, prepared.candidate
        self.terminal.warn(
            f"The package {manifest.name} v{manifest.version} ({candidate.target.text}) has been downloaded "
            f"from {host_of(candidate.url)}"
        )
        self.terminal.stage(signature_words(prepared))
        comment = prepared.package.evidence.trusted_comment
        if comment is not None:
            self.terminal.stage(f"Verified signature for package '{manifest.name}': {comment}")
        self.terminal.stage("This will install the following binaries:")
        for placement in prepared.plan.placements:
            self.terminal.stage(f"  - {placement.destination.name} => {placement.destination}")

    def ask(self, ready: Sequence[Prepared], obstacles: Sequence[InTheWay]) -> Untracked:
        """Ask once, unless `-y`."""
        del ready, obstacles
        if not self.request.no_confirm:
            self.terminal.ask("Do you wish to continue?")
        return "replace" if self.request.force else "warn"

    def installed(self, prepared: Prepared) -> None:
        """Nothing more: what is installed was listed before."""


def _own_options() -> list[click.Parameter]:
    return [
        Option(["-V", "print_version"], is_flag=True, group="Help", common=True, help="Print the version."),
        Option(
            ["--no-symlinks"], is_flag=True, hidden=True, help="Accepted; symbolic links are never made."
        ),
        Option(
            ["--secure"],
            is_flag=True,
            hidden=True,
            help="Accepted; https and TLS 1.2 are the least anyway.",
        ),
        Option(
            ["--disable-telemetry"], is_flag=True, hidden=True, help="Accepted; nothing is ever reported."
        ),
    ]


def _run(**options: Any) -> int:
    if options.pop("print_version"):
        _print_version(verbose=options["verbose"])
        return 0
    if not options["crates"]:
        raise click.UsageError("name at least one crate, as CRATE[@VERSION]", click.get_current_context())
    request = replace(request_from(options, surroundings()), front="cargo-binstall")
    level = Level.OFF if options["quiet"] else level_of(options)
    terminal = CargoTerminal(level, json_lines=options["json_output"])
    with terminal.open():
        return run_install(request, terminal, CargoManners(request, terminal))


def _print_version(*, verbose: bool) -> None:
    if not verbose:
        click.echo(COMPATIBLE_WITH)
        return
    from binstall.formats.host import preferred_targets
    from binstall.machine import detect_host

    click.echo(f"cargo-binstall: {COMPATIBLE_WITH}")
    click.echo(f"binstall: {__version__}")
    click.echo(f"build-target: {preferred_targets(detect_host())[0]}")
    click.echo(f"python-version: {sys.version.split()[0]}")


command = Command(
    "cargo-binstall",
    callback=_run,
    params=[
        click.Argument(["crates"], nargs=-1, metavar="CRATE[@VERSION]..."),
        *shared_options(),
        *_own_options(),
    ],
    help="Install prebuilt binaries of crates, in the words of Rust's cargo-binstall.",
    example="cargo binstall ripgrep\ncargo binstall -y --only-signed cargo-binstall",
    no_args_is_help=True,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `cargo-binstall` and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["binstall"]:
        del words[0]
    return run(command, "cargo-binstall", expand_greedy(words, "--bin"))
