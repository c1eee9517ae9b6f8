from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import LocalIOError, TrackingError
from binstall.formats.tracking import TrackingBytes
from binstall.install.tracker import Tracker, is_cut, is_mixture
from binstall.limits import MAX_TRACKING_BYTES
from support_install import Heard, install, run_python, state, stopped

_TOML = b'[v1]\n"foo 1.0.0 (path+file:///foo)" = ["a"]\n'


def test_reading_a_root_that_is_not_there_finds_nothing_and_makes_nothing(tmp_path: Path) -> None:
    assert Tracker(tmp_path / "root").read().names() == []
    assert Tracker(tmp_path / "root").installed("foo") is None
    assert list(tmp_path.iterdir()) == []


def test_what_cargo_installed_is_known_without_a_record(tmp_path: Path) -> None:
    (tmp_path / ".crates.toml").write_bytes(_TOML)
    installed = Tracker(tmp_path).installed("foo")
    assert installed is not None
    assert (str(installed.version), installed.source) == ("1.0.0", "path+file:///foo")
    assert (installed.bins, installed.record) == (("a",), None)


def test_files_are_rewritten_in_place_since_cargo_locks_the_file_and_not_its_name(tmp_path: Path) -> None:
    install(tmp_path, "foo", "1.0.0", ["a"])
    tracker = Tracker(tmp_path)
    before = [path.stat().st_ino for path in (tracker.crates_toml, tracker.crates_v1)]
    install(tmp_path, "foo", "2.0.0", ["a", "b"])
    install(tmp_path, "bar", "2.0.0", ["c"])
    assert [path.stat().st_ino for path in (tracker.crates_toml, tracker.crates_v1)] == before


def test_a_tracking_file_that_is_a_link_is_written_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").write_bytes(_TOML)
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / ".crates.toml").symlink_to("../dotfiles")
    install(tmp_path / "root", "bar", "1.0.0", ["b"])
    assert (tmp_path / "root" / ".crates.toml").is_symlink()
    assert b"bar 1.0.0" in (tmp_path / "dotfiles").read_bytes()


def test_cargos_second_list_is_never_touched(tmp_path: Path) -> None:
    install(tmp_path, "foo", "1.0.0", ["a"])
    assert not (tmp_path / ".crates2.json").exists()
    (tmp_path / ".crates2.json").write_text("not even JSON")
    install(tmp_path, "foo", "2.0.0", ["a"])
    assert (tmp_path / ".crates2.json").read_text() == "not even JSON"


def test_a_lock_held_by_another_program_is_waited_for_and_told(tmp_path: Path) -> None:
    install(tmp_path, "foo", "1.0.0", ["a"])
    heard = Heard()
    worker = threading.Thread(
        target=install, args=(tmp_path, "bar", "1.0.0", ["b"]), kwargs={"progress": heard}
    )
    with Tracker(tmp_path).locked():
        worker.start()
        worker.join(0.3)
        assert worker.is_alive()
        assert not (tmp_path / "bin" / "b").exists()
    worker.join(20)
    assert not worker.is_alive()
    assert (tmp_path / "bin" / "b").exists()


def test_who_waits_for_the_lock_says_so(tmp_path: Path) -> None:
    heard = Heard()
    tracker, entered = Tracker(tmp_path), threading.Event()

    def wait() -> None:
        with tracker.locked(heard):
            entered.set()

    worker = threading.Thread(target=wait)
    with tracker.locked():
        worker.start()
        assert not entered.wait(0.3)
    assert entered.wait(20)
    worker.join()
    assert heard.warnings == [f"waiting for another program that holds the lock on {tracker.crates_v1}"]


def test_twenty_processes_on_one_root_lose_nothing(tmp_path: Path) -> None:
    processes = [
        stopped("install", tmp_path, f"crate-{number}", "1.0.0", f"one-{number}", f"two-{number}")
        for number in range(16)
    ]
    processes += [
        stopped("install", tmp_path, "shared", f"1.0.{number}", "shared", f"only-{number}")
        for number in range(4)
    ]
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0] * 20
    now = state(tmp_path)
    assert sorted(now.versions) == sorted(["shared", *(f"crate-{number}" for number in range(16))])
    assert sorted(name for names in now.packages.values() for name in names) == sorted(now.files)
    assert len(now.packages) == 17
    assert len(now.files) == 34
    last = now.versions["shared"].removeprefix("1.0.")
    assert now.files["shared"] == f"shared of shared 1.0.{last}\n".encode()
    assert f"only-{last}" in now.files


def test_a_signal_ends_the_waiting(tmp_path: Path) -> None:
    code = """
import signal, sys
from pathlib import Path
from support_install import *

def cancel(number, frame):
    raise KeyboardInterrupt

with Tracker(Path(sys.argv[1])).locked():
    signal.signal(signal.SIGALRM, cancel)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        install(Path(sys.argv[1]), "foo", "1.0.0", ["a"])
    except KeyboardInterrupt:
        print("interrupted")
"""
    done = run_python(code, tmp_path)
    assert (done.stdout, done.stderr) == ("interrupted\n", "")
    assert not (tmp_path / "bin").exists()


@pytest.mark.parametrize("name", [".crates.toml", "binstall/crates-v1.json"])
def test_a_pipe_in_place_of_a_list_does_not_hang(tmp_path: Path, name: str) -> None:
    (tmp_path / "binstall").mkdir()
    os.mkfifo(tmp_path / name)
    with pytest.raises(TrackingError, match="is not a regular file"):
        Tracker(tmp_path).read()


def test_a_list_beyond_the_bound_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / ".crates.toml").open("wb") as file:
        file.truncate(MAX_TRACKING_BYTES + 1)
    with pytest.raises(TrackingError, match="MAX_TRACKING_BYTES"):
        Tracker(tmp_path).read()


@pytest.mark.parametrize("name", [".crates.toml", "binstall"])
def test_a_folder_or_file_in_place_of_the_lists_is_an_error_that_names_it(
    tmp_path: Path, name: str
) -> None:
    if name == "binstall":
        (tmp_path / name).touch()
    else:
        (tmp_path / name).mkdir()
    with pytest.raises((LocalIOError, TrackingError), match=name):
        install(tmp_path, "foo", "1.0.0", ["a"])
    assert not (tmp_path / "bin").exists()


_long = st.builds(lambda unit, count: unit * count, st.binary(min_size=1, max_size=9), st.integers(0, 300))


@settings(max_examples=1000, deadline=None)
@given(before=_long, after=_long, sectors=st.integers(0, 9), forth=st.booleans())
def test_a_write_that_ended_with_a_sector_is_known_as_cut(
    before: bytes, after: bytes, sectors: int, forth: bool
) -> None:
    old, new = (before, after) if forth else (after, before)
    now = new.ljust(len(old), b"\n")[: sectors * 512] + old[sectors * 512 :]
    assert is_cut(now, before=before, after=after)
    assert is_mixture(now, before=before, after=after)
    assert is_cut(before, before=before, after=after)
    assert is_cut(after, before=before, after=after)


@settings(max_examples=1000, deadline=None)
@given(before=st.binary(max_size=12), after=st.binary(min_size=1, max_size=12), data=st.data())
def test_a_write_that_ended_anywhere_is_a_mixture(before: bytes, after: bytes, data: st.DataObject) -> None:
    length = data.draw(st.integers(0, max(len(before), len(after))))
    assert is_mixture(
        after.ljust(len(before), b"\n")[:length] + before[length:], before=before, after=after
    )


def test_what_others_write_is_not_taken_for_a_cut() -> None:
    before, after = b'[v1]\nfoo = "1.1.0"\n', b'[v1]\nfoo = "2.0.0"\n'
    theirs = b'[v1]\nfoo = "2.1.0"\n'
    assert not is_cut(theirs, before=before, after=after)
    assert is_mixture(theirs, before=before, after=after)
    for other in (theirs.replace(b"2", b"3"), theirs + b"x"):
        assert not is_mixture(other, before=before, after=after)


def test_locked_files_are_read_as_they_are(tmp_path: Path) -> None:
    (tmp_path / ".crates.toml").write_bytes(_TOML)
    with Tracker(tmp_path).locked() as locked:
        assert locked.read() == TrackingBytes(_TOML, b"")
        locked.rewrite(TrackingBytes(b"[v1]\n", b""))
        assert locked.read() == TrackingBytes(b"[v1]\n", b"")
        locked.rewrite(TrackingBytes(b"", b""))
    assert (tmp_path / ".crates.toml").read_bytes() == b""
