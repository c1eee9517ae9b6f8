from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from binstall.errors import LocalIOError
from binstall.install.recovery import recover
from binstall.install.staging import PREFIX, Staging
from support_install import install, leftovers, run_python, state


def test_the_folder_is_private_in_the_install_folder_and_gone_afterwards(tmp_path: Path) -> None:
    with Staging(tmp_path / "root" / "bin") as staging:
        assert staging.folder.parent == tmp_path / "root" / "bin"
        assert stat.S_IMODE(staging.folder.stat().st_mode) == 0o700
        first, second = staging.subfolder("package"), staging.subfolder("package")
        assert first != second
        (first / "file").write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_folders_that_were_there_stay_and_so_do_those_in_use(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    with Staging(tmp_path / "root" / "a" / "bin"):
        (tmp_path / "root" / "a" / "mine").touch()
    assert sorted(path.name for path in (tmp_path / "root" / "a").iterdir()) == ["mine"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
def test_the_folder_goes_when_an_exception_passes(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), Staging(tmp_path / "bin") as staging:
        (staging.folder / "file").write_text("x")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_makes_nothing_in_the_install_folder(tmp_path: Path) -> None:
    with Staging(tmp_path / "bin", dry_run=True) as staging:
        assert staging.folder.parent == Path(tempfile.gettempdir())
        assert stat.S_IMODE(staging.folder.stat().st_mode) == 0o700
        assert list(tmp_path.iterdir()) == []
    assert not staging.folder.exists()


def test_a_link_that_stands_for_the_install_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "bin").symlink_to("real")
    with Staging(tmp_path / "bin") as staging:
        assert staging.install_dir == tmp_path / "real"
    install(tmp_path, "foo", "1.0.0", ["a"])
    assert sorted(path.name for path in (tmp_path / "real").iterdir()) == ["a"]


@pytest.mark.parametrize("mode", [0o1777, 0o2755, 0o700], ids=["sticky", "setgid", "private"])
def test_the_modes_of_the_install_folder_do_not_matter(tmp_path: Path, mode: int) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin").chmod(mode)
    with Staging(tmp_path / "bin") as staging:
        assert stat.S_IMODE(staging.folder.stat().st_mode) & 0o777 == 0o700
    install(tmp_path, "foo", "1.0.0", ["a"])
    assert list(state(tmp_path).files) == ["a"]


def test_an_install_folder_that_is_a_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "bin").write_text("mine")
    with pytest.raises(LocalIOError, match=f"cannot write to the install folder {tmp_path / 'bin'}"):
        install(tmp_path, "foo", "1.0.0", ["a"])
    assert (tmp_path / "bin").read_text() == "mine"


@pytest.mark.parametrize("missing", [False, True], ids=["there", "to be made"])
def test_a_read_only_folder_is_74_and_named(missing: bool) -> None:
    # Root may write anywhere, so the install is another user's: everything is imported, then the user changed.
    code = """
import os, sys
from pathlib import Path
from binstall.errors import LocalIOError
from support_install import install

if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    install(Path(sys.argv[1]), "foo", "1.0.0", ["a"])
except LocalIOError as error:
    print(error.exit_code, error.message, error.hint, sep="\\n")
"""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(os.path.realpath(name))
        folder.chmod(0o755)
        locked = folder / "root" if missing else folder / "root" / "bin"
        locked.mkdir(parents=True)
        locked.chmod(0o555)
        done = run_python(code, folder / "root")
        locked.chmod(0o755)
        assert done.stderr == ""
        exit_code, message, hint = done.stdout.splitlines()
        assert exit_code == "74"
        assert message.startswith(
            f"cannot write to the install folder {folder / 'root' / 'bin'}: Permission denied"
        )
        assert hint == "install into a folder of your own, with --root or --install-path"
        assert list(locked.iterdir()) == []


def test_what_a_killed_run_left_is_removed_and_what_lives_is_not(tmp_path: Path) -> None:
    dead = tmp_path / f"{PREFIX}dead"
    (dead / "package-1").mkdir(parents=True)
    (dead / "package-1" / "huge").touch()
    (dead / "lock").touch()
    dead.chmod(0o700)
    unborn = tmp_path / f"{PREFIX}unborn"
    unborn.mkdir(mode=0o700)
    with Staging(tmp_path) as staging:
        recover(tmp_path)
        assert leftovers_in(tmp_path) == [staging.folder]


def test_leftovers_of_a_dry_run_go_with_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / f"{PREFIX}dead").mkdir(mode=0o700)
    with Staging(tmp_path / "bin", dry_run=True) as staging:
        assert leftovers_in(tmp_path) == [staging.folder]


def _link(path: Path) -> None:
    path.symlink_to("elsewhere")


def _open_folder(path: Path) -> None:
    path.mkdir()
    path.chmod(0o755)


@pytest.mark.parametrize("make", [Path.touch, _link, _open_folder], ids=["file", "link", "open to others"])
def test_what_only_has_the_name_of_a_staging_folder_is_let_be(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    make(tmp_path / f"{PREFIX}mine")
    recover(tmp_path)
    assert leftovers_in(tmp_path) == [tmp_path / f"{PREFIX}mine"]
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder of another user")
def test_the_staging_folder_of_another_user_is_let_be(tmp_path: Path) -> None:
    theirs = tmp_path / f"{PREFIX}theirs"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, 65534, 65534)
    recover(tmp_path)
    assert leftovers_in(tmp_path) == [theirs]


def test_what_cannot_be_removed_is_told_and_left_to_the_next_run(tmp_path: Path) -> None:
    code = """
import errno, sys
from pathlib import Path
from support_install import *

def refuse(event, args):
    if event == "shutil.rmtree":
        raise OSError(errno.EBUSY, "Device or resource busy")

sys.addaudithook(refuse)
heard = Heard()
install(Path(sys.argv[1]), "foo", "1.0.0", ["a"], progress=heard)
print(*heard.warnings)
"""
    done = run_python(code, tmp_path)
    assert done.stderr == ""
    (left,) = leftovers(tmp_path)
    assert done.stdout == f"cannot remove {left}: Device or resource busy; the next run tries again\n"
    recover(tmp_path / "bin")
    assert not leftovers(tmp_path)


def leftovers_in(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{PREFIX}*"))
