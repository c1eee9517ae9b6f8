"""Building from source, the last strategy, with the real cargo and crates without dependencies."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support_machine import Machine, Run, is_running
from support_registry import TARGET, Publisher, Release

pytestmark = pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not on PATH")

SOURCE = 'fn main() { println!("built here"); }\n'


@pytest.fixture
def builder(machine: Machine) -> Machine:
    """A machine with cargo on PATH."""
    program = shutil.which("cargo")
    assert program is not None
    machine.environment |= {
        "PATH": f"{Path(program).parent}:/usr/bin:/bin",
        "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path("~/.rustup").expanduser())),
    }
    return machine


def cargo_binstall(machine: Machine, *words: str) -> Run:
    """Run it without QuickInstall, whose hosts are not here."""
    return machine.run(
        "-y",
        "--disable-telemetry",
        "--disable-strategies",
        "quick-install",
        *words,
        program="cargo-binstall",
    )


def without_package(publisher: Publisher, *, sign: bool) -> Release:
    """Publish a crate that says where its package would be, and no package."""
    release = publisher.release("hello", "1.0.0", sign=sign)
    publisher.host.remove(release.package_path)
    return release


def project(folder: Path, main: str = SOURCE, build: str | None = None) -> Path:
    """Write a crate called hello into `folder`, which has a package nowhere."""
    (folder / "src").mkdir(parents=True)
    (folder / "Cargo.toml").write_text('[package]\nname = "hello"\nversion = "1.0.0"\nedition = "2021"\n')
    (folder / "src/main.rs").write_text(main)
    if build is not None:
        (folder / "build.rs").write_text(build)
    return folder


def left_behind(machine: Machine) -> list[str]:
    """Return what a run should have taken away."""
    names = {"hello"}
    found = [each.name for each in machine.bin.iterdir()] if machine.bin.exists() else []
    temporary = [each.name for each in (machine.folder / "tmp").iterdir()]
    return sorted(set(found) - names) + temporary


def listed(machine: Machine) -> str:
    program = shutil.which("cargo")
    assert program is not None
    done = subprocess.run(
        [program, "install", "--list"],
        env=machine.env(),
        cwd=machine.work,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_a_crate_without_a_package_is_built_and_cargo_lists_it(
    publisher: Publisher, builder: Machine
) -> None:
    without_package(publisher, sign=False)
    run = cargo_binstall(builder, "hello").expect(0)
    assert " WARN The package hello v1.0.0 will be installed from source (with cargo)" in run.out
    assert "hello has no package for" in run.out
    assert (builder.bin / "hello").stat().st_mode & 0o111
    assert listed(builder) == "hello v1.0.0:\n    hello\n"
    assert left_behind(builder) == []
    assert "already installed" in cargo_binstall(builder, "hello").expect(0).out


def test_a_dry_run_tells_the_command_and_runs_nothing(publisher: Publisher, builder: Machine) -> None:
    without_package(publisher, sign=False)
    before = builder.files()
    words = ("--dry-run", "--force", "--locked", "--bin", "hello", "--targets", TARGET)
    run = cargo_binstall(builder, "hello", *words).expect(0)
    flags = f"--target {TARGET} --force --locked --root {builder.root} --bin hello"
    assert f"cargo install hello --version 1.0.0 {flags}" in run.out
    assert builder.files() == before


def test_binstall_builds_only_when_asked_by_name_and_y_does_not_answer(
    publisher: Publisher, builder: Machine
) -> None:
    without_package(publisher, sign=False)
    builder.run("install", "-y", "hello").expect(94)
    named = ("install", "-y", "--strategies", "crate-meta-data,compile", "hello")
    run = builder.run(*named).expect(32)
    assert "--accept compile" in run.err
    assert not builder.bin.exists()
    run = builder.run(*named, "--accept", "compile", "--json").expect(0)
    [told] = run.objects
    assert (told["event"], told["crate"], told["command"][:4]) == (
        "built",
        "hello",
        ["cargo", "install", "hello", "--version"],
    )
    assert (builder.bin / "hello").exists()
    assert left_behind(builder) == []


def test_only_signed_refuses_to_build(publisher: Publisher, builder: Machine) -> None:
    without_package(publisher, sign=False)
    cargo_binstall(builder, "--only-signed", "hello").expect(41)
    without_package(publisher, sign=True)
    run = cargo_binstall(builder, "--only-signed", "hello").expect(94)
    assert "--only-signed" in run.out
    assert not builder.bin.exists()


def test_a_signed_crate_is_built_only_where_every_package_is_absent_and_that_is_said(
    publisher: Publisher, builder: Machine
) -> None:
    without_package(publisher, sign=True)
    run = cargo_binstall(builder, "hello").expect(0)
    assert "its publisher signs packages, and there is none; nobody has signed the source" in run.out
    assert "source: the .crate of SHA-256" in run.out
    assert (builder.bin / "hello").exists()


@pytest.mark.parametrize("words", [[], ["--strategies", "compile"]])
def test_a_signed_crate_is_never_built_where_a_package_is_there_or_refused(
    publisher: Publisher, builder: Machine, words: list[str]
) -> None:
    release = publisher.release("hello", "1.0.0", target="x86_64-unknown-linux-gnu")
    publisher.tamper(release.package_path, lambda data: data + b"\0")
    run = cargo_binstall(builder, "--targets", "x86_64-unknown-linux-gnu", *words, "hello")
    run.expect(94 if words else 40)
    if words:
        assert "declares a signature and has a package at" in run.out
    assert not (builder.bin / "hello").exists()


def test_binstall_never_builds_a_signed_crate(publisher: Publisher, builder: Machine) -> None:
    without_package(publisher, sign=True)
    words = ("--strategies", "crate-meta-data,compile", "--accept", "compile", "hello")
    run = builder.run("install", "-y", *words).expect(94)
    assert "nothing else takes their place" in run.err


def test_what_the_manifest_disables_is_not_built_unless_strategies_are_named(
    publisher: Publisher, builder: Machine
) -> None:
    release = publisher.release("hello", "1.0.0", sign=False, metadata={"disabled-strategies": ["compile"]})
    publisher.host.remove(release.package_path)
    cargo_binstall(builder, "hello").expect(94)
    cargo_binstall(builder, "--strategies", "compile", "hello").expect(0)


def test_the_version_that_was_resolved_is_the_one_that_is_built(
    publisher: Publisher, builder: Machine
) -> None:
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        publisher.release("hello", version, sign=False)
    cargo_binstall(builder, "--strategies", "compile", "hello@^1").expect(0)
    assert listed(builder).startswith("hello v1.1.0")


def test_a_build_drops_the_record_of_the_package_that_was_there(
    publisher: Publisher, builder: Machine
) -> None:
    publisher.release("hello", "1.0.0", sign=False)
    builder.install("hello", "-y").expect(0)
    record = builder.root / "binstall/crates-v1.json"
    assert '"hello"' in record.read_text()
    cargo_binstall(builder, "--strategies", "compile", "--force", "hello").expect(0)
    assert record.read_text() == ""
    assert listed(builder) == "hello v1.0.0:\n    hello\n"


def test_a_manifest_path_builds_that_folder(publisher: Publisher, builder: Machine) -> None:
    publisher.release("hello", "1.0.0", sign=False)
    folder = project(builder.work / "mine")
    cargo_binstall(builder, "--manifest-path", "mine", "hello").expect(0)
    assert subprocess.check_output([builder.bin / "hello"], text=True) == "built here\n"
    assert (
        f"({folder.as_uri().replace('file:', 'path+file:')})" in (builder.root / ".crates.toml").read_text()
    )


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not on PATH")
def test_a_repository_is_built_at_the_commit_that_was_read(publisher: Publisher, builder: Machine) -> None:
    publisher.release("hello", "1.0.0", sign=False)
    folder = project(builder.work / "repo")
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")

    def git(*words: str) -> str:
        return subprocess.check_output(
            ["git", *identity, *words], cwd=folder, text=True, env=builder.env(), stderr=subprocess.DEVNULL
        ).strip()

    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    commit = git("rev-parse", "HEAD")
    run = cargo_binstall(builder, "--git", folder.as_uri(), "hello").expect(0)
    assert f"--git {folder.as_uri()} --rev {commit}" in run.out
    assert subprocess.check_output([builder.bin / "hello"], text=True) == "built here\n"
    assert commit in (builder.root / ".crates.toml").read_text()


ENVIRONMENT = """\
fn main() {
    let all: Vec<String> = std::env::vars().map(|(k, v)| format!("{k}={v}")).collect();
    std::fs::write(std::env::var("DUMP").unwrap(), all.join("\\n")).unwrap();
}
"""


def test_a_build_script_finds_no_secret_of_ours(
    publisher: Publisher, builder: Machine, tmp_path: Path
) -> None:
    project(builder.work / "mine", build=ENVIRONMENT)
    secrets = (
        "GITHUB_TOKEN",
        "GH_TOKEN",
        "CARGO_REGISTRY_TOKEN",
        "CARGO_REGISTRIES_MINE_TOKEN",
        "BINSTALL_SIGNING_KEY",
        "BINSTALL_SIGNING_PASSWORD",
        "BINSTALL_AGE_IDENTITY",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "ACTIONS_ID_TOKEN_REQUEST_URL",
    )
    builder.environment |= dict.fromkeys(secrets, "hunter2-hunter2") | {"DUMP": str(tmp_path / "dump")}
    cargo_binstall(builder, "--manifest-path", "mine", "hello").expect(0)
    dump = (tmp_path / "dump").read_text()
    assert "CARGO_PKG_NAME=hello" in dump
    assert "hunter2" not in dump


def test_a_crate_that_does_not_build_is_70(publisher: Publisher, builder: Machine) -> None:
    project(builder.work / "mine", "fn main() { this is no rust }\n")
    before = builder.root.exists() and sorted(builder.root.iterdir())
    run = cargo_binstall(builder, "--manifest-path", "mine", "hello").expect(70)
    assert "`cargo install` of hello 1.0.0 failed: exit code 101" in run.out
    assert "error" in run.err, "cargo's own words are there"
    assert not (builder.bin / "hello").exists()
    assert left_behind(builder) == [] and before


def test_a_folder_of_the_users_own_is_100_from_the_option_and_from_the_settings(
    publisher: Publisher, builder: Machine
) -> None:
    without_package(publisher, sign=False)
    run = cargo_binstall(builder, "--install-path", "here", "hello").expect(100)
    assert str(builder.work / "here") in run.out
    (builder.root / "binstall.toml").write_text('install_path = "here"\n')
    cargo_binstall(builder, "hello").expect(100)
    assert not (builder.work / "here").exists()


def test_an_empty_list_of_targets_in_the_settings_is_87(publisher: Publisher, builder: Machine) -> None:
    without_package(publisher, sign=False)
    (builder.root / "binstall.toml").write_text("targets = []\n")
    cargo_binstall(builder, "hello").expect(87)


def test_a_checkout_does_not_choose_the_compiler(publisher: Publisher, builder: Machine) -> None:
    without_package(publisher, sign=False)
    (builder.work / "rust-toolchain.toml").write_text('[toolchain]\npath = "/nonexistent"\n')
    (builder.work / ".cargo").mkdir()
    (builder.work / ".cargo/config.toml").write_text('[build]\nrustc = "/nonexistent"\n')
    cargo_binstall(builder, "hello").expect(0)


def test_without_cargo_it_is_70_and_says_where_cargo_is_had(
    publisher: Publisher, machine: Machine, tmp_path: Path
) -> None:
    without_package(publisher, sign=False)
    machine.environment["PATH"] = str(tmp_path)
    run = cargo_binstall(machine, "hello").expect(70)
    assert "rustup" in run.out


SLEEP = """\
fn main() {
    std::fs::write(std::env::var("DUMP").unwrap(), std::process::id().to_string()).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(600));
}
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_during_a_build_ends_all_of_it(
    publisher: Publisher, builder: Machine, tmp_path: Path, number: signal.Signals
) -> None:
    project(builder.work / "mine", build=SLEEP)
    dump = tmp_path / "dump"
    builder.environment["DUMP"] = str(dump)
    words = ("-y", "--disable-telemetry", "--strategies", "compile", "--manifest-path", "mine", "hello")
    process = builder.start(*words, program="cargo-binstall")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (dump.exists() and dump.read_text()):
        time.sleep(0.05)
    script = int(dump.read_text())
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 32, out + err
    assert "Traceback" not in out + err
    assert "Installation cancelled" in out
    assert not is_running(script), "the build script goes on"
    assert left_behind(builder) == []
    assert (
        not (builder.root / ".crates.toml").exists()
        or "hello" not in (builder.root / ".crates.toml").read_text()
    )


def test_json_has_cargos_words_on_standard_error(publisher: Publisher, builder: Machine) -> None:
    without_package(publisher, sign=False)
    words = ("--strategies", "crate-meta-data,compile", "--accept", "compile")
    run = builder.run("install", "--json", *words, "hello").expect(0)
    assert [each["event"] for each in run.objects] == ["built"]
    assert "Installed package" in run.err
    logged = cargo_binstall(builder, "--json-output", "--force", "hello").expect(0)
    for line in logged.out.splitlines():
        json.loads(line)
