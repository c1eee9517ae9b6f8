"""`gh` for scenario tests: what workflows ask of it, answered from the folder GH_STATE. A program of its own.

    releases/TAG/          the assets; `.draft` beside them while it is a draft
    artifacts/RUN/NAME/    the artifacts of a run

GH_TOKEN lists what the job may do, as `contents:write actions:write`. Whatever is not known here is an error.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

STATE = Path(os.environ["GH_STATE"])


def may(permission: str) -> None:
    """End with the error of a token that may not."""
    if permission not in os.environ["GH_TOKEN"].split():
        sys.exit(f"HTTP 403: Resource not accessible by integration, needs {permission}")


def release(words: list[str]) -> None:
    """`gh release view|create|edit|upload TAG …`."""
    assert os.environ["GH_REPO"] == os.environ["GITHUB_REPOSITORY"]
    what, tag, *options = words
    place = STATE / "releases" / tag
    may("contents:write")  # drafts are for writers only
    if what == "create":
        assert "--draft" in options
        assert "--verify-tag" in options
        if place.exists():
            sys.exit("a release with the same tag name already exists")
        place.mkdir(parents=True)
        (place / ".draft").touch()
        return
    if not place.exists():
        sys.exit("release not found")
    if what == "edit":
        (option,) = options
        (place / ".draft").unlink(missing_ok=True)
        if {"--draft=true": True, "--draft=false": False}[option]:
            (place / ".draft").touch()
    elif what == "upload":
        assert options.pop(0) == "--clobber"
        for name in options:
            shutil.copyfile(name, place / Path(name).name)
    else:
        assert what == "view", what


def api(words: list[str]) -> None:
    """List the artifacts of a run by name, as `--jq .artifacts[].id`; or delete one by its id."""
    may("actions:write")
    artifacts = sorted((STATE / "artifacts").glob("*/*"))
    prefix = f"repos/{os.environ['GITHUB_REPOSITORY']}/actions"
    if words[:2] == ["--method", "DELETE"]:
        number = int(words[2].removeprefix(f"{prefix}/artifacts/"))
        shutil.rmtree(next(path for path in artifacts if path.stat().st_ino == number))
        return
    path, *options = words
    assert options == ["--jq", ".artifacts[].id"]
    found = re.fullmatch(re.escape(prefix) + r"/runs/(\d+)/artifacts\?name=([a-z-]+)", path)
    assert found is not None, path
    for artifact in artifacts:
        if (artifact.parent.name, artifact.name) == found.groups():
            print(artifact.stat().st_ino)


if __name__ == "__main__":
    {"release": release, "api": api}[sys.argv[1]](sys.argv[2:])
