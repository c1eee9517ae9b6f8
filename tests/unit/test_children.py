from __future__ import annotations

from pathlib import Path

import pytest

from binstall.children import child_environment, find_program


@pytest.mark.parametrize(
    "name",
    [
        "GITHUB_TOKEN", "GH_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN", "GITLAB_TOKEN",
        "CI_JOB_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_RUNTIME_TOKEN",
        "SIGSTORE_ID_TOKEN", "CARGO_REGISTRY_TOKEN", "CARGO_REGISTRIES_MY_OWN_TOKEN",
        "CARGO_REGISTRIES_MINE_SECRET_KEY", "BINSTALL_PASSWORD", "MINISIGN_PASSWORD", "gh_token",
    ],
)  # fmt: skip
def test_no_secret_of_ours_reaches_a_child(name: str) -> None:
    assert child_environment({name: "secret", "PATH": "/bin"}) == {"PATH": "/bin"}


@pytest.mark.parametrize(
    "name", ["HOME", "SSH_AUTH_SOCK", "https_proxy", "CARGO_HOME", "CARGO_REGISTRIES_MINE_INDEX", "TOKENS"]
)
def test_everything_else_does(name: str) -> None:
    assert child_environment({name: "value"}) == {name: "value"}


def program(folder: Path, name: str = "tool", mode: int = 0o755) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(mode)
    return folder / name


def test_the_first_program_on_path_counts(tmp_path: Path) -> None:
    program(tmp_path / "not executable", mode=0o644)
    (tmp_path / "folder" / "tool").mkdir(parents=True)
    first, second = program(tmp_path / "a"), program(tmp_path / "b")
    folders = [tmp_path / "none", tmp_path / "not executable", tmp_path / "folder"]
    path = ":".join(map(str, [*folders, first.parent, second.parent]))
    assert find_program("tool", {"PATH": path}) == first
    assert find_program("other", {"PATH": path}) is None


@pytest.mark.parametrize("path", ["", ".", "bin", ":bin:."])
def test_no_program_is_taken_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    program(tmp_path)
    program(tmp_path / "bin")
    monkeypatch.chdir(tmp_path)
    assert find_program("tool", {"PATH": path}) is None
