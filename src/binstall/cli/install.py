"""`binstall install`, in its own manners: a signed package is not asked about, an unsigned one is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from binstall.cli.discovery_options import discovery_fields
from binstall.cli.install_options import LEVELS, TRUST, StrategyList, shared_options
from binstall.cli.launcher import other_launcher_note
from binstall.cli.params import Command
from binstall.cli.report import THIRD_PARTY, build_lines, plan_lines
from binstall.cli.request import InstallRequest, Surroundings
from binstall.cli.session import Manners, run_install
from binstall.cli.settings import Settings, load_settings
from binstall.cli.terminal import Level, Terminal
from binstall.errors import ConfigError, SuperfluousVersion, UsageError
from binstall.formats.manifest import CliOverrides
from binstall.formats.package_format import parse_package_format
from binstall.formats.publish_age import parse_min_age
from binstall.formats.settings_file import SettingsFile
from binstall.formats.version import CrateSpec, parse_crate_spec, requirement_of
from binstall.install.compile import Build
from binstall.install.installer import Prepared
from binstall.install.transaction import InTheWay, Untracked
from binstall.registry.cargo_home import user_home
from binstall.registry.found import FoundCrate
from binstall.resolve.strategies import Front, Strategies, Strategy, choose_strategies
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

    def show_build(self, plan: Build) -> None:
        """Tell what is built, why, and by which command."""
        for line in build_lines(plan):
            self.terminal.stage(line)

    def ask(
        self, ready: Sequence[Prepared], builds: Sequence[Build], obstacles: Sequence[InTheWay]
    ) -> Untracked:
        """Ask once, about all that is in doubt: unsigned packages, unless `-y`; another party's builds, even
        then; and, on a terminal, files in the way."""
        doubts = [*self._doubts_about(ready), *self._build_doubts(builds)]
        if not self.request.force and not self.request.no_confirm and self.terminal.can_ask:
            doubts += [(str(obstacle), "Replace it?", "--force") for obstacle in obstacles]
        if len(doubts) == 1:
            what, question, option = doubts[0]
            self.terminal.confirm(f"{what}. {question}", option=option)
        elif doubts:
            options = " and ".join(dict.fromkeys(option for _, _, option in doubts))
            self.terminal.confirm(
                f"{'; '.join(what for what, _, _ in doubts)}. Install all of this?", option=options
            )
        asked = any(option == "--force" for _, _, option in doubts)
        return "replace" if self.request.force or asked else "refuse"

    def _doubts_about(self, ready: Sequence[Prepared]) -> Iterator[tuple[str, str, str]]:
        """Yield a sentence, a question and the option that answers it, for each thing to be asked about."""
        for prepared in ready:
            manifest = prepared.found.manifest
            if prepared.candidate.party == "third party":
                yield from self._another_party(
                    Strategy.QUICK_INSTALL, f"{THIRD_PARTY}, built this package of", prepared.found
                )
            if prepared.package.evidence.verdict != "verified" and not self.request.no_confirm:
                what = f"Nobody vouches for the package of {manifest.name} {manifest.version}"
                yield what, "Install it?", "-y (--no-confirm)"

    def _build_doubts(self, builds: Sequence[Build]) -> Iterator[tuple[str, str, str]]:
        for plan in builds:
            yield from self._another_party(
                Strategy.COMPILE, "This machine's compiler is to build", plan.found
            )

    def _another_party(
        self, strategy: Strategy, what: str, found: FoundCrate
    ) -> Iterator[tuple[str, str, str]]:
        if strategy not in self.request.accepted:
            crate = f"{found.manifest.name} {found.manifest.version}"
            yield f"{what} {crate}, not its publisher", "Install it?", f"--accept {strategy}"

    def built(self, plan: Build) -> None:
        """Print one line."""
        done = "would build" if self.request.dry_run else "built"
        manifest = plan.found.manifest
        self.terminal.result(f"{done} {manifest.name} {manifest.version}: {plan.command_line()}")

    def installed(self, prepared: Prepared) -> None:
        """Print one line a binary."""
        manifest = prepared.found.manifest
        done = "would install" if self.request.dry_run else "installed"
        for placement in prepared.plan.placements:
            name = placement.destination.name
            self.terminal.result(
                f"{done} {manifest.name} {manifest.version}: {name} => {placement.destination}"
            )


def request_from(
    options: dict[str, Any],
    surroundings: Surroundings,
    settings: SettingsFile | None = None,
    *,
    front: Front = "binstall",
    level: Level = Level.INFO,
) -> InstallRequest:
    """Turn parsed options, over the settings, into a request; contradictions are refused here.

    Raises:
        UsageError, SuperfluousVersion: the words contradict each other.
    """
    check_words(options, front)
    settings = settings or SettingsFile()
    crates = _crates(options)
    strategies = _strategies(options, settings, front)
    policy = SignaturePolicy.IF_DECLARED
    if options["only_signed"]:
        policy = SignaturePolicy.REQUIRED
    elif options["skip_signatures"]:
        policy = SignaturePolicy.SKIP
    targets = tuple(part.strip() for part in words_of(options["targets"]))
    if not targets and settings.targets is not None:
        targets = settings.targets
    install_path = options["install_path"]
    if install_path is None and settings.install_path is not None:
        install_path = Path(settings.install_path)
    return InstallRequest(
        crates=crates,
        surroundings=surroundings,
        targets=tuple(dict.fromkeys(targets)),
        targets_given=settings.targets is not None,
        bins=tuple(options["bins"]),
        manifest_path=options["manifest_path"],
        overrides=CliOverrides(
            pkg_url=options["pkg_url"],
            pkg_fmt=parse_package_format((options["pkg_fmt"] or "").lower()),
            bin_dir=options["bin_dir"],
        ),
        git=options["git"],
        index=options["index"],
        registry=options["registry"],
        root=options["root"],
        install_path=install_path,
        root_certificates=tuple(options["root_certificates"]),
        allow_insecure_http=options["allow_insecure_http"],
        min_tls_version=options["min_tls_version"] or "1.2",
        policy=policy,
        allow_name_mismatch=frozenset(options["allow_name_mismatch"]),
        min_age=None if options["min_age"] is None else parse_min_age(options["min_age"]),
        mirrors=settings.mirrors,
        continue_on_failure=_over(options["continue_on_failure"], settings.continue_on_failure),
        dry_run=options["dry_run"],
        no_confirm=_over(options["no_confirm"], not settings.confirm),
        force=options["force"],
        no_track=_over(options["no_track"], not settings.track_installs),
        front=front,
        strategies=strategies,
        accepted=frozenset(Strategy(word) for word in words_of(options.get("accept", ()))),
        locked=options["locked"],
        **discovery_fields(options, surroundings.working_directory),
    )


def words_of(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the words of a list option: it may repeat, and hold commas."""
    return tuple(part for text in texts for part in text.split(","))


def _over(option: bool | None, setting: bool) -> bool:
    """Return what a flag says, be it by `false` in the environment, else what the settings say."""
    return setting if option is None else option


def check_words(options: dict[str, Any], front: Front) -> None:
    """Refuse what the words of the command line and the environment forbid by themselves.

    Raises:
        UsageError, SuperfluousVersion: they contradict each other.
    """
    if options["only_signed"] and options["skip_signatures"]:
        raise UsageError("--only-signed and --skip-signatures exclude each other")
    for one, other in (("git", "manifest_path"), ("index", "registry")):
        if options[one] is not None and options[other] is not None:
            raise UsageError(f"--{one} and --{other.replace('_', '-')} exclude each other")
    _crates(options)
    if options["strategies"]:
        choose_strategies(words_of(options["strategies"]), words_of(options["disable_strategies"]), front)


def _strategies(options: dict[str, Any], settings: SettingsFile, front: Front) -> Strategies:
    given = words_of(options["strategies"])
    if not given:
        try:
            choose_strategies(settings.strategies, (), front)
        except UsageError as error:
            raise ConfigError(f"the settings: {error.message}") from error
    return choose_strategies(given or settings.strategies, words_of(options["disable_strategies"]), front)


def _crates(options: dict[str, Any]) -> tuple[CrateSpec, ...]:
    texts: Sequence[str] = options["crates"]
    version = options["version"]
    if len(texts) > 1:
        for name in ("version", "manifest_path", "git"):
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


def settings_for(
    options: dict[str, Any], around: Surroundings, terminal: Terminal, front: Front
) -> Settings:
    """Return the settings that hold; `cargo-binstall` makes the file where there is none.

    Raises:
        ConfigError: `--settings` names a file that cannot be used.
    """
    create = front == "cargo-binstall" and not options["dry_run"]
    return load_settings(options["settings"], options["root"], around, create=create, warn=terminal.warn)


def install(request: InstallRequest, terminal: Terminal) -> int:
    """Run `binstall install`: the engine in our manners. The demo comes this way, too."""
    manners: Manners = BinstallManners(request, terminal)
    return run_install(request, terminal, manners)


def _run(**options: Any) -> int:
    around = surroundings()
    level = level_of(options)
    terminal = Terminal(level, json_lines=options["json_output"])
    check_words(options, "binstall")
    with terminal.open():
        settings = settings_for(options, around, terminal, "binstall")
        request = request_from(options, around, settings.values, level=level)
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
        StrategyList(
            ["--accept"],
            metavar="STRATEGY",
            multiple=True,
            group=TRUST,
            help="Install what quick-install (a third party) or compile gives without a question; -y does not "
            "answer that one. May repeat or hold commas.",
        ),
    ],
    help="Install prebuilt binaries of crates, signed as their publishers said they would be.\n\n"
    "The crate is found in its registry, its manifest says where the package is and by whom it is signed; "
    "package and signature are fetched and verified before anything is unpacked, and all binaries of a crate "
    "are placed or none. A package that its publisher signed is not asked about; an unsigned one is.",
    example="binstall install ripgrep\nbinstall install ripgrep@14 --dry-run\n"
    "binstall install cargo-binstall --only-signed --root ~/tools",
)
