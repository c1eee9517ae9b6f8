"""From a name to a manifest over real TLS on loopback: nothing between the test and the socket is made up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from binstall.errors import ChecksumMismatch, CrateNotFound, RegistryError
from binstall.formats.cargo_config import CargoConfig
from binstall.formats.version import parse_crate_spec
from binstall.net.http import HttpFetcher
from binstall.net.tls import find_trusted_roots
from binstall.net.transfers import Transfers
from binstall.progress import Silent
from binstall.registry.cargo_home import load_cargo_config
from binstall.registry.found import FoundCrate
from binstall.registry.selection import select_registry
from binstall.registry.sparse import SparseRegistry
from support_registry import Publisher


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[Publisher]:
    with Publisher(tmp_path) as made:
        made.release("hello", "1.0.0")
        made.release("hello", "1.1.0")
        yield made


def find(
    publisher: Publisher,
    staging: Path,
    spec: str,
    *,
    config: CargoConfig | None = None,
    trusted: bool = True,
    allow_insecure_http: bool = False,
) -> FoundCrate:
    roots = find_trusted_roots([publisher.ca_file] if trusted else [], {})
    fetcher = HttpFetcher(roots=roots, allow_insecure_http=allow_insecure_http)
    choice = select_registry(config or CargoConfig(), index=None if config else publisher.index_url)
    with Transfers(fetcher) as transfers:
        return SparseRegistry(choice, transfers, Silent()).find(parse_crate_spec(spec), staging)


def test_a_published_crate_is_found_with_the_key_of_its_publisher(
    publisher: Publisher, tmp_path: Path
) -> None:
    found = find(publisher, tmp_path, "hello")
    assert str(found.manifest.version) == "1.1.0"
    assert found.manifest.declares_signature
    assert found.trusted_transport
    assert f"{found.source}" == publisher.index_url
    paths = sorted(exchange.request.path or "" for exchange in publisher.host.exchanges)
    assert paths == ["/crates/hello/1.1.0/download", "/index/config.json", "/index/he/ll/hello"]


def test_a_mirror_of_crates_io_is_found_by_the_file_of_cargos_home(
    publisher: Publisher, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text(
        "[source.crates-io]\nreplace-with = 'company'\n"
        f"[source.company]\nregistry = '{publisher.index_url}'\n"
    )
    found = find(publisher, tmp_path, "hello@1.0.0", config=load_cargo_config(tmp_path, {}, tmp_path))
    assert str(found.manifest.version) == "1.0.0"
    assert str(found.source) == "registry+https://github.com/rust-lang/crates.io-index"


def test_a_crate_with_one_byte_changed_is_refused(publisher: Publisher, tmp_path: Path) -> None:
    publisher.tamper("/crates/hello/1.1.0/download", lambda data: data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(ChecksumMismatch):
        find(publisher, tmp_path, "hello")


def test_a_crate_that_nobody_published_is_not_found(publisher: Publisher, tmp_path: Path) -> None:
    with pytest.raises(CrateNotFound, match="no crate `hallo`"):
        find(publisher, tmp_path, "hallo")


def test_a_host_that_nobody_trusts_is_an_error_of_the_registry(
    publisher: Publisher, tmp_path: Path
) -> None:
    with pytest.raises(RegistryError, match="certificate") as caught:
        find(publisher, tmp_path, "hello", trusted=False)
    assert caught.value.exit_code == 76


def test_plain_http_is_asked_only_where_it_is_allowed(tmp_path: Path) -> None:
    with Publisher(tmp_path, tls=False) as publisher:
        publisher.release("hello", "1.0.0")
        with pytest.raises(RegistryError, match="http"):
            find(publisher, tmp_path, "hello")
        assert publisher.host.exchanges == ()
        found = find(publisher, tmp_path, "hello", allow_insecure_http=True)
        assert found.trusted_transport, "it came from this machine"
