"""`cargo-binstall` reads the Rust program's command line: its conflicts, its environment, exit 2."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from binstall.cli.self_install import launcher_text
from support_machine import Machine, Run
from support_registry import TARGET, Publisher


def cargo_binstall(machine: Machine, *words: str) -> Run:
    return machine.run(*words, program="cargo-binstall")


USAGE_ERRORS = {
    "an unknown option": ["--no-such", "a"],
    "an abbreviated option": ["--dry", "a"],
    "a value that begins with a dash": ["--root", "-y", "a"],
    "a value missing at the end": ["a", "--root"],
    "a flag given twice": ["-y", "-y", "a"],
    "a value given twice": ["--root", "x", "--root", "y", "a"],
    "-v with -q": ["-v", "-q", "a"],
    "--git with --manifest-path": ["--git", "https://h/x", "--manifest-path", ".", "a"],
    "--index with --registry": ["--index", "sparse+https://index.crates.io/", "--registry", "t1", "a"],
    "--only-signed with --skip-signatures": ["--only-signed", "--skip-signatures", "a"],
    "--version for several": ["--version", "1.0.0", "a", "b"],
    "--version for several that are one": ["--version", "1.0.0", "a", "a"],
    "--manifest-path for several": ["--manifest-path", ".", "a", "b"],
    "--git for several": ["--git", "https://h/x", "a", "b"],
    "a bad --version": ["--version", "latest", "a"],
    "a bad version": ["a@v1"],
    "an unknown format": ["--pkg-fmt", "rar", "a"],
    "an unknown TLS version": ["--min-tls-version", "1.1", "a"],
    "an unknown level": ["--log-level", "loud", "a"],
    "an unknown strategy": ["--strategies", "gh", "a"],
    "an empty strategy": ["--strategies", "", "a"],
    "an unknown strategy disabled": ["--disable-strategies", "gh", "a"],
    "a strategy twice": ["--strategies", "compile,compile", "a"],
    "compile not last": ["--strategies", "compile,quick-install", "a"],
    "every strategy disabled": ["--strategies", "compile", "--disable-strategies", "compile", "a"],
    "a rate of nothing": ["--rate-limit", "0", "a"],
    "a timeout of nothing": ["--maximum-resolution-timeout", "0", "a"],
    "an empty path": ["--root", "", "a"],
    "a bad index": ["--index", "nonsense", "a"],
    "no crate": ["-y"],
    "no words": [],
}


@pytest.mark.parametrize("words", USAGE_ERRORS.values(), ids=USAGE_ERRORS)
def test_a_usage_error_is_2_on_standard_error(machine: Machine, words: list[str]) -> None:
    run = cargo_binstall(machine, *words).expect(2)
    assert run.err != "" or "Fatal error" in run.out
    assert not (machine.root / "binstall.toml").exists() or words[0] in {"--rate-limit", "--index"}


USAGE_ERRORS_OF_THE_ENVIRONMENT = {
    "a flag that is neither": {"BINSTALL_NO_CONFIRM": "1"},
    "an empty flag": {"BINSTALL_DISABLE_TELEMETRY": ""},
    "an unknown strategy": {"BINSTALL_STRATEGIES": "gh"},
    "no strategy": {"BINSTALL_STRATEGIES": ""},
    "a strategy twice": {"BINSTALL_STRATEGIES": "compile,compile"},
    "all disabled": {"BINSTALL_DISABLE_STRATEGIES": "crate-meta-data,quick-install,compile"},
    "a rate of nothing": {"BINSTALL_RATE_LIMIT": "0"},
    "a long timeout": {"BINSTALL_MAXIMUM_RESOLUTION_TIMEOUT": "65536"},
    "an empty path": {"BINSTALL_HTTPS_ROOT_CERTS": ""},
}


@pytest.mark.parametrize(
    "variables", USAGE_ERRORS_OF_THE_ENVIRONMENT.values(), ids=USAGE_ERRORS_OF_THE_ENVIRONMENT
)
def test_a_bad_variable_is_2(machine: Machine, variables: dict[str, str]) -> None:
    machine.environment |= variables
    assert cargo_binstall(machine, "a").expect(2).err != ""


def test_an_option_goes_before_its_variable(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0")
    machine.environment |= {
        "CARGO_BUILD_TARGET": "nonsense",
        "BINSTALL_DISABLE_STRATEGIES": "crate-meta-data",
    }
    words = ("--dry-run", "--targets", TARGET, "--disable-strategies", "compile", "hello")
    cargo_binstall(machine, *words).expect(0)
    cargo_binstall(machine, "--dry-run", "--disable-strategies", "compile", "hello").expect(97)
    machine.environment["CARGO_BUILD_TARGET"] = ""
    cargo_binstall(machine, "--dry-run", "--disable-strategies", "compile", "hello").expect(97)


def test_a_default_registry_in_the_environment_does_not_forbid_an_index(
    publisher: Publisher, machine: Machine
) -> None:
    publisher.release("hello", "1.0.0")
    machine.environment["CARGO_REGISTRY_DEFAULT"] = "mine"
    words = ("--dry-run", "--targets", TARGET, "hello")
    cargo_binstall(machine, "--index", publisher.index_url, *words).expect(0)
    cargo_binstall(machine, *words).expect(75)
    machine.environment["CARGO_REGISTRY_DEFAULT"] = ""
    cargo_binstall(machine, *words).expect(75)


def test_version_twice_is_84(machine: Machine) -> None:
    cargo_binstall(machine, "--version", "1.0.0", "a@1").expect(84)


def test_a_dash_is_a_value_and_an_equals_sign_says_that_one_is_meant(
    publisher: Publisher, machine: Machine
) -> None:
    publisher.release("hello", "1.0.0")
    words = ("-y", "--disable-telemetry", "--targets", TARGET, "hello", "--root=-y")
    cargo_binstall(machine, *words).expect(0)
    assert (machine.work / "-y/bin/hello").exists()
    machine.run(
        "--dry-run",
        "--targets",
        TARGET,
        "--github-token",
        "-",
        "hello",
        program="cargo-binstall",
        stdin="t\n",
    )


def test_what_is_accepted_and_means_nothing(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0")
    words = (
        "--no-symlinks",
        "--secure",
        "--locked",
        "--rate-limit",
        "5/2",
        "--maximum-resolution-timeout",
        "20",
    )
    cargo_binstall(machine, "--dry-run", "--targets", TARGET, *words, "hello").expect(0)


def test_a_word_that_cargo_adds_is_dropped_once(machine: Machine) -> None:
    assert cargo_binstall(machine, "binstall", "-V").expect(0).out == "1.22.0\n"
    cargo_binstall(machine, "binstall", "binstall", "-V", "--version", "1.0.0", "x").expect(2)


def test_the_version_needs_no_crate_and_comes_after_the_checks(machine: Machine) -> None:
    assert cargo_binstall(machine, "-V").expect(0).out == "1.22.0\n"
    cargo_binstall(machine, "-V", "--strategies", "compile,compile").expect(2)
    lines = cargo_binstall(machine, "-vV").expect(0).out.splitlines()
    keys = [line.partition(": ")[0] for line in lines]
    assert keys == ["cargo-binstall", "build-target", "binstall", "python-version"]
    assert all(line.partition(": ")[2] for line in lines)
    assert not (machine.root / "binstall.toml").exists()


def test_a_run_ends_with_the_time_it_took(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0")
    run = cargo_binstall(machine, "-y", "--targets", TARGET, "hello").expect(0)
    assert " INFO Done in " in run.out.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "variable", "levels"),
    [
        (["-q"], None, set()),
        (["-v"], None, {"DEBUG", "INFO", "WARN"}),
        ([], None, {"INFO", "WARN"}),
        (["--log-level", "WARN"], None, {"WARN"}),
        (["--log-level", "off"], None, set()),
        ([], "debug", {"DEBUG", "INFO", "WARN"}),
        (["-q"], "debug", set()),
        ([], "nonsense", {"INFO", "WARN"}),
        (["--log-level", "info"], "off", {"INFO", "WARN"}),
    ],
)
def test_levels(
    publisher: Publisher, machine: Machine, words: list[str], variable: str | None, levels: set[str]
) -> None:
    publisher.release("hello", "1.0.0")
    if variable is not None:
        machine.environment["BINSTALL_LOG_LEVEL"] = variable
    run = cargo_binstall(machine, *words, "-y", "--targets", TARGET, "hello").expect(0)
    assert {line[:5].strip() for line in run.out.splitlines()} == levels
    assert run.err == ""
    failed = cargo_binstall(machine, *words, "-y", "--targets", TARGET, "nothere").expect(76)
    assert "ERROR Fatal error:" in failed.out, "the last error is told at every level"


def test_no_cleanup_leaves_the_folder_for_the_next_run(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0")
    words = ("-y", "--disable-telemetry", "--targets", TARGET, "--force", "hello")
    cargo_binstall(machine, "--no-cleanup", *words).expect(0)
    assert [each.name for each in machine.bin.iterdir() if each.name.startswith(".binstall-")]
    cargo_binstall(machine, *words).expect(0)
    assert [each.name for each in machine.bin.iterdir()] == ["hello"]


# --self-install.


def test_self_install_puts_one_relocatable_file_where_cargo_finds_it(
    machine: Machine, tmp_path: Path
) -> None:
    cargo_binstall(machine, "--self-install").expect(0)
    launcher = machine.bin / "cargo-binstall"
    assert [each.name for each in machine.bin.iterdir()] == ["cargo-binstall"]
    assert stat.S_IMODE(launcher.stat().st_mode) == 0o755
    for place in (launcher, shutil.copy(launcher, tmp_path / "cargo-binstall")):
        for words in (["-V"], ["binstall", "-V"]):
            assert subprocess.check_output([place, *words], env=machine.env(), text=True) == "1.22.0\n"
    assert (machine.root / ".crates.toml").read_text() == (
        '[v1]\n"cargo-binstall 1.22.0 (registry+https://github.com/rust-lang/crates.io-index)" = '
        '["cargo-binstall"]\n'
    )
    assert not (machine.root / ".crates2.json").exists()


def test_self_install_replaces_itself_and_needs_no_network(machine: Machine) -> None:
    machine.environment["HTTPS_PROXY"] = "http://127.0.0.1:9"
    machine.bin.mkdir()
    (machine.bin / "cargo-binstall").write_text("an older one")
    cargo_binstall(machine, "--self-install").expect(0)
    again = subprocess.run(
        [machine.bin / "cargo-binstall", "--self-install"],
        env=machine.env(),
        cwd=machine.work,
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    assert [each.name for each in machine.bin.iterdir()] == ["cargo-binstall"]


def test_self_install_skips_the_checks_and_honours_the_folders(machine: Machine) -> None:
    cargo_binstall(machine, "--self-install", "--only-signed", "--skip-signatures", "--root", "r").expect(0)
    assert (machine.work / "r/bin/cargo-binstall").exists()
    cargo_binstall(machine, "--self-install", "--install-path", "p").expect(0)
    assert [each.name for each in (machine.work / "p").iterdir()] == ["cargo-binstall"]
    cargo_binstall(machine, "--self-install", "--no-track", "--root", "n").expect(0)
    assert not (machine.work / "n/.crates.toml").exists()


@pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not on PATH")
def test_cargo_starts_the_launcher_lists_it_and_takes_it_away(machine: Machine) -> None:
    program = shutil.which("cargo")
    assert program is not None
    machine.environment |= {
        "PATH": f"{machine.bin}:{Path(program).parent}:/usr/bin:/bin",
        "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path("~/.rustup").expanduser())),
    }
    cargo_binstall(machine, "--self-install").expect(0)

    def cargo(*words: str) -> str:
        return subprocess.check_output([program, *words], env=machine.env(), cwd=machine.work, text=True)

    assert cargo("binstall", "-V") == "1.22.0\n"
    assert "cargo-binstall: 1.22.0\n" in cargo("binstall", "-vV")
    assert cargo("install", "--list") == "cargo-binstall v1.22.0:\n    cargo-binstall\n"
    cargo("uninstall", "cargo-binstall")
    assert list(machine.bin.iterdir()) == []


def test_a_launcher_for_an_interpreter_with_an_odd_path_works(tmp_path: Path) -> None:
    for name in ("with a blank", "long-" + "x" * 150):
        folder = tmp_path / name
        folder.mkdir()
        interpreter = folder / "python"
        interpreter.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        interpreter.chmod(0o755)
        launcher = folder / "cargo-binstall"
        launcher.write_text(launcher_text(str(interpreter)))
        launcher.chmod(0o755)
        done = subprocess.run([launcher, "-V"], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "1.22.0\n"), done.stderr
