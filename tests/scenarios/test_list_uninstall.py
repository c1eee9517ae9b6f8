"""What is installed is told, and taken away again, with cargo's own words as the measure."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support_machine import Machine
from support_registry import TARGET, Publisher

needs_cargo = pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not on PATH")


def cargo(machine: Machine, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the real cargo on the machine's root; its own home is that root, too."""
    program = shutil.which("cargo")
    assert program is not None
    rustup = {"RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path("~/.rustup").expanduser()))}
    return subprocess.run(
        [program, *words],
        env={"PATH": os.environ["PATH"], "CARGO_HOME": str(machine.root), "HOME": str(machine.home)}
        | rustup,
        cwd=machine.work,
        capture_output=True,
        text=True,
        check=False,
    )


def cargos_list(machine: Machine) -> dict[str, list[str]]:
    """Return what `cargo install --list` says: files by `NAME vVERSION`."""
    done = cargo(machine, "install", "--list")
    assert done.returncode == 0, done.stderr
    return files_by_crate(done.stdout, r"(\S+ v\S+?)(?: \(.*\))?:")


def our_list(machine: Machine) -> dict[str, list[str]]:
    """Return the same out of `binstall list`."""
    found = files_by_crate(machine.run("list").expect(0).out, r"(\S+ \S+) from .*")
    return {name.replace(" ", " v"): files for name, files in found.items()}


def files_by_crate(text: str, head: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("    "):
            found[name].append(line.strip())
        else:
            match = re.fullmatch(head, line)
            assert match is not None, line
            name = match[1]
            found[name] = []
    return found


@pytest.fixture
def stocked(publisher: Publisher, machine: Machine) -> Machine:
    """A machine with a signed crate, an unsigned one, and one of two binaries."""
    publisher.release("hello", "1.2.3")
    publisher.release("plain", "0.1.0", sign=False)
    publisher.release("pair", "2.0.0", bins={"one": b"#!/bin/sh\n", "two": b"#!/bin/sh\n"})
    machine.install("hello", "plain", "pair", "-y").expect(0)
    return machine


def test_an_empty_root_lists_nothing_and_is_not_made(machine: Machine, tmp_path: Path) -> None:
    run = machine.run("list", "--root", str(tmp_path / "none")).expect(0)
    assert run.out == ""
    assert "nothing is installed" in run.err
    assert not (tmp_path / "none").exists()


def test_the_list_names_files_source_and_who_signed(publisher: Publisher, stocked: Machine) -> None:
    before = stocked.files()
    lines = stocked.run("list").expect(0).out.splitlines()
    assert re.fullmatch(
        rf"hello 1\.2\.3 from crates\.io: signed by its publisher with minisign key "
        rf"{publisher.key.public_key.shown_id}, for {TARGET}, installed 20\d\d-\S+Z",
        lines[0],
    )
    assert lines[1] == "    hello"
    assert lines[2].startswith("pair 2.0.0 from crates.io: signed by its publisher")
    assert lines[3:5] == ["    one", "    two"]
    assert lines[5].startswith("plain 0.1.0 from crates.io: UNSIGNED, for ")
    assert stocked.files() == before


def test_the_list_as_json_has_source_files_and_evidence(publisher: Publisher, stocked: Machine) -> None:
    (stocked.bin / "two").unlink()
    hello, pair, plain = stocked.run("list", "--json").expect(0).objects
    at = hello["evidence"].pop("installed_at")
    sha256 = hello["evidence"].pop("sha256")
    comment = hello["evidence"].pop("trusted_comment")
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", at)
    assert re.fullmatch(r"[0-9a-f]{64}", sha256)
    assert f"target:{TARGET}" in comment
    assert hello == {
        "schema": 1,
        "event": "listed",
        "crate": "hello",
        "version": "1.2.3",
        "target": TARGET,
        "source": {"kind": "registry", "url": "https://github.com/rust-lang/crates.io-index"},
        "version_requirement": "*",
        "files": [
            {
                "binary": "hello",
                "path": str(stocked.bin / "hello"),
                "exists": True,
                "from_package": True,
            }
        ],
        "evidence": {
            "verdict": "verified",
            "algorithm": "minisign",
            "key_id": publisher.key.public_key.shown_id,
            "public_key": publisher.key.public_key.base64,
            "package_url": f"{publisher.host.base_url}/releases/hello/1.2.3/hello-1.2.3-{TARGET}.tgz",
            "party": "publisher",
        },
    }
    assert [file["exists"] for file in pair["files"]] == [True, False]
    assert (plain["evidence"]["verdict"], plain["evidence"]["key_id"]) == ("unsigned", None)


def test_a_list_that_cannot_be_read_is_an_error_and_is_left_alone(machine: Machine) -> None:
    (machine.root / ".crates.toml").write_text("[v1\n")
    for words in (["list", "--json"], ["uninstall", "--json", "hello"]):
        run = machine.run(*words).expect(16)
        assert run.objects[0]["error"] == "TrackingError"
    assert (machine.root / ".crates.toml").read_text() == "[v1\n"


@needs_cargo
def test_cargo_lists_and_uninstalls_what_was_installed(stocked: Machine) -> None:
    assert our_list(stocked) == cargos_list(stocked)
    done = cargo(stocked, "uninstall", "pair")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in stocked.bin.iterdir()) == ["hello", "plain"]
    assert (
        our_list(stocked) == cargos_list(stocked) == {"hello v1.2.3": ["hello"], "plain v0.1.0": ["plain"]}
    )


@needs_cargo
def test_cargo_sees_nothing_more_of_what_was_uninstalled(stocked: Machine) -> None:
    cargos_list(stocked)
    run = stocked.run("uninstall", "pair", "hello").expect(0)
    assert run.out.splitlines() == [
        f"removed hello 1.2.3: {stocked.bin / 'hello'}",
        f"removed pair 2.0.0: {stocked.bin / 'one'}",
        f"removed pair 2.0.0: {stocked.bin / 'two'}",
    ]
    assert cargos_list(stocked) == our_list(stocked) == {"plain v0.1.0": ["plain"]}
    assert sorted(path.name for path in stocked.bin.iterdir()) == ["plain"]
    assert cargo(stocked, "uninstall", "hello").returncode != 0
    stocked.install("hello").expect(0)
    assert cargos_list(stocked) == {"hello v1.2.3": ["hello"], "plain v0.1.0": ["plain"]}


@needs_cargo
def test_cargo_installs_over_ours_and_we_over_cargos_and_uninstall_it(
    publisher: Publisher, stocked: Machine
) -> None:
    sources = stocked.work / "hello"
    (sources / "src").mkdir(parents=True)
    (sources / "Cargo.toml").write_text('[package]\nname = "hello"\nversion = "3.0.0"\nedition = "2021"\n')
    (sources / "src" / "main.rs").write_text("fn main() {}\n")
    build = ("install", "--offline", "--debug", "--path", str(sources))
    done = cargo(stocked, *build)
    assert done.returncode == 0, done.stderr
    assert our_list(stocked) == cargos_list(stocked)
    listed = stocked.run("list", "--json").expect(0).objects[0]
    assert (listed["version"], listed["evidence"], listed["target"]) == ("3.0.0", None, None)
    assert listed["source"] == {"kind": "path", "url": sources.as_uri()}
    assert "hello 3.0.0 from path+file://" in stocked.run("list").out

    publisher.release("hello", "4.0.0")
    stocked.install("hello").expect(0)
    assert our_list(stocked) == cargos_list(stocked)
    assert cargos_list(stocked)["hello v4.0.0"] == ["hello"]
    assert stocked.run("list", "--json").objects[0]["evidence"]["verdict"] == "verified"

    assert cargo(stocked, *build, "--force").returncode == 0
    stocked.run("uninstall", "hello").expect(0)
    assert "hello v3.0.0" not in cargos_list(stocked)
    assert not (stocked.bin / "hello").exists()


def test_only_listed_files_go(stocked: Machine) -> None:
    (stocked.bin / "mine").write_text("mine")
    (stocked.bin / "three").symlink_to("one")
    stocked.run("uninstall", "pair").expect(0)
    assert sorted(path.name for path in stocked.bin.iterdir()) == ["hello", "mine", "plain", "three"]
    assert "pair" not in (stocked.root / ".crates.toml").read_text()
    assert "pair" not in (stocked.root / "binstall" / "crates-v1.json").read_text()


def test_several_crates_go_together_or_not_at_all(stocked: Machine) -> None:
    before = stocked.files()
    run = stocked.run("uninstall", "hello", "nothere", "pair@1", "--json").expect(76)
    assert "nothere is not installed; pair =1 is not installed, 2.0.0 is" in run.err
    assert run.objects[0]["error"] == "NotInstalled"
    assert stocked.files() == before
    stocked.run("uninstall", "hello", "pair@2.0.0", "plain", "hello").expect(0)
    assert list(stocked.bin.iterdir()) == []
    assert stocked.run("list").expect(0).out == ""


def test_a_file_that_is_gone_is_a_warning(stocked: Machine) -> None:
    (stocked.bin / "one").unlink()
    run = stocked.run("uninstall", "pair", "--json").expect(0)
    assert f"warning: {stocked.bin / 'one'} is already gone; it is not removed" in run.err
    assert run.objects == [
        {
            "schema": 1,
            "event": "uninstalled",
            "crate": "pair",
            "version": "2.0.0",
            "target": TARGET,
            "source": {"kind": "registry", "url": "https://github.com/rust-lang/crates.io-index"},
            "files": [{"binary": "two", "path": str(stocked.bin / "two")}],
            "not_removed": ["one"],
        }
    ]
    assert "pair" not in stocked.run("list").out


def test_a_dry_run_of_uninstall_changes_nothing(stocked: Machine) -> None:
    before = stocked.files()
    run = stocked.run("uninstall", "hello", "--dry-run").expect(0)
    assert run.out == f"would remove hello 1.2.3: {stocked.bin / 'hello'}\n"
    assert stocked.files() == before


def test_nothing_is_made_where_nothing_is_installed(machine: Machine, tmp_path: Path) -> None:
    machine.run("uninstall", "hello", "--root", str(tmp_path / "none")).expect(76)
    assert not (tmp_path / "none").exists()
    machine.run("uninstall").expect(2)
    machine.run("list", "-q", "-v").expect(2)
