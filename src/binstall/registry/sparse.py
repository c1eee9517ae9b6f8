"""A sparse registry: from the name of a crate to its manifest.

    config.json and the crate's index file, asked for together; of an exact version the `.crate` with them,
    where it is known what config.json says or, for crates.io, always has said: only its answer counts
    → the highest version that matches, its SHA-256
    → the `.crate`: downloaded, compared with that SHA-256, and only then opened
    → its `Cargo.toml`, which must be about the crate and version that the index said

The index names the checksum, and through the checksum the manifest, and through that the key of every
package: what the index's transport is worth, all of it is worth. So over plain `http:` from another machine
nothing below can be believed, whatever way the `.crate` takes; and a `.crate` that comes by http from a
place that an index over https names is as good as that index.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from binstall.archive.archive import read_crate
from binstall.artifact import DigestName, Download
from binstall.errors import (
    Absent,
    ArchiveError,
    CrateNotFound,
    NoPackage,
    Refused,
    RegistryError,
    RemoteError,
)
from binstall.formats.index import (
    CrateIndex,
    IndexConfig,
    IndexEntry,
    crate_url,
    index_path,
    newer_than_allowed,
    parse_config_json,
    parse_index,
    select_version,
)
from binstall.formats.manifest import Manifest, parse_manifest
from binstall.formats.publish_age import AgeRule, age_words
from binstall.formats.version import ANY, CrateSpec, Version
from binstall.limits import MAX_CONFIG_JSON_BYTES, MAX_CRATE_BYTES, MAX_INDEX_BYTES
from binstall.net.transfers import Transfers, wait
from binstall.progress import Progress
from binstall.registry.found import FoundCrate
from binstall.registry.place import CRATES_IO_PLACE
from binstall.registry.selection import RegistryChoice
from binstall.signing.digest import Sha256Verifier
from binstall.signing.verifier import verify

_UNAUTHORIZED: Final = 401
_CRATES_IO_CONFIG: Final = b'{"dl": "https://static.crates.io/crates"}'
_UNAVAILABLE_FOR_LEGAL_REASONS: Final = 451


@dataclass(frozen=True, slots=True)
class _Early:
    """A `.crate` that was asked for before the index said that it is wanted."""

    url: str
    headers: Mapping[str, str]
    """The very object, which is replaced when a token turns out to be wanted."""
    under_way: Future[Download]


class SparseRegistry:
    """One registry during one run; may be asked from several threads, `config.json` is fetched once."""

    def __init__(
        self,
        choice: RegistryChoice,
        transfers: Transfers,
        progress: Progress,
        *,
        age: AgeRule | None = None,
    ) -> None:
        """Ask the registry `choice` by way of `transfers`, and find no version that is newer than `age` lets."""
        self._choice = choice
        self._age = age
        self._transfers = transfers
        self._progress = progress
        self._lock = threading.Lock()
        self._config: IndexConfig | None = None
        self._headers: Mapping[str, str] = {}
        """Carries the token, once the registry has said that it wants one."""

    @property
    def words(self) -> str:
        """What messages call the registry."""
        return self._choice.words

    def find(self, spec: CrateSpec, staging: Path) -> FoundCrate:
        """Choose a version, fetch its `.crate` into `staging`, and read its manifest.

        Raises:
            CrateNotFound, NoMatchingVersion: The registry does not have what was asked for.
            ChecksumMismatch: The `.crate` is not the one that the index names.
            RegistryError: The registry gave no usable answer, for whatever reason, or wants a token.
            ManifestError, NoPackage, BadVersion, NoBinaries: The crate's manifest.
            ConfigError, BadRegistryUrl: A token is needed, and cargo's configuration is of no help.
            LocalIOError: `staging` cannot be written.
        """
        early = self._ask_early(spec, staging)
        try:
            config, entry = self._choose(spec)
        except BaseException:
            if early is not None:
                early.under_way.cancel()
            raise
        requirement = spec.requirement if spec.requirement is not None else ANY
        return FoundCrate(
            manifest=self._manifest(config, entry, staging, early),
            source=self._choice.source,
            version_requirement_text=requirement.text,
            checksum=entry.cksum,
            trusted_transport=self._choice.place.is_authentic,
            published=entry.published,
        )

    def _choose(self, spec: CrateSpec) -> tuple[IndexConfig, IndexEntry]:
        """Return the version that is wanted, and tell which it is."""
        config, index = self._look_up(spec.name)
        for sentence in index.skipped:
            self._progress.detail(f"skipped: {sentence}")
        if index.name != spec.name:
            self._progress.detail(f"the registry spells `{spec.name}` as `{index.name}`")
        entry = select_version(index, spec.requirement, self._age)
        self._tell_age(index, spec, entry)
        self._progress.stage(
            f"{entry.name} {entry.version}: listed by {self._choice.words}, "
            f".crate SHA-256 {entry.cksum.hex()}"
        )
        return config, entry

    def _ask_early(self, spec: CrateSpec, staging: Path) -> _Early | None:
        """Begin to download the `.crate` of an exact version, if it can be told where it will be."""
        exact = spec.requirement.exact if spec.requirement is not None else None
        config = self._config
        if config is None and self._choice.place == CRATES_IO_PLACE:
            config = parse_config_json(_CRATES_IO_CONFIG)
        if (
            exact is None
            or config is None
            or self._choice.place.kind != CRATES_IO_PLACE.kind
            or "sha256-checksum" in config.template.keys
        ):
            return None
        entry = IndexEntry(spec.name, exact, bytes(32), yanked=False, pubtime=None)
        try:
            url = crate_url(config, entry)
        except RegistryError:
            return None  # raised again, with the index's words, when the entry is known
        headers = self._headers
        what = f"{entry.name}-{exact}.crate"
        return _Early(url, headers, self._fetch_crate(config, entry, staging, ("sha256",), what))

    def _tell_age(self, index: CrateIndex, spec: CrateSpec, entry: IndexEntry) -> None:
        age = self._age
        if age is None or age.minimum.seconds == 0:
            return
        if entry.published is None:
            self._progress.warn(
                f"{self._choice.words} does not say when {entry.name} {entry.version} was published, so it passes: "
                f"{age.words}"
            )
        newer = newer_than_allowed(index, spec.requirement, entry)
        if newer is not None and newer.published is not None:
            self._progress.stage(
                f"{newer.name} {newer.version} is passed over: published {age_words(age.now - newer.published)}, "
                f"{age.words}"
            )

    def has(self, name: str, version: Version) -> bool:
        """Tell whether a version is published, yanked or not; of an unknown crate, none is.

        Raises:
            RegistryError, ConfigError, BadRegistryUrl: as for `find`; then nobody knows.
        """
        try:
            _, index = self._look_up(name)
        except CrateNotFound:
            return False
        return index.lists(version)

    def _look_up(self, name: str) -> tuple[IndexConfig, CrateIndex]:
        path = index_path(name)
        asked_with = self._headers
        under_way = self._fetch_index(path, name)
        try:
            config = self._get_config()
        except BaseException:
            under_way.cancel()
            raise
        if self._headers is not asked_with:
            under_way.cancel()  # asked before it was known that a token is wanted
            under_way = self._fetch_index(path, name)
        try:
            data = wait(under_way)
        except RemoteError as error:
            if not _is_absent(error):
                raise self._failure(error) from error
            raise CrateNotFound(
                f"there is no crate `{name}` in {self._choice.words}", hint=self._spelling_hint(name)
            ) from error
        return config, parse_index(data, name)

    def _get_config(self) -> IndexConfig:
        with self._lock:
            if self._config is None:
                self._config = self._fetch_config()
            return self._config

    def _fetch_config(self) -> IndexConfig:
        try:
            try:
                data = wait(self._fetch_config_json())
            except Refused as error:
                if error.status != _UNAUTHORIZED:
                    raise
                self._headers = {"authorization": self._choice.authorize(error.challenge)}
                data = wait(self._fetch_config_json())
        except Absent as error:
            raise RegistryError(
                f"{self._choice.words} is no registry: it has no config.json: {error.message}",
                hint="check the URL of the index, which has config.json at its top; "
                "a sparse one is written sparse+https://HOST/PATH/",
            ) from error
        except RemoteError as error:
            raise self._failure(error) from error
        config = parse_config_json(data)
        if config.auth_required and not self._headers:
            self._headers = {"authorization": self._choice.authorize("")}
        return config

    def _fetch_config_json(self) -> Future[bytes]:
        return self._transfers.fetch(
            f"{self._choice.index_url}config.json",
            limit=MAX_CONFIG_JSON_BYTES,
            what="the registry's config.json",
            headers=self._headers,
        )

    def _fetch_index(self, path: str, name: str) -> Future[bytes]:
        return self._transfers.fetch(
            self._choice.index_url + path,
            limit=MAX_INDEX_BYTES,
            what=f"the index of {name}",
            headers=self._headers,
        )

    def _fetch_crate(
        self,
        config: IndexConfig,
        entry: IndexEntry,
        staging: Path,
        digests: tuple[DigestName, ...],
        what: str,
    ) -> Future[Download]:
        return self._transfers.download(
            crate_url(config, entry),
            staging,
            digests=digests,
            limit=MAX_CRATE_BYTES,
            what=what,
            headers=self._headers,
        )

    def _spelling_hint(self, name: str) -> str:
        """Ask for the spellings with only `-` and only `_`, which people mix up."""
        others = {name.replace("_", "-"), name.replace("-", "_")} - {name}
        under_way = [self._fetch_index(index_path(other), other) for other in sorted(others)]
        for future in under_way:
            try:
                index = parse_index(wait(future), name)
            except (RemoteError, RegistryError) as error:
                self._progress.detail(f"another spelling: {error.message}")
                continue
            if index.entries:
                return f"did you mean `{index.name}`?"
        if self._choice.is_crates_io:
            return "check the spelling; https://lib.rs and https://crates.io search all crates"
        return "check the spelling, and whether it is the registry that you mean"

    def _manifest(
        self, config: IndexConfig, entry: IndexEntry, staging: Path, early: _Early | None
    ) -> Manifest:
        name, version = entry.name, str(entry.version)
        what = f"{name}-{version}.crate"
        verifier = Sha256Verifier(entry.cksum, what)
        try:
            if (
                early is not None
                and early.url == crate_url(config, entry)
                and early.headers is self._headers
            ):
                under_way = early.under_way
            else:
                if early is not None:
                    early.under_way.cancel()
                under_way = self._fetch_crate(config, entry, staging, verifier.digest_names, what)
            download = wait(under_way)
        except RemoteError as error:
            raise self._failure(error) from error
        try:
            contents = read_crate(verify(download, verifier), f"{name}-{version}")
        except ArchiveError as error:
            raise RegistryError(
                f"{what}, which has the checksum that the index names, is no crate: {error.message}",
                hint="the registry or the publisher made a mistake; tell them",
            ) from error
        finally:
            download.file.close()
        if contents.manifest is None:
            raise NoPackage(f"{what} has no {name}-{version}/Cargo.toml")
        manifest = parse_manifest(contents.manifest, contents.files, what=f"Cargo.toml of {name} {version}")
        if (manifest.name, manifest.version) != (name, entry.version):
            raise RegistryError(
                f"{what} has a manifest of {manifest.name} {manifest.version}",
                hint="the registry is not consistent; nothing of it was installed",
            )
        return manifest

    def _failure(self, error: RemoteError) -> RegistryError:
        """Turn what the network said into what it means here: there is no other place to look."""
        if isinstance(error, Refused) and error.status == _UNAUTHORIZED:
            if self._headers:
                return RegistryError(
                    f"{self._choice.words} refuses the token that is configured for it: {error.message}",
                    hint="the token may have expired: get a new one and `cargo login`",
                )
            return RegistryError(f"{self._choice.words} requires authentication: {error.message}")
        return RegistryError(f"{self._choice.words} cannot be used: {error.message}", hint=error.hint)


def _is_absent(error: RemoteError) -> bool:
    return isinstance(error, Absent) or (
        isinstance(error, Refused) and error.status == _UNAVAILABLE_FOR_LEGAL_REASONS
    )
