"""The main path: from a crate's name to binaries in place.

    find      registry or manifest path      → FoundCrate
    search    manifest × targets             → Candidates, in order
    obtain    package and signature together → VerifiedFile
    unpack    wanted binaries only           → Extraction
    plan      names and destinations         → Prepared: all that is known before anything is placed
    place     one transaction                → files and records in place

`prepare` does all but the last and touches nothing outside its staging folder, so a dry run is a run that
stops there, and a question to the user stands exactly between the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from binstall.archive.archive import extract
from binstall.artifact import Download, VerifiedFile
from binstall.errors import (
    Absent,
    BadSignature,
    MissingSignature,
    RemoteError,
    SignatureUnavailable,
    TooLarge,
    TrustError,
)
from binstall.formats.manifest import CliOverrides, Manifest, SigningConfig
from binstall.formats.target import TargetTriple
from binstall.formats.tracking import InstallEvidence
from binstall.formats.url import host_of
from binstall.formats.version import CrateSpec
from binstall.install.layout import InstallPlan, plan_layout
from binstall.limits import MAX_PACKAGE_BYTES, MAX_SIGNATURE_BYTES
from binstall.net.transfers import Transfers, wait
from binstall.progress import Progress
from binstall.registry.found import FoundCrate
from binstall.registry.local import find_local
from binstall.resolve.candidates import Candidate, candidates_for
from binstall.resolve.resolver import Search, is_plain_refusal
from binstall.signing.binding import Expected, asset_name
from binstall.signing.verifier import (
    SignaturePolicy,
    Verifier,
    Verify,
    decide,
    needed_digests,
    new_verifier,
    verify,
)
from binstall.text import without_secrets


class Source(Protocol):
    """Where manifests come from: a registry, a path."""

    def find(self, spec: CrateSpec, staging: Path) -> FoundCrate:
        """Return the crate that `spec` names; files that are needed on the way go into `staging`."""


@dataclass(frozen=True, slots=True)
class LocalSource:
    """The `Cargo.toml` of `--manifest-path`, or the workspace around it."""

    path: Path

    def find(self, spec: CrateSpec, staging: Path) -> FoundCrate:
        """Return the package of that name; raises as `registry.local.find_local`."""
        del staging
        return find_local(self.path, spec.name, spec.requirement)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A crate whose package is verified and unpacked; nothing of it is in place yet."""

    spec: CrateSpec
    found: FoundCrate
    candidate: Candidate
    package: VerifiedFile
    plan: InstallPlan

    def evidence(self, *, installed_at: str) -> InstallEvidence:
        """Return what is recorded of how this package was judged."""
        proved = self.package.evidence
        return InstallEvidence(
            verdict=proved.verdict,
            algorithm=proved.algorithm,
            key_id=proved.key_id,
            public_key=proved.public_key,
            trusted_comment=proved.trusted_comment,
            package_url=without_secrets(self.candidate.url),
            sha256=self.package.download.digest("sha256").hex(),
            installed_at=installed_at,
        )


class Installer:
    """Turns crate specs into verified, unpacked packages, one after another."""

    def __init__(
        self,
        source: Source,
        transfers: Transfers,
        progress: Progress,
        *,
        targets: tuple[TargetTriple, ...],
        overrides: CliOverrides,
        policy: SignaturePolicy,
        bins: tuple[str, ...] = (),
        allow_name_mismatch: frozenset[str] = frozenset(),
    ) -> None:
        self._source = source
        self._transfers = transfers
        self._progress = progress
        self._targets = targets
        self._overrides = overrides
        self._policy = policy
        self._bins = bins
        self._allow_name_mismatch = allow_name_mismatch

    def find(self, spec: CrateSpec, staging: Path) -> FoundCrate:
        """Return the manifest that `spec` leads to, and tell what it declares."""
        found = self._source.find(spec, staging)
        manifest = found.manifest
        for warning in manifest.warnings:
            self._progress.warn(warning)
        if found.checksum is not None:
            self._progress.stage(
                f"{manifest.name} {manifest.version}: the .crate has that SHA-256, its manifest is read"
            )
        else:
            self._progress.stage(
                f"{manifest.name} {manifest.version}: manifest from {without_secrets(found.source.url)}"
            )
        return found

    def prepare(self, spec: CrateSpec, found: FoundCrate, staging: Path, install_folder: Path) -> Prepared:
        """Find, fetch, verify and unpack the package; everything written goes into `staging`.

        Raises:
            TrustError: the package is not what its publisher signed. Final.
            BinstallError: everything else that the floors below document.
        """
        candidate, package = self._obtain(found, staging)
        manifest = found.manifest
        layout = plan_layout(
            manifest.binaries,
            only=self._bins,
            target=candidate.target,
            package_format=candidate.format,
            bin_dir=candidate.meta.bin_dir,
            values={**candidate.values, **({"repo": manifest.repository} if manifest.repository else {})},
        )
        extraction = extract(package, candidate.format, layout.wanted, staging)
        plan = layout.settle(extraction, install_folder)
        for warning in plan.warnings:
            self._progress.warn(warning)
        names = ", ".join(placement.destination.name for placement in plan.placements)
        self._progress.stage(f"unpacked {names}")
        return Prepared(spec, found, candidate, package, plan)

    def _obtain(self, found: FoundCrate, staging: Path) -> tuple[Candidate, VerifiedFile]:
        manifest = found.manifest
        search = Search(manifest.name, self._candidates(manifest), self._transfers, self._progress)
        for candidate in search.existing():
            try:
                return candidate, self._download_and_verify(found, candidate, staging)
            except RemoteError as error:
                search.passed_over(candidate, error)
        raise search.failure()

    def _candidates(self, manifest: Manifest) -> Iterator[tuple[Candidate, ...]]:
        skip = self._policy is SignaturePolicy.SKIP
        warned: set[str] = set()
        for target in self._targets:
            candidates = candidates_for(manifest, target, self._overrides, skip_signatures=skip)
            for warning in (w for candidate in candidates[:1] for w in candidate.meta.warnings):
                if warning not in warned:
                    warned.add(warning)
                    self._progress.warn(warning)
            yield candidates

    def _download_and_verify(self, found: FoundCrate, candidate: Candidate, staging: Path) -> VerifiedFile:
        """Fetch package and signature together; refuse as soon as the signature is known to be wrong.

        Raises RemoteError where the *package* could not be had: only that may lead to another candidate.
        """
        decision = decide(self._policy, candidate.meta.signing, key_is_authentic=found.trusted_transport)
        name = asset_name(candidate.url)
        digests = (
            needed_digests(decision.signing.algorithm) if isinstance(decision, Verify) else ("sha256",)
        )
        key = f", to be signed by {_key_words(decision.signing)}" if isinstance(decision, Verify) else ""
        self._progress.stage(f"fetching {without_secrets(candidate.url)}{key}")
        package = self._transfers.download(
            candidate.url, staging, digests=digests, limit=MAX_PACKAGE_BYTES, what=name
        )
        if not isinstance(decision, Verify):
            return self._judge(package, decision, candidate)
        assert candidate.signature_url is not None  # noqa: S101
        signature = self._transfers.fetch(
            candidate.signature_url, limit=MAX_SIGNATURE_BYTES, what=f"the signature of {name}"
        )
        try:
            verifier = self._signature_verifier(found, candidate, decision.signing, signature, name)
        except TrustError as error:
            package.cancel()
            self._insist_that_it_is_there(candidate, error)
            raise error.about(without_secrets(candidate.url)) from error.__cause__
        return self._judge(package, verifier, candidate)

    def _insist_that_it_is_there(self, candidate: Candidate, refusal: TrustError) -> None:
        """Let a refusal stand only for a package that exists: an absent one is passed over, whatever
        lies where its signature would be."""
        try:
            wait(self._transfers.exists(candidate.url))
        except Absent:
            raise
        except RemoteError as error:
            if not is_plain_refusal(error):
                raise refusal from error
            raise

    def _signature_verifier(
        self,
        found: FoundCrate,
        candidate: Candidate,
        signing: SigningConfig,
        signature: Future[bytes],
        name: str,
    ) -> Verifier:
        manifest = found.manifest
        url = without_secrets(candidate.signature_url or "")
        try:
            text = wait(signature)
        except Absent as error:
            raise MissingSignature(
                f"{manifest.name} {manifest.version} declares a signature, and there is none at {url}",
                hint="the publisher may still be uploading; a package is never installed without it",
            ) from error
        except TooLarge as error:
            raise BadSignature(
                f"the signature of {manifest.name} {manifest.version} at {url} is no signature: {error.message}"
            ) from error
        except RemoteError as error:
            raise SignatureUnavailable(
                f"the signature of {manifest.name} {manifest.version} cannot be fetched: {error.message}"
            ) from error
        expected = Expected(
            file_name=name,
            crate=manifest.name,
            version=str(manifest.version),
            target=candidate.target.text,
        )
        return new_verifier(
            signing.algorithm,
            signing.pubkey,
            text,
            expected,
            allow_name_mismatch=manifest.name in self._allow_name_mismatch,
        )

    def _judge(self, package: Future[Download], verifier: Verifier, candidate: Candidate) -> VerifiedFile:
        download = wait(package)
        try:
            verified = verify(download, verifier)
        except TrustError as error:
            raise error.about(without_secrets(candidate.url)) from error.__cause__
        evidence = verified.evidence
        for warning in evidence.warnings:
            self._progress.warn(warning)
        size = f"{verified.download.size} bytes from {host_of(candidate.url)}"
        if evidence.verdict == "verified":
            self._progress.stage(f"verified {size}: signed by key {evidence.key_id}")
        else:
            self._progress.stage(f"downloaded {size}: {evidence.verdict}")
        return verified


def _key_words(signing: SigningConfig) -> str:
    lines = signing.pubkey.split()
    return f"{signing.algorithm} key {lines[-1] if lines else '(none)'}"
