"""Who besides the publisher may provide binaries in this run, and this machine's own builds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from binstall.cli.request import InstallRequest
from binstall.errors import UsageError
from binstall.formats.cargo_config import CargoConfig
from binstall.install.compile import Build, CompileOptions, run_build
from binstall.install.staging import Staging
from binstall.install.tracker import Tracker
from binstall.install.ways import Parties
from binstall.net.transfers import Transfers
from binstall.progress import Progress
from binstall.registry.cargo_home import InstallFolders
from binstall.registry.selection import CRATES_IO_NAME
from binstall.resolve.quickinstall import QuickInstall
from binstall.resolve.statistics import Statistics
from binstall.resolve.strategies import Strategy

QuickInstallMaker = Callable[[Transfers, Progress], QuickInstall]


def parties_of(
    request: InstallRequest,
    config: CargoConfig,
    cargo_home: Path | None,
    folders: InstallFolders,
    transfers: Transfers,
    progress: Progress,
    quick_install: QuickInstallMaker,
    open_more: Callable[[], Transfers] | None = None,
) -> Parties:
    """Return what `request` lets be tried, and what that takes.

    `open_more` gives statistics their transfers; without it there are none.

    Raises:
        UsageError: `--git` is no address.
    """
    order = request.strategies.order
    return Parties(
        strategies=request.strategies,
        front=request.front,
        quick_install=quick_install(transfers, progress) if Strategy.QUICK_INSTALL in order else None,
        compiling=compile_options(request, config, cargo_home, folders)
        if Strategy.COMPILE in order
        else None,
        statistics=Statistics(open_more, progress)
        if open_more is not None and request.statistics and not request.dry_run
        else None,
    )


def compile_options(
    request: InstallRequest, config: CargoConfig, cargo_home: Path | None, folders: InstallFolders
) -> CompileOptions:
    """Return what `cargo install` is told, whatever the crate.

    Raises:
        UsageError: `--git` is no address.
    """
    around = request.surroundings
    here = around.working_directory
    index, registry = request.index, request.registry
    if index is not None and index.startswith("sparse+"):
        index = index.rstrip("/") + "/"  # cargo insists on it
    if index is None and registry is None and config.default_registry is not None:
        registry = config.default_registry.text
    if registry is not None and registry.lower() == CRATES_IO_NAME:
        registry = None
    git = None
    if request.git is not None:
        from binstall.formats.git_url import parse_git_url

        git = parse_git_url(request.git, here, origin="--git", error=UsageError).url
    return CompileOptions(
        root=folders.root,
        environment=around.environment,
        working_directory=here,
        cargo_home=cargo_home,
        registry=registry,
        index=index,
        git=git,
        manifest_path=here / request.manifest_path if request.manifest_path is not None else None,
        targets=request.targets if request.targets or request.targets_given else None,
        bins=request.bins,
        quiet=request.silent,
        force=request.force,
        locked=request.locked,
        track=folders.tracked and not request.no_track,
        install_path=here / request.install_path if request.install_path is not None else None,
    )


def build(
    plan: Build,
    options: CompileOptions,
    staging: Staging,
    tracker: Tracker | None,
    *,
    json_lines: bool,
) -> None:
    """Have cargo build and install, and drop what was recorded of a package that was there before.

    With `json_lines` cargo's standard output goes to our standard error: ours holds nothing but JSON.

    Raises:
        CompileFailed: cargo failed.
        LocalIOError, TrackingError: the records cannot be changed.
    """
    run_build(plan, options, staging.subfolder("build"), output=sys.stderr if json_lines else None)
    if tracker is not None:
        tracker.forget_evidence(plan.found.manifest.name)
