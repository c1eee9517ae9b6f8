"""Crates looked for at once, and told in order."""

from __future__ import annotations

import threading

import pytest

from binstall.cli.batch import Crew, Turns
from binstall.errors import Cancelled, LocalIOError
from binstall.progress import Silent


class _Notes(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def stage(self, words: str) -> None:
        self.said.append(words)

    warn = detail = stage


def test_results_and_words_come_in_the_order_of_the_items_whoever_is_first() -> None:
    notes = _Notes()
    turns = Turns(notes)
    done = {name: threading.Event() for name in "abc"}

    def work(name: str) -> str:
        turns.stage(f"{name} 1")
        if name != "c":
            assert done[chr(ord(name) + 1)].wait(10)
        turns.warn(f"{name} 2")
        done[name].set()
        return name.upper()

    with Crew("abc", turns, at_once=3, interrupt=lambda: None) as crew:
        results = [(item, result()) for item, result in crew.results(work)]
    assert results == [("a", "A"), ("b", "B"), ("c", "C")]
    assert notes.said == ["a 1", "a 2", "b 1", "b 2", "c 1", "c 2"]


def test_an_error_is_raised_where_its_result_is_asked_for() -> None:
    def work(name: str) -> str:
        if name == "b":
            raise LocalIOError("no room")
        return name

    with Crew("abc", Turns(Silent()), at_once=3, interrupt=lambda: None) as crew:
        calls = dict(crew.results(work))
        assert calls["a"]() == "a"
        with pytest.raises(LocalIOError):
            calls["b"]()
        assert calls["c"]() == "c"


def test_leaving_early_interrupts_waits_for_the_threads_and_begins_nothing_more() -> None:
    ended, interrupted, begun = [], threading.Event(), threading.Barrier(3)

    def work(name: str) -> str:
        begun.wait(10)
        interrupted.wait(10)
        ended.append(name)
        raise Cancelled("stopped")

    def run() -> None:
        with Crew("abcd", Turns(Silent()), at_once=2, interrupt=interrupted.set) as crew:
            for _ in crew.results(work):
                begun.wait(10)
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert sorted(ended) == ["a", "b"]


def test_one_item_is_worked_on_in_the_thread_that_asks() -> None:
    with Crew(["a"], Turns(Silent()), at_once=3, interrupt=lambda: None) as crew:
        ((_, result),) = crew.results(lambda _: threading.current_thread())
        assert result() is threading.current_thread()
