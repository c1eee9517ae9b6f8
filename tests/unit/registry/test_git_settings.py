"""What git is told; git itself reads it back."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import ConfigError, UsageError
from binstall.formats.git_url import parse_git_url
from binstall.net.proxy import find_proxies
from binstall.net.tls import TrustedRoots
from binstall.registry.git_settings import (
    GitRules,
    Settings,
    config_text,
    fetch_settings,
    git_environment,
    isolated,
    parse_settings,
)
from support_git import QUIET, needs_git


def read_back(file: Path) -> Settings:
    done = subprocess.run(
        ["git", "config", "--file", str(file), "--list", "-z"],
        env={"PATH": os.environ["PATH"], **QUIET},
        capture_output=True,
        check=True,
    )
    return parse_settings(done.stdout)


KEYS = st.sampled_from(["core.hookspath", "credential.helper", "http.proxy"]) | st.text(
    st.characters(exclude_characters="\n\0", exclude_categories=["Cs"]), min_size=1, max_size=12
).map(lambda sub: f"url.{sub}.insteadof")
VALUES = st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=20)


@needs_git
@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.tuples(KEYS, VALUES), max_size=50), min_size=50, max_size=50))
def test_git_reads_every_setting_as_it_was_meant(
    tmp_path_factory: pytest.TempPathFactory, lists: list[Settings]
) -> None:
    meant = [pair for each in lists for pair in each]
    file = tmp_path_factory.mktemp("settings") / "config"
    file.write_text(config_text(meant), newline="\n")
    assert read_back(file) == meant


@settings(max_examples=1000, deadline=None)
@given(st.binary(max_size=100))
def test_any_listing_is_read_and_written_again(listed: bytes) -> None:
    text = config_text(parse_settings(listed))
    assert text == "" or text.startswith("[")


def test_a_key_without_a_value_is_true() -> None:
    assert parse_settings(b"core.bare\0a.b\nx\ny\0") == [("core.bare", "true"), ("a.b", "x\ny")]


def test_only_what_is_the_users_to_say_is_kept(tmp_path: Path) -> None:
    own = [
        ("credential.https://x.helper", "!helper"),
        ("url.ssh://git@x/.insteadof", "https://x/"),
        ("safe.directory", "/srv"),
        ("ssh.variant", "simple"),
    ]
    others = [
        ("core.hookspath", "/evil"),
        ("core.fsmonitor", "evil"),
        ("http.sslverify", "false"),
        ("http.https://x.sslverify", "false"),
        ("filter.x.smudge", "evil"),
        ("uploadpack.packobjectshook", "evil"),
        ("protocol.ext.allow", "always"),
        ("include.path", "/evil"),
        ("alias.fetch", "!evil"),
        ("remote.origin.url", "/evil"),
    ]
    environment = isolated({"A": "1"}, own + others, tmp_path / "config")
    assert parse_settings("\0".join(f"{key}\n{value}" for key, value in own).encode()) == own
    text = (tmp_path / "config").read_text()
    assert text == config_text(own)
    assert "evil" not in text
    assert environment["GIT_CONFIG_GLOBAL"] == str(tmp_path / "config")
    assert "BatchMode=yes" in environment["GIT_SSH_COMMAND"]
    with_ssh = isolated({}, [("core.sshcommand", "ssh -i key")], tmp_path / "other")
    assert "GIT_SSH_COMMAND" not in with_ssh


@pytest.mark.parametrize(
    ("insecure", "protocols"), [(False, "https:ssh:file"), (True, "https:ssh:file:http")]
)
def test_git_speaks_only_the_protocols_of_the_run(insecure: bool, protocols: str) -> None:
    environment = git_environment(
        GitRules(
            {"GIT_ALLOW_PROTOCOL": "ext", "SSH_ASKPASS": "x", "HOME": "/h"}, allow_insecure_http=insecure
        )
    )
    assert environment["GIT_ALLOW_PROTOCOL"] == protocols
    assert environment["HOME"] == "/h"
    assert "SSH_ASKPASS" not in environment


def told(url: str, folder: Path, rules: GitRules) -> dict[str, str]:
    return dict(fetch_settings(rules, parse_git_url(url, folder, origin="", error=UsageError), folder))


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("https://host.example/x", "http://me:p%40ss@proxy.example:3128"),
        ("https://inside.example/x", ""),
        ("http://host.example/x", ""),
    ],
)
def test_the_proxy_is_the_one_for_this_address_or_none(tmp_path: Path, url: str, proxy: str) -> None:
    environment = {"https_proxy": "http://me:p%40ss@proxy.example:3128", "no_proxy": "inside.example"}
    rules = GitRules({}, proxies=find_proxies(environment), allow_insecure_http=True)
    assert told(url, tmp_path, rules)["http.proxy"] == proxy


def test_tls_is_as_strict_as_the_run(tmp_path: Path) -> None:
    found = told("https://host.example/x", tmp_path, GitRules({}, min_tls_version="1.3"))
    assert (found["http.sslVersion"], found["http.sslVerify"]) == ("tlsv1.3", "true")
    assert "http.sslCAInfo" not in found, "the system's own certificates are git's to find"


def test_certificates_that_cannot_be_read_are_an_error(tmp_path: Path) -> None:
    rules = GitRules({}, roots=TrustedRoots(store_file=str(tmp_path / "gone"), sources=("x",)))
    with pytest.raises(ConfigError, match="gone"):
        told("https://host.example/x", tmp_path, rules)


def test_a_password_is_in_a_private_file_and_in_no_setting(tmp_path: Path) -> None:
    found = told("https://me:s%27cret@host.example/x", tmp_path, GitRules({}))
    assert "cret" not in str(found)
    file = tmp_path / "credentials"
    assert file.read_text() == "https://me:s%27cret@host.example\n"
    assert file.stat().st_mode & 0o777 == 0o600
