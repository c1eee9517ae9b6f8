"""Private keys are found by what they are, whatever the file is called."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import UsageError
from binstall.limits import MAX_KEY_SEARCH_BYTES
from binstall.publish.leak import Leak, private_key_in, private_keys_in, refuse_private_keys
from binstall.signing.minisign_keys import generate, lock
from support_keys import CHEAP, read

PLAIN = lock(generate(), None)
PROTECTED = lock(generate(), b"password", cost=CHEAP)
IDENTITY = read("keys/age-identity.txt")
SSH = (
    b"-----BEGIN OPENSSH PRIVATE KEY-----\n"
    b"b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZWQyNTUx\n"
)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        pytest.param(PLAIN, "a minisign secret key", id="minisign"),
        pytest.param(PROTECTED, "a minisign secret key", id="minisign with a password"),
        pytest.param(PLAIN.split(b"\n")[1], "a minisign secret key", id="without its comment"),
        pytest.param(
            b'const KEY: &str = "' + PLAIN.split(b"\n")[1] + b'";',
            "a minisign secret key",
            id="in a program",
        ),
        pytest.param(b"KEY=" + PLAIN.split(b"\n")[1], "a minisign secret key", id="in an env file"),
        pytest.param(PLAIN.replace(b"\n", b"\r\n"), "a minisign secret key", id="CRLF"),
        pytest.param(
            b"\xff\xfe" + PLAIN.decode().encode("utf-16-le"),
            "a minisign secret key",
            id="UTF-16, PowerShell",
        ),
        pytest.param(b"x" * 5000 + b"\n" + PLAIN, "a minisign secret key", id="far down"),
        pytest.param(IDENTITY, "an age identity", id="age"),
        pytest.param(b"ID=" + IDENTITY.split(b"\n")[2].lower(), "an age identity", id="age in lower case"),
        pytest.param(SSH, "an ssh private key", id="ssh"),
        pytest.param(b"", None, id="nothing"),
        pytest.param(b"minisign encrypted secret key, AGE-SECRET-KEY-1...", None, id="words about keys"),
        pytest.param(b"-----BEGIN OPENSSH PRIVATE KEY-----\n...\n", None, id="an ssh key left out"),
        pytest.param(PLAIN.replace(b"A", b"-"), None, id="no base64"),
        pytest.param(generate().public_key.base64.encode(), None, id="a public key"),
        pytest.param(b"RW" + b"A" * 209 + b"=", None, id="other base64 of that length"),
    ],
)
def test_a_key_is_known_by_its_content(content: bytes, kind: str | None) -> None:
    assert private_key_in(content) == kind


def test_files_are_told_with_what_they_hold(tmp_path: Path) -> None:
    (tmp_path / "readme.md").write_bytes(b"words")
    (tmp_path / "logo.png").write_bytes(IDENTITY)
    (tmp_path / "big").write_bytes(bytes(MAX_KEY_SEARCH_BYTES) + PLAIN)
    files = [tmp_path / name for name in ("readme.md", "logo.png", "big", "absent")]
    assert list(private_keys_in([*files, tmp_path])) == [Leak(tmp_path / "logo.png", "an age identity")]
    with pytest.raises(
        UsageError, match=r"publish a private key with hello: .*logo\.png \(an age identity\)"
    ):
        refuse_private_keys(files, "hello")
    refuse_private_keys(files[:1], "hello")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes in folders")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert list(private_keys_in([tmp_path / "pipe"])) == []


@settings(max_examples=1000, deadline=None)
@given(
    st.binary(max_size=400), st.sampled_from([b"", PLAIN, PROTECTED, IDENTITY, SSH]), st.integers(0, 250)
)
def test_any_bytes_are_looked_through(around: bytes, key: bytes, cut: int) -> None:
    assert private_key_in(around + key[cut:]) in {
        None,
        "a minisign secret key",
        "an age identity",
        "an ssh private key",
    }
    if key and not cut:
        assert private_key_in(around + b"\n" + key) is not None
