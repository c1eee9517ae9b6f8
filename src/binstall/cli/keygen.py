"""`binstall keygen`: a minisign key pair, and what to write into `Cargo.toml`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from binstall.cli.params import Command, Option
from binstall.cli.secret_options import (
    TakenVariables,
    keys_folder,
    password_options,
    passwords,
    refuse_key_text,
)
from binstall.cli.terminal import Level, Terminal
from binstall.errors import UsageError
from binstall.formats.minisign_key import KEY_FILE_COMMENT
from binstall.publish.key_places import AGE_SUFFIX, KEY_NAME, make_folder, public_beside
from binstall.publish.secrets import Secret, hold_secrets

_FILES, _PROTECTION, _OUTPUT = "Where the keys go", "What protects the secret key", "What is shown"


def _run(quiet: bool, **options: Any) -> int:
    with Terminal(Level.ERROR if quiet else Level.INFO).open() as terminal, hold_secrets():
        return _make(terminal, TakenVariables(), options)


def _make(terminal: Terminal, variables: TakenVariables, options: dict[str, Any]) -> int:
    from binstall.publish.age_keys import parse_recipients
    from binstall.publish.new_keys import NewKeyPair, make_key_pair
    from binstall.publish.stamp import SigningSection

    unprotected, recipients = options["unprotected"], options["recipients"]
    source = passwords(terminal, variables, options["password_file"], options["password_fd"])
    if unprotected and source.is_named:
        raise UsageError("-W makes a key without password, and a password was given")
    secret_path = _secret_path(options["secret_key"], bool(recipients))
    public_path: Path = options["public_key"] or public_beside(secret_path)
    refuse_key_text("-p", public_path)
    wanted = NewKeyPair(
        secret_path,
        public_path,
        comment=options["comment"] or KEY_FILE_COMMENT,
        recipients=parse_recipients(recipients) if recipients else (),
        manifest=options["stamp"],
        force=options["force"],
    )

    def password() -> Secret | None:
        # A key that goes to age recipients has a password only where an option says so.
        if unprotected or (recipients and not source.is_named):
            return None
        return source.new("Password of the new key")

    try:
        public = make_key_pair(wanted, password, terminal.warn)
    finally:
        source.forget()
    terminal.result(f"public key  {public.base64}")
    terminal.result(f"key id      {public.shown_id}")
    terminal.result(f"written to  {secret_path}{' (encrypted with age)' if recipients else ''}")
    terminal.result(f"       and  {public_path}")
    terminal.result("")
    if wanted.manifest is not None:
        terminal.result(f"{wanted.manifest} now holds:")
        terminal.result("")
    for line in SigningSection(public.base64).text.splitlines():
        terminal.result(line)
    return 0


def _secret_path(given: Path | None, encrypted: bool) -> Path:
    if given is None:
        folder = keys_folder()
        make_folder(folder)
        given = folder / KEY_NAME
    refuse_key_text("-s", given)
    if encrypted and given.suffix != AGE_SUFFIX:
        return given.with_name(given.name + AGE_SUFFIX)
    return given


command = Command(
    "keygen",
    callback=_run,
    params=[
        Option(
            ["-s", "--secret-key", "secret_key"],
            type=click.Path(path_type=Path, readable=False),
            metavar="FILE",
            group=_FILES,
            common=True,
            help="Secret key file to make, mode 0600. Else signing.key in your configuration folder. "
            "Not inside a cargo package, unless git ignores it.",
        ),
        Option(
            ["-p", "--public-key-file", "public_key"],
            type=click.Path(path_type=Path, readable=False),
            metavar="FILE",
            group=_FILES,
            common=True,
            help="Public key file to make. Else NAME.pub beside the secret key NAME.key.",
        ),
        Option(
            ["-f", "--force"],
            is_flag=True,
            group=_FILES,
            common=True,
            help="Replace keys that are there, and a stamp. The replaced secret key is lost for good.",
        ),
        Option(
            ["--stamp"],
            type=click.Path(path_type=Path, readable=False),
            metavar="CARGO_TOML",
            group=_FILES,
            common=True,
            help="Write the public key into this Cargo.toml.",
        ),
        Option(
            ["-c", "--comment", "comment"],
            metavar="TEXT",
            group=_FILES,
            help="Comment above the secret key. Nobody signs it.",
        ),
        Option(
            ["-W", "--no-password", "unprotected"],
            is_flag=True,
            group=_PROTECTION,
            common=True,
            help="No password: an unencrypted key, which minisign and rsign2 both read. "
            "In rsign2 -W means an empty password instead, which is not the same.",
        ),
        Option(
            ["-r", "--age-recipient", "recipients"],
            metavar="RECIPIENT",
            multiple=True,
            group=_PROTECTION,
            common=True,
            help="Write the secret key encrypted with age only. An age1… or ssh public key, or a file of "
            "them. May repeat. `.age` is added to the file's name; no password is asked for.",
        ),
        *password_options(_PROTECTION),
        Option(
            ["-q", "--quiet", "quiet"], is_flag=True, group=_OUTPUT, common=True, help="Print errors only."
        ),
    ],
    help="Make a minisign key pair and print what belongs into Cargo.toml.\n\n"
    "A password is asked for twice, unless -W or --age-recipient says otherwise. Existing files are not touched "
    "without -f, and a run that fails leaves nothing behind.",
    example="binstall keygen --stamp Cargo.toml\nbinstall keygen -r age1… -s release.key -p release.pub",
)
