"""Other programs of this machine, as we start them: which file, and in what environment.

A child inherits no secret of ours: tokens of registries and hosting services, what signs packages, and
the variables by which a CI job proves who it is. It finds them, if it needs them, where its own
configuration keeps them. Nor is a program ever taken from the working directory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_SECRETS: Final = re.compile(
    r"""
    (GITHUB|GH|GITLAB|CI_JOB|FORGEJO|GITEA|CODEBERG|BITBUCKET)(_ENTERPRISE)?_TOKEN
    | CI_JOB_JWT(_V[0-9]+)?
    | ACTIONS_(ID_TOKEN_REQUEST|RUNTIME)_(TOKEN|URL)
    | SIGSTORE_ID_TOKEN | COSIGN_PASSWORD
    | CARGO_REGISTRY_(TOKEN|SECRET_KEY)
    | CARGO_REGISTRIES_.*_(TOKEN|SECRET_KEY)
    | (BINSTALL|MINISIGN|AGE)_.*
    """,
    re.VERBOSE | re.IGNORECASE,
)


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of `environment` that a child may have: all but our secrets."""
    return {name: value for name, value in environment.items() if not _SECRETS.fullmatch(name)}


def find_program(name: str, environment: Mapping[str, str]) -> Path | None:
    """Return the program that PATH means by `name`, a bare name; None if there is none.

    Entries of PATH that are not absolute are passed over: they would mean the working directory.
    """
    endings = [""]
    if os.name == "nt":
        endings = ["", *environment.get("PATHEXT", ".COM;.EXE;.BAT;.CMD").split(";")]
    for folder in environment.get("PATH", os.defpath).split(os.pathsep):
        if not Path(folder).is_absolute():
            continue
        for ending in endings:
            path = Path(folder, name + ending)
            if path.is_file() and os.access(path, os.X_OK):
                return path
    return None
