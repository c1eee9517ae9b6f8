"""What a killed run left half done, and what others did before the next run came."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from binstall.errors import LocalIOError, TrackingError
from binstall.formats.tracking import TrackingBytes, parse_tracking
from binstall.install.journal import JOURNAL, read_journal
from binstall.install.recovery import recover
from binstall.install.tracker import Tracker
from support_install import (
    Heard,
    State,
    content,
    crate,
    install,
    interrupted,
    leftovers,
    prepare,
    state,
    stopped,
    upgrade,
)

_REGISTRY = "(registry+https://github.com/rust-lang/crates.io-index)"
_ALL_PLACED = ("os.remove", JOURNAL)


def killed(root: Path, event: str, word: str, *, others: int = 0) -> State:
    """Kill the upgrade before a call, with so many other crates listed; return the state as it had been."""
    prepare(root)
    with Tracker(root).locked() as locked:
        tracking = parse_tracking(locked.read())
        for number in range(others):
            tracking = tracking.with_crate(replace(crate(f"z{number}", "1.0.0"), bins=(f"z{number}",)))
        locked.rewrite(tracking.serialize())
    before = state(root)
    with stopped("at", root, event, word) as process:
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    return before


def changes(root: Path) -> tuple[TrackingBytes, TrackingBytes]:
    """Return the tracking files before and after, as the journal has them."""
    folder = interrupted(root)
    assert folder is not None
    journal = read_journal(folder)
    assert journal is not None
    assert journal.tracking is not None
    return journal.tracking.before, journal.tracking.after


def test_the_next_run_undoes_and_says_so(tmp_path: Path) -> None:
    before = killed(tmp_path, *_ALL_PLACED)
    assert state(tmp_path) != before
    heard = Heard()
    recover(tmp_path / "bin", heard)
    assert state(tmp_path) == before
    assert heard.warnings == ["an install of foo had been interrupted; it was undone"]
    assert not leftovers(tmp_path)
    upgrade(tmp_path)


def test_a_moved_root_is_recovered_where_it_is_now(tmp_path: Path) -> None:
    before = killed(tmp_path / "old", *_ALL_PLACED)
    (tmp_path / "old").rename(tmp_path / "new")
    recover(tmp_path / "new" / "bin")
    assert state(tmp_path / "new") == before


def test_without_tracking_files_are_put_back_too(tmp_path: Path) -> None:
    before = killed(tmp_path, *_ALL_PLACED)
    for path in (Tracker(tmp_path).crates_toml, Tracker(tmp_path).crates_v1):
        path.unlink()
    recover(tmp_path / "bin")
    # Nobody lists the removed binary any more, so it stays removed.
    assert state(tmp_path).files == {name: what for name, what in before.files.items() if name != "gone"}


@pytest.mark.parametrize("file", ["crates_toml", "crates_v1"])
@pytest.mark.parametrize("undoing", [False, True], ids=["installing", "undoing"])
def test_a_write_that_was_cut_short_is_healed(tmp_path: Path, file: str, undoing: bool) -> None:
    before = killed(tmp_path / "killed", *_ALL_PLACED, others=40)
    texts = [getattr(files, file) for files in changes(tmp_path / "killed")]
    old, new = reversed(texts) if undoing else texts
    written = new.ljust(len(old), b"\n")
    assert len(written) > 2048
    for length in (*range(0, len(written), 512), *range(100, len(written), 1001)):
        now = written[:length] + old[length:]
        if length % 512 and readable(now):
            continue  # what could be somebody's list is taken for that
        root = tmp_path / str(length)
        shutil.copytree(tmp_path / "killed", root, symlinks=True)
        getattr(Tracker(root), file).write_bytes(now)
        recover(root / "bin")
        assert state(root) == before
        shutil.rmtree(root)


def readable(text: bytes) -> bool:
    """Tell whether `text` is a whole list of either kind."""
    try:
        parse_tracking(TrackingBytes(text, b"") if text.startswith(b"[") else TrackingBytes(b"", text))
    except TrackingError:
        return False
    return True


def test_what_cargo_recorded_since_stays(tmp_path: Path) -> None:
    before = killed(tmp_path, *_ALL_PLACED)
    with Tracker(tmp_path).crates_toml.open("w") as file:
        # As cargo leaves it: foreign tables lost, a crate added.
        file.write(f'[v1]\n"bar 1.0.0 {_REGISTRY}" = ["bar"]\n')
        file.write(f'"foo 2.0.0 {_REGISTRY}" = ["a", "b", "c", "linked", "s", "x"]\n')
        file.write(f'"other 1.0.0 {_REGISTRY}" = ["y"]\n')
    recover(tmp_path / "bin")
    now = state(tmp_path)
    assert now.files == before.files
    assert now.packages == before.packages | {f"bar 1.0.0 {_REGISTRY}": ("bar",)}
    assert now.versions == before.versions


def test_what_cargo_installed_over_it_since_stays(tmp_path: Path) -> None:
    before = killed(tmp_path, *_ALL_PLACED)
    (tmp_path / "bin" / "a").write_text("cargo's")
    (tmp_path / "bin" / "s").write_text("cargo's")
    Tracker(tmp_path).crates_toml.write_text(
        f'[v1]\n"foo 3.0.0 {_REGISTRY}" = ["a", "s"]\n"other 1.0.0 {_REGISTRY}" = ["y"]\n'
    )
    recover(tmp_path / "bin")
    now = state(tmp_path)
    assert now.packages == {f"foo 3.0.0 {_REGISTRY}": ("a", "s"), f"other 1.0.0 {_REGISTRY}": ("x", "y")}
    assert (now.files["a"], now.files["s"]) == (b"cargo's", b"cargo's")
    assert now.files["x"] == before.files["x"]
    assert "gone" not in now.files
    installed = Tracker(tmp_path).installed("foo")
    assert installed is not None
    assert installed.record is None


def test_what_cargo_uninstalled_since_stays_uninstalled(tmp_path: Path) -> None:
    killed(tmp_path, *_ALL_PLACED)
    for name in ("a", "b", "c", "linked", "s", "x"):
        (tmp_path / "bin" / name).unlink()
    Tracker(tmp_path).crates_toml.write_text(f'[v1]\n"other 1.0.0 {_REGISTRY}" = ["y"]\n')
    recover(tmp_path / "bin")
    assert list(state(tmp_path).files) == ["y"]
    assert "foo" not in state(tmp_path).versions


def test_a_backup_from_before_a_finished_install_is_not_used(tmp_path: Path) -> None:
    killed(tmp_path, "shutil.rmtree", "kept-")
    assert leftovers(tmp_path)
    assert interrupted(tmp_path) is None
    after = state(tmp_path)
    install(tmp_path, "third", "1.0.0", ["t"])
    now = state(tmp_path)
    assert now.packages == after.packages | {f"third 1.0.0 {_REGISTRY}": ("t",)}
    assert now.files == after.files | {"t": content("third", "1.0.0", "t")}
    assert not leftovers(tmp_path)


def test_a_file_made_malformed_since_is_an_error_until_it_is_repaired(tmp_path: Path) -> None:
    before = killed(tmp_path, *_ALL_PLACED)
    path = Tracker(tmp_path).crates_toml
    good = path.read_bytes()
    path.write_bytes(b"[v1]\n<<<<<<< HEAD\n" + b"=" * 500)
    with pytest.raises(TrackingError):
        recover(tmp_path / "bin")
    path.write_bytes(good)
    recover(tmp_path / "bin")
    assert state(tmp_path) == before


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda _text: b"{", id="cut"),
        pytest.param(lambda _text: b"[" * 100_000, id="deep"),
        pytest.param(lambda _text: b"[]", id="not an object"),
        pytest.param(lambda text: text.replace(b'"steps"', b'"stops"'), id="wrong member"),
        pytest.param(lambda text: text.replace(b'"version": 1', b'"version": 2'), id="newer"),
    ],
)
def test_a_journal_that_cannot_be_read_is_an_error_and_stays(
    tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    killed(tmp_path, *_ALL_PLACED)
    folder = interrupted(tmp_path)
    assert folder is not None
    (folder / JOURNAL).write_bytes(change((folder / JOURNAL).read_bytes()))
    now = state(tmp_path)
    with pytest.raises(LocalIOError) as error:
        recover(tmp_path / "bin")
    assert str(folder) in error.value.message
    assert state(tmp_path) == now
    assert interrupted(tmp_path) == folder


def test_a_folder_that_is_not_there_has_nothing_to_recover(tmp_path: Path) -> None:
    recover(tmp_path / "nowhere" / "bin")
    assert list(tmp_path.iterdir()) == []
