"""Cargo's home folder: where it is, what its configuration says, and where binaries go.

One configuration file is read, `config` or `config.toml` of cargo's home, with what it includes. No file in
or above the working directory is: the registry names the key that packages must be signed with, so a
checkout that somebody happens to stand in must not choose the registry. (`CARGO_HOME` itself, if relative,
starts at the working directory, as in cargo: whoever sets it chose that folder.)
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from binstall.errors import ConfigError
from binstall.formats.cargo_config import CargoConfig
from binstall.formats.cargo_config_file import Key, Setting, merge, parse_config
from binstall.limits import MAX_CARGO_CONFIG_BYTES, MAX_CARGO_CONFIG_FILES


@dataclass(frozen=True, slots=True)
class InstallFolders:
    """Where an installation goes."""

    root: Path
    """Absolute: holds `.crates.toml` and `bin`."""
    bin_dir: Path
    """Absolute: where the binaries are put."""
    tracked: bool
    """Whether `root` keeps records of what is in `bin_dir`; false for a folder of the user's own choice."""


def user_home(environment: Mapping[str, str]) -> Path | None:
    """Return the user's home: `HOME` (`USERPROFILE` on Windows), else what the system knows, else None."""
    named = environment.get("USERPROFILE" if os.name == "nt" else "HOME")
    if named:
        return Path(named)
    if os.name == "nt":
        return None
    import pwd

    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return None


def find_cargo_home(environment: Mapping[str, str], home: Path | None, working_folder: Path) -> Path | None:
    """Return cargo's home, which need not exist: `CARGO_HOME`, else `.cargo` in `home`, else None."""
    named = environment.get("CARGO_HOME")
    if named:
        return working_folder / named
    return working_folder / home / ".cargo" if home else None


def load_cargo_config(
    cargo_home: Path | None, environment: Mapping[str, str], working_folder: Path
) -> CargoConfig:
    """Read the configuration in `cargo_home`; without one, only `environment` speaks.

    Raises:
        ConfigError: A file is not readable, or is not what cargo accepts.
    """
    path = _file(cargo_home, "config")
    settings = _load(path, (), [MAX_CARGO_CONFIG_FILES]) if path else {}
    return CargoConfig(settings, environment, working_folder)


def load_credentials(cargo_home: Path | None) -> Mapping[Key, Setting]:
    """Read `credentials` or `credentials.toml` of `cargo_home`; empty if there is none.

    Raises:
        ConfigError: As for `load_cargo_config`.
    """
    path = _file(cargo_home, "credentials")
    return _load(path, (), [MAX_CARGO_CONFIG_FILES]) if path else {}


def _file(cargo_home: Path | None, stem: str) -> Path | None:
    """Return the file that counts: where both stand, cargo takes the one without extension."""
    if cargo_home is None:
        return None
    for path in (cargo_home / stem, cargo_home / f"{stem}.toml"):
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from error
        return path
    return None


def _load(
    path: Path, above: tuple[str, ...], left: list[int], *, optional: bool = False
) -> dict[Key, Setting]:
    """Read a file and what it includes; `above` leads to it, `left[0]` more files may be read."""
    place = os.path.realpath(path)
    if place in above:
        raise ConfigError(f"cargo's configuration {path} includes itself, by way of {above[-1]}")
    left[0] -= 1
    if left[0] < 0:
        raise ConfigError(
            f"cargo's configuration has more than {MAX_CARGO_CONFIG_FILES} files (MAX_CARGO_CONFIG_FILES)"
        )
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CARGO_CONFIG_BYTES + 1)
    except FileNotFoundError as error:
        if optional:
            return {}
        raise _unreadable(path, error) from error
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    parsed = parse_config(data, path)
    included = (_load(one.path, (*above, place), left, optional=one.optional) for one in parsed.includes)
    return merge([*included, parsed.settings])


def _unreadable(path: Path, error: Exception) -> ConfigError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ConfigError(f"cargo's configuration {path} cannot be read: {reason}")


def install_folders(
    *,
    cli_root: Path | None,
    cli_install_path: Path | None,
    config: CargoConfig,
    cargo_home: Path | None,
) -> InstallFolders:
    """Choose where to install, as cargo does.

    The root is `cli_root`, else `CARGO_INSTALL_ROOT` (even an empty one, which is the working directory),
    else `install.root` of the configuration, else cargo's home; binaries go to its `bin`. With no home at
    all they go to an absolute `XDG_BIN_HOME`, unrecorded. `cli_install_path` is a folder of the user's own
    and nothing in it is recorded.

    Raises:
        ConfigError: Nothing says where.
    """
    environment, here = config.environment, config.working_folder
    root: Path | None = cargo_home
    if cli_root is not None:
        root = here / cli_root
    elif "CARGO_INSTALL_ROOT" in environment:
        root = here / environment["CARGO_INSTALL_ROOT"]
    elif config.install_root is not None:
        root = config.install_root
    if cli_install_path is not None:
        chosen = here / cli_install_path
        return InstallFolders(root or chosen, chosen, tracked=False)
    if root is not None:
        return InstallFolders(root, root / "bin", tracked=True)
    programs = Path(environment.get("XDG_BIN_HOME", ""))
    if programs.is_absolute():
        return InstallFolders(programs, programs, tracked=False)
    raise ConfigError(
        "there is no folder to install into: no CARGO_HOME, and no home folder of this user",
        hint="pass --root DIR, or set CARGO_HOME or HOME",
    )
