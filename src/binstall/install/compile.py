"""The last strategy: `cargo install`, with the source that was resolved here and none of our secrets.

    cargo install NAME --version VERSION [--registry R | --index I] [--target T] [--quiet] [--force]
                  [--locked] --root ROOT [--no-track] [--bin B]…
    cargo install NAME --git URL --rev COMMIT …        where the source is a git repository
    cargo install NAME --path FOLDER …                 where it is a folder

cargo compares the `.crate` with the checksum of the index by itself; VERSION is the exact version whose
checksum held here. cargo has no secret of ours in its environment (`binstall.children`), since build scripts
inherit it: a registry's token comes from cargo's credentials file or provider. It starts in cargo's home,
because a `rust-toolchain.toml` in or above the working directory could name any program for cargo. It runs
in a process group of its own, which ends when this program ends on an error or a signal. cargo takes its
lock on the tracking files, which nobody holds here at that time.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from binstall.children import child_environment, find_program
from binstall.errors import CompileElsewhere, CompileFailed, LocalManifestError, NoTarget
from binstall.formats.crate_source import SourceKind
from binstall.install.signals import deferred_signals, despite_signals
from binstall.limits import CHILD_END_SECONDS
from binstall.registry.found import FoundCrate
from binstall.registry.local import open_local
from binstall.registry.packages import MANIFEST

_FOLDER_VARIABLES: Final = (
    "CARGO_HOME",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_BUILD_BUILD_DIR",
    "CARGO_HTTP_CAINFO",
    "RUSTUP_HOME",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
"""Paths; a relative one starts at our working directory, where cargo does not run."""
_JOBSERVER: Final = re.compile(r"--jobserver-(?:auth|fds)=(\d{1,6}),(\d{1,6})")
_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """What the command line says about a build from source; the same for every crate of a run."""

    root: Path
    """Absolute."""
    environment: Mapping[str, str]
    working_directory: Path
    cargo_home: Path | None
    registry: str | None = None
    """A registry's name in cargo's configuration, other than `crates-io`; None where `index` is given."""
    index: str | None = None
    """As `--index` has it."""
    git: str | None = None
    """A URL that cargo understands, where the source is a git repository."""
    manifest_path: Path | None = None
    """Absolute, where the source is a folder."""
    targets: tuple[str, ...] | None = None
    """Those that were given; None where they were detected."""
    bins: tuple[str, ...] = ()
    quiet: bool = False
    force: bool = False
    locked: bool = False
    track: bool = True
    install_path: Path | None = None
    """A folder of the user's own, into which cargo cannot install."""


@dataclass(frozen=True, slots=True)
class Build:
    """A crate that will be built; nothing has been started."""

    found: FoundCrate
    arguments: tuple[str, ...]
    """After the name of cargo's executable: `install`, …"""
    why: str
    """Why there is no package, as half a sentence."""

    def command_line(self) -> str:
        """Return the command as a shell would take it."""
        return shlex.join(("cargo", *self.arguments))


def plan_build(found: FoundCrate, options: CompileOptions, why: str) -> Build:
    """Return the command that builds `found`.

    Raises:
        CompileElsewhere: it would have to go where cargo cannot install.
        NoTarget: the list of targets that was given is empty.
        LocalManifestError: the manifest is not one that cargo builds.
    """
    name = found.manifest.name
    if options.targets == ():
        raise NoTarget(
            f"{name} would have to be built from source, and the list of targets is empty",
            hint="name a target with --targets, or take `targets` out of the settings",
        )
    if options.install_path is not None:
        raise CompileElsewhere(
            f"{name} would have to be built from source, and cargo cannot install into {options.install_path}",
            hint="use --root, or --disable-strategies compile",
        )
    words = ["install", name]
    words += _source(found, options)
    if options.targets is not None:
        words += ["--target", options.targets[0]]
    words += ["--quiet"] * options.quiet + ["--force"] * options.force + ["--locked"] * options.locked
    words += ["--root", str(options.root)]
    words += ["--no-track"] * (not options.track)
    for binary in sorted(set(options.bins)):
        words += ["--bin", binary]
    return Build(found, tuple(words), why)


def _source(found: FoundCrate, options: CompileOptions) -> list[str]:
    kind = found.source.kind
    if kind is SourceKind.GIT:
        address, _, commit = found.source.url.rpartition("#")
        return ["--git", options.git or address, "--rev", commit]
    if kind is SourceKind.PATH:
        assert options.manifest_path is not None  # noqa: S101
        manifest = open_local(options.manifest_path, found.manifest.name).manifest_path
        if manifest.name != MANIFEST:
            raise LocalManifestError(
                f"cargo builds only what a {MANIFEST} describes, and this is {manifest}",
                hint="--disable-strategies compile",
            )
        return ["--path", str(manifest.parent)]
    words = ["--version", str(found.manifest.version)]
    if options.index is not None:
        return [*words, "--index", options.index]
    return [*words, "--registry", options.registry] if options.registry is not None else words


def run_build(
    build: Build, options: CompileOptions, temporary: Path, *, output: IO[str] | None = None
) -> None:
    """Build and install; cargo's own temporary files go into `temporary`, a folder that we remove.

    What cargo prints goes where ours goes, its standard output to `output` if that is given.

    Raises:
        CompileFailed: cargo cannot be started, or failed.
    """
    name = build.found.manifest.name
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    before = _half_installed(options.root)
    process: subprocess.Popen[bytes] | None = None

    def end() -> None:
        if process is not None and process.poll() is None:
            _end(process)
            for folder in _half_installed(options.root) - before:
                shutil.rmtree(folder, ignore_errors=True)

    try:
        with deferred_signals():
            process = _start(build, options, temporary, output)
        # Short waits: Windows delivers Ctrl-C between two of them only.
        while process.poll() is None:
            time.sleep(_POLL_SECONDS)
    except OSError as error:
        raise CompileFailed(
            f"{name} cannot be built: {error.filename or 'cargo'}: {error.strerror or error}",
            hint="install Rust from https://rustup.rs, or pass --disable-strategies compile",
        ) from error
    finally:
        despite_signals(end)
    if process.returncode != 0:
        raise CompileFailed(
            f"`cargo install` of {name} {build.found.manifest.version} failed: exit code {process.returncode}",
            hint=f"cargo told why above; the command was {build.command_line()}",
        )


def _start(
    build: Build, options: CompileOptions, temporary: Path, output: IO[str] | None
) -> subprocess.Popen[bytes]:
    environment = options.environment
    named = environment.get("CARGO") or "cargo"
    cargo = find_program(named, environment)
    if Path(named).name != named:
        cargo = options.working_directory / named
    if cargo is None:
        raise FileNotFoundError(0, "there is no such program on PATH", named)
    folder = options.cargo_home
    return subprocess.Popen(  # noqa: S603 - a list, and cargo is the user's own
        [cargo, *build.arguments],
        cwd=folder if folder is not None and folder.is_dir() else Path(os.sep).absolute(),
        env=build_environment(environment, options.working_directory, temporary),
        stdin=subprocess.DEVNULL,
        stdout=output,
        pass_fds=_jobserver(environment),
        process_group=None if os.name == "nt" else 0,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End cargo and what it has started."""
    if sys.platform == "win32":
        process.kill()
        process.wait()
        return
    # The group lives on while any of its processes does, so its number is nobody else's.
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(CHILD_END_SECONDS)


def _half_installed(root: Path) -> frozenset[Path]:
    """Return the folders in which cargo gathers binaries before it moves them; a killed one leaves them."""
    return frozenset(path for path in (root / "bin").glob("cargo-install??????") if path.is_dir())


def build_environment(
    environment: Mapping[str, str], working_directory: Path, temporary: Path
) -> dict[str, str]:
    """Return what cargo and the build scripts that it starts find in their environment."""
    clean = child_environment(environment)
    for name in _FOLDER_VARIABLES:
        if clean.get(name):
            clean[name] = str(working_directory / clean[name])
    return clean | dict.fromkeys(("TEMP", "TMP") if os.name == "nt" else ("TMPDIR",), str(temporary))


def _jobserver(environment: Mapping[str, str]) -> tuple[int, ...]:
    """Return the open descriptors by which an outer build shares its job slots; they must be inherited."""
    if os.name == "nt":
        return ()
    found: set[int] = set()
    for name in ("CARGO_MAKEFLAGS", "MAKEFLAGS", "MFLAGS"):
        for pair in _JOBSERVER.findall(environment.get(name, "")):
            for fd in map(int, pair):
                with contextlib.suppress(OSError, OverflowError):
                    os.fstat(fd)
                    found.add(fd)
    return tuple(sorted(found))
