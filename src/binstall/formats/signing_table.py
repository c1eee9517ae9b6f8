"""`[package.metadata.binstall.signing]`, in the base table or under an override.

    algorithm = "minisign"          required; the only one so far
    pubkey = "RW…"                  required; its text is judged by whoever verifies with it
    file = "{ url }.sig"            optional template of the signature's URL
    group, release                  optional strings, carried along

A key that is none of these may be a restriction that would not be enforced: an error, except `x-…`.
"""

from __future__ import annotations

from dataclasses import dataclass

from binstall.formats.cargo_toml import Table
from binstall.formats.near_miss import PRIVATE_PREFIX, SIGNING_KEYS, meant_in_signing
from binstall.formats.template import Template, parse_template
from binstall.limits import MAX_METADATA_KEYS, MAX_METADATA_STRING_CHARACTERS, MAX_TEMPLATE_CHARACTERS

ALGORITHMS = frozenset({"minisign"})


@dataclass(frozen=True, slots=True)
class SigningConfig:
    """A complete signing table: the package must be signed so."""

    algorithm: str
    """A member of `ALGORITHMS`."""
    pubkey: str
    """As the manifest has it: the bare key, or with its comment line; not yet parsed."""
    file: Template | None
    """URL of the signature; None means `{ url }.sig`."""
    group: str | None
    release: str | None


@dataclass(frozen=True, slots=True)
class DeclaredSigning:
    """A signing table as written: right types, right keys, perhaps incomplete."""

    where: str
    """Dotted path of the table."""
    algorithm: str | None
    pubkey: str | None
    file: str | None
    """Template text, not yet parsed: another target's bad template is not this one's affair."""
    group: str | None
    release: str | None

    @property
    def problem(self) -> str | None:
        """Say why nothing can be verified by this table, or None."""
        if self.algorithm is None:
            return f"`{self.where}` has no `algorithm`"
        if self.algorithm not in ALGORITHMS:
            return f"`{self.where}.algorithm` is `{self.algorithm[:80]}`, which is not known"
        if self.pubkey is None:
            return f"`{self.where}` has no `pubkey`"
        return None

    @property
    def hint(self) -> str:
        """Say what to do about `problem`."""
        if self.algorithm is not None and self.algorithm not in ALGORITHMS:
            return "a newer version of binstall may know it; --skip-signatures installs without any check"
        return "tell the publisher; --skip-signatures installs without any check"

    def config(self) -> SigningConfig:
        """Return the table made usable; only to be called where `problem` is None.

        Raises `TemplateError` where `file` does not parse.
        """
        if self.algorithm is None or self.pubkey is None:
            raise ValueError(self.problem)
        file = None if self.file is None else parse_template(self.file)
        return SigningConfig(self.algorithm, self.pubkey, file, self.group, self.release)


def read_signing(table: Table) -> DeclaredSigning:
    """Read one signing table; raise the table's error on a wrong type or an unknown key."""
    if len(table.values) > MAX_METADATA_KEYS:
        raise table.error(
            f"{table.what}: `{table.where}` has more than {MAX_METADATA_KEYS} keys (MAX_METADATA_KEYS)"
        )
    for key in table.values:
        if key in SIGNING_KEYS or key.startswith(PRIVATE_PREFIX):
            continue
        guess = meant_in_signing(key)
        doubt = f"`{guess}` was probably meant" if guess else f"known are {', '.join(sorted(SIGNING_KEYS))}"
        raise table.wrong(key, f"is not a known key of a signing table; {doubt}")

    def text(key: str) -> str | None:
        return table.string(key, MAX_METADATA_STRING_CHARACTERS, "MAX_METADATA_STRING_CHARACTERS")

    return DeclaredSigning(
        where=table.where,
        algorithm=text("algorithm"),
        pubkey=text("pubkey"),
        file=table.string("file", MAX_TEMPLATE_CHARACTERS, "MAX_TEMPLATE_CHARACTERS"),
        group=text("group"),
        release=text("release"),
    )
