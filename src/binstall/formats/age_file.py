"""The outside of an age file: armour and header, read before anything is decrypted.

    age-encryption.org/v1
    -> X25519 SHARE              a stanza for each recipient: type, arguments,
    BODY                         unpadded base64, 64 columns, the last line shorter
    --- MAC                      then 16 bytes of nonce and the sealed payload

`-> scrypt SALT LOGN` says that a passphrase opens the file; it stands alone, and LOGN is the work it takes,
chosen by whoever wrote the file. Armour is the whole file as base64 between two marks.
Stricter than the format in one point: armour holds nothing but full lines and one last line.
Pure: opens no file, uses no key.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from typing import Final

from binstall.errors import AgeError
from binstall.limits import (
    MAX_AGE_FILE_BYTES,
    MAX_AGE_HEADER_BYTES,
    MAX_AGE_SCRYPT_LOG_N,
    MAX_AGE_STANZAS,
)

VERSION_LINE: Final = b"age-encryption.org/v1"
_FAMILY: Final = b"age-encryption.org/"
_BEGIN: Final = b"-----BEGIN AGE ENCRYPTED FILE-----"
_END: Final = b"-----END AGE ENCRYPTED FILE-----"
_BLANK: Final = b" \t\r\n"
_NONCE_AND_TAG_BYTES: Final = 32

# Compiled at the first use: most runs meet no age file.
_ARGUMENTS = rb"-> ([!-~]+(?: [!-~]+)*)"
_FULL_LINE = rb"[A-Za-z0-9+/]{64}"
_LAST_LINE = rb"[A-Za-z0-9+/]{0,63}"
_MAC_LINE = rb"--- [A-Za-z0-9+/]{43}"
_SALT = rb"[A-Za-z0-9+/]{22}"
_LOG_N = rb"[1-9][0-9]{0,2}"


@dataclass(frozen=True, slots=True)
class AgeHeader:
    """Who may open an age file, as the file says; nothing in it is authenticated yet."""

    stanza_types: tuple[str, ...]
    """ASCII without blanks, at least one, in order; unknown ones included."""
    scrypt_log_n: int | None
    """Log2 of scrypt's N if a passphrase opens the file, 1 to MAX_AGE_SCRYPT_LOG_N; else None."""


def is_age_file(data: bytes | bytearray) -> bool:
    """Tell whether `data` begins as an age file of any version, armoured or not."""
    return data.startswith(_FAMILY) or data[:1024].lstrip(_BLANK).startswith(_BEGIN)


def without_armor(data: bytes) -> bytes:
    """Return an age file as bytes, whether it came so or armoured.

    Raises:
        AgeError: reason `too-long` or `armor`.
    """
    if len(data) > MAX_AGE_FILE_BYTES:
        raise AgeError(
            f"the age file has more than {MAX_AGE_FILE_BYTES} bytes (MAX_AGE_FILE_BYTES)", reason="too-long"
        )
    text = data.strip(_BLANK)
    if not text.startswith(_BEGIN):
        return data
    # A lone CR is no line end; where one stands, the line is no base64.
    lines = [line.removesuffix(b"\r") for line in text.split(b"\n")]
    body = lines[1:-1]
    if (
        lines[0] != _BEGIN
        or lines[-1] != _END
        or not body
        or not all(re.fullmatch(_FULL_LINE, line) for line in body[:-1])
    ):
        raise _bad_armor()
    try:
        binary = binascii.a2b_base64(b"".join(body), strict_mode=True)
    except binascii.Error as error:
        raise _bad_armor() from error
    if len(body[-1]) > 64 or not body[-1] or binascii.b2a_base64(binary, newline=False) != b"".join(body):
        raise _bad_armor()
    return binary


def parse_age_header(binary: bytes) -> AgeHeader:
    """Read the header of an age file without armour; see that a payload follows.

    Raises:
        AgeError: reason `not-age`, `version`, `header`, `truncated`, `too-many` or `work-factor`: a
            passphrase that would take minutes or more memory than a machine has is refused unread.
    """
    if not binary.startswith(_FAMILY):
        raise AgeError("this is not an age file", reason="not-age")
    head, separator, rest = binary[:MAX_AGE_HEADER_BYTES].partition(b"\n--- ")
    if not separator:
        size = f"{MAX_AGE_HEADER_BYTES} bytes (MAX_AGE_HEADER_BYTES)"
        where = f"in its first {size}" if len(binary) > MAX_AGE_HEADER_BYTES else "in the file"
        raise AgeError(f"the header of the age file does not end {where}", reason="header")
    first, *lines = head.split(b"\n")
    if first != VERSION_LINE:
        raise AgeError("the age file is of a version that is not known here", reason="version")
    mac_line = b"--- " + rest.partition(b"\n")[0]
    if not re.fullmatch(_MAC_LINE, mac_line):
        raise _bad_header()
    header_size = len(head) + 1 + len(mac_line) + 1
    if len(binary) < header_size + _NONCE_AND_TAG_BYTES:
        raise AgeError("the age file ends before its payload", reason="truncated")
    stanzas = _stanzas(lines)
    types = tuple(arguments[0].decode("ascii") for arguments in stanzas)
    if "scrypt" not in types:
        return AgeHeader(types, None)
    if len(stanzas) > 1:
        raise _bad_header()
    return AgeHeader(types, _log_n(stanzas[0]))


def _stanzas(lines: list[bytes]) -> list[list[bytes]]:
    """Return the arguments of each stanza, the type first; bodies are judged by their shape."""
    stanzas: list[list[bytes]] = []
    at = 0
    while at < len(lines):
        match = re.fullmatch(_ARGUMENTS, lines[at])
        if match is None:
            raise _bad_header()
        if len(stanzas) == MAX_AGE_STANZAS:
            raise AgeError(
                f"the age file has more than {MAX_AGE_STANZAS} recipients (MAX_AGE_STANZAS)",
                reason="too-many",
            )
        stanzas.append(match[1].split(b" "))
        at += 1
        while at < len(lines) and re.fullmatch(_FULL_LINE, lines[at]):
            at += 1
        if at == len(lines) or not re.fullmatch(_LAST_LINE, lines[at]):
            raise _bad_header()
        at += 1
    if not stanzas:
        raise _bad_header()
    return stanzas


def _log_n(arguments: list[bytes]) -> int:
    if (
        len(arguments) != 3
        or not re.fullmatch(_SALT, arguments[1])
        or not re.fullmatch(_LOG_N, arguments[2])
    ):
        raise _bad_header()
    log_n = int(arguments[2])
    if log_n > MAX_AGE_SCRYPT_LOG_N:
        raise AgeError(
            f"the passphrase of the age file takes scrypt with N = 2^{log_n}, more than "
            f"2^{MAX_AGE_SCRYPT_LOG_N} (MAX_AGE_SCRYPT_LOG_N)",
            reason="work-factor",
        )
    return log_n


def _bad_armor() -> AgeError:
    return AgeError(
        "the armour of the age file is damaged, or text stands around it",
        reason="armor",
    )


def _bad_header() -> AgeError:
    return AgeError("the header of the age file is damaged", reason="header")
