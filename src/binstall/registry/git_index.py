"""A registry whose index is a git repository: its newest commit has the files that a sparse one serves.

    config.json, 1/a, 2/ab, 3/a/abc, ca/rg/cargo-watch      of HEAD; `.crate` files come from `dl`, as ever

The repository is fetched once in a run, one commit deep, into the folder of what was first asked for. What
it says is believed as far as its transport is.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import weakref
from concurrent.futures import Future
from pathlib import Path
from urllib.parse import unquote

from binstall.errors import Absent, GitError, LocalIOError, Unreachable
from binstall.formats.publish_age import AgeRule
from binstall.formats.version import CrateSpec
from binstall.limits import MAX_CONFIG_JSON_BYTES, MAX_INDEX_BYTES
from binstall.net.transfers import Transfers
from binstall.progress import Progress
from binstall.registry.found import FoundCrate
from binstall.registry.git import GitRepository, clone
from binstall.registry.git_settings import GitRules
from binstall.registry.selection import RegistryChoice
from binstall.registry.sparse import SparseRegistry


class GitRegistry(SparseRegistry):
    """One such registry during one run; may be asked from several threads."""

    def __init__(
        self,
        choice: RegistryChoice,
        transfers: Transfers,
        progress: Progress,
        rules: GitRules,
        *,
        age: AgeRule | None = None,
    ) -> None:
        """Fetch the repository of `choice`, whose place is a git index, when it is first asked."""
        super().__init__(choice, transfers, progress, age=age)
        assert choice.place.git is not None  # noqa: S101
        self._url = choice.place.git
        self._rules = rules
        self._git_lock = threading.Lock()
        self._repository: GitRepository | GitError | None = None
        self._staging: Path | None = None

    def find(self, spec: CrateSpec, staging: Path) -> FoundCrate:
        """Do what `SparseRegistry.find` does; the repository is kept in the first `staging`."""
        self._staging = self._staging or staging
        return super().find(spec, staging)

    def _fetch_config_json(self) -> Future[bytes]:
        return self._read("config.json", MAX_CONFIG_JSON_BYTES, "the registry's config.json")

    def _fetch_index(self, path: str, name: str) -> Future[bytes]:
        return self._read(unquote(path), MAX_INDEX_BYTES, f"the index of {name}")

    def _read(self, path: str, limit: int, what: str) -> Future[bytes]:
        def read(stopping: threading.Event) -> bytes:
            try:
                content = self._opened(stopping).file(path, limit)
            except GitError as error:
                raise Unreachable(error.message, url=self._url.url, hint=error.hint) from error
            if content is None:
                raise Absent(f"asked for {what}, and {self._url} has no {path}", url=self._url.url)
            return content

        return self._transfers.run(lambda errand: read(errand.stopping))

    def _opened(self, stopping: threading.Event) -> GitRepository:
        with self._git_lock:
            if self._repository is None:
                try:
                    self._repository = clone(self._url, self._folder(), self._rules, stopping=stopping)
                except GitError as error:
                    self._repository = error  # for whoever asks next, too
                else:
                    commit = self._repository.commit
                    self._progress.stage(f"{self._url}: fetched the index, commit {commit}")
            if isinstance(self._repository, GitError):
                raise self._repository
            return self._repository

    def _folder(self) -> Path:
        try:
            folder = Path(tempfile.mkdtemp(prefix="binstall-index-", dir=self._staging))
        except OSError as error:
            raise LocalIOError(f"cannot make a folder for the index: {error.strerror}") from error
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder
