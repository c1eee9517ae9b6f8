"""`binstall install`, in its own manners: a signed package is not asked about, an unsigned one is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from binstall.cli.install_options import LEVELS, shared_options
from binstall.cli.launcher import other_launcher_note
from binstall.cli.params import Command
from binstall.cli.report import plan_lines
from binstall.cli.request import InstallRequest, Surroundings
from binstall.cli.session import Manners, run_install
from binstall.cli.terminal import Level, Terminal
from binstall.errors import SuperfluousVersion, UsageError
from binstall.formats.manifest import CliOverrides
from binstall.formats.package_format import parse_package_format
from binstall.formats.version import CrateSpec, parse_crate_spec, requirement_of
from binstall.install.installer import Prepared
from binstall.install.transaction import InTheWay, Untracked
from binstall.registry.cargo_home import user_home
from binstall.signing.verifier import SignaturePolicy


@dataclass(frozen=True, slots=True)
class BinstallManners:
    """Results on standard output; a question only where something is in doubt."""

    request: InstallRequest
    terminal: Terminal

    def already_installed(self, name: str, version: str) -> None:
        """Tell that there is nothing to do for a crate."""
        self.terminal.result(f"{name} {version} is already installed; --force installs it again")

    def show(self, prepared: Prepared) -> None:
        """Tell what it is, whose signature it has and where it goes."""
        for line in plan_lines(prepared):
            self.terminal.stage(line)

    def ask(self, ready: Sequence[Prepared], obstacles: Sequence[InTheWay]) -> Untracked:
        """Ask about an unsigned package, unless `-y`; and, on a terminal, about files in the way."""
        for prepared in ready:
            if prepared.package.evidence.verdict != "verified" and not self.request.no_confirm:
                manifest = prepared.found.manifest
                self.terminal.confirm(
                    f"Nobody vouches for the package of {manifest.name} {manifest.version}. Install it?",
                    option="-y (--no-confirm)",
                )
        if self.request.force:
            return "replace"
        if not obstacles or self.request.no_confirm or not self.terminal.can_ask:
            return "refuse"
        for obstacle in obstacles:
            self.terminal.confirm(f"{obstacle}. Replace it?", option="--force")
        return "replace"

    def installed(self, prepared: Prepared) -> None:
        """Print one line a binary."""
        manifest = prepared.found.manifest
        done = "would install" if self.request.dry_run else "installed"
        for placement in prepared.plan.placements:
            name = placement.destination.name
            self.terminal.result(
                f"{done} {manifest.name} {manifest.version}: {name} => {placement.destination}"
            )


def request_from(options: dict[str, Any], surroundings: Surroundings) -> InstallRequest:
    """Turn parsed options into a request; what two of them forbid together is refused here.

    Raises:
        UsageError, SuperfluousVersion: the words contradict each other.
    """
    if options["only_signed"] and options["skip_signatures"]:
        raise UsageError("--only-signed and --skip-signatures exclude each other")
    policy = SignaturePolicy.IF_DECLARED
    if options["only_signed"]:
        policy = SignaturePolicy.REQUIRED
    elif options["skip_signatures"]:
        policy = SignaturePolicy.SKIP
    targets = tuple(part.strip() for text in options["targets"] for part in text.split(","))
    return InstallRequest(
        crates=_crates(options),
        surroundings=surroundings,
        targets=tuple(dict.fromkeys(targets)),
        bins=tuple(options["bins"]),
        manifest_path=options["manifest_path"],
        overrides=CliOverrides(
            pkg_url=options["pkg_url"],
            pkg_fmt=parse_package_format((options["pkg_fmt"] or "").lower()),
            bin_dir=options["bin_dir"],
        ),
        index=options["index"],
        root=options["root"],
        install_path=options["install_path"],
        root_certificates=tuple(options["root_certificates"]),
        allow_insecure_http=options["allow_insecure_http"],
        min_tls_version=options["min_tls_version"] or "1.2",
        policy=policy,
        allow_name_mismatch=frozenset(options["allow_name_mismatch"]),
        dry_run=options["dry_run"],
        no_confirm=options["no_confirm"],
        force=options["force"],
        no_track=options["no_track"],
    )


def _crates(options: dict[str, Any]) -> tuple[CrateSpec, ...]:
    texts: Sequence[str] = options["crates"]
    version = options["version"]
    if len(texts) > 1:
        for name in ("version", "manifest_path"):
            if options[name] is not None:
                raise UsageError(f"--{name.replace('_', '-')} goes with one crate, not with {len(texts)}")
    specs = [parse_crate_spec(text) for text in texts]
    if version is not None:
        requirement = requirement_of(version)
        if specs[0].requirement is not None:
            raise SuperfluousVersion(
                f"{texts[0]} and --version {version} both name a version", hint="leave one of them out"
            )
        specs = [CrateSpec(specs[0].name, requirement)]
    by_name = {spec.name: spec for spec in specs}
    return tuple(by_name[name] for name in sorted(by_name))


def level_of(options: dict[str, Any]) -> Level:
    """Return how much is told: the flags go before the level, whether it was given or in the environment."""
    if options["quiet"] and options["verbose"]:
        raise UsageError("-q and -v exclude each other")
    if options["quiet"]:
        return Level.ERROR
    if options["verbose"]:
        return Level.DEBUG
    word = (options["log_level"] or "info").lower()
    return Level(LEVELS.index(word))


def surroundings() -> Surroundings:
    """Return what this process was started with."""
    environment = dict(os.environ)
    return Surroundings(environment, Path.cwd(), user_home(environment))


def install(request: InstallRequest, terminal: Terminal) -> int:
    """Run `binstall install`: the engine in our manners. The demo comes this way, too."""
    manners: Manners = BinstallManners(request, terminal)
    return run_install(request, terminal, manners)


def _run(**options: Any) -> int:
    around = surroundings()
    request = request_from(options, around)
    terminal = Terminal(level_of(options), json_lines=options["json_output"])
    with terminal.open():
        note = other_launcher_note(around, remember=not request.dry_run)
        if note is not None:
            terminal.warn(note)
        return install(request, terminal)


command = Command(
    "install",
    callback=_run,
    params=[
        click.Argument(["crates"], nargs=-1, required=True, metavar="CRATE[@VERSION]..."),
        *shared_options(),
    ],
    help="Install prebuilt binaries of crates, signed as their publishers said they would be.\n\n"
    "The crate is found in its registry, its manifest says where the package is and by whom it is signed; "
    "package and signature are fetched and verified before anything is unpacked, and all binaries of a crate "
    "are placed or none. A package that its publisher signed is not asked about; an unsigned one is.",
    example="binstall install ripgrep\nbinstall install ripgrep@14 --dry-run\n"
    "binstall install cargo-binstall --only-signed --root ~/tools",
)
