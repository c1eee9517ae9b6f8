"""`--git`: a crate whose `Cargo.toml` is in the newest commit of a repository, alone or in a workspace.

The repository is fetched once in a run. Whoever names it answers for what it says, as with a path; over
plain http from another machine nobody can.
"""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path, PurePosixPath

from binstall.errors import LocalIOError, LocalManifestError
from binstall.formats.crate_source import git_source
from binstall.formats.git_url import GitUrl
from binstall.formats.version import CrateSpec
from binstall.net.transfers import Transfers, wait
from binstall.progress import Progress
from binstall.registry.found import FoundCrate
from binstall.registry.git import GitRepository, clone
from binstall.registry.git_settings import GitRules
from binstall.registry.git_tree import GitTree
from binstall.registry.packages import MANIFEST, find_package


class GitCrates:
    """The crates of one repository; may be asked from several threads."""

    def __init__(self, url: GitUrl, rules: GitRules, transfers: Transfers, progress: Progress) -> None:
        """Fetch `url` when it is first asked."""
        self.url = url
        self._rules = rules
        self._transfers = transfers
        self._progress = progress
        self._lock = threading.Lock()
        self._tree: GitTree | None = None
        self._commit = ""

    def find(self, spec: CrateSpec, staging: Path) -> FoundCrate:
        """Return the package that `spec` names; the repository is kept in `staging`.

        What a version requirement does is told at `FoundPackage.read_as`.

        Raises:
            GitError: The repository cannot be fetched, or is broken.
            LocalManifestError: No such package, or a manifest that cannot be used.
            BadVersion, NoBinaries: The package that was found.
            ConfigError, LocalIOError: This machine.
        """
        with self._lock:
            if self._tree is None:
                repository = self._clone(staging)
                self._tree, self._commit = GitTree(repository, str(self.url)), repository.commit
            tree = self._tree
        try:
            package = find_package(tree, PurePosixPath(MANIFEST), spec.name)
        except OSError as cause:
            raise LocalManifestError(
                f"{cause.filename or self.url} cannot be read: {cause.strerror}",
                hint="at the top of the repository there must be a Cargo.toml",
            ) from cause
        return FoundCrate(
            manifest=package.read_as(spec.requirement),
            source=git_source(self.url.url, self._commit),
            version_requirement_text="*" if spec.requirement is None else spec.requirement.text,
            checksum=None,
            trusted_transport=self.url.is_authentic,
        )

    def _clone(self, staging: Path) -> GitRepository:
        try:
            folder = Path(tempfile.mkdtemp(prefix="git-", dir=staging))
        except OSError as error:
            raise LocalIOError(f"cannot make a folder in {staging}: {error.strerror}") from error
        repository = wait(
            self._transfers.run(
                lambda errand: clone(self.url, folder, self._rules, stopping=errand.stopping)
            )
        )
        self._progress.stage(f"{self.url}: fetched commit {repository.commit}")
        return repository
