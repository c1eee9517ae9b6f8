"""`binstall.toml`, the settings file of cargo-binstall: TOML in, settings out, and one answer written back.

    confirm = true                      ask before installing
    install_path = "…"                  like --install-path
    track_installs = true               false is --no-track
    continue_on_failure = false
    targets = ["…"]                     where neither --targets nor CARGO_BUILD_TARGET says
    strategies = ["…"]                  where neither --strategies nor BINSTALL_STRATEGIES says
    [telemetry]                         both keys are required
    enabled = true
    consent_asked = false
    [[mirror]]                          of ours: see `formats.mirrors`

Every key at the top is optional, and a key that is none of these is somebody else's. Pure: opens no file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from binstall.errors import ConfigError, MirrorError
from binstall.formats.metadata import STRATEGIES
from binstall.formats.mirrors import Mirror, parse_mirrors
from binstall.limits import MAX_SETTINGS_BYTES

DEFAULT_SETTINGS_TEXT: Final = """\
confirm = true
track_installs = true
continue_on_failure = false
strategies = []

[telemetry]
enabled = true
consent_asked = false
"""
"""What a fresh settings file holds: that of cargo-binstall, byte for byte."""

_ANY_MIRROR: Final = re.compile(rb"(?m)^\s*(\[\[\s*)?[\"']?mirror\b")


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """What a settings file says; a value of None stands for a key that is absent."""

    confirm: bool = True
    install_path: str | None = None
    """As written."""
    track_installs: bool = True
    continue_on_failure: bool = False
    targets: tuple[str, ...] | None = None
    """As written, not yet parsed; an empty list was given as such."""
    strategies: tuple[str, ...] = ()
    """Members of `formats.metadata.STRATEGIES`; an empty list is as good as none."""
    telemetry_enabled: bool = True
    consent_asked: bool = False
    mirrors: tuple[Mirror, ...] = ()

    @property
    def consents(self) -> bool:
        """Whether the user was asked for statistics, and said yes."""
        return self.telemetry_enabled and self.consent_asked


def parse_settings(data: bytes) -> SettingsFile:
    """Read a settings file; raise `ConfigError`, and nothing else, on what is none.

    The message begins with a verb: whoever knows the path sets it before.
    """
    try:
        values = _document(data)
        return _settings(values, parse_mirrors(values.get("mirror")))
    except MirrorError:
        raise
    except ConfigError as error:
        # Other files that cannot be used may be passed over.
        if _ANY_MIRROR.search(data):
            raise MirrorError(
                error.message, hint="the file has [[mirror]] rules, so it must be sound"
            ) from error
        raise


def _settings(values: Mapping[str, object], mirrors: tuple[Mirror, ...]) -> SettingsFile:
    strategies = _texts(values, "strategies") or ()
    for word in strategies:
        if word not in STRATEGIES:
            known = ", ".join(sorted(STRATEGIES))
            raise ConfigError(f"has `{word[:80]}` in `strategies`, which takes {known}")
    telemetry = values.get("telemetry")
    if telemetry is not None and not isinstance(telemetry, dict):
        raise ConfigError("has `telemetry` that is no table")
    return SettingsFile(
        confirm=_flag(values, "confirm", default=True),
        install_path=_text(values, "install_path"),
        track_installs=_flag(values, "track_installs", default=True),
        continue_on_failure=_flag(values, "continue_on_failure", default=False),
        targets=_texts(values, "targets"),
        strategies=strategies,
        telemetry_enabled=_flag(telemetry, "enabled") if telemetry is not None else True,
        consent_asked=_flag(telemetry, "consent_asked") if telemetry is not None else False,
        mirrors=mirrors,
    )


def with_consent(data: bytes, *, enabled: bool) -> bytes:
    """Return a settings file with the answer to the question about statistics; all else stays as it is.

    Raises:
        ConfigError: `data` is no settings file.
    """
    parse_settings(data)
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(data.decode())
        table = document.get("telemetry")
        if table is None:
            table = tomlkit.table()
            document["telemetry"] = table
        table["enabled"] = enabled
        table["consent_asked"] = True
        changed = tomlkit.dumps(document).encode()
    except (TOMLKitError, ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"cannot be changed: {str(error)[:200]}") from error
    written = parse_settings(changed)
    if not written.consent_asked or written.telemetry_enabled is not enabled:
        raise ConfigError("cannot be changed: its [telemetry] is written in a way that hides the answer")
    return changed


def _document(data: bytes) -> Mapping[str, object]:
    if len(data) > MAX_SETTINGS_BYTES:
        raise ConfigError(f"has more than {MAX_SETTINGS_BYTES} bytes (MAX_SETTINGS_BYTES)")
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"is no TOML: {str(error)[:200]}") from error


def _flag(table: Mapping[str, object], key: str, *, default: bool | None = None) -> bool:
    value = table.get(key, default)
    if not isinstance(value, bool):
        lacks = "lacks" if value is None else "does not say true or false to"
        raise ConfigError(f"{lacks} `{key}`")
    return value


def _text(table: Mapping[str, object], key: str) -> str | None:
    value = table.get(key)
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"has `{key}` that is no text")
    return value


def _texts(table: Mapping[str, object], key: str) -> tuple[str, ...] | None:
    value = table.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ConfigError(f"has `{key}` that is no list of texts")
    return tuple(value)
