"""Ed25519 by PyNaCl, imported at the first use: most commands verify nothing.

libsodium verifies without the cofactor and compares R byte for byte, as minisign does. The rules on
encodings are applied here first, so that they hold with any libsodium that PyNaCl was built with.
"""

from __future__ import annotations

from binstall.formats.ed25519 import is_sound_public_key, is_sound_signature


def is_signed(message: bytes, signature: bytes, public_key: bytes) -> bool:
    """Tell whether 64 bytes of signature over `message` hold under 32 bytes of public key."""
    from nacl import bindings
    from nacl.exceptions import BadSignatureError

    if not is_sound_public_key(public_key) or not is_sound_signature(signature):
        return False
    try:
        bindings.crypto_sign_open(signature + message, public_key)
    except BadSignatureError:
        return False
    return True


def public_half(seed: bytes | bytearray) -> bytes:
    """Return the 32-byte public key that belongs to a 32-byte seed."""
    from nacl import bindings

    return bindings.crypto_sign_seed_keypair(bytes(seed))[0]


def sign(message: bytes, seed: bytes | bytearray, public_key: bytes) -> bytes:
    """Return the one signature of `message`, 64 bytes; the same on every call.

    `public_key` must be the half that belongs to `seed`: signatures of one message under two public
    halves give the seed's secret away. Whoever reads a key file recomputes it.
    """
    from nacl import bindings

    return bindings.crypto_sign(message, bytes(seed) + public_key)[:64]
