"""`binstall verify --crate`: files that a user has, against what the crate declares in its registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from binstall.signing.minisign_keys import generate
from support_machine import Machine
from support_registry import TARGET, Publisher, Release

NAME = f"hello-1.0.0-{TARGET}.tgz"


@pytest.fixture
def release(publisher: Publisher, machine: Machine) -> Release:
    release = publisher.release("hello", "1.0.0")
    take(publisher, machine, release)
    return release


def take(publisher: Publisher, machine: Machine, release: Release) -> Path:
    """Put package and signature into the working directory, as a browser would; return the package."""
    for path in (release.package_path, release.signature_path):
        (machine.work / Path(path).name).write_bytes(publisher.host.content(path))
    return machine.work / Path(release.package_path).name


def test_a_file_of_a_release_is_verified_by_the_key_of_its_crate(
    publisher: Publisher, machine: Machine, release: Release
) -> None:
    run = machine.run("verify", NAME, "--crate", "hello@1.0.0").expect(0)
    assert publisher.key.public_key.shown_id in run.out
    assert f"file:{NAME}  hashed  crate:hello  version:1.0.0  target:{TARGET}" in run.out
    assert not list((machine.folder / "tmp").iterdir()), "something was left behind"


def test_the_registry_may_be_named_by_options(
    publisher: Publisher, machine: Machine, release: Release
) -> None:
    (machine.root / "config.toml").unlink()
    words = ("verify", NAME, "--crate", "hello@=1.0.0", "--index", publisher.index_url)
    machine.run(*words, "--root-certificates", str(publisher.ca_file)).expect(0)
    machine.run(*words).expect(76)


def test_an_older_release_under_the_newer_name_is_refused(publisher: Publisher, machine: Machine) -> None:
    old = take(publisher, machine, publisher.release("hello", "1.0.0"))
    publisher.release("hello", "1.1.0")
    new = machine.work / old.name.replace("1.0.0", "1.1.0")
    old.rename(new)
    Path(f"{old}.sig").rename(f"{new}.sig")
    run = machine.run("verify", new.name, "--crate", "hello@1.1.0").expect(40)
    assert "1.0.0" in run.err
    machine.run("verify", new.name, "-P", publisher.key.public_key.base64).expect(0)


def test_a_crate_that_declares_another_key_is_refused_and_one_without_is_41(
    publisher: Publisher, machine: Machine, release: Release
) -> None:
    publisher.release("hello", "1.0.0", key=generate())
    machine.run("verify", NAME, "--crate", "hello@1.0.0").expect(40)
    publisher.release("hello", "1.0.0", sign=False)
    machine.run("verify", NAME, "--crate", "hello@1.0.0").expect(41)


def test_a_version_that_is_not_there_is_an_error_of_the_registry(
    machine: Machine, release: Release
) -> None:
    machine.run("verify", NAME, "--crate", "hello@2.0.0").expect(76)
    machine.run("verify", NAME, "--crate", "nothing@1").expect(76)


def test_a_tampered_crate_names_no_key(publisher: Publisher, machine: Machine, release: Release) -> None:
    publisher.tamper(release.crate_path, lambda data: data[:-1] + bytes([data[-1] ^ 1]))
    machine.run("verify", NAME, "--crate", "hello@1.0.0").expect(76)


def test_verify_writes_nothing_and_asks_nobody_about_a_bare_key(
    publisher: Publisher, machine: Machine, release: Release
) -> None:
    before, asked = machine.files(), len(publisher.host.exchanges)
    machine.run("verify", NAME, "-P", publisher.key.public_key.base64).expect(0)
    assert machine.files() == before
    assert len(publisher.host.exchanges) == asked
