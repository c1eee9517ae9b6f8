"""A TOML text cut into statements, so that one table can be changed and every other byte stays as it is.

    [a.b]                 header            path a.b
    c.d = '…'             key and value     path a.b.c.d, on however many lines
    # note                remark            blank lines and lines with a comment only

Works on text that `tomllib` has read without complaint; nothing is said about other text. The statements,
joined, are the text.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

_LEXEME = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*"
    r"|[\[{]|[\]}]|\n|[^\"'#\[\]{}\n]+",
    re.DOTALL,
)
_KEY_PART = r"""(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
_KEY = re.compile(rf"[ \t]*({_KEY_PART}(?:[ \t]*\.[ \t]*{_KEY_PART})*)[ \t]*=[ \t]*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})' r"|'''.*?'''(?:'{0,2})" r'|"(?:\\.|[^"\\\n])*"' r"|'[^'\n]*'",
    re.DOTALL,
)

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement with its line end."""

    kind: Literal["header", "value", "remark"]
    text: str
    path: Path
    """Full dotted path: of the table for a header, of the key for a value; of a remark, its table's."""

    @property
    def is_blank(self) -> bool:
        """Tell whether there is nothing on the line."""
        return not self.text.strip()

    def with_string(self, literal: str) -> Statement | None:
        """Return this value with another string literal in place of its own; None if it is no string."""
        key = _KEY.match(self.text)
        old = _STRING.match(self.text, key.end()) if key else None
        if old is None:
            return None
        return Statement("value", self.text[: old.start()] + literal + self.text[old.end() :], self.path)


def statements(text: str) -> list[Statement]:
    """Cut `text`, which is TOML and has no byte order mark, into its statements."""
    found: list[Statement] = []
    table: Path = ()
    for piece in _pieces(text):
        bare = piece.lstrip(" \t\r\n")
        if not bare or bare.startswith("#"):
            found.append(Statement("remark", piece, table))
        elif bare.startswith("["):
            table = _only_path(tomllib.loads(piece))
            found.append(Statement("header", piece, table))
        else:
            key = _KEY.match(piece)
            path = _only_path(tomllib.loads(f"{key[1]} = 0")) if key else ()
            found.append(Statement("value", piece, table + path))
    return found


def _pieces(text: str) -> Iterator[str]:
    start, depth = 0, 0
    for lexeme in _LEXEME.finditer(text):
        match lexeme[0]:
            case "[" | "{":
                depth += 1
            case "]" | "}":
                depth -= 1
            case "\n" if depth <= 0:
                yield text[start : lexeme.end()]
                start = lexeme.end()
    if start < len(text):
        yield text[start:]


def _only_path(document: object) -> Path:
    path: list[str] = []
    while True:
        if isinstance(document, list) and document:
            document = document[0]
        if not isinstance(document, dict) or not document:
            return tuple(path)
        ((key, document),) = document.items()
        path.append(key)
