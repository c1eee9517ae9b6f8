"""age files: the vectors, the bounds, and the real tools in both directions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import AgeError, BinstallError, UsageError, WrongPassword
from binstall.formats.age_file import parse_age_header, without_armor
from binstall.limits import MAX_AGE_PLAINTEXT_BYTES, MAX_AGE_SCRYPT_LOG_N
from binstall.publish.age import (
    decrypt,
    decrypt_with_passphrase,
    encrypt,
    encrypt_with_passphrase,
    generate_identity,
    is_passphrase_file,
)
from binstall.publish.age_keys import parse_identities, parse_recipients
from binstall.publish.secrets import Secret
from support_keys import (
    User,
    age_tools,
    age_vectors,
    needs_age,
    needs_pyrage,
    posix_only,
    read,
    run_tool,
    secret,
)

pytestmark = needs_pyrage
THOUSAND = settings(max_examples=1000, deadline=None)
PLAINS = {
    "key": read("plain.key.txt"),
    "empty": b"",
    "a chunk": bytes(65536),
    "more than a chunk": bytes(range(256)) * 300,
}


def opened(case: dict[str, Any]) -> bytes:
    data = read(case["file"])
    if case["passphrase"] is not None:
        return bytes(decrypt_with_passphrase(data, secret(case["passphrase"])).data)
    identities = parse_identities(secret(read(case["identity"])), "the identity")
    return bytes(decrypt(data, identities).data)


@pytest.mark.parametrize("case", age_vectors())
def test_every_age_vector_gets_its_verdict(case: dict[str, Any]) -> None:
    if case["verdict"] == "accept":
        assert opened(case) == read(case["plaintext"])
    else:
        with pytest.raises((AgeError, WrongPassword)):
            opened(case)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("wrong-identity.age", "identity"),
        ("truncated.age", "damaged"),
        ("bit-flip-payload.age", "damaged"),
        ("trailing.age", "damaged"),
        ("armored-trailing-text.age", "armor"),
        ("empty.age", "not-age"),
        ("not-age.age", "not-age"),
        ("passphrase.age", "identity"),
    ],
)
def test_a_file_is_refused_for_its_fault(name: str, reason: str) -> None:
    name_of_identity = "age-identity-other.txt" if name == "wrong-identity.age" else "age-identity.txt"
    identities = parse_identities(secret(read(f"keys/{name_of_identity}")), "the identity")
    with pytest.raises(AgeError) as caught:
        decrypt(read(name), identities)
    assert caught.value.reason == reason


def test_a_wrong_passphrase_is_told_from_a_wrong_kind_of_file() -> None:
    assert is_passphrase_file(read("passphrase.age"))
    assert not is_passphrase_file(read("x25519-armored.age"))
    with pytest.raises(AgeError) as caught:
        decrypt_with_passphrase(read("x25519.age"), secret("pw"))
    assert caught.value.reason == "passphrase"


@pytest.mark.parametrize("log_n", [MAX_AGE_SCRYPT_LOG_N + 1, 30, 63, 255])
def test_a_hostile_work_factor_is_refused_before_any_work(log_n: int) -> None:
    lines = read("passphrase.age").split(b"\n")
    lines[1] = lines[1].rsplit(b" ", 1)[0] + b" %d" % log_n
    with pytest.raises(AgeError) as caught:
        decrypt_with_passphrase(b"\n".join(lines), secret("hunter2"))
    assert caught.value.reason == "work-factor"


@pytest.mark.skipif(sys.platform != "linux", reason="limits its memory as Linux does")
def test_a_machine_without_the_memory_gets_an_error_in_words(tmp_path: Path) -> None:
    lines = read("passphrase.age").split(b"\n")
    lines[1] = lines[1].rsplit(b" ", 1)[0] + b" 20"
    (tmp_path / "file.age").write_bytes(b"\n".join(lines))
    code = (
        "import resource, sys\n"
        "from binstall.errors import AgeError\n"
        "from binstall.publish.age import decrypt_with_passphrase\n"
        "from binstall.publish.secrets import Secret\n"
        "resource.setrlimit(resource.RLIMIT_AS, (700 << 20, 700 << 20))\n"
        "try:\n"
        "    decrypt_with_passphrase(open(sys.argv[1], 'rb').read(), Secret(bytearray(b'pw')))\n"
        "except AgeError as error:\n"
        "    print(error.reason, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, tmp_path / "file.age"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.startswith("memory the passphrase of the age file takes 1024 MiB")


@pytest.mark.parametrize("plain", PLAINS.values(), ids=PLAINS.keys())
@pytest.mark.parametrize("armored", [False, True], ids=["binary", "armoured"])
def test_every_recipient_and_nobody_else_opens_what_was_encrypted(plain: bytes, armored: bool) -> None:
    ours, other = generate_identity(), generate_identity()
    words = [ours.recipient, read("keys/ssh-ed25519.pub").decode(), read("keys/ssh-rsa.pub").decode()]
    data = encrypt(secret(plain), parse_recipients(words), armored=armored)
    assert data.startswith(b"-----BEGIN AGE" if armored else b"age-encryption.org/v1\n")
    for text in (bytes(ours.text.data), read("keys/ssh-ed25519.key"), read("keys/ssh-rsa.key")):
        assert decrypt(data, parse_identities(secret(text), "it")).data == plain
    with pytest.raises(AgeError, match="the identity does not open"):
        decrypt(data, parse_identities(other.text, "it"))


def test_a_passphrase_opens_what_was_encrypted_with_it() -> None:
    passphrase = "pässword \N{KEY}"
    data = encrypt_with_passphrase(secret(PLAINS["key"]), secret(passphrase), armored=True)
    log_n = parse_age_header(without_armor(data)).scrypt_log_n
    assert log_n is not None and log_n <= MAX_AGE_SCRYPT_LOG_N
    assert decrypt_with_passphrase(data, secret(passphrase)).data == PLAINS["key"]
    with pytest.raises(WrongPassword):
        decrypt_with_passphrase(data, secret(passphrase + " "))


@pytest.mark.parametrize(
    ("passphrase", "words"), [(b"", "nothing"), (b"\xff", "UTF-8")], ids=["empty", "not UTF-8"]
)
def test_a_passphrase_that_age_could_not_take_is_refused(passphrase: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        encrypt_with_passphrase(secret(b"x"), secret(passphrase))


def test_more_than_a_key_is_refused() -> None:
    recipients = parse_recipients([generate_identity().recipient])
    assert encrypt(secret(bytes(MAX_AGE_PLAINTEXT_BYTES)), recipients)
    with pytest.raises(AgeError) as caught:
        encrypt(secret(bytes(MAX_AGE_PLAINTEXT_BYTES + 1)), recipients)
    assert caught.value.reason == "too-long"


@THOUSAND
@given(
    st.sampled_from(
        ["x25519.age", "x25519-armored.age", "two-recipients.age", "ssh-ed25519.age", "ssh-rsa.age"]
    ),
    st.lists(
        st.tuples(st.integers(0, 1000), st.integers(0, 3), st.binary(max_size=3)), min_size=1, max_size=3
    ),
)
def test_an_edited_file_is_the_same_key_or_the_one_error(
    name: str, edits: list[tuple[int, int, bytes]]
) -> None:
    data = read(name)
    for at, size, by in edits:
        place = at % (len(data) + 1)
        data = data[:place] + by + data[place + size :]
    identities = [
        *parse_identities(secret(read("keys/age-identity.txt")), "x"),
        *parse_identities(secret(read("keys/ssh-ed25519.key")), "x"),
        *parse_identities(secret(read("keys/ssh-rsa.key")), "x"),
    ]
    try:
        plain = decrypt(data, identities)
    except AgeError as error:
        assert error.reason
    else:
        assert plain.data == PLAINS["key"]


@THOUSAND
@given(st.binary(max_size=200))
def test_a_random_payload_is_the_one_error(data: bytes) -> None:
    head = read("x25519.age")[:170]
    identities = parse_identities(secret(read("keys/age-identity.txt")), "x")
    with pytest.raises(AgeError):
        decrypt(head + data, identities)
    with pytest.raises(BinstallError):
        decrypt_with_passphrase(data, secret("pw"))


@pytest.mark.parametrize("tool", age_tools)
@pytest.mark.parametrize("plain", PLAINS.values(), ids=PLAINS.keys())
def test_the_tools_open_what_we_encrypt(tool: str, plain: bytes, tmp_path: Path) -> None:
    ours = generate_identity()
    words = [ours.recipient, read("keys/ssh-ed25519.pub").decode()]
    (tmp_path / "identity").write_bytes(bytes(ours.text.data) + b"\n")
    (tmp_path / "ssh").write_bytes(read("keys/ssh-ed25519.key"))
    (tmp_path / "ssh").chmod(0o600)
    for armored in (False, True):
        data = encrypt(secret(plain), parse_recipients(words), armored=armored)
        for identity in ("identity", "ssh"):
            assert run_tool(tool, "-d", "-i", tmp_path / identity, data=data) == plain


@pytest.mark.parametrize("tool", age_tools)
@pytest.mark.parametrize("options", [[], ["-a"]], ids=["binary", "armoured"])
def test_we_open_what_the_tools_encrypt(tool: str, options: list[str], tmp_path: Path) -> None:
    run_tool(f"{tool}-keygen", "-o", tmp_path / "identity")
    text = (tmp_path / "identity").read_bytes()
    recipient = text.split(b"public key: ")[1].split(b"\n")[0].decode()
    other = generate_identity()
    for plain in PLAINS.values():
        data = run_tool(tool, *options, "-r", other.recipient, "-r", recipient, data=plain)
        assert decrypt(data, parse_identities(secret(text), "it")).data == plain
        assert decrypt(data, parse_identities(Secret(bytearray(other.text.data)), "it")).data == plain
    data = run_tool(tool, *options, "-r", read("keys/ssh-rsa.pub").decode().strip(), data=PLAINS["key"])
    assert decrypt(data, parse_identities(secret(read("keys/ssh-rsa.key")), "it")).data == PLAINS["key"]


@needs_age
@posix_only
def test_passphrase_files_go_both_ways_between_age_and_us(tmp_path: Path) -> None:
    user = User(tmp_path)
    (tmp_path / "plain").write_bytes(PLAINS["key"])
    made = user.type_in(["-p", "-o", "theirs.age", "plain"], ["hunter2\n", "hunter2\n"], program=["age"])
    assert made.code == 0, made
    theirs = (tmp_path / "theirs.age").read_bytes()
    assert decrypt_with_passphrase(theirs, secret("hunter2")).data == PLAINS["key"]
    (tmp_path / "ours.age").write_bytes(encrypt_with_passphrase(secret(PLAINS["key"]), secret("hunter2")))
    read_back = user.type_in(["-d", "-o", "out", "ours.age"], ["hunter2\n"], program=["age"])
    assert read_back.code == 0, read_back
    assert (tmp_path / "out").read_bytes() == PLAINS["key"]


def test_without_the_library_the_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "pyrage.py").write_text("raise ImportError('not built for this system')\n")
    code = (
        "import sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from binstall.publish.age import generate_identity\n"
        "from binstall.errors import AgeError\n"
        "try: generate_identity()\n"
        "except AgeError as error: print(error.reason, error, error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], check=True, capture_output=True, text=True
    )
    assert done.stdout.startswith("library ")
    assert 'pip install "binstall[age]"' in done.stdout
