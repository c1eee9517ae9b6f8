"""Every kind of registry by every way to name it, with a signed package at the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from binstall.hosting.static_registry import PublishedCrate
from support_git import needs_git
from support_machine import Machine
from support_registry import Publisher, Release
from support_sources import git_index, local_registry, vendored


def configured(publisher: Publisher, machine: Machine, text: str) -> None:
    """Write cargo's configuration; the publisher is trusted, and no registry is named but by `text`."""
    machine.root.mkdir(exist_ok=True)
    (machine.root / "config.toml").write_text(f'{text}\n[http]\ncainfo = "{publisher.ca_file}"\n')


def crate_of(publisher: Publisher, release: Release) -> PublishedCrate:
    content = publisher.host.content(release.crate_path)
    return PublishedCrate(release.name, release.version, content)


def by_git(publisher: Publisher, release: Release, folder: Path) -> str:
    repository = git_index(publisher.host, folder / "index", [crate_of(publisher, release)])
    return f"registry = 'file://{repository.folder}'"


def by_folder(publisher: Publisher, release: Release, folder: Path) -> str:
    local_registry(folder / "local", [crate_of(publisher, release)])
    return f"local-registry = '{folder / 'local'}'"


def by_vendoring(publisher: Publisher, release: Release, folder: Path) -> str:
    more = release.manifest.partition("[package.metadata")
    vendored(folder / "vendor", release.name, release.version, more[1] + more[2])
    return f"directory = '{folder / 'vendor'}'"


def by_sparse(publisher: Publisher, release: Release, folder: Path) -> str:
    return f"registry = '{publisher.index_url}'"


@pytest.mark.parametrize(
    "place", [by_sparse, pytest.param(by_git, marks=needs_git), by_folder, by_vendoring]
)
def test_any_kind_of_place_may_stand_in_for_crates_io(
    publisher: Publisher,
    machine: Machine,
    tmp_path: Path,
    place: Callable[[Publisher, Release, Path], str],
) -> None:
    release = publisher.release("hello", "1.0.0")
    written = place(publisher, release, tmp_path)
    configured(publisher, machine, f"[source.crates-io]\nreplace-with = 'x'\n[source.x]\n{written}")
    machine.install("hello", "--only-signed").expect(0)
    recorded = (machine.root / ".crates.toml").read_text()
    assert '"hello 1.0.0 (registry+https://github.com/rust-lang/crates.io-index)"' in recorded
    assert not list(machine.bin.glob(".binstall-*"))


@pytest.mark.parametrize("program", ["binstall", "cargo-binstall"])
def test_a_registry_is_named_by_option_variable_or_configuration(
    publisher: Publisher, machine: Machine, program: str
) -> None:
    publisher.release("hello", "1.0.0")
    first = ("install",) if program == "binstall" else ()
    words = (*first, "--targets", "x86_64-unknown-linux-musl", "-y", "--force", "hello")
    text = f"[registries.t1]\nindex = '{publisher.index_url}'\n[registries.t4]\nreplace-with = 't1'\n"
    configured(publisher, machine, text + "[registry]\ndefault = 't1'")

    def installs(*more: str, **environment: str) -> None:
        machine.environment = environment
        machine.run(*words, *more, program=program).expect(0)
        assert f'"hello 1.0.0 ({publisher.index_url})"' in (machine.root / ".crates.toml").read_text()

    installs()
    configured(publisher, machine, text)
    installs("--registry", "t1")
    installs("--registry", "t4")
    installs("--registry", "t3", CARGO_REGISTRIES_T3_INDEX=publisher.index_url)
    installs("--registry", "t1", CARGO_REGISTRY_DEFAULT="nowhere")
    installs(CARGO_REGISTRY_DEFAULT="t1")
    installs("--index", publisher.index_url, CARGO_REGISTRY_DEFAULT="nowhere")
    machine.environment = {}
    both = machine.run(*words, "--index", publisher.index_url, "--registry", "t1", program=program).expect(
        2
    )
    assert "exclude each other" in both.err + both.out
    machine.run(*words, "--registry", "nowhere", program=program).expect(75)
    machine.environment = {"CARGO_REGISTRY_DEFAULT": ""}
    machine.run(*words, program=program).expect(75)


def test_a_private_registry_is_entered_by_a_provider_that_gets_none_of_our_secrets(
    publisher: Publisher, machine: Machine, tmp_path: Path
) -> None:
    publisher.release("hello", "1.0.0")
    config = json.loads(publisher.host.content("/index/config.json"))
    publisher.host.put("/index/config.json", json.dumps({**config, "auth-required": True}).encode())
    seen = tmp_path / "seen"
    provider = tmp_path / "provider"
    provider.write_text(f"#!/bin/sh\nenv >> {seen}\necho 'the token'\n")
    provider.chmod(0o755)
    configured(
        publisher,
        machine,
        f"[registries.mine]\nindex = '{publisher.index_url}'\ncredential-provider = 'vault'\n"
        f"[credential-alias]\nvault = ['cargo:token-from-stdout', '{provider}']",
    )
    machine.environment = {"GITHUB_TOKEN": "s3cret", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "s3cret"}
    run = machine.install("-v", "hello", "--registry", "mine").expect(0)
    assert "the token" not in run.out + run.err
    assert "CARGO_REGISTRY_NAME_OPT=mine" in seen.read_text()
    assert "s3cret" not in seen.read_text()
    tokens = {
        exchange.request.path: exchange.request.headers.get("authorization")
        for exchange in publisher.host.exchanges
    }
    assert tokens["/crates/hello/1.0.0/download"] == "the token"
    package = [path for path in tokens if path and path.startswith("/releases/")]
    assert package
    assert not any(tokens[path] for path in package), "the release host is told no token"


def test_a_provider_that_fails_is_16_and_nothing_is_installed(
    publisher: Publisher, machine: Machine, tmp_path: Path
) -> None:
    publisher.release("hello", "1.0.0")
    config = json.loads(publisher.host.content("/index/config.json"))
    publisher.host.put("/index/config.json", json.dumps({**config, "auth-required": True}).encode())
    configured(
        publisher,
        machine,
        f"[registries.mine]\nindex = '{publisher.index_url}'\ncredential-provider = 'no-such-program'",
    )
    run = machine.install("hello", "--registry", "mine").expect(16)
    assert "no program `no-such-program`" in run.err
    assert not machine.bin.exists()
