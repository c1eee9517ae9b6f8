from __future__ import annotations

import os
from pathlib import Path

import pytest

from binstall.install.locks import claim, open_locked
from support_install import run_python


def test_a_lock_is_had_by_one(tmp_path: Path) -> None:
    first = claim(tmp_path / "lock")
    assert first is not None
    assert first.sure
    assert claim(tmp_path / "lock") is None
    first.close()
    first.close()
    second = claim(tmp_path / "lock")
    assert second is not None
    second.close()


def test_readers_share_and_writers_do_not(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.touch()
    readers = [open_locked(path, exclusive=False, create=False) for _ in range(2)]
    assert claim(path) is None
    for fd in readers:
        os.close(fd)
    writer = open_locked(path, exclusive=True, create=True)
    assert claim(path) is None
    os.close(writer)


def test_a_list_that_is_not_there_is_not_made_for_a_reader(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_locked(tmp_path / "list", exclusive=False, create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ("path.unlink()", "None lost"),
        ("path.unlink(); path.touch()", "None lost"),
        ("pass", "had and the file there"),
    ],
    ids=["removed", "replaced", "left alone"],
)
def test_a_lock_on_a_file_that_is_gone_is_no_lock(tmp_path: Path, change: str, outcome: str) -> None:
    # Whoever removes a dead folder may meet its new owner between the opening and the locking of the file.
    code = f"""
import os, sys
from pathlib import Path
from binstall.install.locks import claim, open_locked

path, changed = Path(sys.argv[1]), False

def interfere(event, args):
    global changed
    if event == "fcntl.flock" and not changed:
        changed = True
        {change}

sys.addaudithook(interfere)
claimed = claim(path)
print("None lost" if claimed is None else "had and the file there")
if claimed is not None:
    claimed.close()
changed = False
fd = open_locked(path, exclusive=True, create=True)
print(os.path.samestat(os.fstat(fd), path.stat()))
"""
    done = run_python(code, tmp_path / "lock")
    assert (done.stdout, done.stderr) == (f"{outcome}\nTrue\n", "")


@pytest.mark.parametrize("error", ["ENOLCK", "ENOTSUP"])
def test_without_locks_the_work_goes_on_and_nobody_is_taken_for_dead(tmp_path: Path, error: str) -> None:
    code = f"""
import errno, os, sys
from pathlib import Path
from support_install import *

def refuse(event, args):
    if event == "fcntl.flock":
        raise OSError(errno.{error}, "no locks here")

sys.addaudithook(refuse)
root = Path(sys.argv[1])
(root / "bin" / ".binstall-alive").mkdir(parents=True, mode=0o700)
install(root, "foo", "1.0.0", ["a"])
print(sorted(os.listdir(root / "bin")))
"""
    done = run_python(code, tmp_path)
    assert (done.stdout, done.stderr) == ("['.binstall-alive', 'a']\n", "")
