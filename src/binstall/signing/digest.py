"""Judges that look at no signature: a checksum that somebody trusted named, and two that prove nothing.

Only `signing.verifier.decide` chooses `Unsigned` or `Skipped`, and what they record says what they proved:
nothing.
"""

from __future__ import annotations

from typing import ClassVar

from binstall.artifact import DigestName, Download, Evidence
from binstall.errors import ChecksumMismatch


class Sha256Verifier:
    """Accepts the one file whose SHA-256 is known, such as a `.crate` from the index."""

    digest_names: ClassVar[tuple[DigestName, ...]] = ("sha256",)

    def __init__(self, expected: bytes, what: str) -> None:
        """Take 32 bytes of digest and the words that an error calls the file by."""
        self._expected = expected
        self._what = what

    def judge(self, download: Download) -> Evidence:
        """Compare the digests.

        Raises:
            ChecksumMismatch: with both values.
        """
        found = download.digest("sha256")
        if found != self._expected:
            raise ChecksumMismatch(
                f"{self._what} should have SHA-256 {self._expected.hex()} and has {found.hex()}",
                hint="the download is damaged or the mirror was changed; if it stays so, tell the registry",
            )
        return Evidence(algorithm="sha256", verdict="checksum")


class Unsigned:
    """Lets a file pass that nobody signed, because policy allows it."""

    digest_names: ClassVar[tuple[DigestName, ...]] = ()

    def __init__(self, reason: str) -> None:
        """Take a sentence that says why there is no signature to check."""
        self.reason = reason

    def judge(self, download: Download) -> Evidence:
        """Return evidence of nothing."""
        del download
        return Evidence(algorithm="none", verdict="unsigned", warnings=(self.reason,))


class Skipped:
    """Lets a file pass because the user said not to look."""

    digest_names: ClassVar[tuple[DigestName, ...]] = ()

    def __init__(self, reason: str) -> None:
        """Take a sentence that says who skipped what."""
        self.reason = reason

    def judge(self, download: Download) -> Evidence:
        """Return evidence of nothing."""
        del download
        return Evidence(algorithm="none", verdict="skipped", warnings=(self.reason,))
