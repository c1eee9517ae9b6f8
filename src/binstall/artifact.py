"""The two states of a downloaded file, as two types.

A `Download` is bytes from the network: whoever holds one may hash it and nothing else. A `VerifiedFile`
is made in one place, `binstall.signing.verifier.verify`, and is the only thing that archive readers take.
Both hold the same open file of a private folder: what was hashed is what is unpacked, never a name that
could by then mean another file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Literal, Protocol

from binstall.limits import CHUNK_BYTES

DigestName = Literal["sha256", "blake2b"]
"""`sha256` is SHA-256; `blake2b` is BLAKE2b with a 64-byte digest, no key, salt or personalisation."""


class Hash(Protocol):
    """The part of a `hashlib` object that is used here."""

    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


NEW_HASH: Mapping[DigestName, Callable[[], Hash]] = {
    "sha256": hashlib.sha256,
    "blake2b": hashlib.blake2b,
}


@dataclass(frozen=True, slots=True)
class Download:
    """One downloaded or local file that nobody has judged yet."""

    url: str
    """Where it was asked for, before redirects; may hold secrets (`text.without_secrets`)."""
    file: BinaryIO
    """Open for reading and seeking; position unspecified; closed by whoever made the folder."""
    size: int
    """Bytes."""
    digests: Mapping[DigestName, bytes] = field(default_factory=dict)
    """Digests over all of `file`, computed from byte 0 onwards while it arrived."""

    def digest(self, name: DigestName) -> bytes:
        """Return the digest of that name, from `digests` or by reading the open file once."""
        known = self.digests.get(name)
        if known is not None:
            return known
        state = NEW_HASH[name]()
        self.file.seek(0)
        while chunk := self.file.read(CHUNK_BYTES):
            state.update(chunk)
        return state.digest()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a verifier proved about one file. Only verifiers make one."""

    algorithm: str
    """`minisign`; `sha256` for a crate that the index vouches for; `none` for an unsigned package."""
    verdict: Literal["verified", "checksum", "unsigned", "skipped"]
    key_id: str | None = None
    """As minisign prints it: 16 upper-case hex digits. A label, not an identity."""
    public_key: str | None = None
    """The key in the form that manifests use."""
    trusted_comment: str | None = None
    """Signed text, without its prefix; escape it before it is shown."""
    warnings: tuple[str, ...] = ()
    """What was let pass because the user said so."""


@dataclass(frozen=True, slots=True)
class VerifiedFile:
    """A file that a verifier has judged. Made by `binstall.signing.verifier.verify` alone."""

    download: Download
    evidence: Evidence
