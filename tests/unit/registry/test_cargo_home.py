from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from binstall.errors import ConfigError
from binstall.formats.cargo_config import CargoConfig
from binstall.limits import MAX_CARGO_CONFIG_BYTES, MAX_CARGO_CONFIG_FILES
from binstall.registry.cargo_home import (
    InstallFolders,
    find_cargo_home,
    install_folders,
    load_cargo_config,
    load_credentials,
    user_home,
)

HERE = Path("/here/work")
HOME = Path("/home/me")


def written(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def root_setting(value: str) -> str:
    return f"[install]\nroot = '{value}'\n"


@pytest.mark.parametrize(
    ("environment", "home", "found"),
    [
        ({"CARGO_HOME": "/c"}, HOME, Path("/c")),
        ({"CARGO_HOME": "c"}, HOME, HERE / "c"),
        ({"CARGO_HOME": ""}, HOME, HOME / ".cargo"),
        ({}, HOME, HOME / ".cargo"),
        ({}, Path("relative"), HERE / "relative/.cargo"),
        ({}, None, None),
        ({"CARGO_HOME": "/c"}, None, Path("/c")),
    ],
)
def test_cargo_home_is_the_variable_or_in_the_home_folder(
    environment: dict[str, str], home: Path | None, found: Path | None
) -> None:
    assert find_cargo_home(environment, home, HERE) == found


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps no record of home folders beside the variable")
@pytest.mark.parametrize("environment", [{}, {"HOME": ""}], ids=["unset", "empty"])
def test_without_the_variable_the_system_knows_the_home_folder(environment: dict[str, str]) -> None:
    import pwd

    assert user_home(environment) == Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert user_home({"HOME": "/h"}) == Path("/h")


def test_no_cargo_home_and_an_empty_one_configure_nothing(tmp_path: Path) -> None:
    for cargo_home in (None, tmp_path, tmp_path / "missing"):
        assert load_cargo_config(cargo_home, {}, HERE) == CargoConfig({}, {}, HERE)
        assert load_credentials(cargo_home) == {}


def test_the_file_without_extension_counts_where_both_stand(tmp_path: Path) -> None:
    written(tmp_path, {"config.toml": root_setting("/toml")})
    assert load_cargo_config(tmp_path, {}, HERE).install_root == Path("/toml")
    written(tmp_path, {"config": root_setting("/plain")})
    assert load_cargo_config(tmp_path, {}, HERE).install_root == Path("/plain")


def test_credentials_are_read_from_a_file_of_their_own(tmp_path: Path) -> None:
    written(tmp_path, {"credentials.toml": "[registries.mine]\ntoken = 'secret'"})
    assert load_credentials(tmp_path)["registries", "mine", "token"].text == "secret"
    assert load_cargo_config(tmp_path, {}, HERE).get("registries", "mine", "token") is None


def test_no_file_in_or_above_the_working_folder_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = root_setting("/hostile") + "[source.crates-io]\nreplace-with = 'evil'\n"
    checkout = written(tmp_path / "checkout", {".cargo/config.toml": hostile, ".cargo/config": hostile})
    inside = written(checkout / "deep", {".cargo/config.toml": hostile, "config.toml": hostile})
    monkeypatch.chdir(inside)
    cargo_home = written(tmp_path / "home", {"config.toml": "[http]\ntimeout = 5\n"})
    config = load_cargo_config(cargo_home, {}, inside)
    assert config.install_root is None
    assert config.sources() == {}
    assert config.http_timeout == 5


def test_included_files_count_less_than_the_file_and_later_ones_more(tmp_path: Path) -> None:
    written(
        tmp_path,
        {
            "config.toml": "include = ['a.toml', {path='sub/b.toml'}, {path='no.toml', optional=true}]\n"
            "[http]\nproxy = 'own'\n",
            "a.toml": root_setting("/a") + "[http]\nproxy = 'a'\ntimeout = 1\n",
            "sub/b.toml": "include = ['../c.toml']\n[http]\ntimeout = 2\n",
            "c.toml": root_setting("/c") + "[http]\ncainfo = 'c'\n",
        },
    )
    config = load_cargo_config(tmp_path, {}, HERE)
    assert config.install_root == Path("/c")
    assert config.http_timeout == 2
    assert config.http_proxy is not None
    assert config.http_proxy.text == "own"
    assert config.http_cainfo is not None
    assert config.http_cainfo.origin.endswith("c.toml")


def test_a_relative_path_in_an_included_file_starts_above_that_file(tmp_path: Path) -> None:
    written(tmp_path, {"config.toml": "include = ['sub/c.toml']", "sub/c.toml": root_setting("tools/")})
    assert load_cargo_config(tmp_path, {}, HERE).install_root == tmp_path / "tools"


def test_the_same_file_may_be_included_twice(tmp_path: Path) -> None:
    written(tmp_path, {"config.toml": "include = ['a.toml', 'a.toml']", "a.toml": root_setting("/a")})
    assert load_cargo_config(tmp_path, {}, HERE).install_root == Path("/a")


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"config.toml": "include = ['config.toml']"}, "includes itself"),
        (
            {"config.toml": "include = ['a.toml']", "a.toml": "include = ['x/../config.toml']", "x/y": ""},
            "itself",
        ),
        ({"config.toml": "include = ['missing.toml']"}, r"missing.toml cannot be read: No such file"),
        ({"config.toml": "include = ['a.toml']", "a.toml": "["}, r"a.toml is not TOML"),
        ({"config/file": ""}, "config cannot be read: Is a directory"),
        ({"config.toml": f"include = {['a.toml'] * MAX_CARGO_CONFIG_FILES}", "a.toml": ""}, "CONFIG_FILES"),
        ({"config.toml": "#" * (MAX_CARGO_CONFIG_BYTES + 1)}, "MAX_CARGO_CONFIG_BYTES"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_an_error(
    tmp_path: Path, files: dict[str, str], says: str
) -> None:
    written(tmp_path, files)
    with pytest.raises(ConfigError, match=says):
        load_cargo_config(tmp_path, {}, HERE)


def test_a_home_that_is_a_file_configures_nothing(tmp_path: Path) -> None:
    written(tmp_path, {"file": ""})
    assert load_cargo_config(tmp_path / "file", {}, HERE).settings == {}


@pytest.mark.skipif(os.name == "nt", reason="permissions are of another kind there")
def test_a_file_that_may_not_be_read_is_an_error(plain_user_folder: Path) -> None:
    written(plain_user_folder, {"config.toml": ""})
    (plain_user_folder / "config.toml").chmod(0)
    with pytest.raises(ConfigError, match="Permission denied"):
        load_cargo_config(plain_user_folder, {}, HERE)


def test_a_home_with_a_null_character_is_an_error() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_cargo_config(Path("/a\0b"), {}, HERE)


def chosen(
    text: str = "",
    *,
    cargo_home: Path | None = HOME / ".cargo",
    root: Path | None = None,
    install_path: Path | None = None,
    **environment: str,
) -> InstallFolders:
    from binstall.formats.cargo_config_file import parse_config

    settings = parse_config(text.encode(), HOME / ".cargo/config.toml").settings
    return install_folders(
        cli_root=root,
        cli_install_path=install_path,
        config=CargoConfig(settings, environment, HERE),
        cargo_home=cargo_home,
    )


def rooted(root: Path) -> InstallFolders:
    return InstallFolders(root, root / "bin", tracked=True)


def test_the_root_is_option_variable_configuration_home_in_this_order() -> None:
    text = root_setting("/configured")
    assert chosen(text, root=Path("r"), CARGO_INSTALL_ROOT="/e") == rooted(HERE / "r")
    assert chosen(text, CARGO_INSTALL_ROOT="/e") == rooted(Path("/e"))
    assert chosen(text, CARGO_INSTALL_ROOT="e") == rooted(HERE / "e")
    assert chosen(text, CARGO_INSTALL_ROOT="") == rooted(HERE)
    assert chosen(text) == rooted(Path("/configured"))
    assert chosen(root_setting("tools")) == rooted(HOME / "tools")
    assert chosen() == rooted(HOME / ".cargo")


def test_a_folder_of_the_users_own_choice_is_not_tracked() -> None:
    assert chosen(install_path=Path("b")) == InstallFolders(HOME / ".cargo", HERE / "b", tracked=False)
    assert chosen(install_path=Path("/b"), cargo_home=None) == InstallFolders(
        Path("/b"), Path("/b"), tracked=False
    )


def test_without_any_home_something_must_say_where() -> None:
    assert chosen(cargo_home=None, root=Path("/r")) == rooted(Path("/r"))
    assert chosen(cargo_home=None, CARGO_INSTALL_ROOT="/e") == rooted(Path("/e"))
    assert chosen(cargo_home=None, XDG_BIN_HOME="/x") == InstallFolders(
        Path("/x"), Path("/x"), tracked=False
    )
    for programs in ("", "relative"):
        with pytest.raises(ConfigError, match="no folder to install into"):
            chosen(cargo_home=None, XDG_BIN_HOME=programs)
