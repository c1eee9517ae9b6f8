from __future__ import annotations

from pathlib import Path

import pytest

from binstall.formats.executable import Executable
from binstall.formats.target import parse_target
from binstall.install.runnable import NotRunnable, RunsHere, check_runnable, problem_with

GNU = "x86_64-unknown-linux-gnu"
LOADER = "/lib64/ld-linux-x86-64.so.2"
HERE = RunsHere(frozenset({GNU}), (2, 36), exists=lambda path: str(path) in {LOADER, "/bin/sh"})


@pytest.mark.parametrize(
    ("program", "target", "problem"),
    [
        (Executable("ELF", frozenset({"x86_64"}), LOADER, (2, 36)), GNU, None),
        (Executable("ELF", frozenset({"x86_64"}), LOADER, (2, 9)), GNU, None),
        (Executable("ELF", frozenset({"x86_64"}), LOADER, (2, 38)), GNU, "glibc 2.38, and this machine has 2.36"),
        (Executable("ELF", frozenset({"x86_64"}), "/lib/ld-musl-x86_64.so.1"), GNU, "loader /lib/ld-musl"),
        (Executable("ELF", frozenset({"aarch64"})), GNU, "for aarch64, not for x86_64"),
        (Executable("ELF", frozenset({"armv7"})), "arm-unknown-linux-gnueabihf", None),
        (Executable("ELF", frozenset({"i686"})), "i586-unknown-linux-gnu", None),
        (Executable("ELF", frozenset({"x86_64"})), "x86_64h-apple-darwin", None),
        (Executable("Mach-O", frozenset({"aarch64"})), "universal-apple-darwin", None),
        (Executable("Mach-O", frozenset({"aarch64"})), "x86_64-apple-darwin", "for aarch64"),
        (Executable("script", interpreter="/bin/sh"), GNU, None),
        (Executable("script", interpreter="/usr/bin/fish"), GNU, "interpreter /usr/bin/fish"),
        (Executable("script", interpreter="/usr/bin/fish"), "x86_64-unknown-linux-musl", None),
        (Executable("ELF", frozenset({"x86_64"}), "/nowhere", (9, 9)), "x86_64-unknown-freebsd", None),
        (Executable("unknown"), GNU, None),
    ],
)  # fmt: skip
def test_what_cannot_start_here_is_told_and_nothing_else(
    program: Executable, target: str, problem: str | None
) -> None:
    found = problem_with(program, parse_target(target), HERE)
    assert (found is None) == (problem is None)
    assert problem is None or problem in (found or "")


def test_a_staged_program_is_judged_by_its_file(tmp_path: Path) -> None:
    staged = tmp_path / "0"
    staged.write_bytes(b"#!/nowhere/sh\n")
    with pytest.raises(NotRunnable, match="`hello` for x86_64-unknown-linux-gnu cannot start here"):
        check_runnable(staged, "hello", parse_target(GNU), HERE)
    staged.write_bytes(b"no program")
    assert "not known" in (check_runnable(staged, "hello", parse_target(GNU), HERE) or "")
    staged.write_bytes(b"#!/bin/sh\n")
    assert check_runnable(staged, "hello", parse_target(GNU), HERE) is None
