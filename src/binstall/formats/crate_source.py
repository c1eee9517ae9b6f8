"""Where a crate came from, as cargo writes it into package ids: `(KIND+URL)`.

    (registry+https://github.com/rust-lang/crates.io-index)    crates.io, by whatever route or mirror
    (registry+https://host/index)                              another registry with a git index
    (sparse+https://host/index/)                               another sparse registry; one slash at the end
    (path+file:///abs/olute)                                   a folder with a manifest
    (git+https://host/repo#COMMIT)                             a git repository

cargo refuses every command on a root in which one id has another shape. What is recorded holds no user
name, password or query.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Final
from urllib.parse import quote

from binstall.text import without_secrets

_URL_SAFE = "/%:?#[]@!$&'()*+,;=~"
_SCP_LIKE = re.compile(r"(?P<user>[^@/:]+)@(?P<host>[^/:]+):(?P<path>.*)\Z", re.DOTALL)
_CRATES_IO_ROUTES = frozenset({"https://index.crates.io", "https://github.com/rust-lang/crates.io-index"})


class SourceKind(StrEnum):
    """The value is cargo's word before the `+`; capitalised it is cargo-binstall's `source_type`."""

    REGISTRY = "registry"
    SPARSE = "sparse"
    PATH = "path"
    GIT = "git"


@dataclass(frozen=True, slots=True)
class CrateSource:
    """One source; made by the functions below."""

    kind: SourceKind
    url: str
    """Without kind; a sparse one without its last slash, a git one with `#COMMIT`."""

    def __str__(self) -> str:
        """Return the form inside a package id, without the round brackets."""
        return f"{self.kind}+{self.url}{'/' if self.kind is SourceKind.SPARSE else ''}"

    def members(self) -> dict[str, str]:
        """Return the form of `crates-v1.json`."""
        return {"source_type": self.kind.value.capitalize(), "url": self.url}


CRATES_IO: Final = CrateSource(SourceKind.REGISTRY, "https://github.com/rust-lang/crates.io-index")


def registry_source(index_url: str) -> CrateSource:
    """Return the source for an index URL as configured: `sparse+https://…`, or that of a git index."""
    kind, plus, url = index_url.partition("+")
    if not plus or kind not in (SourceKind.SPARSE, SourceKind.REGISTRY):
        kind, url = SourceKind.REGISTRY, index_url
    url = _recordable(url)
    if url.lower().rstrip("/").removesuffix(".git") in _CRATES_IO_ROUTES:
        return CRATES_IO
    return CrateSource(SourceKind(kind), url.rstrip("/") if kind == SourceKind.SPARSE else url)


def path_source(folder: PurePath) -> CrateSource:
    """Return the source for the folder of a manifest, an absolute path (else `ValueError`)."""
    return CrateSource(SourceKind.PATH, folder.as_uri())


def git_source(url: str, commit: str) -> CrateSource:
    """Return the source for a commit; `git@host:path` becomes an `ssh://` URL."""
    scp = _SCP_LIKE.match(url)
    if scp is not None:
        url = f"ssh://{scp['host']}/{scp['path'].lstrip('/')}"
    return CrateSource(SourceKind.GIT, f"{_recordable(url)}#{commit}")


def source_of(members: object) -> CrateSource | None:
    """Read the form of `crates-v1.json`; None for anything else."""
    if not isinstance(members, Mapping):
        return None
    kind, url = members.get("source_type"), members.get("url")
    if not isinstance(kind, str) or not isinstance(url, str):
        return None
    kinds = {known.value.capitalize(): known for known in SourceKind}
    return CrateSource(kinds[kind], url) if kind in kinds else None


def _recordable(url: str) -> str:
    return quote(without_secrets(url).partition("?")[0], safe=_URL_SAFE, errors="replace")
