"""`cargo-binstall`: the Rust program's command line and voice, our engine.

Started by cargo as `cargo-binstall binstall ARGUMENTS` or directly without that word. No sub-commands. All
log lines go to standard output, as in that program; usage errors to standard error. What differs on
purpose is in `docs/compatibility.md`: where the Rust program lowers trust, this one stops.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TextIO

import click

from binstall import __version__
from binstall.cli.app import over, run
from binstall.cli.install import check_words, level_of, request_from, settings_for, surroundings
from binstall.cli.install_options import OUTPUT, WHITHER, shared_options
from binstall.cli.params import Command, Option, expand_greedy
from binstall.cli.report import build_lines, signature_words
from binstall.cli.request import InstallRequest
from binstall.cli.session import run_install
from binstall.cli.settings import Settings, save_consent
from binstall.cli.terminal import Level, Terminal
from binstall.errors import BinstallError, Cancelled, UsageError
from binstall.formats.url import host_of
from binstall.install.compile import Build
from binstall.install.installer import Prepared
from binstall.install.transaction import InTheWay, Untracked
from binstall.progress import Transfer
from binstall.resolve.statistics import STATISTICS_HOST
from binstall.text import sentence

COMPATIBLE_WITH = "1.22.0"
"""The version of the Rust program whose behaviour is given, and that `-V` prints."""

_CONSENT_WORDS = """\
QuickInstall, a third party, builds packages for crates whose publishers have none. If you agree, it is told
for crates of crates.io: name, version, target, whether it had a package, and the version of this program.
Nothing is told of other crates, nor in a dry run. The answer is kept in binstall.toml."""


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

    def ask(self, question: str, *, default: bool) -> bool:
        """Ask in the Rust program's words; end of input, which that program takes for yes, is no, and so is
        what cannot be read."""
        choice = "[yes]/no" if default else "yes/[no]"
        while True:
            self._out.write(f"{question} {choice} ")
            self._out.flush()
            try:
                line = sys.stdin.readline()
            except (OSError, ValueError):
                return False
            answer = line.strip()
            if not line or answer in {"no", "n", "NO", "N"}:
                return False
            if answer in {"yes", "y", "YES", "Y"} or (not answer and default):
                return True
            if not answer:
                return False

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
        whence = host_of(candidate.url)
        if candidate.party == "third party":
            whence = f"third-party source QuickInstall ({whence})"
        self.terminal.warn(
            f"The package {manifest.name} v{manifest.version} ({candidate.target.text}) has been downloaded "
            f"from {whence}"
        )
        self.terminal.stage(signature_words(prepared))
        comment = prepared.package.evidence.trusted_comment
        if comment is not None:
            self.terminal.stage(f"Verified signature for package '{manifest.name}': {comment}")
        self.terminal.stage("This will install the following binaries:")
        for placement in prepared.plan.placements:
            self.terminal.stage(f"  - {placement.destination.name} => {placement.destination}")

    def show_build(self, plan: Build) -> None:
        """Tell that there is no package, why, and what is run instead."""
        manifest = plan.found.manifest
        self.terminal.warn(
            f"The package {manifest.name} v{manifest.version} will be installed from source (with cargo)"
        )
        for line in build_lines(plan)[1:]:
            self.terminal.stage(line.strip())

    def ask(
        self, ready: Sequence[Prepared], builds: Sequence[Build], obstacles: Sequence[InTheWay]
    ) -> Untracked:
        """Ask once, unless `-y`."""
        del ready, builds, obstacles
        if not self.request.no_confirm and not self.terminal.ask("Do you wish to continue?", default=True):
            raise Cancelled("Installation cancelled")
        return "replace" if self.request.force else "warn"

    def built(self, plan: Build) -> None:
        """Tell, in a dry run, what would be run."""
        if self.request.dry_run:
            self.terminal.stage(f"Dry-run: running `{plan.command_line()}`")

    def installed(self, prepared: Prepared) -> None:
        """Nothing more: what is installed was listed before."""


def _own_options() -> list[click.Parameter]:
    def accepted(name: str, words: str) -> Option:
        return Option([name], is_flag=True, hidden=True, help=f"Accepted; {words}.")

    return [
        Option(["-V", "print_version"], is_flag=True, group="Help", common=True, help="Print the version."),
        Option(
            ["--disable-telemetry"],
            is_flag=True,
            group=OUTPUT,
            envvar="BINSTALL_DISABLE_TELEMETRY",
            help="Neither report to QuickInstall nor ask whether to. Environment: "
            "BINSTALL_DISABLE_TELEMETRY=true.",
        ),
        Option(
            ["--no-cleanup"],
            is_flag=True,
            group=OUTPUT,
            help="Leave the private folder behind after a successful run. The next run removes it.",
        ),
        Option(
            ["--self-install"],
            is_flag=True,
            group=WHITHER,
            help="Put this program's launcher, one file, where cargo finds it.",
        ),
        accepted("--no-symlinks", "symbolic links are never made"),
        accepted("--secure", "https and TLS 1.2 are the least anyway"),
    ]


def _run(**options: Any) -> int:
    version, self_install = options.pop("print_version"), options.pop("self_install")
    level = level_of(options)
    if level is Level.ERROR and options["quiet"]:
        level = Level.OFF
    around = surroundings()
    if not self_install:
        check_words(options, "cargo-binstall")
    if version:
        _print_version(verbose=options["verbose"])
        return 0
    if not options["crates"] and not self_install:
        raise click.UsageError("name at least one crate, as CRATE[@VERSION]", click.get_current_context())
    terminal = CargoTerminal(level, json_lines=options["json_output"])
    with terminal.open():
        try:
            settings = settings_for(options, around, terminal, "cargo-binstall")
            if self_install:
                from binstall.cli.self_install import self_install as install_launcher

                install_launcher(options, around, settings.values, terminal, version=COMPATIBLE_WITH)
                return 0
            request = request_from(options, around, settings.values, front="cargo-binstall", level=level)
            consents = not options["disable_telemetry"] and _consents(options, settings, terminal)
        except UsageError:
            raise  # to standard error, as all of them
        except (BinstallError, KeyboardInterrupt) as caught:
            error = caught if isinstance(caught, BinstallError) else Cancelled("cancelled")
            terminal.error(error)
            return error.exit_code
        request = replace(request, statistics=consents, no_cleanup=options["no_cleanup"])
        began = time.monotonic()
        code = run_install(request, terminal, CargoManners(request, terminal))
        if code == 0:
            terminal.stage(f"Done in {time.monotonic() - began:.3f}s")
        return code


def _consents(options: dict[str, Any], settings: Settings, terminal: CargoTerminal) -> bool:
    """Tell whether QuickInstall may be told of installs; ask once for good, but not in a dry run."""
    values = settings.values
    if values.consent_asked or options["no_confirm"] or options["dry_run"] or settings.path is None:
        return values.consents
    terminal.stage(f"To let QuickInstall know what to build, binstall can report to {STATISTICS_HOST}")
    click.echo(_CONSENT_WORDS, err=True)
    answer = terminal.ask("Opt in to telemetry?", default=False)
    save_consent(settings.path, enabled=answer)
    terminal.stage("Settings saved")
    return answer


def _print_version(*, verbose: bool) -> None:
    if not verbose:
        click.echo(COMPATIBLE_WITH)
        return
    from binstall.formats.host import preferred_targets
    from binstall.machine import detect_host

    # Of the nine lines of the Rust program those that are true of this one; it was built by no rustc.
    click.echo(f"cargo-binstall: {COMPATIBLE_WITH}")
    click.echo(f"build-target: {preferred_targets(detect_host())[0]}")
    click.echo(f"binstall: {__version__}")
    click.echo(f"python-version: {sys.version.split()[0]}")


class _CargoBinstall(Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, expand_greedy(args, "--bin"))


command = _CargoBinstall(
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
    code = run(command, "cargo-binstall", words)
    return over(code) if arguments is None else code
