from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from binstall.errors import FileInTheWay, InstallError, LocalIOError, TrackingError
from binstall.install.staging import Staging
from binstall.install.tracker import Tracker
from binstall.install.transaction import Placement, TrackingUpdate, commit, in_the_way
from support_install import (
    Heard,
    content,
    crate,
    install,
    leftovers,
    prepare,
    run_python,
    state,
    upgrade,
)

_REGISTRY = "(registry+https://github.com/rust-lang/crates.io-index)"


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def test_an_upgrade_replaces_adds_keeps_removes_and_takes_over(tmp_path: Path) -> None:
    prepare(tmp_path)
    upgrade(tmp_path)
    now = state(tmp_path)
    assert now.files == {
        "a": content("foo", "2.0.0", "a"),
        "b": content("foo", "1.0.0", "b"),
        "c": content("foo", "2.0.0", "c"),
        "linked": content("foo", "2.0.0", "linked"),
        "s": content("foo", "2.0.0", "s"),
        "x": content("foo", "2.0.0", "x"),
        "y": content("other", "1.0.0", "y"),
    }
    assert now.packages == {
        f"foo 2.0.0 {_REGISTRY}": ("a", "b", "c", "linked", "s", "x"),
        f"other 1.0.0 {_REGISTRY}": ("y",),
    }
    assert now.versions == {"foo": "2.0.0", "other": "1.0.0"}
    assert now.other == {"metadata": {"kept": "yes"}}
    installed = Tracker(tmp_path).installed("foo")
    assert installed is not None
    assert installed.record is not None
    assert installed.record.evidence is not None
    assert installed.record.evidence.files == ("a", "c", "linked", "s", "x")


@pytest.mark.parametrize("mask", [0o077, 0o002])
def test_binaries_are_0755_whatever_the_umask(
    tmp_path: Path, umask: Callable[[int], int], mask: int
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "binstall").mkdir()
    for path in (Tracker(tmp_path).crates_toml, Tracker(tmp_path).crates_v1):
        path.touch()
    with Staging(tmp_path / "bin") as staging:
        staged = staging.folder / "staged"
        staged.write_bytes(b"x")
        umask(mask)
        update = TrackingUpdate(Tracker(tmp_path), crate("foo", "1.0.0"), frozenset({"a"}))
        commit(
            staging, [Placement(staged, tmp_path / "bin" / "a")], update, crate="foo", untracked="refuse"
        )
    assert stat.S_IMODE((tmp_path / "bin" / "a").stat().st_mode) == 0o755


def test_the_tracking_files_get_the_rights_that_the_umask_leaves(
    tmp_path: Path, umask: Callable[[int], int]
) -> None:
    umask(0o027)
    install(tmp_path / "root", "foo", "1.0.0", ["a"])
    assert stat.S_IMODE((tmp_path / "root" / ".crates.toml").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "root" / "bin").stat().st_mode) == 0o750


@pytest.mark.parametrize("track", [True, False], ids=["tracked", "not tracked"])
@pytest.mark.parametrize("link", [False, True], ids=["file", "dangling link"])
def test_an_untracked_file_is_refused(tmp_path: Path, track: bool, link: bool) -> None:
    (tmp_path / "bin").mkdir()
    mine = tmp_path / "bin" / "a"
    if link:
        mine.symlink_to("nowhere")
    else:
        mine.write_text("mine")
    before = state(tmp_path)
    with pytest.raises(FileInTheWay, match="no record tells where it came from") as refusal:
        install(tmp_path, "foo", "1.0.0", ["a", "b"], track=track)
    assert (refusal.value.exit_code, refusal.value.hint) == (88, "use --force to replace it")
    assert state(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin"]


def test_an_untracked_file_is_replaced_with_a_warning_where_that_is_the_custom(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "a").write_text("mine")
    heard = Heard()
    install(tmp_path, "foo", "1.0.0", ["a"], untracked="warn", progress=heard)
    assert state(tmp_path).files == {"a": content("foo", "1.0.0", "a")}
    assert heard.warnings == [
        f"{tmp_path / 'bin' / 'a'} exists, and no record tells where it came from; it is replaced"
    ]


def test_without_tracking_an_existing_file_is_refused_even_where_a_warning_is_the_custom(
    tmp_path: Path,
) -> None:
    install(tmp_path, "foo", "1.0.0", ["a"], track=False)
    with pytest.raises(FileInTheWay):
        install(tmp_path, "foo", "2.0.0", ["a"], track=False, untracked="warn")
    install(tmp_path, "foo", "2.0.0", ["a"], track=False, untracked="replace")
    assert state(tmp_path).files == {"a": content("foo", "2.0.0", "a")}
    assert not Tracker(tmp_path).crates_toml.exists()


def test_a_file_of_another_crate_is_not_taken_over_unasked(tmp_path: Path) -> None:
    install(tmp_path, "other", "1.0.0", ["x", "y"])
    before = state(tmp_path)
    with pytest.raises(FileInTheWay, match=r"x exists as part of other 1\.0\.0"):
        install(tmp_path, "foo", "1.0.0", ["x"])
    assert state(tmp_path) == before


def test_a_link_in_the_way_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "bin" / "a").symlink_to(tmp_path / "precious")
    install(tmp_path, "foo", "1.0.0", ["a"], untracked="replace")
    assert not (tmp_path / "bin" / "a").is_symlink()
    assert (tmp_path / "precious").read_text() == "precious"


@pytest.mark.parametrize("track", [True, False], ids=["tracked", "not tracked"])
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_is_never_replaced(
    tmp_path: Path, make: Callable[[Path], None], track: bool
) -> None:
    (tmp_path / "bin").mkdir()
    make(tmp_path / "bin" / "a")
    with pytest.raises(InstallError, match="is not a file") as refusal:
        install(tmp_path, "foo", "1.0.0", ["a"], untracked="replace", track=track)
    assert refusal.value.exit_code == 88
    assert not leftovers(tmp_path)


@pytest.mark.parametrize("name", ["../a", "sub/a", "..", "."])
def test_a_destination_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "bin" / "sub").mkdir(parents=True)
    with Staging(tmp_path / "bin") as staging:
        staged = staging.folder / "staged"
        staged.write_bytes(b"x")
        with pytest.raises(InstallError):
            commit(
                staging,
                [Placement(staged, tmp_path / "bin" / name)],
                None,
                crate="foo",
                untracked="replace",
            )
    assert not (tmp_path / "a").exists()


def test_two_binaries_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="the same name"):
        install(tmp_path / "root", "foo", "1.0.0", ["a", "a"])
    assert not (tmp_path / "root").exists()


def test_a_staged_link_is_no_binary(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    with Staging(tmp_path / "bin") as staging:
        (staging.folder / "staged").symlink_to(tmp_path / "secret")
        placement = Placement(staging.folder / "staged", tmp_path / "bin" / "a")
        with pytest.raises(LocalIOError):
            commit(staging, [placement], None, crate="foo", untracked="replace")
    assert not (tmp_path / "bin").exists()
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) != 0o755


def test_tracking_needs_the_folder_bin_of_its_root(tmp_path: Path) -> None:
    with Staging(tmp_path / "elsewhere") as staging:
        staged = staging.folder / "staged"
        staged.write_bytes(b"x")
        update = TrackingUpdate(Tracker(tmp_path), crate("foo", "1.0.0"), frozenset({"a"}))
        with pytest.raises(InstallError, match="is not the folder `bin`"):
            commit(
                staging,
                [Placement(staged, tmp_path / "elsewhere" / "a")],
                update,
                crate="foo",
                untracked="refuse",
            )


def test_nothing_is_placed_in_a_dry_run(tmp_path: Path) -> None:
    with Staging(tmp_path / "bin", dry_run=True) as staging:
        staged = staging.folder / "staged"
        staged.write_bytes(b"x")
        with pytest.raises(InstallError, match="dry run"):
            commit(
                staging, [Placement(staged, tmp_path / "bin" / "a")], None, crate="foo", untracked="refuse"
            )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", ["crates_toml", "crates_v1"])
@pytest.mark.parametrize("malformed", [b"[v1\n", b"\xff", b'{"name": 1}'], ids=["cut", "binary", "wrong"])
def test_a_malformed_tracking_file_ends_the_install_and_stays_as_it_is(
    tmp_path: Path, file: str, malformed: bytes
) -> None:
    install(tmp_path, "foo", "1.0.0", ["a"])
    path = getattr(Tracker(tmp_path), file)
    path.write_bytes(malformed)
    with pytest.raises(TrackingError, match="cannot be used") as refusal:
        install(tmp_path, "foo", "2.0.0", ["a", "b"])
    assert refusal.value.exit_code == 16
    assert str(tmp_path) in refusal.value.message
    assert path.read_bytes() == malformed
    assert (tmp_path / "bin" / "a").read_bytes() == content("foo", "1.0.0", "a")
    assert sorted(entry.name for entry in (tmp_path / "bin").iterdir()) == ["a"]


def test_names_in_the_list_that_lead_elsewhere_remove_nothing(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    install(tmp_path, "foo", "1.0.0", ["a"])
    path = Tracker(tmp_path).crates_toml
    path.write_text(f'[v1]\n"foo 1.0.0 {_REGISTRY}" = ["a", "../precious", "{tmp_path}/precious", ".."]\n')
    assert install(tmp_path, "foo", "2.0.0", ["b"]).removed == (tmp_path / "bin" / "a",)
    assert (tmp_path / "precious").read_text() == "precious"
    assert state(tmp_path).packages == {f"foo 2.0.0 {_REGISTRY}": ("b",)}


def test_several_ids_of_one_crate_become_one_and_their_old_binaries_go(tmp_path: Path) -> None:
    install(tmp_path, "foo", "1.0.0", ["a", "b"])
    Tracker(tmp_path).crates_toml.write_text(
        f'[v1]\n"foo 1.0.0 {_REGISTRY}" = ["a"]\n"foo 0.9.0 (path+file:///src/foo)" = ["b"]\n'
    )
    install(tmp_path, "foo", "2.0.0", ["a"])
    assert state(tmp_path).packages == {f"foo 2.0.0 {_REGISTRY}": ("a",)}
    assert list(state(tmp_path).files) == ["a"]


def test_in_the_way_tells_the_caller_beforehand(tmp_path: Path) -> None:
    install(tmp_path, "other", "1.0.0", ["x"])
    install(tmp_path, "foo", "1.0.0", ["a"])
    (tmp_path / "bin" / "mine").write_text("mine")
    found = in_the_way(tmp_path / "bin", ["a", "mine", "new", "x"], "foo", Tracker(tmp_path).read())
    assert [(one.path.name, one.owner and one.owner.name) for one in found] == [
        ("mine", None),
        ("x", "other"),
    ]


def test_works_without_an_environment(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from support_install import *; upgrade(Path(sys.argv[1]))"
    done = run_python(code, tmp_path / "root")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(state(tmp_path / "root").files) == 5


def test_a_file_system_without_hard_links_will_do(tmp_path: Path) -> None:
    code = """
import errno, sys
from pathlib import Path
from support_install import *

def no_links(event, args):
    if event == "os.link":
        raise OSError(errno.EPERM, "Operation not permitted")

sys.addaudithook(no_links)
prepare(Path(sys.argv[1]))
upgrade(Path(sys.argv[1]))
"""
    done = run_python(code, tmp_path / "root")
    assert (done.returncode, done.stderr) == (0, "")
    prepare(tmp_path / "model")
    upgrade(tmp_path / "model")
    assert state(tmp_path / "root") == state(tmp_path / "model")


def test_an_undo_that_fails_keeps_the_old_files_and_says_where(tmp_path: Path) -> None:
    prepare(tmp_path)
    before = state(tmp_path)
    code = """
import errno, sys
from pathlib import Path
from binstall.errors import LocalIOError
from support_install import *

refusals = 2  # the first ends the install, the second its undoing

def fill(event, args):
    global refusals
    if event in ("os.rename", "binstall.write", "os.remove") and refusals and (root / "bin/c").exists():
        refusals -= 1
        raise OSError(errno.ENOSPC, "No space left on device")

root = Path(sys.argv[1])
sys.addaudithook(fill)
try:
    upgrade(root)
except LocalIOError as error:
    print(error.message, error.hint, sep="\\n")
"""
    done = run_python(code, tmp_path)
    assert done.stderr == ""
    message, hint = done.stdout.splitlines()
    assert message.startswith("installing foo failed, and not all of it could be undone: No space left")
    assert hint == f"the next run tries again; the old files are in {leftovers(tmp_path)[0]}"
    heard = Heard()
    install(tmp_path, "third", "1.0.0", ["t"], progress=heard)
    assert heard.warnings == ["an install of foo had been interrupted; it was undone"]
    (tmp_path / "bin" / "t").unlink()
    assert state(tmp_path).files == before.files


def test_a_file_that_appears_in_the_meantime_is_not_overwritten(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from binstall.errors import FileInTheWay
from support_install import *

def appear(event, args):
    if event == "os.link" and str(args[1]).endswith("bin/b"):
        (root / "bin/b").write_text("theirs")

root = Path(sys.argv[1])
sys.addaudithook(appear)
try:
    install(root, "foo", "1.0.0", ["a", "b"], untracked="replace")
except FileInTheWay as error:
    print(error.message)
"""
    done = run_python(code, tmp_path)
    assert done.stderr == ""
    assert done.stdout == f"{tmp_path / 'bin' / 'b'} was made by somebody else in the meantime\n"
    assert state(tmp_path).files == {"b": b"theirs"}
    assert state(tmp_path).packages == {}
    assert not leftovers(tmp_path)
