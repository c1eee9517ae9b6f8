"""`binstall verify`: whether files are what their publisher signed, by the rules of an install."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from binstall.cli.connect import registry_options
from binstall.cli.params import Command, Option
from binstall.cli.public_key_options import given_public_key, public_key_options
from binstall.cli.terminal import Level, Terminal
from binstall.errors import BinstallError, UsageError
from binstall.text import visible

if TYPE_CHECKING:
    from binstall.publish.verify_files import KeySource, Verdict
    from binstall.registry.found import FoundCrate

_WHAT, _WHOSE, _NETWORK, _OUTPUT = "What is verified", "Whose signature", "Network", "What is shown"
_SCHEMA = 1


def _run(**options: Any) -> int:
    terminal = Terminal(Level.ERROR if options["quiet"] else Level.INFO, json_lines=options["json_output"])
    with terminal.open():
        try:
            return _verify(terminal, options)
        except BinstallError as error:
            terminal.json_result(_failure(None, error))
            raise


def _verify(terminal: Terminal, options: dict[str, Any]) -> int:
    from binstall.publish.verify_files import Verification, exit_code_of

    files: Sequence[Path] = (*options["more_files"], *options["files"])
    if not files:
        raise UsageError("name at least one FILE", hint="`binstall verify --help` lists what it takes")
    if options["signature"] is not None and len(files) > 1:
        raise UsageError(f"-x names the signature of one file, and {len(files)} were given")
    run = Verification(
        files, _keys(terminal, options), options["signature"], allow_legacy=options["allow_legacy"]
    )
    verdicts = run.run()
    for verdict in verdicts:
        _show(terminal, verdict, alone=len(files) == 1)
    failed = [verdict.error for verdict in verdicts if verdict.error is not None]
    if len(files) > 1 and failed:
        terminal.stage(f"{len(failed)} of {len(files)} files failed:")
    for error in failed:
        terminal.error(error)
    return exit_code_of(verdicts)


def _keys(terminal: Terminal, options: dict[str, Any]) -> KeySource:
    from binstall.publish.verify_files import BareKey

    key = given_public_key(options["public_key"], options["public_key_file"])
    manifest_path, crate = options["manifest_path"], options["crate"]
    if sum(source is not None for source in (key, manifest_path, crate)) != 1:
        raise UsageError(
            "whose signature it must be is said by one of -P, -p, --manifest-path and --crate",
            hint="-P KEY is the publisher's key, --crate NAME@VERSION the one that the crate declares",
        )
    if options["package"] is not None and manifest_path is None:
        raise UsageError("--package picks a member of the workspace that --manifest-path names")
    if key is not None:
        return BareKey(key.base64)
    from binstall.publish.declared_key import DeclaredKey

    if crate is not None:
        found = _from_registry(terminal, options)
        manifest, authentic = found.manifest, found.trusted_transport
    else:
        from binstall.registry.local import open_local

        manifest, authentic = open_local(manifest_path, options["package"]).read(), True
    for warning in manifest.warnings:
        terminal.warn(warning)
    return DeclaredKey(manifest, authentic)


def _from_registry(terminal: Terminal, options: dict[str, Any]) -> FoundCrate:
    from binstall.cli.connect import git_rules, open_registry, open_transfers, read_cargo
    from binstall.cli.install import surroundings
    from binstall.formats.version import parse_crate_spec

    spec = parse_crate_spec(options["crate"])
    if spec.requirement is None:
        raise UsageError(f"--crate {spec.name} names no version", hint=f"--crate {spec.name}@VERSION does")
    around = surroundings()
    config, cargo_home = read_cargo(around)
    with contextlib.ExitStack() as stack:
        transfers = stack.enter_context(
            open_transfers(
                around,
                config,
                terminal,
                root_certificates=options["root_certificates"],
                allow_insecure_http=options["allow_insecure_http"],
            )
        )
        rules = partial(
            git_rules,
            config,
            working_directory=around.working_directory,
            root_certificates=options["root_certificates"],
            allow_insecure_http=options["allow_insecure_http"],
        )
        registry = open_registry(
            config, cargo_home, transfers, terminal, index=options["index"], rules=rules
        )
        staging = stack.enter_context(tempfile.TemporaryDirectory(prefix="binstall-verify-"))
        return registry.find(spec, Path(staging))


def _show(terminal: Terminal, verdict: Verdict, *, alone: bool) -> None:
    evidence, error = verdict.evidence, verdict.error
    if error is not None:
        terminal.json_result(_failure(verdict.file, error))
        if not alone:  # the reason comes last, with those of all others
            terminal.result(f"{verdict.file}: FAILED")
        return
    assert evidence is not None  # noqa: S101 - a verdict has one of the two
    terminal.json_result(
        {
            "schema": _SCHEMA,
            "event": "verified",
            "file": str(verdict.file),
            "signature": {
                "verdict": evidence.verdict,
                "algorithm": evidence.algorithm,
                "key_id": evidence.key_id,
                "public_key": evidence.public_key,
                "trusted_comment": evidence.trusted_comment,
                "file": str(verdict.signature),
                "warnings": list(evidence.warnings),
            },
        }
    )
    terminal.result(f"{verdict.file}: verified, signed by key {evidence.key_id}")
    terminal.result(f"  trusted comment: {visible(evidence.trusted_comment or '', keep_tabs=True)}")
    for warning in evidence.warnings:
        terminal.warn(f"{verdict.file}: {warning}")


def _failure(file: Path | None, error: BinstallError) -> dict[str, Any]:
    return {
        "schema": _SCHEMA,
        "event": "failed",
        "file": None if file is None else str(file),
        "exit_code": error.exit_code,
        "error": type(error).__name__,
        "message": error.message,
        "help": error.hint,
    }


_PATH = click.Path(path_type=Path, readable=False)

command = Command(
    "verify",
    callback=_run,
    params=[
        click.Argument(["files"], nargs=-1, type=_PATH, metavar="FILE..."),
        Option(
            ["-m", "more_files"],
            type=_PATH,
            metavar="FILE",
            multiple=True,
            group=_WHAT,
            common=True,
            help="A file, as minisign spells it. May repeat.",
        ),
        Option(
            ["-x", "--signature", "signature"],
            type=_PATH,
            metavar="FILE",
            group=_WHAT,
            common=True,
            help="The signature, for one file. Else FILE.sig, else FILE.minisig; or where the manifest says.",
        ),
        *public_key_options(_WHOSE),
        Option(
            ["--manifest-path"],
            type=_PATH,
            metavar="PATH",
            group=_WHOSE,
            common=True,
            help="The key that this Cargo.toml declares for the file. What the signature names must be this "
            "file, crate, version and target.",
        ),
        Option(
            ["--package"],
            metavar="NAME",
            group=_WHOSE,
            common=True,
            help="Which member of the workspace. With --manifest-path.",
        ),
        Option(
            ["--crate"],
            metavar="NAME@VERSION",
            group=_WHOSE,
            common=True,
            help="The key that this crate of the registry declares, and its names. As for an install.",
        ),
        Option(
            ["--allow-legacy"],
            is_flag=True,
            group=_WHOSE,
            common=True,
            help="Let minisign's old kind of signature pass. Others can forge one from a signature of the new "
            "kind; no install ever accepts it. Files up to 256 MiB.",
        ),
        *registry_options(_NETWORK),
        Option(
            ["-q", "--quiet", "quiet"], is_flag=True, group=_OUTPUT, common=True, help="Print errors only."
        ),
        Option(
            ["--json", "json_output"],
            is_flag=True,
            group=_OUTPUT,
            common=True,
            help="Print one JSON object for each file. The schema is in docs/json.md.",
        ),
    ],
    help="Verify files by minisign signatures beside them: verdict, key id, trusted comment.\n\n"
    "Whatever is accepted here, `minisign -V` accepts. The exit code is 0 if every file is what was signed; "
    "40 if a signature is wrong or malformed, before 41 if one is not there, before 74 if a file cannot be "
    "read. With a bare key, a signature that names another file is worth a warning; with a manifest or a "
    "crate it is wrong.",
    example="binstall verify hello-1.0.0.tgz -P RWRnmBcLmQbXVcEPWo2OOKMI36kki4GiI7gcBgIaPLwvxe14Wtxm9acX\n"
    "binstall verify dist/*.tgz --manifest-path Cargo.toml\n"
    "binstall verify hello-1.0.0-x86_64-unknown-linux-musl.tgz --crate hello@1.0.0",
)
