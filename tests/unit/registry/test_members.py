"""The packages of a workspace on this disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from binstall.errors import LocalManifestError
from binstall.registry.members import workspace_manifests


def package(folder: Path, more: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / "Cargo.toml"
    manifest.write_text(f'[package]\nname = "{folder.name}"\n{more}')
    return manifest


def test_every_member_is_found_from_the_root_and_from_a_member(tmp_path: Path) -> None:
    (tmp_path / "Cargo.toml").write_text(
        '[workspace]\nmembers = ["crates/*", "d"]\nexclude = ["crates/out"]\n'
    )
    wanted = [package(tmp_path / name) for name in ("d", "crates/a", "crates/b")]
    out = package(tmp_path / "crates/out")
    (tmp_path / "crates/empty").mkdir()
    for start in (tmp_path, tmp_path / "Cargo.toml", wanted[1], tmp_path / "crates/../crates/a"):
        assert set(workspace_manifests(start)) == set(wanted), start
    assert workspace_manifests(out) == (out,)


def test_the_root_is_a_member_and_may_be_named(tmp_path: Path) -> None:
    root = package(tmp_path / "root", '[workspace]\nmembers = ["../beside"]\n')
    beside = package(tmp_path / "beside", 'workspace = "../root"\n')
    assert workspace_manifests(root) == (root,)
    assert workspace_manifests(beside) == (beside,)
    inside = package(tmp_path / "root/inside")
    (tmp_path / "root/Cargo.toml").write_text(
        '[package]\nname = "root"\n[workspace]\nmembers = ["inside"]\n'
    )
    assert workspace_manifests(inside) == (root, inside)


def test_outside_of_a_workspace_it_is_one(tmp_path: Path) -> None:
    manifest = package(tmp_path / "alone")
    assert workspace_manifests(tmp_path / "alone") == (manifest,)


@pytest.mark.parametrize(
    "text", ["not toml", '[workspace]\nmembers = "x"\n', '[workspace]\nmembers = ["["]\n']
)
def test_what_is_no_workspace_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "Cargo.toml").write_text(text)
    with pytest.raises(LocalManifestError):
        workspace_manifests(tmp_path)
    with pytest.raises(LocalManifestError, match="nowhere"):
        workspace_manifests(tmp_path / "nowhere/Cargo.toml")
