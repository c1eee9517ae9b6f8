"""Package formats: what `pkg-fmt` may say, the extensions of each, and the guess from a URL template.

The order of `PackageFormat` and of each format's extensions is the order in which URLs are tried. A format
is declared or read off the template, never sniffed from a file's content.
"""

from __future__ import annotations

from enum import StrEnum


class PackageFormat(StrEnum):
    """The seven formats, in trial order; the value is the spelling of `pkg-fmt`."""

    TAR = "tar"
    TBZ2 = "tbz2"
    TGZ = "tgz"
    TXZ = "txz"
    TZSTD = "tzstd"
    ZIP = "zip"
    BIN = "bin"

    def extensions(self, *, windows: bool) -> tuple[str, ...]:
        """Return the extensions in trial order, dot included; `""` is a bare file name.

        `windows` tells whether the target is one of Windows, where a raw binary may also end in `.exe`.
        """
        if self is PackageFormat.BIN and windows:
            return (*_EXTENSIONS[self], ".exe")
        return _EXTENSIONS[self]


_EXTENSIONS: dict[PackageFormat, tuple[str, ...]] = {
    PackageFormat.TAR: (".tar",),
    PackageFormat.TBZ2: (".tbz2", ".tar.bz2", ".tbz", ".tar.bz"),
    PackageFormat.TGZ: (".tgz", ".tar.gz"),
    PackageFormat.TXZ: (".txz", ".tar.xz"),
    PackageFormat.TZSTD: (".tzstd", ".tzst", ".tar.zst"),
    PackageFormat.ZIP: (".zip",),
    PackageFormat.BIN: (".bin", ""),
}

_BY_EXTENSION: dict[str, PackageFormat] = {
    extension: package_format
    for package_format, extensions in _EXTENSIONS.items()
    for extension in extensions
} | {".exe": PackageFormat.BIN}


def parse_package_format(text: str) -> PackageFormat | None:
    """Return the format that `text` spells, in exact lower case, or None."""
    try:
        return PackageFormat(text)
    except ValueError:
        return None


def guess_package_format(template_text: str) -> PackageFormat | None:
    """Return the format that the end of a `pkg-url` template names, or None.

    Case counts, and something must stand before the dot: `{ repo }/x.tar.gz` is `tgz`, while `x.gz`,
    `x.TGZ`, `x.tgz?a=b`, `x.zip/download` and a bare `tgz` name nothing.
    """
    head, dot, last = template_text.rpartition(".")
    if not dot:
        return None
    if head.endswith(".tar"):
        compressed = _BY_EXTENSION.get(f".tar.{last}")
        if compressed is not None:
            return compressed
    return _BY_EXTENSION.get(f".{last}")
