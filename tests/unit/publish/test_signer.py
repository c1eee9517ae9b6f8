"""Every file gets a signature that an installer accepts, or none gets one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from binstall.errors import BadSignature, BinstallError, LocalIOError, UsageError
from binstall.formats.manifest import Manifest
from binstall.formats.minisign_key import serialize_public_key
from binstall.publish.file_facts import facts_of
from binstall.publish.signer import (
    hash_all,
    make_signatures,
    place_signatures,
    plan_signatures,
    read_back,
    sign_file,
    sign_files,
)
from binstall.signing.binding import Expected, trusted_comment_for
from binstall.signing.minisign_keys import SecretKey, generate, lock, sign_digest
from signature_vectors import minisign, needs_minisign
from support_files import tree
from support_keys import posix_only
from support_sign import GNU, MANIFEST, NAMES, crate, judged, release_files

NOW = 1_769_860_800
not_root = pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() == 0, reason="root may write anywhere")


@pytest.fixture
def key() -> SecretKey:
    return generate()


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return crate(tmp_path / "crate").manifest()


def test_a_file_gets_the_signature_that_minisign_makes(tmp_path: Path, key: SecretKey) -> None:
    (file,) = release_files(tmp_path, NAMES[:1])
    signed = sign_file(file, key, timestamp=NOW)
    assert signed.signature_path == tmp_path / f"{file.name}.sig"
    comment = f"timestamp:{NOW}\tfile:{file.name}\thashed"
    assert signed.evidence.trusted_comment == comment and signed.evidence.key_id == key.public_key.shown_id
    data = signed.signature_path.read_bytes()
    assert data == sign_digest(key, hash_all([file])[0].blake2b, comment)
    assert judged(file, signed.signature_path, key.public_key.base64).trusted_comment == comment
    sign_file(file, key, timestamp=NOW)
    assert signed.signature_path.read_bytes() == data


@needs_minisign
@pytest.mark.parametrize("name", ["plain", "with space.tgz", "Ünïcode-日本.tgz", "-dash"])
@pytest.mark.parametrize("size", [0, 1, 64, 300_000])
def test_minisign_accepts_what_we_sign(name: str, size: int, tmp_path: Path, key: SecretKey) -> None:
    file = tmp_path / name
    file.write_bytes(os.urandom(size))
    signed = sign_file(file, key, timestamp=NOW, untrusted_comment="ours")
    (tmp_path / "pub").write_text(serialize_public_key(key.public_key))
    done = minisign("-V", "-H", "-p", tmp_path / "pub", "-x", signed.signature_path, "-m", file)
    assert done.returncode == 0, done
    assert signed.evidence.trusted_comment is not None
    assert signed.evidence.trusted_comment in done.stdout


@needs_minisign
def test_minisign_makes_the_same_bytes_of_the_same_key_and_comments(tmp_path: Path, key: SecretKey) -> None:
    (file,) = release_files(tmp_path, ("file.tgz",))
    (tmp_path / "key").write_bytes(lock(key, None))
    (tmp_path / "key").chmod(0o600)
    done = minisign(
        "-S", "-s", tmp_path / "key", "-m", file, "-t", "trüsted", "-c", "untrusted", "-x", tmp_path / "a"
    )
    assert done.returncode == 0, done
    signed = sign_file(file, key, timestamp=NOW, trusted_comment="trüsted", untrusted_comment="untrusted")
    assert signed.signature_path.read_bytes() == (tmp_path / "a").read_bytes()


def test_a_manifest_names_what_is_certain_and_where_the_signature_goes(
    tmp_path: Path, key: SecretKey
) -> None:
    section = '[package.metadata.binstall.signing]\nalgorithm = "minisign"\npubkey = "x"\n'
    section += 'file = "{ url }.minisig"\n'
    manifest = crate(tmp_path / "crate", MANIFEST + section).manifest()
    files = release_files(tmp_path, (*NAMES, "SHA256SUMS"))
    tasks = plan_signatures(files, facts=lambda name: facts_of(name, manifest))
    signed = sign_files(tasks, key, timestamp=NOW)
    assert [one.signature_path.name for one in signed] == [f"{n}.minisig" for n in NAMES] + [
        "SHA256SUMS.sig"
    ]
    assert signed[0].evidence.trusted_comment == (
        f"timestamp:{NOW}\tfile:{NAMES[0]}\thashed\tcrate:hello\tversion:1.2.3\ttarget:{GNU}"
    )
    assert signed[2].evidence.trusted_comment == f"timestamp:{NOW}\tfile:SHA256SUMS\thashed"
    judged(
        files[0], signed[0].signature_path, key.public_key.base64, Expected(NAMES[0], "hello", "1.2.3", GNU)
    )


def test_a_comment_about_another_file_is_a_warning_and_with_a_manifest_an_error(
    tmp_path: Path, key: SecretKey, manifest: Manifest
) -> None:
    files = release_files(tmp_path)
    signed = sign_file(files[0], key, timestamp=NOW, trusted_comment="file:other.tgz")
    assert "file other.tgz" in signed.evidence.warnings[0]
    signed.signature_path.unlink()
    before = tree(tmp_path)
    tasks = plan_signatures(files, facts=lambda name: facts_of(name, manifest))
    with pytest.raises(UsageError, match=r"installers would refuse .* file other\.tgz"):
        sign_files(tasks, key, timestamp=NOW, trusted_comment="file:other.tgz")
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("a\tb.tgz", "cannot stand", id="TAB"),
        pytest.param("a\nb.tgz", "cannot stand", id="line break"),
        pytest.param("a\x1b[2J.tgz", "cannot stand", id="escape"),
        pytest.param("a\x85b", "cannot stand", id="C1 control"),
        pytest.param(os.fsdecode(b"a\xffb"), "cannot stand", id="no UTF-8"),
        pytest.param("a.tgz.sig", "is itself a signature", id="signature by name"),
        pytest.param("a.MINISIG", "is itself a signature", id="signature by name, in capitals"),
    ],
)
@posix_only
def test_a_name_that_would_not_be_read_back_is_refused_before_anything_is_signed(
    name: str, words: str, tmp_path: Path, key: SecretKey
) -> None:
    files = [*release_files(tmp_path), tmp_path / name]
    files[-1].write_bytes(b"content")
    before = tree(tmp_path)
    with pytest.raises(UsageError, match=words):
        sign_files(plan_signatures(files), key, timestamp=NOW, trusted_comment="mine")
    assert tree(tmp_path) == before


def test_what_is_no_file_to_sign_is_named(tmp_path: Path, key: SecretKey) -> None:
    (file,) = release_files(tmp_path, ("file",))
    signature = sign_file(file, key, timestamp=NOW).signature_path.rename(tmp_path / "renamed")
    secret = tmp_path / "secret"
    secret.write_bytes(lock(key, None))
    for path, words, error in [
        (signature, "is itself a signature", UsageError),
        (secret, "a minisign secret key where a file to sign belongs", UsageError),
        (tmp_path, "is a folder", UsageError),
        (tmp_path / "absent", "No such file", LocalIOError),
    ]:
        with pytest.raises(error, match=words):
            plan_signatures([file, path])


def test_places_that_are_taken_are_refused(tmp_path: Path, manifest: Manifest) -> None:
    one, other = release_files(tmp_path)
    with pytest.raises(UsageError, match="-x names one signature, and there are 2 files"):
        plan_signatures([one, other], signature_path=tmp_path / "x")
    for place, words in [
        (one, "cannot be the signature of both"),
        (other, "is no signature"),
        (tmp_path, "is a folder"),
    ]:
        with pytest.raises(UsageError, match=words):
            plan_signatures([one], signature_path=place)
    (tmp_path / "link").symlink_to(one.name)
    with pytest.raises(UsageError, match="both"):
        plan_signatures([one], signature_path=tmp_path / "link")
    empty = tmp_path / f"{one.name}.sig"
    empty.touch()
    assert plan_signatures([one])[0].signature_path == empty


def test_a_file_given_twice_is_signed_once(tmp_path: Path, key: SecretKey) -> None:
    (file,) = release_files(tmp_path, ("file",))
    assert len(sign_files(plan_signatures([file, file]), key, timestamp=NOW)) == 1


@pytest.mark.parametrize(
    "comments",
    [
        pytest.param({"trusted_comment": "a\nb"}, id="line break"),
        pytest.param({"trusted_comment": "x" * 4078}, id="longer than minisign writes"),
        pytest.param({"untrusted_comment": "a\rb"}, id="untrusted, CR"),
        pytest.param({"untrusted_comment": "x" * 1004}, id="untrusted, longer than minisign reads"),
    ],
)
def test_a_comment_that_minisign_could_not_read_leaves_nothing(
    comments: dict[str, str], tmp_path: Path, key: SecretKey
) -> None:
    files = release_files(tmp_path)
    before = tree(tmp_path)
    with pytest.raises(UsageError):
        sign_files(plan_signatures(files), key, timestamp=NOW, **comments)  # type: ignore[arg-type]
    assert tree(tmp_path) == before


@posix_only
def test_a_folder_that_cannot_be_written_leaves_the_others_without_signatures(
    plain_user_folder: Path, key: SecretKey
) -> None:
    files = [*release_files(plain_user_folder / "a"), *release_files(plain_user_folder / "b")]
    (plain_user_folder / "b").chmod(0o500)
    try:
        with pytest.raises(LocalIOError, match="cannot be written"):
            sign_files(plan_signatures(files), key, timestamp=NOW)
        assert sorted(os.listdir(plain_user_folder / "a")) == sorted(NAMES)
    finally:
        (plain_user_folder / "b").chmod(0o700)


def test_a_file_that_changes_after_it_was_hashed_is_not_signed(tmp_path: Path, key: SecretKey) -> None:
    files = release_files(tmp_path)
    tasks = plan_signatures(files)
    hashed = hash_all(files)
    files[1].write_bytes(b"other content, of another length")
    with pytest.raises(LocalIOError, match="was changed while it was signed"):
        make_signatures(tasks, hashed, key, timestamp=NOW)
    assert sorted(os.listdir(tmp_path)) == sorted(NAMES)


def test_a_file_that_changes_while_signatures_are_placed_leaves_none(
    tmp_path: Path, key: SecretKey
) -> None:
    files = release_files(tmp_path)
    tasks = plan_signatures(files)
    made = make_signatures(tasks, hash_all(files), key, timestamp=NOW)
    files[1].write_bytes(b"other content, of another length")
    with pytest.raises(LocalIOError, match="was changed while it was signed"):
        place_signatures(made, key.public_key.base64)
    assert sorted(os.listdir(tmp_path)) == sorted(NAMES)


def test_what_is_read_back_is_judged(tmp_path: Path, key: SecretKey) -> None:
    (file,) = release_files(tmp_path, ("file",))
    tasks = plan_signatures([file])
    hashed = hash_all([file])
    (signed,) = place_signatures(make_signatures(tasks, hashed, key, timestamp=NOW), key.public_key.base64)
    signed.signature_path.write_bytes(signed.signature_path.read_bytes().replace(b"hashed", b"hasheD"))
    with pytest.raises(BadSignature, match="altered"):
        read_back(tasks[0], hashed[0], key.public_key.base64)
    signed.signature_path.unlink()
    with pytest.raises(LocalIOError):
        read_back(tasks[0], hashed[0], key.public_key.base64)


def test_the_default_comment_of_a_file_is_the_one_of_installers(tmp_path: Path, key: SecretKey) -> None:
    (file,) = release_files(tmp_path, ("file",))
    comment = sign_file(file, key, timestamp=NOW).evidence.trusted_comment
    assert comment == trusted_comment_for(Expected("file"), timestamp=NOW)


FULL_DISK = """
import errno, sys
from pathlib import Path
from binstall.errors import BinstallError
from binstall.publish.signer import plan_signatures, sign_files
from binstall.signing.minisign_keys import generate
seen = 0
def hook(event, arguments):
    global seen
    if event.startswith("binstall.") or event in {"os.link", "os.rename"}:
        seen += 1
        if seen == int(sys.argv[1]):
            raise OSError(errno.ENOSPC, "No space left on device")
files = [Path(path) for path in sys.argv[2:]]
tasks = plan_signatures(files)
sys.addaudithook(hook)
try:
    sign_files(tasks, generate(), timestamp=0)
except BinstallError as error:
    assert "No space left" in error.message, error.message
    sys.exit(error.exit_code)
print(seen)
"""


@posix_only
def test_a_full_disk_at_any_call_is_an_error_and_leaves_no_part_of_a_signature(tmp_path: Path) -> None:
    for number in range(1, 40):
        folder = tmp_path / str(number)
        files = release_files(folder)
        done = subprocess.run(
            [sys.executable, "-c", FULL_DISK, str(number), *map(str, files)],
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode in {0, 74}, done
        if done.returncode == 0:
            assert number > 4
            assert len(os.listdir(folder)) == 2 * len(NAMES)
            return
        assert sorted(os.listdir(folder)) == sorted(NAMES)
    raise AssertionError("signing two files should end before the 40th call")


def test_errors_are_ours(tmp_path: Path) -> None:
    with pytest.raises(BinstallError):
        plan_signatures([tmp_path / ("x" * 300)])
