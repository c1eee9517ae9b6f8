"""The options that `binstall install` and `cargo-binstall` share, in one list.

Names, values and environment variables are cargo-binstall 1.22's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from binstall.cli.discovery_options import discovery_options
from binstall.cli.params import Option
from binstall.resolve.strategies import ALL

WHICH, WHENCE, WHITHER = "Which crate", "Where it comes from", "Where it goes"
TRUST, NETWORK, OUTPUT = "What is trusted", "Network", "What is shown and asked"
PACKAGE_FORMATS = ("tar", "tbz2", "tgz", "txz", "tzstd", "zip", "bin")
LEVELS = ("off", "error", "warn", "info", "debug", "trace")


class _Level(Option):
    """An unknown word in the environment is no reason to refuse the run: the option's default holds."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        value = super().resolve_envvar_value(ctx)
        return value if value is not None and value.lower() in LEVELS else None


class StrategyList(Option):
    """A list of strategies; an unknown word is refused while the line is read, an empty one included."""

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        words = super().type_cast_value(ctx, value)
        for word in (part for text in words or () for part in text.split(",")):
            if word not in ALL:
                raise click.UsageError(
                    f"{self.opts[0]} does not know {word[:80]!r}, it takes {', '.join(ALL)}", ctx
                )
        return words


def shared_options() -> list[click.Parameter]:
    """Return the parameters, in the order in which the help lists them."""
    path = click.Path(path_type=Path)
    return [
        Option(
            ["--version", "version"],
            metavar="VERSION",
            group=WHICH,
            common=True,
            help="Version or version requirement, as CRATE@VERSION. For one crate only.",
        ),
        Option(
            ["--targets", "--target", "targets"],
            metavar="TRIPLE",
            multiple=True,
            group=WHICH,
            common=True,
            envvar="CARGO_BUILD_TARGET",
            help="Target triples to look for, best first. May repeat or hold commas; "
            "else this machine's. Environment: CARGO_BUILD_TARGET.",
        ),
        Option(
            ["--bin", "bins"],
            metavar="BINARY",
            multiple=True,
            group=WHICH,
            common=True,
            help="Install only this binary. May repeat.",
        ),
        Option(
            ["--manifest-path"],
            type=path,
            metavar="PATH",
            group=WHENCE,
            common=True,
            help="Take the manifest from this Cargo.toml, or its folder. Workspaces are searched.",
        ),
        Option(
            ["--git"],
            metavar="URL",
            group=WHENCE,
            common=True,
            help="Take the manifest from the newest commit of this repository. https, ssh, file or a path.",
        ),
        Option(
            ["--registry"],
            metavar="NAME",
            group=WHENCE,
            help="Registry of cargo's configuration, by name. Environment: CARGO_REGISTRY_DEFAULT.",
        ),
        Option(
            ["--index"],
            metavar="URL",
            group=WHENCE,
            common=True,
            help="Registry index instead of crates.io. For example sparse+https://registry.example/index/.",
        ),
        Option(
            ["--min-age"],
            metavar="TIME",
            group=WHICH,
            help="Pass over versions published more recently: 3d, 12h, 2w. 0 lets all pass. Instead of cargo's "
            "min-publish-age settings.",
        ),
        StrategyList(
            ["--strategies"],
            metavar="LIST",
            multiple=True,
            group=WHENCE,
            envvar="BINSTALL_STRATEGIES",
            help="What to try, in order: crate-meta-data (the publisher's packages), quick-install (a third "
            "party's), compile (cargo install). Commas. Environment: BINSTALL_STRATEGIES.",
        ),
        StrategyList(
            ["--disable-strategies"],
            metavar="LIST",
            multiple=True,
            group=WHENCE,
            envvar="BINSTALL_DISABLE_STRATEGIES",
            help="What not to try. Environment: BINSTALL_DISABLE_STRATEGIES.",
        ),
        Option(
            ["--locked"],
            is_flag=True,
            group=WHENCE,
            help="Build with the crate's Cargo.lock, if it is built.",
        ),
        Option(
            ["--pkg-url"],
            metavar="TEMPLATE",
            group=WHENCE,
            help="Package URL template instead of the manifest's. The manifest's key still holds.",
        ),
        Option(
            ["--pkg-fmt"],
            type=click.Choice(PACKAGE_FORMATS, case_sensitive=False),
            group=WHENCE,
            help="Package format instead of the manifest's.",
        ),
        Option(
            ["--bin-dir"],
            metavar="TEMPLATE",
            group=WHENCE,
            help="Path of a binary inside the package, instead of the manifest's.",
        ),
        Option(
            ["--root", "--roots", "root"],
            type=path,
            metavar="PATH",
            group=WHITHER,
            common=True,
            help="Install into PATH/bin. Else CARGO_INSTALL_ROOT, cargo's install.root, cargo's home.",
        ),
        Option(
            ["--install-path"],
            type=path,
            metavar="PATH",
            group=WHITHER,
            common=True,
            help="Install into exactly this folder. Such an install is not tracked.",
        ),
        Option(
            ["--force"],
            is_flag=True,
            group=WHITHER,
            common=True,
            help="Install again, and over files that nobody tracks.",
        ),
        Option(
            ["--continue-on-failure"],
            is_flag=True,
            default=None,
            group=WHITHER,
            help="Of several crates, install those that can be; the exit code is the first failure's.",
        ),
        Option(
            ["--no-track"],
            is_flag=True,
            default=None,
            group=WHITHER,
            help="Keep no record in cargo's lists.",
        ),
        Option(
            ["--only-signed"],
            is_flag=True,
            group=TRUST,
            common=True,
            help="Refuse a package whose publisher did not sign it. Exit code 41.",
        ),
        Option(
            ["--skip-signatures"],
            is_flag=True,
            group=TRUST,
            common=True,
            help="Check no signature. Whoever can change the package can then run code as you.",
        ),
        Option(
            ["--allow-name-mismatch"],
            metavar="CRATE",
            multiple=True,
            group=TRUST,
            help="Warn instead of refusing when this crate's trusted comment names another file, crate, "
            "version or target.",
        ),
        Option(
            ["--root-certificates"],
            type=path,
            metavar="FILE",
            multiple=True,
            group=NETWORK,
            envvar="BINSTALL_HTTPS_ROOT_CERTS",
            help="Trust these certificates too, PEM or DER. Environment: BINSTALL_HTTPS_ROOT_CERTS.",
        ),
        Option(
            ["--allow-insecure-http"],
            is_flag=True,
            group=NETWORK,
            help="Let http: URLs pass. A key read over http: proves nothing; such a package counts as unsigned.",
        ),
        Option(
            ["--min-tls-version"],
            type=click.Choice(["1.2", "1.3"]),
            group=NETWORK,
            help="Refuse older TLS. 1.2 where nothing is said.",
        ),
        *discovery_options(NETWORK),
        Option(
            ["--settings"],
            type=path,
            metavar="FILE",
            group=OUTPUT,
            help="Settings file, instead of binstall.toml in cargo's home.",
        ),
        Option(
            ["--dry-run"],
            is_flag=True,
            group=OUTPUT,
            common=True,
            help="Do everything but place files; print each stage.",
        ),
        Option(
            ["-y", "--no-confirm", "no_confirm"],
            is_flag=True,
            default=None,
            group=OUTPUT,
            common=True,
            envvar="BINSTALL_NO_CONFIRM",
            help="Answer yes to every question. Environment: BINSTALL_NO_CONFIRM=true.",
        ),
        Option(
            ["--json", "--json-output", "json_output"],
            is_flag=True,
            group=OUTPUT,
            common=True,
            help="Print results as JSON, one object a line. The schema is in docs/json.md.",
        ),
        Option(
            ["-v", "--verbose", "verbose"],
            is_flag=True,
            group=OUTPUT,
            common=True,
            help="Tell more: every URL, every retry.",
        ),
        Option(
            ["-q", "--quiet", "quiet"], is_flag=True, group=OUTPUT, common=True, help="Print errors only."
        ),
        _Level(
            ["--log-level"],
            type=click.Choice(LEVELS, case_sensitive=False),
            group=OUTPUT,
            envvar="BINSTALL_LOG_LEVEL",
            help="How much is told. -v and -q go before it. Environment: BINSTALL_LOG_LEVEL.",
        ),
    ]
