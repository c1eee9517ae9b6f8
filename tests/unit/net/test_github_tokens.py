from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.limits import MAX_CREDENTIALS_BYTES
from binstall.net.github_tokens import (
    Token,
    TokenPlaces,
    configured_hosts,
    credential_tokens,
    given_tokens,
    hosts_yml_token,
    usable_token,
)

A, B = "ghp_aaaaaaaaaaaaaaaa", "ghp_bbbbbbbbbbbbbbbb"
HOSTS_YML = f"""\
# gh writes this
github.com:
    users:
        me:
            oauth_token: {B}
    git_protocol: https
    oauth_token: {A}
    user: me
corp.example:
    oauth_token: "{B}"
"""


@pytest.mark.parametrize(
    "text", [None, "", " ", "short", "has space in it", "täglich-ein-token", "a" * 1025, "x\ny" * 9]
)
def test_what_cannot_be_a_token_is_none(text: str | None) -> None:
    assert usable_token(text) is None


def test_a_token_does_not_show_its_value() -> None:
    assert A not in repr(Token(A, "GITHUB_TOKEN"))
    assert A not in repr(TokenPlaces({"GITHUB_TOKEN": A}, None))


@pytest.mark.parametrize(
    ("environment", "hosts"),
    [
        ({}, set()),
        ({"BINSTALL_GITHUB_HOSTS": "One.example, two.example:8443 three.example:443"},
            {"one.example", "two.example:8443", "three.example"}),
        ({"BINSTALL_GITHUB_HOSTS": "https://no.example/ */x a b_c -x"}, {"a"}),
        ({"GH_HOST": "gh.example", "GITHUB_SERVER_URL": "https://ci.example/"}, {"gh.example", "ci.example"}),
        ({"GITHUB_SERVER_URL": "http://ci.example"}, set()),
    ],
)  # fmt: skip
def test_the_hosts_of_github_are_its_own_and_those_of_the_environment(
    environment: Mapping[str, str], hosts: set[str]
) -> None:
    assert configured_hosts(environment) == {"github.com", *hosts}


@pytest.mark.parametrize(
    ("host", "environment", "sources"),
    [
        pytest.param(
            "github.com",
            {"GITHUB_TOKEN": A, "GH_TOKEN": B},
            ["--github-token", "GITHUB_TOKEN", "GH_TOKEN"],
            id="all",
        ),
        pytest.param(
            "github.com",
            {"GITHUB_TOKEN": "", "GH_TOKEN": B},
            ["--github-token", "GH_TOKEN"],
            id="an empty one hides none",
        ),
        pytest.param(
            "github.com",
            {"GITHUB_TOKEN": A, "GITHUB_SERVER_URL": "https://ci.example"},
            ["--github-token"],
            id="of a CI of another host",
        ),
        pytest.param(
            "ci.example",
            {"GITHUB_TOKEN": A, "GITHUB_SERVER_URL": "https://ci.example"},
            ["GITHUB_TOKEN"],
            id="of the CI's host",
        ),
        pytest.param(
            "corp.example",
            {"GITHUB_TOKEN": A, "GH_TOKEN": B},
            [],
            id="github.com's are not an Enterprise host's",
        ),
        pytest.param(
            "corp.example",
            {"GH_ENTERPRISE_TOKEN": A, "GITHUB_ENTERPRISE_TOKEN": B},
            ["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"],
            id="Enterprise",
        ),
        pytest.param(
            "me.ghe.com", {"GH_TOKEN": A, "GH_HOST": "me.ghe.com"}, ["GH_TOKEN"], id="a tenant of ghe.com"
        ),
        pytest.param(
            "github.com",
            {"GH_TOKEN": A, "GH_HOST": "me.ghe.com"},
            ["--github-token"],
            id="a tenant's is not github.com's",
        ),
        pytest.param(
            "corp.example",
            {"GH_TOKEN": A, "GH_HOST": "corp.example"},
            [],
            id="gh sends GH_TOKEN to no Enterprise server",
        ),
    ],
)
def test_a_given_token_belongs_to_one_host(
    host: str, environment: Mapping[str, str], sources: list[str]
) -> None:
    assert [token.source for token in given_tokens(host, A + "x", environment)] == sources


@pytest.mark.parametrize(
    ("line", "tokens"),
    [
        (f"https://me:{A}@github.com", [A]),
        (f"https://me:{A}@GitHub.com:443/", [A]),
        ("https://me:ghp_aaaa%40aaaaaaaaaaa@github.com", ["ghp_aaaa@aaaaaaaaaaa"]),
        (f"http://me:{A}@github.com", []),
        (f"https://me:{A}@github.com.evil.example", []),
        (f"https://me:{A}@evil.example/github.com", []),
        (f"https://github.com@evil.example:{A}", []),
        (f"https://me:{A}@github.com/o/r.git", []),
        ("https://me@github.com", []),
        ("https://[x", []),
        ("", []),
    ],
)
def test_a_line_of_git_credentials_is_for_its_own_host(line: str, tokens: list[str]) -> None:
    assert list(credential_tokens(f"# x\n{line}\n", "github.com")) == tokens


def test_hosts_yml_has_the_token_of_the_host_one_step_below_it() -> None:
    assert hosts_yml_token(HOSTS_YML, "github.com") == A
    assert hosts_yml_token(HOSTS_YML, "corp.example") == B
    assert hosts_yml_token(HOSTS_YML, "other.example") is None
    assert hosts_yml_token(f"github.com: {{oauth_token: {A}}}", "github.com") is None
    assert hosts_yml_token("github.com:\n    user: me\n", "github.com") is None


_LINES = st.lists(
    st.sampled_from([*HOSTS_YML.splitlines(), "", "\t", "github.com: # x", "  oauth_token:", f" oauth_token: '{A}'",
                     f"https://a:{A}@github.com", "https://:@[", "{", "- x"])
    | st.text(max_size=30),
    max_size=12,
).map("\n".join)  # fmt: skip


@settings(max_examples=1000, deadline=None)
@given(_LINES | st.text(max_size=100))
def test_whatever_a_file_holds_reading_it_raises_nothing_and_gives_tokens_only(text: str) -> None:
    found = [*credential_tokens(text, "github.com"), hosts_yml_token(text, "github.com")]
    assert all(each is None or usable_token(each) == each for each in found)


# Files and programs.


def discover(
    environment: Mapping[str, str], home: Path | None, notes: list[str] | None = None
) -> list[str]:
    places = TokenPlaces(environment, home)
    said = notes if notes is not None else []
    return [token.source for token in places.discovered("github.com", said.append, threading.Event())]


def script(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def test_every_place_is_looked_into_in_order(tmp_path: Path) -> None:
    for path, text in (
        (".git-credentials", f"https://me:{A}@github.com"),
        (".config/git/credentials", f"https://me:{B}@github.com"),
        (".config/gh/hosts.yml", HOSTS_YML),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    script(tmp_path / "bin", "gh", f"echo {A}")
    script(tmp_path / "bin", "git", f"echo username=me; echo password={B}")
    assert discover({"PATH": f"{tmp_path}/bin:/bin"}, tmp_path) == [
        f"{tmp_path}/.git-credentials",
        f"{tmp_path}/.config/git/credentials",
        f"{tmp_path}/.config/gh/hosts.yml",
        "`gh auth token`",
        "`git credential fill`",
    ]


def test_a_broken_place_is_noted_and_keeps_no_other_from_being_looked_into(tmp_path: Path) -> None:
    (tmp_path / ".git-credentials").mkdir()
    (tmp_path / "config/git").mkdir(parents=True)
    (tmp_path / "config/git/credentials").write_bytes(b"x" * (MAX_CREDENTIALS_BYTES + 1))
    (tmp_path / "config/gh").mkdir()
    (tmp_path / "config/gh/hosts.yml").write_bytes(b"\xff\xfe\x00")
    script(tmp_path / "bin", "gh", "exit 1")
    script(tmp_path / "bin", "git", f"echo password={A}")
    notes: list[str] = []
    environment = {"PATH": f"{tmp_path}/bin:/bin", "XDG_CONFIG_HOME": f"{tmp_path}/config"}
    assert discover(environment, tmp_path, notes) == ["`git credential fill`"]
    assert len(notes) == 3


@pytest.mark.parametrize("names", [{"XDG_CONFIG_HOME": "config", "GH_CONFIG_DIR": "gh", "PATH": "bin"}, {}])
def test_nothing_of_the_working_directory_is_read_or_run(
    tmp_path: Path, names: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config/git").mkdir(parents=True)
    (tmp_path / "config/git/credentials").write_text(f"https://me:{A}@github.com")
    (tmp_path / "gh").mkdir()
    (tmp_path / "gh/hosts.yml").write_text(HOSTS_YML)
    for name in ("gh", "git"):
        script(tmp_path / "bin", name, f"echo {A}; echo password={A}")
    monkeypatch.chdir(tmp_path)
    assert discover({"PATH": "", **names}, None) == []


def test_a_program_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    script(tmp_path / "bin", "gh", f"sleep 60 & echo $! > {tmp_path}/child; wait")
    stopping = threading.Event()
    timer = threading.Timer(0.5, stopping.set)
    timer.start()
    began = time.monotonic()
    places = TokenPlaces({"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}, None)
    assert list(places.discovered("github.com", lambda _: None, stopping)) == []
    timer.join()
    assert time.monotonic() - began < 5
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 5
    while _is_running(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_running(child)


def _is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        try:
            os.kill(process, 0)
        except OSError:
            return False
        return not Path("/proc/self").exists()
    return state != "Z"
