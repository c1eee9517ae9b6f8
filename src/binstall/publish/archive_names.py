"""Archives of a release by their names, and what is in one that no installer gets to.

An archive whose signature nobody has verified is opened by the installer's own bounded reader alone, and only
the names of its members are looked at.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Final

from binstall.archive.archive import extract
from binstall.artifact import Download
from binstall.errors import ArchiveError, LocalIOError
from binstall.formats.package_format import PackageFormat
from binstall.signing.digest import Unsigned
from binstall.signing.verifier import verify

_EXTENSIONS: Final = {
    extension: package_format
    for package_format in PackageFormat
    if package_format is not PackageFormat.BIN
    for extension in package_format.extensions(windows=False)
}
_PLATFORM: Final = re.compile(
    r"(?<![a-z])(?:linux|gnu|musl|mac|macos|macosx|osx|darwin|apple|windows|win|win32|win64|msvc|freebsd|netbsd"
    r"|openbsd|illumos|android|universal|x86|x64|x86_64|amd64|arm64|aarch64|armv6|armv7|i386|i686|riscv64)"
    r"(?![a-z])",
    re.IGNORECASE,
)


def archive_format(name: str) -> PackageFormat | None:
    """Return the format that a file's name ends in; None if it is no archive's. A bare binary is none."""
    return _EXTENSIONS.get(name[len(stem(name)) :])


def stem(name: str) -> str:
    """Return the name of an archive without its extension; any other name as it is."""
    fitting = [extension for extension in _EXTENSIONS if name.endswith(extension)]
    return name[: len(name) - len(max(fitting, key=len))] if fitting else name


def names_a_platform(name: str) -> bool:
    """Tell whether a name has a word for a system or a processor: `tool-linux-x64.tar.gz`."""
    return _PLATFORM.search(stem(name)) is not None


def members_of(path: Path, package_format: PackageFormat) -> frozenset[str]:
    """Return the paths of the regular files in an archive; none where it cannot be read."""
    try:
        with path.open("rb") as file, tempfile.TemporaryDirectory() as folder:
            download = Download(str(path), file, path.stat().st_size)
            package = verify(download, Unsigned("only its names are read"))
            return extract(package, package_format, (), Path(folder)).members
    except (ArchiveError, LocalIOError, OSError):
        return frozenset()
