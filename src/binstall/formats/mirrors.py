"""`[[mirror]]` of the settings file: prefixes of URLs that another host stands in for.

    [[mirror]]
    from = "https://github.com/"        https, a whole number of path segments, and so with a final slash
    to = "https://mirror/gh/"           http(s), with a final slash; may hold a user name and a password
    fallback = false                    whether the original is asked where the mirror does not have a file

The longest `from` that fits a URL counts. A rule that cannot be read is an error, whichever file has it: a
machine that is to reach nothing but its mirror would otherwise try to. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from binstall.errors import MirrorError, TemplateError
from binstall.formats.url import normal_url
from binstall.text import without_secrets

_KEYS = frozenset({"from", "to", "fallback"})
_FINAL_DOT = re.compile(r"\.+(?=(:[0-9]+)?\Z)")


@dataclass(frozen=True, slots=True)
class Mirror:
    """One rule."""

    original: str
    """Normal https URL with a final slash, without user-info: what is asked for by everybody else."""
    to: str = field(repr=False)
    """Normal http(s) URL with a final slash: what is asked here. May hold a password."""
    fallback: bool = False
    """Whether the original may be asked after all."""

    def __str__(self) -> str:
        return without_secrets(self.to)


def parse_mirrors(value: object) -> tuple[Mirror, ...]:
    """Read the value of `mirror`; raise `MirrorError`, and nothing else, if it is no list of such rules.

    The message begins with a verb: whoever knows the path sets it before.
    """
    if value is None:
        return ()
    if not isinstance(value, list):
        raise MirrorError("has `mirror` that is no list of tables: write [[mirror]]")
    mirrors = [_mirror(number, table) for number, table in enumerate(value, start=1)]
    originals = [mirror.original for mirror in mirrors]
    for original in originals:
        if originals.count(original) > 1:
            raise MirrorError(f"has two [[mirror]] rules from {original}")
    return tuple(mirrors)


def _mirror(number: int, table: object) -> Mirror:
    what = f"[[mirror]] number {number}"
    if not isinstance(table, dict):
        raise MirrorError(f"has `mirror` whose entry {number} is no table")
    unknown = sorted(str(key) for key in table if key not in _KEYS)
    if unknown:
        raise MirrorError(f"has {what} with `{unknown[0][:80]}`, which is none of from, to, fallback")
    fallback = table.get("fallback", False)
    if not isinstance(fallback, bool):
        raise MirrorError(f"has {what} that does not say true or false to `fallback`")
    original, to = _prefix(table, "from", what), _prefix(table, "to", what)
    if not original.startswith("https:") or "@" in urlsplit(original).netloc:
        raise MirrorError(
            f"has {what} whose `from` is {without_secrets(original)}: it must be https, without a user name"
        )
    return Mirror(original, to, fallback)


def _prefix(table: dict[str, object], key: str, what: str) -> str:
    text = table.get(key)
    if not isinstance(text, str):
        raise MirrorError(f"has {what} without text in `{key}`")
    try:
        url = normal_url(text, what=f"`{key}` of {what}")
    except TemplateError as error:
        raise MirrorError(f"cannot be used: {error.message}") from error
    if not url.endswith("/") or "?" in url or "#" in text:
        raise MirrorError(
            f"has {what} whose `{key}` is {without_secrets(url)}: it must end with a slash, which ends a host's "
            "name or a folder's"
        )
    return url


def mirror_for(mirrors: Sequence[Mirror], url: str) -> tuple[Mirror, str] | None:
    """Return the rule that counts for `url`, and the rest of the URL behind its prefix; None for others.

    Raises:
        TemplateError: `url` is no absolute http(s) URL.
    """
    normal = normal_url(url, what="the URL")
    scheme, slashes, rest = normal.partition("://")
    authority, slash, path = rest.partition("/")
    # A final dot of the host's name names the same host.
    host = _FINAL_DOT.sub("", authority.rpartition("@")[2])
    plain = f"{scheme}{slashes}{host}{slash}{path}"
    best = max(
        (mirror for mirror in mirrors if plain.startswith(mirror.original)),
        key=lambda mirror: len(mirror.original),
        default=None,
    )
    return None if best is None else (best, plain.removeprefix(best.original))
