"""The settings file, read and changed."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import ConfigError
from binstall.formats.settings_file import (
    DEFAULT_SETTINGS_TEXT,
    SettingsFile,
    parse_settings,
    with_consent,
)
from binstall.limits import MAX_SETTINGS_BYTES

FULL = """\
# mine
confirm = false
install_path = "/opt/bin"   # a comment
track_installs = false
continue_on_failure = true
targets = ["x86_64-unknown-linux-musl", "riscv64gc-unknown-linux-gnu"]
strategies = ["crate-meta-data", "compile"]
future = { key = 1 }

[telemetry]
enabled = true
consent_asked = true
more = "kept"
"""


def test_the_defaults_are_what_the_default_file_says() -> None:
    assert parse_settings(DEFAULT_SETTINGS_TEXT.encode()) == SettingsFile() == parse_settings(b"")
    assert not SettingsFile().consents


def test_every_key_is_read_and_unknown_ones_are_left_alone() -> None:
    assert parse_settings(FULL.encode()) == SettingsFile(
        confirm=False,
        install_path="/opt/bin",
        track_installs=False,
        continue_on_failure=True,
        targets=("x86_64-unknown-linux-musl", "riscv64gc-unknown-linux-gnu"),
        strategies=("crate-meta-data", "compile"),
        telemetry_enabled=True,
        consent_asked=True,
    )


def test_an_empty_list_of_targets_is_not_an_absent_one() -> None:
    assert parse_settings(b"targets = []").targets == ()
    assert parse_settings(b"").targets is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("confirm = 1", "true or false to `confirm`"),
        ('track_installs = "yes"', "`track_installs`"),
        ("install_path = 3", "`install_path`"),
        ('targets = "x"', "no list of texts"),
        ("targets = [1]", "no list of texts"),
        ('strategies = ["gh"]', "has `gh` in `strategies`"),
        ("telemetry = true", "no table"),
        ("[telemetry]\nenabled = true", "lacks `consent_asked`"),
        ("[telemetry]\nconsent_asked = true", "lacks `enabled`"),
        ("confirm = ", "is no TOML"),
        ("\ud800", "is no TOML"),
        ("x = " + "[" * 100_000, "is no TOML"),
        ("#" * MAX_SETTINGS_BYTES + "\n", "MAX_SETTINGS_BYTES"),
    ],
    ids=lambda value: value[:24],
)
def test_what_is_no_settings_file_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_settings(text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize(
    "text",
    [
        "",
        FULL,
        DEFAULT_SETTINGS_TEXT,
        "telemetry = { enabled = false, consent_asked = false }\n",
        "telemetry.enabled = false\ntelemetry.consent_asked = false\n",
        "confirm = true",
    ],
)
def test_an_answer_changes_telemetry_and_nothing_else(text: str, enabled: bool) -> None:
    before = parse_settings(text.encode())
    changed = with_consent(text.encode(), enabled=enabled)
    after = parse_settings(changed)
    assert after.consent_asked and after.telemetry_enabled is enabled and after.consents is enabled
    assert (after.confirm, after.targets, after.strategies) == (
        before.confirm,
        before.targets,
        before.strategies,
    )
    if text == FULL:
        for kept in ("# mine", "# a comment", 'more = "kept"', "future = "):
            assert kept in changed.decode()


def test_a_broken_file_is_not_changed() -> None:
    with pytest.raises(ConfigError):
        with_consent(b"confirm = ", enabled=True)


pieces = st.lists(
    st.sampled_from(["[telemetry]", "[[telemetry]]", "enabled", "consent_asked", "confirm", "targets", "="])
    | st.sampled_from(["true", "[]", '"x"', "\n", ".", "{", "}", '["compile"]', "strategies", "# c\n", "1"])
    | st.text(max_size=3),
    max_size=30,
).map(lambda words: " ".join(words).encode("utf-8", "surrogatepass"))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    data = bytearray(FULL.encode())
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data) - 1))
        data[at : at + draw(st.integers(0, 8))] = draw(st.binary(max_size=6))
    return bytes(data)


@settings(max_examples=1000, deadline=None)
@given(st.binary(max_size=200) | pieces)
def test_random_input_is_settings_or_a_config_error(data: bytes) -> None:
    with contextlib.suppress(ConfigError):
        parse_settings(data)
        assert parse_settings(with_consent(data, enabled=True)).consents


@settings(max_examples=1000, deadline=None)
@given(mutated())
def test_mutated_settings_are_settings_or_a_config_error(data: bytes) -> None:
    with contextlib.suppress(ConfigError):
        parse_settings(data)
        assert parse_settings(with_consent(data, enabled=True)).consents
