"""Files are whole or not there: full disks, signals, and the end of the process at any moment."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import binstall.publish.new_files as new_files
from binstall.errors import LocalIOError
from binstall.publish.new_files import PUBLIC_MODE, FileExists, NewFile, write_files, write_new
from support_keys import posix_only

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="as Linux does it")


@pytest.fixture(params=["unnamed", "named"])
def staging(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Stage as on Linux, and as where files without name or hard links do not exist."""
    if request.param == "named":
        monkeypatch.setattr(new_files, "_UNNAMED", 0)
    elif not hasattr(os, "O_TMPFILE"):
        pytest.skip("no files without name here")
    return str(request.param)


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@posix_only
@pytest.mark.usefixtures("umask", "staging")
def test_a_secret_is_for_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    write_new(tmp_path / "key", b"data")
    write_new(tmp_path / "pub", b"data", PUBLIC_MODE)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "pub").stat().st_mode) == 0o666
    os.umask(0o027)
    write_new(tmp_path / "other", b"data", PUBLIC_MODE)
    assert stat.S_IMODE((tmp_path / "other").stat().st_mode) == 0o640


@pytest.mark.usefixtures("staging")
def test_nothing_that_exists_is_touched_without_leave(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"old")
    with pytest.raises(FileExists, match="exists already"):
        write_new(tmp_path / "key", b"new")
    with pytest.raises(FileExists):
        write_files([NewFile(tmp_path / "pub", b"new"), NewFile(tmp_path / "key", b"new")])
    assert (tmp_path / "key").read_bytes() == b"old"
    assert names(tmp_path) == ["key"]
    write_new(tmp_path / "key", b"new", force=True)
    assert (tmp_path / "key").read_bytes() == b"new"
    assert names(tmp_path) == ["key"]


@posix_only
@pytest.mark.usefixtures("staging")
def test_a_dangling_link_is_something_that_exists_and_a_link_is_replaced_not_followed(
    tmp_path: Path,
) -> None:
    (tmp_path / "key").symlink_to("elsewhere")
    with pytest.raises(FileExists):
        write_new(tmp_path / "key", b"new")
    (tmp_path / "elsewhere").write_bytes(b"other")
    write_new(tmp_path / "key", b"new", force=True)
    assert not (tmp_path / "key").is_symlink()
    assert (tmp_path / "elsewhere").read_bytes() == b"other"


@posix_only
@pytest.mark.usefixtures("staging")
def test_a_replaced_manifest_keeps_its_mode_and_a_replaced_secret_does_not(tmp_path: Path) -> None:
    for name in ("key", "Cargo.toml"):
        (tmp_path / name).write_bytes(b"old")
        (tmp_path / name).chmod(0o664)
    write_files([
        NewFile(tmp_path / "key", b"new", replace=True),
        NewFile(tmp_path / "Cargo.toml", b"new", PUBLIC_MODE, replace=True),
    ])  # fmt: skip
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "Cargo.toml").stat().st_mode) == 0o664


@pytest.mark.usefixtures("staging")
def test_a_file_that_comes_up_meanwhile_undoes_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.path.lexists
    monkeypatch.setattr(os.path, "lexists", lambda path: False)
    (tmp_path / "pub").write_bytes(b"old")
    with pytest.raises(FileExists):
        write_files([NewFile(tmp_path / "key", b"new"), NewFile(tmp_path / "pub", b"new")])
    monkeypatch.setattr(os.path, "lexists", real)
    assert names(tmp_path) == ["pub"]
    assert (tmp_path / "pub").read_bytes() == b"old"


def test_without_hard_links_the_name_is_taken_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(self: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(new_files, "_UNNAMED", 0)
    monkeypatch.setattr(Path, "hardlink_to", no_links)
    write_new(tmp_path / "key", b"data")
    assert (tmp_path / "key").read_bytes() == b"data"
    assert names(tmp_path) == ["key"]


@pytest.mark.usefixtures("staging")
def test_a_folder_that_is_missing_or_a_file_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "none" / "key", tmp_path / "file" / "key"):
        with pytest.raises(LocalIOError, match="cannot be written"):
            write_new(path, b"data")
    with pytest.raises(LocalIOError):
        write_new(tmp_path, b"data", force=True)


@linux_only
@pytest.mark.usefixtures("staging")
def test_a_read_only_folder_is_an_error_in_words(plain_user_folder: Path) -> None:
    folder = plain_user_folder / "folder"
    folder.mkdir(mode=0o500)
    with pytest.raises(LocalIOError, match="Permission denied"):
        write_new(folder / "key", b"data")


def in_child(code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _START + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


_START = """
import os, signal, sys
from pathlib import Path
from binstall.errors import LocalIOError
import binstall.publish.new_files as new_files
from binstall.publish.new_files import NewFile, write_files
folder = Path(sys.argv[1])
if sys.argv[2] == "named":
    new_files._UNNAMED = 0
files = [NewFile(folder / "key", b"K" * 5000, replace=True), NewFile(folder / "pub", b"P" * 5000, replace=True)]
"""


@linux_only
def test_a_disk_that_is_full_leaves_the_old_files(staging: str, tmp_path: Path) -> None:
    for name in ("key", "pub"):
        (tmp_path / name).write_bytes(b"old")
    code = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_files(files)
except LocalIOError as error:
    print(error)
"""
    done = in_child(code, tmp_path, staging)
    assert "cannot be written: File too large" in done.stdout, done
    assert names(tmp_path) == ["key", "pub"]
    assert (tmp_path / "key").read_bytes() == (tmp_path / "pub").read_bytes() == b"old"


@linux_only
@pytest.mark.parametrize("end", ["interrupt", "kill"])
def test_the_end_at_any_moment_leaves_each_file_old_or_new(staging: str, end: str, tmp_path: Path) -> None:
    """End the process before its first, second, … call to the file system, until one run is through."""
    code = """
moment, end = int(sys.argv[3]), sys.argv[4]
count = 0
def watch(event, arguments):
    global count
    if event in {"open", "os.link", "os.rename", "os.remove", "binstall.write", "binstall.fsync"}:
        if event == "open" and not str(arguments[0]).startswith(str(folder)):
            return
        count += 1
        if count == moment:
            os.kill(os.getpid(), signal.SIGINT if end == "interrupt" else signal.SIGKILL)
sys.addaudithook(watch)
try:
    write_files(files)
except KeyboardInterrupt:
    print("interrupted")
print("reached" if count >= moment else "through")
"""
    for moment in range(1, 60):
        folder = tmp_path / str(moment)
        folder.mkdir()
        for name in ("key", "pub"):
            (folder / name).write_bytes(b"old")
        done = in_child(code, folder, staging, str(moment), end)
        key, pub = (folder / "key").read_bytes(), (folder / "pub").read_bytes()
        assert key in {b"old", b"K" * 5000} and pub in {b"old", b"P" * 5000}
        left = [name for name in names(folder) if name not in {"key", "pub"}]
        if end == "interrupt":
            assert not left
            assert (key == b"old") is (pub == b"old"), "a pair stays a pair"
        elif staging == "unnamed":
            for name in left:  # on its way over an old file it has a name for a moment, and is whole
                assert (folder / name).read_bytes() in {b"K" * 5000, b"P" * 5000}
        if "through" in done.stdout:
            assert moment > 5
            return
    pytest.fail("the run never ended")


@linux_only
def test_a_process_that_nobody_may_look_at_makes_files_too(staging: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    code = """
import ctypes, resource
from binstall.publish.secrets import hold_secrets
if os.geteuid() == 0:
    os.chdir(folder)
    files = [NewFile(Path("key"), b"K"), NewFile(Path("pub"), b"P")]
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
with hold_secrets():
    write_files(files)
"""
    done = in_child(code, tmp_path, staging)
    assert done.returncode == 0, done
    assert names(tmp_path) == ["key", "pub"]


@linux_only
def test_even_a_killed_process_leaves_no_part_of_a_new_key(tmp_path: Path) -> None:
    if not hasattr(os, "O_TMPFILE"):
        pytest.skip("no files without name here")
    code = """
moment, count = int(sys.argv[3]), 0
def watch(event, arguments):
    global count
    if event in {"os.link", "binstall.write", "binstall.fsync"}:
        count += 1
        if count == moment:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
write_files([NewFile(folder / "key", b"K" * 5000)])
print("through")
"""
    for moment in range(1, 9):
        folder = tmp_path / str(moment)
        folder.mkdir()
        done = in_child(code, folder, "unnamed", str(moment))
        if "through" in done.stdout:
            assert (folder / "key").read_bytes() == b"K" * 5000
            assert moment > 3
            return
        assert names(folder) == []
    pytest.fail("the run never ended")
