"""TOML written from the values that `tomllib` reads: what goes in comes out again, comments aside.

Only what cargo's own files need: top-level keys, one level of tables with a header, everything below
inline; arrays in cargo's style, one element inline, more of them one on each line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")
_ESCAPED = re.compile(r'["\\\x00-\x1f\x7f]')
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def toml_string(text: str) -> str:
    """Return `text` as a basic string on one line."""
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    return _ESCAPES.get(character) or f"\\u{ord(character):04x}"


def toml_array(strings: Iterable[str]) -> str:
    """Return an array of strings in cargo's style."""
    texts = [toml_string(text) for text in strings]
    if len(texts) <= 1:
        return f"[{''.join(texts)}]"
    return "[\n" + "".join(f"    {text},\n" for text in texts) + "]"


def toml_document(values: Mapping[str, object]) -> Iterator[str]:
    """Yield lines for a document of the types that `tomllib` makes; tables of the top level come last."""
    for key, value in values.items():
        if not isinstance(value, dict):
            yield f"{_key(key)} = {_inline(value)}\n"
    for key, value in values.items():
        if isinstance(value, dict):
            yield f"\n[{_key(key)}]\n"
            for inner, element in value.items():
                yield f"{_key(inner)} = {_inline(element)}\n"


def _key(text: str) -> str:
    return text if _BARE_KEY.match(text) else toml_string(text)


def _inline(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            # A decimal of more than 4300 digits can neither be read nor written by Python; only the
            # positive hexadecimal, octal and binary forms can have given such a number.
            return str(value) if value < 1 << 63 else hex(value)
        case float():
            return repr(value) if math.isfinite(value) else str(value)
        case datetime() | date() | time():
            return value.isoformat()
        case list():
            return "[" + ", ".join(_inline(element) for element in value) + "]"
        case dict():
            return (
                "{" + ", ".join(f"{_key(key)} = {_inline(element)}" for key, element in value.items()) + "}"
            )
        case _:
            return toml_string(str(value))
