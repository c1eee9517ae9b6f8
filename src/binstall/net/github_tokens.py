"""Where a token for a GitHub host may be kept, each place a source of its own.

    given        --github-token · GITHUB_TOKEN · GH_TOKEN              github.com, or the host that
                                                                       GITHUB_SERVER_URL, GH_HOST name
                 GH_ENTERPRISE_TOKEN · GITHUB_ENTERPRISE_TOKEN         every other host
    discovered   ~/.git-credentials · git/credentials · gh/hosts.yml · `gh auth token` · `git credential fill`

A place that is empty, unreadable or broken is passed over and keeps no other from being looked at. Discovered
ones are looked at one by one, when somebody was refused without. The two programs run in an empty private
folder, without terminal, without any `GIT_…` variable of ours and without our secrets, and not for long.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from binstall.children import child_environment, find_program
from binstall.limits import (
    MAX_CREDENTIALS_BYTES,
    MAX_TOKEN_CHARACTERS,
    TOKEN_PROGRAM_TIMEOUT_SECONDS,
)

if TYPE_CHECKING:
    from subprocess import Popen

_PUBLIC_HOST: Final = "github.com"
_TOKEN: Final = re.compile(rf"[!-~]{{10,{MAX_TOKEN_CHARACTERS}}}\Z")
_HOST: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,252}[a-z0-9])?(?::[0-9]{1,5})?\Z")
_YAML_HOST: Final = re.compile(r"""(?P<quote>["']?)(?P<host>[^\s"'#]+)(?P=quote):\s*(?:#.*)?\Z""")
_YAML_TOKEN: Final = re.compile(
    r"""(?P<indent> +)oauth_token:\s+(?P<quote>["']?)(?P<token>[^\s"'#]+)(?P=quote)\s*(?:#.*)?\Z"""
)
_POLL_SECONDS: Final = 0.1

Note = Callable[[str], None]
"""Takes a sentence for a curious reader; never a token."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token for one host."""

    value: str = field(repr=False)
    """10 to MAX_TOKEN_CHARACTERS visible ASCII characters."""
    source: str
    """Where it was found, for messages."""


def usable_token(text: str | None) -> str | None:
    """Return `text` without white space around it if it can be a token, else None."""
    text = (text or "").strip()
    return text if _TOKEN.match(text) else None


def configured_hosts(environment: Mapping[str, str]) -> frozenset[str]:
    """Return the GitHub hosts to be asked by API: github.com, and those of the environment.

    `BINSTALL_GITHUB_HOSTS` names GitHub Enterprise hosts, by commas or blanks; gh's `GH_HOST` and the
    `GITHUB_SERVER_URL` of GitHub's CI count, too.
    """
    words = environment.get("BINSTALL_GITHUB_HOSTS", "").replace(",", " ").split()
    words.append(environment.get("GH_HOST", ""))
    words.append(_server_host(environment) or "")
    lower = {word.strip().lower().removesuffix(":443") for word in words}
    return frozenset({_PUBLIC_HOST} | {word for word in lower if _HOST.match(word)})


def _server_host(environment: Mapping[str, str]) -> str | None:
    text = environment.get("GITHUB_SERVER_URL", "").strip().lower()
    host = text.removeprefix("https://").rstrip("/").removesuffix(":443")
    return host if text.startswith("https://") and _HOST.match(host) else None


def token_variable(host: str) -> str:
    """Return the variable that a user had best set for a host."""
    return "GITHUB_TOKEN" if host == _PUBLIC_HOST else "GH_ENTERPRISE_TOKEN"


def given_tokens(host: str, option: str | None, environment: Mapping[str, str]) -> tuple[Token, ...]:
    """Return the tokens that the command line and the environment hold for `host`, best first."""
    named: list[tuple[str | None, str]] = []
    if host == _PUBLIC_HOST:
        named.append((option, "--github-token"))
    if host == (_server_host(environment) or _PUBLIC_HOST):
        named.append((environment.get("GITHUB_TOKEN"), "GITHUB_TOKEN"))
    gh_host = environment.get("GH_HOST", "").strip().lower()
    if host == (gh_host if gh_host.endswith(".ghe.com") else _PUBLIC_HOST):
        named.append((environment.get("GH_TOKEN"), "GH_TOKEN"))
    if host != _PUBLIC_HOST:
        named += [
            (environment.get(name), name) for name in ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
        ]
    return tuple(Token(value, source) for text, source in named if (value := usable_token(text)))


def credential_tokens(text: str, host: str) -> Iterator[str]:
    """Yield the tokens for `host` in a git credentials file: lines `https://USER:TOKEN@HOST`, encoded."""
    for line in text.splitlines():
        try:
            parts = urlsplit(line.strip())
            found = parts.netloc.rpartition("@")[2].lower().removesuffix(":443")
        except ValueError:
            continue
        if parts.scheme != "https" or found != host or parts.path.strip("/") or parts.query:
            continue
        token = usable_token(unquote(parts.password or ""))
        if token is not None:
            yield token


def hosts_yml_token(text: str, host: str) -> str | None:
    """Return the `oauth_token` of `host` in gh's `hosts.yml`, None where there is none.

    Only what gh writes is understood: the host at the margin, its `oauth_token` one step deeper.
    """
    inside = False
    depth: int | None = None
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not line.startswith(" "):
            match = _YAML_HOST.match(line)
            inside, depth = match is not None and match["host"].lower() == host, None
            continue
        indent = len(line) - len(line.lstrip(" "))
        depth = indent if depth is None else depth
        match = _YAML_TOKEN.match(line)
        if inside and match is not None and indent == depth:
            return usable_token(match["token"])
    return None


@dataclass(frozen=True, slots=True)
class TokenPlaces:
    """Where this machine may keep tokens."""

    environment: Mapping[str, str] = field(repr=False)
    """Of this process; says where the files are, and what the two programs inherit."""
    home: Path | None
    """None where the user has none."""

    def discovered(self, host: str, note: Note, stopping: threading.Event) -> Iterator[Token]:
        """Yield the tokens for `host`, looking no further than the next one.

        `stopping` ends a program that is under way, and with it the search.
        """
        for path in self._credential_files():
            for value in credential_tokens(_read(path, note), host):
                yield Token(value, str(path))
        for path in self._hosts_files():
            found = hosts_yml_token(_read(path, note), host)
            if found is not None:
                yield Token(found, str(path))
        if stopping.is_set():
            return
        said = self._ask(("gh", "auth", "token", "--hostname", host), b"", note, stopping)
        found = usable_token(said)
        if found is not None:
            yield Token(found, "`gh auth token`")
        if stopping.is_set():
            return
        question = f"protocol=https\nhost={host}\n\n".encode()
        said = self._ask(("git", "credential", "fill"), question, note, stopping)
        lines = [
            line.removeprefix("password=") for line in said.splitlines() if line.startswith("password=")
        ]
        found = usable_token(lines[0]) if lines else None
        if found is not None:
            yield Token(found, "`git credential fill`")

    def _credential_files(self) -> list[Path]:
        files = [] if self.home is None else [self.home / ".git-credentials"]
        config = self._config_folder()
        return files if config is None else [*files, config / "git" / "credentials"]

    def _hosts_files(self) -> list[Path]:
        own = self.environment.get("GH_CONFIG_DIR")
        if own:
            return [Path(own) / "hosts.yml"] if Path(own).is_absolute() else []
        files = []
        config = self._config_folder()
        if config is not None:
            files.append(config / "gh" / "hosts.yml")
        data = self.environment.get("APPDATA") if os.name == "nt" else None
        return files if not data else [*files, Path(data) / "GitHub CLI" / "hosts.yml"]

    def _config_folder(self) -> Path | None:
        own = self.environment.get("XDG_CONFIG_HOME")
        if own and Path(own).is_absolute():
            return Path(own)
        return None if self.home is None else self.home / ".config"

    def _ask(self, words: tuple[str, ...], said: bytes, note: Note, stopping: threading.Event) -> str:
        """Run a program and return what it printed; empty where it is not there, fails or takes too long."""
        import tempfile

        shown = f"`{' '.join(words)}`"
        program = find_program(words[0], self.environment)
        if program is None:
            return ""
        try:
            with tempfile.TemporaryDirectory(prefix="binstall-") as folder:
                answer = _run(
                    [str(program), *words[1:]], said, folder, self._child_environment(folder), stopping
                )
        except OSError as error:
            note(f"{shown} cannot be run: {error.strerror or error}")
            return ""
        if answer is None:
            note(f"{shown} knows no token, or took longer than {TOKEN_PROGRAM_TIMEOUT_SECONDS:g} s")
            return ""
        return answer

    def _child_environment(self, folder: str) -> dict[str, str]:
        inherited = child_environment(self.environment)
        kept = {name: value for name, value in inherited.items() if not name.upper().startswith("GIT_")}
        for name in ("SSH_ASKPASS", "GH_DEBUG", "DEBUG"):
            kept.pop(name, None)
        return kept | {
            "GIT_ASKPASS": "",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CEILING_DIRECTORIES": str(Path(folder).parent),
            "GCM_INTERACTIVE": "never",
            "GH_PROMPT_DISABLED": "1",
            "GH_NO_UPDATE_NOTIFIER": "1",
        }


def _run(
    command: list[str], said: bytes, folder: str, environment: dict[str, str], stopping: threading.Event
) -> str | None:
    """Return a program's standard output, None where it fails, is stopped, or takes too long."""
    import subprocess
    import tempfile

    with tempfile.TemporaryFile() as question, tempfile.TemporaryFile() as answer:
        question.write(said)
        question.seek(0)
        process = subprocess.Popen(  # noqa: S603 - a program of PATH, fixed words
            command,
            cwd=folder,
            env=environment,
            stdin=question,
            stdout=answer,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            code = _wait(process, stopping)
        finally:
            _end(process)
        if code != 0:
            return None
        answer.seek(0)
        return answer.read(MAX_CREDENTIALS_BYTES).decode("utf-8", "replace")


def _wait(process: Popen[bytes], stopping: threading.Event) -> int | None:
    from subprocess import TimeoutExpired

    for _ in range(int(TOKEN_PROGRAM_TIMEOUT_SECONDS / _POLL_SECONDS)):
        try:
            return process.wait(_POLL_SECONDS)
        except TimeoutExpired:
            if stopping.is_set():
                return None
    return None


def _end(process: Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    if os.name == "nt":
        process.kill()
    else:
        import signal

        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read(path: Path, note: Note) -> str:
    """Return the text of a file; empty where it is not there, cannot be read, or is no such file."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_CREDENTIALS_BYTES + 1)
    except FileNotFoundError:
        return ""
    except OSError as error:
        note(f"{path} cannot be read: {error.strerror or error}")
        return ""
    if len(content) > MAX_CREDENTIALS_BYTES:
        note(f"{path} has more than {MAX_CREDENTIALS_BYTES} bytes (MAX_CREDENTIALS_BYTES)")
        return ""
    return content.decode("utf-8", "replace")
