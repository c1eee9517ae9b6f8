"""Minisign's legacy signatures, for `binstall verify --allow-legacy` and nothing else.

A legacy signature covers the file itself, not its hash. Whoever has a prehashed signature has a legacy one of
a file of 64 bytes, the hash: a forgery without the key. So no install accepts one: this class is not in the
table of `signing.verifier`, where installs look, and a test sees to it that one module alone imports it.

Everything but the kind of the signature is judged as in `signing.minisign`. The curve library wants the whole
file in memory, and up to four times on the way; hence MAX_LEGACY_FILE_BYTES, and one such file at a time.
"""

from __future__ import annotations

import threading
from typing import ClassVar

from binstall.artifact import DigestName, Download, Evidence
from binstall.errors import BadSignature, LocalIOError
from binstall.formats.minisig import LEGACY, parse_signature
from binstall.formats.minisign_key import parse_public_key
from binstall.limits import MAX_LEGACY_FILE_BYTES
from binstall.signing.binding import Expected
from binstall.signing.curve import is_signed
from binstall.signing.minisign import check_comment

_ONE_AT_A_TIME = threading.Lock()


def is_legacy(signature: bytes) -> bool:
    """Tell whether a signature file is of the legacy kind.

    Raises:
        BadSignature: what `parse_signature` raises.
    """
    return parse_signature(signature).algorithm == LEGACY


class LegacyVerifier:
    """Judges one file by a legacy signature; a value of this class has a verified trusted comment."""

    digest_names: ClassVar[tuple[DigestName, ...]] = ()

    def __init__(
        self, pubkey_text: str, signature: bytes, expected: Expected, allow_name_mismatch: bool = False
    ) -> None:
        """Do all checks that need no byte of the file.

        Raises:
            BadPublicKey: the key.
            BadSignature: the signature, as `MinisignVerifier`; reason `algorithm` if it is not legacy.
        """
        key = parse_public_key(pubkey_text)
        parsed = parse_signature(signature)
        if parsed.algorithm != LEGACY:
            raise BadSignature(
                f"the signature has algorithm bytes {parsed.algorithm.hex()}, not those of the legacy kind",
                reason="algorithm",
            )
        mismatches = check_comment(parsed, key, expected, allow_name_mismatch)
        self._warnings = (
            "the signature is of minisign's legacy kind, which others can forge from a prehashed one; "
            "it was let pass (--allow-legacy)",
            *mismatches,
        )
        self._key = key
        self._ed25519 = parsed.ed25519
        self.trusted_comment = parsed.trusted_comment
        """Signed by the key's holder; to be escaped before it is shown."""

    def judge(self, download: Download) -> Evidence:
        """Read the file into memory and verify the signature over it.

        Raises:
            BadSignature: reason `signature`; the file is not the one that was signed.
            LocalIOError: the file has more than MAX_LEGACY_FILE_BYTES.
        """
        with _ONE_AT_A_TIME:
            download.file.seek(0)
            data = download.file.read(MAX_LEGACY_FILE_BYTES + 1)
            if len(data) > MAX_LEGACY_FILE_BYTES:
                raise LocalIOError(
                    f"the file has more than {MAX_LEGACY_FILE_BYTES} bytes (MAX_LEGACY_FILE_BYTES), and its "
                    "legacy signature can only be verified in memory",
                    hint="the publisher should sign again with a minisign of 2020 or later, without -l",
                )
            good = is_signed(data, self._ed25519, self._key.ed25519)
        if not good:
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
