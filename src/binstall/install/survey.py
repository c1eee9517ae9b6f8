"""Why an install would do what it does: every place asked about, every verdict known, nothing fetched.

The walk is the installer's own: its search yields the places, its `Ways` decide what follows what. Only the
seeker is another one, which goes on after the first package that exists, and asks for a signature where
there would be one, in place of fetching both. What a package *is* nobody knows before it is downloaded; so
an install may still end with a wrong signature where this says that it goes well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from binstall.errors import (
    Absent,
    BinstallError,
    Cancelled,
    MissingSignature,
    RemoteError,
    SignatureUnavailable,
    TrustError,
)
from binstall.formats.manifest import CliOverrides, SigningConfig
from binstall.formats.minisign_key import parse_public_key
from binstall.formats.target import TargetTriple
from binstall.install.compile import Build
from binstall.install.installer import Installer
from binstall.install.ways import Parties, Ways
from binstall.net.transfers import wait
from binstall.registry.found import FoundCrate
from binstall.resolve.candidates import Candidate, candidates_for
from binstall.resolve.prober import Prober
from binstall.resolve.resolver import Search, is_plain_refusal
from binstall.resolve.strategies import Strategy
from binstall.signing.verifier import SignaturePolicy, Verify, decide, needed_digests
from binstall.text import without_secrets

AnswerWord = Literal["exists", "absent", "refused", "unknown"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a host says about one URL."""

    word: AnswerWord
    """`unknown`: the host is in trouble or limits its rate, which ends an install."""
    message: str | None
    """None where it exists."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What would have to be proved about a package, known before a byte of it is."""

    word: Literal["verify", "unsigned", "skipped", "refused"]
    reason: str | None
    """None for `verify`."""
    algorithm: str | None = None
    key_id: str | None = None
    """As minisign prints it."""
    public_key: str | None = None
    """As it is declared."""
    error: BinstallError | None = None
    """Of `refused`."""


@dataclass(frozen=True, slots=True)
class Place:
    """One candidate, and all that is known of it."""

    candidate: Candidate
    answer: Answer
    verdict: Verdict
    signature: Answer | None
    """Of the signature's URL; None where nobody asked, since there is no package or nothing to verify."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A target for which the manifest cannot be used."""

    target: TargetTriple
    error: BinstallError


@dataclass(frozen=True, slots=True)
class Survey:
    """All places of one crate, and what an install makes of them."""

    places: tuple[Place, ...]
    """In the order in which the first existing one wins."""
    unusable: tuple[Unusable, ...]
    outcome: Candidate | Build | BinstallError


def survey(
    found: FoundCrate,
    new_installer: Callable[[Sequence[TargetTriple]], Installer],
    prober: Prober,
    *,
    targets: Sequence[TargetTriple],
    overrides: CliOverrides,
    policy: SignaturePolicy,
    parties: Parties,
) -> Survey:
    """Ask about every place where packages of `found` may be; several at a time, none is left out.

    `new_installer` makes one for some of `targets`, otherwise as the install would have it. Raises nothing
    that an install would end with: that is the outcome.
    """
    seeker = _Surveyor(found, new_installer, prober, targets, overrides, policy, parties)
    ways = Ways(parties, targets=targets, overrides=overrides, policy=policy)
    outcome: Candidate | Build | BinstallError
    try:
        outcome = ways.obtain(found, seeker)
    except Cancelled:
        raise
    except BinstallError as error:
        outcome = error
    return Survey(tuple(seeker.places.values()), tuple(seeker.unusable), outcome)


class _Surveyor:
    """The seeker that looks everywhere and takes nothing."""

    def __init__(
        self,
        found: FoundCrate,
        new_installer: Callable[[Sequence[TargetTriple]], Installer],
        prober: Prober,
        targets: Sequence[TargetTriple],
        overrides: CliOverrides,
        policy: SignaturePolicy,
        parties: Parties,
    ) -> None:
        self._found = found
        self._new_installer = new_installer
        self._prober = prober
        self._targets = targets
        self._overrides = overrides
        self._policy = policy
        self._parties = parties
        self._installer = new_installer(targets)
        self._third_party: set[int] = set()
        self.places: dict[tuple[str, str, str], Place] = {}
        """By target, URL and format: a place that is asked about again has its last answer."""
        self.unusable: list[Unusable] = []

    def search(self, by_target: Iterable[Sequence[Candidate]] | None = None) -> Search:
        """Begin a walk, as the installer would."""
        manifest = self._found.manifest
        if by_target is not None:
            search = self._installer.third_party_search(manifest, by_target)
            self._third_party.add(id(search))
            return search
        if Strategy.CRATE_META_DATA not in self._parties.strategies.order:
            # The install itself only insists that there is none; here every place is told.
            self._walk(self._installer.publisher_search(self._found), publishers=True)
        return self._installer.publisher_search(self._found)

    def take(self, search: Search) -> Candidate | None:
        """Walk to the end; return the candidate that an install would take."""
        decided = self._walk(search, publishers=id(search) not in self._third_party)
        if isinstance(decided, BinstallError):
            raise decided
        if decided is None:
            return None
        place = self.places[_key(decided)]
        if place.verdict.error is not None:
            raise place.verdict.error
        self._insist_on_signature(place)
        return decided

    def ask(self, candidate: Candidate) -> None:
        """Ask as the installer would."""
        self._installer.ask(candidate)

    def _walk(self, search: Search, *, publishers: bool) -> Candidate | BinstallError | None:
        decided: Candidate | BinstallError | None = None
        left = list(self._targets)
        walk: Search | None = search
        while walk is not None:
            seen: list[tuple[Candidate, RemoteError | None]] = []
            failure: BinstallError | None = None
            try:
                for candidate, error in walk.survey():
                    seen.append((candidate, error))
            except Cancelled:
                raise
            except BinstallError as error:
                failure = error
            for candidate, refusal in seen:
                if decided is None:
                    decided = _decided(walk, candidate, refusal)
            self._note(seen)
            if failure is None:
                return decided
            if decided is None:
                decided = failure
            # What is wrong about one target says nothing about the others.
            left = self._after_unusable(left, failure) if publishers else []
            walk = self._new_installer(left).publisher_search(self._found) if left else None
        return decided

    def _after_unusable(
        self, targets: Sequence[TargetTriple], failure: BinstallError
    ) -> list[TargetTriple]:
        skip = self._policy is SignaturePolicy.SKIP
        for at, target in enumerate(targets):
            try:
                candidates_for(
                    self._found.manifest, target, self._overrides, skip_signatures=skip, problems=[]
                )
            except Cancelled:
                raise
            except BinstallError:
                self.unusable.append(Unusable(target, failure))
                return list(targets[at + 1 :])
        return []

    def _note(self, seen: Sequence[tuple[Candidate, RemoteError | None]]) -> None:
        verdicts = [self._verdict(candidate) for candidate, _ in seen]
        asked = [
            self._prober.exists(candidate.signature_url)
            if error is None and verdict.word == "verify" and candidate.signature_url is not None
            else None
            for (candidate, error), verdict in zip(seen, verdicts, strict=True)
        ]
        for (candidate, error), verdict, future in zip(seen, verdicts, asked, strict=True):
            signature = None
            if future is not None:
                try:
                    wait(future)
                    signature = _answer(None)
                except RemoteError as refusal:
                    signature = _answer(refusal)
            self.places[_key(candidate)] = Place(candidate, _answer(error), verdict, signature)

    def _verdict(self, candidate: Candidate) -> Verdict:
        authentic = self._found.trusted_transport or candidate.party == "third party"
        try:
            decision = decide(self._policy, candidate.meta.signing, key_is_authentic=authentic)
            if isinstance(decision, Verify):
                return _to_verify(decision.signing)
        except TrustError as error:
            return Verdict("refused", error.message, error=error)
        if self._policy is SignaturePolicy.SKIP:
            return Verdict("skipped", decision.reason)
        return Verdict("unsigned", decision.reason)

    def _insist_on_signature(self, place: Place) -> None:
        answer = place.signature
        if answer is None or answer.word == "exists":
            return
        manifest = self._found.manifest
        url = without_secrets(place.candidate.signature_url or "")
        if answer.word == "absent":
            raise MissingSignature(
                f"{manifest.name} {manifest.version} has a package at "
                f"{without_secrets(place.candidate.url)}, and there is no signature at {url}",
                hint="the publisher may still be uploading; a package is never installed without it",
            )
        raise SignatureUnavailable(
            f"the signature of {manifest.name} {manifest.version} cannot be fetched: {answer.message}"
        )


def _to_verify(signing: SigningConfig) -> Verdict:
    """Return what has to be proved; raise TrustError for a key or an algorithm that proves nothing."""
    needed_digests(signing.algorithm)
    key = parse_public_key(signing.pubkey)
    return Verdict("verify", None, signing.algorithm, key.shown_id, key.base64)


def _decided(
    search: Search, candidate: Candidate, error: RemoteError | None
) -> Candidate | BinstallError | None:
    """Return what this answer decides: the package, an error that ends the search, or nothing."""
    if error is None:
        return candidate
    try:
        search.passed_over(candidate, error)
    except RemoteError as final:
        return final
    return None


def _answer(error: RemoteError | None) -> Answer:
    if error is None:
        return Answer("exists", None)
    word: AnswerWord = "unknown"
    if isinstance(error, Absent):
        word = "absent"
    elif is_plain_refusal(error):
        word = "refused"
    return Answer(word, error.message)


def _key(candidate: Candidate) -> tuple[str, str, str]:
    return candidate.target.text, candidate.url, candidate.format.value


def groups(places: Iterable[Place]) -> Iterator[list[Place]]:
    """Yield runs of places that have target, template, party and verdict in common."""
    run: list[Place] = []
    for place in places:
        if run and _common(run[-1]) != _common(place):
            yield run
            run = []
        run.append(place)
    if run:
        yield run


def _common(place: Place) -> tuple[str, str, str, Verdict]:
    candidate = place.candidate
    return candidate.target.text, candidate.template, candidate.party, place.verdict
