"""The sample program runs on this machine and says who it is."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from binstall.errors import BinstallError
from binstall.formats.target import parse_target
from binstall.hosting.sample import sample_binary

LINUX = parse_target("x86_64-unknown-linux-musl")
WINDOWS = parse_target("x86_64-pc-windows-msvc")
HERE = WINDOWS if sys.platform == "win32" else LINUX


@pytest.mark.parametrize("version", ["1.2.3", '0.1.0-rc.1+it\'s "$HOME" `id` %s \\n'])
def test_it_prints_its_name_and_version(tmp_path: Path, version: str) -> None:
    program = tmp_path / f"hello{HERE.binary_ext}"
    program.write_bytes(sample_binary(version, HERE))
    program.chmod(0o755)
    done = subprocess.run([program], capture_output=True, check=True, env={"SYSTEMROOT": "C:\\Windows"})
    assert done.stdout.decode().rstrip("\r\n") == f"hello {version}"
    assert done.stderr == b""


def test_two_versions_differ() -> None:
    assert sample_binary("1.0.0", LINUX) != sample_binary("2.0.0", LINUX)


def test_for_windows_it_is_a_launcher_with_a_program_for_this_python() -> None:
    try:
        data = sample_binary("1.2.3", WINDOWS)
    except BinstallError as error:
        pytest.skip(str(error))
    assert data.startswith(b"MZ")
    assert f'#!"{sys.executable}"\r\nPK'.encode() in data
    with zipfile.ZipFile(io.BytesIO(data)) as program:
        assert program.read("__main__.py") == b"print('hello 1.2.3')\n"


def test_a_windows_machine_without_a_launcher_is_told_so() -> None:
    with pytest.raises(BinstallError, match="thumbv7a-pc-windows-msvc needs pip's launcher"):
        sample_binary("1.2.3", parse_target("thumbv7a-pc-windows-msvc"))
