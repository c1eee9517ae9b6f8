"""Words that were probably meant to be another: a typing error must not switch verification off.

A manifest key that no one reads is normally harmless. A misspelled `signing` is not: the package would
count as unsigned, and nobody would notice. So whatever looks like it is an error; the rest is a warning.
"""

from __future__ import annotations

from collections.abc import Collection

from binstall.limits import MAX_NAME_CHARACTERS

SIGNING_KEYS = frozenset({"algorithm", "pubkey", "file", "group", "release"})
"""All keys of a `signing` table."""
PRIVATE_PREFIX = "x-"
"""Keys that start so belong to somebody else, at every level."""

_NEAR = 2
_SIGNING_WORDS = frozenset({"sig", "sigs", "algorithm", "pubkey", "publickey"})
_OTHER_NAMES = {
    "publickey": "pubkey",
    "key": "pubkey",
    "minisignkey": "pubkey",
    "verifyingkey": "pubkey",
    "alg": "algorithm",
    "algo": "algorithm",
    "type": "algorithm",
    "kind": "algorithm",
    "scheme": "algorithm",
    "url": "file",
    "sig": "file",
    "signature": "file",
    "signatureurl": "file",
    "path": "file",
    "version": "release",
}


def meant(word: str, known: Collection[str]) -> str | None:
    """Return the known word at an edit distance of at most 2, the nearest first, or None.

    Case, `-` and `_` make no difference.
    """
    plain = _plain(word)
    distances = [(_distance(plain, _plain(candidate)), candidate) for candidate in sorted(known)]
    near = [pair for pair in distances if pair[0] <= _NEAR]
    return min(near)[1] if near else None


def meant_in_signing(word: str) -> str | None:
    """Return the key of a `signing` table that `word` probably stands for, or None."""
    return _OTHER_NAMES.get(_plain(word)) or meant(word, SIGNING_KEYS)


def looks_like_signing(word: str) -> bool:
    """Tell whether a key may be a misspelled `signing` or `signatures`, or a stray key of such a table."""
    if word.startswith(PRIVATE_PREFIX):
        return False
    plain = _plain(word)
    return (
        plain.startswith("sign")
        or "signing" in plain
        or "signature" in plain
        or "minisign" in plain
        or plain in _SIGNING_WORDS
        or meant(word, {"signing", "signatures"}) is not None
    )


def holds_signing(value: object) -> bool:
    """Tell whether a TOML value has, at any depth, a key that looks like `signing`."""
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            if any(looks_like_signing(key) for key in current):
                return True
            waiting.extend(inner for key, inner in current.items() if not key.startswith(PRIVATE_PREFIX))
        elif isinstance(current, list):
            waiting.extend(current)
    return False


def _plain(word: str) -> str:
    return word[:MAX_NAME_CHARACTERS].casefold().replace("-", "").replace("_", "")


def _distance(one: str, other: str) -> int:
    """Return the Levenshtein distance, or any number above `_NEAR` where it is above."""
    if abs(len(one) - len(other)) > _NEAR or len(other) - sum(map(other.__contains__, one)) > _NEAR:
        return _NEAR + 1
    above = list(range(len(other) + 1))
    for row, left in enumerate(one, 1):
        line = [row]
        for column, right in enumerate(other, 1):
            line.append(min(above[column] + 1, line[-1] + 1, above[column - 1] + (left != right)))
        above = line
    return above[-1]
