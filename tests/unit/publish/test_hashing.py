"""Digests of many files at once, and of none that changes under the reader."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from binstall.errors import LocalIOError, UsageError
from binstall.publish.hashing import Hashed, hash_file, hash_files, usable_cores

PIECE = 256 * 1024


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 17])
def test_the_digest_is_blake2b_of_every_byte(size: int, tmp_path: Path) -> None:
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    hashed = hash_file(tmp_path / "file")
    assert (hashed.blake2b, hashed.size) == (hashlib.blake2b(content).digest(), size)
    assert hashed.still_the_same()


@pytest.mark.parametrize("threads", [0, 1, 2, 7])
def test_every_file_has_its_own_result_in_the_order_given(threads: int, tmp_path: Path) -> None:
    paths = []
    for number in range(9):
        path = tmp_path / str(number)
        path.write_bytes(bytes([number]) * (number * 70_000))
        paths.append(path)
    paths.insert(4, tmp_path / "absent")
    paths.insert(6, tmp_path)
    results = hash_files(paths, threads=threads)
    assert [type(result) for result in results] == [
        *[Hashed] * 4,
        LocalIOError,
        Hashed,
        UsageError,
        *[Hashed] * 4,
    ]
    for path, result in zip(paths, results, strict=True):
        if isinstance(result, Hashed):
            assert (result.path, result.blake2b) == (path, hashlib.blake2b(path.read_bytes()).digest())


def test_no_file_at_all_is_no_result() -> None:
    assert hash_files([]) == []
    assert usable_cores() >= 1


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(4 * PIECE))
    ticks = 0

    def tick(seen: Path, size: int) -> None:
        nonlocal ticks
        ticks += size
        if ticks == PIECE:
            with seen.open("ab") as file:
                file.write(b"more")

    with pytest.raises(LocalIOError, match="changed while it was read"):
        hash_file(path, tick=tick)


def test_a_file_that_was_replaced_is_another_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    hashed = hash_file(path)
    (tmp_path / "new").write_bytes(b"two")
    (tmp_path / "new").replace(path)
    assert not hashed.still_the_same()
    path.unlink()
    assert not hashed.still_the_same()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes in folders")
def test_a_pipe_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="not a regular file"):
        hash_file(tmp_path / "pipe")


def test_a_zero_byte_in_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="zero byte"):
        hash_file(tmp_path / "a\0b")


def test_an_error_in_a_thread_ends_the_others_and_comes_out(tmp_path: Path) -> None:
    paths = []
    for number in range(4):
        path = tmp_path / str(number)
        path.write_bytes(bytes(64 * PIECE))
        paths.append(path)
    seen = 0

    def tick(path: Path, size: int) -> None:
        nonlocal seen
        seen += 1
        if path.name == "2":
            raise RuntimeError("a listener at fault")
        time.sleep(0.002)

    with pytest.raises(RuntimeError, match="at fault"):
        hash_files(paths, threads=4, tick=tick)
    assert seen < 4 * 64
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("hash-")]
