"""Crates and release packages, built in memory: equal input gives equal bytes.

Members stand in the given order, as regular files of mode 0755 with a fixed time and no owner, and no
folder entries. Compressed bytes are equal for one version of the compression library, as everywhere.
"""

from __future__ import annotations

import io
import tarfile
import tomllib
import zipfile
from collections.abc import Mapping
from typing import Final

from binstall.formats.package_format import PackageFormat

_MODE: Final = 0o755
_TIME: Final = 315_532_800
"""1980-01-01 00:00:00 UTC in Unix seconds: the first moment that zip can write."""


def build_crate(manifest_text: str, files: Mapping[str, bytes]) -> bytes:
    """Return a `.crate`: a tar.gz with `Cargo.toml` and `files` under the folder NAME-VERSION.

    `files` maps paths inside the crate, with slashes, to contents. Raises ValueError where the manifest
    is not TOML or names no package and version.
    """
    package = tomllib.loads(manifest_text).get("package")
    if not isinstance(package, dict) or not {"name", "version"} <= package.keys():
        raise ValueError("a crate needs [package] with name and version")
    top = f"{package['name']}-{package['version']}"
    members = {"Cargo.toml": manifest_text.encode(), **files}
    return build_package(PackageFormat.TGZ, {f"{top}/{path}": content for path, content in members.items()})


def build_package(package_format: PackageFormat, members: Mapping[str, bytes]) -> bytes:
    """Return a package of that format; `members` maps paths with slashes to contents.

    Raises ValueError for `bin`, which is one bare file, with any other number of members.
    """
    match package_format:
        case PackageFormat.TAR:
            return _tar(members)
        case PackageFormat.TGZ:
            return _gzip(_tar(members))
        case PackageFormat.TBZ2:
            import bz2

            return bz2.compress(_tar(members))
        case PackageFormat.TXZ:
            import lzma

            return lzma.compress(_tar(members))
        case PackageFormat.TZSTD:
            return _zstd(_tar(members))
        case PackageFormat.ZIP:
            return _zip(members)
        case PackageFormat.BIN:
            if len(members) != 1:
                raise ValueError(f"a package of format bin is one file, not {len(members)}")
            return next(iter(members.values()))


def _tar(members: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, content in members.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode, member.mtime = len(content), _MODE, _TIME
            archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


def _gzip(data: bytes) -> bytes:
    import gzip

    target = io.BytesIO()
    # Unlike gzip.compress, GzipFile writes the same header on every Python.
    with gzip.GzipFile(filename="", mode="wb", fileobj=target, mtime=0) as file:
        file.write(data)
    return target.getvalue()


def _zstd(data: bytes) -> bytes:
    import sys

    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    return zstd.compress(data)


def _zip(members: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        for path, content in members.items():
            member = zipfile.ZipInfo(path, date_time=(1980, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system = 3  # Unix, on Windows too: the mode is read only then
            member.external_attr = (0o100000 | _MODE) << 16
            archive.writestr(member, content)
    return target.getvalue()
