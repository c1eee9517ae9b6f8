"""A registry whose index comes from a mirror of our settings: crates are found, their keys not believed.

A package is judged by its publisher's key, so it does not matter who hands it over. The index is what names
that key, through the checksum of a crate; whoever hands *it* over can name another one. Cargo's `[source]`
replacement says that an index is trusted; a `[[mirror]]` says only that it can be reached.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from binstall.formats.version import CrateSpec, Version
from binstall.progress import Progress
from binstall.registry.found import FoundCrate
from binstall.registry.sparse import SparseRegistry


@dataclass(frozen=True, slots=True)
class MirroredIndex:
    """A sparse registry, asked by way of a mirror."""

    registry: SparseRegistry
    progress: Progress

    @property
    def words(self) -> str:
        """What messages call it."""
        return self.registry.words

    def find(self, spec: CrateSpec, staging: Path) -> FoundCrate:
        """Do what `SparseRegistry.find` does, and warn; what is found counts as read over an open line."""
        found = replace(self.registry.find(spec, staging), trusted_transport=False)
        self.progress.warn(
            f"the index of {self.words} comes from a [[mirror]] of the settings, so a key that {spec.name} "
            "declares proves nothing; [source] replacement in cargo's configuration names an index that is trusted"
        )
        return found

    def has(self, name: str, version: Version) -> bool:
        """Do what `SparseRegistry.has` does."""
        return self.registry.has(name, version)
