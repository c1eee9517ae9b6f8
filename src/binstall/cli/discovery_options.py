"""Options about finding packages: the token for GitHub, and how long and how fast hosts are asked."""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from binstall.cli.params import Option
from binstall.errors import UsageError
from binstall.limits import MAX_TOKEN_CHARACTERS
from binstall.progress import Progress

if TYPE_CHECKING:
    from binstall.cli.request import InstallRequest
    from binstall.net.transfers import Transfers
    from binstall.resolve.github_prober import GitHubProber

_NO_HEADER_VALUE = re.compile(r"[^!-~]")
_MAX_SECONDS = 65_535


def discovery_options(group: str) -> list[click.Parameter]:
    """Return the parameters, in the order in which the help lists them."""
    return [
        Option(
            ["--github-token"],
            metavar="TOKEN",
            group=group,
            help="Token for github.com, @FILE to read it from there, - for standard input. "
            "Else GITHUB_TOKEN, GH_TOKEN; Enterprise hosts: GH_ENTERPRISE_TOKEN, BINSTALL_GITHUB_HOSTS.",
        ),
        Option(
            ["--no-discover-github-token"],
            is_flag=True,
            group=group,
            envvar="BINSTALL_NO_DISCOVER_GITHUB_TOKEN",
            help="Do not look for a token in git's credentials and in gh where GitHub refuses an answer. "
            "Environment: BINSTALL_NO_DISCOVER_GITHUB_TOKEN=true.",
        ),
        Option(
            ["--maximum-resolution-timeout"],
            type=click.IntRange(1, _MAX_SECONDS),
            metavar="SECONDS",
            group=group,
            envvar="BINSTALL_MAXIMUM_RESOLUTION_TIMEOUT",
            help="How long hosts may take to say where the packages for a target are. Default: 15. "
            "Environment: BINSTALL_MAXIMUM_RESOLUTION_TIMEOUT.",
        ),
        Option(
            ["--rate-limit"],
            metavar="MS[/COUNT]",
            group=group,
            envvar="BINSTALL_RATE_LIMIT",
            help="Begin at most COUNT requests, or one, in so many milliseconds. Environment: BINSTALL_RATE_LIMIT.",
        ),
    ]


def read_token(text: str | None, working_directory: Path) -> str | None:
    """Return the token that `--github-token` means; None where it means none.

    Raises:
        UsageError: the file cannot be read, or what is there is no token.
    """
    if text is None:
        return None
    if text == "-":
        text = sys.stdin.readline(MAX_TOKEN_CHARACTERS + 2)
    elif text.startswith("@"):
        path = working_directory / text.removeprefix("@")
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                text = file.readline(MAX_TOKEN_CHARACTERS + 2)
        except OSError as error:
            raise UsageError(f"--github-token: {path} cannot be read: {error.strerror or error}") from error
    text = text.strip()
    if len(text) > MAX_TOKEN_CHARACTERS or _NO_HEADER_VALUE.search(text):
        raise UsageError(
            "what --github-token gives is no token",
            hint=f"a token is up to {MAX_TOKEN_CHARACTERS} visible ASCII characters (MAX_TOKEN_CHARACTERS)",
        )
    return text or None


def discovery_fields(options: dict[str, Any], working_directory: Path) -> dict[str, Any]:
    """Return the members of an `InstallRequest` that these options fill.

    Raises:
        UsageError: no token, or no rate.
    """
    from binstall.net.pace import parse_rate_limit

    rate = options["rate_limit"]
    fields: dict[str, Any] = {
        "github_token": read_token(options["github_token"], working_directory),
        "discover_github_token": not options["no_discover_github_token"],
        "rate_limit": None if rate is None else parse_rate_limit(rate),
    }
    if options["maximum_resolution_timeout"] is not None:
        fields["resolution_seconds"] = float(options["maximum_resolution_timeout"])
    return fields


def open_prober(request: InstallRequest, transfers: Transfers, progress: Progress) -> GitHubProber:
    """Return what candidates are asked about with; closed by the caller."""
    from binstall.net.github_tokens import TokenPlaces, configured_hosts
    from binstall.net.mirror import is_mirrored
    from binstall.resolve.github_prober import GitHubProber

    around = request.surroundings
    return GitHubProber(
        transfers,
        progress,
        TokenPlaces(around.environment, around.home),
        hosts=configured_hosts(around.environment),
        token=request.github_token,
        discover=request.discover_github_token,
        is_mirrored=partial(is_mirrored, request.mirrors),
    )
