"""Uninstalling: only what the records list, all or nothing, undone by the next run after a kill."""

from __future__ import annotations

from pathlib import Path

import pytest

from binstall.errors import LocalIOError, NotInstalled, TrackingError
from binstall.formats.version import parse_crate_spec
from binstall.install.recovery import recover
from binstall.install.removal import Removal, uninstall
from binstall.install.tracker import Tracker
from support_install import Heard, install, leftovers, prepare, state, stopped, uninstall_two


def remove(root: Path, *crates: str, heard: Heard | None = None) -> Removal:
    specs = [parse_crate_spec(crate) for crate in crates]
    return uninstall(Tracker(root), specs, heard or Heard())


def test_the_files_and_records_of_the_named_crates_go_and_all_else_stays(tmp_path: Path) -> None:
    prepare(tmp_path)
    before = state(tmp_path)
    heard = Heard()
    removal = remove(tmp_path, "foo@1.0.0", "single", "foo", heard=heard)
    assert removal.words == "foo, single"
    assert [[path.name for path in leaving.files] for leaving in removal.crates] == [
        ["a", "b", "gone"],
        ["s"],
    ]
    now = state(tmp_path)
    assert now.files == {name: before.files[name] for name in ("linked", "x", "y")}
    assert list(now.versions) == ["other"]
    assert len(now.packages) == 1
    assert now.other == before.other
    assert heard.warnings == []
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    ("crates", "message"),
    [
        pytest.param(["nothere"], "nothere is not installed", id="unknown"),
        pytest.param(["foo@2"], r"foo =2 is not installed, 1\.0\.0 is", id="another version"),
        pytest.param(["foo", "nothere"], "nothere is not installed", id="one of several"),
        pytest.param(["x"], "x is not installed", id="the name of a file"),
    ],
)
def test_a_crate_that_is_not_installed_keeps_everything_where_it_is(
    tmp_path: Path, crates: list[str], message: str
) -> None:
    prepare(tmp_path)
    before = state(tmp_path)
    with pytest.raises(NotInstalled, match=message) as refusal:
        remove(tmp_path, *crates)
    assert refusal.value.exit_code == 76
    assert state(tmp_path) == before


def test_what_is_not_ours_alone_or_no_file_of_the_folder_stays_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "bin" / "folder").mkdir(parents=True)
    (tmp_path / "bin" / "shared").write_text("both")
    source = "(registry+https://github.com/rust-lang/crates.io-index)"
    Tracker(tmp_path).crates_toml.write_text(
        f'[v1]\n"foo 1.0.0 {source}" = ["../precious", "folder", "gone", "shared"]\n'
        f'"other 1.0.0 {source}" = ["shared"]\n'
    )
    heard = Heard()
    removal = remove(tmp_path, "foo", heard=heard)
    assert removal.crates[0].files == ()
    folder = tmp_path / "bin"
    assert heard.warnings == [
        "../precious is not a plain file name; it is not removed",
        f"{folder / 'folder'} is not a file; it is not removed",
        f"{folder / 'gone'} is already gone; it is not removed",
        f"{folder / 'shared'} belongs to other 1.0.0 as well; it is not removed",
    ]
    assert (tmp_path / "precious").read_text() == "precious"
    assert (folder / "shared").exists()
    assert list(state_packages(tmp_path)) == [f"other 1.0.0 {source}"]


def state_packages(root: Path) -> list[str]:
    return [str(package) for package in Tracker(root).read().listing.packages]


def test_every_id_of_a_name_goes_or_only_the_version_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("one", "two"):
        (tmp_path / "bin" / name).write_text(name)
    text = '[v1]\n"foo 1.0.0 (path+file:///a)" = ["one"]\n"foo 2.0.0 (path+file:///b)" = ["two"]\n'
    Tracker(tmp_path).crates_toml.write_text(text)
    remove(tmp_path, "foo@1.0.0")
    assert [path.name for path in (tmp_path / "bin").iterdir()] == ["two"]
    (tmp_path / "bin" / "one").write_text("one")
    Tracker(tmp_path).crates_toml.write_text(text)
    remove(tmp_path, "foo")
    assert list((tmp_path / "bin").iterdir()) == []


def test_a_link_goes_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    install(tmp_path, "foo", "1.0.0", ["a"])
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "bin" / "a").unlink()
    (tmp_path / "bin" / "a").symlink_to(tmp_path / "precious")
    remove(tmp_path, "foo")
    assert list((tmp_path / "bin").iterdir()) == []
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_malformed_list_is_left_as_it_is_and_so_are_the_files(tmp_path: Path) -> None:
    install(tmp_path, "foo", "1.0.0", ["a"])
    Tracker(tmp_path).crates_v1.write_text("{")
    with pytest.raises(TrackingError):
        remove(tmp_path, "foo")
    assert (tmp_path / "bin" / "a").exists()
    assert Tracker(tmp_path).crates_v1.read_text() == "{"


def test_a_folder_that_is_not_ours_to_write_says_so(plain_user_folder: Path) -> None:
    install(plain_user_folder, "foo", "1.0.0", ["a"])
    before = state(plain_user_folder)
    (plain_user_folder / "bin").chmod(0o555)
    try:
        with pytest.raises(LocalIOError) as refusal:
            remove(plain_user_folder, "foo")
    finally:
        (plain_user_folder / "bin").chmod(0o755)
    assert refusal.value.hint == "uninstall as the user who owns that folder"
    assert state(plain_user_folder) == before


def test_the_next_run_says_what_was_interrupted_and_undoes_it(tmp_path: Path) -> None:
    prepare(tmp_path)
    before = state(tmp_path)
    process = stopped("at-uninstall", tmp_path, "os.remove", "journal.json")
    process.communicate()
    assert process.returncode != 0
    assert state(tmp_path) != before
    heard = Heard()
    recover(tmp_path / "bin", heard)
    assert heard.warnings == ["an uninstall of foo, single had been interrupted; it was undone"]
    assert state(tmp_path) == before
    uninstall_two(tmp_path)
    assert sorted(state(tmp_path).files) == ["linked", "x", "y"]
