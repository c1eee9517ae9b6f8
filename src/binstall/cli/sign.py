"""`binstall sign`: signatures beside files, by a key that is kept or by one that lives for this release."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from binstall.cli.params import Command, Option
from binstall.cli.secret_options import TakenVariables, key_source, secret_options
from binstall.cli.terminal import Level, Terminal
from binstall.errors import UsageError
from binstall.publish.key_files import KEY_VARIABLE
from binstall.publish.secrets import hold_secrets
from binstall.text import visible

if TYPE_CHECKING:
    from binstall.publish.cargo_package import CargoPackage
    from binstall.publish.signer import SignedFile

_WHAT, _SAYS, _JIT, _SHOWN = "What is signed", "What the signature says", "Just in time", "What is shown"
_OF_A_KEPT_KEY = {
    "secret_key": "-s",
    "identities": "-i",
    "password_file": "--password-file",
    "password_fd": "--password-fd",
    "signature": "-x",
}
_OF_JUST_IN_TIME = {"force": "--force", "offline": "--offline", "index": "--index"}
_RUN_VARIABLES = (
    "GITHUB_RUN_ID",
    "CI_PIPELINE_ID",
    "CI_PIPELINE_NUMBER",
    "BUILDKITE_BUILD_ID",
    "CIRCLE_WORKFLOW_ID",
    "BUILD_BUILDID",
    "BITBUCKET_BUILD_NUMBER",
    "CIRRUS_BUILD_ID",
    "TRAVIS_BUILD_ID",
    "BUILD_TAG",
)
_COMMIT_VARIABLES = ("GITHUB_SHA", "CI_COMMIT_SHA")


def _run(quiet: bool, just_in_time: bool, files: tuple[Path, ...], **options: Any) -> int:
    files = (*files, *options.pop("more_files"))
    with Terminal(Level.ERROR if quiet else Level.INFO).open() as terminal, hold_secrets():
        variables = TakenVariables()
        # As minisign does: a variable without a value must not cost the names that bind a signature.
        options["trusted"] = options["trusted"] or None
        if not files:
            raise UsageError("there is no file to sign", hint="name one or more: binstall sign FILE")
        for name, letters in (_OF_A_KEPT_KEY if just_in_time else _OF_JUST_IN_TIME).items():
            if options[name]:
                raise UsageError(
                    f"{letters} goes with a key that is kept, and --just-in-time makes its own"
                    if just_in_time
                    else f"{letters} goes with --just-in-time only"
                )
        if just_in_time:
            if variables.key is not None:
                terminal.warn(f"--just-in-time makes its own key, and that of {KEY_VARIABLE} is not used")
            return _just_in_time(terminal, files, options)
        return _with_kept_key(terminal, variables, files, options)


def _with_kept_key(
    terminal: Terminal, variables: TakenVariables, files: tuple[Path, ...], options: dict[str, Any]
) -> int:
    from binstall.publish.key_files import load_key_pair
    from binstall.publish.signer import plan_signatures, sign_files
    from binstall.signing.minisign_keys import SIGNATURE_COMMENT

    facts = None
    if options["manifest_path"] is not None:
        from binstall.publish.file_facts import facts_of

        manifest = _package(terminal, options).manifest()
        known = {path.name: facts_of(path.name, manifest) for path in files}
        facts = known.__getitem__
        for name, fact in known.items():
            if not fact.targets:
                terminal.warn(
                    f"no installer asks for a file of the name {name}, by the manifest; it is signed all the same"
                )
    elif options["package"] is not None:
        raise UsageError("--package picks a member of the workspace that --manifest-path names")
    tasks = plan_signatures(files, signature_path=options["signature"], facts=facts)
    source = key_source(
        terminal,
        variables,
        secret_key=options["secret_key"],
        identities=options["identities"],
        password_file=options["password_file"],
        password_fd=options["password_fd"],
    )
    with load_key_pair(source, terminal.warn) as key:
        signed = sign_files(
            tasks,
            key,
            timestamp=int(time.time()),
            trusted_comment=options["trusted"],
            untrusted_comment=_or(options["untrusted"], SIGNATURE_COMMENT),
        )
        public = key.public_key
    _show(terminal, signed)
    if facts is not None:
        from binstall.publish.file_facts import demands_other_key

        if any(demands_other_key(facts(task.path.name), public.base64) for task in tasks):
            terminal.warn(
                f"the manifest declares another key than {public.shown_id}: before it is published, "
                f"`binstall stamp -P {public.base64}`"
            )
    return 0


def _just_in_time(terminal: Terminal, files: tuple[Path, ...], options: dict[str, Any]) -> int:
    from binstall.publish.just_in_time import Comments, sign_just_in_time
    from binstall.signing.minisign_keys import SIGNATURE_COMMENT

    options["manifest_path"] = options["manifest_path"] or Path("Cargo.toml")
    package = _package(terminal, options)
    comments = Comments(
        timestamp=int(time.time()),
        trusted=options["trusted"],
        values=_values(package, options["trusted"]),
        untrusted=_or(options["untrusted"], SIGNATURE_COMMENT),
    )
    ask = None
    if options["offline"]:
        terminal.stage("--offline: the registry was not asked whether this version is published")
    else:
        from binstall.cli.published import registry_question

        ask = registry_question(terminal, options)
    release = sign_just_in_time(
        package, files, comments, ask=ask, force=options["force"], warn=terminal.warn
    )
    what = f"{release.manifest.name} {release.manifest.version}"
    if release.was_complete:
        terminal.result(
            f"{what} is signed already by key {release.key_id}"
            f"{', and published with it' if release.is_published else ''}; nothing was changed"
        )
        return 0
    _show(terminal, release.files)
    terminal.result(f"{package.manifest_path}: stamped for {what} with public key {release.public_key}")
    terminal.stage("the private key was never written, and is forgotten")
    return 0


def _package(terminal: Terminal, options: dict[str, Any]) -> CargoPackage:
    """Open the package, and see that it does not hold a private key: before one is asked for or made."""
    from binstall.publish.cargo_package import open_package, refuse_leaks

    package = open_package(options["manifest_path"], options["package"])
    refuse_leaks(package, os.environ, terminal.warn)
    return package


def _or(given: str | None, default: str) -> str:
    return default if given is None else given


def _values(package: CargoPackage, trusted: str | None) -> dict[str, str]:
    """Return what is known of `git` and `run`; git is only asked where the comment names it."""
    from binstall.formats.template import parse_template
    from binstall.publish.git import commit_of

    keys = parse_template(trusted).keys if trusted is not None else frozenset()
    found = {"run": next((os.environ[name] for name in _RUN_VARIABLES if os.environ.get(name)), None)}
    if "git" in keys:
        found["git"] = commit_of(package.folder, os.environ) or next(
            (os.environ[name] for name in _COMMIT_VARIABLES if os.environ.get(name)), None
        )
    return {name: value for name, value in found.items() if value is not None and name in keys}


def _show(terminal: Terminal, signed: tuple[SignedFile, ...]) -> None:
    for one in signed:
        comment = visible(one.evidence.trusted_comment or "", keep_tabs=True)
        terminal.result(f"{one.path}: signed by key {one.evidence.key_id} in {one.signature_path}")
        terminal.result(f"    trusted comment: {comment}")
        for warning in one.evidence.warnings:
            terminal.warn(f"{one.path}: {warning}; an installer would refuse it")


def _params() -> list[click.Parameter]:
    path = click.Path(path_type=Path, readable=False)
    return [
        click.Argument(["files"], nargs=-1, type=path, metavar="FILE..."),
        Option(
            ["-m", "more_files"],
            type=path,
            metavar="FILE",
            multiple=True,
            group=_WHAT,
            common=True,
            help="The same as FILE, for minisign's habits. May repeat.",
        ),
        Option(
            ["-x", "--signature", "signature"],
            type=path,
            metavar="FILE",
            group=_WHAT,
            common=True,
            help="Where the signature of the only FILE goes. Else FILE.sig, or the name that the manifest's "
            "`file` template yields.",
        ),
        Option(
            ["--manifest-path"],
            type=path,
            metavar="PATH",
            group=_WHAT,
            common=True,
            help="Cargo.toml of the package that is released. Names signatures, and says in them for which "
            "crate, version and target a file is.",
        ),
        Option(
            ["--package"],
            metavar="NAME",
            group=_WHAT,
            common=True,
            help="Member of the workspace of --manifest-path.",
        ),
        Option(
            ["-t", "--trusted-comment", "trusted"],
            metavar="TEXT",
            group=_SAYS,
            common=True,
            help="Trusted comment, signed. Else time, file name and what is known about the file. With "
            "--just-in-time it may name {name}, {version}, {git} and {run}.",
        ),
        Option(
            ["-c", "--untrusted-comment", "untrusted"],
            metavar="TEXT",
            group=_SAYS,
            common=True,
            help="Untrusted comment: the first line, which nobody signs.",
        ),
        *secret_options(),
        Option(
            ["--just-in-time", "--jit", "just_in_time"],
            is_flag=True,
            group=_JIT,
            common=True,
            help="Make a key in memory for this release alone. Sign every FILE with it, stamp its public half "
            "into Cargo.toml, forget it. Name all files of the release in one run.",
        ),
        Option(
            ["--force"],
            is_flag=True,
            group=_JIT,
            common=True,
            help="Replace a signing section that was not made just in time. Never passes a published version.",
        ),
        Option(
            ["--offline"],
            is_flag=True,
            group=_JIT,
            common=True,
            help="Do not ask the registry whether the version is published.",
        ),
        *_registry_options(),
        Option(
            ["-q", "--quiet", "quiet"], is_flag=True, group=_SHOWN, common=True, help="Print errors only."
        ),
    ]


def _registry_options() -> list[click.Parameter]:
    from binstall.cli.connect import registry_options

    return registry_options(_JIT)


command = Command(
    "sign",
    callback=_run,
    params=_params(),
    help="Sign files with a minisign key, or with one made for this release alone.\n\n"
    "Each FILE gets its signature beside it. All are made, judged as an installer judges them, placed and read "
    "back, or none is. The signatures are what minisign makes of the same key and comments.\n\n"
    "With --just-in-time there is no key to keep: it exists in memory while the files are signed. A version "
    "that is published never gets a second key, and a run that is repeated changes nothing.",
    example="binstall sign -s signing.key dist/*.tgz\n"
    "BINSTALL_SIGNING_KEY=… binstall sign --manifest-path Cargo.toml dist/*.tgz\n"
    "binstall sign --just-in-time --manifest-path Cargo.toml dist/*.tgz -t 'git={ git } run={ run }'",
)
