"""`binstall key`: age identities, and key files encrypted with age, as rage and age make them."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from binstall.cli.params import Command, Group, Option
from binstall.cli.secret_options import (
    STANDARD_INPUT,
    TakenVariables,
    identity_option,
    password_options,
    passwords,
    refuse_key_text,
    stored_text,
)
from binstall.cli.terminal import Level, Terminal
from binstall.errors import AgeError, UsageError
from binstall.limits import MAX_AGE_FILE_BYTES, MAX_AGE_KEYS_BYTES, MAX_AGE_PLAINTEXT_BYTES
from binstall.publish.key_files import IDENTITY_VARIABLE, StoredText, open_age_file, write_new
from binstall.publish.key_kinds import KeyKind, kind_of
from binstall.publish.key_places import refuse_inside_package
from binstall.publish.secrets import Secret, hold_secrets

_IN, _OUT = "What goes in", "What comes out"
_PRIVATE = {KeyKind.MINISIGN_SECRET, KeyKind.AGE_IDENTITY, KeyKind.SSH_PRIVATE}


def _age(output: Path | None, identity: Path | None, force: bool, quiet: bool) -> int:
    from binstall.publish.age import generate_identity
    from binstall.publish.age_keys import parse_identities, recipients_of

    with Terminal(Level.ERROR if quiet else Level.INFO).open() as terminal, hold_secrets():
        TakenVariables()
        if (output is None) == (identity is None):
            raise UsageError(
                "one of -o and -i is needed",
                hint="-o FILE makes an identity, -i FILE prints the recipient of one",
            )
        if identity is not None:
            stored = stored_text("-i", identity)
            with stored.take(MAX_AGE_KEYS_BYTES, terminal.warn) as text:
                recipients = recipients_of(parse_identities(text, stored.name))
            if not recipients:
                raise AgeError(
                    f"the recipient of the ssh key in {stored.name} is its public key file",
                    hint="-r takes an ssh public key as it is",
                )
            for recipient in recipients:
                terminal.result(recipient)
            return 0
        assert output is not None  # noqa: S101
        made = generate_identity()
        with made.text as secret:
            created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            text_file = bytearray(f"# created: {created}\n# public key: {made.recipient}\n", "ascii")
            text_file += secret.data
            text_file += b"\n"
        with Secret(text_file) as whole:
            _write(output, whole.data, force, "the age identity", is_text=True)
        if output == STANDARD_INPUT:
            terminal.stage(f"public key: {made.recipient}")
        else:
            terminal.result(made.recipient)
    return 0


def _encrypt(
    file: Path,
    recipients: tuple[str, ...],
    passphrase: bool,
    armor: bool,
    output: Path,
    force: bool,
    password_file: Path | None,
    password_fd: int | None,
    quiet: bool,
) -> int:
    from binstall.publish.age import encrypt, encrypt_with_passphrase
    from binstall.publish.age_keys import parse_recipients

    with Terminal(Level.ERROR if quiet else Level.INFO).open() as terminal, hold_secrets():
        variables = TakenVariables()
        source = passwords(terminal, variables, password_file, password_fd)
        if passphrase == bool(recipients):
            raise UsageError(
                "one of -r RECIPIENT and --passphrase is needed, and a passphrase stands alone"
            )
        if source.is_named and not passphrase:
            raise UsageError("a password goes with --passphrase, not with recipients")
        _check_output(output, force, is_text=armor)
        known = parse_recipients(recipients) if recipients else []
        with _plain(file, password_fd, terminal) as plain:
            if kind_of(plain.data) is KeyKind.AGE_FILE:
                raise UsageError(f"{file} is encrypted already")
            if passphrase:
                with source.new(f"Passphrase for {output}") as secret:
                    source.forget()
                    data = encrypt_with_passphrase(plain, secret, armored=armor)
            else:
                data = encrypt(plain, known, armored=armor)
        _write(output, data, force, None, is_text=armor)
    return 0


def _decrypt(
    file: Path,
    identities: tuple[Path, ...],
    output: Path,
    force: bool,
    password_file: Path | None,
    password_fd: int | None,
    quiet: bool,
) -> int:
    with Terminal(Level.ERROR if quiet else Level.INFO).open() as terminal, hold_secrets():
        variables = TakenVariables()
        source = passwords(terminal, variables, password_file, password_fd)
        if [file, *identities].count(STANDARD_INPUT) + (password_fd == 0) > 1:
            raise UsageError("standard input can hold one of file, identity and password")
        _check_output(output, force, is_text=True)
        stored = [stored_text("-i", path) for path in identities]
        if not stored and variables.identity:
            stored = [StoredText(IDENTITY_VARIABLE, None, variables.identity)]
        sealed = stored_text("FILE", file)
        with sealed.take(MAX_AGE_FILE_BYTES, None) as data:
            if kind_of(data.data) is not KeyKind.AGE_FILE:
                raise AgeError(
                    f"{sealed.name} is not encrypted with age: it holds {kind_of(data.data).words}",
                    reason="not-age",
                )
            with open_age_file(data, sealed.name, stored, source, terminal.warn) as plain:
                what = "the secret key" if kind_of(plain.data) in _PRIVATE else None
                _write(output, plain.data, force, what, is_text=True)
    return 0


def _plain(file: Path, password_fd: int | None, terminal: Terminal) -> Secret:
    if file == STANDARD_INPUT and password_fd == 0:
        raise UsageError("standard input can hold one of file and password")
    return stored_text("FILE", file).take(MAX_AGE_PLAINTEXT_BYTES, terminal.warn)


def _check_output(output: Path, force: bool, *, is_text: bool) -> None:
    """Refuse before the work what would be refused after it."""
    from binstall.publish.key_files import FileExists

    if output == STANDARD_INPUT:
        if not is_text and sys.stdout.isatty():
            raise UsageError(
                "an encrypted file is no text for a terminal", hint="-a makes it one, -o FILE keeps it"
            )
        return
    refuse_key_text("-o", output)
    if output.exists() and not force:
        raise FileExists(f"{output} exists already")


def _write(
    output: Path, data: bytes | bytearray, force: bool, secret: str | None, *, is_text: bool
) -> None:
    _check_output(output, force, is_text=is_text)
    if output == STANDARD_INPUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    if secret is not None:
        refuse_inside_package(output, secret)
    write_new(output, data, force=force)


def _output_option(required: bool) -> click.Parameter:
    return Option(
        ["-o", "--output", "output"],
        type=click.Path(path_type=Path, readable=False),
        metavar="FILE",
        required=required,
        group=_OUT,
        common=True,
        help="File to make, mode 0600, `-` for standard output.",
    )


def _force_option() -> click.Parameter:
    return Option(["-f", "--force"], is_flag=True, group=_OUT, common=True, help="Replace that file.")


def _quiet_option() -> click.Parameter:
    return Option(
        ["-q", "--quiet", "quiet"], is_flag=True, group=_OUT, common=True, help="Print errors only."
    )


def _file_argument() -> click.Parameter:
    return click.Argument(["file"], type=click.Path(path_type=Path, readable=False), metavar="FILE")


_age_command = Command(
    "age",
    callback=_age,
    params=[
        _output_option(required=False),
        Option(
            ["-i", "--identity", "identity"],
            type=click.Path(path_type=Path, readable=False),
            metavar="FILE",
            group=_IN,
            common=True,
            help="Print the recipient of this identity instead, `-` for standard input.",
        ),
        _force_option(),
        _quiet_option(),
    ],
    help="Make an age identity; print its recipient, which begins with age1.",
    example="binstall key age -o identity.txt\nbinstall key age -i identity.txt",
)

_encrypt_command = Command(
    "encrypt",
    callback=_encrypt,
    params=[
        _file_argument(),
        Option(
            ["-r", "--recipient", "recipients"],
            metavar="RECIPIENT",
            multiple=True,
            group=_IN,
            common=True,
            help="Who may open it: an age1… or ssh public key, or a file of them. May repeat.",
        ),
        Option(
            ["--passphrase"],
            is_flag=True,
            group=_IN,
            common=True,
            help="Whoever knows the passphrase may open it. Asked for twice.",
        ),
        *password_options(_IN),
        Option(["-a", "--armor", "armor"], is_flag=True, group=_OUT, common=True, help="Make text of it."),
        _output_option(required=True),
        _force_option(),
        _quiet_option(),
    ],
    help="Encrypt a key file with age.\n\nFILE is `-` for standard input. It is read and encrypted in memory.",
    example="binstall key encrypt signing.key -r age1… -o signing.key.age",
)

_decrypt_command = Command(
    "decrypt",
    callback=_decrypt,
    params=[
        _file_argument(),
        identity_option(),
        *password_options(_IN),
        _output_option(required=True),
        _force_option(),
        _quiet_option(),
    ],
    help="Decrypt a key file that age encrypted.\n\nFILE is `-` for standard input. It is decrypted in memory and "
    "written whole or not at all. age plugins are never run.",
    example="binstall key decrypt signing.key.age -i identity.txt -o signing.key",
)

command = Group(
    "key",
    commands_by_name={
        "age": lambda: _age_command,
        "encrypt": lambda: _encrypt_command,
        "decrypt": lambda: _decrypt_command,
    },
    help="Make age identities; encrypt and decrypt key files with age.",
    context_settings={"help_option_names": []},
)
