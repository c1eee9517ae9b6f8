"""One run of an install: everything that the request names, opened, used in order, and closed.

    configuration → folders → registry or path        what is asked, and where it goes
    for each crate, by name: find, skip or prepare     nothing outside a staging folder is touched
    the plan is shown; a question, if one is due
    for each crate: one transaction                    files and records

Both command lines and the demo come through `run_install`; what differs between them is their `Manners`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from binstall.cli.connect import git_rules, open_git, open_registry, open_transfers, read_cargo
from binstall.cli.discovery_options import open_prober
from binstall.cli.parties import QuickInstallMaker, build, parties_of
from binstall.cli.report import already_object, build_object, failure_object, install_object
from binstall.cli.request import InstallRequest
from binstall.cli.terminal import Terminal
from binstall.errors import BinstallError, Cancelled
from binstall.formats.cargo_config import CargoConfig
from binstall.formats.target import TargetTriple, parse_target
from binstall.formats.tracking import Installed, InstalledCrate
from binstall.formats.version import CrateSpec, is_settled
from binstall.install.compile import Build
from binstall.install.installer import Installer, LocalSource, Prepared, Source
from binstall.install.recovery import recover
from binstall.install.signals import despite_signals
from binstall.install.staging import Staging
from binstall.install.tracker import Tracker
from binstall.install.transaction import InTheWay, TrackingUpdate, Untracked, commit, in_the_way
from binstall.net.transfers import Transfers
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
        if run.current is not None and len(request.crates) > 1:
            error.about(str(run.current))
        terminal.json_result(failure_object(error, run.current))
        terminal.error(error)
        return error.exit_code
    return 0


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

    def leave(self) -> None:
        """Remove the private folder, wherever the run was interrupted."""
        if self._staging is not None:
            self._staging.__exit__(None, None, None)

    def install(self, stack: contextlib.ExitStack) -> None:
        """Do everything; what is opened is closed by `stack`."""
        request, terminal, manners = self._request, self._terminal, self._manners
        setting = _setting(request)
        transfers = stack.enter_context(_transfers(request, setting, terminal))
        parties = parties_of(
            request,
            setting.config,
            setting.cargo_home,
            setting.folders,
            transfers,
            terminal,
            self._quick_install,
        )
        if parties.statistics is not None:
            stack.callback(parties.statistics.finish)
        prober = open_prober(request, transfers, terminal)
        stack.callback(prober.close)
        installer = Installer(
            _source(request, setting, transfers, terminal),
            transfers,
            terminal,
            targets=_targets(request),
            overrides=request.overrides,
            policy=request.policy,
            bins=request.bins,
            allow_name_mismatch=request.allow_name_mismatch,
            parties=parties,
            prober=prober,
            github_hosts=prober.hosts,
            resolution_seconds=request.resolution_seconds,
        )
        if not request.dry_run:
            recover(setting.folders.bin_dir, terminal)
        self._staging = Staging(setting.folders.bin_dir, dry_run=request.dry_run, progress=terminal)
        staging = stack.enter_context(self._staging)
        ready: list[Prepared] = []
        builds: list[Build] = []
        for spec in request.crates:
            self.current = spec
            prepared = _prepare(request, setting, installer, staging, spec, terminal, manners)
            if isinstance(prepared, Build):
                builds.append(prepared)
            elif prepared is not None:
                ready.append(prepared)
        self.current = None
        untracked: Untracked = "refuse"
        if ready or builds:
            untracked = _show_and_ask(request, setting, ready, builds, terminal, manners)
        for prepared in ready:
            self.current = prepared.spec
            if not request.dry_run:
                _place(setting, staging, prepared, untracked, terminal)
                if parties.statistics is not None and prepared.candidate.party == "third party":
                    parties.statistics.report(
                        prepared.found.manifest, prepared.candidate.target, "installed-from-tarball"
                    )
            terminal.json_result(install_object(prepared, dry_run=request.dry_run))
            manners.installed(prepared)
        for plan in builds:
            self.current = CrateSpec(plan.found.manifest.name, None)
            if not request.dry_run:
                assert parties.compiling is not None  # noqa: S101
                build(plan, parties.compiling, staging, setting.tracker, json_lines=terminal.json_lines)
            terminal.json_result(build_object(plan, dry_run=request.dry_run))
            manners.built(plan)
        staging.keep = request.no_cleanup


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


def _targets(request: InstallRequest) -> tuple[TargetTriple, ...]:
    if request.targets or request.targets_given:
        return tuple(parse_target(text) for text in request.targets)
    from binstall.formats.host import preferred_targets
    from binstall.machine import detect_host

    return tuple(parse_target(text) for text in preferred_targets(detect_host()))


def _transfers(request: InstallRequest, setting: _Setting, terminal: Terminal) -> Transfers:
    return open_transfers(
        request.surroundings,
        setting.config,
        terminal,
        root_certificates=request.root_certificates,
        allow_insecure_http=request.allow_insecure_http,
        min_tls_version=request.min_tls_version,
        rate_limit=request.rate_limit,
    )


def _source(request: InstallRequest, setting: _Setting, transfers: Transfers, terminal: Terminal) -> Source:
    if request.manifest_path is not None:
        return LocalSource(request.surroundings.working_directory / request.manifest_path)
    rules = partial(
        git_rules,
        setting.config,
        working_directory=request.surroundings.working_directory,
        root_certificates=request.root_certificates,
        allow_insecure_http=request.allow_insecure_http,
        min_tls_version=request.min_tls_version,
    )
    if request.git is not None:
        return open_git(request.git, request.surroundings, transfers, terminal, rules())
    return open_registry(
        setting.config,
        setting.cargo_home,
        transfers,
        terminal,
        index=request.index,
        registry=request.registry,
        rules=rules,
    )


def _prepare(
    request: InstallRequest,
    setting: _Setting,
    installer: Installer,
    staging: Staging,
    spec: CrateSpec,
    terminal: Terminal,
    manners: Manners,
) -> Prepared | Build | None:
    installed = None
    if setting.tracker is not None and not request.force:
        installed = setting.tracker.installed(spec.name)
    if (
        installed is not None
        and spec.requirement is not None
        and is_settled(spec.requirement, installed.version)
    ):
        _already(spec, installed, terminal, manners)
        return None
    found = installer.find(spec, staging.subfolder("crate"))
    if installed is not None and spec.requirement is None and found.manifest.version == installed.version:
        _already(spec, installed, terminal, manners)
        return None
    return installer.prepare(spec, found, staging.subfolder("package"), staging.install_dir)


def _already(spec: CrateSpec, installed: Installed, terminal: Terminal, manners: Manners) -> None:
    manners.already_installed(spec.name, str(installed.version))
    terminal.json_result(already_object(spec.name, str(installed.version), installed.bins))


def _show_and_ask(
    request: InstallRequest,
    setting: _Setting,
    ready: Sequence[Prepared],
    builds: Sequence[Build],
    terminal: Terminal,
    manners: Manners,
) -> Untracked:
    tracking = setting.tracker.read() if setting.tracker is not None else None
    obstacles: list[InTheWay] = []
    for prepared in ready:
        manners.show(prepared)
        names = [placement.destination.name for placement in prepared.plan.placements]
        obstacles += in_the_way(setting.folders.bin_dir, names, prepared.found.manifest.name, tracking)
    for plan in builds:
        manners.show_build(plan)
    if request.dry_run:
        for obstacle in obstacles:
            terminal.warn(str(obstacle))
        return "refuse"
    note = path_note(request, setting.folders.bin_dir)
    if note is not None:
        terminal.stage(note)
    return manners.ask(ready, builds, obstacles)


def path_note(request: InstallRequest, bin_dir: Path) -> str | None:
    """Return the line that puts `bin_dir` on PATH, or None where it is."""
    folders = request.surroundings.environment.get("PATH", "").split(os.pathsep)
    if any(folder and os.path.realpath(folder) == os.path.realpath(bin_dir) for folder in folders):
        return None
    line = f'setx PATH "{bin_dir};%PATH%"' if os.name == "nt" else f'export PATH="{bin_dir}:$PATH"'
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
