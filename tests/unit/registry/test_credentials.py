from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from binstall.errors import ConfigError, RegistryError
from binstall.formats.cargo_config import CargoConfig
from binstall.formats.cargo_config_file import parse_config
from binstall.hosting.host import Host
from binstall.registry.selection import select_registry
from support_sources import cargo_installs

HOME = Path("/home/me/.cargo")
MINE = "[registries.mine]\nindex = 'sparse+https://mine.example/index/'\n"
SAVED = "[registries.mine]\ntoken = 'saved'\n[registry]\ntoken = 'saved for crates.io'\n"


def authorization(
    text: str,
    saved: str = "",
    *,
    registry: str | None = None,
    index: str | None = None,
    challenge: str = "",
    **environment: str,
) -> str:
    config = CargoConfig(
        parse_config(text.encode(), HOME / "config.toml").settings, environment, Path("/here")
    )
    credentials = parse_config(saved.encode(), HOME / "credentials.toml").settings
    choice = select_registry(config, registry=registry, index=index, credentials=lambda: credentials)
    return choice.authorize(challenge)


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
        choice.authorize("")


class Script:
    """A provider that is a real program: what it is told ends in files beside it."""

    def __init__(self, folder: Path, body: str) -> None:
        self.folder = folder
        self.path = folder / "provider"
        self.path.write_text(
            f'#!/bin/sh\nenv > "{folder}/environment"\npwd > "{folder}/where"\n'
            f'echo "$@" > "{folder}/words"\n{body}\n'
        )
        self.path.chmod(0o755)

    def told(self, what: str) -> str:
        return (self.folder / what).read_text()


ANSWER = '{"Ok":{"kind":"get","token":"from the provider","cache":"session","operation_independent":true}}'
SPEAKS = f"""echo '{{"v":[1]}}'\nread line\necho "$line" > "$(dirname "$0")/request"\necho '{ANSWER}'"""
PATH = os.environ["PATH"]


def test_an_external_provider_is_asked_in_cargos_protocol(tmp_path: Path) -> None:
    provider = Script(tmp_path, SPEAKS)
    text = MINE + f"credential-provider = ['{provider.path}', '--account', 'a b']"
    secrets = {"CARGO_REGISTRIES_OTHER_TOKEN": "s3cret", "GITHUB_TOKEN": "s3cret", "BINSTALL_X": "s3cret"}
    assert authorization(text, SAVED, registry="mine", PATH=PATH, **secrets) == "from the provider"
    assert provider.told("words") == "--cargo-plugin\n"
    assert json.loads(provider.told("request")) == {
        "v": 1,
        "registry": {"index-url": "sparse+https://mine.example/index/", "name": "mine"},
        "kind": "get",
        "operation": "read",
        "args": ["--account", "a b"],
    }
    assert "s3cret" not in provider.told("environment")


def test_a_challenge_of_the_registry_is_handed_on(tmp_path: Path) -> None:
    provider = Script(tmp_path, SPEAKS)
    authorization(
        MINE + f"credential-provider = ['{provider.path}']", registry="mine", challenge="Cargo x", PATH=PATH
    )
    assert json.loads(provider.told("request"))["registry"]["headers"] == ["www-authenticate: Cargo x"]


def test_a_token_may_be_what_a_program_prints(tmp_path: Path) -> None:
    provider = Script(tmp_path, "echo printed")
    text = (
        MINE
        + f"credential-provider = ['cargo:token-from-stdout', '{provider.path}', 'for', '{{index_url}}']"
    )
    assert authorization(text, SAVED, registry="mine", PATH=PATH) == "printed"
    assert provider.told("words") == "for sparse+https://mine.example/index/\n"
    environment = provider.told("environment").splitlines()
    assert "CARGO_REGISTRY_INDEX_URL=sparse+https://mine.example/index/" in environment
    assert "CARGO_REGISTRY_NAME_OPT=mine" in environment


@pytest.mark.parametrize("printed", ["printf 'a token'", "printf 'a token\\n'", "printf 'a token\\r\\n'"])
def test_one_line_end_after_a_printed_token_is_no_part_of_it(tmp_path: Path, printed: str) -> None:
    provider = Script(tmp_path, printed)
    text = MINE + f"credential-provider = 'cargo:token-from-stdout {provider.path}'"
    assert authorization(text, registry="mine", PATH=PATH) == "a token"


def test_a_name_on_path_is_a_provider_and_a_path_starts_above_the_configuration(tmp_path: Path) -> None:
    provider = Script(tmp_path, "echo printed")
    here = "credential-provider = ['cargo:token-from-stdout', 'provider']"
    assert authorization(MINE + here, registry="mine", PATH=f"{tmp_path}:{PATH}") == "printed"
    config = parse_config(
        (MINE + "credential-provider = ['cargo:token-from-stdout', './provider']").encode(),
        tmp_path / ".cargo" / "config.toml",
    )
    choice = select_registry(CargoConfig(config.settings, {"PATH": PATH}, Path("/here")), registry="mine")
    assert choice.authorize("") == "printed"
    assert provider.told("where").strip() == str(tmp_path)


def test_a_program_of_the_working_directory_is_no_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Script(tmp_path, "echo evil")
    monkeypatch.chdir(tmp_path)
    text = MINE + "credential-provider = ['cargo:token-from-stdout', 'provider']"
    with pytest.raises(ConfigError, match="no program `provider`"):
        authorization(text, registry="mine", PATH=f".:{PATH}")


def test_an_alias_stands_for_a_provider_but_not_for_a_built_in_one(tmp_path: Path) -> None:
    provider = Script(tmp_path, "echo printed")
    aliases = (
        "[credential-alias]\n"
        f"vault = ['cargo:token-from-stdout', '{provider.path}']\n"
        f"text = 'cargo:token-from-stdout {provider.path}'\n"
        f"'cargo:token' = 'cargo:token-from-stdout {provider.path}'\n"
        "circle = 'circle'\nempty = []\n"
    )

    def by(name: str) -> str:
        return authorization(
            MINE + f"credential-provider = '{name}'\n" + aliases,
            SAVED,
            registry="mine",
            PATH=PATH,
            CARGO_CREDENTIAL_ALIAS_SET=f"cargo:token-from-stdout {provider.path}",
        )

    assert (by("vault"), by("text"), by("set")) == ("printed",) * 3
    assert by("cargo:token") == "saved"
    with pytest.raises(ConfigError, match="no program `circle`"):
        by("circle")
    with pytest.raises(ConfigError, match=r"`empty` .* cannot be run"):
        by("empty")


def test_the_last_global_provider_is_asked_first_and_one_without_a_token_leaves_it_to_the_next(
    tmp_path: Path,
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    provider = Script(tmp_path / "a", SPEAKS)
    empty = Script(tmp_path / "b", """echo '{"v":[1]}'\necho '{"Err":{"kind":"not-found"}}'""")

    def by(*names: str) -> str:
        text = MINE + f"[registry]\nglobal-credential-providers = {json.dumps(names)}"
        return authorization(text, SAVED, registry="mine", PATH=PATH)

    assert by("cargo:token", str(provider.path)) == "from the provider"
    assert by(str(provider.path), "cargo:token") == "saved"
    assert by("cargo:token", f"{empty.path} with words", "cargo:libsecret") == "saved"
    assert json.loads(Script.told(provider, "request"))["registry"]["name"] == "mine"
    with pytest.raises(RegistryError, match="no token for it"):
        by(str(empty.path))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param("echo a; echo b", "more than one line", id="two lines"),
        pytest.param("echo secret; exit 3", "exit code 3", id="failed"),
        pytest.param("printf '\\377'", "no text", id="no text"),
        pytest.param("printf 'sec\\033ret'", "characters that no token has", id="control character"),
        pytest.param("head -c 100000 /dev/zero", "MAX_PROVIDER_ANSWER_BYTES", id="endless"),
    ],
)
def test_a_program_that_fails_ends_it_and_shows_no_token(tmp_path: Path, body: str, says: str) -> None:
    provider = Script(tmp_path, body)
    text = MINE + f"credential-provider = 'cargo:token-from-stdout {provider.path}'"
    with pytest.raises(ConfigError, match=says) as caught:
        authorization(text, SAVED, registry="mine", PATH=PATH)
    assert "secret" not in str(caught.value)


def test_a_provider_that_fails_is_not_passed_over(tmp_path: Path) -> None:
    provider = Script(tmp_path, """echo '{"v":[1]}'\necho '{"Err":{"kind":"other","message":"locked"}}'""")
    text = MINE + f"[registry]\nglobal-credential-providers = ['cargo:token', '{provider.path}']"
    with pytest.raises(ConfigError, match="failed: locked"):
        authorization(text, SAVED, registry="mine", PATH=PATH)


@pytest.mark.parametrize("line", ["cargo:token-from-stdout", "cargo:paseto", "cargo:unheard-of"])
def test_a_built_in_provider_that_is_none_here_is_named(line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        authorization(MINE + f"credential-provider = '{line}'", SAVED, registry="mine")


def test_a_provider_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("binstall.registry.providers.PROVIDER_SECONDS", 0.3)
    provider = Script(tmp_path, "exec sleep 60")
    with pytest.raises(ConfigError, match="PROVIDER_SECONDS"):
        authorization(
            MINE + f"credential-provider = 'cargo:token-from-stdout {provider.path}'",
            registry="mine",
            PATH=PATH,
        )


@pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not on PATH")
@pytest.mark.parametrize("how", ["protocol", "stdout", "alias", "last global"])
def test_cargo_asks_the_same_provider_the_same_and_sends_the_same_token(tmp_path: Path, how: str) -> None:
    cargo_home = tmp_path / ".cargo"
    cargo_home.mkdir()
    (tmp_path / "programs").mkdir()
    body = SPEAKS if how == "protocol" else "echo printed"
    provider = Script(tmp_path / "programs", body)
    printed = f"cargo:token-from-stdout {provider.path} {{index_url}}"
    configured = {
        "protocol": f"credential-provider = ['{provider.path}', '--account', 'x']",
        "stdout": f"credential-provider = '{printed}'",
        "alias": f"credential-provider = 'a'\n[credential-alias]\na = '{printed}'",
        "last global": f"[registry]\nglobal-credential-providers = ['cargo:token', '{printed}']",
    }[how]
    with Host(None) as host:
        host.put("/index/config.json", json.dumps({"dl": host.base_url, "auth-required": True}).encode())
        host.put("/index/fo/ob/foobar", b"")
        url = f"sparse+{host.base_url}/index/"
        text = f"[registries.mine]\nindex = '{url}'\n{configured}"
        (cargo_home / "config.toml").write_text(text)
        cargo_installs(cargo_home, "foobar", "--registry", "mine")
        sent = {exchange.request.headers.get("authorization") for exchange in host.exchanges}
        words, request = provider.told("words"), provider.told("request") if how == "protocol" else ""
        variables = {
            line for line in provider.told("environment").splitlines() if line.startswith("CARGO_REGISTRY_")
        }
        config = parse_config(text.encode(), cargo_home / "config.toml").settings
        choice = select_registry(CargoConfig(config, {"PATH": PATH}, tmp_path), registry="mine")
        assert choice.authorize("") in sent
    assert provider.told("words") == words
    if how == "protocol":
        assert json.loads(provider.told("request")) == json.loads(request)
    assert variables <= set(provider.told("environment").splitlines())
