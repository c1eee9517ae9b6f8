"""`binstall.toml` on this disk, for both command lines: where it is, who makes it, and how it is changed.

    --settings FILE, else $CARGO_HOME/binstall.toml, else binstall.toml of --root or CARGO_INSTALL_ROOT

`binstall` reads it and never makes it. `cargo-binstall` makes it with the defaults where it is missing, as the
Rust program does, but not in a dry run. A file that cannot be used is an error where `--settings` names it,
else a warning, and the defaults hold. It is changed only by the answer about statistics: written anew beside
its place, under the lock that the Rust program takes, and put there in one step.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from binstall.cli.request import Surroundings
from binstall.errors import ConfigError, MirrorError
from binstall.formats.settings_file import DEFAULT_SETTINGS_TEXT, SettingsFile, parse_settings, with_consent
from binstall.install.locks import open_locked
from binstall.limits import MAX_SETTINGS_BYTES
from binstall.registry.cargo_home import find_cargo_home

NAME = "binstall.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """What was read, and from where."""

    values: SettingsFile
    path: Path | None
    """None where there is no place for the file, or it cannot be used and is best left alone."""


def settings_path(named: Path | None, root: Path | None, around: Surroundings) -> Path | None:
    """Return where the settings are; None where nothing says."""
    here = around.working_directory
    if named is not None:
        return here / named
    home = find_cargo_home(around.environment, around.home, here)
    if home is not None:
        return home / NAME
    if root is None and "CARGO_INSTALL_ROOT" in around.environment:
        root = Path(around.environment["CARGO_INSTALL_ROOT"])
    return here / root / NAME if root is not None else None


def load_settings(
    named: Path | None,
    root: Path | None,
    around: Surroundings,
    *,
    create: bool,
    warn: Callable[[str], None],
) -> Settings:
    """Read the settings; `create` makes a missing file, with the defaults. `named` and `root` are options.

    Raises:
        ConfigError: the file that `--settings` names cannot be used.
        MirrorError: so it is with whatever file, and it has rules about mirrors.
    """
    path = settings_path(named, root, around)
    if path is None:
        return Settings(SettingsFile(), None)
    try:
        return Settings(_read_or_make(path, create=create, must_exist=named is not None), path)
    except ConfigError as error:
        error.about(f"the settings in {path}")
        if named is not None or isinstance(error, MirrorError):
            raise
        warn(f"{error.message}; the defaults are used")
        return Settings(SettingsFile(), None)


def _read_or_make(path: Path, *, create: bool, must_exist: bool) -> SettingsFile:
    try:
        try:
            return parse_settings(_read(path))
        except (FileNotFoundError, NotADirectoryError) as error:
            if not create:
                if must_exist:
                    raise ConfigError("cannot be read: there is no such file") from error
                return SettingsFile()
        _make(path)
        return parse_settings(_read(path))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(f"cannot be read or made: {reason}") from error


def _read(path: Path) -> bytes:
    fd = open_locked(path, exclusive=False, create=False)
    with os.fdopen(fd, "rb") as file:
        return file.read(MAX_SETTINGS_BYTES + 1)


def _make(path: Path) -> None:
    """Make the file, whole at once, unless somebody else has made it meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _beside(path, DEFAULT_SETTINGS_TEXT.encode()) as new:
        try:
            path.hardlink_to(new)
        except FileExistsError:
            return
        except OSError:
            if path.exists():
                return
            new.replace(path)  # no hard links here


def save_consent(path: Path, *, enabled: bool) -> None:
    """Write down the answer about statistics.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        real = Path(os.path.realpath(path))
        fd = open_locked(real, exclusive=True, create=True)
        with os.fdopen(fd, "rb") as file:
            changed = with_consent(file.read(MAX_SETTINGS_BYTES + 1), enabled=enabled)
            mode = os.fstat(fd).st_mode & 0o777
            with _beside(real, changed) as new:
                new.chmod(mode)
                new.replace(real)
    except ConfigError as error:
        raise error.about(f"the settings in {path}") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(f"the settings in {path} cannot be written: {reason}") from error


@contextlib.contextmanager
def _beside(path: Path, data: bytes) -> Iterator[Path]:
    """Yield a new file of mode 0600 in the folder of `path` that holds `data`, on disk; remove what is left."""
    new = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    try:
        with new.open("xb") as file:
            new.chmod(0o600)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield new
    finally:
        new.unlink(missing_ok=True)
