"""Clearing up although the user presses Ctrl-C again.

A signal reaches Python code as KeyboardInterrupt, or as Cancelled where `main` has installed a handler, and
can arrive anywhere, also while what the first one interrupted is being taken back.
"""

from __future__ import annotations

from collections.abc import Callable
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
