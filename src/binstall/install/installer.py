"""The main path: from a crate's name to binaries in place.

    find      registry or manifest path      → FoundCrate
    search    manifest × targets             → Candidates, in order; then, where `resolve.strategies`
                                                allows it, those of a third party, or a build here
    obtain    package and signature together → VerifiedFile
    unpack    wanted binaries only           → Extraction
    plan      names and destinations         → Prepared: all that is known before anything is placed
    place     one transaction                → files and records in place

`prepare` does all but the last and touches nothing outside its staging folder, so a dry run is a run that
stops there, and a question to the user stands exactly between the two.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterable, Sequence
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
from binstall.formats.publish_age import upload_note
from binstall.formats.target import TargetTriple
from binstall.formats.tracking import InstallEvidence
from binstall.formats.url import host_of
from binstall.formats.version import CrateSpec
from binstall.install.compile import Build
from binstall.install.layout import InstallPlan, plan_layout
from binstall.install.runnable import NotRunnable, RunsHere, check_runnable
from binstall.install.ways import Parties, Ways
from binstall.limits import MAX_PACKAGE_BYTES, MAX_SIGNATURE_BYTES, RESOLUTION_TIMEOUT_SECONDS
from binstall.net.transfers import Transfers, wait
from binstall.progress import Progress
from binstall.registry.found import FoundCrate
from binstall.registry.local import find_local
from binstall.resolve.candidates import Candidate
from binstall.resolve.discovery import Discovery
from binstall.resolve.prober import PlainProber, Prober
from binstall.resolve.resolver import Bound, Search, is_plain_refusal
from binstall.resolve.strategies import Strategy
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


Unpack = Callable[[Candidate, VerifiedFile], Prepared]


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
        parties: Parties | None = None,
        here: RunsHere | None = None,
        prober: Prober | None = None,
        github_hosts: Collection[str] = (),
        resolution_seconds: float = RESOLUTION_TIMEOUT_SECONDS,
        now: int | None = None,
    ) -> None:
        """`now`, in seconds since 1970, lets messages tell that a version is very new."""
        self._source = source
        self._transfers = transfers
        self._progress = progress
        self._targets = targets
        self._overrides = overrides
        self._policy = policy
        self._bins = bins
        self._here = here
        self._allow_name_mismatch = allow_name_mismatch
        self._ways = Ways(parties or Parties(), targets=targets, overrides=overrides, policy=policy)
        self._prober = prober or PlainProber(transfers)
        self._github_hosts = github_hosts
        self._resolution_seconds = resolution_seconds
        self._now = now

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

    def prepare(
        self, spec: CrateSpec, found: FoundCrate, staging: Path, install_folder: Path
    ) -> Prepared | Build:
        """Find, fetch, verify and unpack the package; everything written goes into `staging`.

        Where there is no package, and it is allowed, what is returned is the build that takes its place.

        Raises:
            TrustError: the package is not what its publisher signed. Final.
            BinstallError: everything else that the floors below document.
        """

        def unpacked(candidate: Candidate, package: VerifiedFile) -> Prepared:
            return self._unpack(spec, found, candidate, package, staging, install_folder)

        return self._ways.obtain(found, _Seeker(self, found, staging, unpacked))

    def _unpack(
        self,
        spec: CrateSpec,
        found: FoundCrate,
        candidate: Candidate,
        package: VerifiedFile,
        staging: Path,
        install_folder: Path,
    ) -> Prepared:
        manifest = found.manifest
        layout = plan_layout(
            manifest.binaries,
            only=self._bins,
            target=candidate.target,
            package_format=candidate.format,
            bin_dir=candidate.meta.bin_dir,
            values={**candidate.values, **({"repo": manifest.repository} if manifest.repository else {})},
        )
        fresh = Path(tempfile.mkdtemp(prefix="unpacked-", dir=staging))
        extraction = extract(package, candidate.format, layout.wanted, fresh)
        plan = layout.settle(extraction, install_folder)
        warnings = list(plan.warnings)
        if self._here is not None:
            for placement in plan.placements:
                name = placement.destination.name
                doubt = check_runnable(placement.staged, name, candidate.target, self._here)
                warnings += [doubt] if doubt is not None else []
        for warning in warnings:
            self._progress.warn(warning)
        names = ", ".join(placement.destination.name for placement in plan.placements)
        self._progress.stage(f"unpacked {names}")
        return Prepared(spec, found, candidate, package, plan)

    def publisher_search(self, found: FoundCrate) -> Search:
        """Begin a walk over the places where the publisher's packages may be."""
        manifest = found.manifest
        bound = Bound(self._prober, self._resolution_seconds)
        discovery = Discovery(
            manifest,
            self._targets,
            self._overrides,
            bound,
            self._progress,
            skip_signatures=self._policy is SignaturePolicy.SKIP,
            github_hosts=self._github_hosts,
            is_left_out=lambda target: not self._ways.offers(Strategy.CRATE_META_DATA, manifest, target),
        )
        places = discovery.by_target()
        return Search(
            manifest.name,
            places,
            bound,
            self._progress,
            problems=discovery.problems,
            upload_note=upload_note(found.published, self._now),
        )

    def third_party_search(self, manifest: Manifest, by_target: Iterable[Sequence[Candidate]]) -> Search:
        """Begin a walk over places of a third party, each asked for as anybody would."""
        bound = Bound(PlainProber(self._transfers), self._resolution_seconds)
        return Search(manifest.name, by_target, bound, self._progress)

    def take(self, search: Search, found: FoundCrate, staging: Path, unpacked: Unpack) -> Prepared | None:
        """Return the first package of the walk, fetched, verified and unpacked; None if there is none.

        A package whose programs cannot start on this machine leads to the next target's.

        Raises:
            NotRunnable: there are packages, and none of them holds programs that can start here.
            BinstallError: there is one that cannot be used, or nobody can tell.
        """
        useless: NotRunnable | None = None
        for candidate in search.existing():
            try:
                package = self._fetched(found, candidate, staging)
            except RemoteError as error:
                search.passed_over(candidate, error)
                continue
            try:
                return unpacked(candidate, package)
            except NotRunnable as error:
                self._progress.warn(error.message)
                useless = useless or error
        if useless is not None:
            raise useless
        return None

    def _fetched(self, found: FoundCrate, candidate: Candidate, staging: Path) -> VerifiedFile:
        try:
            return self._download_and_verify(found, candidate, staging)
        except RemoteError as error:
            if not self._knows_another_way(candidate, error):
                raise
        return self._download_and_verify(found, candidate, staging)

    def ask(self, candidate: Candidate) -> None:
        """Return if the candidate exists; raise RemoteError if it does not, or nobody can tell."""
        try:
            wait(self._prober.exists(candidate.url))
        except RemoteError as error:
            if not self._knows_another_way(candidate, error):
                raise

    def _knows_another_way(self, candidate: Candidate, error: RemoteError) -> bool:
        """Tell whether a package of the publisher that a plain request did not find is there after all."""
        if candidate.party == "third party" or not isinstance(error, Absent):
            return False
        way = self._prober.another_way(candidate.url)
        if way is None:
            return False
        Bound(self._prober, self._resolution_seconds).wait(way)
        return True

    def _download_and_verify(self, found: FoundCrate, candidate: Candidate, staging: Path) -> VerifiedFile:
        """Fetch package and signature together; refuse as soon as the signature is known to be wrong.

        Raises RemoteError where the *package* could not be had: only that may lead to another candidate.
        """
        # The manifest names the publisher's key; that of a third party is our own knowledge.
        authentic = found.trusted_transport or candidate.party == "third party"
        decision = decide(self._policy, candidate.meta.signing, key_is_authentic=authentic)
        name = asset_name(candidate.url)
        digests = (
            needed_digests(decision.signing.algorithm) if isinstance(decision, Verify) else ("sha256",)
        )
        key = f", to be signed by {_key_words(decision.signing)}" if isinstance(decision, Verify) else ""
        self._progress.stage(f"fetching {without_secrets(candidate.url)}{key}")
        url, headers = self._prober.request_for(candidate.url)
        package = self._transfers.download(
            url, staging, digests=digests, limit=MAX_PACKAGE_BYTES, what=name, headers=headers
        )
        if not isinstance(decision, Verify):
            return self._judge(package, decision, candidate)
        assert candidate.signature_url is not None  # noqa: S101
        signature = self._fetch_signature(
            candidate.signature_url, f"the signature of {name}", private=url != candidate.url
        )
        try:
            verifier = self._signature_verifier(found, candidate, decision.signing, signature, name)
        except TrustError as error:
            package.cancel()
            self._insist_that_it_is_there(candidate, error)
            raise error.about(without_secrets(candidate.url)) from error.__cause__
        return self._judge(package, verifier, candidate)

    def _fetch_signature(self, url: str, what: str, *, private: bool) -> Future[bytes]:
        """Begin to fetch a signature; that of a private package may be as private as that."""
        way = self._prober.another_way(url) if private else None
        if way is not None:
            try:
                Bound(self._prober, self._resolution_seconds).wait(way)
            except RemoteError as error:
                self._progress.detail(error.message)
        url, headers = self._prober.request_for(url)
        return self._transfers.fetch(url, limit=MAX_SIGNATURE_BYTES, what=what, headers=headers)

    def _insist_that_it_is_there(self, candidate: Candidate, refusal: TrustError) -> None:
        """Let a refusal stand only for a package that exists: an absent one is passed over, whatever
        lies where its signature would be."""
        url, headers = self._prober.request_for(candidate.url)
        try:
            wait(self._transfers.exists(url, headers=headers))
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
            claim = "declares a signature"
            if candidate.party == "third party":
                claim = "from QuickInstall must be signed"
            raise MissingSignature(
                f"{manifest.name} {manifest.version} {claim}, and there is none at {url}",
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
            must_name_file=candidate.party == "third party",
        )
        lenient = manifest.name in self._allow_name_mismatch and candidate.party == "publisher"
        return new_verifier(
            signing.algorithm,
            signing.pubkey,
            text,
            expected,
            allow_name_mismatch=lenient,
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
            whose = "QuickInstall's key" if candidate.party == "third party" else "key"
            self._progress.stage(f"verified {size}: signed by {whose} {evidence.key_id}")
        else:
            self._progress.stage(f"downloaded {size}: {evidence.verdict}")
        return verified


@dataclass(frozen=True, slots=True)
class _Seeker:
    """Looks for the packages of one crate, on behalf of `Ways`."""

    installer: Installer
    found: FoundCrate
    staging: Path
    unpacked: Unpack

    def search(self, by_target: Iterable[Sequence[Candidate]] | None = None) -> Search:
        if by_target is None:
            return self.installer.publisher_search(self.found)
        return self.installer.third_party_search(self.found.manifest, by_target)

    def take(self, search: Search) -> Prepared | None:
        return self.installer.take(search, self.found, self.staging, self.unpacked)

    def ask(self, candidate: Candidate) -> None:
        self.installer.ask(candidate)


def _key_words(signing: SigningConfig) -> str:
    lines = signing.pubkey.split()
    return f"{signing.algorithm} key {lines[-1] if lines else '(none)'}"
