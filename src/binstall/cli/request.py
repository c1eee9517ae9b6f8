"""What the user asked for, after every word of the command line, the environment and the settings.

Both command lines end in one `InstallRequest`; everything below reads it and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from binstall.formats.manifest import CliOverrides
from binstall.formats.version import CrateSpec
from binstall.signing.verifier import SignaturePolicy

NO_OVERRIDES = CliOverrides(None, None, None)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run takes from outside its command line. Made by `main`, or by the demo and tests."""

    environment: Mapping[str, str]
    """All that is read of the process environment."""
    working_directory: Path
    """Relative paths of the command line are meant from here; no file in it is ever read unasked."""
    home: Path | None
    """None where the user has no home directory."""


@dataclass(frozen=True, slots=True)
class InstallRequest:
    """One `install`, in full."""

    crates: tuple[CrateSpec, ...]
    """Sorted by name, one for each name."""
    surroundings: Surroundings
    targets: tuple[str, ...] = ()
    """In order of preference; empty: detected."""
    bins: tuple[str, ...] = ()
    """Empty: all."""
    manifest_path: Path | None = None
    overrides: CliOverrides = NO_OVERRIDES
    index: str | None = None
    root: Path | None = None
    install_path: Path | None = None
    root_certificates: tuple[Path, ...] = ()
    allow_insecure_http: bool = False
    min_tls_version: Literal["1.2", "1.3"] = "1.2"
    policy: SignaturePolicy = SignaturePolicy.IF_DECLARED
    allow_name_mismatch: frozenset[str] = frozenset()
    """Crates whose signature may name another file, version or target."""
    dry_run: bool = False
    no_confirm: bool = False
    force: bool = False
    no_track: bool = False
    front: Literal["binstall", "cargo-binstall"] = "binstall"
    """Whose manners: what is asked, and what happens to files that nobody tracks."""
