"""`Cargo.toml` as bounded TOML, and its tables read by type.

Whatever is wrong with the text or with a value, the error is the one class that the reader was given.
Numbers of any kind, dates and unknown tables are accepted by the TOML parser and never looked at.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from binstall.errors import ManifestError
from binstall.limits import MAX_MANIFEST_BYTES, MAX_MANIFEST_KEY_PARTS, MAX_METADATA_KEYS

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")
# tomllib needs time quadratic in the number of parts of one dotted key.
_KEY_PART = r"""(?:(?<![A-Za-z0-9_-])[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+"""
_LONG_KEY = re.compile(f"(?>{_KEY_PART}){{{MAX_MANIFEST_KEY_PARTS}}}")


@dataclass(frozen=True, slots=True)
class Table:
    """One TOML table, with what an error message about it must name."""

    values: Mapping[str, object]
    """As the TOML parser gave them; nothing is known about their types."""
    what: str
    """The file in words: `Cargo.toml`, `Cargo.toml of ripgrep 14.1.1`, a path."""
    where: str
    """Dotted path of the table; empty for the document."""
    error: type[ManifestError]
    """Raised for whatever is wrong."""

    def path(self, key: str) -> str:
        """Return the dotted path of `key` in this table, cut where it is absurdly long."""
        shown = key if len(key) <= 80 else f"{key[:80]}…"
        if not _BARE_KEY.match(key):
            shown = f"'{shown}'"
        return f"{self.where}.{shown}" if self.where else shown

    def wrong(self, key: str, problem: str, *, hint: str | None = None) -> ManifestError:
        """Return the error that says what is wrong with `key`."""
        return self.error(f"{self.what}: `{self.path(key)}` {problem}", hint=hint)

    def note(self, key: str, remark: str) -> str:
        """Return a warning about `key`, worded as errors are."""
        return f"{self.what}: `{self.path(key)}` {remark}"

    def string(self, key: str, limit: int, limit_name: str) -> str | None:
        """Return a string of at most `limit` characters, or None where there is no such key."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.wrong(key, f"is {_kind(value)}, expected a string")
        if len(value) > limit:
            raise self.wrong(key, f"is longer than {limit} characters ({limit_name})")
        return value

    def boolean(self, key: str, default: bool) -> bool:
        """Return `true` or `false`, or `default` where there is no such key."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, f"is {_kind(value)}, expected true or false")
        return value

    def strings(self, key: str, limit: int, limit_name: str) -> tuple[str, ...]:
        """Return an array of bounded strings; empty where there is no such key."""
        value = self.values.get(key, [])
        if not isinstance(value, list):
            raise self.wrong(key, f"is {_kind(value)}, expected an array of strings")
        if len(value) > MAX_METADATA_KEYS:
            raise self.wrong(key, f"has more than {MAX_METADATA_KEYS} entries (MAX_METADATA_KEYS)")
        entries = [Table({key: entry}, self.what, self.where, self.error) for entry in value]
        return tuple(entry.string(key, limit, limit_name) or "" for entry in entries)

    def table(self, key: str) -> Table | None:
        """Return the table `key`, or None where there is no such key."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.wrong(key, f"is {_kind(value)}, expected a table")
        return Table(value, self.what, self.path(key), self.error)

    def tables(self, key: str, limit: int, limit_name: str) -> tuple[Table, ...]:
        """Return an array of at most `limit` tables; empty where there is no such key."""
        value = self.values.get(key, [])
        if not isinstance(value, list):
            raise self.wrong(key, f"is {_kind(value)}, expected an array of tables")
        if len(value) > limit:
            raise self.wrong(key, f"has more than {limit} entries ({limit_name})")
        found = []
        for number, entry in enumerate(value):
            if not isinstance(entry, dict):
                raise self.wrong(key, f"holds {_kind(entry)}, expected tables only")
            found.append(Table(entry, self.what, f"{self.path(key)}[{number}]", self.error))
        return tuple(found)


def parse_cargo_toml(
    text: bytes | str, *, what: str = "Cargo.toml", error: type[ManifestError] = ManifestError
) -> Table:
    """Read a whole document; raise `error`, and nothing else, on what is not TOML or beyond a bound."""
    if len(text) > MAX_MANIFEST_BYTES:
        raise error(f"{what} has more than {MAX_MANIFEST_BYTES} bytes (MAX_MANIFEST_BYTES)")
    try:
        raw = text.encode() if isinstance(text, str) else text
        document = raw.decode().removeprefix("\ufeff")
    except UnicodeError as cause:
        raise error(f"{what} is not UTF-8 text") from cause
    if _LONG_KEY.search(document):
        raise error(
            f"{what} has a key of more than {MAX_MANIFEST_KEY_PARTS} parts (MAX_MANIFEST_KEY_PARTS)"
        )
    try:
        values = tomllib.loads(document)
    except RecursionError:
        # Without its cause: a thousand frames say nothing.
        raise error(f"{what} is nested too deeply to be read") from None
    except ValueError as cause:  # also what datetime and int say about numbers beyond their range
        raise error(f"{what} is not valid TOML: {str(cause)[:200]}") from cause
    return Table(values, what, "", error)


def _kind(value: object) -> str:
    if isinstance(value, str):
        return "a string"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, dict):
        return "a table"
    return "an array" if isinstance(value, list) else "a date or time"
