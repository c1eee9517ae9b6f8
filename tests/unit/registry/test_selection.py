from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from binstall.errors import BadRegistryUrl, ConfigError, UnknownRegistry, UsageError
from binstall.formats.cargo_config import CargoConfig
from binstall.formats.cargo_config_file import parse_config
from binstall.hosting.host import Host
from binstall.registry.cargo_home import load_cargo_config
from binstall.registry.selection import RegistryChoice, select_registry

CRATES_IO = "https://index.crates.io/"
CRATES_IO_ID = "registry+https://github.com/rust-lang/crates.io-index"
MIRROR = "[source.mirror]\nregistry = 'sparse+https://mirror.example/'\n"
REPLACED = "[source.crates-io]\nreplace-with = 'mirror'\n"
MINE = "[registries.mine]\nindex = 'sparse+https://mine.example/index'\n"


def select(
    text: str = "", *, index: str | None = None, registry: str | None = None, **env: str
) -> RegistryChoice:
    file = parse_config(text.encode(), Path("/home/me/.cargo/config.toml"))
    return select_registry(CargoConfig(file.settings, env, Path("/here")), index=index, registry=registry)


def seen(choice: RegistryChoice) -> tuple[str, str]:
    return choice.index_url, str(choice.source)


def test_crates_io_is_the_default() -> None:
    choice = select()
    assert seen(choice) == (CRATES_IO, CRATES_IO_ID)
    assert choice.words == "crates.io"
    assert choice.is_crates_io


@pytest.mark.parametrize(
    "url",
    [
        "sparse+https://index.crates.io/",
        "sparse+https://index.crates.io",
        "https://github.com/rust-lang/crates.io-index",
        "https://github.com/rust-lang/crates.io-index.git",
        "https://github.com/Rust-Lang/crates.io-index/",
    ],
)
def test_every_address_of_crates_io_is_crates_io(url: str) -> None:
    assert seen(select(index=url)) == (CRATES_IO, CRATES_IO_ID)
    assert select(REPLACED + MIRROR, index=url).index_url == "https://mirror.example/"


@pytest.mark.parametrize("name", ["crates-io", "CRATES-IO"])
def test_crates_io_by_name_is_never_another_registry(name: str) -> None:
    text = "[registries.crates-io]\nindex = 'sparse+https://evil.example/'"
    assert seen(select(text, registry=name)) == (CRATES_IO, CRATES_IO_ID)
    assert seen(select(CARGO_REGISTRIES_CRATES_IO_INDEX="sparse+https://evil.example/", registry=name)) == (
        CRATES_IO,
        CRATES_IO_ID,
    )


@pytest.mark.parametrize(
    "url",
    [
        "sparse+https://reg.example/a/b/",
        "sparse+https://reg.example/a/b",
        "sparse+HTTPS://REG.example/a/b/",
    ],
)
def test_an_index_url_keeps_its_path_and_has_one_slash_at_the_end(url: str) -> None:
    choice = select(index=url)
    assert seen(choice) == ("https://reg.example/a/b/", "sparse+https://reg.example/a/b/")
    assert not choice.is_crates_io


def test_an_option_beats_the_variable_for_the_default() -> None:
    url = "sparse+https://reg.example/"
    assert select(index=url, CARGO_REGISTRY_DEFAULT="nowhere").index_url == "https://reg.example/"
    assert select(MINE, registry="mine", CARGO_REGISTRY_DEFAULT="nowhere").name == "mine"


def test_both_options_at_once_are_a_usage_error() -> None:
    with pytest.raises(UsageError, match="both name a registry"):
        select(index="sparse+https://x/", registry="mine")


def test_a_named_registry_comes_from_variable_or_file() -> None:
    assert seen(select(MINE, registry="mine")) == (
        "https://mine.example/index/",
        "sparse+https://mine.example/index/",
    )
    env = {"CARGO_REGISTRIES_MY_OWN_INDEX": "sparse+https://own.example/"}
    assert select(registry="my-own", **env).index_url == "https://own.example/"
    assert select(CARGO_REGISTRY_DEFAULT="my-own", **env).index_url == "https://own.example/"
    assert select("[registry]\ndefault = 'mine'\n" + MINE).index_url == "https://mine.example/index/"
    assert select("[registry]\ndefault = 'crates-io'\n" + MINE).is_crates_io


@pytest.mark.parametrize("name", ["", "other", "Mine", "a b", "mine.index"])
def test_a_name_that_nobody_defines_is_an_unknown_registry(name: str) -> None:
    with pytest.raises(UnknownRegistry, match="no configuration defines") as caught:
        select(MINE, registry=name)
    assert caught.value.exit_code == 75
    assert "mine" in (caught.value.hint or "")


def test_a_mirror_is_asked_and_crates_io_is_recorded() -> None:
    choice = select(REPLACED + MIRROR)
    assert seen(choice) == ("https://mirror.example/", CRATES_IO_ID)
    assert choice.words == "crates.io, replaced by `mirror` (https://mirror.example/)"
    assert choice.is_crates_io


def test_replacements_are_followed_to_the_end() -> None:
    text = REPLACED + "[source.mirror]\nregistry='sparse+https://a/'\nreplace-with='b'\n"
    assert select(text + "[source.b]\nregistry='sparse+https://b/'").index_url == "https://b/"
    assert select(text + "[registries.b]\nindex='sparse+https://b/'").index_url == "https://b/"
    assert select(text, CARGO_REGISTRIES_B_INDEX="sparse+https://b/").index_url == "https://b/"
    both = "[source.b]\nregistry='sparse+https://source/'\n[registries.b]\nindex='sparse+https://registry/'"
    assert select(text + both).index_url == "https://source/"


def test_crates_io_may_be_redefined_in_place() -> None:
    choice = select("[source.crates-io]\nregistry = 'sparse+https://mirror.example/'")
    assert seen(choice) == ("https://mirror.example/", CRATES_IO_ID)


@pytest.mark.parametrize("how", ["index", "registry"])
def test_another_registry_is_replaced_where_a_source_has_its_address(how: str) -> None:
    text = (
        MINE + "[source.x]\nregistry='sparse+https://mine.example/index/'\nreplace-with='mirror'\n" + MIRROR
    )
    choice = (
        select(text, index="sparse+https://mine.example/index/")
        if how == "index"
        else select(text, registry="mine")
    )
    assert seen(choice) == ("https://mirror.example/", "sparse+https://mine.example/index/")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(
            "[source.crates-io]\nreplace-with='a'\n[source.a]\nregistry='sparse+https://a/'\nreplace-with='crates-io'",
            "circle: crates-io → a → crates-io",
            id="circle",
        ),
        pytest.param(
            "[source.crates-io]\nreplace-with='a'\n[source.a]\nregistry='sparse+https://a/'\nreplace-with='b'\n"
            "[source.b]\nregistry='sparse+https://b/'\nreplace-with='a'",
            "circle: crates-io → a → b → a",
            id="circle that cargo never leaves",
        ),
        pytest.param("[source.crates-io]\nreplace-with='crates-io'", "crates-io → crates-io", id="itself"),
        pytest.param(REPLACED, "`mirror`, which is neither a source nor a registry", id="nowhere"),
        pytest.param(REPLACED + "[source.mirror]", "`mirror` has no place", id="no place"),
        pytest.param(
            REPLACED + "[source.mirror]\nregistry='sparse+https://a/'\ngit='b'",
            "more than one place",
            id="two",
        ),
        pytest.param(
            REPLACED + MIRROR + "[source.b]\nregistry='https://github.com/rust-lang/crates.io-index'",
            "sources b, crates-io .* one and the same",
            id="crates.io twice",
        ),
        pytest.param("[registry]\nindex = 'sparse+https://a/'", "registry.index", id="registry.index"),
        pytest.param(
            REPLACED + "[source.mirror]\ngit='https://me:pw@x/y'",
            "the git source `mirror` at https://x/y, which replaces crates.io, is no registry",
            id="git",
        ),
    ],
)
def test_a_replacement_that_cannot_be_followed_is_never_passed_over(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        select(text)
    assert caught.value.exit_code == 16
    assert "pw" not in str(caught.value)


def test_registries_that_only_point_at_others_are_followed_and_never_in_a_circle() -> None:
    pointer = "[registries.old]\nreplace-with='mine'\n"
    assert select(pointer + MINE, registry="old").index_url == "https://mine.example/index/"
    assert select("[registries.old]\nreplace-with='crates-io'", registry="old").is_crates_io
    with pytest.raises(ConfigError, match="circle: old → mine → old"):
        select(pointer + "[registries.mine]\nreplace-with='old'", registry="old")


BAD_URLS = [
    "",
    "crates.io",
    "../index",
    "/srv/index",
    "sparse+",
    "sparse+ftp://x/",
    "sparse+file:///x/",
    "sparse+x/y",
    "sparse+https://",
    "sparse+https://me:secret@x/",
    "sparse+https://x/?key=secret",
    "sparse+https://x/\n",
    "sparse+https://[::1/",
    "ftp://x/y",
    "https://",
    "sparse+https://x:99999/",
    "git://x/y",
    "ext::sh -c evil",
    "--upload-pack=evil",
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_what_is_no_registry_url_is_a_usage_error_of_the_option(url: str) -> None:
    with pytest.raises(UsageError, match="--index") as caught:
        select(index=url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", BAD_URLS)
def test_what_is_no_registry_url_is_an_error_of_the_configuration(url: str) -> None:
    with pytest.raises(BadRegistryUrl, match="CARGO_REGISTRIES_MINE_INDEX") as caught:
        select(registry="mine", CARGO_REGISTRIES_MINE_INDEX=url)
    assert caught.value.exit_code == 79


@pytest.mark.parametrize(
    ("url", "place", "recorded"),
    [
        ("https://x.example/index", "https://x.example/index", "https://x.example/index"),
        ("https://me:pw@x.example/index.git", "https://x.example/index", "https://x.example/index.git"),
        ("ssh://git@x.example/y", "ssh://git@x.example/y", "ssh://x.example/y"),
        ("git@host.example:a/y.git", "ssh://git@host.example/a/y", "ssh://host.example/a/y.git"),
        ("file:///srv/index.git/", "file:///srv/index.git", "file:///srv/index.git/"),
    ],
)
def test_an_index_in_git_is_recorded_as_it_is_written(url: str, place: str, recorded: str) -> None:
    for choice in (select(index=url), select(f"[registries.g]\nindex='{url}'", registry="g")):
        assert choice.place.kind == "git index"
        assert seen(choice) == (place.removesuffix(".git"), f"registry+{recorded}")
        assert not choice.is_crates_io
        assert "pw" not in choice.words


@pytest.mark.parametrize(
    ("kind", "written", "place"),
    [
        ("directory", "vendor", "/home/me/vendor"),
        ("local-registry", "/srv/l", "/srv/l"),
        ("registry", "file:///srv/index", "file:///srv/index"),
    ],
)
def test_any_kind_of_place_may_stand_in_for_crates_io(kind: str, written: str, place: str) -> None:
    choice = select(REPLACED + f"[source.mirror]\n{kind}='{written}'")
    assert seen(choice) == (place, CRATES_IO_ID)
    assert choice.place.kind == ("git index" if kind == "registry" else kind)


def test_a_checkout_does_not_choose_the_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (tmp_path, tmp_path / "checkout"):
        (folder / ".cargo").mkdir(parents=True)
        for name in ("config", "config.toml"):
            (folder / ".cargo" / name).write_text(
                "[source.crates-io]\nreplace-with='evil'\n[source.evil]\nregistry='sparse+https://evil.example/'\n"
                "[registry]\ndefault='evil'\n[registries.evil]\nindex='sparse+https://evil.example/'\n"
            )
    monkeypatch.chdir(tmp_path / "checkout")
    config = load_cargo_config(tmp_path / "home", {}, Path.cwd())
    assert seen(select_registry(config)) == (CRATES_IO, CRATES_IO_ID)


@pytest.mark.skipif(shutil.which("cargo") is None, reason="needs cargo")
@pytest.mark.parametrize(
    ("text", "environment", "arguments"),
    [
        pytest.param("{replaced}{a}", {}, [], id="replaced"),
        pytest.param("{replaced}{a}{b}", {"CARGO_SOURCE_crates-io_REPLACE_WITH": "b"}, [], id="variable"),
        pytest.param(
            "{replaced}{a}{b}", {"CARGO_SOURCE_CRATES_IO_REPLACE_WITH": "b"}, [], id="ignored variable"
        ),
        pytest.param("{replaced}{a}", {"CARGO_SOURCE_a_REGISTRY": "{B}"}, [], id="variable for a place"),
        pytest.param("{replaced}", {"CARGO_REGISTRIES_A_INDEX": "{B}"}, [], id="registry by variable"),
        pytest.param("{replaced}{a}[registries.a]\nindex='{B}'", {}, [], id="source before registry"),
        pytest.param("[source.crates-io]\nregistry='{A}'", {}, [], id="redefined"),
        pytest.param("[registries.r]\nindex='{A}'", {"CARGO_REGISTRY_DEFAULT": "r"}, [], id="default"),
        pytest.param(
            "[registries.r]\nindex='{A}'\nreplace-with='s'\n[registries.s]\nindex='{B}'",
            {},
            ["r"],
            id="named",
        ),
        pytest.param(
            "[registries.r]\nindex='{A}'", {"CARGO_REGISTRIES_R_INDEX": "{B}"}, ["r"], id="named, variable"
        ),
        pytest.param(
            "[registries.r]\nindex='{A}'\n[source.x]\nregistry='{A}'\nreplace-with='b'\n{b}",
            {},
            ["r"],
            id="both",
        ),
    ],
)
def test_cargo_asks_the_same_registry(
    tmp_path: Path, text: str, environment: Mapping[str, str], arguments: list[str]
) -> None:
    (tmp_path / "cwd").mkdir()
    cargo_home = tmp_path / "home"
    cargo_home.mkdir()
    with Host(None) as one, Host(None) as other:
        hosts = {f"{host.base_url}/": host for host in (one, other)}
        first, second = (f"sparse+{url}" for url in hosts)

        def filled(pattern: str) -> str:
            pattern = pattern.replace("{replaced}", "[source.crates-io]\nreplace-with='a'\n")
            pattern = pattern.replace("{a}", "[source.a]\nregistry='{A}'\n")
            pattern = pattern.replace("{b}", "[source.b]\nregistry='{B}'\n")
            return pattern.replace("{A}", first).replace("{B}", second)

        (cargo_home / "config.toml").write_text(filled(text))
        settings = {name: filled(value) for name, value in environment.items()}
        registry = arguments[0] if arguments else None
        choice = select_registry(
            load_cargo_config(cargo_home, settings, tmp_path / "cwd"), registry=registry
        )
        subprocess.run(
            ["cargo", "install", "foo", *(["--registry", registry] if registry else [])],
            cwd=tmp_path / "cwd",
            env={**without_cargo(os.environ), **settings, "CARGO_HOME": str(cargo_home)},
            capture_output=True,
            timeout=60,
            check=False,
        )
        asked = [url for url, host in hosts.items() if host.exchanges]
        assert asked == [choice.index_url]


def without_cargo(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without those that would configure cargo or its way to loopback."""
    kept = {name: value for name, value in environment.items() if not name.startswith("CARGO_")}
    return {name: value for name, value in kept.items() if not name.lower().endswith("_proxy")}
