"""`--manifest-path`, with the signed package of cargo-binstall's own tests, made by real minisign in 2023."""

from __future__ import annotations

from pathlib import Path

import pytest

from support_machine import Machine, Run
from support_registry import Publisher

PACKAGE = (
    Path(__file__).parent.parent
    / "vectors/signatures/third-party/cargo-bins--cargo-binstall/e2e-tests/signing/signing-test.tar"
)
KEY = "RWRnmBcLmQbXVcEPWo2OOKMI36kki4GiI7gcBgIaPLwvxe14Wtxm9acX"
SIGNED = f'''
[package.metadata.binstall.signing]
algorithm = "minisign"
pubkey = "{KEY}"
'''


def install(publisher: Publisher, machine: Machine, *words: str, signing: str = SIGNED) -> Run:
    """Write the manifest, serve the package and its signature, install."""
    manifest = f'''
[package]
name = "signing-test"
version = "0.1.0"
edition = "2021"

[[bin]]
name = "signing-test"
path = "src/main.rs"

[package.metadata.binstall]
pkg-url = "{publisher.host.base_url}/signing-test.tar"
pkg-fmt = "tar"
{signing}'''
    (machine.work / "Cargo.toml").write_text(manifest)
    return machine.install("signing-test", "--manifest-path", ".", *words)


@pytest.fixture(autouse=True)
def served(publisher: Publisher) -> None:
    publisher.host.put("/signing-test.tar", PACKAGE)
    publisher.host.put("/signing-test.tar.sig", PACKAGE.with_name("signing-test.tar.sig"))


@pytest.mark.parametrize("words", [(), ("--only-signed",)], ids=["plain", "only-signed"])
def test_the_real_package_is_installed(
    publisher: Publisher, machine: Machine, words: tuple[str, ...]
) -> None:
    run = install(publisher, machine, *words).expect(0)
    assert "55D706990B179867" in run.err
    assert "timestamp:1693846563  file:signing-test.tar  hashed" in run.err
    assert (machine.bin / "signing-test").exists()
    assert f"path+file://{machine.work}" in (machine.root / ".crates.toml").read_text()


@pytest.mark.parametrize("words", [(), ("--only-signed",)], ids=["plain", "only-signed"])
def test_one_byte_changed_is_40(publisher: Publisher, machine: Machine, words: tuple[str, ...]) -> None:
    data = bytearray(PACKAGE.read_bytes())
    data[700] ^= 1
    publisher.host.put("/signing-test.tar", bytes(data))
    install(publisher, machine, *words).expect(40)
    assert not machine.bin.exists()


@pytest.mark.parametrize(
    "signing",
    [
        '[package.metadata.binstall.signing]\nalgorithm = "minisign"\n',
        f'[package.metadata.binstall.signing]\npubkey = "{KEY}"\n',
        f'[package.metadata.binstall.signing]\nalgorithm = "pgp"\npubkey = "{KEY}"\n',
        "[package.metadata.binstall.signing]\n",
    ],
    ids=["no pubkey", "no algorithm", "unknown algorithm", "empty"],
)
def test_a_half_filled_section_is_99(publisher: Publisher, machine: Machine, signing: str) -> None:
    install(publisher, machine, signing=signing).expect(99)
    assert not machine.bin.exists()


def test_a_section_with_another_key_is_40(publisher: Publisher, machine: Machine) -> None:
    signing = SIGNED.replace(KEY, publisher.key.public_key.base64)
    install(publisher, machine, signing=signing).expect(40)


def test_no_section_is_unsigned_and_says_so(publisher: Publisher, machine: Machine) -> None:
    assert "UNSIGNED" in install(publisher, machine, "-y", signing="").expect(0).err
    install(publisher, machine, "-y", "--only-signed", "--force", signing="").expect(41)


def test_the_key_may_stand_with_its_comment_line(publisher: Publisher, machine: Machine) -> None:
    text = f'"""\nuntrusted comment: minisign public key 55D706990B179867\n{KEY}\n"""'
    install(publisher, machine, signing=SIGNED.replace(f'"{KEY}"', text)).expect(0)


def test_a_crate_that_is_not_there_is_99(publisher: Publisher, machine: Machine) -> None:
    install(publisher, machine)
    machine.install("other", "--manifest-path", ".").expect(99)
    machine.install("other", "--manifest-path", "nowhere").expect(99)
