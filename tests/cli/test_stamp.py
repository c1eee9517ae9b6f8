"""`binstall stamp` as a publisher runs it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from binstall.formats.minisign_key import serialize_public_key
from binstall.signing.minisign_keys import SecretKey, generate, lock, sign_digest
from support_files import tree
from support_keys import User
from support_sign import MANIFEST, Publishing, crate


@pytest.fixture
def user(tmp_path: Path) -> User:
    """Somebody who stands in a crate."""
    crate(tmp_path / "crate")
    return Publishing(tmp_path / "crate")


@pytest.fixture
def key() -> SecretKey:
    return generate()


def section(user: User, folder: str = ".") -> Any:
    document = tomllib.loads((user.home / folder / "Cargo.toml").read_text("utf-8"))
    return document["package"]["metadata"]["binstall"].get("signing")


def test_a_key_goes_in_by_text_or_file_and_comes_out_again(user: User, key: SecretKey) -> None:
    public = key.public_key.base64
    done = user.run("stamp", "-P", public)
    assert done.code == 0 and f"stamped with public key {public}" in done.out
    assert section(user) == {"algorithm": "minisign", "pubkey": public}
    other = generate().public_key
    (user.home / "other.pub").write_text(serialize_public_key(other))
    assert user.run("stamp", "-p", "other.pub", "--file", "{ url }.minisig", "-q").out == ""
    assert section(user) == {"algorithm": "minisign", "pubkey": other.base64, "file": "{ url }.minisig"}
    assert "stamped already" in user.run("stamp", "-p", "other.pub").out
    assert "is gone" in user.run("stamp", "--remove").out
    assert (user.home / "Cargo.toml").read_text() == MANIFEST
    assert "is not there" in user.run("stamp", "--remove").out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        pytest.param([], 2, "one of -P, -p and --remove", id="nothing"),
        pytest.param(["-P", "{public}", "--remove"], 2, "one of -P, -p and --remove", id="both"),
        pytest.param(["-P", "{public}", "-p", "../key.pub"], 2, "-P and -p both", id="two keys"),
        pytest.param(["--remove", "--file", "{{ url }}"], 2, "--file goes with a key", id="file to remove"),
        pytest.param(["-P", "{public}", "--file", "{{ bin }}"], 67, "`bin`, which has no value", id="bin"),
        pytest.param(["-P", "{public}", "--file", "{{ url"], 67, "without its", id="no template"),
        pytest.param(["-p", "../key.sec"], 2, "binstall pubkey -s", id="a secret key"),
        pytest.param(["-p", "../file.sig"], 2, "-x takes a signature", id="a signature"),
        pytest.param(["-P", "../key.pub"], 2, "-p takes it", id="a file as text"),
        pytest.param(["-p", "{public}"], 2, "-P takes the key itself", id="text as a file"),
        pytest.param(
            ["-p", f"RW{'a' * 25}//{'b' * 27}"], 2, "-P takes the key itself", id="text with slashes"
        ),
        pytest.param(["-P", "RWxx"], 40, "public key", id="no key"),
        pytest.param(["-P", "{public}", "--manifest-path", "absent"], 99, "No such file", id="no manifest"),
        pytest.param(["-P", "{public}", "--package", "absent"], 99, "no package `absent`", id="no package"),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_nothing(
    words: list[str], code: int, told: str, user: User, key: SecretKey, tmp_path: Path
) -> None:
    (tmp_path / "key.sec").write_bytes(lock(key, None))
    (tmp_path / "key.sec").chmod(0o600)
    (tmp_path / "key.pub").write_text(serialize_public_key(key.public_key))
    (tmp_path / "file.sig").write_bytes(sign_digest(key, bytes(64), "comment"))
    before = tree(tmp_path)
    done = user.run("stamp", *(word.format(public=key.public_key.base64) for word in words))
    assert (done.code, done.out) == (code, ""), done
    assert done.err.count("error: ") == 1 and told in done.err
    assert tree(tmp_path) == before


def test_a_member_of_a_workspace_is_picked_by_name(tmp_path: Path, key: SecretKey) -> None:
    (tmp_path / "Cargo.toml").write_text('[workspace]\nmembers = ["a", "b"]\n')
    for name in "ab":
        crate(tmp_path / name, MANIFEST.replace("hello", name))
    user = Publishing(tmp_path)
    done = user.run("stamp", "-P", key.public_key.base64)
    assert done.code == 99 and "2 packages: a, b" in done.err and "--package NAME" in done.err
    assert user.run("stamp", "-P", key.public_key.base64, "--package", "b").code == 0
    assert section(user, "a") is None
    assert section(user, "b")["pubkey"] == key.public_key.base64


def test_a_private_key_in_the_package_is_a_reason_not_to_stamp(user: User, key: SecretKey) -> None:
    (user.home / "src/logo.png").write_bytes(lock(generate(), None))
    done = user.run("stamp", "-P", key.public_key.base64)
    assert done.code == 2 and "would publish a private key" in done.err and "logo.png" in done.err
    assert section(user) is None
    assert user.run("stamp", "--remove").code == 0


def test_an_override_that_wins_is_warned_about(user: User, key: SecretKey) -> None:
    with (user.home / "Cargo.toml").open("a") as file:
        file.write(
            '[package.metadata.binstall.overrides."cfg(unix)".signing]\nalgorithm = "minisign"\npubkey = "x"\n'
        )
    done = user.run("stamp", "-P", key.public_key.base64)
    assert done.code == 0 and "the override cfg(unix) has a signing section of its own" in done.err
