"""age files by pyrage, the library of rage: made and opened in memory, within bounds, without plugins.

The library is never given a file to write: it would leave the opened part of a damaged one behind, with
mode 0644. It takes and gives `bytes`, which cannot be wiped. Its own bound on a passphrase's work depends
on the machine's speed and lets minutes pass, so the header is judged first.
pyrage is imported here alone, and late: it is an extra, and not built for every system.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from binstall.errors import AgeError, UsageError, WrongPassword
from binstall.formats.age_file import parse_age_header, without_armor
from binstall.limits import MAX_AGE_PLAINTEXT_BYTES
from binstall.publish.secrets import Secret


@dataclass(frozen=True, slots=True)
class NewIdentity:
    """A native age identity, just made."""

    recipient: str
    """`age1…`, public."""
    text: Secret
    """`AGE-SECRET-KEY-1…`, 74 bytes, without line end."""


def generate_identity() -> NewIdentity:
    """Make an identity.

    Raises:
        AgeError: reason `library`; pyrage is not installed.
    """
    identity = library().x25519.Identity.generate()
    return NewIdentity(str(identity.to_public()), Secret(bytearray(str(identity), "ascii")))


def encrypt(plain: Secret, recipients: Sequence[Any], *, armored: bool = False) -> bytes:
    """Encrypt to everyone in `recipients`, as `age_keys.parse_recipients` gives them; leave `plain` as it is.

    Raises:
        AgeError: reason `too-long`, `recipient` or `library`.
    """
    _check_size(plain)
    pyrage = library()
    with no_panic("the recipients cannot be used together", "recipient"):
        try:
            return bytes(pyrage.encrypt(bytes(plain.data), list(recipients), armored=armored))
        except pyrage.EncryptError as error:
            raise AgeError(f"age cannot encrypt: {_words(error)}", reason="recipient") from error


def encrypt_with_passphrase(plain: Secret, passphrase: Secret, *, armored: bool = False) -> bytes:
    """Encrypt to a passphrase, which takes about a second; leave both secrets as they are.

    Raises:
        UsageError: an empty passphrase, or one that is not UTF-8.
        AgeError: reason `too-long`, `work-factor`, `recipient` or `library`.
    """
    _check_size(plain)
    if not passphrase:
        raise UsageError("an empty passphrase would protect nothing")
    pyrage = library()
    with no_panic("age cannot encrypt with this passphrase", "recipient"):
        try:
            made = bytes(
                pyrage.passphrase.encrypt(bytes(plain.data), _passphrase(passphrase), armored=armored)
            )
        except pyrage.EncryptError as error:
            raise AgeError(f"age cannot encrypt: {_words(error)}", reason="recipient") from error
    parse_age_header(without_armor(made))  # the work was chosen by this machine's speed
    return made


def is_passphrase_file(data: bytes | bytearray) -> bool:
    """Tell whether a passphrase opens this age file, rather than an identity.

    Raises:
        AgeError: what `without_armor` and `parse_age_header` raise.
    """
    return parse_age_header(without_armor(bytes(data))).scrypt_log_n is not None


def decrypt(data: bytes | bytearray, identities: Sequence[Any]) -> Secret:
    """Open an age file, armoured or not, with whichever of `identities` fits.

    Raises:
        AgeError: reason `identity`: none of them opens it, or a passphrase does; `damaged`; `library`; or
            what `without_armor` and `parse_age_header` give.
    """
    binary = without_armor(bytes(data))
    if parse_age_header(binary).scrypt_log_n is not None:
        raise AgeError("a passphrase opens this age file, not an identity", reason="identity")
    pyrage = library()
    with no_panic("the age file is damaged", "damaged"):
        try:
            return _bounded(pyrage.decrypt(binary, list(identities)))
        except pyrage.DecryptError as error:
            if "no matching keys" in str(error).lower():
                number = len(identities)
                given = (
                    "the identity does not open" if number == 1 else f"none of {number} identities opens"
                )
                raise AgeError(f"{given} this age file", reason="identity") from error
            raise _damaged(error) from error


def decrypt_with_passphrase(data: bytes | bytearray, passphrase: Secret) -> Secret:
    """Open an age file that was encrypted to a passphrase.

    Raises:
        WrongPassword: it does not open the file.
        UsageError: it is not UTF-8.
        AgeError: reason `passphrase`: identities open it; `memory`; `work-factor`; `damaged`; `library`; or
            what `without_armor` and `parse_age_header` give.
    """
    binary = without_armor(bytes(data))
    log_n = parse_age_header(binary).scrypt_log_n
    if log_n is None:
        raise AgeError("an identity opens this age file, not a passphrase", reason="passphrase")
    pyrage = library()
    _check_memory(log_n)
    with no_panic("the age file is damaged", "damaged"):
        try:
            return _bounded(pyrage.passphrase.decrypt(binary, _passphrase(passphrase)))
        except pyrage.DecryptError as error:
            if "excessive work" in str(error).lower():
                raise AgeError(
                    f"this machine is too slow for the passphrase of the age file, which takes scrypt with "
                    f"N = 2^{log_n}",
                    reason="work-factor",
                ) from error
            if "decryption failed" in str(error).lower():
                raise WrongPassword(
                    "the passphrase does not open this age file",
                    reason="password",
                    hint="a damaged file shows in the same way",
                ) from error
            raise _damaged(error) from error


def _check_size(plain: Secret) -> None:
    if len(plain) > MAX_AGE_PLAINTEXT_BYTES:
        raise AgeError(
            f"the file has more than {MAX_AGE_PLAINTEXT_BYTES} bytes (MAX_AGE_PLAINTEXT_BYTES); "
            "this is for keys, not for archives",
            reason="too-long",
        )


def _bounded(plain: bytes) -> Secret:
    return Secret(bytearray(plain))


def _check_memory(log_n: int) -> None:
    """See that scrypt's memory can be had: the library ends the process where it cannot."""
    import mmap

    size = 128 * 8 << log_n
    try:
        mmap.mmap(-1, size).close()
    except (OSError, ValueError, MemoryError) as error:
        raise AgeError(
            f"the passphrase of the age file takes {size >> 20} MiB of memory, which cannot be had here",
            reason="memory",
        ) from error


def _passphrase(secret: Secret) -> str:
    try:
        return secret.data.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError("the passphrase is not UTF-8 text, which age demands") from None


def _damaged(error: Exception) -> AgeError:
    return AgeError(f"the age file is damaged: {_words(error)}", reason="damaged")


def _words(error: Exception) -> str:
    return str(error).split("\n")[0].rstrip(".")[:200]


@contextmanager
def no_panic(message: str, reason: str) -> Iterator[None]:
    """Turn a panic of the library, which is no `Exception`, into an error like any other."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ == "PanicException":
            raise AgeError(message, reason=reason) from error
        raise


def library() -> Any:
    """Return pyrage, or raise `AgeError` with reason `library` where it is not installed."""
    try:
        return import_module("pyrage")
    except ImportError as error:
        raise AgeError(
            "age files need the library pyrage, which is not installed",
            reason="library",
            hint='`pip install "binstall[age]"` installs it where it is built for this system',
        ) from error
