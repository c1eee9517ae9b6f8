"""From words about registries and networks to the things that ask them, for every command that does.

Cargo's configuration is read from cargo's home and nowhere else; proxies and trusted certificates are those
that cargo would use, and what the command line adds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from binstall.cli.params import Option
from binstall.progress import Progress

if TYPE_CHECKING:
    from binstall.cli.request import Surroundings
    from binstall.formats.cargo_config import CargoConfig
    from binstall.net.transfers import Transfers
    from binstall.registry.sparse import SparseRegistry


def read_cargo(around: Surroundings) -> tuple[CargoConfig, Path | None]:
    """Return cargo's configuration and its home, None where this user has none.

    Raises:
        ConfigError: a file of it cannot be used.
    """
    from binstall.registry.cargo_home import find_cargo_home, load_cargo_config

    cargo_home = find_cargo_home(around.environment, around.home, around.working_directory)
    return load_cargo_config(cargo_home, around.environment, around.working_directory), cargo_home


def open_transfers(
    around: Surroundings,
    config: CargoConfig,
    progress: Progress,
    *,
    root_certificates: Sequence[Path] = (),
    allow_insecure_http: bool = False,
    min_tls_version: Literal["1.2", "1.3"] = "1.2",
) -> Transfers:
    """Return what fetches; closed by the caller, who had best use it as a context manager.

    Raises:
        ConfigError: certificates or proxies cannot be used.
    """
    from binstall.net.http import HttpFetcher
    from binstall.net.proxy import find_proxies
    from binstall.net.tls import find_trusted_roots
    from binstall.net.transfers import Transfers

    cainfo, proxy = config.http_cainfo, config.http_proxy
    fetcher = HttpFetcher(
        roots=find_trusted_roots(
            [around.working_directory / path for path in root_certificates],
            around.environment,
            cainfo.path if cainfo is not None else None,
        ),
        proxies=find_proxies(around.environment, proxy.text if proxy is not None else None),
        allow_insecure_http=allow_insecure_http,
        min_tls_version=min_tls_version,
    )
    return Transfers(fetcher, progress)


def open_registry(
    config: CargoConfig,
    cargo_home: Path | None,
    transfers: Transfers,
    progress: Progress,
    *,
    index: str | None = None,
) -> SparseRegistry:
    """Return the registry of `--index`, or the one that cargo's configuration means.

    Raises:
        UsageError, ConfigError, UnknownRegistry, BadRegistryUrl: what `select_registry` raises.
    """
    from binstall.registry.cargo_home import load_credentials
    from binstall.registry.selection import select_registry
    from binstall.registry.sparse import SparseRegistry

    choice = select_registry(config, index=index, credentials=lambda: load_credentials(cargo_home))
    return SparseRegistry(choice, transfers, progress)


def registry_options(group: str) -> list[click.Parameter]:
    """Return `--index`, `--root-certificates` and `--allow-insecure-http` for commands besides install."""
    return [
        Option(
            ["--index"],
            metavar="URL",
            group=group,
            help="Registry index instead of crates.io. For example sparse+https://registry.example/index/.",
        ),
        Option(
            ["--root-certificates"],
            type=click.Path(path_type=Path),
            metavar="FILE",
            multiple=True,
            group=group,
            envvar="BINSTALL_HTTPS_ROOT_CERTS",
            help="Trust these certificates too, PEM or DER. Environment: BINSTALL_HTTPS_ROOT_CERTS.",
        ),
        Option(
            ["--allow-insecure-http"],
            is_flag=True,
            group=group,
            help="Let http: URLs pass. A key read over http: proves nothing.",
        ),
    ]
