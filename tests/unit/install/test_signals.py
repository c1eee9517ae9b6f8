"""Signals held back for a moment."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from binstall.errors import Stopped
from binstall.install.signals import deferred_signals


@pytest.fixture
def stopping() -> Iterator[None]:
    def stop(_number: int, _frame: object) -> None:
        raise Stopped("stopped")

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("stopping")
def test_a_signal_meanwhile_is_raised_afterwards_and_only_then() -> None:
    done = []
    with pytest.raises(Stopped):
        with deferred_signals():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGHUP)
            done.append("all of it")
        done.append("not this")
    assert done == ["all of it"]
    with pytest.raises(Stopped):
        signal.raise_signal(signal.SIGTERM)


def test_control_c_is_held_back_as_well() -> None:
    done = False
    with pytest.raises(KeyboardInterrupt), deferred_signals():
        signal.raise_signal(signal.SIGINT)
        done = True
    assert done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("stopping")
def test_an_error_inside_goes_on_and_the_handlers_are_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ValueError, match="mine"), deferred_signals():
        raise ValueError("mine")
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with deferred_signals():
            signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_another_thread_has_nothing_to_hold_back() -> None:
    done = []

    def work() -> None:
        with deferred_signals():
            done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [1]
