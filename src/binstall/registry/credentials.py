"""The token of a registry that asks for one, found as cargo finds it.

    registries.NAME.credential-provider, or else registry.global-credential-providers, the last one first

    cargo:token               CARGO_REGISTRIES_<NAME>_TOKEN → credentials.toml → config.toml
    cargo:token-from-stdout   the line that a program prints
    NAME                      what [credential-alias] says it means
    PROGRAM                   one that speaks cargo's protocol (`formats/credential_protocol.py`)

A token belongs to the registry of that name whose index is the very URL that is asked, so a registry that
merely stands in for another never gets the other's token; for crates.io it is `registry.…` and
CARGO_REGISTRY_TOKEN. A provider that has no token for the registry lets the next one try, one that fails
ends the run. The keychains that are built into cargo are passed over, and named if nobody else had a token.
Unlike cargo, which wants a provider to be configured, `cargo:token` is what counts without configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from binstall.errors import BadRegistryUrl, ConfigError, RegistryError
from binstall.formats.cargo_config import CargoConfig
from binstall.formats.cargo_config_file import Key, Setting, merge
from binstall.registry.place import SPARSE, Place, registry_place
from binstall.registry.providers import Provider, ask_provider, printed_token

_TOKEN: Final = "cargo:token"  # noqa: S105 - a name, no token
_FROM_STDOUT: Final = "cargo:token-from-stdout"
_KEYCHAINS: Final = ("cargo:libsecret", "cargo:macos-keychain", "cargo:wincred")


def authorization(
    config: CargoConfig,
    credentials: Mapping[Key, Setting],
    place: Place,
    *,
    is_crates_io: bool,
    words: str,
    challenge: str = "",
) -> str:
    """Return the value of the `Authorization` header for the registry at `place`.

    `credentials` are the settings of cargo's credentials file, `words` what messages call the registry,
    `challenge` the `WWW-Authenticate` of its refusal.

    Raises:
        RegistryError: There is no token, or it would travel in the clear.
        ConfigError: A provider cannot be run or fails, or the token is no header value.
        BadRegistryUrl: The index of some configured registry is no registry URL.
    """
    if not place.is_authentic:
        raise RegistryError(
            f"the registry {words} asks for a token, which is never sent over plain http",
            hint="reach the registry over https",
        )
    both = replace(config, settings=merge([config.settings, credentials]))
    parent = ("registry",) if is_crates_io else _registry_at(both, place, words)
    name = "crates-io" if is_crates_io else parent[1]
    index_url = f"{SPARSE}+{place.url}" if place.kind == SPARSE else place.recorded
    passed_over: list[str] = []
    for provider in _providers(both, parent, words):
        program = provider.words[0]
        token, origin = None, provider.shown
        if program == _TOKEN:
            setting = both.get(*parent, "token")
            if setting is not None:
                token, origin = setting.text, setting.origin
        elif program == _FROM_STDOUT:
            token = printed_token(provider, both.environment, index_url, name)
        elif program in _KEYCHAINS:
            passed_over.append(program)
        elif program.startswith("cargo:"):
            raise _cannot_be_run(program, words, provider.origin)
        else:
            token = ask_provider(provider, both.environment, index_url, name, challenge)
        if token:
            if not (token.isascii() and token.isprintable()):
                raise ConfigError(f"the token for {words} holds characters that no token has ({origin})")
            return token
    if passed_over:
        raise _cannot_be_run(passed_over[0], words, "and no other provider has a token")
    raise _no_token(parent, words)


def _no_token(parent: Key, words: str) -> RegistryError:
    variable = "_".join(("CARGO", *parent, "TOKEN")).upper().replace("-", "_")
    login = "cargo login" if len(parent) == 1 else f"cargo login --registry {parent[1]}"
    return RegistryError(
        f"the registry {words} requires authentication, and there is no token for it",
        hint=f"set {variable}, or run `{login}`",
    )


def _registry_at(config: CargoConfig, place: Place, words: str) -> Key:
    """Return the table of the one registry that has this index."""
    names: list[str] = []
    for name in config.registry_names():
        index = config.get("registries", name, "index")
        if index is not None and registry_place(index.text, index.origin, BadRegistryUrl) == place:
            names.append(name)
    if not names:
        raise RegistryError(
            f"the registry {words} requires authentication, and has no name to keep a token under",
            hint="define it in the file of cargo's home, as [registries.NAME] index, or set "
            "CARGO_REGISTRIES_<NAME>_INDEX and CARGO_REGISTRIES_<NAME>_TOKEN",
        )
    if len(names) > 1:
        raise ConfigError(
            f"registries {', '.join(names)} have the same index {place.url}"
            ", so it is not clear whose token counts"
        )
    return ("registries", names[0])


def _providers(config: CargoConfig, parent: Key, words: str) -> Iterator[Provider]:
    """Yield the providers that are to be tried, in order, aliases resolved."""
    own = config.get(*parent, "credential-provider")
    everywhere = config.get("registry", "global-credential-providers")
    if own is not None:
        command_lines, setting = [own.words], own
    elif everywhere is not None and everywhere.words:
        command_lines, setting = [tuple(text.split()) for text in reversed(everywhere.words)], everywhere
    else:
        command_lines, setting = [(_TOKEN,)], Setting("", "", Path())
    for command_line in command_lines:
        if not command_line or not command_line[0]:
            raise _cannot_be_run("", words, setting.origin)
        alias = None
        if len(command_line) == 1 and not command_line[0].startswith("cargo:"):
            alias = config.get("credential-alias", command_line[0])
        if alias is None:
            yield Provider(command_line, setting.origin, setting.base)
        elif alias.words and alias.words[0]:
            yield Provider(alias.words, alias.origin, alias.base)
        else:
            raise _cannot_be_run(command_line[0], words, alias.origin)


def _cannot_be_run(provider: str, words: str, why: str) -> ConfigError:
    return ConfigError(
        f"the credential provider `{provider[:200]}` for the registry {words} cannot be run ({why})",
        hint=f"known are {_TOKEN}, {_FROM_STDOUT} and programs that speak cargo's protocol; "
        f"keychains can be asked by `{_FROM_STDOUT} PROGRAM`",
    )
