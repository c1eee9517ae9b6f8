"""Which targets a release is checked for, and what each of them leads to in a folder of its files.

Where nobody names targets:

    1  every override key that is a target, in file order
    2  every target in a file's name, unless another target leads to that file already (an override may give
       it a name of its own), or it belongs to another crate of the workspace
    3  this machine's; a release need not have a package for the machine that checks it

All leading is done by the installer's own resolution: candidates in their order, the first that exists wins.
Nobody is asked for it: where the repository leads to by redirects is not known here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

from binstall.errors import Absent, BadTarget, BinstallError, NothingFound
from binstall.formats.known_targets import KNOWN_TARGETS
from binstall.formats.manifest import CliOverrides, Manifest
from binstall.formats.target import TargetTriple, parse_target
from binstall.net.fetcher import NO_HEADERS
from binstall.progress import Silent
from binstall.publish.file_facts import triples_in
from binstall.publish.release_folder import file_name_of
from binstall.resolve.candidates import Candidate
from binstall.resolve.discovery import Discovery
from binstall.resolve.resolver import Bound, Search
from binstall.text import without_secrets

NO_OVERRIDES: Final = CliOverrides()


class _NobodyAsked:
    """Prober that knows of nothing and waits for nobody."""

    announced_seconds = 0.0

    def exists(self, url: str, *, guessed: bool = False) -> Future[None]:
        del guessed
        return self._absent(url)

    def request_for(self, url: str) -> tuple[str, Mapping[str, str]]:
        return url, NO_HEADERS

    def asks_first(self, url: str) -> bool:
        del url
        return False

    def another_way(self, url: str) -> Future[None] | None:
        del url
        return None

    def leads_to(self, url: str) -> Future[str]:
        return self._absent(url)

    def look_again(self, urls: Collection[str]) -> bool:
        del urls
        return False

    def _absent(self, url: str) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(Absent(f"nobody asked for {without_secrets(url)}", url=url))
        return future


def places_for(
    manifest: Manifest,
    target: TargetTriple,
    overrides: CliOverrides = NO_OVERRIDES,
    *,
    skip_signatures: bool = False,
) -> tuple[Candidate, ...]:
    """Return everywhere an installer looks for the package of one target, in its order.

    Raises:
        NothingFound: nowhere, as an installer would say it.
        ManifestError, UnsupportedSignature, TemplateError, UnknownFormat: as `candidates_for`.
    """
    bound = Bound(_NobodyAsked())
    discovery = Discovery(
        manifest, [target], overrides, bound, Silent(), skip_signatures=skip_signatures, github_hosts=()
    )
    found = tuple(candidate for some in discovery.by_target() for candidate in some)
    if not found:
        raise Search(manifest.name, (), bound, Silent(), problems=discovery.problems).failure()
    return found


@dataclass(frozen=True, slots=True)
class Question:
    """One target that is checked."""

    target: TargetTriple
    is_machines: bool
    """Asked only because this machine has it: no package for it is no fault."""


class Reach:
    """What the targets of one manifest lead to among the files of a folder."""

    def __init__(
        self, manifest: Manifest, names: Collection[str], more_targets: Iterable[TargetTriple] = ()
    ) -> None:
        """`names` are those of the files; `more_targets` are tried for `claims`, besides those known here."""
        self.manifest = manifest
        self.names = frozenset(names)
        self._more_targets = tuple(more_targets)
        self._known: dict[str, tuple[Candidate, ...]] = {}
        self._claims: dict[str, str] | None = None

    def candidates(self, target: TargetTriple) -> tuple[Candidate, ...]:
        """Return where installers look, signatures aside; nowhere if the manifest does not say."""
        known = self._known.get(target.text)
        if known is None:
            try:
                known = places_for(self.manifest, target, skip_signatures=True)
            except BinstallError:
                known = ()
            self._known[target.text] = known
        return known

    def failure(self, target: TargetTriple) -> BinstallError:
        """Return why nothing is found for `target`, where nothing is."""
        try:
            places_for(self.manifest, target, skip_signatures=True)
        except BinstallError as error:
            return error
        return NothingFound(f"no file of {self.manifest.name} for {target.text}")

    def file_for(self, target: TargetTriple) -> str | None:
        """Return the file that an installer for `target` gets."""
        return first_of(self.candidates(target), self.names)

    @property
    def claims(self) -> Mapping[str, str]:
        """File that some target leads to → one such target; every target that could is tried."""
        if self._claims is None:
            targets = [*override_targets(self.manifest), *named_targets(self.names), *self._more_targets]
            self._claims = {}
            for target in dict.fromkeys([*targets, *self._hidden_targets()]):
                name = self.file_for(target)
                if name is not None:
                    self._claims.setdefault(name, target.text)
        return self._claims

    def _hidden_targets(self) -> Iterator[TargetTriple]:
        """Yield known targets for which there may be a file that does not name them; default names do."""
        for target in _targets(KNOWN_TARGETS):
            meta = self.manifest.metadata
            layers = (
                layer for layer in meta.overrides if layer.condition and layer.condition.matches(target)
            )
            if any(layer.pkg_url is not None for layer in (*layers, meta.base)):
                yield target


def first_of(candidates: Iterable[Candidate], names: Collection[str]) -> str | None:
    """Return the file of the first candidate that has one in `names`."""
    asked = (file_name_of(candidate.url) for candidate in candidates)
    return next((name for name in asked if name in names), None)


def choose_questions(
    reach: Reach,
    *,
    explicit: Sequence[TargetTriple],
    machine: Sequence[TargetTriple],
    of_others: Collection[str] = (),
) -> tuple[Question, ...]:
    """Return the targets to check, each once.

    `explicit` are those that somebody named, instead of all others; `machine` are this machine's,
    `of_others` the files to which other crates of the workspace lead.
    """
    if explicit:
        return tuple(Question(target, is_machines=False) for target in dict.fromkeys(explicit))
    chosen = dict.fromkeys(override_targets(reach.manifest))
    not_ours = set(of_others) - set(reach.claims) if of_others else set()
    for name in sorted(reach.names):
        target = target_in(name)
        if target is None or target in chosen or is_part_of(name, not_ours):
            continue
        if reach.file_for(target) is not None or not is_part_of(name, reach.claims):
            chosen[target] = None
    questions = [Question(target, is_machines=False) for target in chosen]
    questions += [Question(target, is_machines=True) for target in machine if target not in chosen]
    return tuple(questions)


def override_targets(manifest: Manifest) -> tuple[TargetTriple, ...]:
    """Return the override keys that are targets, in file order."""
    return tuple(_targets(layer.key for layer in manifest.metadata.overrides if layer.condition is None))


def named_targets(names: Iterable[str]) -> tuple[TargetTriple, ...]:
    """Return the targets in the names of files."""
    found = (target_in(name) for name in sorted(names))
    return tuple(dict.fromkeys(target for target in found if target is not None))


def target_in(file_name: str) -> TargetTriple | None:
    """Return the target that a file's name holds, the longest if several."""
    return next(_targets(triples_in(file_name)), None)


def is_part_of(name: str, files: Collection[str]) -> bool:
    """Tell whether a file is one of `files`, or belongs to one: its signature, its checksum."""
    if name in files:
        return True
    return any(name[:at] in files for at, mark in enumerate(name) if mark == ".")


def _targets(texts: Iterable[str | None]) -> Iterator[TargetTriple]:
    for text in texts:
        try:
            yield parse_target(text or "")
        except BadTarget:
            continue
