"""`-P KEY` and `-p FILE`: the public key that a command is given, as text or in a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from binstall.cli.params import Option
from binstall.errors import BadPublicKey, LocalIOError, UsageError
from binstall.limits import MAX_METADATA_STRING_CHARACTERS

if TYPE_CHECKING:
    from binstall.formats.minisign_key import PublicKey


def public_key_options(group: str) -> list[click.Parameter]:
    """Return both."""
    return [
        Option(
            ["-P", "--public-key", "public_key"],
            metavar="KEY",
            group=group,
            common=True,
            help="The public key itself, 56 characters.",
        ),
        Option(
            ["-p", "--public-key-file", "public_key_file"],
            type=click.Path(path_type=Path, readable=False),
            metavar="FILE",
            group=group,
            common=True,
            help="File with the public key, as minisign writes it.",
        ),
    ]


def given_public_key(text: str | None, file: Path | None) -> PublicKey | None:
    """Return the key that the two options name, or None where neither was given.

    Raises:
        UsageError: both were given, or something else than a public key; the hint names its place.
        BadPublicKey: a key that is malformed or unsound.
        LocalIOError: the file cannot be read.
    """
    if text is not None and file is not None:
        raise UsageError("-P and -p both name a public key", hint="leave one of them out")
    if text is not None:
        return _parsed("-P", text.encode("utf-8", "surrogateescape"), text)
    return None if file is None else _read(file)


_KEY = re.compile(r"RW[A-Za-z0-9+/]{44,54}")


def _read(file: Path) -> PublicKey:
    from binstall.publish.key_kinds import KeyKind, kind_of
    from binstall.publish.verify_files import read_bounded

    data = read_bounded(file, MAX_METADATA_STRING_CHARACTERS)
    if data is not None:
        return _parsed("-p", data, str(file))
    given = str(file)  # a path has lost one slash of each `//`, which a key may hold
    if kind_of(given.encode("utf-8", "surrogateescape")) is KeyKind.MINISIGN_PUBLIC or _KEY.fullmatch(
        given
    ):
        raise UsageError("-p takes a file, and was given a key", hint="-P takes the key itself")
    raise LocalIOError(f"the public key file {file} does not exist")


def _parsed(option: str, data: bytes, given: str) -> PublicKey:
    from binstall.formats.minisign_key import parse_public_key
    from binstall.publish.key_kinds import KeyKind, kind_of

    try:
        return parse_public_key(data.decode("utf-8", "replace"))
    except BadPublicKey as error:
        kind = kind_of(data)
        if kind not in {KeyKind.MINISIGN_PUBLIC, KeyKind.UNKNOWN}:
            hint = kind.option
            if kind is KeyKind.MINISIGN_SECRET:
                hint = "`binstall pubkey -s FILE` prints its public half; keep the secret one to yourself"
            raise UsageError(
                f"{option} takes a public key, and was given {kind.words}", hint=hint
            ) from error
        if option == "-P" and _is_file(given):
            raise UsageError(
                f"-P takes the key itself, and {given} is a file", hint="-p takes it"
            ) from error
        raise error.about(option if option == "-P" else given) from error.__cause__


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False
