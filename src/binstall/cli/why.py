"""`binstall why`: where an install would look, what each host says, whose key must sign, and what comes of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import Any

import click

from binstall.cli.connect import open_transfers, read_cargo
from binstall.cli.discovery_options import open_prober
from binstall.cli.install import level_of, request_from, settings_for, surroundings
from binstall.cli.install_options import shared_options
from binstall.cli.params import Command
from binstall.cli.parties import parties_of
from binstall.cli.report import JSON_SCHEMA, THIRD_PARTY, failure_object
from binstall.cli.request import InstallRequest
from binstall.cli.session import source_of, targets_of
from binstall.cli.terminal import Terminal
from binstall.errors import BinstallError
from binstall.formats.target import TargetTriple
from binstall.install.compile import Build
from binstall.install.installer import Installer
from binstall.install.staging import Staging
from binstall.install.survey import Answer, Place, Survey, Unusable, Verdict, groups, survey
from binstall.registry.cargo_home import install_folders
from binstall.registry.found import FoundCrate
from binstall.resolve.candidates import Candidate
from binstall.resolve.quickinstall import QuickInstall
from binstall.text import without_secrets

_NOT_ASKED: dict[str, Any] = {
    "bins": (),
    "bin_dir": None,
    "root": None,
    "install_path": None,
    "force": False,
    "no_track": None,
    "locked": False,
    "dry_run": True,
    "no_confirm": True,
    "continue_on_failure": False,
}
"""Options of an install that are about what happens to a package once it is found, and their values here."""


def why_lines(found: FoundCrate, result: Survey, request: InstallRequest) -> list[str]:
    """Return what a person is told."""
    manifest = found.manifest
    lines = []
    for group in groups(result.places):
        candidate = group[0].candidate
        lines.append(
            f"{candidate.target.text}, {_template_words(candidate, request)}: {candidate.template}"
        )
        lines.append(f"  {verdict_words(group[0])}")
        for place in group:
            shown = f"    {place.answer.word}: {candidate_words(place)}"
            lines.append(shown + (f" ({place.answer.message})" if place.answer.word == "unknown" else ""))
            if place.signature is not None:
                url = without_secrets(place.candidate.signature_url or "")
                lines.append(f"      {place.signature.word}: {url}, its signature")
    lines += [f"{one.target.text} cannot be looked for: {one.error.message}" for one in result.unusable]
    what = f"an install of {manifest.name} {manifest.version}"
    match result.outcome:
        case Candidate() as candidate:
            lines.append(f"{what} takes {without_secrets(candidate.url)}")
        case Build() as build:
            lines.append(f"{what} runs {build.command_line()}: {build.why}")
        case error:
            lines.append(f"{what} ends with exit code {error.exit_code}: {error.message}")
    return lines


def candidate_words(place: Place) -> str:
    """Name a place."""
    return f"{without_secrets(place.candidate.url)}, {place.candidate.format.value}"


def verdict_words(place: Place) -> str:
    """Say whose build it is and whose key must have signed it, in the words of the plan of an install."""
    third_party = place.candidate.party == "third party"
    built = f"built by {THIRD_PARTY}, not by its publisher; " if third_party else ""
    verdict = place.verdict
    match verdict.word:
        case "verify":
            whose = "with QuickInstall's" if third_party else "by its publisher with"
            return f"{built}must be signed {whose} {verdict.algorithm} key {verdict.key_id}"
        case "refused":
            return f"{built}REFUSED: {verdict.reason}"
    return f"{built}UNSIGNED: {verdict.reason}"


def _template_words(candidate: Candidate, request: InstallRequest) -> str:
    return {
        "option": "by --pkg-url",
        "manifest": "by pkg-url of its manifest",
        "default": "by a default template of its hosting service",
        "quick-install": "by QuickInstall's template",
    }[template_from(candidate, request)]


def template_from(candidate: Candidate, request: InstallRequest) -> str:
    """Return where the template of a candidate comes from, in the words of the JSON output."""
    if candidate.party == "third party":
        return "quick-install"
    if candidate.guessed:
        return "default"
    return "option" if request.overrides.pkg_url is not None else "manifest"


def place_object(found: FoundCrate, place: Place, request: InstallRequest) -> dict[str, Any]:
    """Return the JSON object of one candidate; `docs/json.md` is its description."""
    candidate, verdict = place.candidate, place.verdict
    return {
        **_head("candidate", found),
        "target": candidate.target.text,
        "party": candidate.party,
        "template": candidate.template,
        "template_from": template_from(candidate, request),
        "url": without_secrets(candidate.url),
        "format": candidate.format.value,
        **_answer_members(place.answer),
        "verdict": _verdict_members(verdict),
        "signature": {
            "url": without_secrets(candidate.signature_url),
            **(_answer_members(place.signature) if place.signature else {"answer": None, "message": None}),
        }
        if candidate.signature_url is not None
        else None,
    }


def unusable_object(found: FoundCrate, one: Unusable) -> dict[str, Any]:
    """Return the JSON object of a target for which the manifest cannot be used."""
    return {**_head("unusable-target", found), "target": one.target.text, **_error_members(one.error)}


def outcome_object(found: FoundCrate, outcome: Candidate | Build | BinstallError) -> dict[str, Any]:
    """Return the JSON object that says what an install would do."""
    taken = outcome if isinstance(outcome, Candidate) else None
    return {
        **_head("outcome", found),
        "target": taken.target.text if taken is not None else None,
        "url": without_secrets(taken.url) if taken is not None else None,
        "command": ["cargo", *outcome.arguments] if isinstance(outcome, Build) else None,
        **_error_members(outcome if isinstance(outcome, BinstallError) else None),
    }


def _head(event: str, found: FoundCrate) -> dict[str, Any]:
    manifest = found.manifest
    return {
        "schema": JSON_SCHEMA,
        "event": event,
        "crate": manifest.name,
        "version": str(manifest.version),
    }


def _answer_members(answer: Answer) -> dict[str, str | None]:
    return {"answer": answer.word, "message": answer.message}


def _verdict_members(verdict: Verdict) -> dict[str, str | None]:
    return {
        "verdict": verdict.word,
        "reason": verdict.reason,
        "algorithm": verdict.algorithm,
        "key_id": verdict.key_id,
        "public_key": verdict.public_key,
    }


def _error_members(error: BinstallError | None) -> dict[str, Any]:
    if error is None:
        return {"exit_code": 0, "error": None, "message": None, "help": None}
    return {
        "exit_code": error.exit_code,
        "error": type(error).__name__,
        "message": error.message,
        "help": error.hint,
    }


def why(request: InstallRequest, terminal: Terminal) -> int:
    """Tell where packages of the crate may be, and what an install would make of it; return its exit code."""
    found, result = _look(request, terminal)
    for line in why_lines(found, result, request):
        terminal.result(line)
    for place in result.places:
        terminal.json_result(place_object(found, place, request))
    for one in result.unusable:
        terminal.json_result(unusable_object(found, one))
    terminal.json_result(outcome_object(found, result.outcome))
    if isinstance(result.outcome, BinstallError):
        if result.outcome.hint:
            terminal.stage(f"help: {result.outcome.hint}")
        return result.outcome.exit_code
    return 0


def _look(request: InstallRequest, terminal: Terminal) -> tuple[FoundCrate, Survey]:
    config, cargo_home = read_cargo(request.surroundings)
    folders = install_folders(cli_root=None, cli_install_path=None, config=config, cargo_home=cargo_home)
    targets, now = targets_of(request), int(time.time())
    with contextlib.ExitStack() as stack:
        transfers = stack.enter_context(
            open_transfers(
                request.surroundings,
                config,
                terminal,
                root_certificates=request.root_certificates,
                allow_insecure_http=request.allow_insecure_http,
                min_tls_version=request.min_tls_version,
                rate_limit=request.rate_limit,
                mirrors=request.mirrors,
            )
        )
        parties = parties_of(request, config, cargo_home, folders, transfers, terminal, QuickInstall)
        prober = open_prober(request, transfers, terminal)
        stack.callback(prober.close)
        staging = stack.enter_context(Staging(folders.bin_dir, dry_run=True, progress=terminal))
        source = source_of(request, config, cargo_home, transfers, terminal, now=now)

        def new_installer(some: Sequence[TargetTriple]) -> Installer:
            return Installer(
                source,
                transfers,
                terminal,
                targets=tuple(some),
                overrides=request.overrides,
                policy=request.policy,
                parties=parties,
                prober=prober,
                github_hosts=prober.hosts,
                resolution_seconds=request.resolution_seconds,
                now=now,
            )

        found = new_installer(targets).find(request.crates[0], staging.subfolder("crate"))
        return found, survey(
            found,
            new_installer,
            prober,
            targets=targets,
            overrides=request.overrides,
            policy=request.policy,
            parties=parties,
        )


def _run(**options: Any) -> int:
    options = {**options, **_NOT_ASKED, "crates": (options.pop("crate"),)}
    around = surroundings()
    level = level_of(options)
    terminal = Terminal(level, json_lines=options["json_output"])
    with terminal.open():
        try:
            settings = settings_for(options, around, terminal, "binstall")
            return why(request_from(options, around, settings.values, level=level), terminal)
        except BinstallError as error:
            terminal.json_result(failure_object(error, None))
            raise


command = Command(
    "why",
    callback=_run,
    params=[
        click.Argument(["crate"], metavar="CRATE[@VERSION]"),
        *(option for option in shared_options() if option.name not in _NOT_ASKED),
    ],
    help="Tell where an install would look for a crate, and what comes of it, without installing.\n\n"
    "Every place where a package may be is asked about, also after the first that exists: the template that "
    "it comes from, what the host says, and whose key must have signed it. The last line is what an install "
    "would do, and the exit code is the one that it would end with, as far as that is known before anything "
    "is downloaded. Options are those of `binstall install`.",
    example="binstall why ripgrep\nbinstall why ripgrep@14 --target aarch64-unknown-linux-musl --json",
)
