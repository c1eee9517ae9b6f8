"""The vectors of `tests/vectors/signatures/`, for every test of keys and signatures."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from binstall.artifact import Download

FOLDER = Path(__file__).parent / "vectors" / "signatures"
VECTORS: list[dict[str, Any]] = json.loads((FOLDER / "vectors.json").read_text(encoding="ascii"))

needs_minisign = pytest.mark.skipif(shutil.which("minisign") is None, reason="minisign is not on PATH")


def vectors(kind: str) -> list[Any]:
    """Return the vectors of a kind as pytest parameters named by their ids."""
    return [pytest.param(vector, id=vector["id"]) for vector in VECTORS if vector["kind"] == kind]


def vector(name: str) -> dict[str, Any]:
    """Return the vector of that id."""
    return next(vector for vector in VECTORS if vector["id"] == name)


def read(name: str) -> bytes:
    """Return the bytes of a vector's file."""
    return (FOLDER / name).read_bytes()


def downloaded(data: bytes) -> Download:
    """Return `data` as a download that nobody has judged."""
    return Download(url="https://example.com/file", file=io.BytesIO(data), size=len(data))


def minisign(*arguments: str | Path, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run the real minisign, with `typed` on its standard input."""
    return subprocess.run(
        ["minisign", *arguments],
        input=typed,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
