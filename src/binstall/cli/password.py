"""`binstall password`: change or remove the password of a secret key, as `minisign -C` does."""

from __future__ import annotations

from pathlib import Path

import click

from binstall.cli.params import Command, Option
from binstall.cli.secret_options import (
    STANDARD_INPUT,
    TakenVariables,
    keys_folder,
    password_options,
    passwords,
    refuse_key_text,
)
from binstall.cli.terminal import Level, Terminal
from binstall.errors import UsageError
from binstall.publish.key_places import KEY_NAME
from binstall.publish.passwords import Passwords
from binstall.publish.secrets import Secret, hold_secrets

_KEY, _NEW, _OLD, _OUTPUT = "The secret key", "Its new password", "The password it has", "What is shown"
_NEW_OPTIONS = ("--new-password-file", "--new-password-fd")


def _run(
    secret_key: Path | None,
    unprotected: bool,
    new_password_file: Path | None,
    new_password_fd: int | None,
    password_file: Path | None,
    password_fd: int | None,
    quiet: bool,
) -> int:
    from binstall.publish.new_keys import change_password

    with Terminal(Level.ERROR if quiet else Level.INFO).open() as terminal, hold_secrets():
        variables = TakenVariables()
        old = passwords(terminal, variables, password_file, password_fd)
        variables.password = None  # it holds the old one
        new = passwords(terminal, variables, new_password_file, new_password_fd, options=_NEW_OPTIONS)
        _check(unprotected, new, old)
        path = secret_key if secret_key is not None else keys_folder() / KEY_NAME
        if path == STANDARD_INPUT:
            raise UsageError("a key on standard input has no file whose password could be changed")
        refuse_key_text("-s", path)

        def chosen() -> Secret | None:
            return None if unprotected else new.new("New password")

        try:
            changed = change_password(path, old, chosen, terminal.warn)
        finally:
            old.forget()
            new.forget()
        if not changed:
            terminal.result(f"{path} has no password; nothing was changed")
            return 0
        terminal.result(f"{path} has {'no password any more' if unprotected else 'a new password'}")
    return 0


def _check(unprotected: bool, new: Passwords, old: Passwords) -> None:
    if unprotected and new.is_named:
        raise UsageError("-W removes the password, and a new one was given")
    if new.descriptor is not None and new.descriptor == old.descriptor:
        raise UsageError(
            f"file descriptor {new.descriptor} can hold one of the old and the new password", hint=None
        )


command = Command(
    "password",
    callback=_run,
    params=[
        Option(
            ["-s", "--secret-key", "secret_key"],
            type=click.Path(path_type=Path, readable=False),
            metavar="FILE",
            group=_KEY,
            common=True,
            help="Secret key file to change. Else signing.key in your configuration folder.",
        ),
        Option(
            ["-W", "--no-password", "unprotected"],
            is_flag=True,
            group=_NEW,
            common=True,
            help="Remove the password. The key is then unencrypted, which is not an empty password.",
        ),
        Option(
            ["--new-password-file"],
            type=click.Path(path_type=Path, readable=False),
            metavar="FILE",
            group=_NEW,
            common=True,
            help="File with the new password, one line.",
        ),
        Option(
            ["--new-password-fd"],
            type=int,
            metavar="N",
            group=_NEW,
            common=True,
            help="Read the new password from file descriptor N, to its end.",
        ),
        *password_options(_OLD),
        Option(
            ["-q", "--quiet", "quiet"], is_flag=True, group=_OUTPUT, common=True, help="Print errors only."
        ),
    ],
    help="Change or remove the password of a secret key.\n\n"
    "The file is replaced in one step: it holds the key under the old password or under the new one.",
    example="binstall password -s signing.key",
)
