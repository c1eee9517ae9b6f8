"""Will it start here? Asked of every program before it is placed.

A package for a target may still hold a program that this machine cannot start: built for another processor,
against a newer glibc, or with a loader that is not here. Then the next target's package is looked for, which
often is the static one. What cannot be told (an unknown header) is a warning, never a refusal. A target that
is not among this machine's own was asked for by name: its programs are for elsewhere, and only their processor
is compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from binstall.errors import InstallError, LocalIOError
from binstall.formats.executable import Executable, GlibcVersion, read_executable
from binstall.formats.target import TargetTriple

_FAMILIES: Final = (
    (re.compile(r"(arm(?!64)|thumb).*"), "arm"),
    (re.compile(r"i[3-6]86"), "x86"),
    (re.compile(r"x86_64h?"), "x86_64"),
    (re.compile(r"(aarch64|arm64)(?!_be).*"), "aarch64"),
    (re.compile(r"riscv(32|64).*"), r"riscv\1"),
)


class NotRunnable(InstallError):
    """The program in a package cannot start on this machine; another target's may."""

    hint = "name a target whose programs start here, such as one that ends in -musl, with --targets"


@dataclass(frozen=True, slots=True)
class RunsHere:
    """What this machine can start."""

    targets: frozenset[str]
    """Its own target triples."""
    glibc: GlibcVersion | None
    """None where the version is not known, or there is none."""
    exists: Callable[[Path], bool] = Path.exists


def check_runnable(staged: Path, name: str, target: TargetTriple, here: RunsHere) -> str | None:
    """Return a warning about the program `name`, or None.

    Raises:
        NotRunnable: it cannot start.
        LocalIOError: the staged file cannot be read.
    """
    try:
        with staged.open("rb") as file:
            program = read_executable(file)
    except OSError as error:
        raise LocalIOError(f"cannot read {staged}: {error.strerror or error}") from error
    problem = problem_with(program, target, here)
    if problem is not None:
        raise NotRunnable(f"`{name}` for {target.text} cannot start here: {problem}")
    if program.kind == "unknown":
        return f"`{name}` has no program header that is known; whether it starts is not known"
    return None


def problem_with(program: Executable, target: TargetTriple, here: RunsHere) -> str | None:
    """Return why `program`, from a package for `target`, cannot start, as half a sentence; else None."""
    wanted = "any" if target.arch == "universal" else _family(target.arch)
    found = {_family(each) for each in program.architectures}
    if found and wanted != "any" and wanted not in found:
        return f"it is for {', '.join(sorted(program.architectures))}, not for {target.arch}"
    if target.text not in here.targets:
        return None
    if program.kind == "script" and program.interpreter is not None and target.cfg_family == "unix":
        if not here.exists(Path(program.interpreter)):
            return f"its interpreter {program.interpreter} is not on this machine"
    elif program.kind == "ELF" and program.interpreter is not None:
        if not here.exists(Path(program.interpreter)):
            return f"its loader {program.interpreter} is not on this machine"
        if program.glibc is not None and here.glibc is not None and program.glibc > here.glibc:
            return f"it needs glibc {_dotted(program.glibc)}, and this machine has {_dotted(here.glibc)}"
    return None


def _family(arch: str) -> str:
    for pattern, family in _FAMILIES:
        if pattern.fullmatch(arch):
            return pattern.sub(family, arch)
    return arch


def _dotted(version: GlibcVersion) -> str:
    return ".".join(str(part) for part in version)
