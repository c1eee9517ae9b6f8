"""From strategy to strategy: the publisher's package, a third party's, a build on this machine.

What may follow what is the rule of `resolve.strategies`; here it is kept to. A crate that declares a
signature has its publisher's packages looked for first, whatever the order, and once one is found or a host
refuses to tell, nobody else is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from binstall.errors import MissingSignature, NothingFound, RemoteError, TrustError
from binstall.formats.crate_source import CRATES_IO
from binstall.formats.manifest import CliOverrides, Manifest
from binstall.formats.target import TargetTriple
from binstall.install.compile import Build, CompileOptions, plan_build
from binstall.registry.found import FoundCrate
from binstall.resolve.candidates import Candidate
from binstall.resolve.quickinstall import QuickInstall
from binstall.resolve.resolver import Search
from binstall.resolve.statistics import Statistics, Status
from binstall.resolve.strategies import (
    PUBLISHER_ONLY,
    Front,
    Publisher,
    Situation,
    Strategies,
    Strategy,
    forbidden,
)
from binstall.signing.verifier import SignaturePolicy
from binstall.text import without_secrets

Package_co = TypeVar("Package_co", covariant=True)
Package = TypeVar("Package")


@dataclass(frozen=True, slots=True)
class Parties:
    """Who is asked for binaries, in which order, and what that takes."""

    strategies: Strategies = PUBLISHER_ONLY
    front: Front = "binstall"
    quick_install: QuickInstall | None = None
    """None where it is no strategy."""
    compiling: CompileOptions | None = None
    """None where it is no strategy."""
    statistics: Statistics | None = None
    """None where nobody agreed to them."""


class Seeker(Protocol[Package_co]):
    """Who looks for packages and fetches them."""

    def search(self, by_target: Iterable[Sequence[Candidate]] | None = None) -> Search:
        """Begin a walk over the publisher's candidates, or over those that are given."""

    def take(self, search: Search) -> Package_co | None:
        """Return the first package of the walk, fetched and verified; None if none exists.

        Raises:
            BinstallError: one exists and cannot be used, or nobody can tell: nothing else is tried.
        """

    def ask(self, candidate: Candidate) -> None:
        """Return if the candidate exists.

        Raises:
            RemoteError: it does not, or nobody can tell.
        """


class Ways:
    """The ways to the binaries of a crate, for one run."""

    def __init__(
        self,
        parties: Parties,
        *,
        targets: Sequence[TargetTriple],
        overrides: CliOverrides,
        policy: SignaturePolicy,
    ) -> None:
        self._parties = parties
        self._targets = targets
        self._overrides = overrides
        self._policy = policy

    def obtain(self, found: FoundCrate, seeker: Seeker[Package]) -> Package | Build:
        """Return the first package that may be had, or the build that takes its place.

        Raises:
            NothingFound, MissingSignature: nothing is left to try; the message says what was not tried.
            BinstallError: what `seeker` raises.
        """
        manifest, wanted = found.manifest, self._parties.strategies.order
        order = wanted
        if manifest.declares_signature:
            own = Strategy.CRATE_META_DATA
            order = (own, *(way for way in wanted if way is not own))
        publisher = Publisher.UNASKED
        failure: NothingFound | MissingSignature = _nothing_tried(manifest)
        untried: list[str] = []
        for way in order:
            reason = self._forbidden(way, found, publisher)
            if reason is not None:
                untried.append(reason)
            elif way is Strategy.COMPILE:
                assert self._parties.compiling is not None  # noqa: S101
                return plan_build(found, self._parties.compiling, "; ".join((failure.message, *untried)))
            elif way is Strategy.QUICK_INSTALL:
                package = self._from_quick_install(found, seeker)
                if package is not None:
                    return package
                untried.append("QuickInstall has no package of it")
            elif self._is_unusable(found):
                publisher, failure = Publisher.UNUSABLE, _unsigned(manifest)
            else:
                search = seeker.search()
                if way not in wanted:
                    _insist_on_absence(manifest, search, seeker)
                elif (package := seeker.take(search)) is not None:
                    return package
                publisher, failure = Publisher.ABSENT, _nothing_found(search)
        raise type(failure)("; ".join((failure.message, *untried)), hint=failure.hint)

    def offers(self, way: Strategy, manifest: Manifest, target: TargetTriple) -> bool:
        """Tell whether the manifest lets `way` be tried for `target`; the user's own choice goes before.

        Raises what `Manifest.for_target` raises.
        """
        if self._parties.strategies.named:
            return True
        skip = self._policy is SignaturePolicy.SKIP
        return (
            way
            not in manifest.for_target(target, self._overrides, skip_signatures=skip).disabled_strategies
        )

    def _forbidden(self, way: Strategy, found: FoundCrate, publisher: Publisher) -> str | None:
        manifest, parties = found.manifest, self._parties
        first = self._targets[:1]
        if way is Strategy.COMPILE and not all(self.offers(way, manifest, target) for target in first):
            return "its manifest disables building it from source"
        now = Situation(
            publisher=publisher,
            declares_signature=manifest.declares_signature,
            from_crates_io=found.source == CRATES_IO,
            only_signed=self._policy is SignaturePolicy.REQUIRED,
            front=parties.front,
            named=parties.strategies.named,
        )
        return forbidden(way, now)

    def _is_unusable(self, found: FoundCrate) -> bool:
        """Tell whether the publisher's packages can be left alone: a signed one is wanted, none of them is
        signed, and somebody else may be asked."""
        return (
            self._policy is SignaturePolicy.REQUIRED
            and not found.manifest.declares_signature
            and Strategy.QUICK_INSTALL in self._parties.strategies.order
            and self._forbidden(Strategy.QUICK_INSTALL, found, Publisher.UNUSABLE) is None
        )

    def _from_quick_install(self, found: FoundCrate, seeker: Seeker[Package]) -> Package | None:
        manifest, quick_install = found.manifest, self._parties.quick_install
        assert quick_install is not None  # noqa: S101
        asked: list[Candidate] = []

        def by_target() -> Iterator[tuple[Candidate, ...]]:
            for target in self._targets:
                if self.offers(Strategy.QUICK_INSTALL, manifest, target):
                    candidates = tuple(quick_install.candidates(manifest, target))
                    asked.extend(candidates)
                    yield candidates

        search = seeker.search(by_target())
        try:
            package = seeker.take(search)
        except TrustError:
            self._report(manifest, asked[-1:], "invalid-signature")
            raise
        if package is None:
            _nothing_found(search)
            self._report(manifest, asked, "not-found")
        return package

    def _report(self, manifest: Manifest, candidates: Sequence[Candidate], status: Status) -> None:
        if self._parties.statistics is not None:
            for candidate in candidates:
                self._parties.statistics.report(manifest, candidate.target, status)


def _insist_on_absence(manifest: Manifest, search: Search, seeker: Seeker[object]) -> None:
    """See that the publisher, who signs, has no package, although the strategies leave it out.

    Raises:
        NothingFound: there is one.
        RemoteError: nobody can tell.
    """
    for candidate in search.existing():
        try:
            seeker.ask(candidate)
        except RemoteError as error:
            search.passed_over(candidate, error)
        else:
            raise NothingFound(
                f"{manifest.name} {manifest.version} declares a signature and has a package at "
                f"{without_secrets(candidate.url)}, so nothing else takes its place",
                hint="leave the strategy crate-meta-data in; `cargo install` itself builds from source",
            )


def _nothing_found(search: Search) -> NothingFound:
    failure = search.failure()
    if isinstance(failure, NothingFound):
        return failure
    raise failure


def _nothing_tried(manifest: Manifest) -> NothingFound:
    return NothingFound(
        f"{manifest.name} {manifest.version} cannot be had by the strategies that are left",
        hint="--strategies and --disable-strategies say what is tried",
    )


def _unsigned(manifest: Manifest) -> MissingSignature:
    return MissingSignature(
        f"a signed package was asked for (--only-signed), and {manifest.name} {manifest.version} declares "
        "no signature",
        hint="ask the publisher to sign, or leave --only-signed out",
    )
