"""What cargo and a credential provider say to each other: one JSON object a line, protocol version 1.

    provider   {"v":[1]}
    we         {"v":1,"registry":{"index-url":…,"name":…,"headers":[…]},"kind":"get","operation":"read","args":[…]}
    provider   {"Ok":{"kind":"get","token":…,"cache":…,"operation_independent":…}}
               {"Err":{"kind":"not-found" | "url-not-supported" | "operation-not-supported" | "other", …}}

The facts are those of Cargo's reference, "Credential Provider Protocol", and of its crate
`cargo-credential`. How long a token may be kept does not matter here: it is used in one run. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from binstall.errors import ConfigError
from binstall.limits import MAX_PROVIDER_ANSWER_BYTES

_VERSION: Final = 1
_NOT_MINE: Final = frozenset({"not-found", "url-not-supported"})
_SHOWN_CHARACTERS: Final = 300


def request_line(index_url: str, name: str | None, challenge: str, args: Sequence[str]) -> bytes:
    """Return the question for a token to read from a registry.

    `index_url` is as cargo writes it, `sparse+…` included; `challenge` is the value of `WWW-Authenticate`
    that the registry sent, or empty.
    """
    registry: dict[str, object] = {"index-url": index_url}
    if name is not None:
        registry["name"] = name
    if challenge:
        registry["headers"] = [f"www-authenticate: {challenge}"]
    request: dict[str, object] = {"v": _VERSION, "registry": registry, "kind": "get", "operation": "read"}
    if args:
        request["args"] = list(args)
    return json.dumps(request, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def parse_answer(output: bytes, provider: str) -> str | None:
    """Return the token in all that a provider printed; None where it has none for this registry.

    `provider` is what messages call it. Raises `ConfigError`, and nothing else, for its failures and for
    what is not the protocol; no message holds a token.
    """
    if len(output) > MAX_PROVIDER_ANSWER_BYTES:
        raise ConfigError(
            f"{provider} printed more than {MAX_PROVIDER_ANSWER_BYTES} bytes (MAX_PROVIDER_ANSWER_BYTES)"
        )
    lines = [line for line in output.split(b"\n") if line.strip()]
    if len(lines) < 2:
        raise _wrong(provider, "it ended without an answer" if lines else "it printed nothing")
    versions = _object(lines[0], provider, "hello").get("v")
    if not isinstance(versions, list) or _VERSION not in versions:
        raise _wrong(provider, f"it does not speak version {_VERSION}")
    answer = _object(lines[1], provider, "answer")
    done, failed = answer.get("Ok"), answer.get("Err")
    if isinstance(done, dict):
        token = done.get("token")
        if done.get("kind") != "get" or not isinstance(token, str):
            raise _wrong(provider, "its answer has no token")
        return token
    if not isinstance(failed, dict):
        raise _wrong(provider, "its answer is neither Ok nor Err")
    kind = failed.get("kind")
    if kind in _NOT_MINE:
        return None
    raise ConfigError(f"{provider} failed: {_reason(failed, kind)[:_SHOWN_CHARACTERS]}")


def _reason(failed: dict[str, object], kind: object) -> str:
    message, causes = failed.get("message"), failed.get("caused-by")
    parts = [message] if isinstance(message, str) else [str(kind)]
    if isinstance(causes, list):
        parts += [cause for cause in causes if isinstance(cause, str)]
    return ": ".join(parts)


def _object(line: bytes, provider: str, which: str) -> dict[str, object]:
    try:
        value: object = json.loads(line.decode())
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _wrong(provider, f"its {which} is no JSON object")  # not shown: it may hold a token
    return value


def _wrong(provider: str, why: str) -> ConfigError:
    return ConfigError(
        f"{provider} does not answer as a credential provider does: {why}",
        hint="a program that only prints a token is configured as `cargo:token-from-stdout PROGRAM`",
    )
