"""`cfg(...)` expressions as keys of `[package.metadata.binstall.overrides]`.

    expression = "all(" list ")" | "any(" list ")" | "not(" expression ")"
               | identifier [ "=" '"' characters '"' ] | "true" | "false"

as cargo reads platform keys: only the space is white space, strings have no escapes, a list may be empty
and may end in a comma, `r#` before an identifier is dropped. `all()` holds, `any()` does not.

The facts are those of cargo-binstall, taken from the text of the target triple. They are LLVM's names and
not always rustc's: i686 has `target_arch = "i686"`, `…-gnueabihf` has `target_env = "gnueabihf"`, macOS and
FreeBSD have `target_env = "unknown"`, Android has `target_os = "linux"`. A fact that is not in the table
of `_facts` does not hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from binstall.errors import ManifestError
from binstall.formats.target import TargetTriple
from binstall.limits import MAX_CFG_CHARACTERS, MAX_CFG_DEPTH

_TOKEN = re.compile(
    r' *+(?:(?P<mark>[(),=])|"(?P<string>[^"]*)"'
    r"|(?P<raw>r#)?(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<bad>[^ ]))"
)
_FACT_NAMES = frozenset({"target_os", "target_arch", "target_env", "target_vendor", "target_family"})
_FAMILIES = frozenset({"unix", "windows"})


@dataclass(frozen=True, slots=True)
class _Fact:
    """`name` or `name = "value"`."""

    name: str
    value: str | None


@dataclass(frozen=True, slots=True)
class _Constant:
    """`true` or `false`."""

    holds: bool


@dataclass(frozen=True, slots=True)
class _Group:
    """`all(...)`, `any(...)` or `not(...)`; the last has exactly one part."""

    word: str
    parts: tuple[_Expression, ...]


_Expression = _Fact | _Constant | _Group


@dataclass(frozen=True, slots=True)
class CfgExpression:
    """A parsed `cfg(...)` key."""

    text: str
    """As written, `cfg(` and `)` included."""
    root: _Expression
    unknown: frozenset[str]
    """Names that no target has a fact for, such as `feature` or `target_pointer_width`."""

    def matches(self, target: TargetTriple) -> bool:
        """Tell whether the expression holds for `target`."""
        return _holds(self.root, _facts(target))


def parse_cfg(text: str) -> CfgExpression:
    """Read a whole `cfg(...)` key; raise `ManifestError`, and nothing else, on anything else."""
    if len(text) > MAX_CFG_CHARACTERS:
        raise ManifestError(
            f"a cfg() key is longer than {MAX_CFG_CHARACTERS} characters (MAX_CFG_CHARACTERS)"
        )
    if not (text.startswith("cfg(") and text.endswith(")")):
        _refuse(text, "it does not start with `cfg(` and end with `)`")
    parser = _Parser(text)
    root = parser.expression(0)
    if parser.kind != "end":
        _refuse(text, f"`{parser.value}` follows a complete expression")
    return CfgExpression(text, root, frozenset(parser.names - _FACT_NAMES - _FAMILIES))


def _refuse(text: str, problem: str) -> NoReturn:
    shown = text if len(text) <= 120 else f"{text[:120]}…"
    raise ManifestError(f"`{shown}` is not a cfg() expression: {problem}")


class _Parser:
    """One token of look-ahead over the text between `cfg(` and `)`."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split(text[len("cfg(") : -1])
        self.names: set[str] = set()
        self.kind, self.value = "", ""
        self._advance()

    def _split(self, inner: str) -> Iterator[tuple[str, str]]:
        for token in _TOKEN.finditer(inner):
            if token["bad"] is not None:
                _refuse(self._text, f"unexpected character `{token['bad']}`")
            if token["mark"] is not None:
                yield token["mark"], token["mark"]
            elif token["string"] is not None:
                yield "string", token["string"]
            else:
                yield ("raw" if token["raw"] else "word"), token["word"]

    def _advance(self) -> None:
        self.kind, self.value = next(self._tokens, ("end", "its end"))

    def _take(self, kind: str) -> str:
        if self.kind != kind:
            _refuse(self._text, f"expected {kind}, found `{self.value}`")
        value = self.value
        self._advance()
        return value

    def expression(self, depth: int) -> _Expression:
        if depth > MAX_CFG_DEPTH:
            _refuse(self._text, f"nested deeper than {MAX_CFG_DEPTH} (MAX_CFG_DEPTH)")
        if self.kind == "word" and self.value in {"all", "any", "not"}:
            word = self._take("word")
            self._take("(")
            parts = (self.expression(depth + 1),) if word == "not" else self._list(depth + 1)
            self._take(")")
            return _Group(word, parts)
        if self.kind == "word" and self.value in {"true", "false"}:
            return _Constant(self._take("word") == "true")
        if self.kind == "raw":
            return self._fact(self._take("raw"))
        return self._fact(self._take("word"))

    def _list(self, depth: int) -> tuple[_Expression, ...]:
        parts: list[_Expression] = []
        while self.kind != ")":
            parts.append(self.expression(depth))
            if self.kind != ",":
                break
            self._advance()
        return tuple(parts)

    def _fact(self, name: str) -> _Fact:
        self.names.add(name)
        if self.kind != "=":
            return _Fact(name, None)
        self._advance()
        return _Fact(name, self._take("string"))


def _facts(target: TargetTriple) -> frozenset[_Fact]:
    facts = {
        _Fact("target_os", target.os_name),
        _Fact("target_arch", target.arch),
        _Fact("target_env", target.libc),
        _Fact("target_vendor", target.vendor),
    }
    if target.cfg_family is not None:
        facts |= {_Fact("target_family", target.cfg_family), _Fact(target.cfg_family, None)}
    return frozenset(facts)


def _holds(expression: _Expression, facts: frozenset[_Fact]) -> bool:
    if isinstance(expression, _Constant):
        return expression.holds
    if isinstance(expression, _Fact):
        return expression in facts
    verdicts = (_holds(part, facts) for part in expression.parts)
    if expression.word == "any":
        return any(verdicts)
    if expression.word == "all":
        return all(verdicts)
    return not any(verdicts)
