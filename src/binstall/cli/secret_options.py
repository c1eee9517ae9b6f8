"""The options that name a secret key and what opens it, and the questions that stand in for them.

Shared by every command that uses a secret key. The variables are taken out of the environment before
anything else is done, so that no child inherits them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from binstall.cli.params import Option
from binstall.cli.terminal import Terminal
from binstall.errors import Cancelled, UsageError
from binstall.limits import MAX_AGE_FILE_BYTES
from binstall.publish.key_files import IDENTITY_VARIABLE, KEY_VARIABLE, KeySource, StoredText, empty
from binstall.publish.key_kinds import KeyKind, kind_of
from binstall.publish.key_places import default_folder, default_secret_key
from binstall.publish.passwords import PASSWORD_VARIABLE, Passwords, Prompt
from binstall.publish.secrets import Secret, read_stream, take_variable
from binstall.text import sentence

SECRETS = "The secret key and what opens it"
STANDARD_INPUT = Path("-")


def secret_key_option(what: str = "Secret key file, `-` for standard input.") -> click.Parameter:
    """Return `-s`."""
    return Option(
        ["-s", "--secret-key", "secret_key"],
        type=click.Path(path_type=Path, readable=False),
        metavar="FILE",
        group=SECRETS,
        common=True,
        help=f"{what} Plain, with a password, or encrypted with age. Else {KEY_VARIABLE}, "
        "else signing.key in your configuration folder.",
    )


def identity_option() -> click.Parameter:
    """Return `-i`."""
    return Option(
        ["-i", "--identity", "identities"],
        type=click.Path(path_type=Path, readable=False),
        metavar="FILE",
        multiple=True,
        group=SECRETS,
        common=True,
        help="age identity file or ssh private key that opens the key. May repeat. Environment: "
        f"{IDENTITY_VARIABLE}, which holds the identity itself.",
    )


def password_options(group: str = SECRETS) -> list[click.Parameter]:
    """Return `--password-file` and `--password-fd`."""
    return [
        Option(
            ["--password-file"],
            type=click.Path(path_type=Path, readable=False),
            metavar="FILE",
            group=group,
            common=True,
            help="File with the password, one line. An empty line is the empty password. "
            f"Environment: {PASSWORD_VARIABLE}, which holds the password itself.",
        ),
        Option(
            ["--password-fd"],
            type=int,
            metavar="N",
            group=group,
            common=True,
            help="Read the password from file descriptor N, to its end.",
        ),
    ]


def secret_options() -> list[click.Parameter]:
    """Return all of them, for a command that uses a secret key."""
    return [secret_key_option(), identity_option(), *password_options()]


class TakenVariables:
    """What the environment held of secrets, and holds no more."""

    def __init__(self) -> None:
        self.key: Secret | None = take_variable(os.environ, KEY_VARIABLE)
        self.password: Secret | None = take_variable(os.environ, PASSWORD_VARIABLE)
        self.identity: Secret | None = take_variable(os.environ, IDENTITY_VARIABLE)


def passwords(
    terminal: Terminal,
    variables: TakenVariables,
    password_file: Path | None,
    password_fd: int | None,
    *,
    options: tuple[str, str] = ("--password-file", "--password-fd"),
) -> Passwords:
    """Return where the password comes from; nothing is read or asked yet.

    Raises:
        UsageError: two options that contradict each other.
    """
    return Passwords(
        file=password_file,
        descriptor=password_fd,
        variable=variables.password,
        prompt=terminal_prompt(),
        warn=terminal.warn,
        options=options,
    )


def key_source(
    terminal: Terminal,
    variables: TakenVariables,
    *,
    secret_key: Path | None,
    identities: Sequence[Path],
    password_file: Path | None,
    password_fd: int | None,
) -> KeySource:
    """Return where the secret key is and what opens it; standard input and nothing else is read.

    Raises:
        UsageError: options that contradict each other, or a key where its file belongs.
        LocalIOError: standard input cannot be read.
    """
    opened_by = passwords(terminal, variables, password_file, password_fd)
    inputs = [path for path in (secret_key, *identities, password_file) if path == STANDARD_INPUT]
    if len(inputs) + (password_fd == 0) > 1:
        raise UsageError("standard input can hold one of key, identity and password")
    stored = [stored_text("-i", path) for path in identities]
    if not stored and variables.identity is not None:
        stored = [StoredText(IDENTITY_VARIABLE, None, variables.identity)]
    if secret_key is not None:
        key = stored_text("-s", secret_key)
    elif variables.key is not None:
        key = _at_hand(KEY_VARIABLE, variables.key)
    else:
        path = default_secret_key(keys_folder())
        if not path.exists():
            raise UsageError(
                f"no secret key was given, and {path} does not exist",
                hint=f"-s FILE or {KEY_VARIABLE} names one, `binstall keygen` makes one",
            )
        key = StoredText(str(path), path)
    return KeySource(key, opened_by, stored)


def stored_text(option: str, path: Path) -> StoredText:
    """Return the file that `option` was given, or the content of standard input.

    Raises:
        UsageError: the key itself was given where its file belongs, or standard input is empty.
        LocalIOError: standard input cannot be read.
    """
    if path == STANDARD_INPUT:
        name = "standard input"
        return _at_hand(name, read_stream(sys.stdin.fileno(), MAX_AGE_FILE_BYTES, name))
    refuse_key_text(option, path)
    return StoredText(str(path), path)


def refuse_key_text(option: str, path: Path) -> None:
    """See that `path`, which `option` was given, is a path.

    Raises:
        UsageError: it is the text of a key; the text itself is not shown.
    """
    kind = kind_of(os.fsencode(path))
    if kind is KeyKind.UNKNOWN:
        return
    is_secret = kind in {KeyKind.MINISIGN_SECRET, KeyKind.AGE_IDENTITY, KeyKind.SSH_PRIVATE}
    raise UsageError(
        f"{option} takes a file, and was given the text of {kind.words}",
        hint="every process of this machine can read a command line: write the secret to a file of mode 600, "
        "or use its environment variable"
        if is_secret
        else kind.option,
    )


def _at_hand(name: str, content: Secret) -> StoredText:
    if not content:
        raise empty(name)
    return StoredText(name, None, content)


def keys_folder() -> Path:
    """Return the folder of this user's keys.

    Raises:
        UsageError: the user has no home.
    """
    from binstall.registry.cargo_home import user_home

    home = user_home(os.environ)
    if home is None:
        raise UsageError("this user has no home folder for keys", hint="name the files with -s and -p")
    return default_folder(os.environ, home, sys.platform)


def terminal_prompt() -> Prompt | None:
    """Return what asks on the terminal, also where standard input is something else; None if there is none."""
    if sys.platform == "win32":
        return _ask if sys.stdin is not None and sys.stdin.isatty() else None
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return None
    return _ask


def _ask(question: str) -> bytearray:
    import getpass
    import warnings

    with warnings.catch_warnings():
        # It would go on and read the password with everybody looking.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return bytearray(getpass.getpass(f"{sentence(question)}: ").encode("utf-8", "surrogateescape"))
        except getpass.GetPassWarning:
            raise UsageError("this terminal cannot hide what is typed") from None
        except EOFError:
            raise Cancelled("no password was typed; nothing was changed") from None
        except UnicodeError:
            raise UsageError("what was typed is not text in the terminal's encoding") from None
