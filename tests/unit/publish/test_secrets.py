"""What is secret is wiped, not shown, not inherited, and not in a core dump."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from binstall.errors import LocalIOError
from binstall.publish.secrets import Secret, hold_secrets, read_secret, read_stream, take_variable
from support_keys import posix_only, secret

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what it knows of a process")


def run(code: str, **variables: str) -> str:
    """Run Python; return what it prints."""
    environment = {**os.environ, **variables}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    ).stdout


def test_a_secret_is_wiped_when_its_context_ends_however_it_ends() -> None:
    buffer = bytearray(b"top secret")
    with Secret(buffer) as held:
        assert held.data is buffer
    assert buffer == bytes(10)
    other = bytearray(b"x")
    with pytest.raises(KeyboardInterrupt), Secret(other):
        raise KeyboardInterrupt
    assert other == b"\0"


def test_a_secret_is_neither_shown_nor_copied() -> None:
    held = secret("top secret")
    assert "top" not in f"{held} {held!r}"
    for carry in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            carry(held)


def test_a_variable_is_taken_out_of_the_environment() -> None:
    environment = {"A": "pässword\n", "B": ""}
    assert take_variable(environment, "C") is None
    taken, empty = take_variable(environment, "A"), take_variable(environment, "B")
    assert taken is not None and taken.data == "pässword\n".encode()
    assert empty is not None and len(empty) == 0
    assert environment == {}


@linux_only
def test_neither_a_child_nor_an_onlooker_sees_a_taken_variable() -> None:
    code = (
        "import os, subprocess, sys\n"
        "from binstall.publish.secrets import take_variable\n"
        "before = open('/proc/self/environ', 'rb').read()\n"
        "taken = take_variable(os.environ, 'SECRET')\n"
        "after = open('/proc/self/environ', 'rb').read()\n"
        "child = subprocess.run(['env'], capture_output=True).stdout\n"
        "print(bytes(taken.data), b'hush' in before, b'hush' in after, b'hush' in child, b'PATH=' in after)\n"
    )
    assert run(code, SECRET="hush-hush").strip() == "b'hush-hush' True False False True"


@linux_only
def test_a_process_with_secrets_leaves_no_core_and_is_not_dumpable() -> None:
    code = """
import ctypes, resource
from binstall.publish.secrets import Secret, hold_secrets
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
soft = hard if 0 <= hard < 4096 else 4096
resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
lock_limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)
def state():
    core = resource.getrlimit(resource.RLIMIT_CORE)
    dumpable = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)
    return core == (soft, hard), core[0], dumpable
print(state() == (True, soft, 1))
with hold_secrets():
    with hold_secrets():
        key = Secret(bytearray(64))
    locked = int(open("/proc/self/status").read().split("VmLck:")[1].split()[0])
    print(state()[1:] == (0, 0), locked > 0 or lock_limit[0] in range(8192))
print(state() == (True, soft, 1), resource.getrlimit(resource.RLIMIT_MEMLOCK) == lock_limit)
"""
    assert run(code).split() == ["True"] * 5


@linux_only
def test_another_process_of_the_user_cannot_look_at_memory_or_environment() -> None:
    code = (
        "import ctypes, os, resource, subprocess\n"
        "from binstall.publish.secrets import hold_secrets\n"
        "if os.geteuid() == 0:  # who may look at everything\n"
        "    os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "with hold_secrets():\n"
        "    for name in ('environ', 'mem'):\n"
        "        done = subprocess.run(['cat', f'/proc/{os.getpid()}/{name}'], capture_output=True)\n"
        "        print(done.returncode, b'Permission denied' in done.stderr)\n"
        "    print(len(os.listdir('/proc/self/fd')) > 0)\n"
    )
    assert run(code).split() == ["1", "True", "1", "True", "True"]


def test_secrets_are_held_once_and_let_go_on_an_error() -> None:
    with pytest.raises(ZeroDivisionError), hold_secrets():
        raise ZeroDivisionError
    with hold_secrets():
        pass


def test_a_file_is_read_whole_up_to_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for size in (0, 1, 65536, 65537, 200_000):
        data = os.urandom(size)
        path.write_bytes(data)
        assert read_secret(path, 200_000, None).data == data
    with pytest.raises(LocalIOError, match="more than 199999 bytes"):
        read_secret(path, 199_999, None)


def test_a_pipe_is_read_to_its_end() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"secret\n")
    os.close(writer)
    assert read_stream(reader, 100, "the pipe").data == b"secret\n"
    os.close(reader)
    with pytest.raises(LocalIOError, match="the pipe cannot be read"):
        read_stream(reader, 100, "the pipe")


def test_what_cannot_be_read_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(LocalIOError, match=r"nothing\.key cannot be read: No such file"):
        read_secret(tmp_path / "nothing.key", 10, None)
    with pytest.raises(LocalIOError, match="cannot be read"):
        read_secret(tmp_path, 10, None)


@posix_only
@pytest.mark.parametrize(
    ("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True), (0o620, True)]
)
def test_a_file_that_others_may_use_is_warned_about(mode: int, warned: bool, tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    path.write_bytes(b"x")
    path.chmod(mode)
    warnings: list[str] = []
    read_secret(path, 10, warnings.append)
    assert len(warnings) == warned
    if warned:
        assert str(path) in warnings[0] and f"{mode:04o}" in warnings[0] and "chmod 600" in warnings[0]
