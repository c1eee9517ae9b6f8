"""The publisher's half of minisign: new keys, secret key files, signatures. Bytes in, bytes out.

Keys and signatures are byte for byte what minisign makes from the same input, save one repair: a key
without password is written with its checksum, which minisign leaves zero and rsign2 demands.
Signatures are always prehashed. A legacy one over a 64-byte file could be passed off as a prehashed one of
whatever has that hash, and no verifier can see it; so there is no way to make one.

A password is raw bytes, as typed in UTF-8, not normalised, without line end. A wrong one shows only in the
checksum. Secrets live in bytearrays and are wiped after use; the copies that Python and the curve library
make on the way are out of reach.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final

from binstall.errors import BadSecretKey, UsageError, WrongPassword
from binstall.formats.minisig import PREHASHED, Signature, has_control_characters, serialize_signature
from binstall.formats.minisign_key import (
    KDF_NONE,
    KDF_SCRYPT,
    KEY_ALGORITHM,
    KEY_FILE_COMMENT,
    PublicKey,
    SecretKeyFile,
    parse_secret_key,
    serialize_secret_key,
)
from binstall.limits import (
    MAX_NEW_PASSWORD_BYTES,
    MAX_NEW_TRUSTED_COMMENT_BYTES,
    MAX_NEW_UNTRUSTED_COMMENT_BYTES,
    MAX_SCRYPT_MEMLIMIT_BYTES,
    MAX_SCRYPT_OPSLIMIT,
)
from binstall.signing.curve import public_half, sign

SIGNATURE_COMMENT: Final = "signature from minisign secret key"
"""The untrusted comment of a signature unless the publisher wants another."""

_SCRYPT_R = 8
_BODY_BYTES = 104


@dataclass(frozen=True, slots=True)
class ScryptCost:
    """The work that a password costs, in libsodium's limits."""

    opslimit: int
    memlimit: int
    """Bytes."""


MINISIGN_COST: Final = ScryptCost(MAX_SCRYPT_OPSLIMIT, MAX_SCRYPT_MEMLIMIT_BYTES)
"""What minisign writes: 1 GiB of memory, 2 to 4 seconds."""
RSIGN_COST: Final = ScryptCost(1_048_576, 33_554_432)
"""What rsign2 writes: 32 MiB, a tenth of a second; for machines without a GiB to spare."""


@dataclass(frozen=True, slots=True, eq=False)
class SecretKey:
    """An unlocked key pair. A context manager: leaving it wipes the seed."""

    public_key: PublicKey
    """Recomputed from the seed, never taken from a file."""
    seed: bytearray = field(repr=False)
    """32 bytes, secret; zeros once wiped."""

    def wipe(self) -> None:
        """Overwrite the seed; the key is of no use afterwards."""
        _wipe(self.seed)

    def __enter__(self) -> SecretKey:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wipe()


def generate() -> SecretKey:
    """Return a new key pair with a random key id."""
    seed = bytearray(os.urandom(32))
    return SecretKey(PublicKey(key_id=os.urandom(8), ed25519=public_half(seed)), seed)


def is_protected(data: bytes | bytearray) -> bool:
    """Tell whether a secret key file has a password, the empty one included.

    Raises:
        BadSecretKey: what `parse_secret_key` raises.
    """
    return parse_secret_key(data).kdf == KDF_SCRYPT


def unlock(data: bytes | bytearray, password: bytes | bytearray | None) -> SecretKey:
    """Read a secret key file. The password is ignored if the file has none.

    Raises:
        WrongPassword: reason `password`; it does not open the key, or none was given.
        BadSecretKey: what `parse_secret_key` raises; reason `checksum`, the file is damaged; reason
            `public-half`, the file's public key belongs to another seed, so that signing would give the
            secret away; reason `memory`, this machine cannot derive the key.
    """
    fields = parse_secret_key(data)
    body = fields.body
    protected = fields.kdf == KDF_SCRYPT
    try:
        if protected:
            if password is None:
                raise WrongPassword("the secret key has a password, and none was given", reason="password")
            _xor_key_stream(fields, password)
        _check_body(body, protected)
        return SecretKey(PublicKey(key_id=bytes(body[:8]), ed25519=bytes(body[40:72])), body[8:40])
    finally:
        _wipe(body)


def lock(
    key: SecretKey,
    password: bytes | bytearray | None,
    *,
    comment: str = KEY_FILE_COMMENT,
    cost: ScryptCost = MINISIGN_COST,
) -> bytes:
    """Return the file of a secret key, under a password or, with None, in the clear.

    The empty password is a password. To change or remove one: `unlock`, then `lock`.

    Raises:
        UsageError: a comment or a password that minisign could not read back.
        BadSecretKey: reason `memory`, this machine cannot derive the key.
    """
    _check_comment("untrusted comment", comment, MAX_NEW_UNTRUSTED_COMMENT_BYTES)
    if password is not None and (len(password) > MAX_NEW_PASSWORD_BYTES or _has_line_end(password)):
        raise UsageError(
            f"the password has a line break or NUL in it, or more than {MAX_NEW_PASSWORD_BYTES} bytes "
            "(MAX_NEW_PASSWORD_BYTES), and minisign could not take it"
        )
    # Piece by piece: bytes + bytearray would be bytes, which nobody can wipe.
    body = bytearray(key.public_key.key_id)
    body += key.seed
    body += key.public_key.ed25519
    body += _checksum(body)
    if password is None:
        fields = SecretKeyFile(KDF_NONE, bytes(32), 0, 0, body)
    else:
        fields = SecretKeyFile(KDF_SCRYPT, os.urandom(32), cost.opslimit, cost.memlimit, body)
    try:
        if password is not None:
            _xor_key_stream(fields, password)
        return serialize_secret_key(fields, comment)
    finally:
        _wipe(body)


def sign_digest(
    key: SecretKey, blake2b: bytes, trusted_comment: str, untrusted_comment: str = SIGNATURE_COMMENT
) -> bytes:
    """Return the signature file over a file's BLAKE2b-512 (64 bytes); the same bytes on every call.

    Raises:
        UsageError: a comment with control characters, or longer than minisign itself can write.
    """
    if len(blake2b) != 64:
        raise ValueError("the digest must be BLAKE2b with 64 bytes")
    _check_comment("untrusted comment", untrusted_comment, MAX_NEW_UNTRUSTED_COMMENT_BYTES)
    _check_comment("trusted comment", trusted_comment, MAX_NEW_TRUSTED_COMMENT_BYTES)
    public = key.public_key
    ed25519 = sign(blake2b, key.seed, public.ed25519)
    covered = ed25519 + trusted_comment.encode("utf-8")
    return serialize_signature(
        Signature(
            algorithm=PREHASHED,
            key_id=public.key_id,
            ed25519=ed25519,
            trusted_comment=trusted_comment,
            global_ed25519=sign(covered, key.seed, public.ed25519),
            untrusted_comment=untrusted_comment,
        )
    )


def scrypt_parameters(cost: ScryptCost) -> tuple[int, int, int]:
    """Return N, r and p by libsodium's rule, which every tool for these files follows."""
    opslimit = max(cost.opslimit, 32768)
    memory_bound = opslimit >= cost.memlimit // 32
    most = cost.memlimit // 1024 if memory_bound else opslimit // 32
    n = 2
    while n <= most // 2 and n < 1 << 62:
        n *= 2
    p = min((1 << 30) - 1, opslimit // 4 // n) // _SCRYPT_R if memory_bound else 1
    return n, _SCRYPT_R, p


def _xor_key_stream(fields: SecretKeyFile, password: bytes | bytearray) -> None:
    n, r, p = scrypt_parameters(ScryptCost(fields.opslimit, fields.memlimit))
    memory = 128 * r * (n + p + 2)
    try:
        stream = bytearray(
            hashlib.scrypt(password, salt=fields.salt, n=n, r=r, p=p, maxmem=memory, dklen=_BODY_BYTES)
        )
    except (MemoryError, ValueError) as error:
        raise BadSecretKey(
            f"the password of this secret key takes {memory >> 20} MiB of memory, which cannot be had here",
            reason="memory",
        ) from error
    for at, mask in enumerate(stream):
        fields.body[at] ^= mask
    _wipe(stream)


def _check_body(body: bytearray, protected: bool) -> None:
    checksum = body[72:]
    is_unwritten = not protected and not any(checksum)  # as `minisign -G -W` leaves it
    if checksum != _checksum(body) and not is_unwritten:
        if protected:
            raise WrongPassword(
                "the password does not open this secret key",
                reason="password",
                hint="a damaged file shows in the same way",
            )
        raise BadSecretKey("the checksum of the secret key does not match", reason="checksum")
    if public_half(body[8:40]) != body[40:72]:
        raise BadSecretKey(
            "the secret key file holds the public key of another key",
            reason="public-half",
            hint="never sign with this file: its signatures would give the secret key away",
        )


def _checksum(body: bytearray) -> bytes:
    state = hashlib.blake2b(KEY_ALGORITHM, digest_size=32)
    with memoryview(body) as view:
        state.update(view[:72])
    return state.digest()


def _check_comment(what: str, comment: str, limit: int) -> None:
    try:
        size = len(comment.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise UsageError(f"the {what} is not Unicode text") from error
    if size > limit:
        raise UsageError(f"the {what} has {size} bytes, more than {limit}, which minisign could not read")
    if has_control_characters(comment):
        raise UsageError(f"the {what} holds a line break or another control character")


def _has_line_end(password: bytes | bytearray) -> bool:
    return b"\n" in password or b"\0" in password


def _wipe(secret: bytearray) -> None:
    secret[:] = bytes(len(secret))
