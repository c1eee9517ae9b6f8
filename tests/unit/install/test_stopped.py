"""All or none, wherever it ends: upgrade and uninstall are stopped before each file-system call in turn."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support_install import stopped

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork a process")


def _problems(mode: str, folder: Path, world: str) -> list[str]:
    with stopped("every", mode, folder, world) as process:
        calls, *problems = process.communicate()[0].splitlines()
    assert process.returncode == 0
    assert int(calls) > 50, "the calls are no longer seen"
    return problems


@pytest.mark.parametrize("world", ["upgrade", "fresh", "uninstall"])
def test_after_a_kill_each_file_is_whole_and_the_next_run_makes_it_all_or_none(
    tmp_path: Path, world: str
) -> None:
    assert _problems("kill", tmp_path, world) == []


@pytest.mark.parametrize("world", ["upgrade", "fresh", "uninstall"])
def test_the_run_that_recovers_may_be_killed_as_well(tmp_path: Path, world: str) -> None:
    assert _problems("kill-recovery", tmp_path, world) == []


@pytest.mark.parametrize(
    ("mode", "world"),
    [
        ("interrupt", "upgrade"),
        ("interrupt", "fresh"),
        ("interrupt", "uninstall"),
        ("cancel", "upgrade"),
        ("disk-full", "upgrade"),
        ("disk-full", "fresh"),
        ("disk-full", "uninstall"),
    ],
)
def test_a_signal_or_an_error_leaves_all_or_none_and_nothing_else(
    tmp_path: Path, mode: str, world: str
) -> None:
    assert _problems(mode, tmp_path, world) == []
