"""Clearing up although the user presses Ctrl-C again.

A signal reaches Python code as KeyboardInterrupt, or as Cancelled where `main` has installed a handler, and
can arrive anywhere, also while what the first one interrupted is being taken back.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from binstall.errors import Cancelled

_ATTEMPTS: Final = 20


def despite_signals(work: Callable[[], None]) -> None:
    """Do `work`, which may be done twice; a signal meanwhile starts it again and is raised afterwards."""
    held: BaseException | None = None
    for _ in range(_ATTEMPTS):
        try:
            work()
        except (KeyboardInterrupt, Cancelled) as signal:
            held = signal
            continue
        break
    if held is not None:
        raise held


@contextmanager
def deferred_signals() -> Iterator[None]:
    """Hold back what would interrupt, for a few lines that take hold of something, until they are done."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread only
        return
    arrived: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        arrived.append(number)

    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    held = {number: handler for number, handler in before.items() if callable(handler)}
    try:
        for number in held:
            signal.signal(number, note)
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
    for number in dict.fromkeys(arrived):
        signal.raise_signal(number)
