"""The settings file and the question about statistics, in processes of their own."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from binstall.formats.settings_file import DEFAULT_SETTINGS_TEXT, parse_settings
from support_machine import Machine, Run
from support_registry import TARGET, Publisher

AGREED = "[telemetry]\nenabled = false\nconsent_asked = true\n"


def cargo_binstall(machine: Machine, *words: str, stdin: str | None = None) -> Run:
    return machine.run("--targets", TARGET, *words, program="cargo-binstall", stdin=stdin)


def settings(machine: Machine, text: str) -> Path:
    path = machine.root / "binstall.toml"
    path.write_text(text)
    return path


def test_cargo_binstall_makes_the_file_and_neither_binstall_nor_a_dry_run_does(
    publisher: Publisher, machine: Machine
) -> None:
    publisher.release("hello", "1.0.0")
    path = machine.root / "binstall.toml"
    machine.install("hello", "--force").expect(0)
    before = machine.files()
    cargo_binstall(machine, "--dry-run", "hello", stdin="").expect(0)
    cargo_binstall(machine, "--dry-run", "--settings", "other.toml", "--force", "hello").expect(16)
    assert machine.files() == before
    cargo_binstall(machine, "-y", "--force", "hello").expect(0)
    assert path.read_text() == DEFAULT_SETTINGS_TEXT
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_is_not_made_for_words_that_contradict_each_other(machine: Machine) -> None:
    before = machine.files()
    cargo_binstall(machine, "--only-signed", "--skip-signatures", "hello").expect(2)
    assert machine.files() == before


def test_a_file_that_somebody_named_must_be_good_and_another_is_a_warning(
    publisher: Publisher, machine: Machine
) -> None:
    publisher.release("hello", "1.0.0")
    (machine.work / "mine.toml").write_text("confirm = 7\n")
    assert "mine.toml" in cargo_binstall(machine, "--settings", "mine.toml", "hello").expect(16).out
    assert "mine.toml" in machine.install("--settings", "mine.toml", "hello").expect(16).err
    machine.install("--settings", "missing.toml", "hello").expect(16)
    settings(machine, "confirm = 7\n")
    run = machine.install("hello").expect(0)
    assert "warning: the settings in" in run.err
    run = cargo_binstall(machine, "-y", "--force", "hello").expect(0)
    assert " WARN the settings in" in run.out


def test_confirm_false_is_y_in_both_commands(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0", sign=False)
    settings(machine, "confirm = false\n" + AGREED)
    machine.install("hello").expect(0)
    cargo_binstall(machine, "--force", "hello").expect(0)
    machine.environment["BINSTALL_NO_CONFIRM"] = "false"
    cargo_binstall(machine, "--force", "hello").expect(32)


def test_install_path_is_used_and_not_tracked(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0")
    settings(machine, f'install_path = "{machine.folder / "place"}"\n' + AGREED)
    machine.install("hello").expect(0)
    assert [each.name for each in (machine.folder / "place").iterdir()] == ["hello"]
    assert not (machine.root / ".crates.toml").exists()
    cargo_binstall(machine, "-y", "--install-path", "here", "hello").expect(0)
    assert (machine.work / "here/hello").exists(), "the command line goes before the settings"


def test_track_installs_false_is_no_track(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0")
    settings(machine, "track_installs = false\n" + AGREED)
    machine.install("hello").expect(0)
    assert not (machine.root / ".crates.toml").exists()
    cargo_binstall(machine, "-y", "hello").expect(88)


def test_targets_hold_where_neither_option_nor_environment_says(
    publisher: Publisher, machine: Machine
) -> None:
    publisher.release("hello", "1.0.0", target="riscv64gc-unknown-linux-gnu")
    settings(machine, 'targets = ["riscv64gc-unknown-linux-gnu"]\n' + AGREED)
    assert "riscv64gc" in machine.run("install", "--dry-run", "hello").expect(0).err
    machine.install("--dry-run", "hello").expect(94)
    machine.environment["CARGO_BUILD_TARGET"] = TARGET
    machine.run("install", "--dry-run", "hello").expect(94)


def test_strategies_hold_where_neither_option_nor_environment_says(
    publisher: Publisher, machine: Machine
) -> None:
    release = publisher.release("hello", "1.0.0", sign=False)
    publisher.host.remove(release.package_path)
    settings(machine, 'strategies = ["crate-meta-data"]\n' + AGREED)
    cargo_binstall(machine, "-y", "hello").expect(94)
    settings(machine, 'strategies = ["compile"]\n' + AGREED)
    cargo_binstall(machine, "-y", "--strategies", "crate-meta-data", "hello").expect(94)
    machine.environment["BINSTALL_STRATEGIES"] = "crate-meta-data"
    cargo_binstall(machine, "-y", "hello").expect(94)


@pytest.mark.parametrize("words", ['["compile", "compile"]', '["compile", "quick-install"]'])
def test_strategies_that_make_no_sense_are_16(machine: Machine, words: str) -> None:
    settings(machine, f"strategies = {words}\n" + AGREED)
    assert "the settings: the strategy compile" in cargo_binstall(machine, "-y", "hello").expect(16).out


# Statistics: whether to report, asked once.


@pytest.mark.parametrize(
    ("stdin", "enabled"),
    [("yes\nyes\n", True), ("no\nyes\n", False), ("\nyes\n", False), ("perhaps\ny\nyes\n", True)],
)
def test_the_question_is_asked_once_and_the_answer_is_kept(
    publisher: Publisher, machine: Machine, stdin: str, enabled: bool
) -> None:
    publisher.release("hello", "1.0.0")
    run = cargo_binstall(machine, "hello", stdin=stdin).expect(0)
    assert "Opt in to telemetry? yes/[no] " in run.out
    assert "fly.dev" in run.out
    assert "QuickInstall, a third party" in run.err
    kept = parse_settings((machine.root / "binstall.toml").read_bytes())
    assert (kept.consent_asked, kept.telemetry_enabled) == (True, enabled)
    assert "telemetry" not in cargo_binstall(machine, "--force", "hello", stdin="yes\n").expect(0).out


def test_end_of_input_is_no_to_both_questions(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0")
    cargo_binstall(machine, "hello", stdin="").expect(32)
    assert not parse_settings((machine.root / "binstall.toml").read_bytes()).consents


@pytest.mark.parametrize("words", [["-y"], ["--disable-telemetry"], ["--dry-run"]])
def test_the_question_is_not_asked_where_it_would_disturb(
    publisher: Publisher, machine: Machine, words: list[str]
) -> None:
    publisher.release("hello", "1.0.0")
    run = cargo_binstall(machine, *words, "hello", stdin="yes\n").expect(0)
    assert "telemetry" not in run.out + run.err
    path = machine.root / "binstall.toml"
    assert not path.exists() or not parse_settings(path.read_bytes()).consent_asked


def test_an_answer_that_cannot_be_kept_is_16(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0")
    (machine.work / "gone").mkdir()
    path = machine.work / "gone/mine.toml"
    path.write_text("telemetry.enabled = true\ntelemetry.consent_asked = false\n[x]\n")
    machine.environment["HOME"] = str(machine.home)
    run = machine.run("--settings", str(path), "hello", program="cargo-binstall", stdin="yes\nno\n")
    assert run.code == 32 and parse_settings(path.read_bytes()).consents
