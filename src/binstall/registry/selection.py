"""Which registry is asked, and which one is recorded.

    --index URL → --registry NAME → registry.default → crates.io        the registry that was asked for
    [source] tables, replace-with followed to its end                   the place that stands in for it

The registry asked for is what is recorded (a crate from a mirror of crates.io is a crate of crates.io), the
place at the end is what is connected to. Names and replacements mean what they mean to `cargo install`;
where cargo 1.95 follows a circle of replacements for ever, this is an error. A place that is no registry is
an error that names it, never a silent way back to crates.io.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn

from binstall.errors import (
    BadRegistryUrl,
    ConfigError,
    UnknownRegistry,
    UsageError,
)
from binstall.formats.cargo_config import CargoConfig, Source
from binstall.formats.cargo_config_file import Key, Setting
from binstall.formats.crate_source import CRATES_IO, CrateSource, registry_source
from binstall.registry.credentials import authorization
from binstall.registry.place import (
    CRATES_IO_PLACE,
    DIRECTORY,
    GIT_INDEX,
    LOCAL_REGISTRY,
    SPARSE,
    Place,
    registry_place,
)
from binstall.text import without_secrets

CRATES_IO_NAME: Final = "crates-io"
_REGISTRIES: Final = (SPARSE, GIT_INDEX, LOCAL_REGISTRY, DIRECTORY)


@dataclass(frozen=True, slots=True)
class RegistryChoice:
    """The registry of one run."""

    place: Place
    """What is connected to, or read."""
    name: str | None
    """What the configuration calls the place that is connected to; None for a bare URL."""
    source: CrateSource
    """The registry that was asked for, as it is recorded, whatever stands in for it."""
    words: str
    """For messages and plans: `crates.io`, or ``crates.io, replaced by `mirror` (https://…)``."""
    asked_name: str | None
    """What the configuration calls the registry that was asked for; None for a bare URL other than crates.io's."""
    authorize: Callable[[str], str] = field(repr=False, compare=False)
    """Value of the `Authorization` header, looked up when needed; raises ConfigError, RegistryError.

    It is given the `WWW-Authenticate` of the registry's refusal, or an empty text.
    """

    @property
    def index_url(self) -> str:
        """Of a sparse index: absolute http(s) URL, without `sparse+`, with a final slash.

        Of a git index its URL without `.git`, of the other kinds their folder.
        """
        return self.place.url

    @property
    def is_crates_io(self) -> bool:
        """Whether crates are those of crates.io, by whatever route."""
        return self.source == CRATES_IO


def select_registry(
    config: CargoConfig,
    *,
    index: str | None = None,
    registry: str | None = None,
    credentials: Callable[[], Mapping[Key, Setting]] = dict,
) -> RegistryChoice:
    """Choose the registry from the options `--index` and `--registry` (None: not given) and `config`.

    An option beats `CARGO_REGISTRY_DEFAULT`. `credentials` reads cargo's credentials file, if need be.

    Raises:
        UsageError: Both options, or an `index` that is no registry URL.
        UnknownRegistry: The name is configured nowhere.
        BadRegistryUrl: A configured URL is no registry URL.
        ConfigError: Replacements lead nowhere or in a circle, or to a place that is no registry.
    """
    if index is not None and registry is not None:
        raise UsageError("--index and --registry both name a registry", hint="leave one of them out")
    if index is not None:
        name, asked = None, registry_place(index, "--index", UsageError)
    else:
        default = config.default_registry
        if registry is not None:
            name, origin = registry, "--registry"
        elif default is not None:
            name, origin = default.text, default.origin
        else:
            name, origin = CRATES_IO_NAME, ""
        asked = _named(config, name, origin)
    last_name, place = _replaced(config, name, asked)
    if place.kind not in _REGISTRIES:
        _refuse(place, last_name, "" if place == asked else f", which replaces {_words(name, asked)},")
    words = _words(name, asked)
    if place != asked:
        words += f", replaced by {_words(last_name, place)}"
    return RegistryChoice(
        place=place,
        name=last_name,
        source=registry_source(asked.recorded),
        words=words,
        asked_name=CRATES_IO_NAME if asked == CRATES_IO_PLACE else name,
        authorize=lambda challenge: authorization(
            config,
            credentials(),
            place,
            is_crates_io=place == CRATES_IO_PLACE,
            words=words,
            challenge=challenge,
        ),
    )


def _named(config: CargoConfig, name: str, origin: str) -> Place:
    """Return the place of the registry `name`; `crates-io` is never another than crates.io."""
    if name.lower() == CRATES_IO_NAME:
        if config.get("registry", "index") is not None:
            raise ConfigError(
                "cargo's configuration sets registry.index, which cargo refuses, too",
                hint="use [source.crates-io] replace-with to put another registry in place of crates.io",
            )
        return CRATES_IO_PLACE
    seen = [name]
    while name:
        setting = config.get("registries", name, "index")
        if setting is not None:
            return registry_place(setting.text, setting.origin, BadRegistryUrl)
        pointer = config.get("registries", name, "replace-with")
        if pointer is None:
            break
        name = pointer.text
        seen.append(name)
        if name == CRATES_IO_NAME:
            return CRATES_IO_PLACE
        if name in seen[:-1]:
            raise ConfigError(
                f"registries replace each other in a circle: {_chain(seen)} ({pointer.origin})"
            )
    known = ", ".join(config.registry_names()[:20]) or "none"
    raise UnknownRegistry(
        f"no configuration defines an index for the registry `{name[:200]}`"
        + (f", which {origin} names" if origin else ""),
        hint=f"set CARGO_REGISTRIES_<NAME>_INDEX, or [registries.NAME] index in the file of cargo's home; "
        f"defined are: {known}",
    )


def _replaced(config: CargoConfig, name: str | None, asked: Place) -> tuple[str | None, Place]:
    """Follow the `[source]` tables from `asked` to the last name and place."""
    sources = config.sources()
    names = {source.name for source in sources.values() if _location(source) == asked}
    if asked == CRATES_IO_PLACE:
        names.add(CRATES_IO_NAME)
    if not names:
        return name, asked
    if len(names) > 1:
        raise ConfigError(
            f"sources {', '.join(sorted(names))[:200]} of cargo's configuration are one and the same place"
        )
    chain, origin = [names.pop()], ""
    while True:
        source = sources.get(chain[-1])
        if source is None and chain[-1] == CRATES_IO_NAME:
            return CRATES_IO_NAME, CRATES_IO_PLACE
        if source is None:
            return chain[-1], _registry_behind(config, chain, origin)
        if source.replace_with is None:
            return source.name, _location(source) or _nowhere(source)
        if source.replace_with in chain:
            raise ConfigError(
                f"sources replace each other in a circle: {_chain([*chain, source.replace_with])} "
                f"({source.origin})",
                hint="let the last of them have no replace-with",
            )
        chain.append(source.replace_with)
        origin = source.origin


def _registry_behind(config: CargoConfig, chain: list[str], origin: str) -> Place:
    try:
        return _named(config, chain[-1], origin)
    except UnknownRegistry as error:
        raise ConfigError(
            f"source `{chain[-2][:200]}` is replaced with `{chain[-1][:200]}`, which is neither a "
            f"source nor a registry ({origin})",
            hint="define [source.NAME] or [registries.NAME] of that name in the file of cargo's home",
        ) from error


def _location(source: Source) -> Place | None:
    """Return the place of a source; None where its table gives none."""
    if not source.locations:
        return CRATES_IO_PLACE if source.name == CRATES_IO_NAME else None
    if len(source.locations) > 1:
        kinds = " and ".join(kind for kind, _ in source.locations)
        raise ConfigError(
            f"source `{source.name[:200]}` has more than one place: {kinds} ({source.origin})"
        )
    kind, setting = source.locations[0]
    if kind == "registry":
        return registry_place(setting.text, setting.origin, BadRegistryUrl)
    return Place(kind, setting.text if kind == "git" else str(setting.path))


def _nowhere(source: Source) -> NoReturn:
    raise ConfigError(
        f"source `{source.name[:200]}` has no place: none of registry, local-registry, directory, git "
        f"({source.origin})"
    )


def _refuse(place: Place, name: str | None, role: str) -> NoReturn:
    called = f" `{name[:200]}`" if name else ""
    shown = without_secrets(place.url[:200])
    raise ConfigError(
        f"the {place.kind} source{called} at {shown}{role} is no registry",
        hint='a git source stands in for git dependencies; an index in git is written as registry = "URL"',
    )


def _words(name: str | None, place: Place) -> str:
    if place == CRATES_IO_PLACE:
        return "crates.io"
    shown = without_secrets(place.url)
    if name is None:
        return shown
    return f"crates.io ({shown})" if name == CRATES_IO_NAME else f"`{name[:200]}` ({shown})"


def _chain(names: list[str]) -> str:
    return " → ".join(name[:80] for name in names)
