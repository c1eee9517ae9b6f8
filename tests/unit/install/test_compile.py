"""What cargo is told, and what it is not."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from binstall.errors import Cancelled, CompileElsewhere, CompileFailed, LocalManifestError, NoTarget
from binstall.formats.crate_source import CRATES_IO, git_source, path_source
from binstall.formats.manifest import parse_manifest
from binstall.install.compile import Build, CompileOptions, build_environment, plan_build, run_build
from binstall.registry.found import CrateSource, FoundCrate
from support_machine import is_running

MANIFEST = '[package]\nname = "foo"\nversion = "1.2.3"\nedition = "2021"\n'
PLAIN = CompileOptions(
    root=Path("/root"), environment={"PATH": ""}, working_directory=Path("/here"), cargo_home=None
)


def found(source: CrateSource = CRATES_IO) -> FoundCrate:
    manifest = parse_manifest(MANIFEST, {"src/main.rs"})
    return FoundCrate(manifest, source, "*", None, trusted_transport=True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "--version 1.2.3 --root /root"),
        ({"registry": "mine"}, "--version 1.2.3 --registry mine --root /root"),
        (
            {"index": "sparse+https://h/i/", "registry": None},
            "--version 1.2.3 --index sparse+https://h/i/ --root /root",
        ),
        ({"targets": ("t1", "t2")}, "--version 1.2.3 --target t1 --root /root"),
        (
            {"quiet": True, "force": True, "locked": True, "track": False, "targets": ("t",)},
            "--version 1.2.3 --target t --quiet --force --locked --root /root --no-track",
        ),
        ({"bins": ("z", "a", "z")}, "--version 1.2.3 --root /root --bin a --bin z"),
    ],
)
def test_cargo_is_told_in_the_order_of_the_rust_program(changes: dict[str, Any], words: str) -> None:
    plan = plan_build(found(), replace(PLAIN, **changes), "why")
    assert plan.command_line() == f"cargo install foo {words}"


def test_a_git_source_is_named_by_its_commit() -> None:
    source = git_source("https://example.org/foo.git", "c0ffee")
    plan = plan_build(found(source), PLAIN, "why")
    assert plan.arguments[2:6] == ("--git", "https://example.org/foo.git", "--rev", "c0ffee")
    named = plan_build(found(source), replace(PLAIN, git="ssh://git@example.org/foo.git"), "why")
    assert named.arguments[3] == "ssh://git@example.org/foo.git", "who is logged in is not in the record"
    assert "--version" not in plan.arguments


def test_a_folder_is_named_by_the_member_of_its_workspace(tmp_path: Path) -> None:
    (tmp_path / "member/src").mkdir(parents=True)
    (tmp_path / "Cargo.toml").write_text('[workspace]\nmembers = ["member"]\n')
    (tmp_path / "member/Cargo.toml").write_text(MANIFEST)
    (tmp_path / "member/src/main.rs").write_text("fn main() {}\n")
    options = replace(PLAIN, manifest_path=tmp_path)
    plan = plan_build(found(path_source(tmp_path)), options, "why")
    assert plan.arguments[2:4] == ("--path", str(tmp_path / "member"))


def test_a_manifest_of_another_file_name_cannot_be_built(tmp_path: Path) -> None:
    (tmp_path / "foo-Cargo.toml").write_text(MANIFEST)
    options = replace(PLAIN, manifest_path=tmp_path / "foo-Cargo.toml")
    with pytest.raises(LocalManifestError, match=r"foo-Cargo\.toml"):
        plan_build(found(path_source(tmp_path)), options, "why")


def test_no_target_is_87_and_a_folder_of_the_users_own_is_100() -> None:
    with pytest.raises(NoTarget) as no_target:
        plan_build(found(), replace(PLAIN, targets=()), "why")
    assert no_target.value.exit_code == 87
    with pytest.raises(CompileElsewhere, match="/opt") as elsewhere:
        plan_build(found(), replace(PLAIN, install_path=Path("/opt")), "why")
    assert elsewhere.value.exit_code == 100


SECRETS = (
    "GITHUB_TOKEN",
    "GH_TOKEN",
    "GH_ENTERPRISE_TOKEN",
    "CARGO_REGISTRY_TOKEN",
    "CARGO_REGISTRIES_MINE_TOKEN",
    "BINSTALL_SIGNING_KEY",
    "BINSTALL_SIGNING_PASSWORD",
    "BINSTALL_AGE_IDENTITY",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "ACTIONS_RUNTIME_TOKEN",
    "SIGSTORE_ID_TOKEN",
    "CI_JOB_TOKEN",
)


def test_no_secret_of_ours_reaches_a_build_script() -> None:
    given = dict.fromkeys(SECRETS, "hunter2") | {"PATH": "/bin", "CARGO_REGISTRIES_MINE_INDEX": "sparse+x"}
    built = build_environment(given, Path("/here"), Path("/tmp/private"))
    assert built == {"PATH": "/bin", "CARGO_REGISTRIES_MINE_INDEX": "sparse+x", "TMPDIR": "/tmp/private"}


def test_relative_folders_of_the_environment_stay_where_they_are() -> None:
    given = {
        "CARGO_HOME": "c",
        "CARGO_TARGET_DIR": "/abs",
        "CARGO_HTTP_CAINFO": "ca.pem",
        "RUSTUP_HOME": "",
    }
    built = build_environment(given, Path("/here"), Path("/t"))
    assert built["CARGO_HOME"] == "/here/c"
    assert built["CARGO_TARGET_DIR"] == "/abs"
    assert built["CARGO_HTTP_CAINFO"] == "/here/ca.pem"
    assert built["RUSTUP_HOME"] == ""


class Fake:
    """A folder with a `cargo` that is a shell script, for what no real cargo lets one see."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("bin", "home", "root", "tmp"):
            (folder / name).mkdir()

    def cargo(self, script: str) -> None:
        path = self.folder / "bin/cargo"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def options(self, **environment: str) -> CompileOptions:
        path = f"{self.folder / 'bin'}:/usr/bin:/bin"
        return CompileOptions(
            root=self.folder / "root",
            environment={"PATH": path, **environment},
            working_directory=self.folder,
            cargo_home=self.folder / "home",
        )

    def run(self, **environment: str) -> None:
        options = self.options(**environment)
        run_build(plan_build(found(), options, "why"), options, self.folder / "tmp")


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    return Fake(tmp_path)


def test_cargo_runs_in_cargos_home_in_a_group_of_its_own_without_input(fake: Fake) -> None:
    fake.cargo('pwd > "$0.pwd"; cat > "$0.in"; echo "$TMPDIR" > "$0.tmp"')
    fake.run()
    read = {name: (fake.folder / f"bin/cargo.{name}").read_text().strip() for name in ("pwd", "in", "tmp")}
    assert read == {"pwd": str(fake.folder / "home"), "in": "", "tmp": str(fake.folder / "tmp")}


def test_the_variable_cargo_names_the_program_even_by_a_relative_path(fake: Fake) -> None:
    fake.cargo('touch "$0.was-here"')
    (fake.folder / "bin/cargo").rename(fake.folder / "my-cargo")
    fake.run(CARGO="./my-cargo")
    assert (fake.folder / "my-cargo.was-here").exists()


def test_a_cargo_that_fails_is_70_with_the_command(fake: Fake) -> None:
    fake.cargo("exit 101")
    with pytest.raises(CompileFailed, match="exit code 101") as raised:
        fake.run()
    assert raised.value.exit_code == 70
    assert "cargo install foo --version 1.2.3" in (raised.value.hint or "")


def test_no_cargo_is_70_with_what_to_do(fake: Fake) -> None:
    with pytest.raises(CompileFailed, match="no such program on PATH") as raised:
        fake.run(PATH=str(fake.folder / "nothing"))
    assert "rustup" in (raised.value.hint or "")
    (fake.folder / "bin/cargo").mkdir()
    with pytest.raises(CompileFailed, match="cannot be built"):
        fake.run(CARGO=str(fake.folder / "bin/cargo"))


def test_the_job_slots_of_an_outer_build_are_inherited(fake: Fake) -> None:
    fake.cargo('echo "$CARGO_MAKEFLAGS" > "$0.flags"; ls -l /proc/self/fd > "$0.fds" 2>&1')
    reader, writer = os.pipe()
    try:
        for fd in (reader, writer):
            os.set_inheritable(fd, True)
        fake.run(CARGO_MAKEFLAGS=f"-j --jobserver-fds={reader},{writer} --jobserver-auth={reader},{writer}")
        listing = (fake.folder / "bin/cargo.fds").read_text()
    finally:
        os.close(reader)
        os.close(writer)
    if sys.platform == "linux":
        assert f" {reader} -> pipe:" in listing and f" {writer} -> pipe:" in listing
    fake.run(MAKEFLAGS="--jobserver-auth=777,778")


def test_cargo_and_what_it_started_end_with_us(fake: Fake) -> None:
    fake.cargo(
        'mkdir -p "$6/bin/cargo-installAbCdEf"\n'
        'sh -c \'trap "" TERM; echo $$ > "$0.grandchild"; sleep 600\' "$0" &\n'
        'echo $$ > "$0.child"; wait'
    )
    options = fake.options()
    plan = plan_build(found(), options, "why")
    assert plan.arguments[-2:] == ("--root", str(options.root))

    def stop(_number: int, _frame: object) -> None:
        raise Cancelled("stopped")

    before = signal.signal(signal.SIGUSR1, stop)

    def later() -> None:
        deadline = time.monotonic() + 20
        names = [fake.folder / f"bin/cargo.{name}" for name in ("child", "grandchild")]
        while time.monotonic() < deadline and not all(n.exists() and n.read_text().strip() for n in names):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGUSR1)

    thread = threading.Thread(target=later)
    thread.start()
    try:
        with pytest.raises(Cancelled):
            run_build(plan, options, fake.folder / "tmp")
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, before)
    for name in ("child", "grandchild"):
        number = int((fake.folder / f"bin/cargo.{name}").read_text())
        assert not is_running(number), f"the {name} goes on"
    assert not list((fake.folder / "root/bin").iterdir()), (
        "the folder that cargo gathers binaries in is gone"
    )


def test_a_build_is_a_value() -> None:
    assert plan_build(found(), PLAIN, "why") == Build(
        found(), ("install", "foo", "--version", "1.2.3", "--root", "/root"), "why"
    )
