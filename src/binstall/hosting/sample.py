"""A small program to package and run where nothing but Python is installed.

For Unix targets it is a script for `/bin/sh`. Windows runs only real executables, and we ship none:
there it is the launcher that pip puts in front of console scripts, taken from pip beside this Python
or from the copy in the standard library's `ensurepip`, with a program for this very Python in it. It
runs on this machine, then, and is nothing to publish.
"""

from __future__ import annotations

import shlex
import sys
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Final

from binstall.errors import BinstallError
from binstall.formats.target import TargetTriple

_LAUNCHERS: Final = {"x86_64": "t64.exe", "aarch64": "t64-arm.exe", "i686": "t32.exe"}
_LAUNCHER_FOLDER: Final = "pip/_vendor/distlib/"


def sample_binary(version: str, target: TargetTriple, *, name: str = "hello") -> bytes:
    """Return a program for `target` that prints `NAME VERSION` and exits with 0.

    Raises BinstallError for a Windows target where no launcher for it is beside this Python.
    """
    if target.cfg_family != "windows":
        return f"#!/bin/sh\nprintf '%s\\n' {shlex.quote(f'{name} {version}')}\n".encode()
    program = BytesIO()
    with zipfile.ZipFile(program, "w") as archive:
        entry = zipfile.ZipInfo("__main__.py", date_time=(1980, 1, 1, 0, 0, 0))
        archive.writestr(entry, f"print({f'{name} {version}'!a})\n")
    # The launcher's format: itself, one line that names the interpreter, a zip with the program.
    return _launcher(target) + f'#!"{sys.executable}"\r\n'.encode() + program.getvalue()


def _launcher(target: TargetTriple) -> bytes:
    wanted = _LAUNCHERS.get(target.arch)
    if wanted is not None:
        for found in _found_launchers(_LAUNCHER_FOLDER + wanted):
            return found
    raise BinstallError(
        f"a sample program for {target.text} needs pip's launcher for it, and none is beside this Python",
        hint="install pip, or try another target",
    )


def _found_launchers(path: str) -> Iterator[bytes]:
    for folder in sys.path:
        beside = Path(folder) / path
        if beside.is_file():
            yield beside.read_bytes()
    module = find_spec("ensurepip")  # Debian leaves it out
    if module is None or module.origin is None:
        return
    for wheel in sorted((Path(module.origin).parent / "_bundled").glob("pip-*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            if path in archive.namelist():
                yield archive.read(path)
