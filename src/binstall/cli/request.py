"""What the user asked for, after every word of the command line, the environment and the settings.

Both command lines end in one `InstallRequest`; everything below reads it and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from binstall.formats.manifest import CliOverrides
from binstall.formats.mirrors import Mirror
from binstall.formats.publish_age import MinimumAge
from binstall.formats.version import CrateSpec
from binstall.limits import RESOLUTION_TIMEOUT_SECONDS
from binstall.net.pace import RateLimit
from binstall.resolve.strategies import PUBLISHER_ONLY, Strategies, Strategy
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
    targets_given: bool = False
    """The settings give an empty list: there is no target, and none is detected."""
    bins: tuple[str, ...] = ()
    """Empty: all."""
    manifest_path: Path | None = None
    git: str | None = None
    """Of a repository, as it was given."""
    overrides: CliOverrides = NO_OVERRIDES
    index: str | None = None
    registry: str | None = None
    """A name of cargo's configuration; never beside `index`."""
    root: Path | None = None
    install_path: Path | None = None
    root_certificates: tuple[Path, ...] = ()
    allow_insecure_http: bool = False
    min_tls_version: Literal["1.2", "1.3"] = "1.2"
    github_token: str | None = field(default=None, repr=False)
    """Of the command line, for github.com."""
    discover_github_token: bool = True
    """Whether git's and gh's files and programs may be asked for a token."""
    resolution_seconds: float = RESOLUTION_TIMEOUT_SECONDS
    """How long hosts may take to say where the packages for a target are."""
    rate_limit: RateLimit | None = None
    """How fast requests may begin; None: as fast as they can."""
    policy: SignaturePolicy = SignaturePolicy.IF_DECLARED
    allow_name_mismatch: frozenset[str] = frozenset()
    """Crates whose signature may name another file, version or target."""
    min_age: MinimumAge | None = None
    """How old a version must be; None: what cargo's configuration says."""
    mirrors: tuple[Mirror, ...] = ()
    """Hosts that stand in for others."""
    continue_on_failure: bool = False
    """A crate that fails does not keep the others from being installed."""
    dry_run: bool = False
    no_confirm: bool = False
    force: bool = False
    no_track: bool = False
    front: Literal["binstall", "cargo-binstall"] = "binstall"
    """Whose manners: what is asked, and what happens to files that nobody tracks."""
    strategies: Strategies = PUBLISHER_ONLY
    accepted: frozenset[Strategy] = frozenset()
    """Other parties' builds that are not asked about."""
    locked: bool = False
    """For `cargo install`: `Cargo.lock` of the crate holds."""
    silent: bool = False
    """The log level is `off`."""
    no_cleanup: bool = False
    """Leave the private folder behind after a successful run."""
    statistics: bool = False
    """The user consents to telling QuickInstall what is installed."""
