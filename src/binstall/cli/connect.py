"""From words about registries and networks to the things that ask them, for every command that does.

Cargo's configuration is read from cargo's home and nowhere else; proxies and trusted certificates are those
that cargo would use, and what the command line adds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import click

from binstall.cli.params import Option
from binstall.progress import Progress

if TYPE_CHECKING:
    from binstall.cli.request import Surroundings
    from binstall.formats.cargo_config import CargoConfig
    from binstall.formats.mirrors import Mirror
    from binstall.formats.publish_age import MinimumAge
    from binstall.formats.version import CrateSpec, Version
    from binstall.net.fetcher import Fetcher
    from binstall.net.pace import RateLimit
    from binstall.net.transfers import Transfers
    from binstall.registry.found import FoundCrate
    from binstall.registry.git_crates import GitCrates
    from binstall.registry.git_settings import GitRules


class Registry(Protocol):
    """Any kind of registry."""

    @property
    def words(self) -> str:
        """What messages call it."""

    def find(self, spec: CrateSpec, staging: Path) -> FoundCrate:
        """Return the crate that `spec` names; see `SparseRegistry.find`."""

    def has(self, name: str, version: Version) -> bool:
        """Tell whether a version is published; see `SparseRegistry.has`."""


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
    rate_limit: RateLimit | None = None,
    mirrors: Sequence[Mirror] = (),
    crates: int = 1,
) -> Transfers:
    """Return what fetches; closed by the caller, who had best use it as a context manager.

    `crates` are looked for at once.

    Raises:
        ConfigError: certificates or proxies cannot be used.
    """
    from binstall.net.http import HttpFetcher
    from binstall.net.proxy import find_proxies
    from binstall.net.tls import find_trusted_roots
    from binstall.net.transfers import WORKERS, Transfers

    cainfo, proxy = config.http_cainfo, config.http_proxy
    leads_elsewhere: Callable[[str], bool] | None = None
    if mirrors:
        from binstall.net.mirror import is_mirrored

        leads_elsewhere = partial(is_mirrored, mirrors)
    fetcher: Fetcher = HttpFetcher(
        roots=find_trusted_roots(
            [around.working_directory / path for path in root_certificates],
            around.environment,
            cainfo.path if cainfo is not None else None,
        ),
        proxies=find_proxies(around.environment, proxy.text if proxy is not None else None),
        allow_insecure_http=allow_insecure_http,
        min_tls_version=min_tls_version,
        leads_elsewhere=leads_elsewhere,
    )
    if rate_limit is not None:
        from binstall.net.pace import PacedFetcher

        fetcher = PacedFetcher(fetcher, rate_limit)
    if mirrors:
        from binstall.net.mirror import MirrorFetcher

        fetcher = MirrorFetcher(fetcher, mirrors)
    # One crate at a time downloads at most a package; the questions of the others must not wait behind it.
    return Transfers(fetcher, progress, workers=WORKERS + 2 * (crates - 1))


def git_rules(
    config: CargoConfig,
    *,
    working_directory: Path,
    root_certificates: Sequence[Path] = (),
    allow_insecure_http: bool = False,
    min_tls_version: Literal["1.2", "1.3"] = "1.2",
) -> GitRules:
    """Return what holds for git's network: the same as for `open_transfers`.

    Raises:
        ConfigError: certificates or proxies cannot be used.
    """
    from binstall.net.proxy import find_proxies
    from binstall.net.tls import find_trusted_roots
    from binstall.registry.git_settings import GitRules

    cainfo, proxy = config.http_cainfo, config.http_proxy
    return GitRules(
        environment=config.environment,
        roots=find_trusted_roots(
            [working_directory / path for path in root_certificates],
            config.environment,
            cainfo.path if cainfo is not None else None,
        ),
        proxies=find_proxies(config.environment, proxy.text if proxy is not None else None),
        allow_insecure_http=allow_insecure_http,
        min_tls_version=min_tls_version,
    )


def open_git(
    url: str, around: Surroundings, transfers: Transfers, progress: Progress, rules: GitRules
) -> GitCrates:
    """Return the crates of the repository that `--git` names.

    Raises:
        UsageError: it is no address of a repository.
    """
    from binstall.errors import UsageError
    from binstall.formats.git_url import parse_git_url
    from binstall.registry.git_crates import GitCrates

    address = parse_git_url(url, around.working_directory, origin="--git", error=UsageError)
    return GitCrates(address, rules, transfers, progress)


def open_registry(
    config: CargoConfig,
    cargo_home: Path | None,
    transfers: Transfers,
    progress: Progress,
    *,
    index: str | None = None,
    registry: str | None = None,
    rules: Callable[[], GitRules] | None = None,
    min_age: MinimumAge | None = None,
    now: int | None = None,
    mirrors: Sequence[Mirror] = (),
) -> Registry:
    """Return the registry of `--index` or `--registry`, or the one that cargo's configuration means.

    `rules` gives those of git's network, for an index in git; without it the configuration's hold. Where
    `now` is given, seconds since 1970, a version must be as old as `min_age` or else the configuration says.
    An index that comes from one of the `mirrors` is not believed about keys.

    Raises:
        UsageError, ConfigError, UnknownRegistry, BadRegistryUrl: what `select_registry` raises.
    """
    from binstall.registry import place
    from binstall.registry.cargo_home import load_credentials
    from binstall.registry.selection import select_registry
    from binstall.registry.sparse import SparseRegistry

    choice = select_registry(
        config, index=index, registry=registry, credentials=lambda: load_credentials(cargo_home)
    )
    age = None
    if now is not None:
        from binstall.formats.publish_age import AgeRule, configured_minimum

        minimum = configured_minimum(config, choice.asked_name)
        minimum = min_age or minimum
        if minimum is not None:
            age = AgeRule(minimum, now)
    if choice.place.kind == place.GIT_INDEX:
        from binstall.registry.git_index import GitRegistry

        given = rules() if rules else git_rules(config, working_directory=config.working_folder)
        return GitRegistry(choice, transfers, progress, given, age=age)
    if choice.place.kind == place.LOCAL_REGISTRY:
        from binstall.registry.local_registry import LocalRegistry

        return LocalRegistry(choice, transfers, progress, age=age)
    if choice.place.kind == place.DIRECTORY:
        from binstall.registry.directory import DirectoryRegistry

        if age is not None and age.minimum.seconds:
            progress.warn(
                f"{choice.words} does not say when a crate was published, so all pass: {age.words}"
            )
        return DirectoryRegistry(choice, progress)
    found = SparseRegistry(choice, transfers, progress, age=age)
    if mirrors:
        from binstall.cli.mirrored import MirroredIndex
        from binstall.net.mirror import is_mirrored

        if is_mirrored(mirrors, choice.index_url):
            return MirroredIndex(found, progress)
    return found


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
            help="Trust these certificates too, PEM or DER. Environment: BINSTALL_HTTPS_ROOT_CERTS.",
        ),
        Option(
            ["--allow-insecure-http"],
            is_flag=True,
            group=group,
            help="Let http: URLs pass. A key read over http: proves nothing.",
        ),
    ]
