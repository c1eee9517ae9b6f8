"""The one way for foreign text to reach a terminal, a log or a JSON message.

Names, URLs, comments, server answers, TOML keys and archive members are chosen by strangers. Shown as
they are, they could move the cursor, reverse reading order, start a line that looks like ours, or
speak to a CI system whose log reader obeys `::command::`, `##[command]`, `##vso[command]` and
`##teamcity[command]`.
"""

from __future__ import annotations

import re
import unicodedata

_BACKSLASH_NAMES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}
_ALWAYS_HIDDEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
# The long ones are compiled at their first use: most runs show ASCII and no URL.
_BLANK_LETTERS = (
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_CI_COMMAND = re.compile(r"##(?=[a-z]*\[)", re.IGNORECASE)
_CI_LINE = re.compile(r"^(\s*):(?=:)")
_TO_AUTHORITY = r"\A([^?#@]*?:(?=[/\\]))?([/\\]*)([^/\\?#]*)"
_HOST = r"(?:\[[^\]]*\]|[^:]*)(?::[0-9]*)?"
_PLAIN = re.compile(r"[ -\[\]-~]*\Z")


def visible(foreign: str, *, keep_tabs: bool = False, limit: int = 4096) -> str:
    r"""Return `foreign` as one line in which everything that is there can be seen.

    Control, format, unassigned, surrogate and private-use characters, line separators and letters
    that are drawn as nothing become `\n`, `\t`,
    `\x1b` or `\u{202e}`; a back-slash is doubled, so the result is unambiguous; CI commands lose
    their first mark; text beyond `limit` characters is cut and its length told. With `keep_tabs`
    a TAB, the field separator of trusted comments, becomes two spaces.
    """
    cut = ""
    if len(foreign) > limit:
        cut = f"… ({len(foreign)} characters)"
        foreign = foreign[:limit]
    if keep_tabs:
        foreign = foreign.replace("\t", "  ")
    if not _PLAIN.match(foreign):
        foreign = "".join(_shown(character) for character in foreign)
    foreign = _CI_COMMAND.sub(r"\\x23#", foreign)
    return _CI_LINE.sub(r"\1\\x3a", foreign) + cut


def _shown(character: str) -> str:
    named = _BACKSLASH_NAMES.get(character)
    if named is not None:
        return named
    if unicodedata.category(character) in _ALWAYS_HIDDEN or re.match(_BLANK_LETTERS, character):
        code = ord(character)
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{{{code:x}}}"
    return character


def sentence(message: str, *, limit: int = 4096) -> str:
    """Return an error message or hint fit to print after its prefix: `visible`, back-slashes kept.

    Messages mix our words with foreign ones; on Windows they hold paths, which must stay readable.
    """
    return visible(message, limit=limit).replace("\\\\", "\\")


def without_secrets(url: str) -> str:
    """Return `url` without user-info, query values and fragment, for recording, and `visible` to print.

    Takes any text, and where it is no proper URL keeps less rather than more.
    """
    address, question, query = re.sub(_TO_AUTHORITY, _without_user, url.partition("#")[0]).partition("?")
    if question:
        pairs = [pair.partition("=") for pair in query.split("&")]
        query = "&".join(f"{name}=…" if equals else "…" for name, equals, _ in pairs)
    return f"{address}{question}{query}"


def _without_user(match: re.Match[str]) -> str:
    scheme, slashes, authority = match.groups(default="")
    if scheme.lower() == "file:" or (not scheme and len(slashes) == 1):
        return match.group()
    authority = authority.rpartition("@")[2]
    if not re.fullmatch(_HOST, authority):
        authority = authority.partition(":")[0] + ":…"
    return f"{scheme}{slashes}{authority}"
