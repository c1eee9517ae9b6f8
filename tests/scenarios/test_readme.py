"""What README shows is what happens."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from support_machine import Machine
from support_registry import TARGET, Publisher

README = (Path(__file__).parent.parent.parent / "README.md").read_text()


def test_the_first_install_prints_what_readme_shows(publisher: Publisher, machine: Machine) -> None:
    shown = re.findall(r"```console\n\$ (binstall install [^\n]*)\n(.*?)```", README, re.DOTALL)
    ((command, expected),) = shown
    publisher.release("hello", "1.2.3")
    words = shlex.split(command)[1:]
    run = machine.run(*words, "--targets", TARGET).expect(0)
    said = run.err + run.out
    for real, stands_for in (
        (publisher.index_url.removeprefix("sparse+"), "https://index.crates.io/"),
        (
            f"{publisher.host.base_url}/releases/hello/1.2.3/",
            "https://github.com/example/hello/releases/download/v1.2.3/",
        ),
        (publisher.host.base_url.removeprefix("https://"), "github.com"),
        (publisher.key.public_key.base64, "RWRnmBcLmQbXVcEPWo2OOKMI36kki4GiI7gcBgIaPLwvxe14Wtxm9acX"),
        (publisher.key.public_key.shown_id, "55D706990B179867"),
        (str(machine.home), "~"),
        (TARGET, "x86_64-unknown-linux-musl"),
    ):
        said = said.replace(real, stands_for)
    said = re.sub(r"SHA-256 [0-9a-f]{64}", "SHA-256 8a7b…", said)
    said = re.sub(r"crates\.io, replaced by [^,]*\)", "crates.io", said)
    said = re.sub(r"verified \d+ bytes", "verified 1834212 bytes", said)
    assert said == expected


def test_every_install_that_readme_shows_works(publisher: Publisher, machine: Machine) -> None:
    publisher.release("ripgrep", "14.1.1", bins={"rg": b"#!/bin/sh\n"})
    machine.environment["CARGO_BUILD_TARGET"] = TARGET
    commands = [line for line in README.splitlines() if line.startswith("binstall install ripgrep")]
    assert len(commands) >= 4
    for line in commands:
        words = [word.replace("~", str(machine.home)) for word in shlex.split(line, comments=True)]
        machine.run(*words[1:]).expect(0)
