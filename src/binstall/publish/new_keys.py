"""A new key pair, put in its places; and the password of an old one, changed or removed.

The order: look whether everything may be written, make the key, write the stamp into the manifest's text,
ask for the password, and only then write: secret key, public key and manifest, all or none of them. The
secret key is plain nowhere but in memory if it goes to age recipients.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from binstall.errors import BadSecretKey, LocalIOError, LocalManifestError, UsageError
from binstall.formats.minisign_key import KEY_FILE_COMMENT, PublicKey, serialize_public_key
from binstall.limits import MAX_MANIFEST_BYTES, MAX_SECRET_KEY_BYTES
from binstall.publish.age import encrypt
from binstall.publish.key_kinds import KeyKind, kind_of
from binstall.publish.key_places import AGE_SUFFIX, refuse_inside_package
from binstall.publish.new_files import PUBLIC_MODE, FileExists, NewFile, write_files
from binstall.publish.passwords import Passwords
from binstall.publish.secrets import Secret, Warn, read_secret
from binstall.signing.minisign_keys import (
    MINISIGN_COST,
    RSIGN_COST,
    ScryptCost,
    SecretKey,
    generate,
    is_protected,
    lock,
    unlock,
)

NewPassword = Callable[[], Secret | None]
"""Returns the password to be; None for a key without."""


@dataclass(frozen=True, slots=True)
class NewKeyPair:
    """What is to be made, and where."""

    secret_key: Path
    public_key: Path
    comment: str = KEY_FILE_COMMENT
    """Above the secret key; signed by nobody."""
    recipients: Sequence[Any] = ()
    """Of age, as `parse_recipients` gives them; with any, the secret key is only ever written encrypted."""
    manifest: Path | None = None
    """`Cargo.toml` to be stamped with the public key."""
    force: bool = False
    """Whether keys, and a stamp, that are already there may be put an end to."""


def make_key_pair(wanted: NewKeyPair, password: NewPassword, warn: Warn) -> PublicKey:
    """Make and write a key pair; return its public half.

    Raises:
        UsageError: a place that cargo would publish, two files of one name, a comment or password that
            minisign could not read back.
        FileExists: a key is there already.
        LocalManifestError: the manifest cannot be stamped.
        BadSecretKey: reason `memory`.
        AgeError: the recipients cannot be used.
        LocalIOError: the file system refused.
    """
    _check_places(wanted)
    manifest = None if wanted.manifest is None else _read_manifest(wanted.manifest)
    with generate() as key:
        public = key.public_key
        files = [
            NewFile(wanted.public_key, serialize_public_key(public).encode(), PUBLIC_MODE, wanted.force)
        ]
        if manifest is not None:
            files.append(_stamped(*manifest, public, wanted.force))
        chosen = password()
        try:
            with Secret(_locked(key, chosen, wanted.comment, warn)) as plain:
                data = encrypt(plain, wanted.recipients) if wanted.recipients else plain.data
                write_files([NewFile(wanted.secret_key, data, replace=wanted.force), *files])
        finally:
            if chosen is not None:
                chosen.wipe()
    return public


def change_password(path: Path, passwords: Passwords, new: NewPassword, warn: Warn) -> bool:
    """Give the key in `path` the password that `new` returns, or none; return whether anything changed.

    Raises:
        WrongPassword: the one it has is another one.
        BadSecretKey: reason `kind`: no secret key, or one encrypted with age; or what `unlock` gives.
        UsageError: a password is needed, and none is to be had; or minisign could not take it.
        LocalIOError: the file system refused.
    """
    place = path.resolve()  # a link to the key stays one
    with read_secret(place, MAX_SECRET_KEY_BYTES, None) as data:
        kind = kind_of(data.data)
        if kind is KeyKind.AGE_FILE:
            raise BadSecretKey(
                f"{path} is encrypted with age and has no password of its own",
                reason="kind",
                hint="`binstall key decrypt` and `binstall key encrypt` change what opens it",
            )
        if kind not in {KeyKind.MINISIGN_SECRET, KeyKind.UNKNOWN}:
            raise BadSecretKey(
                f"{path} holds {kind.words} where a secret key belongs", reason="kind", hint=kind.option
            )
        had_one = is_protected(data.data)
        if had_one:
            with passwords.existing(f"Password of {path}") as password:
                key = unlock(data.data, password.data)
        else:
            key = unlock(data.data, None)
        comment = data.data.partition(b"\n")[0].decode("utf-8", "replace").partition(":")[2].strip()
    with key:
        chosen = new()
        if chosen is None and not had_one:
            return False
        try:
            with Secret(_locked(key, chosen, comment or KEY_FILE_COMMENT, warn)) as plain:
                write_files([NewFile(place, plain.data, replace=True)])
        finally:
            if chosen is not None:
                chosen.wipe()
    return True


def _locked(key: SecretKey, password: Secret | None, comment: str, warn: Warn) -> bytearray:
    """Return the key's file; where memory is short, with less work for the password, as minisign does."""
    if password is None:
        return bytearray(lock(key, None, comment=comment))
    cost = MINISIGN_COST
    while True:
        try:
            return bytearray(lock(key, password.data, comment=comment, cost=cost))
        except BadSecretKey:
            if cost.memlimit <= RSIGN_COST.memlimit:
                raise
            cost = ScryptCost(cost.opslimit // 2, cost.memlimit // 2)
            warn(f"this machine is short of memory; the password is guarded with {cost.memlimit >> 20} MiB")


def _check_places(wanted: NewKeyPair) -> None:
    paths = [wanted.secret_key, wanted.public_key, *([wanted.manifest] if wanted.manifest else [])]
    if len({path.resolve() for path in paths}) < len(paths):
        raise UsageError(f"two files of one name: {', '.join(map(str, paths))}")
    if wanted.recipients and wanted.secret_key.suffix != AGE_SUFFIX:
        raise ValueError("an encrypted key is named for it")
    refuse_inside_package(wanted.secret_key, "the secret key")
    for path in paths[:2]:
        if os.path.lexists(path) and not wanted.force:
            raise FileExists(
                f"{path} exists already",
                hint="-f (--force) replaces it; the key in it is then lost for good",
            )


def _read_manifest(path: Path) -> tuple[Path, str]:
    place = (path / "Cargo.toml" if path.is_dir() else path).resolve()
    try:
        with place.open("rb") as file:
            data = file.read(MAX_MANIFEST_BYTES + 1)
        if len(data) > MAX_MANIFEST_BYTES:
            raise LocalManifestError(
                f"{path} has more than {MAX_MANIFEST_BYTES} bytes (MAX_MANIFEST_BYTES)"
            )
        return place, data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise LocalManifestError(f"{path} is not UTF-8 text at byte {error.start}") from error
    except OSError as error:
        raise LocalIOError(f"{path} cannot be read: {error.strerror}") from error


def _stamped(place: Path, text: str, public: PublicKey, force: bool) -> NewFile:
    from binstall.publish.stamp import SigningSection, signing_of, stamp

    what = str(place)
    old = signing_of(text, what=what)
    if old is not None and "release" not in old and not force:
        raise LocalManifestError(
            f"{what} has a signing section already, for a key that is meant to stay",
            hint="-f (--force) replaces it; what that key signed stays valid for published versions alone",
        )
    stamped = stamp(text, SigningSection(public.base64), what=what)
    return NewFile(place, stamped.encode("utf-8"), stat.S_IMODE(place.stat().st_mode), replace=True)
