"""A git repository's newest commit, fetched by the program `git` and read without a checkout.

    FOLDER/repository.git     bare, one commit deep, gone with the folder
    FOLDER/user.gitconfig     what counts of the user's own configuration (`git_settings.py`)

The program, and not a library: it brings the user's ssh keys, agents and credential helpers along, and no
second network stack that would need our rules. Blobs are read, nothing is checked out: no hook, no filter,
no submodule, no attribute and no link of the repository has any effect. What a hostile server can make git
do is bounded in time and in space.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from binstall.children import find_program
from binstall.errors import Cancelled, GitError, LocalIOError
from binstall.formats.git_url import GitUrl
from binstall.limits import (
    GIT_FETCH_SECONDS,
    GIT_READ_SECONDS,
    MAX_CARGO_CONFIG_BYTES,
    MAX_GIT_LISTING_BYTES,
    MAX_GIT_REPOSITORY_BYTES,
)
from binstall.registry.git_settings import (
    GitRules,
    config_text,
    fetch_settings,
    git_environment,
    isolated,
    parse_settings,
)

_COMMIT: Final = re.compile(rb"(?:[0-9a-f]{40}|[0-9a-f]{64})\n\Z")
_OBJECT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_POLL_SECONDS: Final = 0.05
_MEASURE_SECONDS: Final = 0.5
_ERROR_BYTES: Final = 8192
_ERROR_CHARACTERS: Final = 600


@dataclass(frozen=True, slots=True)
class GitRepository:
    """One commit and all that belongs to it; made by `clone`."""

    folder: Path
    """The bare repository."""
    commit: str
    """40 or 64 hex digits."""
    git: _Git = field(repr=False, compare=False)

    def listing(self) -> bytes:
        """Return every path of the commit, as `git ls-tree -r -t -z` prints them.

        Raises:
            GitError: it is longer than MAX_GIT_LISTING_BYTES, or the repository is broken.
        """
        return self.git.ask(
            "ls-tree", "-r", "-t", "-z", "--full-tree", self.commit, limit=MAX_GIT_LISTING_BYTES
        )

    def blob(self, name: str, limit: int) -> bytes | None:
        """Return the blob `name`, an object's hex digits; None if it has more than `limit` bytes.

        Raises:
            GitError: there is no such blob.
        """
        if not _OBJECT.match(name):
            raise GitError(f"`{name[:80]}` names no object of a git repository")
        return self.git.ask_bounded("cat-file", "blob", name, limit=limit)

    def file(self, path: str, limit: int) -> bytes | None:
        """Return the regular file at `path`, a plain relative one; None if there is none.

        Raises:
            GitError: it has more than `limit` bytes, or the repository is broken.
        """
        listed = self.git.ask(
            "ls-tree", "-z", "--full-tree", self.commit, path, limit=MAX_GIT_LISTING_BYTES
        )
        facts, _, found = listed.partition(b"\0")[0].partition(b"\t")
        words = facts.split()
        if found != path.encode() or len(words) != 3 or not words[0].startswith(b"100"):
            return None
        content = self.blob(words[2].decode(), limit)
        if content is None:
            raise GitError(f"{path} has more than {limit} bytes")
        return content


def clone(
    url: GitUrl, folder: Path, rules: GitRules, *, stopping: threading.Event | None = None
) -> GitRepository:
    """Fetch the newest commit of the default branch into `folder`, which is private and empty.

    Setting `stopping` ends it soon.

    Raises:
        GitError: there is no git, or it could not fetch.
        LocalIOError: `folder` cannot be written.
        ConfigError: trusted certificates cannot be read.
        Cancelled: `stopping` was set.
    """
    if url.scheme == "http" and not rules.allow_insecure_http:
        raise GitError(
            f"{url} would be asked over plain http",
            hint="https is asked; --allow-insecure-http lets http pass",
        )
    program = find_program("git", rules.environment)
    if program is None:
        raise GitError(
            f"{url} cannot be fetched: there is no program git on PATH", hint="install git, 2.30 or newer"
        )
    repository = folder / "repository.git"
    git = _Git(program, folder, repository, git_environment(rules), stopping or threading.Event())
    try:
        git.ask("init", "--quiet", "--bare", "--template=", limit=_ERROR_BYTES)
        users_own = parse_settings(git.ask("config", "--list", "-z", limit=MAX_CARGO_CONFIG_BYTES))
        git.environment = isolated(git.environment, users_own, folder / "user.gitconfig")
        with (repository / "config").open("a", encoding="utf-8", newline="\n") as file:
            file.write(config_text(fetch_settings(rules, url, folder)))
    except OSError as error:
        raise LocalIOError(f"cannot write to {folder}: {error.strerror}") from error
    git.fetch(str(url))
    git.stopping = threading.Event()  # what is read later is another job's, and short
    answer = git.ask("rev-parse", "--verify", "--quiet", "FETCH_HEAD^{commit}", limit=_ERROR_BYTES)
    if not _COMMIT.match(answer):
        raise GitError(f"{url} has no commit on its default branch")
    return GitRepository(repository, answer.decode().strip(), git)


@dataclass(slots=True)
class _Git:
    """The program, in one folder and one environment."""

    program: Path
    folder: Path
    repository: Path
    environment: dict[str, str]
    stopping: threading.Event

    def fetch(self, shown: str) -> None:
        words = ["fetch", "--quiet", "--depth=1", "--no-tags", "--recurse-submodules=no", "origin", "HEAD"]
        measured = time.monotonic()

        def is_too_large() -> str | None:
            nonlocal measured
            if time.monotonic() - measured < _MEASURE_SECONDS:
                return None
            measured = time.monotonic()
            if _size(self.repository) <= MAX_GIT_REPOSITORY_BYTES:
                return None
            return f"is larger than {MAX_GIT_REPOSITORY_BYTES} bytes (MAX_GIT_REPOSITORY_BYTES)"

        ended = self._run(words, GIT_FETCH_SECONDS, "GIT_FETCH_SECONDS", is_too_large)
        if ended.trouble is not None:
            raise GitError(f"{shown} {ended.trouble}")
        if ended.code != 0:
            raise GitError(f"{shown} cannot be fetched: {ended.reason}", hint=_hint(ended.reason))

    def ask(self, *words: str, limit: int) -> bytes:
        """Return what git prints. Raises GitError where it fails or prints more than `limit` bytes."""
        answer = self.ask_bounded(*words, limit=limit)
        if answer is None:
            raise GitError(f"`git {words[0]}` gives more than {limit} bytes")
        return answer

    def ask_bounded(self, *words: str, limit: int) -> bytes | None:
        """Return what git prints, None where that is more than `limit` bytes. Raises GitError."""
        ended = self._run(words, GIT_READ_SECONDS, "GIT_READ_SECONDS", None, limit)
        if ended.output is None and ended.trouble is None:
            return None
        if ended.trouble is not None or ended.code != 0 or ended.output is None:
            raise GitError(f"`git {words[0]}` failed: {ended.trouble or ended.reason}")
        return ended.output

    def _run(
        self,
        words: Sequence[str],
        seconds: float,
        bound: str,
        check: Callable[[], str | None] | None,
        limit: int = _ERROR_BYTES,
    ) -> _Ended:
        # Files, which never fill up and block as pipes do, and tell how much there is while git writes.
        with tempfile.TemporaryFile(dir=self.folder) as out, tempfile.TemporaryFile(dir=self.folder) as err:
            try:
                process = subprocess.Popen(  # noqa: S603 - a list, and git is the user's own
                    [self.program, f"--git-dir={self.repository}", *words],
                    cwd=self.folder,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    start_new_session=os.name != "nt",
                )
            except OSError as error:
                raise GitError(f"{self.program} cannot be started: {error.strerror}") from error
            trouble: str | None = None
            too_long = False
            deadline = time.monotonic() + seconds
            try:
                while trouble is None and not too_long:
                    try:
                        process.wait(_POLL_SECONDS)
                        break
                    except subprocess.TimeoutExpired:
                        pass
                    if self.stopping.is_set():
                        raise Cancelled("git was stopped")
                    too_long = os.fstat(out.fileno()).st_size > limit
                    if time.monotonic() > deadline:
                        trouble = f"took longer than {seconds:.0f} s ({bound})"
                    elif check is not None:
                        trouble = check()
            finally:
                if process.poll() is None:
                    _end(process)
            out.seek(0)
            output = out.read(limit + 1)
            return _Ended(
                process.returncode,
                None if too_long or len(output) > limit else output,
                _told(err.fileno()),
                trouble,
            )


@dataclass(frozen=True, slots=True)
class _Ended:
    """How one run of git ended."""

    code: int
    output: bytes | None
    """None where it was more than the bound."""
    reason: str
    """What git complained of; foreign text."""
    trouble: str | None
    """Why it was stopped; None where it ended by itself."""


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill git and what it started."""
    if os.name == "nt":
        process.kill()
    else:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _told(errors: int) -> str:
    """Return the last complaints in the file, as one line."""
    os.lseek(errors, max(0, os.fstat(errors).st_size - _ERROR_BYTES), os.SEEK_SET)
    lines = os.read(errors, _ERROR_BYTES).decode("utf-8", "replace").splitlines()
    kept = [line.strip() for line in lines if line.strip() and not line.startswith("hint:")]
    complaints = [line for line in kept if line.startswith(("fatal:", "error:", "remote:"))] or kept
    return "; ".join(complaints)[-_ERROR_CHARACTERS:] or "it gave no reason"


def _hint(reason: str) -> str | None:
    if "terminal prompts disabled" in reason or "could not read Username" in reason:
        return "it asks for a login: configure a credential helper of git, or use ssh"
    if "Permission denied" in reason or "Host key verification failed" in reason:
        return "try the same with git itself once: ssh must know the host and find a key without asking"
    if "safe.directory" in reason or "dubious ownership" in reason:
        return "the folder belongs to another user; git's own safe.directory setting lets it pass"
    return None


def _size(folder: Path) -> int:
    """Return the bytes of all files below, as far as they can be counted."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(Path(place, name)).st_size
    return total
