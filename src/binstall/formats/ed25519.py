"""Which Ed25519 encodings may be used at all; arithmetic on public bytes, without a curve library.

Libraries differ here. OpenSSL verifies signatures under keys of order 2, 4 and 8, which anybody can make
without a secret; minisign-verify also takes an S that is not below the group order, so that a second
signature can be made from a first. What minisign refuses is refused here, whatever the library does.
Public keys and signatures are not secret: nothing here runs in constant time.
"""

from __future__ import annotations

from typing import Final

FIELD_PRIME: Final = 2**255 - 19
GROUP_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_D: Final = -121665 * pow(121666, -1, FIELD_PRIME) % FIELD_PRIME
_SIGN_BIT: Final = 1 << 255

_SMALL_ORDER_Y: Final = frozenset(
    int.from_bytes(bytes.fromhex(encoded), "little")
    for encoded in (
        "0000000000000000000000000000000000000000000000000000000000000000",  # order 4
        "0100000000000000000000000000000000000000000000000000000000000000",  # order 1
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",  # order 8
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",  # order 8
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  # order 2
    )
)


def is_sound_public_key(encoded: bytes) -> bool:
    """Tell whether 32 bytes are the one encoding of a point on the curve that is not of small order."""
    return _is_usable_encoding(encoded) and _is_on_curve(encoded)


def is_sound_signature(encoded: bytes) -> bool:
    """Tell whether 64 bytes, R then S, have S below the group order and an R that a signer would make."""
    return (
        len(encoded) == 64
        and int.from_bytes(encoded[32:], "little") < GROUP_ORDER
        and _is_usable_encoding(encoded[:32])
    )


def _is_usable_encoding(encoded: bytes) -> bool:
    if len(encoded) != 32:
        return False
    y = int.from_bytes(encoded, "little") & ~_SIGN_BIT
    return y < FIELD_PRIME and y not in _SMALL_ORDER_Y


def _is_on_curve(encoded: bytes) -> bool:
    # -x² + y² = 1 + d·x²·y², so x² = (y² - 1) / (d·y² + 1); the quotient of two numbers is a square
    # exactly when their product is one, and Euler's criterion tells. x = 0 was of small order.
    y = int.from_bytes(encoded, "little") & ~_SIGN_BIT
    product = (y * y - 1) * (_D * y * y + 1) % FIELD_PRIME
    return pow(product, (FIELD_PRIME - 1) // 2, FIELD_PRIME) == 1
