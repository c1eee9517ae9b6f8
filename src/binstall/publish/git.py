"""What git says about a folder, asked of the program, in an environment in which nothing redirects it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_TIMEOUT_SECONDS: Final = 60.0
_COMMIT = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?\n\Z")


def ask_git(folder: Path, environment: Mapping[str, str], *words: str) -> bytes | None:
    """Return what `git WORDS` prints in `folder`; None without git, outside of a repository, or if it fails.

    `environment` is what git and what it starts inherit, save the variables that would make git look at
    another repository or run a program.
    """
    import shutil
    import subprocess

    git = shutil.which("git", path=environment.get("PATH"))
    if git is None:
        return None
    kept = {name: value for name, value in environment.items() if not name.startswith("GIT_")}
    try:
        answer = subprocess.run(  # noqa: S603 - a list, and git is the user's own
            [git, "-c", "core.fsmonitor=false", *words],
            cwd=folder,
            env=kept,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout if answer.returncode == 0 else None


def commit_of(folder: Path, environment: Mapping[str, str]) -> str | None:
    """Return the commit that is checked out in `folder`, 40 or 64 hex digits; None where there is none."""
    answer = ask_git(folder, environment, "rev-parse", "--verify", "HEAD")
    return answer.decode().strip() if answer is not None and _COMMIT.match(answer) else None
