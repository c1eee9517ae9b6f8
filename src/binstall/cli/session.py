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
from pathlib import Path
from typing import Protocol

from binstall.cli.connect import open_registry, open_transfers, read_cargo
from binstall.cli.report import already_object, failure_object, install_object
from binstall.cli.request import InstallRequest
from binstall.cli.terminal import Terminal
from binstall.errors import BinstallError
from binstall.formats.cargo_config import CargoConfig
from binstall.formats.target import TargetTriple, parse_target
from binstall.formats.tracking import Installed, InstalledCrate
from binstall.formats.version import CrateSpec, is_settled
from binstall.install.installer import Installer, LocalSource, Prepared, Source
from binstall.install.recovery import recover
from binstall.install.staging import Staging
from binstall.install.tracker import Tracker
from binstall.install.transaction import InTheWay, TrackingUpdate, Untracked, commit, in_the_way
from binstall.net.transfers import Transfers
from binstall.registry.cargo_home import InstallFolders, install_folders


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

    def ask(self, ready: Sequence[Prepared], obstacles: Sequence[InTheWay]) -> Untracked:
        """Ask what has to be asked; return what happens to files that nobody tracks.

        Raises:
            Cancelled: the answer is no.
        """

    def installed(self, prepared: Prepared) -> None:
        """Tell the result: placed, or, in a dry run, what would have been."""


def run_install(request: InstallRequest, terminal: Terminal, manners: Manners) -> int:
    """Install what `request` names; print results and errors on `terminal`; return the exit code."""
    current: CrateSpec | None = None
    try:
        setting = _setting(request)
        with contextlib.ExitStack() as stack:
            transfers = stack.enter_context(_transfers(request, setting, terminal))
            installer = Installer(
                _source(request, setting, transfers, terminal),
                transfers,
                terminal,
                targets=_targets(request),
                overrides=request.overrides,
                policy=request.policy,
                bins=request.bins,
                allow_name_mismatch=request.allow_name_mismatch,
            )
            if not request.dry_run:
                recover(setting.folders.bin_dir, terminal)
            staging = stack.enter_context(
                Staging(setting.folders.bin_dir, dry_run=request.dry_run, progress=terminal)
            )
            ready: list[Prepared] = []
            for current in request.crates:
                prepared = _prepare(request, setting, installer, staging, current, terminal, manners)
                if prepared is not None:
                    ready.append(prepared)
            current = None
            untracked = _show_and_ask(request, setting, ready, terminal, manners) if ready else "refuse"
            for prepared in ready:
                current = prepared.spec
                if not request.dry_run:
                    _place(setting, staging, prepared, untracked, terminal)
                terminal.json_result(install_object(prepared, dry_run=request.dry_run))
                manners.installed(prepared)
        return 0
    except BinstallError as error:
        if current is not None and len(request.crates) > 1:
            error.about(str(current))
        terminal.json_result(failure_object(error, current))
        terminal.error(error)
        return error.exit_code


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
    if request.targets:
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
    )


def _source(request: InstallRequest, setting: _Setting, transfers: Transfers, terminal: Terminal) -> Source:
    if request.manifest_path is not None:
        return LocalSource(request.surroundings.working_directory / request.manifest_path)
    return open_registry(setting.config, setting.cargo_home, transfers, terminal, index=request.index)


def _prepare(
    request: InstallRequest,
    setting: _Setting,
    installer: Installer,
    staging: Staging,
    spec: CrateSpec,
    terminal: Terminal,
    manners: Manners,
) -> Prepared | None:
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
    terminal: Terminal,
    manners: Manners,
) -> Untracked:
    tracking = setting.tracker.read() if setting.tracker is not None else None
    obstacles: list[InTheWay] = []
    for prepared in ready:
        manners.show(prepared)
        names = [placement.destination.name for placement in prepared.plan.placements]
        obstacles += in_the_way(setting.folders.bin_dir, names, prepared.found.manifest.name, tracking)
    if request.dry_run:
        for obstacle in obstacles:
            terminal.warn(str(obstacle))
        return "refuse"
    note = path_note(request, setting.folders.bin_dir)
    if note is not None:
        terminal.stage(note)
    return manners.ask(ready, obstacles)


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
