"""Cargo's configuration as `cargo install` reads it: settings of files, overridden by variables.

Pure; `binstall.registry.cargo_home` finds and reads the files. What cargo 1.95 does, tried out, where its
reference is silent or wrong:

* `CARGO_REGISTRIES_<NAME>_…` has the name in upper case with `-` as `_`, and needs no table in a file.
* `CARGO_SOURCE_<name>_…` keeps the spelling of the table and works only beside one, so that
  `CARGO_SOURCE_CRATES_IO_REPLACE_WITH` does nothing.
* A relative path in a variable starts at the working directory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from binstall.errors import ConfigError
from binstall.formats.cargo_config_file import Key, Setting, shown_key

SOURCE_KINDS: Final = ("registry", "local-registry", "directory", "git")


@dataclass(frozen=True, slots=True)
class Source:
    """One `[source.NAME]`: a place to get crates from, or a pointer to another."""

    name: str
    origin: str
    """The file that has the table."""
    replace_with: str | None
    """Name of the source, or of the registry, that stands in for this one."""
    locations: tuple[tuple[str, Setting], ...]
    """Kind (one of `SOURCE_KINDS`) and place, for each that is given: exactly one in a sound table."""


@dataclass(frozen=True, slots=True)
class CargoConfig:
    """Cargo's configuration as `cargo install` reads it, the working directory's files left out."""

    settings: Mapping[Key, Setting] = field(default_factory=dict, repr=False)
    """Of the files, merged."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The variables of this process."""
    working_folder: Path = Path()
    """At which relative paths in variables start; no file is looked for there."""

    def get(self, *key: str) -> Setting | None:
        """Return a setting: from its variable, else from the files."""
        parts = [part.upper().replace("-", "_") for part in key]
        if key[0] == "source":
            parts[1] = key[1]
        variable = "_".join(("CARGO", *parts))
        value = self.environment.get(variable)
        if value is not None:
            return Setting(value, variable, self.working_folder)
        return self.settings.get(key)

    @property
    def install_root(self) -> Path | None:
        """`install.root` of the files alone; what `CARGO_INSTALL_ROOT` says comes before it."""
        setting = self.settings.get(("install", "root"))
        return setting.path if setting else None

    @property
    def http_cainfo(self) -> Setting | None:
        """`http.cainfo` or `CARGO_HTTP_CAINFO`: use its `path`, name its `origin`."""
        return self.get("http", "cainfo")

    @property
    def http_proxy(self) -> Setting | None:
        """`http.proxy` or `CARGO_HTTP_PROXY`: `[protocol://]host[:port]`; may hold a password."""
        return self.get("http", "proxy")

    @property
    def http_timeout(self) -> int | None:
        """`http.timeout`, `CARGO_HTTP_TIMEOUT` or `HTTP_TIMEOUT`, in seconds, positive.

        Raises:
            ConfigError: It is no positive number.
        """
        setting = self.get("http", "timeout")
        if setting is None and "HTTP_TIMEOUT" in self.environment:
            setting = Setting(self.environment["HTTP_TIMEOUT"], "HTTP_TIMEOUT", self.working_folder)
        if setting is None:
            return None
        try:
            seconds = int(setting.text)
        except ValueError:
            seconds = 0
        if not 0 < seconds < 2**31:
            raise ConfigError(
                f"http.timeout is no positive number of seconds: `{setting.text[:40]}` ({setting.origin})"
            )
        return seconds

    @property
    def default_registry(self) -> Setting | None:
        """`registry.default` or `CARGO_REGISTRY_DEFAULT`."""
        return self.get("registry", "default")

    def registry_names(self) -> tuple[str, ...]:
        """Return the names of all registries that the files or the environment give an index, sorted.

        A name that only a variable gives is in lower case, with `_`, as cargo tells it.
        """
        names = {key[1] for key in self.settings if key[0] == "registries" and key[2] == "index"}
        known = {name.upper().replace("-", "_") for name in names}
        for variable in self.environment:
            name = variable.removeprefix("CARGO_REGISTRIES_").removesuffix("_INDEX")
            if variable == f"CARGO_REGISTRIES_{name}_INDEX" and name and name not in known:
                names.add(name.lower())
        return tuple(sorted(names))

    def sources(self) -> Mapping[str, Source]:
        """Return every `[source.NAME]` that a file has, variables applied."""
        found: dict[str, Source] = {}
        for key, table in self.settings.items():
            if key[0] != "source" or len(key) != 2:
                continue
            replace_with = self.get(*key, "replace-with")
            places = ((kind, self.get(*key, kind)) for kind in SOURCE_KINDS)
            found[key[1]] = Source(
                name=key[1],
                origin=replace_with.origin if replace_with else table.origin,
                replace_with=replace_with.text if replace_with else None,
                locations=tuple((kind, place) for kind, place in places if place),
            )
        return found

    def warnings(self) -> tuple[str, ...]:
        """Return a sentence for each thing that looks as if it chose a registry, and does not."""
        known = {
            f"CARGO_SOURCE_{name}_{key.upper().replace('-', '_')}"
            for name in self.sources()
            for key in ("replace-with", *SOURCE_KINDS)
        }
        sentences = [
            f"{variable[:200]} is ignored, as cargo ignores it: such a variable must spell the source as "
            "its [source] table in cargo's configuration does, and there must be that table"
            for variable in sorted(self.environment)
            if variable.startswith("CARGO_SOURCE_") and variable not in known
        ]
        for key, setting in self.settings.items():
            named = key[0] == "registries" and key[2] == "replace-with"
            if named and self.get("registries", key[1], "index"):
                sentences.append(
                    f"`{shown_key(key)}` in {setting.origin} is ignored, as cargo ignores it: "
                    "[source] tables replace registries"
                )
        return tuple(sentences)
