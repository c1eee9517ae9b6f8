"""The token of a registry that asks for one, found as cargo finds it.

    CARGO_REGISTRIES_<NAME>_TOKEN → credentials.toml → config.toml      crates.io: CARGO_REGISTRY_TOKEN

A token belongs to the registry of that name whose index is the very URL that is asked, so a registry that
merely stands in for another never gets the other's token. The provider `cargo:token`, which this is, must
not be ruled out by the configuration; a provider that would have to be run is an error that names it.
Unlike cargo, which wants the provider to be configured, `cargo:token` is what counts without configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from binstall.errors import BadRegistryUrl, ConfigError, RegistryError
from binstall.formats.cargo_config import CargoConfig
from binstall.formats.cargo_config_file import Key, Setting, merge
from binstall.registry.place import registry_place
from binstall.signing.verifier import key_is_authentic_from

_TOKEN_PROVIDER: Final = "cargo:token"  # noqa: S105 - a name, no token


def authorization(
    config: CargoConfig,
    credentials: Mapping[Key, Setting],
    index_url: str,
    *,
    is_crates_io: bool,
    words: str,
) -> str:
    """Return the value of the `Authorization` header for the registry at `index_url`.

    `credentials` are the settings of cargo's credentials file, `words` what messages call the registry.

    Raises:
        RegistryError: There is no token, or it would travel in the clear.
        ConfigError: A provider is configured that cannot be run, or the token is no header value.
        BadRegistryUrl: The index of some configured registry is no registry URL.
    """
    if not key_is_authentic_from(index_url):
        raise RegistryError(
            f"the registry {words} asks for a token, which is never sent over plain http",
            hint="reach the registry over https",
        )
    both = replace(config, settings=merge([config.settings, credentials]))
    parent = ("registry",) if is_crates_io else _registry_at(both, index_url, words)
    _check_provider(both, parent, words)
    setting = both.get(*parent, "token")
    if setting is None or not setting.text:
        variable = "_".join(("CARGO", *parent, "TOKEN")).upper().replace("-", "_")
        login = "cargo login" if is_crates_io else f"cargo login --registry {parent[1]}"
        raise RegistryError(
            f"the registry {words} requires authentication, and there is no token for it",
            hint=f"set {variable}, or run `{login}`",
        )
    if not (setting.text.isascii() and setting.text.isprintable()):
        raise ConfigError(f"the token for {words} holds characters that no token has ({setting.origin})")
    return setting.text


def _registry_at(config: CargoConfig, index_url: str, words: str) -> Key:
    """Return the table of the one registry that has this index."""
    names: list[str] = []
    for name in config.registry_names():
        index = config.get("registries", name, "index")
        if index is not None and registry_place(index.text, index.origin, BadRegistryUrl).url == index_url:
            names.append(name)
    if not names:
        raise RegistryError(
            f"the registry {words} requires authentication, and has no name to keep a token under",
            hint="define it in the file of cargo's home, as [registries.NAME] index, or set "
            "CARGO_REGISTRIES_<NAME>_INDEX and CARGO_REGISTRIES_<NAME>_TOKEN",
        )
    if len(names) > 1:
        raise ConfigError(
            f"registries {', '.join(names)} have the same index {index_url}"
            ", so it is not clear whose token counts"
        )
    return ("registries", names[0])


def _check_provider(config: CargoConfig, parent: Key, words: str) -> None:
    own = config.get(*parent, "credential-provider")
    everywhere = config.get("registry", "global-credential-providers")
    if own is not None:
        refused = own if own.words != (_TOKEN_PROVIDER,) else None
    else:
        refused = everywhere if everywhere and _TOKEN_PROVIDER not in everywhere.words else None
    if refused is not None:
        provider = refused.words[0] if refused.words else ""
        raise ConfigError(
            f"the credential provider `{provider[:200]}` for the registry {words} cannot be run "
            f"({refused.origin})",
            hint=f"this version knows {_TOKEN_PROVIDER} only",
        )
