"""A sparse registry as a set of files, for any host that serves files by path.

    /index/config.json                  where crates are downloaded
    /index/1/a  /index/3/f/foo  /index/he/ll/hello      one line of JSON per version
    /crates/NAME/VERSION/download       the `.crate`

The registry URL is `sparse+BASE/index/`. cargo reads it as well as we do. Pure: nothing is served here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from binstall.formats.index import index_path


@dataclass(frozen=True, slots=True)
class PublishedCrate:
    """One version of one crate, as its index line tells it; no dependencies, no features."""

    name: str
    """As the publisher writes it; index files are named in lower case."""
    version: str
    """SemVer text, not judged here."""
    crate: bytes
    """The `.crate` file, of which the index names the SHA-256."""
    yanked: bool = False
    pubtime: str | None = None
    """When it was published, as the index writes it: `2026-01-31T12:00:00Z`."""


def index_url(base_url: str) -> str:
    """Return the registry URL that cargo and `--index` take; `base_url` has no final slash."""
    return f"sparse+{base_url}/index/"


def crate_path(name: str, version: str) -> str:
    """Return the path that a `.crate` is downloaded from."""
    return f"/crates/{name}/{version}/download"


def publish(base_url: str, crates: Iterable[PublishedCrate]) -> dict[str, bytes]:
    """Return every file of a registry, by path with its first slash.

    `base_url` is the host's, without final slash. Versions stand in the given order. Raises ValueError
    for a name and version given twice, and for two names of one index file.
    """
    files: dict[str, bytes] = {
        "/index/config.json": json.dumps({"dl": f"{base_url}/crates", "api": None}).encode()
    }
    names: dict[str, str] = {}
    for crate in crates:
        index = f"/index/{index_path(crate.name)}"
        if names.setdefault(index, crate.name) != crate.name:
            raise ValueError(f"crates {names[index]} and {crate.name} differ in case only")
        download = crate_path(crate.name, crate.version)
        if download in files:
            raise ValueError(f"{crate.name} {crate.version} is published twice")
        files[download] = crate.crate
        files[index] = files.get(index, b"") + _line(crate)
    return files


def _line(crate: PublishedCrate) -> bytes:
    entry: dict[str, object] = {
        "name": crate.name,
        "vers": crate.version,
        "deps": [],
        "cksum": hashlib.sha256(crate.crate).hexdigest(),
        "features": {},
        "yanked": crate.yanked,
        "v": 2,
    }
    if crate.pubtime is not None:
        entry["pubtime"] = crate.pubtime
    return json.dumps(entry).encode() + b"\n"
