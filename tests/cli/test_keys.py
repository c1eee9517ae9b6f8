"""`binstall pubkey`, `password` and `key` as a user runs them, and the real tools on the same files."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

import signature_vectors
from binstall.signing.minisign_keys import generate, lock, unlock
from signature_vectors import needs_minisign
from support_keys import (
    CHEAP,
    User,
    age_tools,
    needs_pyrage,
    posix_only,
    read,
    run_tool,
)

IDENTITY = read("keys/age-identity.txt")
RECIPIENT = IDENTITY.split(b"public key: ")[1].split(b"\n")[0].decode()
PLAIN, PUBLIC = signature_vectors.read("keys/plain.key"), signature_vectors.read("keys/plain.pub").decode()


@pytest.fixture
def user(tmp_path: Path) -> User:
    """Somebody with a plain key, a protected one, and an age identity."""
    (tmp_path / "plain.key").write_bytes(PLAIN)
    with unlock(PLAIN, None) as key:
        (tmp_path / "protected.key").write_bytes(lock(key, b"pw", cost=CHEAP))
    (tmp_path / "id.txt").write_bytes(IDENTITY)
    for path in tmp_path.iterdir():
        path.chmod(0o600)
    return User(tmp_path)


def password_file(user: User, data: bytes) -> Path:
    path = user.home / "password"
    path.write_bytes(data)
    path.chmod(0o600)
    return path


# pubkey


def test_the_public_key_of_a_key_in_every_place(user: User) -> None:
    expected = PUBLIC.splitlines()[1]
    password = password_file(user, b"pw\n")
    text = (user.home / "protected.key").read_text()
    for done in (
        user.run("pubkey", "-s", "plain.key"),
        user.run("pubkey", "-s", "-", data=PLAIN),
        user.run("pubkey", variables={"BINSTALL_SIGNING_KEY": PLAIN.decode()}),
        user.run("pubkey", "-s", "protected.key", "--password-file", password),
        user.run("pubkey", "-s", "protected.key", "--password-fd", "0", data=b"pw"),
        user.run("pubkey", "-s", "protected.key", variables={"BINSTALL_SIGNING_PASSWORD": "pw\n"}),
        user.run("pubkey", variables={"BINSTALL_SIGNING_KEY": text, "BINSTALL_SIGNING_PASSWORD": "pw"}),
    ):
        assert (done.code, done.out) == (0, f"{expected}\n"), done
        assert done.err == "binstall: key id 7CF31CC99A284872\n" or "key id" in done.err


@posix_only
def test_the_password_is_asked_for_on_the_terminal(user: User) -> None:
    done = user.type_in(["pubkey", "-s", "protected.key"], ["pw\n"])
    assert (done.code, done.out) == (0, PUBLIC.splitlines()[1] + "\n"), done
    assert "Password of protected.key: " in done.terminal
    assert user.type_in(["pubkey", "-s", "protected.key"], ["PW\n"]).code == 16


def test_the_public_key_file_is_minisigns(user: User) -> None:
    assert user.run("pubkey", "-s", "plain.key", "-p", "plain.pub").code == 0
    assert (user.home / "plain.pub").read_text().splitlines()[1] == PUBLIC.splitlines()[1]
    assert user.run("pubkey", "-s", "plain.key", "-p", "plain.pub").code == 74
    assert user.run("pubkey", "-s", "plain.key", "-p", "plain.pub", "-f", "-q").out == ""


@needs_minisign
@pytest.mark.parametrize("options", [["-W"], []], ids=["without password", "with password"])
def test_a_key_of_minisigns_is_read(options: list[str], user: User) -> None:
    key, public = user.home / "theirs.key", user.home / "theirs.pub"
    run_tool("minisign", "-G", *options, "-s", key, "-p", public, data=b"" if options else b"pw\npw\n")
    done = user.run("pubkey", "-s", key, "--password-fd", "0", data=b"pw\n")
    assert (done.code, done.out) == (0, public.read_text().splitlines()[1] + "\n"), done


@posix_only
def test_a_wrong_password_is_told_at_once(user: User) -> None:
    start = time.monotonic()
    done = user.run("pubkey", "-s", "protected.key", "--password-fd", "0", data=b"PW\n")
    assert done.code == 16 and "the password does not open this secret key" in done.err
    assert time.monotonic() - start < 20


def test_an_open_key_file_is_warned_about_and_used(user: User) -> None:
    if os.name == "nt":
        pytest.skip("modes as POSIX has them")
    (user.home / "plain.key").chmod(0o644)
    done = user.run("pubkey", "-s", "plain.key")
    assert done.code == 0 and "warning" in done.err and "chmod 600" in done.err
    assert "warning" not in user.run("pubkey", "-s", "plain.key", "-q").err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["-s", "plain.pub"], 16, ["a minisign public key", "-p FILE"], id="public key"),
        pytest.param(["-s", "sig"], 16, ["a minisign signature", "-x"], id="signature"),
        pytest.param(["-s", "id.txt"], 16, ["an age identity", "-i"], id="identity"),
        pytest.param(["-s", "none.key"], 74, ["none.key cannot be read"], id="missing"),
        pytest.param(["-s", "cut.key"], 16, ["not base64 of 158 bytes"], id="truncated"),
        pytest.param(["-s", "."], 74, ["cannot be read"], id="a folder"),
        pytest.param(["-s", "hostile.key"], 16, ["MAX_SCRYPT_OPSLIMIT"], id="hostile work factor"),
        pytest.param(["-s", PUBLIC.splitlines()[1]], 2, ["-s takes a file", "-P its text"], id="key text"),
        pytest.param(
            ["-i", IDENTITY.split()[-1].decode(), "-s", "plain.key"],
            2,
            ["every process"],
            id="identity text",
        ),
        pytest.param([], 2, ["binstall keygen"], id="no key anywhere"),
        pytest.param(
            ["-s", "-", "--password-fd", "0"], 2, ["standard input can hold one"], id="two from stdin"
        ),
        pytest.param(["-s", "plain.key", "-s", "plain.key"], 2, ["2 times"], id="twice"),
    ],
)
def test_a_wrong_key_is_told_with_what_to_do(
    arguments: list[str], code: int, words: list[str], user: User
) -> None:
    (user.home / "plain.pub").write_text(PUBLIC)
    (user.home / "sig").write_bytes(signature_vectors.read("sign/basic.minisig"))
    (user.home / "cut.key").write_bytes(PLAIN[:200])
    (user.home / "hostile.key").write_bytes(signature_vectors.read("secret-keys/scrypt-opslimit-huge.key"))
    done = user.run("pubkey", *arguments)
    assert done.code == code, done
    for word in words:
        assert word in done.err
    assert IDENTITY.split()[-1].decode()[20:40] not in done.err


def test_a_secret_in_a_variable_without_a_value_is_told(user: User) -> None:
    done = user.run("pubkey", variables={"BINSTALL_SIGNING_KEY": ""})
    assert done.code == 2 and "BINSTALL_SIGNING_KEY is empty" in done.err
    done = user.run("pubkey", "-s", "-")
    assert done.code == 2 and "standard input is empty" in done.err
    # One that is not needed may be set to nothing, as a job does that serves all kinds of keys.
    done = user.run("pubkey", "-s", "plain.key", variables={"BINSTALL_AGE_IDENTITY": ""})
    assert (done.code, done.out) == (0, f"{PUBLIC.splitlines()[-1]}\n")


# password


@needs_minisign
@posix_only
def test_a_password_is_set_changed_and_removed_and_minisign_follows(user: User) -> None:
    key = user.home / "plain.key"
    (user.home / "plain.pub").write_text(PUBLIC)
    (user.home / "file").write_bytes(b"data")

    def minisign_signs(password: bytes) -> None:
        run_tool("minisign", "-S", "-s", key, "-m", user.home / "file", data=password)
        run_tool("minisign", "-V", "-H", "-p", user.home / "plain.pub", "-m", user.home / "file")

    done = user.type_in(["password", "-s", "plain.key"], ["one\n", "one\n"])
    assert (done.code, done.err) == (0, ""), done
    minisign_signs(b"one\n")
    (user.home / "new").write_bytes(b"two\n")
    (user.home / "new").chmod(0o600)
    changed = user.run(
        "password", "-s", "plain.key", "--new-password-file", "new", "--password-fd", "0", data=b"one\n"
    )
    assert changed.code == 0 and "new password" in changed.out, changed
    minisign_signs(b"two\n")
    removed = user.run("password", "-s", "plain.key", "-W", "--password-fd", "0", data=b"two\n")
    assert removed.code == 0 and "no password any more" in removed.out, removed
    minisign_signs(b"")
    assert key.stat().st_mode & 0o777 == 0o600


@needs_minisign
def test_what_minisign_changes_is_still_read(user: User) -> None:
    run_tool("minisign", "-C", "-s", user.home / "protected.key", data=b"pw\nnew\nnew\n")
    done = user.run("pubkey", "-s", "protected.key", "--password-fd", "0", data=b"new\n")
    assert (done.code, done.out) == (0, PUBLIC.splitlines()[1] + "\n"), done


@pytest.mark.parametrize(
    ("arguments", "data", "code", "words"),
    [
        (["-W", "--password-fd", "0"], b"wrong\n", 16, "does not open"),
        (["-W"], b"", 2, "no terminal to ask on"),
        (["-W", "--new-password-fd", "0"], b"x\n", 2, "-W removes"),
        (["--new-password-fd", "0", "--password-fd", "0"], b"x\n", 2, "can hold one of"),
        (
            ["--new-password-fd", "0", "--password-file", "pw"],
            b"",
            2,
            "--new-password-fd 0 holds no password",
        ),
        (["--new-password-fd", "0", "--password-file", "pw"], b"a\0b\n", 2, "NUL"),
        (["-s", "-"], b"", 2, "has no file"),
    ],
    ids=["wrong", "no source", "-W and new", "one descriptor", "nothing", "NUL", "stdin"],
)
def test_a_password_that_is_not_changed_leaves_the_key_as_it_was(
    arguments: list[str], data: bytes, code: int, words: str, user: User
) -> None:
    password_file(user, b"pw\n").rename(user.home / "pw")
    before = (user.home / "protected.key").read_bytes()
    key = [] if "-s" in arguments else ["-s", "protected.key"]
    done = user.run("password", *key, *arguments, data=data)
    assert done.code == code and words in done.err, done
    assert (user.home / "protected.key").read_bytes() == before


def test_a_key_without_password_has_none_to_remove(user: User) -> None:
    done = user.run("password", "-s", "plain.key", "-W")
    assert done.code == 0 and "nothing was changed" in done.out
    assert (user.home / "plain.key").read_bytes() == PLAIN


# key


@needs_pyrage
@pytest.mark.parametrize("tool", age_tools)
def test_an_identity_of_ours_is_the_tools_and_theirs_is_ours(tool: str, user: User) -> None:
    done = user.run("key", "age", "-o", "ours.txt")
    assert (done.code, done.err) == (0, "")
    assert (user.home / "ours.txt").stat().st_mode & 0o077 == 0
    assert run_tool(f"{tool}-keygen", "-y", user.home / "ours.txt").decode() == done.out
    run_tool(f"{tool}-keygen", "-o", user.home / "theirs.txt")
    theirs = run_tool(f"{tool}-keygen", "-y", user.home / "theirs.txt").decode()
    (user.home / "theirs.txt").chmod(0o600)
    assert user.run("key", "age", "-i", "theirs.txt").out == theirs
    assert user.run("key", "age", "-i", "-", data=(user.home / "theirs.txt").read_bytes()).out == theirs
    assert user.run("key", "age", "-o", "ours.txt").code == 74


@needs_pyrage
@pytest.mark.parametrize("tool", age_tools)
@pytest.mark.parametrize("armor", [[], ["-a"]], ids=["binary", "armoured"])
def test_a_key_file_goes_both_ways_between_the_tools_and_us(
    tool: str, armor: list[str], user: User
) -> None:
    other = user.run("key", "age", "-o", "other.txt").out.strip()
    done = user.run("key", "encrypt", "plain.key", *armor, "-r", RECIPIENT, "-r", other, "-o", "ours.age")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert (user.home / "ours.age").stat().st_mode & 0o077 == 0
    for identity in ("id.txt", "other.txt"):
        assert run_tool(tool, "-d", "-i", user.home / identity, user.home / "ours.age") == PLAIN
    run_tool(tool, *armor, "-r", other, "-o", user.home / "theirs.age", user.home / "plain.key")
    assert (
        user.run("key", "decrypt", "theirs.age", "-i", "id.txt", "-i", "other.txt", "-o", "out").code == 0
    )
    assert (user.home / "out").read_bytes() == PLAIN
    assert (user.home / "out").stat().st_mode & 0o777 == 0o600 or os.name == "nt"


@needs_pyrage
def test_files_pass_through_pipes(user: User) -> None:
    sealed = user.run("key", "encrypt", "-", "-r", RECIPIENT, "-o", "-", data=PLAIN, text=False)
    assert sealed.code == 0 and sealed.out.startswith("age-encryption.org/v1")
    opened = user.run("key", "decrypt", "-", "-i", "id.txt", "-o", "-", data=sealed.out.encode("latin-1"))
    assert (opened.code, opened.out) == (0, PLAIN.decode())
    by_variable = user.run(
        "key", "decrypt", "-", "-o", "-",
        data=sealed.out.encode("latin-1"), variables={"BINSTALL_AGE_IDENTITY": IDENTITY.decode()},
    )  # fmt: skip
    assert by_variable.out == PLAIN.decode()
    made = user.run("key", "age", "-o", "-")
    assert made.out.splitlines()[-1].startswith("AGE-SECRET-KEY-1") and "public key: age1" in made.err


@needs_pyrage
def test_a_passphrase_protects_a_key_file(user: User) -> None:
    done = user.run(
        "key", "encrypt", "plain.key", "--passphrase", "--password-fd", "0", "-o", "a.age", data=b"pw\n"
    )
    assert done.code == 0, done
    wrong = user.run("key", "decrypt", "a.age", "--password-fd", "0", "-o", "out", data=b"PW\n")
    assert wrong.code == 16 and "passphrase does not open" in wrong.err and not (user.home / "out").exists()
    assert user.run("key", "decrypt", "a.age", "--password-fd", "0", "-o", "out", data=b"pw\n").code == 0
    assert (user.home / "out").read_bytes() == PLAIN
    used = user.run("pubkey", "-s", "a.age", variables={"BINSTALL_SIGNING_PASSWORD": "pw"})
    assert used.out == PUBLIC.splitlines()[1] + "\n"


@needs_pyrage
@posix_only
def test_a_passphrase_is_asked_for_on_the_terminal(user: User) -> None:
    done = user.type_in(
        ["key", "encrypt", "plain.key", "--passphrase", "-a", "-o", "a.age"], ["pw\n", "pw\n"]
    )
    assert done.code == 0, done
    done = user.type_in(["key", "decrypt", "a.age", "-o", "out"], ["pw\n"])
    assert done.code == 0 and (user.home / "out").read_bytes() == PLAIN


@needs_pyrage
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["age"], 2, "one of -o and -i", id="age: nothing"),
        pytest.param(["age", "-o", "x", "-i", "id.txt"], 2, "one of -o and -i", id="age: both"),
        pytest.param(["age", "-i", "ssh"], 16, "public key file", id="age: ssh"),
        pytest.param(["encrypt", "plain.key", "-o", "x"], 2, "-r RECIPIENT and --passphrase", id="nobody"),
        pytest.param(
            ["encrypt", "plain.key", "-r", RECIPIENT, "--passphrase", "-o", "x"], 2, "alone", id="both"
        ),
        pytest.param(["encrypt", "plain.key", "-r", "age1se1qq", "-o", "x"], 16, "never run", id="plugin"),
        pytest.param(
            ["encrypt", "plain.key", "-r", "id.txt", "-o", "x"],
            16,
            "-i takes an age identity",
            id="identity",
        ),
        pytest.param(
            ["encrypt", "sealed.age", "-r", RECIPIENT, "-o", "x"], 2, "encrypted already", id="twice"
        ),
        pytest.param(
            ["encrypt", "plain.key", "-r", RECIPIENT, "-o", "id.txt"], 74, "exists already", id="exists"
        ),
        pytest.param(["encrypt", "plain.key", "-r", RECIPIENT], 2, "-o", id="no output"),
        pytest.param(["encrypt", "big", "-r", RECIPIENT, "-o", "x"], 74, "more than 1048576", id="too big"),
        pytest.param(
            ["encrypt", "plain.key", "--passphrase", "--password-fd", "0", "-o", "x"],
            2,
            "holds no password",
            id="no password",
        ),
        pytest.param(["decrypt", "sealed.age", "-o", "x"], 16, "no identity was given", id="no identity"),
        pytest.param(
            ["decrypt", "sealed.age", "-i", "other.txt", "-o", "x"],
            16,
            "does not open",
            id="other identity",
        ),
        pytest.param(["decrypt", "cut.age", "-i", "id.txt", "-o", "x"], 16, "damaged", id="truncated"),
        pytest.param(
            ["decrypt", "work.age", "--password-fd", "0", "-o", "x"],
            16,
            "MAX_AGE_SCRYPT_LOG_N",
            id="hostile work",
        ),
        pytest.param(
            ["decrypt", "plain.key", "-i", "id.txt", "-o", "x"], 16, "a minisign secret key", id="not age"
        ),
        pytest.param(
            ["decrypt", "sealed.age", "-i", "plugin.txt", "-o", "x"], 16, "never run", id="plugin identity"
        ),
        pytest.param(
            ["decrypt", "sealed.age", "-i", "sealed.age", "-o", "x"],
            16,
            "itself encrypted",
            id="encrypted identity",
        ),
        pytest.param(
            ["decrypt", "-", "-i", "-", "-o", "x"], 2, "standard input can hold one", id="two from stdin"
        ),
    ],
)
def test_a_wrong_use_is_told_and_leaves_nothing(
    arguments: list[str], code: int, words: str, user: User
) -> None:
    hostile = read("passphrase.age").split(b"\n")
    hostile[1] = hostile[1].rsplit(b" ", 1)[0] + b" 40"
    given = {
        "sealed.age": read("x25519.age"),
        "cut.age": read("truncated.age"),
        "work.age": b"\n".join(hostile),
        "other.txt": read("keys/age-identity-other.txt"),
        "plugin.txt": b"AGE-PLUGIN-YUBIKEY-1QQQQ\n",
        "ssh": read("keys/ssh-ed25519.key"),
        "big": bytes(1_048_577),
    }
    for name, data in given.items():
        (user.home / name).write_bytes(data)
    done = user.run("key", *arguments)
    assert done.code == code and words in done.err, done
    assert not (user.home / "x").exists()


@needs_pyrage
def test_no_secret_is_decrypted_into_a_package(user: User) -> None:
    (user.home / "Cargo.toml").write_text('[package]\nname = "x"\nversion = "1.0.0"\n')
    assert user.run("key", "encrypt", "plain.key", "-r", RECIPIENT, "-o", "a.age").code == 0
    done = user.run("key", "decrypt", "a.age", "-i", "id.txt", "-o", "out.key")
    assert done.code == 2 and "cargo publish" in done.err
    assert user.run("key", "age", "-o", "new.txt").code == 2
    assert not (user.home / "out.key").exists() and not (user.home / "new.txt").exists()


@needs_pyrage
def test_every_key_that_goes_in_comes_out(user: User) -> None:
    with generate() as key:
        data = lock(key, b"pw", cost=CHEAP)
    (user.home / "a.key").write_bytes(data)
    (user.home / "a.key").chmod(0o600)
    ssh = read("keys/ssh-rsa.pub").decode().strip()
    assert user.run("key", "encrypt", "a.key", "-r", ssh, "-o", "a.age").code == 0
    (user.home / "ssh").write_bytes(read("keys/ssh-rsa.key"))
    (user.home / "ssh").chmod(0o600)
    done = user.run("pubkey", "-s", "a.age", "-i", "ssh", "--password-fd", "0", data=b"pw")
    assert (done.code, done.out) == (0, key.public_key.base64 + "\n"), done
