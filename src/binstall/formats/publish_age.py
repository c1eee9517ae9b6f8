"""How old a published version must be: cargo's minimum-age settings, and the index's publish times.

    7 days    1second    2 weeks    0     what cargo takes: a number, at most one space, a unit, or 0 for no limit
    3d  12h  90s  30min  2w               what `--min-age` takes besides
    2026-01-31T12:00:00Z                  `pubtime` of an index

The settings are those of cargo's RFC 3923. A month is 2,629,746 seconds there, a twelfth of a mean year. A
version exactly as old as it must be is old enough, and one from the future is too new. Pure: the time that
counts as now is an argument.
"""

from __future__ import annotations

import re
from calendar import timegm
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from binstall.errors import ConfigError, UsageError
from binstall.formats.cargo_config import CargoConfig
from binstall.formats.cargo_config_file import Setting

_MINUTE, _HOUR, _DAY, _WEEK, _MONTH = 60, 3600, 86_400, 604_800, 2_629_746
_UNITS: Final = {
    f"{unit}{plural}": seconds
    for unit, seconds in {
        "second": 1,
        "minute": _MINUTE,
        "hour": _HOUR,
        "day": _DAY,
        "week": _WEEK,
        "month": _MONTH,
    }.items()
    for plural in ("", "s")
}
_SHORT_UNITS: Final = {"s": 1, "min": _MINUTE, "h": _HOUR, "d": _DAY, "w": _WEEK}
_SPAN: Final = re.compile(r"([0-9]{1,20}) ?([a-z]+)\Z")
_MAX_COUNT: Final = 2**64 - 1
_TIME: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z\Z")
_LEAP_SECOND: Final = 60
FRESH_SECONDS: Final = _HOUR
"""How long after the crate the packages of a release may take to be uploaded."""


@dataclass(frozen=True, slots=True)
class MinimumAge:
    """How old a version must be."""

    seconds: int
    """Not negative; 0: any age will do, and that was said."""
    text: str
    """As it was written."""
    origin: str
    """For messages: the option, or the setting and its file or variable."""


@dataclass(frozen=True, slots=True)
class AgeRule:
    """A minimum age at one moment."""

    minimum: MinimumAge
    now: int
    """Seconds since 1970 began, UTC."""

    @property
    def words(self) -> str:
        """What messages call the minimum."""
        return f"minimum age {self.minimum.text}, {self.minimum.origin}"

    def is_too_new(self, published: int) -> bool:
        """Tell whether a version of that publish time, in seconds since 1970, must not be chosen yet."""
        return self.minimum.seconds > 0 and published > self.now - self.minimum.seconds


def parse_span(text: str) -> int | None:
    """Return the seconds of a time span as cargo writes it; None if it is none."""
    return 0 if text == "0" else _seconds(text, _UNITS)


def parse_min_age(text: str) -> MinimumAge:
    """Read the value of `--min-age`; raise `UsageError`, and nothing else, if it is no time span."""
    seconds = parse_span(text)
    if seconds is None:
        seconds = _seconds(text, _SHORT_UNITS)
    if seconds is None:
        raise UsageError(
            f"--min-age takes a time span, not `{text[:80]}`",
            hint='a number and a unit: 3d, 12h, 30min, 90s, 2w, "7 days", "1 month"; 0 lets every version pass',
        )
    return MinimumAge(seconds, text, "--min-age")


def _seconds(text: str, units: dict[str, int]) -> int | None:
    match = _SPAN.match(text)
    if match is None or match[2] not in units or int(match[1]) > _MAX_COUNT:
        return None
    return int(match[1]) * units[match[2]]


def configured_minimum(config: CargoConfig, registry: str | None) -> MinimumAge | None:
    """Return the minimum age that cargo's configuration sets for the registry of that name.

    None where nothing is set or `resolver.incompatible-publish-age` is `allow`. A registry that has no
    name, given by its URL, has the global minimum.

    Raises:
        ConfigError: a value is none that cargo takes; whether or not it is of that registry.
    """
    reaction = config.get("resolver", "incompatible-publish-age")
    if reaction is not None and reaction.text not in {"allow", "deny"}:
        raise ConfigError(
            f"resolver.incompatible-publish-age is `{reaction.text[:80]}` ({reaction.origin}), and cargo knows "
            "allow and deny"
        )
    overall = _minimum(config.get("registry", "global-min-publish-age"), "registry.global-min-publish-age")
    own = None
    if registry is not None:
        key = ("registries", registry, "min-publish-age")
        own = _minimum(config.get(*key), ".".join(key))
    if reaction is not None and reaction.text == "allow":
        return None
    return own or overall


def _minimum(setting: Setting | None, key: str) -> MinimumAge | None:
    if setting is None:
        return None
    seconds = parse_span(setting.text)
    if seconds is None:
        raise ConfigError(
            f"{key} is no time span: `{setting.text[:80]}` ({setting.origin})",
            hint='cargo takes "N seconds", minutes, hours, days, weeks or months, and "0" for no limit',
        )
    return MinimumAge(seconds, setting.text, f"{key} ({setting.origin})")


def published_at(text: str) -> int | None:
    """Return the seconds since 1970 of a `pubtime`; None if it is no time."""
    match = _TIME.match(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups())
    if second == _LEAP_SECOND:
        second -= 1
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return timegm(moment.utctimetuple())


def age_words(seconds: int) -> str:
    """Return how long ago something was, in one unit: `2 days ago`, `moments ago`."""
    if seconds <= 0:
        return "moments ago"
    for unit, size, least in (
        ("day", _DAY, 2),
        ("hour", _HOUR, 1),
        ("minute", _MINUTE, 1),
        ("second", 1, 0),
    ):
        if seconds >= least * size and seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    raise AssertionError(seconds)


def upload_note(published: int | None, now: int | None) -> str | None:
    """Return words about a version so new that its packages may not be there yet; None for others."""
    if published is None or now is None or now - published >= FRESH_SECONDS:
        return None
    return f"it was published {age_words(now - published)}, and its publisher may still be uploading"
