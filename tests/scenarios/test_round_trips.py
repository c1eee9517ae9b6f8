"""What an install costs over a real network: questions that wait for each other's answers, and their number."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from binstall.hosting.answer import Answer
from binstall.hosting.request import Request
from support_machine import Machine
from support_registry import Publisher

_ROUND_TRIP_SECONDS: Final = 0.05


class FarHost:
    """What a host answers is sent one round trip after it was asked."""

    def __init__(self) -> None:
        self.publisher: Publisher | None = None
        self._asked_at: list[float] = []
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Answer | None:
        assert self.publisher is not None
        with self._lock:
            self._asked_at.append(time.monotonic())
        return replace(self.publisher.host.answer(request), delay_seconds=_ROUND_TRIP_SECONDS)

    def forget(self) -> None:
        self._asked_at.clear()

    def round_trips(self) -> int:
        """Return the most requests of which each came after the answer to the one before."""
        count, answered = 0, float("-inf")
        for asked in sorted(self._asked_at):
            if asked >= answered:
                count, answered = count + 1, asked + _ROUND_TRIP_SECONDS
        return count


@pytest.fixture
def far(tmp_path: Path) -> Iterator[FarHost]:
    folder = tmp_path / "far"
    folder.mkdir()
    host = FarHost()
    with Publisher(folder, on_request=host) as publisher:
        host.publisher = publisher
        yield host


@pytest.fixture
def publisher(far: FarHost) -> Publisher:
    assert far.publisher is not None
    return far.publisher


@pytest.mark.parametrize("spec", ["hello", "hello@1.2.3"], ids=["any version", "exact version"])
@pytest.mark.parametrize("program", ["binstall", "cargo-binstall"])
def test_a_signed_crate_with_a_pkg_url_takes_at_most_four_round_trips_and_repeats_no_request(
    far: FarHost, publisher: Publisher, machine: Machine, spec: str, program: str
) -> None:
    publisher.release("hello", "1.2.3")
    words = ("install", "-y") if program == "binstall" else ("-y",)
    machine.run(*words, "--targets", "x86_64-unknown-linux-musl", spec, program=program).expect(0)
    assert far.round_trips() <= 4
    asked = Counter(exchange.request.target for exchange in publisher.host.exchanges)
    assert asked.total() == 5, "config.json, index, .crate, package and signature"
    assert set(asked.values()) == {1}


def test_a_batch_of_twenty_takes_at_most_three_times_as_long_as_one(
    far: FarHost, publisher: Publisher, machine: Machine
) -> None:
    names = [f"hello{number}" for number in range(20)]
    for name in ["alone", *names]:
        publisher.release(name, "1.2.3")

    def seconds(*words: str) -> float:
        far.forget()
        began = time.monotonic()
        machine.install("-y", "--force", *words).expect(0)
        return time.monotonic() - began

    # The better of two: other programs run on this machine, too.
    one = min(seconds("alone") for _ in range(2))
    batch = min(seconds(*names) for _ in range(2))
    assert batch <= 3 * one, (batch, one)
    asked = Counter(exchange.request.target for exchange in publisher.host.exchanges)
    assert asked.pop("/index/config.json") == 4
    assert set(asked.values()) == {2}
