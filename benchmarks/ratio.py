"""What every benchmark here shares: times taken side by side, their ratio, and its bound.

No absolute time means anything on a machine that others use, too. So ours and its peer run in turns, in one
process of one run, and only the ratio of their medians is compared with a bound.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

RUNS: Final = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One promise, measured."""

    name: str
    """What is compared with what."""
    ratio: float
    """Our median time divided by the peer's."""
    bound: float
    """The largest ratio that keeps the promise."""
    is_goal: bool = False
    """What we want to reach and have not promised: told, but no failure."""

    @property
    def holds(self) -> bool:
        """Tell whether the promise is kept."""
        return self.ratio <= self.bound


def median_of(runs: Sequence[float]) -> float:
    """Return the median of measured seconds."""
    return statistics.median(runs)


def seconds_of(work: Callable[[], object]) -> float:
    """Return how long one call takes, in seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(
    name: str,
    ours: Callable[[], object],
    peer: Callable[[], object],
    *,
    bound: float,
    runs: int = RUNS,
    is_goal: bool = False,
) -> Row:
    """Run both once to warm up, then in turns, and return the ratio of the medians."""
    ours()
    peer()
    our_times, peer_times = [], []
    for _ in range(runs):
        our_times.append(seconds_of(ours))
        peer_times.append(seconds_of(peer))
    return Row(name, median_of(our_times) / median_of(peer_times), bound, is_goal)


def print_rows(rows: Iterable[Row]) -> int:
    """Print a line for each row; return 1 if a bound is broken, else 0, as an exit code."""
    missed = False
    for row in rows:
        mark = "ok" if row.holds else "goal not reached" if row.is_goal else "TOO SLOW"
        print(f"{row.name:<58} {row.ratio:6.2f}x  (at most {row.bound:.2f}x)  {mark}", flush=True)
        missed = missed or not (row.holds or row.is_goal)
    return int(missed)
