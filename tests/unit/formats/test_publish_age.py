"""Minimum ages as cargo writes them, and publish times as an index does."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import ConfigError, NoMatchingVersion, UsageError
from binstall.formats.cargo_config import CargoConfig
from binstall.formats.cargo_config_file import parse_config
from binstall.formats.index import CrateIndex, IndexEntry, select_version
from binstall.formats.publish_age import (
    AgeRule,
    MinimumAge,
    age_words,
    configured_minimum,
    parse_min_age,
    parse_span,
    published_at,
    upload_note,
)
from binstall.formats.version import parse_requirement, parse_version, requirement_of

NOW = 1_769_860_800  # 2026-01-31T12:00:00Z
DAY = 86_400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0 seconds", 0),
        ("1second", 1),
        ("90 seconds", 90),
        ("1 minute", 60),
        ("12 hours", 12 * 3600),
        ("7 days", 7 * DAY),
        ("2weeks", 14 * DAY),
        ("1 month", 2_629_746),
        ("18446744073709551615 months", (2**64 - 1) * 2_629_746),
        ("", None),
        ("7", None),
        ("7  days", None),
        (" 7 days", None),
        ("7 days ", None),
        ("7 Days", None),
        ("-7 days", None),
        ("1.5 days", None),
        ("7 years", None),
        ("days", None),
        ("7d", None),
        ("٧ days", None),
        ("18446744073709551616 seconds", None),
        ("7 days\n", None),
    ],
)
def test_a_time_span_is_read_as_cargo_reads_it(text: str, seconds: int | None) -> None:
    assert parse_span(text) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3d", 3 * DAY), ("12h", 43_200), ("30min", 1800), ("90s", 90), ("2w", 14 * DAY), ("7 days", 7 * DAY)],
)
def test_the_option_takes_short_units_too(text: str, seconds: int) -> None:
    assert parse_min_age(text).seconds == seconds


@pytest.mark.parametrize("text", ["", "3", "3m", "d", "3 d ago", "-3d"])
def test_the_option_refuses_what_is_no_time_span(text: str) -> None:
    with pytest.raises(UsageError, match="--min-age takes a time span"):
        parse_min_age(text)


@settings(max_examples=1000, deadline=None)
@given(st.text(max_size=30) | st.from_regex(r"[0-9]{1,22} ?[a-z]{1,8}", fullmatch=True))
def test_any_other_text_is_a_usage_error_and_nothing_else(text: str) -> None:
    try:
        minimum = parse_min_age(text)
    except UsageError:
        return
    assert minimum.seconds >= 0


@settings(max_examples=1000, deadline=None)
@given(
    st.text(max_size=30)
    | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", fullmatch=True)
)
def test_any_publish_time_is_read_or_is_none(text: str) -> None:
    seconds = published_at(text)
    if seconds is not None and not text.endswith(":60Z"):
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
        assert f"{moment.isoformat()}Z" == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-31T12:00:00Z", NOW),
        ("2026-02-30T12:00:00Z", None),
        ("2026-01-31T12:00:00+00:00", None),
        ("2026-01-31 12:00:00Z", None),
        ("2026-01-31T11:59:60Z", NOW - 1),
    ],
)
def test_a_publish_time_is_utc_to_the_second(text: str, seconds: int | None) -> None:
    assert published_at(text) == seconds


def _config(text: str, **environment: str) -> CargoConfig:
    return CargoConfig(
        parse_config(text.encode(), Path("/home/u/.cargo/config.toml")).settings, environment
    )


GLOBAL = '[registry]\nglobal-min-publish-age = "7 days"\n'
OWN = '[registries.crates-io]\nmin-publish-age = "2 days"\n[registries.my-reg]\nmin-publish-age = "0"\n'


@pytest.mark.parametrize(
    ("config", "registry", "seconds"),
    [
        pytest.param(_config(""), "crates-io", None, id="nothing set"),
        pytest.param(_config(GLOBAL), "crates-io", 7 * DAY, id="the global one"),
        pytest.param(_config(GLOBAL), None, 7 * DAY, id="the global one for a bare URL"),
        pytest.param(_config(GLOBAL + OWN), "crates-io", 2 * DAY, id="that of the registry"),
        pytest.param(_config(GLOBAL + OWN), "my-reg", 0, id="none for a registry"),
        pytest.param(_config(GLOBAL + OWN), "other", 7 * DAY, id="another registry"),
        pytest.param(
            _config("", CARGO_REGISTRY_GLOBAL_MIN_PUBLISH_AGE="1 day"), "crates-io", DAY, id="variable"
        ),
        pytest.param(
            _config(OWN, CARGO_REGISTRIES_MY_REG_MIN_PUBLISH_AGE="1 hour"),
            "my-reg",
            3600,
            id="its variable",
        ),
        pytest.param(
            _config(GLOBAL + '[resolver]\nincompatible-publish-age = "allow"'),
            "crates-io",
            None,
            id="allow",
        ),
        pytest.param(
            _config(GLOBAL, CARGO_RESOLVER_INCOMPATIBLE_PUBLISH_AGE="allow"),
            None,
            None,
            id="allow variable",
        ),
        pytest.param(
            _config(GLOBAL, CARGO_RESOLVER_INCOMPATIBLE_PUBLISH_AGE="deny"), None, 7 * DAY, id="deny"
        ),
    ],
)
def test_the_most_particular_setting_of_cargo_counts(
    config: CargoConfig, registry: str | None, seconds: int | None
) -> None:
    minimum = configured_minimum(config, registry)
    assert (minimum.seconds if minimum else None) == seconds


@pytest.mark.parametrize(
    "config",
    [
        _config('[registry]\nglobal-min-publish-age = "soon"'),
        _config('[resolver]\nincompatible-publish-age = "maybe"'),
        _config("", CARGO_REGISTRIES_CRATES_IO_MIN_PUBLISH_AGE="7"),
    ],
)
def test_a_setting_that_cargo_would_refuse_is_an_error(config: CargoConfig) -> None:
    with pytest.raises(ConfigError):
        configured_minimum(config, "crates-io")


def _index(*versions: tuple[str, str | None]) -> CrateIndex:
    return CrateIndex(
        "demo",
        tuple(IndexEntry("demo", parse_version(text), bytes(32), False, at) for text, at in versions),
        (),
    )


RULE = AgeRule(MinimumAge(DAY, "1 day", "--min-age"), NOW)
INDEX = _index(
    ("1.0.0", "2026-01-01T00:00:00Z"), ("1.1.0", "2026-01-30T12:00:00Z"), ("1.2.0", "2026-01-30T12:00:01Z")
)


def test_the_newest_version_that_is_old_enough_is_chosen_and_exactly_as_old_is_enough() -> None:
    assert str(select_version(INDEX, None, RULE).version) == "1.1.0"
    assert str(select_version(INDEX, None).version) == "1.2.0"


def test_an_exact_version_is_not_exempt() -> None:
    with pytest.raises(
        NoMatchingVersion, match=r"demo 1\.2\.0 is too new.*23 hours ago.*minimum age 1 day"
    ) as it:
        select_version(INDEX, requirement_of("1.2.0"), RULE)
    assert "demo@1.1.0 is old enough" in (it.value.hint or "")


def test_a_version_without_a_publish_time_passes() -> None:
    index = _index(("1.0.0", "2026-01-01T00:00:00Z"), ("2.0.0", None))
    assert str(select_version(index, None, RULE).version) == "2.0.0"


def test_a_version_from_the_future_is_too_new_and_no_minimum_lets_it_pass() -> None:
    index = _index(("1.0.0", "2027-01-01T00:00:00Z"))
    with pytest.raises(NoMatchingVersion, match="moments ago"):
        select_version(index, parse_requirement("^1"), RULE)
    select_version(index, None, AgeRule(MinimumAge(0, "0", "--min-age"), NOW))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "moments ago"),
        (0, "moments ago"),
        (1, "1 second ago"),
        (59, "59 seconds ago"),
        (60, "1 minute ago"),
        (3599, "59 minutes ago"),
        (3600, "1 hour ago"),
        (DAY, "24 hours ago"),
        (2 * DAY, "2 days ago"),
    ],
)
def test_an_age_is_told_in_one_unit(seconds: int, words: str) -> None:
    assert age_words(seconds) == words


def test_only_a_version_under_an_hour_old_may_still_be_uploading() -> None:
    assert "1 minute ago" in (upload_note(NOW - 60, NOW) or "")
    assert upload_note(NOW - 3600, NOW) is None
    assert upload_note(None, NOW) is None
