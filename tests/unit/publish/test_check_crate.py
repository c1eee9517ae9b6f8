"""A `.crate` read as it will be published, whatever is in it."""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from binstall.errors import (
    ArchiveError,
    BadVersion,
    LocalIOError,
    ManifestError,
    NoBinaries,
    NoPackage,
    UsageError,
)
from binstall.hosting.packing import build_crate
from binstall.publish.check_crate import read_crate_file

MANIFEST = '[package]\nname = "x"\nversion = "1.0.0"\n[package.metadata.binstall]\nbin-dir = "{ bin }"\n'
AGE = b"AGE-SECRET-KEY-1" + b"Q" * 58
MINISIGN = base64.b64encode(b"EdSc" + b"B2" + bytes(152))
SSH = b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA"
MAIN = {"src/main.rs": b"fn main() {}\n"}


def write(folder: Path, files: Mapping[str, bytes], manifest: str = MANIFEST) -> Path:
    path = folder / "x-1.0.0.crate"
    path.write_bytes(build_crate(manifest, files))
    return path


def test_a_clean_crate_has_no_problem(tmp_path: Path) -> None:
    crate = read_crate_file(write(tmp_path, MAIN), None, {})
    assert (crate.manifest.name, str(crate.manifest.version)) == ("x", "1.0.0")
    assert crate.problems == ()
    assert crate.found.trusted_transport
    assert [binary.name for binary in crate.manifest.binaries] == ["x"]


def test_lines_are_those_of_the_manifest_that_a_person_wrote(tmp_path: Path) -> None:
    original = f"# a comment\n\n{MANIFEST}".encode()
    crate = read_crate_file(write(tmp_path, MAIN | {"Cargo.toml.orig": original}), None, {})
    assert crate.lines.place("name") == "Cargo.toml:4"
    crate = read_crate_file(write(tmp_path, MAIN | {"Cargo.toml.orig": b"\xff"}), None, {})
    assert crate.lines.place("name") == "x-1.0.0/Cargo.toml:2"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        pytest.param(AGE, "an age identity", id="age"),
        pytest.param(b"# created\n" + AGE.lower() + b"\n", "an age identity", id="age in lower case"),
        pytest.param(MINISIGN, "a minisign secret key", id="minisign"),
        pytest.param(b'key = "' + MINISIGN + b'"', "a minisign secret key", id="minisign in other text"),
        pytest.param(AGE.decode().encode("utf-16"), "an age identity", id="UTF-16"),
        pytest.param(SSH, "an ssh private key", id="ssh"),
    ],
)
@pytest.mark.parametrize(
    "name", ["key.txt", "src/main.rs", "assets/logo.png", ".hidden/x", "Cargo.toml.orig"]
)
def test_a_private_key_is_found_under_whatever_name(
    tmp_path: Path, content: bytes, kind: str, name: str
) -> None:
    (problem,) = read_crate_file(write(tmp_path, {**MAIN, name: content}), None, {}).problems
    assert isinstance(problem, UsageError)
    assert f"x-1.0.0/{name} ({kind})" in problem.message
    assert "Q" * 20 not in problem.message


def test_a_private_key_behind_a_second_member_of_one_name_is_found(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for content in (b"harmless", AGE):
            member = tarfile.TarInfo("x-1.0.0/notes")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, content in (("Cargo.toml", MANIFEST.encode()), ("src/main.rs", b"")):
            member = tarfile.TarInfo(f"x-1.0.0/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    path = tmp_path / "x-1.0.0.crate"
    path.write_bytes(buffer.getvalue())
    (problem,) = read_crate_file(path, None, {}).problems
    assert "x-1.0.0/notes (an age identity)" in problem.message


def test_what_is_no_crate_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.crate"
    path.write_bytes(b"not a crate")
    with pytest.raises(ArchiveError):
        read_crate_file(path, None, {})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("x-1.0.0/src/main.rs"))
    path.write_bytes(buffer.getvalue())
    with pytest.raises(ArchiveError, match="0 folders with a Cargo"):
        read_crate_file(path, None, {})
    with pytest.raises(LocalIOError):
        read_crate_file(tmp_path / "none.crate", None, {})
    with pytest.raises(NoBinaries):
        read_crate_file(write(tmp_path, {"src/lib.rs": b""}), None, {})


PLAIN = gzip.decompress(build_crate(MANIFEST, MAIN | {"Cargo.toml.orig": MANIFEST.encode()}))


def only_documented_errors(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with contextlib.suppress(ArchiveError, ManifestError, BadVersion, NoBinaries, NoPackage):
        read_crate_file(path, None, {})


@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, len(PLAIN) - 1), st.integers(0, 255)), max_size=6),
    st.integers(0, 3000),
)
def test_a_changed_crate_is_read_or_refused(
    tmp_path: Path, changes: list[tuple[int, int]], cut: int
) -> None:
    changed = bytearray(PLAIN)
    for at, value in changes:
        changed[at] = value
    del changed[len(changed) - cut if cut > 2000 else len(changed) :]
    only_documented_errors(tmp_path / "x-1.0.0.crate", gzip.compress(bytes(changed), 1))


@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=2000), st.booleans())
def test_any_bytes_are_refused(tmp_path: Path, content: bytes, packed: bool) -> None:
    only_documented_errors(tmp_path / "x-1.0.0.crate", gzip.compress(content, 1) if packed else content)
