"""The rounds in which a crate's package is looked for, and what is found out in between.

    1   every target, with the repository as the manifest has it
    2   every target, with the binary's name for `{ name }`, if there is one binary and it has another name
    3   1 and 2 again with the URL that the repository leads to by redirects, if that is another one
    4   all of them again, once a token has turned up for a repository that strangers do not see

Where the repository is on no known hosting service it is followed before round 1: it may lead to one. A known
service answers for a moved repository itself, so there the question waits until nothing was found. It is
never asked for a manifest whose URLs do not depend on it. All is asked lazily, one list at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from binstall.errors import RemoteError
from binstall.formats.manifest import CliOverrides, Manifest
from binstall.formats.target import TargetTriple
from binstall.progress import Progress
from binstall.resolve.candidates import Candidate, candidates_for, needs_repository
from binstall.resolve.repository import Repository, is_login_page, read_repository
from binstall.resolve.resolver import Bound
from binstall.text import without_secrets


class Discovery:
    """Where one crate's packages may be, target by target. Waits for answers where it has to ask."""

    def __init__(
        self,
        manifest: Manifest,
        targets: Sequence[TargetTriple],
        overrides: CliOverrides,
        bound: Bound,
        progress: Progress,
        *,
        skip_signatures: bool,
        github_hosts: Collection[str] = (),
        is_left_out: Callable[[TargetTriple], bool] = lambda _: False,
    ) -> None:
        self._manifest = manifest
        self._targets = targets
        self._overrides = overrides
        self._bound = bound
        self._progress = progress
        self._skip_signatures = skip_signatures
        self._github_hosts = github_hosts
        self._is_left_out = is_left_out
        self._repository = read_repository(manifest.repository, github_hosts)
        self._followed = False
        self._asked: set[tuple[str, str, str]] = set()
        """Target, URL and format of what the rounds have yielded already."""
        self._warned: set[str] = set()
        self.problems: list[str] = []
        """Why a `pkg-url` gives no URL."""

    def by_target(self) -> Iterator[tuple[Candidate, ...]]:
        """Yield lists of candidates, each worth asking when all before it were in vain.

        Raises:
            ManifestError, UnsupportedSignature, TemplateError, UnknownFormat: as `candidates_for`, about the
                target whose turn it is.
        """
        while True:
            yield from self._rounds()
            before = self._repository
            if self._needed and not self._followed:
                self._follow()
                if self._repository != before:
                    yield from self._rounds()
            if not self._bound.prober.look_again({url for _, url, _ in self._asked}):
                return
            self._asked.clear()

    @property
    def _needed(self) -> bool:
        return any(
            needs_repository(
                self._manifest.for_target(target, self._overrides, skip_signatures=self._skip_signatures)
            )
            for target in self._targets
            if not self._is_left_out(target)
        )

    def _rounds(self) -> Iterator[tuple[Candidate, ...]]:
        binaries = self._manifest.binaries
        names: list[str | None] = [None]
        if len(binaries) == 1 and binaries[0].name != self._manifest.name:
            names.append(binaries[0].name)
        for name in names:
            for target in self._targets:
                if not self._is_left_out(target):
                    yield self._candidates(target, name)

    def _candidates(self, target: TargetTriple, name: str | None) -> tuple[Candidate, ...]:
        meta = self._manifest.for_target(target, self._overrides, skip_signatures=self._skip_signatures)
        for warning in meta.warnings:
            self._warn(warning)
        repository = self._repository
        if (
            repository is not None
            and repository.service is None
            and not self._followed
            and needs_repository(meta)
        ):
            self._follow()
        known = len(self.problems)
        found = candidates_for(
            self._manifest,
            target,
            self._overrides,
            skip_signatures=self._skip_signatures,
            repository=self._repository,
            name=name,
            problems=self.problems,
        )
        for problem in self.problems[known:]:
            self._warn(problem)
        fresh = []
        for candidate in found:
            key = (target.text, candidate.url, candidate.format.value)
            if key not in self._asked:
                self._asked.add(key)
                fresh.append(candidate)
        return tuple(fresh)

    def _follow(self) -> None:
        """Replace the repository by what it leads to; where that cannot be found out it stays."""
        self._followed = True
        before = self._repository
        if before is None or not before.url.startswith(("https://", "http://")):
            return
        self._bound.restart()
        try:
            final = self._bound.wait(self._bound.prober.leads_to(before.url))
        except RemoteError as error:
            self._progress.detail(
                f"where {without_secrets(before.url)} leads cannot be found out: {error.message}"
            )
            return
        after = None if is_login_page(final) else read_repository(final, self._github_hosts)
        if after is None or after.url == before.url or (before.service and not after.service):
            return
        self._progress.detail(f"{without_secrets(before.url)} leads to {without_secrets(after.url)}")
        subcrate = after.subcrate or before.subcrate
        self._repository = Repository(after.url, after.service, subcrate)

    def _warn(self, words: str) -> None:
        if words not in self._warned:
            self._warned.add(words)
            self._progress.warn(words)
