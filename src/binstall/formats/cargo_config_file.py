"""One file of cargo's configuration, or of its credentials: TOML in, the settings that matter here out.

    [install]         root
    [http]            cainfo, proxy, timeout
    [registry]        default, token, credential-provider, global-credential-providers, global-min-publish-age
    [registries.NAME] index, token, credential-provider, replace-with, min-publish-age
    [resolver]        incompatible-publish-age
    [source.NAME]     replace-with and one of registry, local-registry, directory, git
    [credential-alias] NAME: a program and its arguments
    include           paths of files, or {path, optional}, whose values count less than the file's own

Other keys are somebody else's. A relative path starts at the folder *above* that of the file, as in cargo.
(A path of `install.root` without a slash starts at the working directory in cargo 1.95, which announces to
change that; here every path of a file starts in the same place.)
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from binstall.errors import ConfigError
from binstall.limits import MAX_CARGO_CONFIG_BYTES

Key = tuple[str, ...]
"""`("http", "cainfo")`, `("source", "crates-io", "replace-with")`."""

_TEXT: Final = "text"
_NUMBER: Final = "a whole number"
_WORDS: Final = "text or a list of texts"

_TABLES: Final[Mapping[str, Mapping[str, str]]] = {
    "install": {"root": _TEXT},
    "http": {"cainfo": _TEXT, "proxy": _TEXT, "timeout": _NUMBER},
    "registry": {
        "default": _TEXT,
        "index": _TEXT,
        "token": _TEXT,
        "credential-provider": _WORDS,
        "global-credential-providers": _WORDS,
        "global-min-publish-age": _TEXT,
    },
    "resolver": {"incompatible-publish-age": _TEXT},
}
_NAMED_TABLES: Final[Mapping[str, Mapping[str, str]]] = {
    "registries": {
        "index": _TEXT,
        "token": _TEXT,
        "credential-provider": _WORDS,
        "replace-with": _TEXT,
        "min-publish-age": _TEXT,
    },
    "source": {
        "replace-with": _TEXT,
        "registry": _TEXT,
        "local-registry": _TEXT,
        "directory": _TEXT,
        "git": _TEXT,
    },
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One value and where it was written."""

    value: str | int | tuple[str, ...] = field(repr=False)
    """May be a secret."""
    origin: str
    """For messages: the path of a file, or the name of a variable."""
    base: Path
    """The folder at which a relative path in `value` starts."""

    @property
    def text(self) -> str:
        """The value as text."""
        return str(self.value)

    @property
    def path(self) -> Path:
        """The value as a path, absolute if `base` is."""
        return self.base / self.text

    @property
    def words(self) -> tuple[str, ...]:
        """The value as a command line: a list as it is, text split at white space."""
        return self.value if isinstance(self.value, tuple) else tuple(self.text.split())


@dataclass(frozen=True, slots=True)
class Include:
    """One entry of `include`."""

    path: Path
    """Absolute if the including file's path is."""
    optional: bool
    """Whether a missing file is fine."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What one file says, included files aside."""

    settings: Mapping[Key, Setting]
    includes: tuple[Include, ...]
    """In the file's order: a later one overrides an earlier one, the file itself all of them."""


def parse_config(data: bytes, path: Path) -> ConfigFile:
    """Read one `config.toml` or `credentials.toml`; raise `ConfigError`, and nothing else, on bad input."""
    if len(data) > MAX_CARGO_CONFIG_BYTES:
        raise ConfigError(f"{path} has more than {MAX_CARGO_CONFIG_BYTES} bytes (MAX_CARGO_CONFIG_BYTES)")
    try:
        document = tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ConfigError(
            f"cargo's configuration {path} is not TOML: {reason[:400]}",
            hint="cargo itself refuses this file too; repair it",
        ) from error
    settings: dict[Key, Setting] = {}
    for table, keys in _TABLES.items():
        _read(document.get(table), (table,), keys, path, settings)
    for table, keys in _NAMED_TABLES.items():
        for name, named in _table(document.get(table), (table,), path).items():
            _read(named, (table, name), keys, path, settings)
    aliases = _table(document.get("credential-alias"), ("credential-alias",), path)
    _read(aliases, ("credential-alias",), dict.fromkeys(aliases, _WORDS), path, settings)
    token = document.get("token")  # the oldest form of a credentials file
    if isinstance(token, str):
        settings.setdefault(("registry", "token"), Setting(token, str(path), path.parent.parent))
    return ConfigFile(settings, _includes(document.get("include"), path))


def _table(value: object, key: Key, path: Path) -> Mapping[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"`{shown_key(key)}` in {path} is no table")
    return value


def _read(
    value: object, parent: Key, keys: Mapping[str, str], path: Path, into: dict[Key, Setting]
) -> None:
    table = _table(value, parent, path)
    if parent[0] == "source":
        into[parent] = Setting(parent[1], str(path), path.parent.parent)  # an empty table counts, too
    for name, kind in keys.items():
        found = table.get(name)
        if found is None:
            continue
        wanted: str | int | tuple[str, ...]
        is_text = isinstance(found, str) and kind in {_TEXT, _WORDS}
        is_number = isinstance(found, int) and not isinstance(found, bool) and kind == _NUMBER
        if isinstance(found, (str, int)) and (is_text or is_number):
            wanted = found
        elif isinstance(found, list) and kind == _WORDS and all(isinstance(word, str) for word in found):
            wanted = tuple(found)
        else:
            raise ConfigError(f"`{shown_key((*parent, name))}` in {path} is not {kind}")
        if "\0" in str(found):
            raise ConfigError(f"`{shown_key((*parent, name))}` in {path} holds a null character")
        into[*parent, name] = Setting(wanted, str(path), path.parent.parent)


def shown_key(key: Key) -> str:
    """Return a key as messages write it."""
    return ".".join(part[:80] for part in key)


def _includes(value: object, path: Path) -> tuple[Include, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ConfigError(f"`include` in {path} is no list of paths")
    includes: list[Include] = []
    for entry in value:
        name, optional = (
            (entry.get("path"), entry.get("optional", False)) if isinstance(entry, dict) else (entry, False)
        )
        if not isinstance(name, str) or not isinstance(optional, bool):
            raise ConfigError(f"`include` in {path} has an entry other than a path or {{path, optional}}")
        if not name.endswith(".toml") or any(mark in name for mark in "*?[]{}\0"):
            raise ConfigError(f"`include` in {path} names `{name[:200]}`, no plain path to a .toml file")
        includes.append(Include(path.parent / name, optional))
    return tuple(includes)


def merge(layers: Iterable[Mapping[Key, Setting]]) -> dict[Key, Setting]:
    """Return the settings of several files as one; a later file overrides an earlier one.

    Lists are joined, as cargo joins them: a provider in a later file stands, and is tried, behind.
    """
    merged: dict[Key, Setting] = {}
    for layer in layers:
        for key, setting in layer.items():
            before = merged.get(key)
            if before is not None and key[-1] == "global-credential-providers":
                merged[key] = Setting(before.words + setting.words, setting.origin, setting.base)
            else:
                merged[key] = setting
    return merged
