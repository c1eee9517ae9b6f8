"""The minisign key texts: public keys as manifests and `.pub` files hold them, and secret key files.

A public key is 56 characters of base64: `Ed`, 8 bytes of key id, 32 bytes of Ed25519. A `.pub` file puts
a comment line above it; both forms are read, because publishers paste both into `Cargo.toml`. The comment
is signed by nobody and never looked at, not even for the key id that it names.

A secret key file has the same two lines with 158 bytes in the second: what is needed to unlock it, then
key id, seed, public key and checksum, hidden under a password or in the clear. Taking them apart is done
here, unlocking them in `binstall.signing.minisign_keys`.
Pure: opens no file, uses no key.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field
from typing import Final

from binstall.errors import BadPublicKey, BadSecretKey
from binstall.formats.ed25519 import is_sound_public_key
from binstall.limits import (
    MAX_METADATA_STRING_CHARACTERS,
    MAX_SCRYPT_MEMLIMIT_BYTES,
    MAX_SCRYPT_OPSLIMIT,
    MAX_SECRET_KEY_BYTES,
)

KEY_ALGORITHM: Final = b"Ed"
"""In every key, public or secret, also in those that make prehashed signatures."""
KDF_NONE: Final = b"\0\0"
KDF_SCRYPT: Final = b"Sc"
CHECKSUM_BLAKE2B: Final = b"B2"
KEY_FILE_COMMENT: Final = "minisign encrypted secret key"
"""What minisign writes above every secret key, encrypted or not; readers conclude nothing from it."""

_PREFIX = "untrusted comment:"
_BLANK = " \t\r\n"
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}\Z")
_SECRET_BYTES = 158


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key whose point has been checked."""

    key_id: bytes
    """8 bytes, little-endian as stored. A label that no signature covers, never an identity."""
    ed25519: bytes
    """32 bytes."""

    @property
    def shown_id(self) -> str:
        """The key id as minisign prints it: 16 upper-case hex digits, most significant byte first."""
        return shown_key_id(self.key_id)

    @property
    def base64(self) -> str:
        """The 56 characters that stand in a manifest."""
        return encode_base64(KEY_ALGORITHM + self.key_id + self.ed25519)


def shown_key_id(key_id: bytes) -> str:
    """Return 8 bytes of key id as minisign prints them."""
    return key_id[::-1].hex().upper()


def parse_public_key(text: str) -> PublicKey:
    """Read a public key, bare or below its comment line, with blanks or line ends around it.

    Raises:
        BadPublicKey: reason `public-key`; any other text, or a key under which anybody could sign.
    """
    if len(text) > MAX_METADATA_STRING_CHARACTERS:
        raise _bad_public_key(
            f"the public key text has {len(text)} characters, more than {MAX_METADATA_STRING_CHARACTERS} "
            "(MAX_METADATA_STRING_CHARACTERS)"
        )
    lines = text.strip(_BLANK).split("\n")
    if len(lines) > 2:
        raise _bad_public_key(f"the public key text has {len(lines)} lines where one key was expected")
    if len(lines) == 2 and not lines[0].startswith(_PREFIX):
        raise _bad_public_key(f'the first line of the public key does not start with "{_PREFIX}"')
    line = lines[-1]
    raw = strict_base64(line, 42)
    if raw is None:
        raise _bad_public_key(_what_it_is(line))
    if raw[:2] != KEY_ALGORITHM:
        raise _bad_public_key(f"the public key has algorithm bytes {raw[:2].hex()} where 4564 (Ed) belongs")
    if not is_sound_public_key(raw[10:]):
        raise _bad_public_key(f"public key {shown_key_id(raw[2:10])} is no sound Ed25519 point")
    return PublicKey(key_id=raw[2:10], ed25519=raw[10:])


def serialize_public_key(key: PublicKey, comment: str | None = None) -> str:
    """Return the two lines of a `.pub` file; the default comment is minisign's."""
    if comment is None:
        comment = f"minisign public key {key.shown_id}"
    return f"{_PREFIX} {comment}\n{key.base64}\n"


@dataclass(frozen=True, slots=True, eq=False)
class SecretKeyFile:
    """The fields of a secret key file, still locked where it has a password."""

    kdf: bytes
    """2 bytes: `KDF_SCRYPT` or `KDF_NONE`."""
    salt: bytes
    """32 bytes; no meaning without a password."""
    opslimit: int
    """Work, in libsodium's unit; at most MAX_SCRYPT_OPSLIMIT if `kdf` is scrypt."""
    memlimit: int
    """Bytes; at most MAX_SCRYPT_MEMLIMIT_BYTES if `kdf` is scrypt."""
    body: bytearray = field(repr=False)
    """104 bytes: key id (8), seed (32), public key (32), checksum (32), XORed with the key stream where
    there is a password. Secret: wiped by whoever unlocks it."""


def parse_secret_key(data: bytes | bytearray) -> SecretKeyFile:
    """Read a secret key file: a comment line and a base64 line, LF or CRLF, blanks around them.

    Raises:
        BadSecretKey: reason `too-long`, `encoding`, `algorithm`, `kdf`, `checksum-algorithm` or
            `work-factor`: one that would keep this machine busy for minutes is refused unread.
    """
    if len(data) > MAX_SECRET_KEY_BYTES:
        raise BadSecretKey(
            f"the secret key has more than {MAX_SECRET_KEY_BYTES} bytes (MAX_SECRET_KEY_BYTES)",
            reason="too-long",
        )
    # Not "strict": its error object would carry the key about. What is replaced is no base64 any more.
    lines = data.decode("utf-8", errors="replace").strip(_BLANK).split("\n")
    if len(lines) != 2 or not lines[0].startswith(_PREFIX):
        raise BadSecretKey(
            f'the secret key is not two lines, the first one starting with "{_PREFIX}"', reason="encoding"
        )
    raw = strict_base64(lines[1], _SECRET_BYTES)
    if raw is None:
        if strict_base64(lines[1], 42) is not None:
            raise BadSecretKey("this is a public key where the secret key belongs", reason="encoding")
        raise BadSecretKey(
            f"the second line of the secret key is not base64 of {_SECRET_BYTES} bytes", reason="encoding"
        )
    if raw[:2] != KEY_ALGORITHM:
        raise BadSecretKey(
            f"the secret key has unknown algorithm bytes {raw[:2].hex()}", reason="algorithm"
        )
    if raw[2:4] not in {KDF_NONE, KDF_SCRYPT}:
        raise BadSecretKey(
            f"the secret key has unknown key derivation bytes {raw[2:4].hex()}", reason="kdf"
        )
    if raw[4:6] != CHECKSUM_BLAKE2B:
        raise BadSecretKey(
            f"the secret key has unknown checksum bytes {raw[4:6].hex()}", reason="checksum-algorithm"
        )
    opslimit, memlimit = int.from_bytes(raw[38:46], "little"), int.from_bytes(raw[46:54], "little")
    if raw[2:4] == KDF_SCRYPT and (opslimit > MAX_SCRYPT_OPSLIMIT or memlimit > MAX_SCRYPT_MEMLIMIT_BYTES):
        raise BadSecretKey(
            f"the secret key asks for scrypt limits {opslimit} and {memlimit}, more than "
            f"{MAX_SCRYPT_OPSLIMIT} (MAX_SCRYPT_OPSLIMIT) and {MAX_SCRYPT_MEMLIMIT_BYTES} "
            "(MAX_SCRYPT_MEMLIMIT_BYTES)",
            reason="work-factor",
        )
    return SecretKeyFile(raw[2:4], raw[6:38], opslimit, memlimit, bytearray(raw[54:]))


def serialize_secret_key(fields: SecretKeyFile, comment: str = KEY_FILE_COMMENT) -> bytes:
    """Return the two lines of a secret key file."""
    head = KEY_ALGORITHM + fields.kdf + CHECKSUM_BLAKE2B + fields.salt
    limits = fields.opslimit.to_bytes(8, "little") + fields.memlimit.to_bytes(8, "little")
    return f"{_PREFIX} {comment}\n{encode_base64(head + limits + fields.body)}\n".encode()


def strict_base64(text: str, size: int) -> bytes | None:
    """Return the `size` bytes that `text` encodes, or None unless it is their one and only encoding."""
    if len(text) != (size + 2) // 3 * 4 or not _BASE64.match(text):
        return None
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        return None
    return raw if len(raw) == size and encode_base64(raw) == text else None


def encode_base64(raw: bytes | bytearray) -> str:
    """Return the one encoding of `raw`, padded, without line end."""
    return binascii.b2a_base64(raw, newline=False).decode("ascii")


def _bad_public_key(message: str) -> BadPublicKey:
    return BadPublicKey(message, reason="public-key")


def _what_it_is(line: str) -> str:
    if not line:
        return "the public key is empty"
    if line.startswith(_PREFIX):
        return "the public key text has a comment line and no key"
    if strict_base64(line, _SECRET_BYTES) is not None:
        return "this is a secret key where the public key belongs"
    if strict_base64(line, 74) is not None:
        return "this is a signature where the public key belongs"
    return f"the public key has {len(line)} characters that are not base64 of 42 bytes"
