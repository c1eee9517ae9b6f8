"""The door: policy says what must be proved, a verifier judges, and only `verify` makes a VerifiedFile.

    policy           nothing declared     declared, key authentic     declared, key over plain http
    IF_DECLARED      Unsigned             Verify                      Unsigned
    REQUIRED         MissingSignature     Verify                      MissingSignature
    SKIP             Skipped              Skipped                     Skipped

The manifest names the key, so the key is as authentic as the way on which the manifest came.
A later algorithm is a module of this folder and one line in `VERIFIERS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Generic, Protocol, TypeVar

from binstall.artifact import DigestName, Download, Evidence, VerifiedFile
from binstall.errors import LocalIOError, MissingSignature, TemplateError, UnsupportedSignature
from binstall.formats.url import is_loopback, normal_url
from binstall.signing.binding import Expected
from binstall.signing.digest import Skipped, Unsigned
from binstall.signing.minisign import MinisignVerifier

Declared = TypeVar("Declared")


class Verifier(Protocol):
    """Judges one file. A verdict is a value or an error, never a bool."""

    @property
    def digest_names(self) -> tuple[DigestName, ...]:
        """What to compute while the file arrives, so that judging costs no second read."""

    def judge(self, download: Download) -> Evidence:
        """Return what was proved about the whole file.

        Raises:
            TrustError: the file is not what its publisher signed.
            ChecksumMismatch: it is not the one whose digest is known.
        """


def verify(download: Download, verifier: Verifier) -> VerifiedFile:
    """Have the file judged. Nothing else makes a VerifiedFile, and archive readers take nothing else.

    Raises:
        TrustError, ChecksumMismatch: what the verifier raises.
        LocalIOError: the file cannot be read.
    """
    try:
        evidence = verifier.judge(download)
    except OSError as error:
        raise LocalIOError(f"the downloaded file cannot be read: {error.strerror or error}") from error
    return VerifiedFile(download, evidence)


class VerifierMaker(Protocol):
    """What a module of this folder offers: a class of verifiers."""

    @property
    def digest_names(self) -> tuple[DigestName, ...]:
        """As of its verifiers; known before there is a signature."""

    def __call__(
        self, pubkey_text: str, signature: bytes, expected: Expected, allow_name_mismatch: bool, /
    ) -> Verifier:
        """Take the declared key, the signature file, what is being installed, and whether a mismatch of
        names is only a warning; do all checks that need no byte of the file."""


VERIFIERS: Final[Mapping[str, VerifierMaker]] = {
    "minisign": MinisignVerifier,
}
"""Algorithm, as `signing.algorithm` spells it, to the class of its verifiers."""


def new_verifier(
    algorithm: str,
    public_key: str,
    signature: bytes,
    expected: Expected,
    *,
    allow_name_mismatch: bool = False,
) -> Verifier:
    """Check all that needs no byte of the file, and return the judge of the file.

    Raises:
        UnsupportedSignature: no verifier for this algorithm.
        BadPublicKey, BadSignature: what the verifier of this algorithm raises.
    """
    return _maker_for(algorithm)(public_key, signature, expected, allow_name_mismatch)


def needed_digests(algorithm: str) -> tuple[DigestName, ...]:
    """Return what to compute while a file arrives: SHA-256 for the record, and what its verifier needs.

    Raises:
        UnsupportedSignature: no verifier for this algorithm.
    """
    return tuple(dict.fromkeys(("sha256", *_maker_for(algorithm).digest_names)))


def _maker_for(algorithm: str) -> VerifierMaker:
    maker = VERIFIERS.get(algorithm)
    if maker is None:
        known = ", ".join(sorted(VERIFIERS))
        raise UnsupportedSignature(
            f"the signature is declared with algorithm {algorithm[:100]}, and only {known} can be verified"
        )
    return maker


class SignaturePolicy(Enum):
    """What the user asks of signatures."""

    IF_DECLARED = auto()
    """Verify what the manifest declares; nothing declared is unsigned."""
    REQUIRED = auto()
    """`--only-signed`: unsigned is an error."""
    SKIP = auto()
    """`--skip-signatures`: never look."""


@dataclass(frozen=True, slots=True)
class Verify(Generic[Declared]):
    """The decision to fetch the declared signature and to accept nothing but what it covers."""

    signing: Declared
    """What the manifest declares."""


def decide(
    policy: SignaturePolicy, declared: Declared | None, *, key_is_authentic: bool
) -> Verify[Declared] | Unsigned | Skipped:
    """Turn the user's policy and the manifest's declaration into what happens to the file.

    `key_is_authentic` is False where the manifest came over a transport that anybody on the way can
    rewrite (`key_is_authentic_from`): whoever changes the package there also changes the key.

    Raises:
        MissingSignature: a signature is required, and there is none that proves anything.
    """
    if policy is SignaturePolicy.SKIP:
        return Skipped("signatures were not looked at (--skip-signatures)")
    if declared is not None and key_is_authentic:
        return Verify(declared)
    reason = (
        "its manifest declares no signature"
        if declared is None
        else "its public key came over plain http or from a mirror, where somebody else can replace it"
    )
    if policy is SignaturePolicy.REQUIRED:
        raise MissingSignature(
            f"a signed package was asked for (--only-signed), and {reason}",
            hint="ask the publisher to sign, or leave --only-signed out"
            if declared is None
            else "reach the registry over https",
        )
    return Unsigned(reason)


def key_is_authentic_from(registry_url: str) -> bool:
    """Tell whether nobody on the way can rewrite what this URL serves: https, a file, or this machine.

    What is not a URL is not authentic.
    """
    url = registry_url.removeprefix("sparse+")
    if url.startswith("file:///"):
        return True
    try:
        url = normal_url(url, what="the registry")
    except TemplateError:
        return False
    return url.startswith("https:") or is_loopback(url)
