"""One run of an install: everything that the request names, opened, used in order, and closed.

    configuration → folders → registry or path        what is asked, and where it goes
    for all crates at once: find, skip or prepare      nothing outside a staging folder is touched
    the plan is shown; a question, if one is due
    for each crate, by name: one transaction           files and records

An error ends the run, but what was placed before it is in place and recorded. With --continue-on-failure it
ends only what concerns its crate; the exit code is that of the first crate, by name, that failed.

Both command lines and the demo come through `run_install`; what differs between them is their `Manners`.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from binstall.cli.batch import Crew, Turns
from binstall.cli.connect import git_rules, open_git, open_registry, open_transfers, read_cargo
from binstall.cli.discovery_options import open_prober
from binstall.cli.parties import QuickInstallMaker, build, parties_of
from binstall.cli.report import already_object, build_object, failure_object, install_object
from binstall.cli.request import InstallRequest
from binstall.cli.terminal import Terminal
from binstall.errors import BadTarget, BinstallError, Cancelled, Stopped
from binstall.formats.cargo_config import CargoConfig
from binstall.formats.target import TargetTriple, parse_target
from binstall.formats.tracking import Installed, InstalledCrate
from binstall.formats.version import CrateSpec, is_settled
from binstall.install.compile import Build
from binstall.install.installer import Installer, LocalSource, Prepared, Source
from binstall.install.recovery import recover
from binstall.install.runnable import RunsHere
from binstall.install.signals import despite_signals
from binstall.install.staging import Staging
from binstall.install.tracker import Tracker
from binstall.install.transaction import InTheWay, TrackingUpdate, Untracked, commit, in_the_way
from binstall.install.ways import Parties
from binstall.limits import MAX_CRATES_AT_ONCE
from binstall.net.transfers import Transfers
from binstall.progress import Progress
from binstall.registry.cargo_home import InstallFolders, install_folders
from binstall.resolve.quickinstall import QuickInstall


@dataclass(frozen=True, slots=True)
class _Setting:
    """What a run has found out about this machine before it asks anybody."""

    config: CargoConfig
    cargo_home: Path | None
    folders: InstallFolders
    tracker: Tracker | None
    """None where nothing is recorded."""


class Manners(Protocol):
    """How a front talks about an install, and what it asks."""

    def already_installed(self, name: str, version: str) -> None:
        """Tell that there is nothing to do for a crate."""

    def show(self, prepared: Prepared) -> None:
        """Tell all that should be known before anything of this crate is placed."""

    def show_build(self, plan: Build) -> None:
        """Tell what is about to be built, and why there is no package."""

    def ask(
        self, ready: Sequence[Prepared], builds: Sequence[Build], obstacles: Sequence[InTheWay]
    ) -> Untracked:
        """Ask what has to be asked; return what happens to files that nobody tracks.

        Raises:
            Cancelled: the answer is no.
        """

    def installed(self, prepared: Prepared) -> None:
        """Tell the result: placed, or, in a dry run, what would have been."""

    def built(self, plan: Build) -> None:
        """Tell the result of a build, or, in a dry run, the command that would have been run."""


def run_install(
    request: InstallRequest,
    terminal: Terminal,
    manners: Manners,
    *,
    quick_install: QuickInstallMaker = QuickInstall,
) -> int:
    """Install what `request` names; print results and errors on `terminal`; return the exit code."""
    run = _Run(request, terminal, manners, quick_install)
    try:
        try:
            with contextlib.ExitStack() as stack:
                run.install(stack)
        finally:
            # Once more: a signal may have come in the middle of leaving.
            despite_signals(run.leave)
    except (BinstallError, KeyboardInterrupt) as caught:
        error = caught if isinstance(caught, BinstallError) else Cancelled("cancelled")
        run.tell_failures()
        _tell(request, terminal, error, run.current)
        if run.refused and error is run.refused:
            return run.failures[0][1].exit_code
        return error.exit_code
    run.tell_failures()
    return run.failures[0][1].exit_code if run.failures else 0


def _tell(
    request: InstallRequest, terminal: Terminal, error: BinstallError, spec: CrateSpec | None
) -> None:
    if spec is not None and len(request.crates) > 1:
        error.about(str(spec))
    terminal.json_result(failure_object(error, spec))
    terminal.error(error)


class _Run:
    """One call of `run_install`."""

    def __init__(
        self,
        request: InstallRequest,
        terminal: Terminal,
        manners: Manners,
        quick_install: QuickInstallMaker,
    ) -> None:
        self._request = request
        self._terminal = terminal
        self._manners = manners
        self._quick_install = quick_install
        self._staging: Staging | None = None
        self.current: CrateSpec | None = None
        """The crate that is being dealt with."""
        self.failures: list[tuple[CrateSpec, BinstallError]] = []
        """Of crates that were left out, by name once they are told."""
        self.refused: Cancelled | None = None
        """The answer no, while there were failures."""

    def tell_failures(self) -> None:
        """Print what failed while the run went on."""
        self.failures.sort(key=lambda failure: failure[0].name)
        for spec, error in self.failures:
            _tell(self._request, self._terminal, error, spec)

    @contextlib.contextmanager
    def _dealing_with(self, spec: CrateSpec) -> Iterator[None]:
        """Do what concerns one crate; where the run is to go on, remember its failure."""
        self.current = spec
        try:
            yield
        except Cancelled:
            raise
        except BinstallError as error:
            if not self._request.continue_on_failure or len(self._request.crates) == 1:
                raise
            self.failures.append((spec, error))
        self.current = None

    def leave(self) -> None:
        """Remove the private folder, wherever the run was interrupted."""
        if self._staging is not None:
            self._staging.__exit__(None, None, None)

    def install(self, stack: contextlib.ExitStack) -> None:
        """Do everything; what is opened is closed by `stack`."""
        request, terminal, manners = self._request, self._terminal, self._manners
        setting = _setting(request)
        now = int(time.time())
        turns = Turns(terminal)
        transfers = stack.enter_context(_transfers(request, setting, terminal))
        parties = parties_of(
            request,
            setting.config,
            setting.cargo_home,
            setting.folders,
            transfers,
            turns,
            self._quick_install,
            partial(_transfers, request, setting, terminal),
        )
        if parties.statistics is not None:
            stack.enter_context(parties.statistics)
        prober = open_prober(request, transfers, turns)
        stack.callback(prober.close)
        installer = Installer(
            source_of(request, setting.config, setting.cargo_home, transfers, turns, now=now),
            transfers,
            turns,
            targets=targets_of(request),
            overrides=request.overrides,
            policy=request.policy,
            bins=request.bins,
            here=_runs_here(),
            allow_name_mismatch=request.allow_name_mismatch,
            parties=parties,
            prober=prober,
            github_hosts=prober.hosts,
            resolution_seconds=request.resolution_seconds,
            now=now,
        )
        if not request.dry_run:
            recover(setting.folders.bin_dir, terminal)
        self._staging = Staging(setting.folders.bin_dir, dry_run=request.dry_run, progress=terminal)
        staging = stack.enter_context(self._staging)
        plans: list[tuple[CrateSpec, Prepared | Build]] = []
        crew = stack.enter_context(
            Crew(request.crates, turns, at_once=MAX_CRATES_AT_ONCE, interrupt=transfers.close)
        )
        for spec, result in crew.results(lambda each: _prepare(request, setting, installer, staging, each)):
            with self._dealing_with(spec):
                outcome = result()
                if isinstance(outcome, Installed):
                    _already(spec, outcome, terminal, manners)
                else:
                    plans.append((spec, outcome))
        untracked: Untracked = "refuse"
        if plans:
            try:
                untracked = _show_and_ask(request, setting, [plan for _, plan in plans], terminal, manners)
            except Cancelled as error:
                self.refused = error if self.failures and not isinstance(error, Stopped) else None
                raise
        # Packages first: a compiler may take its time, or fail.
        for spec, plan in sorted(plans, key=lambda each: isinstance(each[1], Build)):
            with self._dealing_with(spec):
                if isinstance(plan, Prepared):
                    self._install(plan, setting, staging, untracked, parties)
                else:
                    self._build(plan, setting, staging, parties)
        staging.keep = request.no_cleanup

    def _install(
        self,
        prepared: Prepared,
        setting: _Setting,
        staging: Staging,
        untracked: Untracked,
        parties: Parties,
    ) -> None:
        request, terminal = self._request, self._terminal
        if not request.dry_run:
            _place(setting, staging, prepared, untracked, terminal)
            if parties.statistics is not None and prepared.candidate.party == "third party":
                parties.statistics.report(
                    prepared.found.manifest, prepared.candidate.target, "installed-from-tarball"
                )
        terminal.json_result(install_object(prepared, dry_run=request.dry_run))
        self._manners.installed(prepared)

    def _build(self, plan: Build, setting: _Setting, staging: Staging, parties: Parties) -> None:
        request, terminal = self._request, self._terminal
        if not request.dry_run:
            assert parties.compiling is not None  # noqa: S101
            build(plan, parties.compiling, staging, setting.tracker, json_lines=terminal.json_lines)
        terminal.json_result(build_object(plan, dry_run=request.dry_run))
        self._manners.built(plan)


def _setting(request: InstallRequest) -> _Setting:
    config, cargo_home = read_cargo(request.surroundings)
    folders = install_folders(
        cli_root=request.root,
        cli_install_path=request.install_path,
        config=config,
        cargo_home=cargo_home,
    )
    tracked = folders.tracked and not request.no_track
    return _Setting(config, cargo_home, folders, Tracker(folders.root) if tracked else None)


def targets_of(request: InstallRequest) -> tuple[TargetTriple, ...]:
    """Return the targets of a request, best first: those that were named, else this machine's."""
    if request.targets or request.targets_given:
        return tuple(parse_target(text) for text in request.targets)
    from binstall.formats.host import preferred_targets
    from binstall.machine import detect_host

    return tuple(parse_target(text) for text in preferred_targets(detect_host()))


def _runs_here() -> RunsHere:
    """Return what this machine can start; a machine that is not known can start nothing of its own."""
    from binstall.formats.host import preferred_targets
    from binstall.machine import detect_host, glibc_version

    try:
        targets = frozenset(preferred_targets(detect_host()))
    except BadTarget:
        targets = frozenset()
    return RunsHere(targets, glibc_version())


def _transfers(request: InstallRequest, setting: _Setting, terminal: Terminal) -> Transfers:
    return open_transfers(
        request.surroundings,
        setting.config,
        terminal,
        root_certificates=request.root_certificates,
        allow_insecure_http=request.allow_insecure_http,
        min_tls_version=request.min_tls_version,
        rate_limit=request.rate_limit,
        mirrors=request.mirrors,
        crates=min(len(request.crates), MAX_CRATES_AT_ONCE),
    )


def source_of(
    request: InstallRequest,
    config: CargoConfig,
    cargo_home: Path | None,
    transfers: Transfers,
    terminal: Progress,
    *,
    now: int,
) -> Source:
    """Return where the manifests of a request come from: a path, a repository or a registry."""
    if request.min_age is not None and (request.manifest_path or request.git) is not None:
        terminal.warn("--min-age does nothing: only a registry says when a version was published")
    if request.manifest_path is not None:
        return LocalSource(request.surroundings.working_directory / request.manifest_path)
    rules = partial(
        git_rules,
        config,
        working_directory=request.surroundings.working_directory,
        root_certificates=request.root_certificates,
        allow_insecure_http=request.allow_insecure_http,
        min_tls_version=request.min_tls_version,
    )
    if request.git is not None:
        return open_git(request.git, request.surroundings, transfers, terminal, rules())
    return open_registry(
        config,
        cargo_home,
        transfers,
        terminal,
        index=request.index,
        registry=request.registry,
        rules=rules,
        min_age=request.min_age,
        now=now,
        mirrors=request.mirrors,
    )


def _prepare(
    request: InstallRequest,
    setting: _Setting,
    installer: Installer,
    staging: Staging,
    spec: CrateSpec,
) -> Prepared | Build | Installed:
    """Return what is to be done for a crate, or what is installed and stays; called from several threads."""
    installed = None
    if setting.tracker is not None and not request.force:
        installed = setting.tracker.installed(spec.name)
    if (
        installed is not None
        and spec.requirement is not None
        and is_settled(spec.requirement, installed.version)
    ):
        return installed
    found = installer.find(spec, staging.subfolder("crate"))
    if installed is None and setting.tracker is not None and not request.force:
        installed = setting.tracker.installed(found.manifest.name)  # the registry may spell it otherwise
    if installed is not None and spec.requirement is None and found.manifest.version == installed.version:
        return installed
    return installer.prepare(spec, found, staging.subfolder("package"), staging.install_dir)


def _already(spec: CrateSpec, installed: Installed, terminal: Terminal, manners: Manners) -> None:
    manners.already_installed(spec.name, str(installed.version))
    terminal.json_result(already_object(spec.name, str(installed.version), installed.bins))


def _show_and_ask(
    request: InstallRequest,
    setting: _Setting,
    plans: Sequence[Prepared | Build],
    terminal: Terminal,
    manners: Manners,
) -> Untracked:
    tracking = setting.tracker.read() if setting.tracker is not None else None
    obstacles: list[InTheWay] = []
    for plan in plans:
        if isinstance(plan, Build):
            manners.show_build(plan)
            continue
        manners.show(plan)
        names = [placement.destination.name for placement in plan.plan.placements]
        obstacles += in_the_way(setting.folders.bin_dir, names, plan.found.manifest.name, tracking)
    if request.dry_run:
        for obstacle in obstacles:
            terminal.warn(str(obstacle))
        return "refuse"
    note = path_note(request, setting.folders.bin_dir)
    if note is not None:
        terminal.stage(note)
    ready = [plan for plan in plans if isinstance(plan, Prepared)]
    builds = [plan for plan in plans if isinstance(plan, Build)]
    return manners.ask(ready, builds, obstacles)


def path_note(request: InstallRequest, bin_dir: Path) -> str | None:
    """Return the line that puts `bin_dir` on PATH, or None where it is."""
    folders = request.surroundings.environment.get("PATH", "").split(os.pathsep)
    if any(folder and os.path.realpath(folder) == os.path.realpath(bin_dir) for folder in folders):
        return None
    words = str(bin_dir)
    if not words.isprintable() or '"' in words:
        return f"{bin_dir} is not on PATH"
    line = f'setx PATH "{words};%PATH%"' if os.name == "nt" else f'export PATH={shlex.quote(words)}:"$PATH"'
    return f"{bin_dir} is not on PATH; this line adds it: {line}"


def _place(
    setting: _Setting, staging: Staging, prepared: Prepared, untracked: Untracked, terminal: Terminal
) -> None:
    update = None
    if setting.tracker is not None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        crate = InstalledCrate(
            name=prepared.found.manifest.name,
            version_req=prepared.found.version_requirement_text,
            version=prepared.found.manifest.version,
            source=prepared.found.source,
            target=prepared.candidate.target.text,
            bins=(),
            evidence=prepared.evidence(installed_at=now),
        )
        update = TrackingUpdate(setting.tracker, crate, prepared.plan.binaries)
    name = prepared.found.manifest.name
    commit(staging, prepared.plan.placements, update, crate=name, untracked=untracked, progress=terminal)
