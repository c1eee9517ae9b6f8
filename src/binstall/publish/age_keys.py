"""Recipients and identities of age: the texts that publishers paste, and the objects that pyrage works with.

Recipients are native X25519 keys (`age1…`) and ssh keys of type ed25519 or RSA; identities are
`AGE-SECRET-KEY-1…` and ssh private keys without passphrase. Whatever names a plugin is refused: a plugin is
a program, and the text would choose it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from binstall.errors import AgeError, LocalIOError
from binstall.formats.age_file import is_age_file
from binstall.limits import MAX_AGE_KEYS, MAX_AGE_KEYS_BYTES
from binstall.publish.age import library, no_panic
from binstall.publish.key_kinds import KeyKind, kind_of
from binstall.publish.secrets import Secret, read_secret

_NATIVE_RECIPIENT = re.compile(r"age1[ac-hj-np-z02-9]{58}\Z")
_RECIPIENT_START = ("age1", "ssh-", "ecdsa-", "sk-")
_OF_MINISIGN = {KeyKind.MINISIGN_PUBLIC, KeyKind.MINISIGN_SECRET, KeyKind.MINISIGN_SIGNATURE}
_PLUGINS_NEVER = "age plugins are programs of others and never run; use a native age key or an ssh key"


def parse_recipients(words: Sequence[str]) -> list[Any]:
    """Return what `words` name: recipients as text, or files of them with `#` comments.

    Raises:
        AgeError: reason `recipient`, `plugin`, `too-many`, `kind` or `library`.
        LocalIOError: a file cannot be read.
    """
    lines: list[tuple[str, str]] = []
    for word in words:
        if word.upper().startswith(("AGE-SECRET-KEY-", "AGE-PLUGIN-")):
            raise AgeError(
                "a secret age identity was given where a recipient belongs",
                reason="kind",
                hint="-r takes its public half, which begins with age1; other programs may have seen the secret",
            )
        if word.startswith(_RECIPIENT_START):
            lines.append(("the recipient", word.strip(" \t\r\n")))
        else:
            path = Path(word)
            text = _read_public(path)
            kind = kind_of(text)
            if kind in _OF_MINISIGN:
                raise AgeError(
                    f"{path} holds {kind.words} where age recipients belong",
                    reason="kind",
                    hint=kind.option,
                )
            lines += [(f"{path}, line {at}", line) for at, line in _told_lines(text, str(path))]
    if not lines:
        raise AgeError("no recipient was given, or the file of recipients is empty", reason="recipient")
    _check_number(lines, "recipients")
    return [_recipient(text, where) for where, text in lines]


def parse_identities(text: Secret, name: str) -> list[Any]:
    """Return the identities in the text of an identity file, or of an ssh private key.

    Raises:
        AgeError: reason `identity`, `plugin`, `encrypted`, `too-many`, `kind` or `library`.
    """
    kind = kind_of(text.data)
    if kind is KeyKind.SSH_PRIVATE:
        return [_ssh_identity(text, name)]
    if kind is KeyKind.AGE_FILE:
        raise AgeError(
            f"the identity in {name} is itself encrypted",
            reason="encrypted",
            hint="`binstall key decrypt` opens it",
        )
    if kind is not KeyKind.AGE_IDENTITY:
        raise AgeError(
            f"{name} holds {kind.words} where an age identity belongs", reason="kind", hint=kind.option
        )
    lines = _told_lines(bytes(text.data), name)
    _check_number(lines, "identities")
    return [_native_identity(line, f"{name}, line {at}") for at, line in lines]


def recipients_of(identities: Iterable[Any]) -> list[str]:
    """Return the `age1…` recipients of native identities; ssh identities have none of their own."""
    native = library().x25519.Identity
    return [str(identity.to_public()) for identity in identities if isinstance(identity, native)]


def _recipient(text: str, where: str) -> Any:
    pyrage = library()
    if text.startswith(("ssh-ed25519 ", "ssh-rsa ")):
        with no_panic(f"{where} is no ssh public key", "recipient"):
            try:
                return pyrage.ssh.Recipient.from_str(text)
            except pyrage.RecipientError as error:
                if "ModulusTooSmall" in str(error):
                    raise AgeError(
                        f"{where} is an RSA key with less than 2048 bits", reason="recipient"
                    ) from error
                raise AgeError(
                    f"{where} is no ssh public key that age can use", reason="recipient"
                ) from error
    if text.startswith(("ssh-", "ecdsa-", "sk-")):
        raise AgeError(
            f"{where} is an ssh key of type {text.partition(' ')[0][:60]!r}, and age takes ssh-ed25519 and ssh-rsa",
            reason="recipient",
        )
    if not text.startswith("age1"):
        kind = kind_of(text.encode("utf-8", errors="replace"))
        raise AgeError(f"{where} is {kind.words}, not an age recipient", reason="kind", hint=kind.option)
    if text.count("1") > 1:  # the mark between name and data of a plugin's or of a newer kind of key
        name = text[4:].rpartition("1")[0] or "?"
        raise AgeError(
            f"{where} is for the age plugin {name[:60]!r}, or of a kind not known here",
            reason="plugin",
            hint=_PLUGINS_NEVER,
        )
    if _NATIVE_RECIPIENT.match(text) is not None:
        with no_panic(f"{where} is no age recipient", "recipient"):
            try:
                return pyrage.x25519.Recipient.from_str(text)
            except pyrage.RecipientError as error:
                raise AgeError(
                    f"{where} is mistyped: its checksum does not match", reason="recipient"
                ) from error
    raise AgeError(f"{where} is not age1 and 58 letters and digits in lower case", reason="recipient")


def _native_identity(text: str, where: str) -> Any:
    if text.upper().startswith("AGE-PLUGIN-"):
        raise AgeError(f"{where} is for an age plugin", reason="plugin", hint=_PLUGINS_NEVER)
    pyrage = library()
    with no_panic(f"{where} is no age identity", "identity"):
        try:
            return pyrage.x25519.Identity.from_str(text)
        except pyrage.IdentityError:
            # Neither the text nor the library's error is shown: they could hold the secret.
            raise AgeError(f"{where} is no age identity", reason="identity") from None


def _ssh_identity(text: Secret, name: str) -> Any:
    pyrage = library()
    with no_panic(f"{name} is no ssh private key", "identity"):
        try:
            return pyrage.ssh.Identity.from_buffer(bytes(text.data))
        except pyrage.IdentityError as error:
            words = str(error)
    if "decrypted first" in words or "Encrypted" in words:
        raise AgeError(
            f"the ssh key in {name} has a passphrase, and only one without can be used",
            reason="encrypted",
            hint="`ssh-keygen -p` removes it from a copy; or encrypt to an age identity of its own",
        )
    raise AgeError(
        f"the ssh key in {name} cannot be used: age takes private keys of type ed25519 and RSA",
        reason="identity",
    )


def _told_lines(text: bytes, name: str) -> list[tuple[int, str]]:
    """Return number and content of the lines that are no comment."""
    if len(text) > MAX_AGE_KEYS_BYTES:
        raise AgeError(
            f"{name} has more than {MAX_AGE_KEYS_BYTES} bytes (MAX_AGE_KEYS_BYTES)", reason="too-long"
        )
    if is_age_file(text):
        raise AgeError(f"{name} is encrypted", reason="encrypted", hint=KeyKind.AGE_FILE.option)
    lines = [line.strip(" \t\r") for line in text.decode("utf-8", errors="replace").split("\n")]
    return [(at, line) for at, line in enumerate(lines, 1) if line and not line.startswith("#")]


def _read_public(path: Path) -> bytes:
    try:
        with read_secret(path, MAX_AGE_KEYS_BYTES, None) as text:
            return bytes(text.data)
    except LocalIOError as error:
        error.hint = "a recipient begins with age1 or ssh-; anything else is taken for a file of recipients"
        raise


def _check_number(lines: Sequence[object], what: str) -> None:
    if len(lines) > MAX_AGE_KEYS:
        raise AgeError(f"more than {MAX_AGE_KEYS} {what} (MAX_AGE_KEYS)", reason="too-many")
