"""The one way for foreign text to reach a terminal, a log or a JSON message.

Names, URLs, comments, server answers, TOML keys and archive members are chosen by strangers. Shown as
they are, they could move the cursor, reverse reading order, start a line that looks like ours, or
speak to a CI system whose log reader obeys `::command::`, `##[command]` and `##vso[command]`.
"""

from __future__ import annotations

import re
import unicodedata

_BACKSLASH_NAMES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}
_ALWAYS_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
_CI_COMMAND = re.compile(r"##(?=\[|vso\[)", re.IGNORECASE)
_CI_LINE = re.compile(r"^(\s*):(?=:)")
_PLAIN = re.compile(r"[ -\[\]-~]*\Z")


def visible(foreign: str, *, keep_tabs: bool = False, limit: int = 4096) -> str:
    r"""Return `foreign` as one line in which everything that is there can be seen.

    Control, format, surrogate and private-use characters and line separators become `\n`, `\t`,
    `\x1b` or `\u{202e}`; a back-slash is doubled, so the result is unambiguous; CI commands lose
    their first mark; text beyond `limit` characters is cut and its length told. With `keep_tabs`
    a TAB, the field separator of trusted comments, becomes two spaces.
    """
    cut = ""
    if len(foreign) > limit:
        cut = f"… ({len(foreign)} characters)"
        foreign = foreign[:limit]
    if not _PLAIN.match(foreign):
        if keep_tabs:
            foreign = foreign.replace("\t", "  ")
        foreign = "".join(_shown(character) for character in foreign)
    foreign = _CI_COMMAND.sub(r"\\x23#", foreign)
    return _CI_LINE.sub(r"\1\\x3a", foreign) + cut


def _shown(character: str) -> str:
    named = _BACKSLASH_NAMES.get(character)
    if named is not None:
        return named
    if unicodedata.category(character) in _ALWAYS_HIDDEN:
        code = ord(character)
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{{{code:x}}}"
    return character


def sentence(message: str, *, limit: int = 4096) -> str:
    """Return an error message or hint fit to print after its prefix: `visible`, back-slashes kept.

    Messages mix our words with foreign ones; on Windows they hold paths, which must stay readable.
    """
    return visible(message, limit=limit).replace("\\\\", "\\")


def without_secrets(url: str) -> str:
    """Return `url` without user-info and without query values, for printing and recording."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    ends = [at for at in (rest.find("/"), rest.find("?"), rest.find("#")) if at >= 0]
    at = min(ends) if ends else len(rest)
    authority, tail = rest[:at], rest[at:]
    authority = authority.rpartition("@")[2]
    tail = tail.partition("#")[0]
    path, question, query = tail.partition("?")
    if question:
        names = [pair.partition("=")[0] for pair in query.split("&")]
        query = "&".join(f"{name}=…" if name else "…" for name in names)
    return f"{scheme}{separator}{authority}{path}{question}{query}"
