"""What every registry answers with: a manifest, where it came from, and how far that may be believed."""

from __future__ import annotations

from dataclasses import dataclass

from binstall.formats.crate_source import CrateSource, SourceKind
from binstall.formats.manifest import Manifest

__all__ = ["CrateSource", "FoundCrate", "SourceKind"]


@dataclass(frozen=True, slots=True)
class FoundCrate:
    """One crate version, chosen and read."""

    manifest: Manifest
    source: CrateSource
    """As it is recorded: not necessarily the URL that was asked."""
    version_requirement_text: str
    """What was asked for, in requirement form: `*`, `=1.2.3`, `^0.12`."""
    checksum: bytes | None
    """SHA-256 of the `.crate`, 32 bytes, checked; None for a manifest on disk."""
    trusted_transport: bool
    """False where the manifest came over plain http from another machine: its key proves nothing."""
    published: int | None = None
    """When the registry says that it was published, in seconds since 1970; None where it does not say."""
