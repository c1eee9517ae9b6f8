"""The minisign signature file: `.minisig`, and `.sig` beside a package.

Four lines: `untrusted comment: …`, base64 of algorithm (2), key id (8) and Ed25519 signature (64),
`trusted comment: …`, and base64 of the global signature (64), which covers the 64 signature bytes and the
trusted comment. Algorithm, key id and the untrusted comment are covered by nothing.

Read here is what both minisign and minisign-verify read, less what only one meaning should be given to:
text after line 4, control characters, files above 16384 bytes. So whatever is accepted can be checked with
the stock tools. `serialize_signature(parse_signature(data))` gives `data` back where it has LF line ends, a
final newline and no blank lines after it.
Pure: opens no file, uses no key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from binstall.errors import BadSignature
from binstall.formats.minisign_key import encode_base64, shown_key_id, strict_base64
from binstall.limits import MAX_SIGNATURE_BYTES, MAX_TRUSTED_LINE_BYTES, MAX_UNTRUSTED_LINE_BYTES

PREHASHED: Final = b"ED"
"""The signature covers BLAKE2b-512 of the file: the one algorithm that is made and accepted."""
LEGACY: Final = b"Ed"
"""The signature covers the file itself. Relabelled, a prehashed signature is a legacy one of a file that
holds 64 bytes of hash: a forgery without the key."""

_UNTRUSTED = "untrusted comment: "
_TRUSTED = "trusted comment: "
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Signature:
    """One parsed signature file; nothing in it is trusted yet."""

    algorithm: bytes
    """2 bytes, any; only `PREHASHED` may be accepted."""
    key_id: bytes
    """8 bytes, little-endian as stored."""
    ed25519: bytes
    """64 bytes, over BLAKE2b-512 of the file."""
    trusted_comment: str
    """One line, no control characters but TAB; true only once `global_ed25519` holds."""
    global_ed25519: bytes
    """64 bytes, over `covered_by_global`."""
    untrusted_comment: str
    """Signed by nobody: kept for `serialize_signature`, never shown as fact."""

    @property
    def covered_by_global(self) -> bytes:
        """The message of the global signature: signature, then trusted comment without its prefix."""
        return self.ed25519 + self.trusted_comment.encode("utf-8")

    @property
    def shown_id(self) -> str:
        """The key id as minisign prints it."""
        return shown_key_id(self.key_id)


def has_control_characters(text: str) -> bool:
    """Tell whether a comment holds U+0000-U+001F other than TAB, U+007F or U+0080-U+009F."""
    return _CONTROL.search(text) is not None


def parse_signature(data: bytes) -> Signature:
    """Take a signature file apart.

    Raises:
        BadSignature: reason `too-long`, `utf8`, `encoding`, `control-char` or `trailing-data`.
    """
    if len(data) > MAX_SIGNATURE_BYTES:
        raise BadSignature(
            f"the signature has more than {MAX_SIGNATURE_BYTES} bytes (MAX_SIGNATURE_BYTES)",
            reason="too-long",
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadSignature(
            f"the signature is not UTF-8 text at byte {error.start}", reason="utf8"
        ) from error
    lines = text.split("\n")
    if len(lines) < 4:
        raise _encoding(f"a minisign signature has four lines, this one has {len(lines)}")
    # A CR belongs to the line end only before an LF: after the last LF it is text.
    *ended, unended = lines
    whole = [line.removesuffix("\r") for line in ended] + [unended]
    for at, prefix, limit, name in (
        (0, _UNTRUSTED, MAX_UNTRUSTED_LINE_BYTES, "MAX_UNTRUSTED_LINE_BYTES"),
        (2, _TRUSTED, MAX_TRUSTED_LINE_BYTES, "MAX_TRUSTED_LINE_BYTES"),
    ):
        if not whole[at].startswith(prefix):
            raise _encoding(f'line {at + 1} of the signature does not start with "{prefix}"')
        if len(lines[at].encode("utf-8")) + 1 > limit:
            raise BadSignature(
                f"line {at + 1} of the signature has more than {limit} bytes ({name})", reason="too-long"
            )
    untrusted, trusted = whole[0].removeprefix(_UNTRUSTED), whole[2].removeprefix(_TRUSTED)
    for number, comment in ((1, untrusted), (3, trusted)):
        if has_control_characters(comment):
            raise BadSignature(
                f"line {number} of the signature holds a control character", reason="control-char"
            )
    box, global_ed25519 = strict_base64(whole[1], 74), strict_base64(whole[3], 64)
    if box is None:
        raise _encoding("line 2 of the signature is not base64 of 74 bytes")
    if global_ed25519 is None:
        raise _encoding("line 4 of the signature is not base64 of 64 bytes")
    if any(whole[4:]):
        raise BadSignature("the signature goes on after its fourth line", reason="trailing-data")
    return Signature(
        algorithm=box[:2],
        key_id=box[2:10],
        ed25519=box[10:],
        trusted_comment=trusted,
        global_ed25519=global_ed25519,
        untrusted_comment=untrusted,
    )


def serialize_signature(signature: Signature) -> bytes:
    """Return the four lines, each ended by LF."""
    box = encode_base64(signature.algorithm + signature.key_id + signature.ed25519)
    return (
        f"{_UNTRUSTED}{signature.untrusted_comment}\n{box}\n"
        f"{_TRUSTED}{signature.trusted_comment}\n{encode_base64(signature.global_ed25519)}\n"
    ).encode()


def _encoding(message: str) -> BadSignature:
    return BadSignature(message, reason="encoding")
