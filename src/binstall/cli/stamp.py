"""`binstall stamp`: the signing section of a `Cargo.toml`, written or taken out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from binstall.cli.params import Command, Option
from binstall.cli.public_key_options import given_public_key, public_key_options
from binstall.cli.secret_options import TakenVariables
from binstall.cli.terminal import Level, Terminal
from binstall.errors import UsageError

_WHICH, _WHAT, _SHOWN = "Which manifest", "What it is to say", "What is shown"


def _run(quiet: bool, **options: Any) -> int:
    from binstall.publish.cargo_package import open_package, refuse_leaks
    from binstall.publish.stamp import SigningSection, remove_from_file, signing_overrides, stamp_file

    with Terminal(Level.ERROR if quiet else Level.INFO).open() as terminal:
        TakenVariables()  # cargo, which is asked below, is to inherit none
        key = given_public_key(options["public_key"], options["public_key_file"])
        if (key is None) != options["remove"]:
            raise UsageError(
                "one of -P, -p and --remove says what is to be done, and no other of them",
                hint="-P KEY takes a public key, -p its file",
            )
        package = open_package(options["manifest_path"], options["package"])
        path = package.manifest_path
        if key is None:
            if options["file"] is not None:
                raise UsageError("--file goes with a key, not with --remove")
            gone = remove_from_file(path)
            terminal.result(f"{path}: the signing section is {'gone' if gone else 'not there'}")
            return 0
        refuse_leaks(package, os.environ, terminal.warn)
        changed = stamp_file(path, SigningSection(key.base64, file=options["file"]))
        terminal.result(
            f"{path}: {'stamped with' if changed else 'stamped already with'} public key {key.base64}"
        )
        for override in signing_overrides(package.text, what=str(path)):
            terminal.warn(f"the override {override} has a signing section of its own, which wins there")
    return 0


command = Command(
    "stamp",
    callback=_run,
    params=[
        Option(
            ["--manifest-path"],
            type=click.Path(path_type=Path, readable=False),
            default=Path("Cargo.toml"),
            metavar="PATH",
            group=_WHICH,
            common=True,
            help="The Cargo.toml to change. Else the one in this folder.",
        ),
        Option(
            ["--package"],
            metavar="NAME",
            group=_WHICH,
            common=True,
            help="Member of the workspace of that Cargo.toml.",
        ),
        *public_key_options(_WHAT),
        Option(
            ["--file", "file"],
            metavar="TEMPLATE",
            group=_WHAT,
            common=True,
            help="Template of the signature's URL. Else what the section says already, else { url }.sig.",
        ),
        Option(
            ["--remove"],
            is_flag=True,
            group=_WHAT,
            common=True,
            help="Take the section out of the manifest.",
        ),
        Option(
            ["-q", "--quiet", "quiet"], is_flag=True, group=_SHOWN, common=True, help="Print errors only."
        ),
    ],
    help="Write the signing section of Cargo.toml, or take it out.\n\n"
    "Installers then accept packages that are signed by this key, and no others. Everything else in the file "
    "stays as it is, comments and line ends included.",
    example="binstall stamp -p signing.pub\n"
    "binstall stamp --package tool -P RWRnmBcLmQbXVcEPWo2OOKMI36kki4GiI7gcBgIaPLwvxe14Wtxm9acX "
    "--file '{ url }.minisig'\nbinstall stamp --remove",
)
