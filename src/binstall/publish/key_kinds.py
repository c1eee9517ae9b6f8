"""What kind of key a text is, and which option takes it, so that a swapped key gets its right place named.

A glance, no judgement: whoever uses a key parses it. Pure.
"""

from __future__ import annotations

from enum import Enum

from binstall.formats.age_file import is_age_file
from binstall.formats.minisign_key import strict_base64

_COMMENT = "untrusted comment:"
_SSH_PUBLIC = ("ssh-", "ecdsa-", "sk-")


class KeyKind(Enum):
    """A kind of key; the value is what it is called and the option that takes it."""

    MINISIGN_PUBLIC = ("a minisign public key", "-p FILE takes a public key, -P its text")
    MINISIGN_SECRET = ("a minisign secret key", "-s takes a secret key")
    MINISIGN_SIGNATURE = ("a minisign signature", "-x takes a signature")
    AGE_FILE = ("a file encrypted with age", "-s takes an encrypted secret key, -i what opens it")
    AGE_IDENTITY = ("an age identity", "-i takes an age identity")
    AGE_RECIPIENT = ("an age recipient", "-r takes an age recipient")
    SSH_PRIVATE = ("an ssh private key", "-i takes an ssh private key")
    SSH_PUBLIC = ("an ssh public key", "-r takes an ssh public key")
    UNKNOWN = ("no key of any known kind", None)

    def __init__(self, words: str, option: str | None) -> None:
        self.words = words
        """With its article."""
        self.option = option
        """A sentence that names the option."""


def kind_of(data: bytes | bytearray) -> KeyKind:
    """Say what `data` looks like; any bytes will do."""
    if is_age_file(data):
        return KeyKind.AGE_FILE
    # Not "strict": its error object would carry a key about.
    lines = [line.strip(" \t\r") for line in data[:65536].decode("ascii", errors="replace").split("\n")]
    told = [line for line in lines if line and not line.startswith("#")]
    if not told:
        return KeyKind.UNKNOWN
    if told[0].startswith("-----BEGIN ") and told[0].endswith(" PRIVATE KEY-----"):
        return KeyKind.SSH_PRIVATE
    if any(line.upper().startswith(("AGE-SECRET-KEY-", "AGE-PLUGIN-")) for line in told):
        return KeyKind.AGE_IDENTITY
    if told[0].lower().startswith("age1"):
        return KeyKind.AGE_RECIPIENT
    if told[0].startswith(_SSH_PUBLIC):
        return KeyKind.SSH_PUBLIC
    return _minisign_kind(lines)


def _minisign_kind(lines: list[str]) -> KeyKind:
    if lines[0].startswith(_COMMENT):
        lines = lines[1:]
    line = lines[0] if lines else ""
    for size, kind in (
        (42, KeyKind.MINISIGN_PUBLIC),
        (74, KeyKind.MINISIGN_SIGNATURE),
        (158, KeyKind.MINISIGN_SECRET),
    ):
        if strict_base64(line, size) is not None:
            return kind
    return KeyKind.UNKNOWN
