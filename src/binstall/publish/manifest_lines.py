"""Where in a `Cargo.toml` something stands: `Cargo.toml:12`, for whoever has to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from binstall.formats.metadata import Layer
from binstall.formats.toml_text import toml_string
from binstall.publish.toml_statements import statements

_HOME = ("metadata", "binstall")


@dataclass(frozen=True, slots=True)
class ManifestLines:
    """The text of one manifest that has been read without complaint."""

    name: str
    """How messages call the file: its path, as the publisher would write it."""
    text: str

    def place(self, *path: str) -> str:
        """Return the place of a key or table below `[package]`, or of what is nearest above it."""
        best, line = 0, 0
        for number, found in self._paths():
            common = _common(found[1:], path)
            if found[0] in {"package", "project"} and common + 1 == len(found) and common + 1 > best:
                best, line = common + 1, number
        return f"{self.name}:{line}" if line else self.name

    def in_layer(self, layer: Layer, *path: str) -> str:
        """Return the place of a key of one table of metadata."""
        return self.place(*_HOME, *(() if layer.key is None else ("overrides", layer.key)), *path)

    def _paths(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        number = 1
        for statement in statements(self.text.removeprefix("\ufeff")):
            if statement.kind != "remark" and statement.path:
                # What stands before a statement's first line are no lines of it.
                blank = len(statement.text) - len(statement.text.lstrip("\r\n \t"))
                yield number + statement.text[:blank].count("\n"), statement.path
            number += statement.text.count("\n")


def table_of(key: str | None, *inner: str) -> str:
    """Return the header of a table of metadata, of the override `key` or the base, as one writes it."""
    parts = ["package", *_HOME]
    if key is not None:
        plain = all(character.isalnum() or character in "-_" for character in key)
        parts += ["overrides", key if plain else toml_string(key)]
    return f"[{'.'.join([*parts, *inner])}]"


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
