"""`binstall keygen` as a user runs it, with the real minisign and age looking on."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from signature_vectors import needs_minisign
from support_keys import Ran, User, needs_age, needs_pyrage, posix_only, read, run_tool

MANIFEST = '[package]\nname = "hello"\nversion = "1.0.0"\n'
RECIPIENT = read("keys/age-identity.txt").split(b"public key: ")[1].split(b"\n")[0].decode()


@pytest.fixture
def user(tmp_path: Path) -> User:
    """Somebody with an empty home folder."""
    return User(tmp_path)


def files(user: User) -> list[str]:
    return sorted(str(path.relative_to(user.home)) for path in user.home.rglob("*") if path.is_file())


def signed_by_minisign(user: User, key: Path, public: Path, password: bytes = b"") -> None:
    """Let minisign sign with a key of ours, and verify with its public half."""
    (user.home / "file").write_bytes(b"data")
    run_tool("minisign", "-S", "-s", key, "-m", user.home / "file", data=password)
    run_tool("minisign", "-V", "-H", "-p", public, "-m", user.home / "file")
    (user.home / "file").unlink()
    (user.home / "file.minisig").unlink()


def test_the_default_place_is_the_users_own_and_the_output_is_what_a_manifest_takes(user: User) -> None:
    done = user.run("keygen", "-W")
    assert (done.code, done.err) == (0, "")
    folder = user.home / ".config" / "binstall"
    if sys.platform == "linux":
        assert files(user) == [".config/binstall/signing.key", ".config/binstall/signing.pub"]
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / "signing.key").stat().st_mode & 0o777 == 0o600
        public = (folder / "signing.pub").read_text().splitlines()[1]
        assert public == user.run("pubkey").out.strip()
        assert f"public key  {public}\n" in done.out
    table = tomllib.loads(done.out[done.out.index("[package") :])
    section = table["package"]["metadata"]["binstall"]["signing"]
    assert section == {"algorithm": "minisign", "pubkey": done.out.split()[2]}
    again = user.run("keygen", "-W")
    assert again.code == 74 and "exists already" in again.err and "-f" in again.err
    assert user.run("keygen", "-W", "-q", "-f") == Ran(0, "", "")


@needs_minisign
def test_minisign_signs_with_an_unprotected_key_of_ours(user: User) -> None:
    assert user.run("keygen", "-W", "-s", "a.key", "-c", "mine").code == 0
    signed_by_minisign(user, user.home / "a.key", user.home / "a.pub")


@needs_minisign
@posix_only
def test_a_password_is_asked_for_twice_on_the_terminal_and_minisign_takes_it(user: User) -> None:
    done = user.type_in(["keygen", "-s", "a.key"], ["pässword\n", "pässword\n"])
    assert (done.code, done.err) == (0, ""), done
    assert "Password of the new key: " in done.terminal and "(once more): " in done.terminal
    assert "pässword" not in done.terminal
    signed_by_minisign(user, user.home / "a.key", user.home / "a.pub", "pässword\n".encode())


@posix_only
@pytest.mark.parametrize(
    ("answers", "code", "words"),
    [
        pytest.param(["one\n", "other\n"], 2, "not the same", id="two passwords"),
        pytest.param([b"\x03"], 32, "cancelled", id="Ctrl-C"),
        pytest.param(["one\n", b"\x03"], 32, "cancelled", id="Ctrl-C at the second"),
        pytest.param([b"\x04"], 32, "no password was typed", id="Ctrl-D"),
        pytest.param(
            ["pw" * 600 + "\n", "pw" * 600 + "\n"], 2, "minisign could not take it", id="too long"
        ),
    ],
)
def test_a_question_without_an_answer_leaves_nothing(
    answers: list[str | bytes], code: int, words: str, user: User
) -> None:
    done = user.type_in(["keygen", "-s", "a.key"], answers)
    assert done.code == code, done
    assert words in done.err
    assert files(user) == []


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        ([], {}, "--password-file, --password-fd or BINSTALL_SIGNING_PASSWORD"),
        ([], {"BINSTALL_SIGNING_PASSWORD": ""}, "not even an empty line"),
        (["--password-fd", "0"], {}, "not even an empty line"),
        (["--password-file", "none"], {}, "cannot be read"),
        (["-W", "--password-fd", "0"], {}, "-W makes a key without password"),
        (["-p", "a.key"], {}, "one name"),
        (["-p", "RWRySCiayRzzfHRolZZ1LOW8ToNKRn7ojwsjSrjwwqGOBu+48BmERUQ2"], {}, "-P its text"),
        (["-c", "a\nb", "-W"], {}, "control character"),
    ],
)
def test_a_wrong_command_line_leaves_nothing(
    arguments: list[str], variables: dict[str, str], words: str, user: User
) -> None:
    done = user.run("keygen", "-s", "a.key", *arguments, variables=variables)
    assert done.code in {2, 74} and words in done.err, done
    assert files(user) == []


@posix_only
@needs_minisign
def test_a_password_comes_by_descriptor_and_by_variable(user: User) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"one password\n")
    os.close(writer)
    try:
        assert user.run("keygen", "-s", "a.key", "--password-fd", str(reader), pass_fds=[reader]).code == 0
    finally:
        os.close(reader)
    signed_by_minisign(user, user.home / "a.key", user.home / "a.pub", b"one password\n")
    done = user.run("keygen", "-s", "b.key", variables={"BINSTALL_SIGNING_PASSWORD": "\n"})
    assert (done.code, done.err) == (0, "")
    signed_by_minisign(user, user.home / "b.key", user.home / "b.pub", b"\n")


@needs_pyrage
@needs_age
@needs_minisign
def test_a_key_for_recipients_asks_nothing_and_age_and_minisign_use_it(user: User) -> None:
    (user.home / "id.txt").write_bytes(read("keys/age-identity.txt"))
    (user.home / "ssh.pub").write_bytes(read("keys/ssh-ed25519.pub"))
    (user.home / "ssh").write_bytes(read("keys/ssh-ed25519.key"))
    (user.home / "ssh").chmod(0o600)
    done = user.run("keygen", "--age-recipient", RECIPIENT, "-r", "ssh.pub", "-s", "a.key")
    assert (done.code, done.err) == (0, "")
    assert "a.key.age (encrypted with age)" in done.out
    assert not (user.home / "a.key").exists()
    for identity in ("id.txt", "ssh"):
        plain = run_tool("age", "-d", "-i", user.home / identity, user.home / "a.key.age")
        (user.home / "plain").write_bytes(plain)
        signed_by_minisign(user, user.home / "plain", user.home / "a.pub")
    for options in (["-i", "id.txt"], ["-i", "ssh"]):
        told = user.run("pubkey", "-s", "a.key.age", *options)
        assert told.out.strip() in (user.home / "a.pub").read_text()


@pytest.mark.parametrize("recipient", ["age1yubikey1qqqq", "nobody.pub", "AGE-SECRET-KEY-1QQ"])
@needs_pyrage
def test_a_recipient_that_is_none_leaves_nothing(recipient: str, user: User) -> None:
    done = user.run("keygen", "-r", recipient, "-s", "a.key")
    assert done.code in {16, 74} and files(user) == []


def test_no_key_is_made_inside_of_a_package_unless_git_ignores_it(user: User) -> None:
    (user.home / "Cargo.toml").write_text(MANIFEST)
    done = user.run("keygen", "-W", "-s", "a.key")
    assert done.code == 2 and "cargo publish" in done.err and ".gitignore" in done.err
    assert files(user) == ["Cargo.toml"]
    try:
        subprocess.run(["git", "init", "-q"], cwd=user.home, check=True)
    except FileNotFoundError:
        pytest.skip("git is not on PATH")
    subprocess.run(["git", "add", "Cargo.toml"], cwd=user.home, check=True)
    (user.home / ".gitignore").write_text("*.key\n")
    assert user.run("keygen", "-W", "-s", "a.key").code == 0


def test_a_manifest_is_stamped_with_the_new_key(
    user: User, tmp_path_factory: pytest.TempPathFactory
) -> None:
    manifest = tmp_path_factory.mktemp("package") / "Cargo.toml"
    manifest.write_text(MANIFEST)
    done = user.run("keygen", "-W", "-s", "a.key", "--stamp", manifest)
    assert (done.code, done.err) == (0, "")
    section = tomllib.loads(manifest.read_text())["package"]["metadata"]["binstall"]["signing"]
    assert section["pubkey"] in (user.home / "a.pub").read_text()
    before = manifest.read_text()
    done = user.run("keygen", "-W", "-s", "b.key", "--stamp", manifest.parent)
    assert done.code == 99 and "signing section already" in done.err and "--force" in done.err
    assert manifest.read_text() == before and not (user.home / "b.key").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB, which root alone can have."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if sys.platform != "linux":
        pytest.skip("mounts as Linux does")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=False, capture_output=True
    )
    if done.returncode != 0:
        pytest.skip("may not mount")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_told_and_leaves_nothing(small_disk: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(OSError, match="No space left"),
        (small_disk / "filler").open("wb", buffering=0) as file,
    ):
        while True:
            file.write(bytes(4096))
    user = User(tmp_path)
    done = user.run("keygen", "-W", "-s", small_disk / "a.key")
    assert done.code == 74 and "No space left on device" in done.err
    assert os.listdir(small_disk) == ["filler"]


def test_a_read_only_folder_is_told(small_disk: Path, tmp_path: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    done = User(tmp_path).run("keygen", "-W", "-s", small_disk / "a.key")
    assert done.code == 74 and "Read-only file system" in done.err
    assert os.listdir(small_disk) == []


@pytest.mark.skipif(sys.platform != "linux", reason="limits files as Linux does")
def test_a_file_that_may_not_grow_is_told_and_leaves_nothing(user: User) -> None:
    code = (
        "import resource, sys\n"
        "from binstall.cli.app import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "sys.exit(main(['keygen', '-W', '-s', 'a.key']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        cwd=user.home,
        env=user.environment({}),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 74 and "File too large" in done.stderr
    assert files(user) == []


@pytest.mark.parametrize(
    "command",
    [["keygen"], ["pubkey"], ["password"], ["key", "age"], ["key", "encrypt"], ["key", "decrypt"]],
    ids=" ".join,
)
def test_the_short_help_fits_a_screen_and_the_long_one_ends_with_an_example(
    command: list[str], user: User
) -> None:
    short, complete = user.run(*command, "-h"), user.run(*command, "--help")
    assert short.code == complete.code == 0
    assert len(short.out.splitlines()) <= 40
    assert complete.out.splitlines()[-1].startswith("  binstall ")
