"""The settings file on disk: where it is looked for, when it is made, how it is changed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from binstall.cli.request import Surroundings
from binstall.cli.settings import load_settings, save_consent, settings_path
from binstall.errors import ConfigError
from binstall.formats.settings_file import DEFAULT_SETTINGS_TEXT, SettingsFile, parse_settings


def around(folder: Path, **environment: str) -> Surroundings:
    return Surroundings(environment, folder / "work", folder / "home")


class Load:
    """`load_settings` with its warnings kept."""

    def __init__(self, folder: Path) -> None:
        self.around = around(folder)
        self.warnings: list[str] = []

    def __call__(self, named: Path | None = None, *, create: bool = False) -> SettingsFile:
        loaded = load_settings(named, None, self.around, create=create, warn=self.warnings.append)
        self.path = loaded.path
        return loaded.values


@pytest.fixture
def load(tmp_path: Path) -> Load:
    return Load(tmp_path)


@pytest.mark.parametrize(
    ("named", "root", "environment", "home", "expected"),
    [
        ("my.toml", "r", {"CARGO_HOME": "/c"}, "h", "work/my.toml"),
        ("/my.toml", None, {}, "h", "/my.toml"),
        (None, "r", {"CARGO_HOME": "/c"}, "h", "/c/binstall.toml"),
        (None, "r", {"CARGO_HOME": "c"}, "h", "work/c/binstall.toml"),
        (None, "r", {}, "/h", "/h/.cargo/binstall.toml"),
        (None, "r", {"CARGO_INSTALL_ROOT": "/i"}, None, "work/r/binstall.toml"),
        (None, None, {"CARGO_INSTALL_ROOT": "/i"}, None, "/i/binstall.toml"),
        (None, None, {}, None, None),
    ],
)
def test_the_settings_are_where_the_option_or_cargos_home_says(
    named: str | None, root: str | None, environment: dict[str, str], home: str | None, expected: str | None
) -> None:
    where = Surroundings(environment, Path("work"), Path(home) if home else None)
    found = settings_path(Path(named) if named else None, Path(root) if root else None, where)
    assert found == (Path(expected) if expected else None)


def test_a_missing_file_is_the_defaults_and_is_not_made_unasked(load: Load, tmp_path: Path) -> None:
    assert load() == SettingsFile()
    assert list(tmp_path.iterdir()) == [] and load.warnings == []


def test_a_missing_file_is_made_with_the_defaults_for_its_owner_alone(load: Load, tmp_path: Path) -> None:
    assert load(create=True) == SettingsFile()
    path = tmp_path / "home/.cargo/binstall.toml"
    assert path.read_text() == DEFAULT_SETTINGS_TEXT
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == [path.name], "no temporary file is left"


def test_an_existing_file_is_read_and_never_made_anew(load: Load, tmp_path: Path) -> None:
    path = tmp_path / "home/.cargo/binstall.toml"
    path.parent.mkdir(parents=True)
    path.write_text("confirm = false\n")
    assert not load(create=True).confirm
    assert path.read_text() == "confirm = false\n"


def test_a_broken_file_is_a_warning_where_nobody_named_it_and_16_where_somebody_did(
    load: Load, tmp_path: Path
) -> None:
    path = tmp_path / "home/.cargo/binstall.toml"
    path.parent.mkdir(parents=True)
    path.write_text("confirm = 3\n")
    assert load() == SettingsFile()
    assert len(load.warnings) == 1 and str(path) in load.warnings[0] and "`confirm`" in load.warnings[0]
    assert load.path is None, "nothing is written into a file that cannot be read"
    with pytest.raises(ConfigError, match="`confirm`") as raised:
        load(path)
    assert raised.value.exit_code == 16


def test_a_named_file_that_is_missing_is_an_error_unless_it_may_be_made(load: Load, tmp_path: Path) -> None:
    named = tmp_path / "named.toml"
    with pytest.raises(ConfigError, match="no such file"):
        load(named)
    load(named, create=True)
    assert named.read_text() == DEFAULT_SETTINGS_TEXT


@pytest.mark.parametrize("kind", ["folder", "fifo"])
def test_what_is_no_file_is_no_settings_file(load: Load, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "odd"
    if kind == "folder":
        path.mkdir()
        with pytest.raises(ConfigError):
            load(path)
    else:
        os.mkfifo(path)
        assert load(path) == SettingsFile(), "nobody waits for a pipe"


def test_an_answer_is_written_in_place_through_a_link_with_the_mode_kept(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    real.write_text("# mine\n" + DEFAULT_SETTINGS_TEXT)
    real.chmod(0o640)
    link = tmp_path / "binstall.toml"
    link.symlink_to(real)
    save_consent(link, enabled=True)
    assert link.is_symlink()
    assert real.read_text().startswith("# mine\n")
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert parse_settings(real.read_bytes()).consents
    save_consent(link, enabled=False)
    assert not parse_settings(real.read_bytes()).consents
    assert sorted(each.name for each in tmp_path.iterdir()) == ["binstall.toml", "dotfiles.toml"]


def test_an_answer_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        save_consent(tmp_path / "not/there.toml", enabled=True)
