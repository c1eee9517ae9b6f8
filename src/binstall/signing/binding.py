"""What a trusted comment says a file is, against what is being installed.

A signature proves who signed some bytes, not that these are the bytes asked for: an older release with its
own good signature can be served under a newer name. Trusted comments carry fields, separated by TAB; those
that start with `file:`, `crate:`, `version:` or `target:` must equal the install at hand, all of them if
several. A field that is absent proves and demands nothing; `timestamp:` is shown and never compared.
Of `file:` only what follows the last `/` or back-slash counts, since tools write the path as it was typed.
Equal means the same characters: no case folding, no normalisation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from binstall.errors import BadSignature, TemplateError, UsageError
from binstall.formats.minisig import has_control_characters
from binstall.limits import MAX_URL_CHARACTERS

_FIELDS: Final = ("file", "crate", "version", "target")
_SHOWN_CHARACTERS = 200
_NAME_HINT = (
    "an older or other release may have been put in this one's place; if the publisher renamed the file "
    "after signing it, --allow-name-mismatch CRATE goes on"
)


@dataclass(frozen=True, slots=True)
class Expected:
    """What is being installed. None: not known here, so a field of that name is not compared."""

    file_name: str | None
    """Of the asset, from `asset_name`; empty if its URL names none, which no `file:` field equals."""
    crate: str | None = None
    """Name as the registry spells it."""
    version: str | None = None
    """Without a leading `v`."""
    target: str | None = None
    """Target triple."""
    must_name_file: bool = False
    """Whether a comment without `file:` is refused: so where one key signs the packages of many crates."""


def check_binding(trusted_comment: str, expected: Expected) -> None:
    """Compare every known field of a verified trusted comment.

    Raises:
        BadSignature: reason `name`; the message holds both values.
    """
    for mismatch in mismatches(trusted_comment, expected):
        raise BadSignature(mismatch, reason="name", hint=_NAME_HINT)


def mismatches(trusted_comment: str, expected: Expected) -> tuple[str, ...]:
    """Return one sentence per field that names something else than `expected`."""
    wanted = {
        "file": expected.file_name,
        "crate": expected.crate,
        "version": expected.version,
        "target": expected.target,
    }
    fields = list(trusted_fields(trusted_comment))
    wrong = [
        f"the signature was made for {name} {_shown(signed)}, and this is {name} {_shown(want)}"
        for name, signed in fields
        if (want := wanted[name]) is not None and (signed != want or not signed)
    ]
    if expected.must_name_file and not any(name == "file" for name, _ in fields):
        wrong.append(f"the signature does not say for which file it was made, and this is {wanted['file']}")
    return tuple(wrong)


def trusted_fields(trusted_comment: str) -> Iterator[tuple[str, str]]:
    """Yield name and value of every known field, in order; of `file` the base name."""
    for text in trusted_comment.split("\t"):
        name, colon, value = text.partition(":")
        if colon and name in _FIELDS:
            yield name, _base_name(value) if name == "file" else value


def trusted_comment_for(expected: Expected, *, timestamp: int) -> str:
    """Return the default trusted comment of a new signature: minisign's fields, then what is known.

    Raises:
        UsageError: a value is empty or holds a TAB or another control character, or the file name holds
            a path separator: it would not be read back as it was meant.
    """
    fields = {"crate": expected.crate, "version": expected.version, "target": expected.target}
    known = [(name, value) for name, value in fields.items() if value is not None]
    name = expected.file_name or ""
    for what, value in [("file", name), *known]:
        if not value or "\t" in value or has_control_characters(value) or not _is_utf8(value):
            raise UsageError(f"{what} name {value!r:.200} cannot stand in a trusted comment")
    if _base_name(name) != name:
        raise UsageError(f"file name {name!r:.200} holds a path separator")
    return "\t".join([f"timestamp:{timestamp}", f"file:{name}", "hashed", *(f"{k}:{v}" for k, v in known)])


def asset_name(url: str) -> str:
    """Return the file name that a URL, as asked for before redirects, gives to its asset.

    The last path segment, percent-decoded, without query and fragment; empty if the path ends in a slash
    or is absent. Bytes that are no UTF-8 become lone surrogates, which no signed text equals.

    Raises:
        TemplateError: the URL is longer than MAX_URL_CHARACTERS.
    """
    if len(url) > MAX_URL_CHARACTERS:
        raise TemplateError(
            f"the URL has {len(url)} characters, more than {MAX_URL_CHARACTERS} (MAX_URL_CHARACTERS)"
        )
    path = url.partition("#")[0].partition("?")[0]
    _, authority_follows, rest = path.partition("://")
    if authority_follows:
        path = rest.replace("\\", "/").partition("/")[2]
    segment = path.replace("\\", "/").rpartition("/")[2]
    return unquote_to_bytes(segment.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogateescape")


def _base_name(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: str) -> str:
    if not value:
        return "(none)"
    return value if len(value) <= _SHOWN_CHARACTERS else value[:_SHOWN_CHARACTERS] + "…"
