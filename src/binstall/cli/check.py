"""`binstall check`: before publishing, what installers will make of it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from binstall.cli.connect import registry_options
from binstall.cli.params import Command, Option, expand_greedy
from binstall.cli.secret_options import TakenVariables
from binstall.cli.terminal import Level, Terminal
from binstall.errors import BadTarget, BinstallError, LocalManifestError, NoBinaries, UsageError

if TYPE_CHECKING:
    from binstall.cli.request import Surroundings
    from binstall.formats.target import TargetTriple
    from binstall.publish.cargo_package import CargoPackage
    from binstall.publish.check_crate import CheckedCrate
    from binstall.publish.check_packages import Place

_WHAT, _WHERE, _NETWORK, _OUTPUT = "What is checked", "Where it is looked for", "Network", "What is shown"


def _run(**options: Any) -> int:
    if options["quiet"] and options["verbose"]:
        raise UsageError("-q and -v exclude each other")
    level = Level.ERROR if options["quiet"] else Level.DEBUG if options["verbose"] else Level.INFO
    terminal = Terminal(level, json_lines=options["json_output"])
    with terminal.open():
        try:
            return _check(terminal, options)
        except BinstallError as error:
            terminal.json_result(
                {
                    "schema": 1,
                    "event": "failed",
                    "exit_code": error.exit_code,
                    "error": type(error).__name__,
                    "message": error.message,
                    "mend": error.hint,
                }
            )
            raise


def _check(terminal: Terminal, options: dict[str, Any]) -> int:
    from binstall.cli.check_report import failures, report_lines, report_objects
    from binstall.cli.request import Surroundings
    from binstall.formats.target import parse_target
    from binstall.publish.check import Dist, check
    from binstall.publish.release_folder import read_folder
    from binstall.registry.cargo_home import user_home

    _refuse_contradictions(options)
    TakenVariables()  # programs that are asked below need none of our secrets
    process = dict(os.environ)
    around = Surroundings(process, Path.cwd(), user_home(process))
    targets = [parse_target(word.strip()) for text in options["targets"] for word in text.split(",")]
    dist = None
    if options["dist"] is not None:
        dist = Dist(options["dist"], read_folder(options["dist"]))
    crates, neighbours = _crates(terminal, options, around, wants_neighbours=dist is not None)
    with _places(terminal, options, around, dist) as places:
        report = check(
            crates,
            dist=dist,
            places=places,
            targets=targets,
            machine=() if targets else _machine(terminal),
            neighbours=neighbours,
            told=lambda crate, row: terminal.detail(
                f"{crate.manifest.name} for {row.question.target.text}: {row.verdict}"
            ),
        )
    for line in report_lines(report):
        terminal.result(line)
    for value in report_objects(report):
        terminal.json_result(value)
    if terminal.level <= Level.ERROR or terminal.json_lines:
        for error in failures(report):
            terminal.error(error)
    elif report.failures:
        count = len(report.failures)
        terminal.stage(
            f"{count} {'failure' if count == 1 else 'failures'}; the first decides the exit code"
        )
    return report.exit_code


def _refuse_contradictions(options: dict[str, Any]) -> None:
    if options["workspace"] and options["package"] is not None:
        raise UsageError("--workspace and --package exclude each other")
    if options["crate"] is not None and options["workspace"]:
        raise UsageError("--crate is one crate, --workspace are several")
    if options["crate"] is not None and options["package"] is not None and options["manifest_path"] is None:
        raise UsageError(
            "with --crate, --package picks a member of the workspace that --manifest-path names"
        )


def _crates(
    terminal: Terminal, options: dict[str, Any], around: Surroundings, *, wants_neighbours: bool
) -> tuple[Sequence[CheckedCrate], Sequence[CheckedCrate]]:
    """Return what is checked, and the other crates of its workspace."""
    from binstall.publish.cargo_package import open_package
    from binstall.publish.check_crate import read_crate_file, read_package
    from binstall.registry.members import workspace_manifests

    # Programs that are asked need none of our secrets.
    environment = {
        name: text for name, text in around.environment.items() if not name.startswith("BINSTALL_")
    }
    here = around.working_directory
    path = here / (options["manifest_path"] or "Cargo.toml")
    if options["workspace"]:
        packages = [open_package(manifest, None) for manifest in workspace_manifests(path)]
        crates = []
        for package in packages:
            if not _is_publishable(package):
                terminal.stage(f"{_shown(package, here)}: not for publishing, so it is not checked")
                continue
            try:
                crates.append(read_package(package, environment, _shown(package, here)))
            except NoBinaries as error:
                terminal.stage(f"{error.message}, so it is not checked")
        if not crates:
            raise LocalManifestError(f"no package of the workspace of {path} has binaries to publish")
        return crates, ()
    if options["crate"] is not None:
        named = options["manifest_path"] is not None
        made_from = open_package(path, options["package"]) if named else None
        checked = read_crate_file(here / options["crate"], made_from, environment)
        neighbours_of = made_from
    else:
        neighbours_of = open_package(path, options["package"])
        checked = read_package(neighbours_of, environment, _shown(neighbours_of, here))
    return [checked], list(_neighbours(neighbours_of, here)) if wants_neighbours else ()


def _neighbours(package: CargoPackage | None, here: Path) -> Iterator[CheckedCrate]:
    """Yield the other crates of the workspace; one that cannot be read leads to no file."""
    from binstall.publish.cargo_package import open_package
    from binstall.publish.check_crate import read_neighbour
    from binstall.registry.members import workspace_manifests

    if package is None:
        return
    for manifest in workspace_manifests(package.manifest_path):
        with contextlib.suppress(BinstallError):
            other = open_package(manifest, None)
            if other.manifest_path != package.manifest_path and _is_publishable(other):
                yield read_neighbour(other, _shown(other, here))


def _is_publishable(package: CargoPackage) -> bool:
    from binstall.formats.manifest import package_of

    table = package_of(package.local.document)
    return table is None or table.values.get("publish") not in (False, [])


def _shown(package: CargoPackage, here: Path) -> str:
    path = package.manifest_path
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _machine(terminal: Terminal) -> Sequence[TargetTriple]:
    from binstall.formats.host import preferred_targets
    from binstall.formats.target import parse_target
    from binstall.machine import detect_host

    try:
        return [parse_target(text) for text in preferred_targets(detect_host())]
    except BadTarget as error:
        terminal.warn(f"{error.message}, so no target of this machine is checked")
        return ()


@contextlib.contextmanager
def _places(
    terminal: Terminal, options: dict[str, Any], around: Surroundings, dist: Any
) -> Iterator[Sequence[Place]]:
    from binstall.cli.connect import open_transfers, read_cargo
    from binstall.net.transfers import Transfers
    from binstall.publish.check_packages import Place
    from binstall.publish.release_folder import FolderFetcher

    insecure = options["allow_insecure_http"]
    with contextlib.ExitStack() as stack:
        staging = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="binstall-check-")))
        places = []
        if dist is not None:
            fetcher = FolderFetcher(dist.folder, dist.names, allow_insecure_http=insecure)
            places.append(Place("folder", stack.enter_context(Transfers(fetcher)), staging))
        if options["online"]:
            config, _ = read_cargo(around)
            transfers = open_transfers(
                around,
                config,
                terminal,
                root_certificates=options["root_certificates"],
                allow_insecure_http=insecure,
            )
            places.append(Place("host", stack.enter_context(transfers), staging))
        yield places


class _Check(Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, expand_greedy(args, "--targets"))


_PATH = click.Path(path_type=Path, readable=False)

command = _Check(
    "check",
    callback=_run,
    params=[
        Option(
            ["--manifest-path"],
            type=_PATH,
            metavar="PATH",
            group=_WHAT,
            common=True,
            help="The crate's Cargo.toml, or its folder. Else that of the working directory.",
        ),
        Option(
            ["--package"], metavar="NAME", group=_WHAT, common=True, help="Which member of the workspace."
        ),
        Option(
            ["--workspace"],
            is_flag=True,
            group=_WHAT,
            common=True,
            help="Every member of the workspace that has binaries and may be published.",
        ),
        Option(
            ["--crate"],
            type=_PATH,
            metavar="FILE.crate",
            group=_WHAT,
            common=True,
            help="Judge this very crate. Without it, the files that `cargo package --list` names, and without "
            "cargo the working tree. With --manifest-path, git is asked about that package.",
        ),
        Option(
            ["--targets", "--target", "targets"],
            metavar="TRIPLE...",
            multiple=True,
            group=_WHAT,
            common=True,
            help="Check these targets. May repeat or hold commas. Else every target in the name of a file in "
            "DIR or of an override, and this machine's, which need have no package.",
        ),
        Option(
            ["--dist"],
            type=_PATH,
            metavar="DIR",
            group=_WHERE,
            common=True,
            help="The files of the release. A URL leads to the file that has its name.",
        ),
        Option(
            ["--online"],
            is_flag=True,
            group=_WHERE,
            common=True,
            help="Ask the real release host the same questions. Packages are downloaded and verified.",
        ),
        *(option for option in registry_options(_NETWORK) if option.name != "index"),
        Option(
            ["-v", "--verbose", "verbose"], is_flag=True, group=_OUTPUT, common=True, help="Tell each step."
        ),
        Option(
            ["-q", "--quiet", "quiet"], is_flag=True, group=_OUTPUT, common=True, help="Print errors only."
        ),
        Option(
            ["--json", "json_output"],
            is_flag=True,
            group=_OUTPUT,
            common=True,
            help="Print one JSON object a line. The schema is in docs/json.md.",
        ),
    ],
    help="Check before publishing what installers will make of it, target by target.\n\n"
    "For each target: the URL that installers ask for, whether the file is there, whether its signature "
    "verifies by the manifest's key and what its trusted comment says, whether it unpacks safely and holds "
    "every binary. Each failure comes with the line of Cargo.toml or the file name that would mend it. "
    "Archives that no target leads to are named. The crate itself must hold no private key, and nothing but "
    "its signing section may be uncommitted.\n\n"
    "The exit code is 0, or that of the first failure: an installer's own (40 a wrong signature, 41 a missing "
    "one, 67 a template, 88 an unusable archive, 94 no package), 2 for a private key in the crate, 99 for what "
    "is not committed. Neither --dist nor --online: URLs, templates and keys are checked.",
    example="binstall check --dist dist\n"
    "binstall check --dist dist --targets x86_64-unknown-linux-musl aarch64-apple-darwin\n"
    "binstall check --online --crate target/package/hello-1.0.0.crate",
)
