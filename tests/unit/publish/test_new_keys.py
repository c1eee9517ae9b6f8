"""A new key pair is written whole, in its places, or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from binstall.errors import BadSecretKey, BinstallError, LocalManifestError, UsageError, WrongPassword
from binstall.formats.minisign_key import parse_public_key, parse_secret_key
from binstall.publish.age import decrypt, generate_identity
from binstall.publish.age_keys import parse_identities, parse_recipients
from binstall.publish.new_files import FileExists
from binstall.publish.new_keys import NewKeyPair, change_password, make_key_pair
from binstall.publish.passwords import Passwords
from binstall.publish.secrets import Secret
from binstall.signing.minisign_keys import generate, lock, unlock
from support_keys import CHEAP, needs_pyrage, secret

MANIFEST = '[package]\nname = "hello"  # a greeting\nversion = "1.0.0"\r\n\n[dependencies]\n'


def pair(folder: Path) -> NewKeyPair:
    return NewKeyPair(folder / "a.key", folder / "a.pub")


def no_password() -> Secret | None:
    return None


def no_warning(words: str) -> None:
    raise AssertionError(words)


def must_not_be_asked() -> Secret | None:
    raise AssertionError("nothing is asked before it is known that all can be written")


def test_a_key_pair_is_two_files_of_one_key(tmp_path: Path) -> None:
    public = make_key_pair(replace(pair(tmp_path), comment="my key"), no_password, no_warning)
    assert parse_public_key((tmp_path / "a.pub").read_text()) == public
    assert unlock((tmp_path / "a.key").read_bytes(), None).public_key == public
    assert (tmp_path / "a.key").read_text().startswith("untrusted comment: my key\n")
    if sys.platform != "win32":
        assert (tmp_path / "a.key").stat().st_mode & 0o777 == 0o600
    assert len(list(tmp_path.iterdir())) == 2


def test_a_manifest_is_stamped_and_otherwise_left_alone(tmp_path: Path) -> None:
    manifest = tmp_path / "Cargo.toml"
    keys = tmp_path.parent / f"{tmp_path.name}-keys"
    keys.mkdir()
    manifest.write_bytes(MANIFEST.encode())
    manifest.chmod(0o640)
    wanted = replace(pair(keys), manifest=manifest)
    public = make_key_pair(wanted, no_password, no_warning)
    text = manifest.read_bytes().decode()
    assert f'pubkey = "{public.base64}"' in text and 'name = "hello"  # a greeting\n' in text
    if sys.platform != "win32":
        assert manifest.stat().st_mode & 0o777 == 0o640
    again = replace(wanted, secret_key=keys / "b.key", public_key=keys / "b.pub")
    with pytest.raises(LocalManifestError, match="signing section already"):
        make_key_pair(again, must_not_be_asked, no_warning)
    assert not (keys / "b.key").exists() and manifest.read_bytes().decode() == text
    other = make_key_pair(replace(again, force=True), no_password, no_warning)
    assert other.base64 in manifest.read_text() and public.base64 not in manifest.read_text()


@pytest.mark.parametrize(
    "prepare",
    [
        pytest.param(lambda folder: (folder / "a.key").write_bytes(b"old"), id="a secret key"),
        pytest.param(lambda folder: (folder / "a.pub").write_bytes(b"old"), id="a public key"),
        pytest.param(lambda folder: (folder / "Cargo.toml").write_text(MANIFEST), id="a package"),
        pytest.param(lambda folder: (folder / "manifest").write_text("[package"), id="a broken manifest"),
        pytest.param(
            lambda folder: (folder / "manifest").write_bytes(b"\xff"), id="a manifest not in UTF-8"
        ),
        pytest.param(lambda folder: (folder / "manifest").write_text("[workspace]\n"), id="no package"),
    ],
)
def test_what_stands_in_the_way_is_told_before_a_password_is_asked_for(
    prepare: Callable[[Path], object], tmp_path: Path
) -> None:
    prepare(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    manifest = tmp_path / "manifest"
    wanted = replace(pair(tmp_path), manifest=manifest if manifest.exists() else None)
    with pytest.raises((FileExists, UsageError, LocalManifestError)):
        make_key_pair(wanted, must_not_be_asked, no_warning)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one name"):
        make_key_pair(replace(pair(tmp_path), public_key=tmp_path / "." / "a.key"), no_password, no_warning)


@needs_pyrage
def test_a_key_for_recipients_is_nowhere_plain(tmp_path: Path) -> None:
    identity = generate_identity()
    recipients = parse_recipients([identity.recipient])
    wanted = replace(pair(tmp_path), secret_key=tmp_path / "a.key.age", recipients=recipients)
    public = make_key_pair(wanted, no_password, no_warning)
    data = (tmp_path / "a.key.age").read_bytes()
    assert (
        data.startswith(b"age-encryption.org/v1\n") and (tmp_path / "a.key.age").stat().st_mode & 0o077 == 0
    )
    plain = decrypt(data, parse_identities(identity.text, "it"))
    assert unlock(plain.data, None).public_key == public
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.key.age", "a.pub"]


@pytest.mark.parametrize(
    "wanted",
    [{"comment": "a\nb"}, {"comment": "c" * 1004}, {"public_key": Path("/does/not/exist/a.pub")}],
    ids=["comment with a line break", "comment too long", "no such folder"],
)
def test_a_failure_leaves_nothing(wanted: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(BinstallError):
        make_key_pair(replace(pair(tmp_path), **wanted), no_password, no_warning)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_question_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> Secret | None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_key_pair(pair(tmp_path), interrupted, no_warning)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="limits its memory as Linux does")
def test_where_memory_is_short_the_password_costs_less(tmp_path: Path) -> None:
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from binstall.publish.new_keys import NewKeyPair, make_key_pair\n"
        "from binstall.publish.secrets import Secret\n"
        "resource.setrlimit(resource.RLIMIT_AS, (420 << 20, 420 << 20))\n"
        "folder = Path(sys.argv[1])\n"
        "make_key_pair(NewKeyPair(folder / 'a.key', folder / 'a.pub'), lambda: Secret(bytearray(b'pw')), print)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], check=True, capture_output=True, text=True
    )
    assert done.stdout.startswith("this machine is short of memory")
    data = (tmp_path / "a.key").read_bytes()
    fields = parse_secret_key(data)
    assert (32 << 20) <= fields.memlimit < 1 << 30
    assert unlock(data, b"pw").public_key == parse_public_key((tmp_path / "a.pub").read_text())


@pytest.fixture
def protected(tmp_path: Path) -> Path:
    path = tmp_path / "a.key"
    with generate() as key:
        path.write_bytes(lock(key, b"old", comment="mine", cost=CHEAP))
    path.chmod(0o600)
    return path


def test_a_password_is_removed_and_the_comment_stays(protected: Path) -> None:
    public = unlock(protected.read_bytes(), b"old").public_key
    assert change_password(protected, Passwords(variable=secret("old")), no_password, no_warning)
    assert unlock(protected.read_bytes(), None).public_key == public
    assert protected.read_text().startswith("untrusted comment: mine\n")
    before = protected.read_bytes()
    assert not change_password(protected, Passwords(), no_password, no_warning)
    assert protected.read_bytes() == before


def test_a_password_is_changed_through_a_link(protected: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(protected)
    assert change_password(link, Passwords(variable=secret("old")), lambda: secret("new"), no_warning)
    assert link.is_symlink()
    unlock(protected.read_bytes(), b"new")
    assert sorted(os.listdir(tmp_path)) == ["a.key", "link"]


def test_a_wrong_password_changes_nothing_and_asks_for_no_new_one(protected: Path) -> None:
    before = protected.read_bytes()
    with pytest.raises(WrongPassword):
        change_password(protected, Passwords(variable=secret("wrong")), must_not_be_asked, no_warning)
    assert protected.read_bytes() == before


@pytest.mark.parametrize(
    "data",
    [b"age-encryption.org/v1\n", b"hello", generate().public_key.base64.encode()],
    ids=["age file", "nothing", "public key"],
)
def test_what_is_no_secret_key_has_no_password(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(BadSecretKey):
        change_password(tmp_path / "file", Passwords(), must_not_be_asked, no_warning)
