"""`binstall pubkey`: the public half of a secret key, as `minisign -R` recovers it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from binstall.cli.params import Command, Option
from binstall.cli.secret_options import TakenVariables, key_source, refuse_key_text, secret_options
from binstall.cli.terminal import Level, Terminal
from binstall.publish.secrets import hold_secrets

_OUTPUT = "What is written and shown"


def _run(public_key: Path | None, force: bool, quiet: bool, **given: Any) -> int:
    from binstall.formats.minisign_key import serialize_public_key
    from binstall.publish.key_files import load_key_pair, write_new
    from binstall.publish.new_files import PUBLIC_MODE

    with Terminal(Level.ERROR if quiet else Level.INFO).open() as terminal, hold_secrets():
        variables = TakenVariables()
        if public_key is not None:
            refuse_key_text("-p", public_key)
        with load_key_pair(key_source(terminal, variables, **given), terminal.warn) as pair:
            public = pair.public_key
        if public_key is not None:
            write_new(public_key, serialize_public_key(public).encode(), PUBLIC_MODE, force)
            terminal.stage(f"key id {public.shown_id}, written to {public_key}")
        else:
            terminal.stage(f"key id {public.shown_id}")
        terminal.result(public.base64)
    return 0


command = Command(
    "pubkey",
    callback=_run,
    params=[
        *secret_options(),
        Option(
            ["-p", "--public-key-file", "public_key"],
            type=click.Path(path_type=Path, readable=False),
            metavar="FILE",
            group=_OUTPUT,
            common=True,
            help="Write the public key file too.",
        ),
        Option(["-f", "--force"], is_flag=True, group=_OUTPUT, common=True, help="Replace that file."),
        Option(
            ["-q", "--quiet", "quiet"], is_flag=True, group=_OUTPUT, common=True, help="Print errors only."
        ),
    ],
    help="Print the public half of a secret key, the one line that belongs into Cargo.toml.",
    example="binstall pubkey -s signing.key -p signing.pub",
)
