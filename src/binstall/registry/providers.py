"""Programs that know a registry's token: which program, how it is started, what it says.

It is started without a shell and without secrets of ours in its environment, from the folder above the
configuration that names it, and may talk to the user: its standard error is ours. It has a time limit.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from binstall.children import child_environment, find_program
from binstall.errors import ConfigError
from binstall.formats.credential_protocol import parse_answer, request_line
from binstall.limits import MAX_PROVIDER_ANSWER_BYTES, PROVIDER_SECONDS


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider as it is configured."""

    words: tuple[str, ...]
    """Program and arguments, at least the program; a program with a slash is a path."""
    origin: str
    """The file or variable that names it, for messages."""
    base: Path
    """At which a relative path starts."""

    @property
    def shown(self) -> str:
        """What messages call it; arguments, which may be secret, left out."""
        return f"the credential provider `{self.words[0][:200]}` ({self.origin})"


def ask_provider(
    provider: Provider, environment: Mapping[str, str], index_url: str, name: str | None, challenge: str
) -> str | None:
    """Return the token that a program gives in cargo's protocol, or None where it has none.

    Raises:
        ConfigError: The program cannot be run, fails, or says something else.
    """
    request = request_line(index_url, name, challenge, provider.words[1:])
    output = _run(provider, (provider.words[0], "--cargo-plugin"), child_environment(environment), request)
    return parse_answer(output, provider.shown)


def printed_token(
    provider: Provider, environment: Mapping[str, str], index_url: str, name: str | None
) -> str:
    """Return the one line that the program of `cargo:token-from-stdout PROGRAM ARGUMENTS…` prints.

    `{index_url}` in an argument stands for the index.

    Raises:
        ConfigError: There is no program, it cannot be run, fails, or prints anything else.
    """
    if len(provider.words) < 2:
        raise ConfigError(f"{provider.shown} names no program that prints a token")
    program, *arguments = provider.words[1:]
    filled = [argument.replace("{index_url}", index_url) for argument in arguments]
    added = {"CARGO_REGISTRY_INDEX_URL": index_url}
    if name is not None:
        added["CARGO_REGISTRY_NAME_OPT"] = name
    cargo = environment.get("CARGO") or find_program("cargo", environment)
    if cargo is not None:
        added["CARGO"] = str(cargo)
    output = _run(provider, (program, *filled), child_environment(environment) | added, None)
    line, _, rest = output.partition(b"\n")
    if rest:
        raise ConfigError(f"{provider.shown} printed more than one line, expected is a token")
    try:
        return line.removesuffix(b"\r").decode()
    except UnicodeError:
        raise ConfigError(f"{provider.shown} printed something that is no text") from None


def _run(
    provider: Provider, words: Sequence[str], environment: Mapping[str, str], request: bytes | None
) -> bytes:
    program = _program(provider, words[0], environment)
    try:
        process = subprocess.Popen(  # noqa: S603 - a list, and the user's own configuration names it
            [program, *words[1:]],
            cwd=provider.base if provider.base.is_dir() else None,
            env=dict(environment),
            stdin=None if request is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
    except OSError as error:
        raise ConfigError(f"{provider.shown} cannot be run: {error.strerror}") from error
    with process:
        try:
            output, _ = process.communicate(request, timeout=PROVIDER_SECONDS)
        except subprocess.TimeoutExpired:
            raise ConfigError(
                f"{provider.shown} took longer than {PROVIDER_SECONDS:.0f} s (PROVIDER_SECONDS)"
            ) from None
        finally:
            process.kill()
    if process.returncode != 0:
        raise ConfigError(f"{provider.shown} failed with exit code {process.returncode}")
    if len(output) > MAX_PROVIDER_ANSWER_BYTES:
        raise ConfigError(
            f"{provider.shown} printed more than {MAX_PROVIDER_ANSWER_BYTES} bytes (MAX_PROVIDER_ANSWER_BYTES)"
        )
    return output


def _program(provider: Provider, name: str, environment: Mapping[str, str]) -> Path:
    if "/" in name or "\\" in name:
        return provider.base / name
    found = find_program(name, environment)
    if found is None:
        raise ConfigError(f"{provider.shown} cannot be run: there is no program `{name[:200]}` on PATH")
    return found
