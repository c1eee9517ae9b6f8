"""Packages and crates: what is put in comes out of the standard tools, and twice the same."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable

import pytest

from binstall.formats.package_format import PackageFormat
from binstall.hosting.packing import build_crate, build_package

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MEMBERS = {"top/hello": b"#!/bin/sh\n", "top/deep/er/LICENSE": bytes(5000), "x" * 150: b"long name"}
DECOMPRESS: dict[PackageFormat, Callable[[bytes], bytes]] = {
    PackageFormat.TAR: bytes,
    PackageFormat.TGZ: gzip.decompress,
    PackageFormat.TBZ2: bz2.decompress,
    PackageFormat.TXZ: lzma.decompress,
    PackageFormat.TZSTD: zstd.decompress,
}
MANIFEST = '[package]\nname = "hello"\nversion = "1.2.3"\n'


@pytest.mark.parametrize("package_format", DECOMPRESS)
def test_a_tar_package_holds_its_members_as_executable_files(package_format: PackageFormat) -> None:
    data = DECOMPRESS[package_format](build_package(package_format, MEMBERS))
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        members = archive.getmembers()
        found = {member.name: archive.extractfile(member).read() for member in members}  # type: ignore[union-attr]
    assert list(found.items()) == list(MEMBERS.items())
    assert {(each.mode, each.mtime, each.uid, each.uname, each.type) for each in members} == {
        (0o755, 315532800, 0, "", tarfile.REGTYPE)
    }


def test_a_zip_package_holds_its_members_as_executable_files() -> None:
    with zipfile.ZipFile(io.BytesIO(build_package(PackageFormat.ZIP, MEMBERS))) as archive:
        assert {each.filename: archive.read(each) for each in archive.infolist()} == MEMBERS
        assert {each.external_attr >> 16 for each in archive.infolist()} == {0o100755}


def test_a_bare_binary_is_itself_and_alone() -> None:
    assert build_package(PackageFormat.BIN, {"hello": b"\x7fELF"}) == b"\x7fELF"
    for members in ({}, {"a": b"", "b": b""}):
        with pytest.raises(ValueError, match="is one file, not"):
            build_package(PackageFormat.BIN, members)


@pytest.mark.parametrize(
    "package_format", [each for each in PackageFormat if each is not PackageFormat.BIN]
)
def test_the_same_members_give_the_same_bytes_at_any_time(package_format: PackageFormat) -> None:
    first = build_package(package_format, MEMBERS)
    time.sleep(1.1 if package_format is PackageFormat.TGZ else 0)
    assert build_package(package_format, MEMBERS) == first


@pytest.mark.skipif(shutil.which("tar") is None, reason="tar is not installed")
def test_the_system_tar_lists_a_crate_under_one_folder() -> None:
    crate = build_crate(MANIFEST, {"src/main.rs": b"fn main() {}\n"})
    listed = subprocess.run(["tar", "tzf", "-"], input=crate, capture_output=True, check=True)
    assert listed.stdout.split() == [b"hello-1.2.3/Cargo.toml", b"hello-1.2.3/src/main.rs"]


@pytest.mark.parametrize("manifest", ["", "[package]\nname = 'x'", "package = 1", "[package"])
def test_a_crate_without_name_or_version_is_not_built(manifest: str) -> None:
    with pytest.raises(ValueError, match=r"name and version|Expected"):
        build_crate(manifest, {})
