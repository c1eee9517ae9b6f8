"""`binstall sign` as a publisher runs it: with a kept key, and just in time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from binstall.formats.minisign_key import serialize_public_key
from binstall.publish.stamp import SigningSection, stamp
from binstall.signing.binding import Expected
from binstall.signing.minisign_keys import SecretKey, generate, lock
from signature_vectors import minisign, needs_minisign
from support_check import needs_git
from support_files import tree
from support_keys import CHEAP, Ran, User, needs_age, needs_pyrage, posix_only, run_tool
from support_registry import Publisher
from support_sign import (
    GNU,
    MAC,
    MANIFEST,
    NAMES,
    PKG_URL,
    Publishing,
    crate,
    judged,
    release_files,
)

FILES = tuple(f"dist/{name}" for name in NAMES)


@pytest.fixture
def key() -> SecretKey:
    return generate()


@pytest.fixture
def user(tmp_path: Path, key: SecretKey) -> User:
    """Somebody who stands in a crate with the files of a release, and has a key elsewhere."""
    home = tmp_path / "home"
    crate(home)
    (home / ".gitignore").write_text("dist\n")
    release_files(home / "dist")
    secret = tmp_path / "secret"
    secret.mkdir()
    for name, data in [("plain", lock(key, None)), ("locked", lock(key, "pässword".encode(), cost=CHEAP))]:
        (secret / name).write_bytes(data)
        (secret / name).chmod(0o600)
    (secret / "pub").write_text(serialize_public_key(key.public_key))
    return Publishing(home)


def accepted(user: User, key: SecretKey, *names: str) -> None:
    for name in names:
        judged(user.home / name, user.home / f"{name}.sig", key.public_key.base64)


def section(user: User) -> Any:
    document = tomllib.loads((user.home / "Cargo.toml").read_text("utf-8"))
    return document["package"]["metadata"]["binstall"].get("signing")


def test_every_file_gets_its_signature_and_a_line_says_so(user: User, key: SecretKey) -> None:
    done = user.run("sign", "-s", "../secret/plain", "-m", FILES[0], FILES[1])
    assert (done.code, done.err) == (0, "")
    for name in FILES:
        assert f"{name}: signed by key {key.public_key.shown_id} in {name}.sig\n" in done.out
    accepted(user, key, *FILES)
    assert user.run("sign", "-q", "-s", "../secret/plain", FILES[0]) == Ran(0, "", "")


def test_the_key_may_come_from_input_or_the_environment(user: User, key: SecretKey) -> None:
    text = lock(key, None)
    assert user.run("sign", "-s", "-", FILES[0], data=text).code == 0
    variables = {"BINSTALL_SIGNING_KEY": text.decode()}
    assert user.run("sign", FILES[1], variables=variables).code == 0
    accepted(user, key, *FILES)


def test_an_empty_trusted_comment_is_the_default_one(user: User, key: SecretKey) -> None:
    assert user.run("sign", "-s", "../secret/plain", "-t", "", FILES[0]).code == 0
    text = (user.home / f"{FILES[0]}.sig").read_text()
    assert f"\tfile:{NAMES[0]}\thashed" in text
    assert user.run("sign", "--jit", "--offline", "-t", "", *FILES).code == 0
    assert f"\tfile:{NAMES[1]}\thashed\tcrate:" in (user.home / f"{FILES[1]}.sig").read_text()


@pytest.mark.parametrize("how", ["file", "descriptor", "variable"])
@posix_only
def test_the_password_needs_no_terminal(how: str, user: User, key: SecretKey, tmp_path: Path) -> None:
    password = "pässword\n".encode()
    (tmp_path / "password").write_bytes(password)
    (tmp_path / "password").chmod(0o600)
    words: list[str | Path] = ["sign", "-s", "../secret/locked", FILES[0]]
    if how == "file":
        done = user.run(*words, "--password-file", tmp_path / "password")
    elif how == "variable":
        done = user.run(*words, variables={"BINSTALL_SIGNING_PASSWORD": "pässword"})
    else:
        reader, writer = os.pipe()
        os.write(writer, password)
        os.close(writer)
        try:
            done = user.run(*words, "--password-fd", str(reader), pass_fds=[reader])
        finally:
            os.close(reader)
    assert (done.code, done.err) == (0, "")
    accepted(user, key, FILES[0])


@posix_only
def test_the_password_is_asked_for_on_a_terminal(user: User, key: SecretKey) -> None:
    done = user.type_in(["sign", "-s", "../secret/locked", FILES[0]], ["pässword\n"])
    assert done.code == 0 and "Password of ../secret/locked: " in done.terminal
    accepted(user, key, FILES[0])


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        pytest.param(["sign"], 2, "there is no file to sign", id="no file"),
        pytest.param(["sign", "-s", "KEY", "absent"], 74, "No such file", id="no such file"),
        pytest.param(["sign", "-s", "KEY", "dist"], 2, "is a folder", id="a folder"),
        pytest.param(["sign", "-s", "KEY", "old.sig"], 2, "is itself a signature", id="a signature"),
        pytest.param(["sign", "-s", "KEY", "../secret/plain"], 2, "-s takes a secret key", id="the key"),
        pytest.param(["sign", "-s", "PUB", "FILE"], 16, "-p FILE takes a public key", id="the public key"),
        pytest.param(
            ["sign", "-s", "old.sig", "FILE"], 16, "-x takes a signature", id="a signature as key"
        ),
        pytest.param(["sign", "-s", "absent", "FILE"], 74, "absent cannot be read", id="no such key"),
        pytest.param(["sign", "FILE"], 2, "no secret key was given", id="no key"),
        pytest.param(["sign", "-s", "LOCKED", "FILE"], 2, "--password-file", id="no terminal to ask on"),
        pytest.param(
            ["sign", "-s", "KEY", "-x", "y", "FILE", "OTHER"], 2, "-x names one", id="-x and two files"
        ),
        pytest.param(
            ["sign", "-s", "KEY", "-x", "Cargo.toml", "FILE"], 2, "is no signature", id="-x elsewhere"
        ),
        pytest.param(["sign", "-s", "KEY", "-x", "no/where", "FILE"], 74, "No such file", id="-x nowhere"),
        pytest.param(["sign", "-s", "KEY", "-t", "a\nb", "FILE"], 2, "line break", id="-t of two lines"),
        pytest.param(["sign", "-s", "KEY", "--force", "FILE"], 2, "--just-in-time only", id="--force"),
        pytest.param(["sign", "-s", "KEY", "--offline", "FILE"], 2, "--just-in-time only", id="--offline"),
        pytest.param(["sign", "-s", "KEY", "--package", "x", "FILE"], 2, "--manifest-path", id="--package"),
        pytest.param(["sign", "--jit", "-s", "KEY", "FILE"], 2, "makes its own", id="jit with a key"),
        pytest.param(["sign", "--jit", "-x", "y", "FILE"], 2, "makes its own", id="jit with -x"),
        pytest.param(
            ["sign", "--jit", "--offline", "-t", "{ git }", "FILE"],
            67,
            "`git`, which has no value",
            id="no git",
        ),
        pytest.param(
            ["sign", "--jit", "--offline", "--manifest-path", "absent", "FILE"],
            99,
            "absent",
            id="no manifest",
        ),
        pytest.param(["sign", "-s", "KEY", "a\tb"], 2, "cannot stand in a trusted comment", id="TAB"),
    ],
)
def test_what_cannot_be_done_is_told_and_leaves_nothing(
    words: list[str], code: int, told: str, user: User, key: SecretKey
) -> None:
    (user.home / "old.sig").write_bytes(
        b"untrusted comment: x\n" + b"RU" + b"A" * 97 + b"=\ntrusted comment: y\n" + b"A" * 86 + b"==\n"
    )
    if os.name == "posix":
        (user.home / "a\tb").touch()
    names = {
        "KEY": "../secret/plain", "LOCKED": "../secret/locked", "PUB": "../secret/pub",
        "FILE": FILES[0], "OTHER": FILES[1],
    }  # fmt: skip
    before = tree(user.home)
    done = user.run(*(names.get(word, word) for word in words))
    assert (done.code, done.out) == (code, ""), done
    assert done.err.count("error: ") == 1 and told in done.err, done.err
    assert tree(user.home) == before


def test_a_wrong_password_is_told_at_once(user: User, tmp_path: Path) -> None:
    done = user.run(
        "sign", "-s", "../secret/locked", *FILES, variables={"BINSTALL_SIGNING_PASSWORD": "password"}
    )
    assert done.code == 16 and "does not open" in done.err
    assert sorted(os.listdir(user.home / "dist")) == sorted(NAMES)


@posix_only
def test_a_key_that_others_may_read_is_used_with_a_warning(
    user: User, key: SecretKey, tmp_path: Path
) -> None:
    (tmp_path / "secret/plain").chmod(0o644)
    done = user.run("sign", "-s", "../secret/plain", FILES[0])
    assert done.code == 0 and "open to other users" in done.err
    accepted(user, key, FILES[0])


@needs_pyrage
@needs_age
def test_a_key_that_age_encrypted_is_opened_by_an_identity(
    user: User, key: SecretKey, tmp_path: Path
) -> None:
    identity = tmp_path / "secret/identity"
    run_tool("age-keygen", "-o", identity)
    identity.chmod(0o600)
    recipient = identity.read_text().split("public key: ")[1].split()[0]
    run_tool("age", "-r", recipient, "-o", tmp_path / "secret/key.age", tmp_path / "secret/plain")
    done = user.run("sign", "-s", "../secret/key.age", "-i", identity, FILES[0])
    assert done.code == 0, done
    variables = {"BINSTALL_AGE_IDENTITY": identity.read_text()}
    assert user.run("sign", "-s", "../secret/key.age", FILES[1], variables=variables).code == 0
    accepted(user, key, *FILES)


@needs_minisign
def test_minisign_reads_our_comments(user: User) -> None:
    words = ["-t", "trusted: {literally} Ünï", "-c", "untrusted Ünï"]
    assert user.run("sign", "-s", "../secret/plain", *words, FILES[0]).code == 0
    done = minisign(
        "-V",
        "-H",
        "-p",
        user.home / "../secret/pub",
        "-x",
        user.home / f"{FILES[0]}.sig",
        "-m",
        user.home / FILES[0],
    )
    assert done.returncode == 0 and "trusted: {literally} Ünï" in done.stdout
    assert (user.home / f"{FILES[0]}.sig").read_text().startswith("untrusted comment: untrusted Ünï\n")


def test_a_manifest_says_what_a_file_is_and_where_its_signature_goes(user: User, key: SecretKey) -> None:
    text = stamp(MANIFEST, SigningSection(key.public_key.base64, file="{ url }.minisig"))
    (user.home / "Cargo.toml").write_text(text)
    release_files(user.home / "dist", ("SHA256SUMS",))
    done = user.run("sign", "-s", "../secret/plain", "--manifest-path", ".", *FILES, "dist/SHA256SUMS")
    assert done.code == 0 and done.err.count("warning") == done.err.count("warning: no installer asks") == 1
    for name, target in zip(NAMES, (GNU, MAC), strict=True):
        place = user.home / "dist" / f"{name}.minisig"
        expected = Expected(name, "hello", "1.2.3", target)
        comment = judged(user.home / "dist" / name, place, key.public_key.base64, expected).trusted_comment
        assert comment is not None and comment.endswith(f"\tcrate:hello\tversion:1.2.3\ttarget:{target}")
    accepted(user, key, "dist/SHA256SUMS")


def test_a_manifest_with_another_key_is_warned_about(user: User) -> None:
    (user.home / "Cargo.toml").write_text(stamp(MANIFEST, SigningSection(generate().public_key.base64)))
    done = user.run("sign", "-s", "../secret/plain", "--manifest-path", ".", FILES[0])
    assert done.code == 0 and "declares another key" in done.err and "binstall stamp -P RW" in done.err


@pytest.mark.parametrize(
    "how", [["-s", "../secret/plain", "--manifest-path", "."], ["--jit", "--offline"]], ids=["kept", "jit"]
)
def test_a_private_key_in_the_package_is_a_reason_not_to_sign(how: list[str], user: User) -> None:
    (user.home / "src/main.png").write_bytes(lock(generate(), None))
    before = tree(user.home)
    done = user.run("sign", *how, FILES[0])
    assert done.code == 2 and "would publish a private key" in done.err and "main.png" in done.err
    assert tree(user.home) == before


SPY = """\
#!/bin/sh
env > "$SPY_FOLDER/spied-$(basename "$0")"
exit 1
"""


@posix_only
def test_no_child_inherits_a_secret(user: User, key: SecretKey, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("cargo", "git"):
        (tools / name).write_text(SPY)
        (tools / name).chmod(0o755)
    secrets = {
        "BINSTALL_SIGNING_KEY": lock(key, None).decode(),
        "BINSTALL_SIGNING_PASSWORD": "the password",
        "BINSTALL_AGE_IDENTITY": "AGE-SECRET-KEY-1",
    }
    variables = {**secrets, "PATH": f"{tools}:/usr/bin:/bin", "SPY_FOLDER": str(tmp_path)}
    for words in (["--manifest-path", "."], ["--jit", "--offline", "-t", "{run}"]):
        done = user.run("sign", *words, FILES[0], variables={**variables, "GITHUB_RUN_ID": "77"})
        assert done.code == 0, done
        for tool in ("cargo", "git"):
            spied = tmp_path / f"spied-{tool}"
            assert "SPY_FOLDER" in spied.read_text()
            assert not [name for name in secrets if name in spied.read_text()]
            spied.unlink()


@needs_git
def test_just_in_time_in_one_command(user: User) -> None:
    for words in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"],
    ):
        run_tool("git", "-C", user.home, *words)
    commit = run_tool("git", "-C", user.home, "rev-parse", "HEAD").decode().strip()
    words = ["sign", "--just-in-time", "--offline", "--manifest-path", "Cargo.toml", *FILES]
    done = user.run(*words, "-t", "git={ git } run={ run }", variables={"GITHUB_RUN_ID": "77"})
    assert done.code == 0, done
    assert "the registry was not asked" in done.err and "forgotten" in done.err
    assert f"git={commit} run=77" in done.out and "stamped for hello 1.2.3" in done.out
    assert section(user)["release"] == "1.2.3" and section(user)["pubkey"] in done.out
    for name in NAMES:
        judged(user.home / "dist" / name, user.home / "dist" / f"{name}.sig", section(user)["pubkey"])
    assert sorted(os.listdir(user.home)) == [".git", ".gitignore", "Cargo.toml", "dist", "src"]
    before = tree(user.home)
    again = user.run(*words)
    assert (
        again.code == 0 and "is signed already by key" in again.out and "nothing was changed" in again.out
    )
    assert tree(user.home) == before


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[Publisher]:
    folder = tmp_path / "publisher"
    folder.mkdir()
    with Publisher(folder) as publisher:
        yield publisher


def test_the_registry_is_asked_and_a_published_version_gets_no_second_key(
    user: User, publisher: Publisher
) -> None:
    words = ["sign", "--jit", *FILES, "--index", publisher.index_url]
    words += ["--root-certificates", str(publisher.ca_file)]
    publisher.release("hello", "1.2.2")
    done = user.run(*words)
    assert done.code == 0, done
    ours = section(user)["pubkey"]
    before = tree(user.home)

    release = {"pkg-url": PKG_URL, "signing": {"pubkey": ours, "release": "1.2.3"}}
    publisher.release("hello", "1.2.3", metadata=release)
    done = user.run(*words)
    assert done.code == 0 and "and published with it; nothing was changed" in done.out
    assert tree(user.home) == before

    (user.home / "Cargo.toml").write_text(MANIFEST)
    fresh = tree(user.home)
    for force in ([], ["--force"]):
        done = user.run(*words, *force)
        assert done.code == 76 and "hello 1.2.3 is published already" in done.err, done
        assert tree(user.home) == fresh
    assert user.run(*words, "--offline", "-q").code == 0


def test_a_yanked_version_is_published_all_the_same(user: User, publisher: Publisher) -> None:
    publisher.release("hello", "1.2.3", yanked=True)
    before = tree(user.home)
    done = user.run(
        "sign", "--jit", *FILES, "--index", publisher.index_url, "--root-certificates", publisher.ca_file
    )
    assert done.code == 76 and "gets no second key" in done.err
    assert tree(user.home) == before


def test_a_crate_that_is_not_published_yet_is_signed(user: User, publisher: Publisher) -> None:
    publisher.release("other", "1.2.3")
    done = user.run(
        "sign", "--jit", *FILES, "--index", publisher.index_url, "--root-certificates", publisher.ca_file
    )
    assert done.code == 0, done
    assert section(user)["release"] == "1.2.3"


def test_a_registry_that_cannot_be_asked_is_an_error_that_names_the_way_out(user: User) -> None:
    before = tree(user.home)
    done = user.run(
        "sign", "--jit", *FILES, "--index", "sparse+http://127.0.0.1:9/", "--allow-insecure-http"
    )
    assert done.code == 76 and "--offline" in done.err
    assert tree(user.home) == before


def test_a_secret_is_never_shown(user: User, key: SecretKey) -> None:
    seed = lock(key, None).split(b"\n")[1].decode()
    done = user.run(
        "sign", FILES[0], variables={"BINSTALL_SIGNING_KEY": f"untrusted comment: x\n{seed[:-8]}\n"}
    )
    assert done.code == 16
    assert seed[60:120] not in done.out + done.err


def test_signing_imports_neither_network_nor_manifests_where_there_are_none(user: User) -> None:
    code = (
        "import sys\nfrom binstall.cli.app import main\n"
        "assert main(sys.argv[1:]) == 0\n"
        "late = ['tomllib', 'tomlkit', 'binstall.formats.manifest', 'binstall.net.http', 'rich', "
        "'binstall.resolve.candidates', 'subprocess', 'concurrent.futures', 'pyrage', 'json', 'cryptography']\n"
        "print([name for name in late if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "sign", "-q", "-s", "../secret/plain", FILES[0]],
        cwd=user.home,
        env=user.environment({}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done


@posix_only
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("files", [1, 3])
def test_a_signal_in_the_middle_ends_the_run_and_leaves_nothing(
    number: signal.Signals, files: int, user: User, tmp_path: Path
) -> None:
    folder = tmp_path / "big"
    folder.mkdir()
    for name in map(str, range(files)):
        (folder / name).touch()
        os.truncate(folder / name, 1 << 38)
    started = subprocess.Popen(
        [sys.executable, "-m", "binstall", "sign", "-s", "../secret/plain", *sorted(folder.iterdir())],
        cwd=user.home,
        env=user.environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not _reads(started.pid, folder):
            assert time.monotonic() < deadline and started.poll() is None
            time.sleep(0.02)
        started.send_signal(number)
        out, err = started.communicate(timeout=30)
    finally:
        started.kill()
        started.wait()
    assert (started.returncode, out) == (32, "")
    assert err.strip().startswith("error: ") and err.strip().count("\n") == 0
    assert sorted(os.listdir(folder)) == [str(at) for at in range(files)]


def _reads(process: int, folder: Path) -> bool:
    """Tell whether a process has a file of `folder` open; only Linux says so."""
    if sys.platform != "linux":
        time.sleep(3)
        return True
    try:
        names = [
            os.readlink(f"/proc/{process}/fd/{number}") for number in os.listdir(f"/proc/{process}/fd")
        ]
    except OSError:
        return False
    return any(name.startswith(str(folder)) for name in names)
