"""Which binaries a package has: `[[bin]]` and what cargo infers from `src/main.rs` and `src/bin`.

With `autobins` (the default):

1. a `[[bin]]` with a `path` stands as it is; the path need not exist;
2. `src/bin/X.rs` and `src/bin/X/main.rs` give a binary `X`, unless a `[[bin]]` has that path;
3. `src/main.rs` gives a binary named like the package, unless a `[[bin]]` has that path;
4. a `[[bin]]` without a path lends its settings to the inferred binary of its name, and is dropped where
   nothing of its name was inferred.

With `autobins = false`, exactly the `[[bin]]` entries. Entries without a name are dropped. A name is
installed once: an inferred binary gives way to a `[[bin]]` of its name, as in cargo.

A name becomes a file name on whatever machine installs it, so it must be one plain path component on all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from binstall.formats.cargo_toml import Table
from binstall.limits import (
    MAX_BINARIES,
    MAX_METADATA_STRING_CHARACTERS,
    MAX_NAME_CHARACTERS,
)

_INFERRED = re.compile(r"src/bin/(?:([^/]+)\.rs|([^/]+)/main\.rs)\Z")
_WINDOWS_DEVICE = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])[ ]*(?:\.|\Z)", re.IGNORECASE
)
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Binary:
    """One binary of a package."""

    name: str
    """One plain path component, without `.exe`."""
    required_features: tuple[str, ...]
    """Where there are some, the archive may lack this binary."""
    by_default: bool = True
    """Whether the package's default features switch all of them on."""


def read_binaries(document: Table, package: Table, name: str, files: Collection[str]) -> tuple[Binary, ...]:
    """Return the binaries of the package `name`, sorted by name.

    `files` holds paths in the package's folder with `/` between components; only `src/main.rs` and what is
    in `src/bin` is looked at. Raises the table's error for a wrong type, a bad name or a name given twice.
    """
    explicit: dict[str, Binary] = {}
    pathless: dict[str, Binary] = {}
    taken: set[str] = set()
    autobins = package.boolean("autobins", default=True)
    default_features = _default_features(document)
    for entry in document.tables("bin", MAX_BINARIES, "MAX_BINARIES"):
        binary, path = _read_entry(entry, default_features)
        if binary is None:
            continue
        if binary.name in explicit or binary.name in pathless:
            raise entry.wrong("name", f"is `{binary.name}`, which an earlier [[bin]] has")
        if path is not None:
            taken.add(path)
        if path is not None or not autobins:
            explicit[binary.name] = binary
        else:
            pathless[binary.name] = binary
    if autobins:
        for inferred, path in _inferred(name, files):
            if path in taken or inferred in explicit:
                continue
            problem = name_problem(inferred)
            if problem is not None:
                raise document.error(
                    f"{document.what}: binary `{inferred[:80]}` of `{path[:200]}` {problem}"
                )
            explicit[inferred] = pathless.get(inferred) or Binary(inferred, ())
            if len(explicit) > MAX_BINARIES:
                raise document.wrong("bin", f"has more than {MAX_BINARIES} entries (MAX_BINARIES)")
    return tuple(explicit[key] for key in sorted(explicit))


def name_problem(name: str) -> str | None:
    """Say why `name` is not one plain path component on every platform, or None."""
    if not name:
        return "is empty"
    if len(name) > MAX_NAME_CHARACTERS:
        return f"is longer than {MAX_NAME_CHARACTERS} characters (MAX_NAME_CHARACTERS)"
    if name in {".", ".."}:
        return "is not a file name"
    if any(mark in name for mark in "/\\"):
        return "has a path separator"
    if any(unicodedata.category(character) in _HIDDEN for character in name):
        return "has control or invisible characters"
    if any(mark in name for mark in ':*?"<>|'):
        return "has a character that Windows gives a meaning to"
    if name[0] == " " or name[-1] in " ." or _WINDOWS_DEVICE.match(name):
        return "is not a plain file name on Windows"
    return None


def _default_features(document: Table) -> frozenset[str]:
    """Return the features that `default` switches on, directly or through others."""
    features = document.values.get("features")
    if not isinstance(features, dict):
        return frozenset()
    found: set[str] = set()
    waiting = ["default"]
    while waiting:
        name = waiting.pop()
        if name in found or name not in features:
            continue
        found.add(name)
        if isinstance(features[name], list):
            waiting += [each for each in features[name] if isinstance(each, str)]
    return frozenset(found)


def _read_entry(entry: Table, default_features: frozenset[str]) -> tuple[Binary | None, str | None]:
    name = entry.string("name", MAX_METADATA_STRING_CHARACTERS, "MAX_METADATA_STRING_CHARACTERS")
    path = entry.string("path", MAX_METADATA_STRING_CHARACTERS, "MAX_METADATA_STRING_CHARACTERS")
    features = entry.strings("required-features", MAX_NAME_CHARACTERS, "MAX_NAME_CHARACTERS")
    if name is None:
        return None, path
    problem = name_problem(name)
    if problem is not None:
        raise entry.wrong("name", f"is `{name[:80]}`, which {problem}")
    if path is not None:
        path = path.replace("\\", "/")
        while path.startswith("./"):
            path = path[2:]
    return Binary(name, features, default_features.issuperset(features)), path


def _inferred(package: str, files: Collection[str]) -> Iterator[tuple[str, str]]:
    for path in sorted(files):
        found = _INFERRED.match(path)
        if found:
            yield found[1] or found[2], path
    if "src/main.rs" in files:
        yield package, "src/main.rs"
