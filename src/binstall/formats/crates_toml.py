"""`.crates.toml`, cargo's list of installed crates, version 1.

    [v1]
    "bar 0.4.0 (sparse+https://reg.example/index/)" = ["bar"]
    "foo-cli 1.2.3 (registry+https://github.com/rust-lang/crates.io-index)" = [
        "foo",
        "foo-helper",
    ]

The key is a package id, name SP version SP source in round brackets; the value lists file names in `bin`.
An empty file lists nothing; any other must have the table `v1`. Tables and keys beside it survive.
cargo 1.70 and newer read this; one id of another shape makes cargo refuse every command on the root.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field

from binstall.errors import BadVersion, TrackingError
from binstall.formats.toml_text import toml_array, toml_document, toml_string
from binstall.formats.version import parse_version
from binstall.limits import MAX_TRACKING_BYTES


@dataclass(frozen=True, slots=True, order=True)
class PackageId:
    """One key of `[v1]`."""

    name: str
    """Not empty, without a blank."""
    version: str
    """As written; a semantic version."""
    source: str
    """`KIND+URL`, without the round brackets; kinds that are not known here are kept."""

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.source})"


@dataclass(frozen=True, slots=True)
class CratesToml:
    """A whole file."""

    packages: Mapping[PackageId, tuple[str, ...]] = field(default_factory=dict)
    """File names by package id, both in file order. Names are not checked: they may be no plain names."""
    other: Mapping[str, object] = field(default_factory=dict)
    """Everything beside `v1`, as `tomllib` gives it."""


def parse_crates_toml(data: bytes) -> CratesToml:
    """Read a whole file; raise `TrackingError`, and nothing else, on anything else."""
    if len(data) > MAX_TRACKING_BYTES:
        raise TrackingError(f"more than {MAX_TRACKING_BYTES} bytes (MAX_TRACKING_BYTES)")
    try:
        text = data.decode()
        if not text.strip(" \t\r\n"):
            return CratesToml()
        document = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise TrackingError("not UTF-8 text") from error
    except (ValueError, OverflowError) as error:
        raise TrackingError(f"not valid TOML: {str(error)[:200]}") from error
    except RecursionError:
        raise TrackingError("nested too deeply to be read") from None
    table = document.pop("v1", None)
    if not isinstance(table, dict):
        raise TrackingError("there is no table `v1`")
    return CratesToml(
        {parse_package_id(key): _file_names(key, value) for key, value in table.items()}, document
    )


def parse_package_id(text: str) -> PackageId:
    """Read one package id; raise `TrackingError`, and nothing else, on anything else."""
    name, _, rest = text.partition(" ")
    version, _, source = rest.partition(" ")
    if not name or not (source.startswith("(") and source.endswith(")")):
        raise TrackingError(f"`{_short(text)}` is not a package id")
    try:
        parse_version(version)
    except BadVersion as error:
        raise TrackingError(f"`{_short(text)}` is not a package id: {error.message}") from error
    return PackageId(name, version, source[1:-1])


def serialize_crates_toml(listing: CratesToml) -> bytes:
    """Return the file for `listing`, ids sorted; raise `TrackingError` where a name is not UTF-8 text."""
    lines = [
        f"{toml_string(str(package))} = {toml_array(names)}\n"
        for package, names in sorted(listing.packages.items())
    ]
    plain = {key: value for key, value in listing.other.items() if not isinstance(value, dict)}
    tables = {key: value for key, value in listing.other.items() if isinstance(value, dict)}
    text = "".join([*toml_document(plain), "\n" if plain else "", "[v1]\n", *lines, *toml_document(tables)])
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise TrackingError("a name that is not Unicode text cannot be recorded") from error


def _file_names(key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise TrackingError(f"`{_short(key)}` does not list file names")
    return tuple(value)


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}…"
