"""Many crates in one run: looked for at once, told, asked about and placed in the order of their names."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from binstall.hosting.answer import Answer
from binstall.hosting.request import Request
from support_machine import Machine
from support_registry import TARGET, Publisher

NAMES = ("alpha", "bravo", "charlie", "delta")


def _release_all(publisher: Publisher, **how: bool) -> None:
    for name in NAMES:
        publisher.release(name, "1.0.0", **how)  # type: ignore[arg-type]


def test_no_crate_waits_for_the_answers_of_another(publisher: Publisher, machine: Machine) -> None:
    _release_all(publisher)
    everybody = threading.Barrier(len(NAMES))

    def together(request: Request) -> Answer | None:
        if (request.path or "").endswith("/download"):
            everybody.wait(timeout=30)  # broken, and so a 500, where they come one after another
        return None

    publisher.host.on_request = together
    run = machine.install(*reversed(NAMES)).expect(0)
    assert [line.split()[1] for line in run.out.splitlines()] == list(NAMES)


def test_what_is_said_of_a_crate_stands_together_in_the_order_of_names(
    publisher: Publisher, machine: Machine
) -> None:
    _release_all(publisher)

    def slow_alpha(request: Request) -> Answer | None:
        if "alpha" in (request.path or ""):
            time.sleep(0.2)
        return None

    publisher.host.on_request = slow_alpha
    listed = [line for line in machine.install(*NAMES).expect(0).err.splitlines() if "listed by" in line]
    assert [line.split()[0] for line in listed] == list(NAMES)
    again = machine.install(*NAMES, "--force").expect(0)
    said = [line for line in again.err.splitlines() if any(name in line for name in NAMES)]
    half = said[: next(number for number, line in enumerate(said) if " for " in line and "=>" not in line)]
    order = [next(name for name in NAMES if name in line) for line in half]
    assert order == sorted(order)


def test_the_first_failure_by_name_ends_the_run_and_nothing_is_placed(
    publisher: Publisher, machine: Machine
) -> None:
    _release_all(publisher)
    publisher.tamper(f"/releases/charlie/1.0.0/charlie-1.0.0-{TARGET}.tgz", lambda data: data[:-1] + b"!")
    run = machine.install(*NAMES, "bravo-is-not-there").expect(76)
    assert "bravo-is-not-there" in run.err
    assert not run.out
    assert not machine.bin.exists() or not list(machine.bin.iterdir())


@pytest.mark.parametrize("by_settings", [False, True])
def test_continue_on_failure_installs_the_rest_and_returns_the_first_failures_code(
    publisher: Publisher, machine: Machine, by_settings: bool
) -> None:
    _release_all(publisher)
    publisher.tamper(f"/releases/bravo/1.0.0/bravo-1.0.0-{TARGET}.tgz", lambda data: data[:-1] + b"!")
    words = [] if by_settings else ["--continue-on-failure"]
    if by_settings:
        (machine.root / "binstall.toml").write_text("continue_on_failure = true\n")
    run = machine.install(*NAMES, "zulu-is-not-there", *words).expect(40)
    assert sorted(path.name for path in machine.bin.iterdir()) == ["alpha", "charlie", "delta"]
    errors = [line for line in run.err.splitlines() if line.startswith("error: ")]
    assert ["bravo" in error for error in errors] == [True, False]
    assert "zulu-is-not-there" in errors[1]
    listed = (machine.root / ".crates.toml").read_text()
    assert [name in listed for name in NAMES] == [True, False, True, True]


def test_failures_are_objects_in_json(publisher: Publisher, machine: Machine) -> None:
    publisher.release("alpha", "1.0.0")
    run = machine.install("alpha", "bravo", "--json", "--continue-on-failure").expect(76)
    assert len(run.objects) == 2


def test_one_question_is_asked_about_all_unsigned_packages(publisher: Publisher, machine: Machine) -> None:
    _release_all(publisher, sign=False)
    words = ("install", "--targets", TARGET, *NAMES)
    run = machine.run_on_terminal(*words, typed="y\n")
    assert run.code == 0, run.out
    assert run.out.count("[y/N]") == 1
    assert sorted(path.name for path in machine.bin.iterdir()) == list(NAMES)


def test_a_refused_prompt_after_failures_gives_the_failures_code(
    publisher: Publisher, machine: Machine
) -> None:
    publisher.release("alpha", "1.0.0", sign=False)
    machine.install("alpha", "bravo", "--continue-on-failure").expect(76)
    machine.install("alpha", "--continue-on-failure").expect(32)


def test_what_was_placed_before_a_failure_is_recorded(publisher: Publisher, machine: Machine) -> None:
    _release_all(publisher)
    machine.bin.mkdir(parents=True)
    (machine.bin / "charlie").write_text("mine")
    run = machine.install(*NAMES).expect(88)
    assert "charlie" in run.err
    listed = (machine.root / ".crates.toml").read_text()
    assert [name in listed for name in NAMES] == [True, True, False, False]
    assert (machine.bin / "charlie").read_text() == "mine"
    machine.install(*NAMES, "--continue-on-failure").expect(88)
    assert "delta" in (machine.root / ".crates.toml").read_text()


def test_a_signal_in_the_middle_of_a_batch_leaves_nothing(publisher: Publisher, machine: Machine) -> None:
    _release_all(publisher)
    arrived = threading.Event()

    def stall(request: Request) -> Answer | None:
        if (request.path or "").startswith("/releases/delta"):
            arrived.set()
            return Answer(delay_seconds=20.0)
        return None

    publisher.host.on_request = stall
    process = machine.start("install", "--targets", TARGET, *NAMES)
    assert arrived.wait(30)
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 32, out + err
    assert time.monotonic() - began < 8
    assert not machine.bin.exists() or not list(machine.bin.iterdir())
