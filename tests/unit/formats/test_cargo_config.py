from __future__ import annotations

from pathlib import Path

import pytest

from binstall.errors import ConfigError
from binstall.formats.cargo_config import CargoConfig
from binstall.formats.cargo_config_file import parse_config

FILE = Path("/home/me/.cargo/config.toml")
HERE = Path("/here/work")


def configured(text: str = "", **environment: str) -> CargoConfig:
    return CargoConfig(parse_config(text.encode(), FILE).settings, environment, HERE)


def test_nothing_configured_is_nothing() -> None:
    config = CargoConfig()
    assert config.install_root is None
    assert config.http_cainfo is None
    assert config.http_proxy is None
    assert config.http_timeout is None
    assert config.default_registry is None
    assert config.registry_names() == ()
    assert config.sources() == {}
    assert config.warnings() == ()


def test_a_variable_beats_the_file() -> None:
    config = configured(
        "[http]\ncainfo='a/ca.pem'\nproxy='p1'\ntimeout=5\n[registry]\ndefault='one'\n"
        "[registries.my-reg]\nindex='sparse+https://one/'",
        CARGO_HTTP_CAINFO="b/ca.pem",
        CARGO_HTTP_PROXY="p2",
        CARGO_HTTP_TIMEOUT="6",
        CARGO_REGISTRY_DEFAULT="two",
        CARGO_REGISTRIES_MY_REG_INDEX="sparse+https://two/",
    )
    assert config.http_cainfo is not None
    assert (config.http_cainfo.path, config.http_cainfo.origin) == (HERE / "b/ca.pem", "CARGO_HTTP_CAINFO")
    assert config.http_proxy is not None
    assert config.http_proxy.text == "p2"
    assert config.http_timeout == 6
    assert config.default_registry is not None
    assert config.default_registry.text == "two"
    index = config.get("registries", "my-reg", "index")
    assert index is not None
    assert index.text == "sparse+https://two/"


def test_a_path_of_a_file_starts_above_the_folder_of_the_file() -> None:
    config = configured("[http]\ncainfo='ca.pem'\n[install]\nroot='tools'")
    assert config.http_cainfo is not None
    assert config.http_cainfo.path == Path("/home/me/ca.pem")
    assert config.install_root == Path("/home/me/tools")


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "", "99999999999", "9" * 5000])
def test_a_time_limit_that_is_none_is_an_error(seconds: str) -> None:
    with pytest.raises(ConfigError, match="no positive number of seconds"):
        _ = configured(CARGO_HTTP_TIMEOUT=seconds).http_timeout


def test_the_bare_variable_for_the_time_limit_counts_last() -> None:
    assert configured(HTTP_TIMEOUT="9").http_timeout == 9
    assert configured("[http]\ntimeout=5", HTTP_TIMEOUT="9").http_timeout == 5


def test_registries_come_from_files_and_variables() -> None:
    config = configured(
        "[registries.my-reg]\nindex='x'\n[registries.bare]\ntoken='t'\n[registries.index]\nindex='y'",
        CARGO_REGISTRIES_MY_REG_INDEX="z",
        CARGO_REGISTRIES_OTHER_ONE_INDEX="z",
        CARGO_REGISTRIES__INDEX="z",
        CARGO_REGISTRIES_INDEX="z",
    )
    assert config.registry_names() == ("index", "my-reg", "other_one")


def test_a_source_variable_counts_in_the_spelling_of_a_table_that_exists() -> None:
    table = "[source.crates-io]\nreplace-with='a'\n[source.b]\nregistry='sparse+https://b/'"
    config = configured(
        table,
        **{"CARGO_SOURCE_crates-io_REPLACE_WITH": "b", "CARGO_SOURCE_b_REGISTRY": "sparse+https://c/"},
    )
    sources = config.sources()
    assert sources["crates-io"].replace_with == "b"
    assert sources["crates-io"].origin == "CARGO_SOURCE_crates-io_REPLACE_WITH"
    ((kind, place),) = sources["b"].locations
    assert (kind, place.text) == ("registry", "sparse+https://c/")
    assert config.warnings() == ()


@pytest.mark.parametrize("variable", ["CARGO_SOURCE_CRATES_IO_REPLACE_WITH", "CARGO_SOURCE_other_REGISTRY"])
def test_a_source_variable_that_cargo_ignores_is_ignored_and_told(variable: str) -> None:
    config = configured("[source.crates-io]\nreplace-with='a'", **{variable: "b"})
    assert list(config.sources()) == ["crates-io"]
    assert config.sources()["crates-io"].replace_with == "a"
    (warning,) = config.warnings()
    assert variable in warning


def test_a_registry_cannot_be_replaced_outside_of_sources_and_that_is_told() -> None:
    config = configured("[registries.a]\nindex='x'\nreplace-with='b'\n[registries.b]\nreplace-with='c'")
    (warning,) = config.warnings()
    assert "registries.a.replace-with" in warning


def test_every_place_of_a_source_is_kept_for_the_error_that_it_may_be() -> None:
    source = configured("[source.x]\nregistry='a'\ngit='b'\ndirectory='c'\nlocal-registry='d'").sources()[
        "x"
    ]
    assert [kind for kind, _ in source.locations] == ["registry", "local-registry", "directory", "git"]


def test_secrets_are_in_no_repr() -> None:
    assert "secret" not in repr(configured("[registry]\ntoken='secret'", CARGO_REGISTRY_TOKEN="secret"))
