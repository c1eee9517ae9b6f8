"""Registry URLs as `--index`, `[registries]` and `[source]` write them.

    sparse+https://host/path/      a sparse index; the final slash, which cargo insists on, may be left out
    https://host/repo.git          a git index; also http, ssh, file, and user@host:path

crates.io has one of each, and both mean its sparse index here: they are one registry.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from binstall.errors import BinstallError, TemplateError
from binstall.formats.crate_source import CRATES_IO, registry_source
from binstall.formats.git_url import GitUrl, parse_git_url
from binstall.formats.url import normal_url
from binstall.signing.verifier import key_is_authentic_from
from binstall.text import without_secrets

SPARSE: Final = "sparse"
GIT_INDEX: Final = "git index"
LOCAL_REGISTRY: Final = "local-registry"
DIRECTORY: Final = "directory"


@dataclass(frozen=True, slots=True)
class Place:
    """Where crates are; two spellings of one place are equal."""

    kind: str
    """`sparse`, `git index`, `local-registry`, `directory`; or `git`, which is no registry at all."""
    url: str
    """A sparse one is http(s) and ends with one slash, one of git has no `.git`; that of a folder is its path."""
    git: GitUrl | None = field(default=None, compare=False)
    """Of a git index: its address in full."""

    @property
    def recorded(self) -> str:
        """The URL that is recorded for a registry at this place."""
        if self.kind == SPARSE:
            return f"sparse+{self.url}"
        return self.url if self.git is None else self.git.url

    @property
    def is_authentic(self) -> bool:
        """Whether nobody on the way can rewrite what is read here."""
        if self.kind == SPARSE:
            return key_is_authentic_from(self.url)
        return self.git is None or self.git.is_authentic


CRATES_IO_PLACE: Final = Place(SPARSE, "https://index.crates.io/")


def registry_place(text: str, origin: str, error: type[BinstallError]) -> Place:
    """Read a registry URL; `origin` is the option, variable or file that has it.

    Raises:
        BinstallError: Of the class `error`, and no other: it is no registry URL.
    """
    shown = without_secrets(text[:200])
    if not text.startswith("sparse+"):
        return _git_index(text, origin, error)
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
    return Place(SPARSE, url.rstrip("/") + "/")


def _git_index(text: str, origin: str, error: type[BinstallError]) -> Place:
    address = parse_git_url(
        text,
        Path("/"),
        origin=origin,
        error=error,
        what="registry URL",
        hint="a sparse one is sparse+https://HOST/PATH/, one in git https://…, ssh://… or file:///…",
        paths=False,
    )
    place = Place(GIT_INDEX, address.url.rstrip("/").removesuffix(".git"), address)
    return CRATES_IO_PLACE if registry_source(place.url) == CRATES_IO else place
