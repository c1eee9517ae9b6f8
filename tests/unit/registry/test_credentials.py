from __future__ import annotations

from pathlib import Path

import pytest

from binstall.errors import ConfigError, RegistryError
from binstall.formats.cargo_config import CargoConfig
from binstall.formats.cargo_config_file import parse_config
from binstall.registry.selection import select_registry

HOME = Path("/home/me/.cargo")
MINE = "[registries.mine]\nindex = 'sparse+https://mine.example/index/'\n"
SAVED = "[registries.mine]\ntoken = 'saved'\n[registry]\ntoken = 'saved for crates.io'\n"


def authorization(
    text: str, saved: str = "", *, registry: str | None = None, index: str | None = None, **environment: str
) -> str:
    config = CargoConfig(
        parse_config(text.encode(), HOME / "config.toml").settings, environment, Path("/here")
    )
    credentials = parse_config(saved.encode(), HOME / "credentials.toml").settings
    choice = select_registry(config, registry=registry, index=index, credentials=lambda: credentials)
    return choice.authorize()


def test_a_token_comes_from_variable_then_credentials_then_configuration() -> None:
    text = MINE + "token = 'configured'\n"
    assert authorization(text, SAVED, registry="mine", CARGO_REGISTRIES_MINE_TOKEN="set") == "set"
    assert authorization(text, SAVED, registry="mine") == "saved"
    assert authorization(text, registry="mine") == "configured"


def test_the_token_of_crates_io_has_its_own_place() -> None:
    assert authorization("", SAVED) == "saved for crates.io"
    assert authorization("", SAVED, CARGO_REGISTRY_TOKEN="set") == "set"


def test_a_registry_given_by_url_has_the_token_of_its_name() -> None:
    assert authorization(MINE, SAVED, index="sparse+https://mine.example/index") == "saved"
    assert (
        authorization(
            "",
            index="sparse+https://other.example/",
            CARGO_REGISTRIES_MY_OWN_INDEX="sparse+https://OTHER.example/",
            CARGO_REGISTRIES_MY_OWN_TOKEN="own",
        )
        == "own"
    )


def test_a_mirror_gets_its_own_token_and_never_that_of_the_registry_it_stands_for() -> None:
    replaced = "[source.crates-io]\nreplace-with='mirror'\n"
    place = "[source.mirror]\nregistry='sparse+https://mirror.example/'\n"
    with pytest.raises(RegistryError, match="no name to keep a token under"):
        authorization(replaced + place, SAVED, CARGO_REGISTRY_TOKEN="set")
    named = replaced + place + "[registries.m]\nindex='sparse+https://mirror.example/'\ntoken='its own'"
    assert authorization(named, SAVED, CARGO_REGISTRY_TOKEN="set") == "its own"


@pytest.mark.parametrize("token", [None, ""], ids=["none", "empty"])
def test_without_a_token_the_hint_says_how_to_give_one(token: str | None) -> None:
    environment = {} if token is None else {"CARGO_REGISTRIES_MINE_TOKEN": token}
    with pytest.raises(RegistryError, match="requires authentication, and there is no token") as caught:
        authorization(MINE, registry="mine", **environment)
    assert "CARGO_REGISTRIES_MINE_TOKEN" in (caught.value.hint or "")
    assert "cargo login --registry mine" in (caught.value.hint or "")


@pytest.mark.parametrize("token", ["a\nb: c", "a\r", "ä", "\x7f"])
def test_a_token_that_would_break_the_header_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(ConfigError, match="characters that no token has") as caught:
        authorization(MINE, registry="mine", CARGO_REGISTRIES_MINE_TOKEN=token)
    assert token not in str(caught.value)


def test_a_token_never_travels_in_the_clear() -> None:
    with pytest.raises(RegistryError, match="never sent over plain http"):
        authorization(
            "",
            registry="mine",
            CARGO_REGISTRIES_MINE_INDEX="sparse+http://mine.example/",
            CARGO_REGISTRIES_MINE_TOKEN="set",
        )
    assert (
        authorization(
            "",
            registry="mine",
            CARGO_REGISTRIES_MINE_INDEX="sparse+http://127.0.0.1:8000/",
            CARGO_REGISTRIES_MINE_TOKEN="set",
        )
        == "set"
    )


@pytest.mark.parametrize(
    ("text", "provider"),
    [
        (MINE + "credential-provider = 'cargo:wincred'", "cargo:wincred"),
        (MINE + "credential-provider = ['helper', '--flag']", "helper"),
        (MINE + "credential-provider = []", "``"),
        (MINE + "[registry]\nglobal-credential-providers = ['cargo:libsecret']", "cargo:libsecret"),
    ],
)
def test_a_provider_that_cannot_be_run_is_named(text: str, provider: str) -> None:
    with pytest.raises(ConfigError, match="cannot be run") as caught:
        authorization(text, SAVED, registry="mine")
    assert provider in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        MINE + "credential-provider = 'cargo:token'",
        MINE + "credential-provider = ['cargo:token']\n[registry]\nglobal-credential-providers = ['x']",
        MINE + "[registry]\nglobal-credential-providers = ['cargo:token', 'cargo:libsecret']",
        MINE + "[registry]\ncredential-provider = 'cargo:libsecret'",
    ],
)
def test_the_provider_for_tokens_may_be_configured(text: str) -> None:
    assert authorization(text, SAVED, registry="mine") == "saved"


def test_one_index_under_two_names_has_no_token() -> None:
    text = MINE + "[registries.twin]\nindex='sparse+https://mine.example/index/'"
    with pytest.raises(ConfigError, match="not clear whose token counts"):
        authorization(text, SAVED, registry="mine")


def test_credentials_are_read_only_when_they_are_needed() -> None:
    def unread() -> dict[tuple[str, ...], object]:
        raise AssertionError("nobody asked for a token")

    choice = select_registry(CargoConfig(), credentials=unread)  # type: ignore[arg-type]
    assert choice.is_crates_io
    with pytest.raises(AssertionError):
        choice.authorize()
