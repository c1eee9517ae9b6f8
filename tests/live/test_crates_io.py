"""Asks the real crates.io, through cargo's own configuration; `scripts/test --live tests/live` runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.live
def test_a_dry_run_of_cargo_binstall_finds_its_manifest_and_its_key(tmp_path: Path) -> None:
    words = ["install", "--dry-run", "-v", "-y", "--root", str(tmp_path / "root"), "cargo-binstall"]
    done = subprocess.run(
        [sys.executable, "-m", "binstall", *words],
        env=dict(os.environ),
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode in {0, 68}, said
    assert "cargo-binstall" in said
    assert "SHA-256" in said
    assert "https://github.com/cargo-bins/cargo-binstall/releases/download/v" in said
    if done.returncode == 0:
        assert "signed by its publisher with minisign key" in said
    assert not (tmp_path / "root").exists()
