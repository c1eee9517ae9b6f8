"""The second command: the Rust program's words, questions and exit codes, our refusals."""

from __future__ import annotations

import json
import stat
import sys

import pytest

from support_machine import Machine, Run
from support_registry import TARGET, Publisher


def cargo_binstall(machine: Machine, *words: str, stdin: str | None = None) -> Run:
    """Run it as one that has answered about statistics, which `test_settings` asks about."""
    words = ("--disable-telemetry", "--targets", TARGET, *words)
    return machine.run(*words, program="cargo-binstall", stdin=stdin)


def test_it_installs_with_or_without_the_word_that_cargo_adds(
    publisher: Publisher, machine: Machine
) -> None:
    publisher.release("hello", "1.0.0")
    cargo_binstall(machine, "-y", "hello").expect(0)
    run = machine.run("binstall", "-y", "--force", "--targets", TARGET, "hello", program="cargo-binstall")
    run.expect(0)
    assert run.err == "", "log lines go to standard output"
    assert " INFO " in run.out
    assert " WARN The package hello v1.0.0" in run.out


@pytest.mark.parametrize(
    ("stdin", "code"), [("", 32), ("no\n", 32), ("yes\n", 0), ("\n", 0), ("what\nyes\n", 0), ("what\n", 32)]
)
def test_it_asks_as_the_rust_program_does_but_end_of_input_is_no(
    publisher: Publisher, machine: Machine, stdin: str, code: int
) -> None:
    publisher.release("hello", "1.0.0")
    run = cargo_binstall(machine, "hello", stdin=stdin).expect(code)
    assert "Do you wish to continue? [yes]/no " in run.out
    assert ("Installation cancelled" in run.out) == (code == 32)
    assert (machine.bin / "hello").exists() == (code == 0)


def test_what_is_installed_already_is_said_in_the_rust_programs_words(
    publisher: Publisher, machine: Machine
) -> None:
    publisher.release("hello", "1.0.0")
    cargo_binstall(machine, "-y", "hello").expect(0)
    assert "hello v1.0.0 is already installed" in cargo_binstall(machine, "-y", "hello").expect(0).out


def test_a_file_that_nobody_tracks_is_replaced_with_a_warning(
    publisher: Publisher, machine: Machine
) -> None:
    publisher.release("hello", "1.0.0")
    machine.bin.mkdir()
    (machine.bin / "hello").write_text("mine")
    cargo_binstall(machine, "-y", "--no-track", "hello").expect(88)
    run = cargo_binstall(machine, "-y", "hello").expect(0)
    assert f" WARN {machine.bin / 'hello'}" in run.out
    assert (machine.bin / "hello").read_text() != "mine"


def test_a_tampered_package_is_40_and_no_other_source_is_tried(
    publisher: Publisher, machine: Machine
) -> None:
    release = publisher.release("hello", "1.0.0")
    publisher.tamper(release.package_path, lambda data: data + b"\0")
    run = cargo_binstall(machine, "-y", "hello").expect(40)
    assert "ERROR Fatal error:" in run.out
    assert not machine.bin.exists()


def test_bin_takes_values_up_to_the_next_option(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0", bins={"one": b"1", "two": b"2", "three": b"3"})
    cargo_binstall(machine, "hello", "--bin", "one", "two", "-y").expect(0)
    assert sorted(path.name for path in machine.bin.iterdir()) == ["one", "two"]


def test_json_output_is_one_log_object_a_line(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0")
    run = cargo_binstall(machine, "-y", "--json-output", "hello").expect(0)
    for line in run.out.splitlines():
        entry = json.loads(line)
        assert set(entry) == {"timestamp", "level", "fields", "target"}


def test_the_version_is_the_one_whose_behaviour_is_given(machine: Machine) -> None:
    assert machine.run("-V", program="cargo-binstall").expect(0).out == "1.22.0\n"
    long = machine.run("-vV", program="cargo-binstall").expect(0).out
    assert "cargo-binstall: 1.22.0" in long
    assert "\nbinstall: " in long


def test_no_arguments_are_help_and_2(machine: Machine) -> None:
    run = machine.run(program="cargo-binstall").expect(2)
    assert "Usage: cargo-binstall" in run.err


def test_another_launcher_that_cargo_would_start_is_named_once(
    publisher: Publisher, machine: Machine
) -> None:
    publisher.release("hello", "1.0.0")
    machine.bin.mkdir()
    other = machine.bin / "cargo-binstall"
    other.write_text(f"#!{sys.executable}\n")
    other.chmod(other.stat().st_mode | stat.S_IXUSR)
    assert str(other) in machine.install("hello", "--dry-run").expect(0).err
    assert str(other) in machine.install("hello").expect(0).err
    assert str(other) not in machine.install("hello", "--force").expect(0).err
