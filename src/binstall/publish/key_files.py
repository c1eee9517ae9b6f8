"""From where a secret key stands to the key pair it holds: plain, behind a password, or encrypted with age.

Nothing is decrypted to a file. A wrong password or identity is told before anything else is done with the
key. Whatever stands where a secret key belongs is named, with the option that takes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from binstall.errors import AgeError, BadSecretKey, LocalIOError, UsageError
from binstall.limits import MAX_AGE_FILE_BYTES, MAX_AGE_KEYS_BYTES
from binstall.publish.key_kinds import KeyKind, kind_of
from binstall.publish.new_files import FileExists, NewFile, write_files, write_new
from binstall.publish.passwords import Passwords
from binstall.publish.secrets import Secret, Warn, read_secret
from binstall.publish.shelter import lock_pages
from binstall.signing.minisign_keys import SecretKey, is_protected, unlock

__all__ = [
    "IDENTITY_VARIABLE",
    "KEY_VARIABLE",
    "FileExists",
    "KeySource",
    "NewFile",
    "StoredText",
    "empty",
    "load_key_pair",
    "open_age_file",
    "write_files",
    "write_new",
]

IDENTITY_VARIABLE: Final = "BINSTALL_AGE_IDENTITY"
"""Holds the text of an age identity file."""
KEY_VARIABLE: Final = "BINSTALL_SIGNING_KEY"
"""Holds the text of a secret key file."""


@dataclass(frozen=True, slots=True)
class StoredText:
    """Secret text that is in a file, or already at hand from standard input or a variable."""

    name: str
    """How messages call it."""
    path: Path | None
    content: Secret | None = None
    """Where there is no path; wiped by the first use."""

    def take(self, limit: int, warn: Warn | None) -> Secret:
        """Return the text; a warning says if others may read its file.

        Raises:
            LocalIOError: it cannot be read, or is longer than `limit` bytes.
        """
        if self.path is not None:
            return read_secret(self.path, limit, warn)
        if self.content is None:
            raise ValueError("neither a path nor a content")
        if len(self.content) > limit:
            raise LocalIOError(f"{self.name} holds more than {limit} bytes")
        return self.content


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where a secret key is, and what opens it."""

    key: StoredText
    passwords: Passwords
    identities: Sequence[StoredText] = field(default=())
    """Of age, tried in this order."""


def load_key_pair(source: KeySource, warn: Warn | None = None) -> SecretKey:
    """Return the key pair, whose context wipes it. A source is used once: what it holds is wiped.

    Raises:
        WrongPassword: its password, or the passphrase of its age file, is another one.
        BadSecretKey: reason `kind`: it is something else; or what `unlock` gives.
        AgeError: its age file cannot be opened.
        UsageError: a password is needed, and none is to be had.
        LocalIOError: a file cannot be read.
    """
    try:
        with source.key.take(MAX_AGE_FILE_BYTES, warn) as data:
            if kind_of(data.data) is not KeyKind.AGE_FILE:
                named = [one.name for one in source.identities if one.path is not None]
                if named and warn is not None:
                    warn(f"{source.key.name} is not encrypted with age; {', '.join(named)} was not used")
                return _unlocked(data, source)
            with open_age_file(data, source.key.name, source.identities, source.passwords, warn) as inner:
                return _unlocked(inner, source)
    finally:
        source.passwords.forget()


def open_age_file(
    data: Secret, name: str, identities: Sequence[StoredText], passwords: Passwords, warn: Warn | None
) -> Secret:
    """Decrypt an age file with its passphrase or one of `identities`; `name` is what messages call it.

    Raises:
        WrongPassword, AgeError, UsageError, LocalIOError: as for `load_key_pair`.
    """
    from binstall.publish.age import decrypt, decrypt_with_passphrase, is_passphrase_file
    from binstall.publish.age_keys import parse_identities

    if is_passphrase_file(data.data):
        with passwords.existing(f"Passphrase of {name}") as passphrase:
            return decrypt_with_passphrase(data.data, passphrase)
    if not identities:
        raise AgeError(
            f"{name} is encrypted with age, and no identity was given",
            reason="identity",
            hint=f"give one by -i FILE or {IDENTITY_VARIABLE}",
        )
    known = []
    for stored in identities:
        with stored.take(MAX_AGE_KEYS_BYTES, warn) as text:
            if not text:
                raise empty(stored.name)
            known += parse_identities(text, stored.name)
    return decrypt(data.data, known)


def empty(name: str) -> UsageError:
    """Return the error for a secret that was given and has no bytes; `name` is what messages call it."""
    return UsageError(f"{name} is empty", hint="a CI secret without a value looks like this")


def _unlocked(data: Secret, source: KeySource) -> SecretKey:
    kind = kind_of(data.data)
    if kind not in {KeyKind.MINISIGN_SECRET, KeyKind.UNKNOWN}:
        raise BadSecretKey(
            f"{source.key.name} holds {kind.words} where a secret key belongs",
            reason="kind",
            hint=kind.option,
        )
    try:
        if is_protected(data.data):
            with source.passwords.existing(f"Password of {source.key.name}") as password:
                pair = unlock(data.data, password.data)
        else:
            pair = unlock(data.data, None)
    except BadSecretKey as error:
        raise error.about(source.key.name) from error.__cause__
    lock_pages(pair.seed)
    return pair
