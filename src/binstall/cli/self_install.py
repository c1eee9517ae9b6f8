"""`cargo-binstall --self-install`: our launcher as one file, where cargo looks for sub-commands.

The file is a few lines of Python that start this interpreter with this installation, so it may be copied and
renamed, and works as long as the two stay where they are. It is recorded as the crate cargo-binstall, of the
version that `-V` prints, so that `cargo install --list` shows it and `cargo uninstall` takes it away.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Final

from binstall.cli.connect import read_cargo
from binstall.cli.request import Surroundings
from binstall.cli.terminal import Terminal
from binstall.errors import InstallError
from binstall.formats.crate_source import CRATES_IO
from binstall.formats.host import preferred_targets
from binstall.formats.settings_file import SettingsFile
from binstall.formats.tracking import InstalledCrate
from binstall.formats.version import parse_version
from binstall.install.recovery import recover
from binstall.install.staging import Staging
from binstall.install.tracker import Tracker
from binstall.install.transaction import Placement, TrackingUpdate, commit
from binstall.machine import detect_host
from binstall.registry.cargo_home import install_folders

NAME: Final = "cargo-binstall"
_MAX_SHEBANG_BYTES: Final = 127
"""What every kernel reads of a first line, its line end aside."""


def launcher_text(interpreter: str) -> str:
    """Return the launcher, a script for `interpreter`, whose path is absolute.

    `-P` keeps the folder of the script out of the import path: what lies beside it is no module of ours.
    """
    shebang = f"#!{interpreter} -P\n"
    if " " in interpreter or len(shebang.encode()) > _MAX_SHEBANG_BYTES:
        # To a shell the second line starts the interpreter; to Python it is a string.
        quoted = (
            interpreter.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("`", "\\`")
        )
        shebang = f"#!/bin/sh\n'''exec' \"{quoted}\" -P \"$0\" \"$@\"\n' '''\n"
    return (
        f"{shebang}"
        '"""Starts binstall as cargo-binstall; written by `cargo-binstall --self-install`."""\n'
        "import sys\n"
        "from binstall.cli.cargo_binstall import main\n"
        'if __name__ == "__main__":\n'
        "    sys.exit(main())\n"
    )


def self_install(
    options: dict[str, Any],
    around: Surroundings,
    settings: SettingsFile,
    terminal: Terminal,
    *,
    version: str,
) -> None:
    """Place the launcher and record it; no network is used.

    Raises:
        BinstallError: as any install.
    """
    if os.name == "nt":
        raise InstallError(
            "a script cannot be a program on Windows, so there is no launcher of one file",
            hint="`pipx install binstall` or `uv tool install binstall` puts a cargo-binstall.exe on PATH",
        )
    config, cargo_home = read_cargo(around)
    chosen = options["install_path"]
    if chosen is None and settings.install_path is not None:
        chosen = Path(settings.install_path)
    folders = install_folders(
        cli_root=options["root"], cli_install_path=chosen, config=config, cargo_home=cargo_home
    )
    no_track = options["no_track"] if options["no_track"] is not None else not settings.track_installs
    update = None
    if folders.tracked and not no_track:
        crate = InstalledCrate(
            name=NAME,
            version_req="*",
            version=parse_version(version),
            source=CRATES_IO,
            target=preferred_targets(detect_host())[0],
            bins=(),
            evidence=None,
        )
        update = TrackingUpdate(Tracker(folders.root), crate, frozenset({NAME}))
    recover(folders.bin_dir, terminal)
    with Staging(folders.bin_dir, progress=terminal) as staging:
        staged = staging.subfolder("launcher") / NAME
        staged.write_text(launcher_text(sys.executable), "utf-8")
        placement = Placement(staged, staging.install_dir / NAME)
        commit(staging, [placement], update, crate=NAME, untracked="replace", progress=terminal)
    terminal.stage(f"{NAME} => {placement.destination}")
