"""Secret keys and age: vectors, the real tools, and `binstall` run as a user runs it, also on a terminal."""

from __future__ import annotations

import importlib.util
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from binstall.publish.secrets import Secret
from binstall.signing.minisign_keys import ScryptCost

FOLDER = Path(__file__).parent / "vectors" / "age"
VECTORS: list[dict[str, Any]] = json.loads((FOLDER / "vectors.json").read_text(encoding="ascii"))
CHEAP = ScryptCost(opslimit=32768, memlimit=1 << 20)
"""Work for a password that takes no time."""

needs_pyrage = pytest.mark.skipif(
    importlib.util.find_spec("pyrage") is None, reason="pyrage, the extra [age], is not installed"
)
needs_age = pytest.mark.skipif(shutil.which("age") is None, reason="age is not on PATH")
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="modes and terminals as POSIX has them")
age_tools = [
    pytest.param(
        tool, marks=pytest.mark.skipif(shutil.which(tool) is None, reason=f"{tool} is not on PATH")
    )
    for tool in ("age", "rage")
]


def age_vectors() -> list[Any]:
    """Return the age vectors as pytest parameters named by their ids."""
    return [pytest.param(vector, id=vector["id"]) for vector in VECTORS]


def read(name: str) -> bytes:
    """Return the bytes of a vector's file."""
    return (FOLDER / name).read_bytes()


def secret(data: bytes | str) -> Secret:
    """Return `data` as a secret."""
    return Secret(bytearray(data.encode() if isinstance(data, str) else data))


def run_tool(*arguments: str | Path, data: bytes = b"") -> bytes:
    """Run a real tool, which has to succeed; return its standard output."""
    done = subprocess.run(
        list(map(str, arguments)), input=data, capture_output=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a run."""

    code: int
    out: str
    err: str
    terminal: str = ""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with a home folder, and no secrets in the environment."""

    home: Path

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Return the whole environment of a run."""
        kept = {
            name: os.environ[name]
            for name in ("PATH", "PYTHONPATH", "SYSTEMROOT", "TMPDIR")
            if name in os.environ
        }
        home = {"HOME": str(self.home), "USERPROFILE": str(self.home), "APPDATA": str(self.home)}
        return {**kept, **home, "PYTHONUTF8": "1", "BINSTALL_TRACEBACK": "1", **variables}

    def run(
        self,
        *arguments: str | Path,
        variables: Mapping[str, str] | None = None,
        data: bytes = b"",
        pass_fds: Sequence[int] = (),
        text: bool = True,
    ) -> Ran:
        """Run `binstall` in the home folder, without a terminal."""
        done = subprocess.run(
            [sys.executable, "-m", "binstall", *map(str, arguments)],
            input=data,
            capture_output=True,
            cwd=self.home,
            env=self.environment(variables or {}),
            pass_fds=pass_fds,
            start_new_session=True,
            check=False,
            timeout=120,
        )
        encoding = "utf-8" if text else "latin-1"
        return Ran(done.returncode, done.stdout.decode(encoding), done.stderr.decode("utf-8"))

    def type_in(
        self,
        arguments: Sequence[str | Path],
        answers: Sequence[str | bytes],
        *,
        program: Sequence[str] = (),
    ) -> Ran:
        """Run `binstall`, or `program`, on a terminal of its own; type an answer after each question.

        Standard input is no terminal. An answer without line end is sent as it is: a control character.
        """
        import pty

        command = list(program) or [sys.executable, "-m", "binstall"]
        master, slave = pty.openpty()
        try:
            child = subprocess.Popen(
                [sys.executable, "-c", _ON_TERMINAL, os.ttyname(slave), *command, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self.home,
                env=self.environment({}),
                start_new_session=True,
            )
            shown = ""
            for answer in answers:
                asked, end = shown.count(": "), time.monotonic() + 60
                while shown.count(": ") == asked and child.poll() is None and time.monotonic() < end:
                    shown += _read_some(master, seconds=0.2)
                os.write(master, answer if isinstance(answer, bytes) else answer.encode())
            out, err = child.communicate(timeout=120)
            shown += _read_some(master, seconds=0.1)
        finally:
            os.close(slave)
            os.close(master)
        return Ran(child.returncode, out.decode(), err.decode(), shown)


_ON_TERMINAL = """
import fcntl, os, shutil, sys, termios
terminal = os.open(sys.argv[1], os.O_RDWR)
fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
os.execv(shutil.which(sys.argv[2]) or sys.argv[2], sys.argv[2:])
"""


def _read_some(master: int, seconds: float) -> str:
    if not select.select([master], [], [], seconds)[0]:
        return ""
    try:
        return os.read(master, 65536).decode(errors="replace")
    except OSError:  # nobody has the other end any more
        return ""
