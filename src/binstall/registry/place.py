"""Registry URLs as `--index`, `[registries]` and `[source]` write them.

    sparse+https://host/path/      a sparse index; the final slash, which cargo insists on, may be left out
    https://host/repo.git          a git index; also http, ssh, git, file, and user@host:path

crates.io has one of each, and both mean its sparse index here: they are one registry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from binstall.errors import BinstallError, TemplateError
from binstall.formats.crate_source import CRATES_IO, registry_source
from binstall.formats.url import normal_url
from binstall.text import without_secrets

_GIT_SCHEMES: Final = frozenset({"http", "https", "ssh", "git", "file"})
_SCP_LIKE: Final = re.compile(r"[^\s/@:]+@[^\s/:]+:\S+\Z")


@dataclass(frozen=True, slots=True)
class Place:
    """Where crates are; two spellings of one place are equal."""

    kind: str
    """`sparse`, or what cannot be read yet: `git index`, `git`, `local-registry`, `directory`."""
    url: str
    """A sparse one is http(s) and ends with one slash; that of a folder is its path."""


CRATES_IO_PLACE: Final = Place("sparse", "https://index.crates.io/")


def registry_place(text: str, origin: str, error: type[BinstallError]) -> Place:
    """Read a registry URL; `origin` is the option, variable or file that has it.

    Raises:
        BinstallError: Of the class `error`, and no other: it is no registry URL.
    """
    shown = without_secrets(text[:200])
    if not text.startswith("sparse+"):
        return _git_index(text, shown, origin, error)
    try:
        url = normal_url(text.removeprefix("sparse+"), what="the sparse registry's URL")
    except TemplateError as cause:
        raise error(f"{origin} is no registry URL: {cause}") from cause
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise error(
            f"{origin} holds a user name or password: {shown}",
            hint="registries are given a token instead: CARGO_REGISTRIES_<NAME>_TOKEN",
        )
    if parts.query:
        raise error(f"{origin} holds a query, to which no path can be added: {shown}")
    return Place("sparse", url.rstrip("/") + "/")


def _git_index(text: str, shown: str, origin: str, error: type[BinstallError]) -> Place:
    scheme, separator, rest = text.partition("://")
    if not (separator and rest and scheme.lower() in _GIT_SCHEMES) and not _SCP_LIKE.match(text):
        raise error(
            f"{origin} is no registry URL: {shown}", hint="a sparse one is sparse+https://HOST/PATH/"
        )
    place = Place("git index", text.rstrip("/").removesuffix(".git"))
    return CRATES_IO_PLACE if registry_source(place.url) == CRATES_IO else place
