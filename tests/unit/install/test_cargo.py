"""The real cargo on a root of ours, and the other way round."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from binstall.formats.tracking import InstalledCrate, path_source, registry_source
from binstall.formats.version import parse_version
from binstall.install.staging import Staging
from binstall.install.tracker import Tracker
from binstall.install.transaction import Placement, TrackingUpdate, commit
from support_install import Heard, content, install, prepare, state, upgrade

pytestmark = pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not on PATH")


def cargo(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run cargo on `root`, offline and with a home of its own."""
    program = shutil.which("cargo")
    assert program is not None
    rustup = {"RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path("~/.rustup").expanduser()))}
    return subprocess.run(
        [program, *arguments, "--root", str(root)],
        env={"PATH": os.environ["PATH"], "CARGO_HOME": str(root.parent / "cargo-home")} | rustup,
        cwd=root.parent,
        capture_output=True,
        text=True,
        check=False,
    )


def listed(root: Path) -> str:
    """Return what `cargo install --list` says."""
    done = cargo(root, "install", "--list")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A crate without dependencies, called `foo`, whose binaries are `a` and `new`."""
    folder = tmp_path / "foo"
    (folder / "src" / "bin").mkdir(parents=True)
    (folder / "Cargo.toml").write_text('[package]\nname = "foo"\nversion = "3.0.0"\nedition = "2021"\n')
    for name in ("a", "new"):
        (folder / "src" / "bin" / f"{name}.rs").write_text("fn main() {}\n")
    return folder


def test_cargo_lists_what_was_installed_and_upgraded(root: Path) -> None:
    prepare(root)
    assert listed(root) == (
        "foo v1.0.0:\n    a\n    b\n    gone\nother v1.0.0:\n    x\n    y\nsingle v1.0.0:\n    s\n"
    )
    upgrade(root)
    assert listed(root) == (
        "foo v2.0.0:\n    a\n    b\n    c\n    linked\n    s\n    x\nother v1.0.0:\n    y\n"
    )


def test_cargo_uninstalls_what_was_installed(root: Path) -> None:
    prepare(root)
    upgrade(root)
    done = cargo(root, "uninstall", "foo")
    assert done.returncode == 0, done.stderr
    assert listed(root) == "other v1.0.0:\n    y\n"
    assert list(state(root).files) == ["y"]
    assert Tracker(root).installed("foo") is None
    install(root, "foo", "1.0.0", ["a"])
    assert listed(root) == "foo v1.0.0:\n    a\nother v1.0.0:\n    y\n"


@pytest.mark.parametrize(
    "index",
    [
        "sparse+https://user:secret@reg.example/index/?token=1",
        "sparse+https://reg.example/index",
        "https://reg.example/git index",
        "ssh://git@reg.example/index.git",
        "path",
    ],
)
def test_cargo_reads_every_form_of_source(root: Path, index: str) -> None:
    source = path_source(root.parent / "a b%ü") if index == "path" else registry_source(index)
    with Staging(root / "bin") as staging:
        staged = staging.folder / "staged"
        staged.write_bytes(b"x")
        crate = InstalledCrate("foo", "*", parse_version("1.0.0-rc.1+x"), source, "", ())
        update = TrackingUpdate(Tracker(root), crate, frozenset({"a"}))
        commit(staging, [Placement(staged, root / "bin" / "a")], update, crate="foo", untracked="refuse")
    assert listed(root).startswith("foo v1.0.0-rc.1+x")
    done = cargo(root, "uninstall", "foo")
    assert done.returncode == 0, done.stderr


def test_cargo_installs_over_ours_and_ours_over_cargos(root: Path, sources: Path) -> None:
    install(root, "foo", "2.0.0", ["a", "gone"])
    install(root, "other", "1.0.0", ["x"])
    done = cargo(root, "install", "--offline", "--debug", "--path", str(sources))
    assert done.returncode == 0, done.stderr
    now = Tracker(root).installed("foo")
    assert now is not None
    assert (str(now.version), now.bins, now.record) == ("3.0.0", ("a", "new"), None)
    assert sorted(state(root).files) == ["a", "new", "x"]

    heard = Heard()
    install(root, "foo", "4.0.0", ["a", "b"], progress=heard)
    assert heard.warnings == []
    assert listed(root) == "foo v4.0.0:\n    a\n    b\nother v1.0.0:\n    x\n"
    assert sorted(state(root).files) == ["a", "b", "x"]
    assert state(root).files["a"] == content("foo", "4.0.0", "a")

    done = cargo(root, "install", "--offline", "--debug", "--path", str(sources))
    assert done.returncode == 0, done.stderr
    assert sorted(state(root).files) == ["a", "new", "x"]


def test_cargo_refuses_our_files_for_another_crate_as_we_refuse_its(root: Path, sources: Path) -> None:
    install(root, "other", "1.0.0", ["a"])
    done = cargo(root, "install", "--offline", "--debug", "--path", str(sources))
    assert done.returncode != 0
    assert "as part of `other v1.0.0" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="the lock is told from outside by flock")
def test_cargo_waits_for_our_lock(root: Path) -> None:
    install(root, "foo", "1.0.0", ["a"])
    program = shutil.which("cargo")
    assert program is not None
    with (
        Tracker(root).locked(),
        subprocess.Popen(
            [program, "uninstall", "foo", "--root", str(root)],
            env=os.environ | {"CARGO_HOME": str(root.parent / "cargo-home")},
            cwd=root.parent,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stderr is not None
        assert "waiting for file lock" in process.stderr.readline()
        assert (root / "bin" / "a").exists()
        process.terminate()
    assert listed(root) == "foo v1.0.0:\n    a\n"
