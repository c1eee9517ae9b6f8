"""A signal at any moment: exit 32, all or nothing, and nothing left behind."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import support_signals
from binstall.install.tracker import Tracker
from support_machine import Machine, Run
from support_registry import TARGET, Publisher

BINARIES = {"hello": b"#!/bin/sh\necho one\n", "second": b"#!/bin/sh\necho two\n"}
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
MOMENTS = 12
"""How many of all moments are tried, over all signals."""


def run(machine: Machine, program: str, name: str, at: int, *words: str) -> Run:
    done = subprocess.run(
        [sys.executable, support_signals.__file__, program, name, str(at), *words],
        env=machine.env() | {"PYTHONPATH": str(Path(support_signals.__file__).parent)},
        cwd=machine.work,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)


def state(machine: Machine) -> dict[str, bytes]:
    """Return what is installed; insist that it is whole, recorded as it is, and that nothing else is there."""
    tracking = Tracker(machine.root).read()
    installed = tracking.installed("hello")
    bins = {each.name: each.read_bytes() for each in machine.bin.iterdir()} if machine.bin.exists() else {}
    assert set(bins) == set(installed.bins if installed is not None else ()), (
        "neither temporary nor partial files"
    )
    assert list((machine.folder / "tmp").iterdir()) == []
    strange = [each.name for each in machine.root.rglob("*") if ".binstall" in each.name]
    assert strange == []
    return bins


@pytest.mark.parametrize("program", ["binstall", "cargo-binstall"])
@pytest.mark.parametrize("upgrade", [False, True], ids=["first install", "upgrade"])
def test_a_signal_at_any_moment_leaves_all_or_nothing(
    publisher: Publisher, machine: Machine, program: str, upgrade: bool
) -> None:
    publisher.release("hello", "1.0.0", bins={"hello": b"#!/bin/sh\necho zero\n", "gone": b"#!/bin/sh\n"})
    if upgrade:
        machine.install("hello").expect(0)
    publisher.release("hello", "1.1.0", bins=BINARIES)
    words = ["-y", "--targets", TARGET, "hello@1.1.0"]
    words = ["install", *words] if program == "binstall" else ["--disable-telemetry", *words]
    kept = machine.folder / "kept"
    shutil.copytree(machine.root, kept)

    def again() -> None:
        shutil.rmtree(machine.root)
        shutil.copytree(kept, machine.root)

    before = state(machine)
    done = run(machine, program, "SIGTERM", 0, *words).expect(0)
    after = state(machine)
    assert after == BINARIES
    calls = int(done.err.splitlines()[-1])
    assert calls > MOMENTS
    outcomes = set()
    for number in range(MOMENTS):
        again()
        at = 1 + number * calls // MOMENTS + (number * 7) % (calls // MOMENTS)
        stopped = run(machine, program, SIGNALS[number % len(SIGNALS)], at, *words)
        where = f"{SIGNALS[number % len(SIGNALS)]} at call {at} of {calls}\n{stopped.out}\n{stopped.err}"
        assert "Traceback" not in stopped.out + stopped.err, where
        assert "Exception ignored" not in stopped.err, where
        found = state(machine)
        assert found in (before, after), where
        # The number of calls differs a little from run to run: the last moments may be after the end.
        assert stopped.code == 32 or (stopped.code == 0 and found == after and at > calls * 0.8), where
        outcomes.add((stopped.code, found == after))
    assert (32, False) in outcomes


@pytest.mark.parametrize("name", SIGNALS)
def test_two_signals_are_no_worse_than_one(publisher: Publisher, machine: Machine, name: str) -> None:
    publisher.release("hello", "1.0.0", package=b"x" * (1 << 20))
    process = machine.start("install", "--targets", TARGET, "hello")
    for _ in range(200):
        if process.poll() is not None:
            break
        process.send_signal(signal.Signals[name])
        try:
            process.wait(0.005)
        except subprocess.TimeoutExpired:
            continue
    out, err = process.communicate(timeout=30)
    assert process.returncode == 32 or process.returncode == -signal.Signals[name], out + err
    assert state(machine) == {}
