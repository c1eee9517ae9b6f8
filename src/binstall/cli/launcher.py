"""Which `cargo-binstall` does `cargo binstall` start? Said once, where it is not ours."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from binstall.cli.request import Surroundings
from binstall.registry.cargo_home import find_cargo_home

_NAME = "cargo-binstall"
_MARK = Path("binstall") / "other-launcher-told"


def other_launcher_note(around: Surroundings, *, remember: bool) -> str | None:
    """Return the words about a foreign `cargo-binstall` that cargo would start, or None.

    Said once for each such program: its path is kept below cargo's home, if `remember`.
    """
    cargo_home = find_cargo_home(around.environment, around.home, around.working_directory)
    first = shutil.which(_NAME, path=os.pathsep.join(_searched(around, cargo_home)))
    if first is None or any(_same(Path(first), ours) for ours in _ours()):
        return None
    mark = cargo_home / _MARK if cargo_home is not None else None
    if mark is not None and _read(mark) == first:
        return None
    if remember and mark is not None:
        _write(mark, first)
    return f"`cargo binstall` starts {first}, which is not part of this binstall"


def _searched(around: Surroundings, cargo_home: Path | None) -> Iterator[str]:
    """Yield the folders that cargo looks for sub-commands in: its own `bin` first, unless PATH has it."""
    folders = [folder for folder in around.environment.get("PATH", "").split(os.pathsep) if folder]
    if cargo_home is not None and str(cargo_home / "bin") not in folders:
        yield str(cargo_home / "bin")
    yield from folders


def _ours() -> Iterator[Path]:
    suffix = ".exe" if os.name == "nt" else ""
    yield Path(sysconfig.get_path("scripts")) / f"{_NAME}{suffix}"
    yield Path(sys.argv[0]).parent / f"{_NAME}{suffix}"


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError):
        return None


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError:
        return  # then it is said again: a note is no reason to fail an install
