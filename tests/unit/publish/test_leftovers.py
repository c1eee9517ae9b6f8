"""What a killed run has left is taken away by the next one, and nothing else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from binstall.publish.leftovers import hidden_name, hold, remove_leftovers
from binstall.publish.new_files import PUBLIC_MODE, NewFile, write_files, write_new
from support_keys import posix_only

pytestmark = posix_only


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@pytest.mark.parametrize("event", ["os.link", "os.rename", "binstall.write", "binstall.fsync"])
@pytest.mark.parametrize("unnamed", [True, False], ids=["unnamed", "named"])
def test_after_a_kill_at_any_moment_the_next_run_leaves_its_files_and_nothing_else(
    tmp_path: Path, event: str, unnamed: bool
) -> None:
    (tmp_path / "Cargo.toml").write_bytes(b"old")
    program = f"""
import os, signal, sys
import binstall.publish.new_files as new_files
from pathlib import Path
if not {unnamed}:
    new_files._UNNAMED = 0
def watch(name, arguments):
    if name == {event!r}:
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
new_files.write_files([
    new_files.NewFile(Path({str(tmp_path)!r}, each), b"half", replace=True) for each in ("Cargo.toml", "a.sig")
])
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    happens = unnamed or event != "os.link"  # a name that is there needs none
    assert done.returncode == (-signal.SIGKILL if happens else 0), done.stderr
    write_files([NewFile(tmp_path / name, b"new", PUBLIC_MODE, True) for name in ("Cargo.toml", "a.sig")])
    assert names(tmp_path) == ["Cargo.toml", "a.sig"]
    assert (tmp_path / "Cargo.toml").read_bytes() == b"new"


def test_a_file_that_somebody_is_writing_and_files_of_other_names_stay(tmp_path: Path) -> None:
    written = hidden_name(tmp_path / "key")
    others = [
        hidden_name(tmp_path / "other"),
        tmp_path / ".tmp-key",
        tmp_path / ".tmp-0123456789AB-key",
        tmp_path / "x.tmp-0123456789ab-key",
    ]
    left = hidden_name(tmp_path / "key")
    for path in (*others, left):
        path.write_bytes(b"data")
    with written.open("wb") as file:
        hold(file.fileno())
        write_new(tmp_path / "key", b"data")
        assert names(tmp_path) == sorted(path.name for path in (*others, written, tmp_path / "key"))
    remove_leftovers([tmp_path / "key"])
    assert names(tmp_path) == sorted(path.name for path in (*others, tmp_path / "key"))


def test_a_link_or_a_pipe_of_that_name_is_nothing_of_ours(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"data")
    link, pipe = hidden_name(tmp_path / "key"), hidden_name(tmp_path / "key")
    link.symlink_to("precious")
    os.mkfifo(pipe)
    remove_leftovers([tmp_path / "key", tmp_path / "nowhere" / "key"])
    assert (tmp_path / "precious").read_bytes() == b"data"
    assert link.is_symlink()


def test_a_long_name_is_cut_for_both(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250)
    left = hidden_name(path)
    left.write_bytes(b"data")
    write_new(path, b"data")
    assert names(tmp_path) == [path.name]
