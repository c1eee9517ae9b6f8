"""What a user gets from `binstall install`, over real TLS, in a process of its own."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from binstall.hosting.answer import Answer
from binstall.hosting.request import Request
from support_machine import Machine
from support_registry import TARGET, Publisher


def test_a_signed_crate_is_installed_and_runs_without_a_question(
    publisher: Publisher, machine: Machine
) -> None:
    publisher.release("hello", "1.2.3")
    run = machine.install("hello").expect(0)
    assert run.out == f"installed hello 1.2.3: hello => {machine.bin / 'hello'}\n"
    assert subprocess.check_output([machine.bin / "hello"], text=True) == "hello 1.2.3\n"
    assert stat.S_IMODE((machine.bin / "hello").stat().st_mode) == 0o755
    assert publisher.key.public_key.shown_id in run.err
    assert "trusted comment: timestamp:" in run.err
    assert sorted(path.name for path in machine.bin.iterdir()) == ["hello"], (
        "nothing is left beside the binary"
    )


def test_a_crate_of_a_replaced_crates_io_is_recorded_as_one_of_crates_io(
    publisher: Publisher, machine: Machine
) -> None:
    publisher.release("hello", "1.2.3")
    machine.install("hello").expect(0)
    listed = (machine.root / ".crates.toml").read_text()
    assert listed == (
        '[v1]\n"hello 1.2.3 (registry+https://github.com/rust-lang/crates.io-index)" = ["hello"]\n'
    )
    assert not (machine.root / ".crates2.json").exists()


def test_the_highest_version_that_matches_and_is_not_yanked_is_installed(
    publisher: Publisher, machine: Machine
) -> None:
    for version, yanked in (("1.0.0", False), ("1.4.0", False), ("1.9.0", True), ("2.0.0-rc.1", False)):
        publisher.release("hello", version, yanked=yanked)
    assert "installed hello 1.4.0" in machine.install("hello").expect(0).out
    assert "installed hello 1.0.0" in machine.install("hello@1.0", "--force").expect(0).out
    assert "installed hello 2.0.0-rc.1" in machine.install("hello@2.0.0-rc.1").expect(0).out
    assert "1.9.0" in machine.install("hello@1.9.0").expect(76).err


def test_a_second_install_has_nothing_to_do(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0")
    machine.install("hello").expect(0)
    before = machine.files()
    assert "already installed" in machine.install("hello").expect(0).out
    asked = len(publisher.host.exchanges)
    assert "already installed" in machine.install("hello@1.0.0").expect(0).out
    assert len(publisher.host.exchanges) == asked, "an exact version that is installed needs no network"
    assert machine.files() == before


def test_an_upgrade_replaces_the_binary_and_its_record(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0", bins={"hello": b"#!/bin/sh\n", "gone": b"#!/bin/sh\n"})
    machine.install("hello").expect(0)
    publisher.release("hello", "1.1.0")
    machine.install("hello").expect(0)
    assert sorted(path.name for path in machine.bin.iterdir()) == ["hello"]
    assert "hello 1.1.0" in (machine.root / ".crates.toml").read_text()
    assert "1.0.0" not in (machine.root / ".crates.toml").read_text()


def test_a_dry_run_verifies_everything_and_changes_nothing(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0")
    before = machine.files()
    run = machine.install("hello", "--dry-run").expect(0)
    assert run.out == f"would install hello 1.0.0: hello => {machine.bin / 'hello'}\n"
    for word in ("SHA-256", "verified", "unpacked", publisher.key.public_key.shown_id):
        assert word in run.err
    assert machine.files() == before


def test_package_and_signature_are_requested_once_each_and_nothing_else_is(
    publisher: Publisher, machine: Machine
) -> None:
    release = publisher.release("hello", "1.0.0")
    machine.install("hello").expect(0)
    asked = [exchange.request.path for exchange in publisher.host.exchanges]
    assert sorted(asked[:2], key=str) == ["/index/config.json", "/index/he/ll/hello"]
    assert asked[2] == release.crate_path
    assert sorted(asked[3:], key=str) == [release.package_path, release.signature_path]


def test_an_unsigned_package_is_asked_about_and_no_terminal_means_no(
    publisher: Publisher, machine: Machine
) -> None:
    publisher.release("hello", "1.0.0", sign=False)
    before = machine.files()
    run = machine.install("hello").expect(32)
    assert "UNSIGNED" in run.err
    assert "-y" in run.err
    assert machine.files() == before
    machine.install("hello", "-y").expect(0)
    assert (machine.bin / "hello").exists()


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("n\n", 32), ("\n", 32), ("\x04", 32)])
def test_an_answer_on_the_terminal_decides_about_an_unsigned_package(
    publisher: Publisher, machine: Machine, typed: str, code: int
) -> None:
    publisher.release("hello", "1.0.0", sign=False)
    run = machine.run_on_terminal("install", "--targets", TARGET, "hello", typed=typed)
    assert run.code == code, run.out
    assert (machine.bin / "hello").exists() == (code == 0)


def test_only_signed_refuses_an_unsigned_package(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0", sign=False)
    before = machine.files()
    machine.install("hello", "--only-signed", "-y").expect(41)
    assert machine.files() == before
    publisher.release("signed", "1.0.0")
    machine.install("signed", "--only-signed").expect(0)


def test_skip_signatures_says_so_loudly_and_asks(publisher: Publisher, machine: Machine) -> None:
    release = publisher.release("hello", "1.0.0")
    publisher.host.remove(release.signature_path)
    machine.install("hello", "--skip-signatures").expect(32)
    run = machine.install("hello", "--skip-signatures", "-y").expect(0)
    assert "warning" in run.err
    assert "--skip-signatures" in run.err
    machine.install("hello", "--skip-signatures", "--only-signed").expect(2)


def test_a_file_that_nobody_tracks_is_not_overwritten(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0")
    machine.bin.mkdir()
    (machine.bin / "hello").write_text("mine")
    before = machine.files()
    run = machine.install("hello", "-y").expect(88)
    assert "--force" in run.err
    assert machine.files() == before
    asked = machine.run_on_terminal("install", "--targets", TARGET, "hello", typed="n\n")
    assert asked.code == 32
    assert (machine.bin / "hello").read_text() == "mine"
    machine.install("hello", "--force").expect(0)
    assert (machine.bin / "hello").read_text() != "mine"


def test_install_path_is_exact_and_untracked(
    publisher: Publisher, machine: Machine, tmp_path: Path
) -> None:
    publisher.release("hello", "1.0.0")
    place = tmp_path / "a folder"
    machine.install("hello", "--install-path", str(place)).expect(0)
    assert [path.name for path in place.iterdir()] == ["hello"]
    assert not (machine.root / ".crates.toml").exists()


def test_root_and_bin_choose_where_and_what(publisher: Publisher, machine: Machine, tmp_path: Path) -> None:
    publisher.release("hello", "1.0.0", bins={"one": b"1", "two": b"2"})
    machine.install("hello", "--root", str(tmp_path / "root"), "--bin", "two").expect(0)
    assert [path.name for path in (tmp_path / "root/bin").iterdir()] == ["two"]
    run = machine.install("hello", "--bin", "three").expect(88)
    assert "three" in run.err


def test_it_works_without_home_and_without_cargo(
    publisher: Publisher, machine: Machine, tmp_path: Path
) -> None:
    publisher.release("hello", "1.0.0")
    machine.environment = {"HOME": "", "PATH": "", "CARGO_HOME": ""}
    words = ["--index", publisher.index_url, "--root-certificates", str(publisher.ca_file)]
    machine.install("hello", *words, "--root", str(tmp_path / "r")).expect(0)
    assert (tmp_path / "r/bin/hello").exists()


def test_a_hostile_checkout_does_not_choose_the_registry(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0")
    inner = machine.work / "sub"
    for folder in (machine.work, inner):
        (folder / ".cargo").mkdir(parents=True)
        (folder / ".cargo/config.toml").write_text(
            '[source.crates-io]\nreplace-with = "evil"\n[source.evil]\nregistry = "sparse+https://127.0.0.1:9/"\n'
            '[registry]\ndefault = "evil"\n[registries.evil]\nindex = "sparse+https://127.0.0.1:9/"\n'
            '[install]\nroot = "stolen"\n[http]\nproxy = "http://127.0.0.1:9"\n'
        )
        (folder / "binstall.toml").write_text("nonsense")
    machine.install("hello", cwd=inner).expect(0)
    assert (machine.bin / "hello").exists()


def test_several_crates_go_by_name_and_one_failure_installs_nothing(
    publisher: Publisher, machine: Machine
) -> None:
    publisher.release("beta", "1.0.0")
    publisher.release("alpha", "1.0.0")
    before = machine.files()
    assert "nothere" in machine.install("beta", "nothere", "alpha").expect(76).err
    assert machine.files() == before
    run = machine.install("beta", "alpha").expect(0)
    assert [line.split()[1] for line in run.out.splitlines()] == ["alpha", "beta"]


def test_quiet_prints_nothing_and_errors_only(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0")
    run = machine.install("hello", "-q").expect(0)
    assert run.out + run.err == ""
    run = machine.install("nothere", "-q").expect(76)
    assert run.out == ""
    assert [line.split(":")[0] for line in run.err.splitlines()] == ["error", "help"]


def test_no_colour_reaches_a_pipe_and_none_a_terminal_with_no_color(
    publisher: Publisher, machine: Machine
) -> None:
    publisher.release("hello", "1.0.0")
    assert "\x1b" not in machine.install("nothere").err
    machine.environment["NO_COLOR"] = "1"
    assert "\x1b[1;31m" not in machine.run_on_terminal("install", "nothere", typed="").out
    del machine.environment["NO_COLOR"]
    assert "\x1b[1;31merror" in machine.run_on_terminal("install", "nothere", typed="").out


def test_secrets_in_urls_are_neither_printed_nor_recorded(publisher: Publisher, machine: Machine) -> None:
    base = publisher.host.base_url.replace("https://", "https://user:hunter2@")
    publisher.release(
        "hello",
        "1.0.0",
        metadata={
            "pkg-url": base + "/releases/hello/1.0.0/{ name }-{ version }-{ target }.tgz?token=hunter3"
        },
    )
    release = "/releases/hello/1.0.0/hello-1.0.0-" + TARGET + ".tgz"
    publisher.host.on_request = lambda request: (
        publisher.host.answer(replace(request, path=f"{release}.sig"))
        if request.target.endswith("?token=hunter3.sig")
        else None
    )
    run = machine.install("hello", "-v", "--json").expect(0)
    said = run.out + run.err + "".join(str(content) for content in machine.files().values())
    assert "hunter" not in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_middle_of_a_download_leaves_the_machine_as_it_was(
    publisher: Publisher, machine: Machine, number: signal.Signals
) -> None:
    release = publisher.release("hello", "1.0.0", package=os.urandom(1 << 20))

    def slow(request: Request) -> Answer | None:
        if request.path != release.package_path:
            return None
        return replace(publisher.host.answer(request), delay_after=4096, delay_seconds=30)

    publisher.host.on_request = slow
    before = machine.files()
    process = machine.start("install", "--targets", TARGET, "hello")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not any(
        exchange.request.path == release.package_path for exchange in publisher.host.exchanges
    ):
        time.sleep(0.02)
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 3
    assert process.returncode == 32, err
    assert "Traceback" not in err
    assert out == ""
    assert machine.files() == before
