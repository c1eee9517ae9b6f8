"""The minisign verifier: one file, one signature, one pinned public key.

In this order, and each step refuses with the reason named (`BadSignature.reason`):

    1  public key: form, and a point that does not let anybody sign       public-key
    2  signature file: four lines                                         too-long utf8 encoding
                                                                          control-char trailing-data
    3  prehashed; a legacy signature can be forged from a prehashed one   legacy algorithm
    4  key ids equal; a label, but a different one means a different key  key-id
    5  global signature over signature and trusted comment                comment-signature
    6  fields of the trusted comment name what is being installed         name
    7  BLAKE2b-512 of the whole file, computed while it arrived or now
    8  signature over the digest                                          signature

Steps 1 to 6 need no byte of the file and are the constructor, so a refusal can stop the download. After
step 5 only the key's holder can have made the signature: what may still be wrong is the file.
"""

from __future__ import annotations

from typing import ClassVar

from binstall.artifact import DigestName, Download, Evidence
from binstall.errors import BadSignature
from binstall.formats.minisig import LEGACY, PREHASHED, Signature, parse_signature
from binstall.formats.minisign_key import PublicKey, parse_public_key
from binstall.signing.binding import Expected, check_binding, mismatches
from binstall.signing.curve import is_signed


class MinisignVerifier:
    """Judges one file; a value of this class has a sound key and a verified trusted comment."""

    digest_names: ClassVar[tuple[DigestName, ...]] = ("blake2b",)

    def __init__(
        self, pubkey_text: str, signature: bytes, expected: Expected, allow_name_mismatch: bool = False
    ) -> None:
        """Do steps 1 to 6. `allow_name_mismatch` turns step 6 alone into warnings of the evidence.

        Raises:
            BadPublicKey: step 1.
            BadSignature: steps 2 to 6.
        """
        key = parse_public_key(pubkey_text)
        parsed = parse_signature(signature)
        if parsed.algorithm == LEGACY:
            raise BadSignature(
                "the signature is of minisign's legacy kind, which others can forge from a prehashed one",
                reason="legacy",
                hint="the publisher should sign again with a minisign of 2020 or later, without -l",
            )
        if parsed.algorithm != PREHASHED:
            raise BadSignature(
                f"the signature has unknown algorithm bytes {parsed.algorithm.hex()}", reason="algorithm"
            )
        self._warnings = check_comment(parsed, key, expected, allow_name_mismatch)
        self._key = key
        self._ed25519 = parsed.ed25519
        self.trusted_comment = parsed.trusted_comment
        """Signed by the key's holder; to be escaped before it is shown."""

    def judge(self, download: Download) -> Evidence:
        """Do steps 7 and 8.

        Raises:
            BadSignature: reason `signature`; the file is not the one that was signed.
        """
        if not is_signed(download.digest("blake2b"), self._ed25519, self._key.ed25519):
            raise BadSignature(
                f"the file is not the one that key {self._key.shown_id} signed", reason="signature"
            )
        return Evidence(
            algorithm="minisign",
            verdict="verified",
            key_id=self._key.shown_id,
            public_key=self._key.base64,
            trusted_comment=self.trusted_comment,
            warnings=self._warnings,
        )


def check_comment(
    parsed: Signature, key: PublicKey, expected: Expected, allow_name_mismatch: bool
) -> tuple[str, ...]:
    """Do steps 4 to 6; return the mismatches of names that were let pass.

    Raises:
        BadSignature: reason `key-id`, `comment-signature` or `name`.
    """
    if parsed.key_id != key.key_id:
        raise BadSignature(
            f"the signature is by key {parsed.shown_id}, and key {key.shown_id} was expected",
            reason="key-id",
        )
    if not is_signed(parsed.covered_by_global, parsed.global_ed25519, key.ed25519):
        raise BadSignature(
            f"the signature or its trusted comment was altered, or is not by key {key.shown_id}",
            reason="comment-signature",
        )
    if allow_name_mismatch:
        return mismatches(parsed.trusted_comment, expected)
    check_binding(parsed.trusted_comment, expected)
    return ()
