"""An index in a real git repository; crates from a host with real TLS on loopback."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from binstall.errors import BinstallError, CrateNotFound, NoMatchingVersion, RegistryError
from binstall.formats.cargo_config import CargoConfig
from binstall.formats.cargo_config_file import parse_config
from binstall.formats.version import parse_crate_spec, parse_version
from binstall.hosting.authority import Authority
from binstall.hosting.host import Host
from binstall.net.http import HttpFetcher
from binstall.net.tls import find_trusted_roots
from binstall.net.transfers import Transfers
from binstall.progress import Silent
from binstall.registry.found import FoundCrate
from binstall.registry.git_index import GitRegistry
from binstall.registry.git_settings import GitRules
from binstall.registry.selection import select_registry
from support_git import Repository, needs_git
from support_sources import a_crate, cargo_installs, git_index

pytestmark = needs_git

CRATES = (
    a_crate("hello", "1.0.0"),
    a_crate("hello", "1.1.0"),
    a_crate("hello", "1.2.0", yanked=True),
    a_crate("abc", "0.1.0"),
)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    authority = Authority.create(datetime.now(UTC))
    (tmp_path / "ca.pem").write_bytes(authority.ca_pem)
    with Host(authority) as made:
        yield made


@pytest.fixture
def index(host: Host, tmp_path: Path) -> Repository:
    return git_index(host, tmp_path / "index.git", CRATES)


def config(tmp_path: Path, text: str = "", **environment: str) -> CargoConfig:
    home = tmp_path / "home"
    (home / ".cargo").mkdir(parents=True, exist_ok=True)
    settings = parse_config(text.encode(), home / ".cargo" / "config.toml").settings
    return CargoConfig(settings, {"PATH": os.environ["PATH"], "HOME": str(home), **environment}, tmp_path)


def registry(tmp_path: Path, transfers: Transfers, cargo: CargoConfig, url: str | None) -> GitRegistry:
    return GitRegistry(select_registry(cargo, index=url), transfers, Silent(), GitRules(cargo.environment))


def transfers(tmp_path: Path) -> Transfers:
    return Transfers(HttpFetcher(roots=find_trusted_roots([tmp_path / "ca.pem"], {})))


def find(
    tmp_path: Path, spec: str, *, url: str | None = None, cargo: CargoConfig | None = None
) -> FoundCrate:
    staging = tmp_path / "staging"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    with transfers(tmp_path) as running:
        asked = registry(tmp_path, running, cargo or config(tmp_path), url)
        return asked.find(parse_crate_spec(spec), staging)


def test_a_crate_is_found_by_an_index_in_git_and_checked_against_it(
    index: Repository, tmp_path: Path
) -> None:
    found = find(tmp_path, "hello", url=f"file://{index.folder}")
    assert str(found.manifest.version) == "1.1.0", "1.2.0 is yanked"
    assert str(found.source) == f"registry+file://{index.folder}"
    assert found.trusted_transport
    assert str(find(tmp_path, "abc", url=f"file://{index.folder}/").manifest.version) == "0.1.0"


def test_an_index_in_git_may_stand_in_for_crates_io(index: Repository, tmp_path: Path) -> None:
    cargo = config(
        tmp_path,
        "[source.crates-io]\nreplace-with = 'company'\n"
        f"[source.company]\nregistry = 'file://{index.folder}'\n",
    )
    found = find(tmp_path, "hello@1.0.0", cargo=cargo)
    assert str(found.source) == "registry+https://github.com/rust-lang/crates.io-index"


@pytest.mark.parametrize(
    ("spec", "error"), [("hallo", CrateNotFound), ("hello@2", NoMatchingVersion), ("a", CrateNotFound)]
)
def test_what_the_index_does_not_have_is_not_found(
    index: Repository, tmp_path: Path, spec: str, error: type[BinstallError]
) -> None:
    with pytest.raises(error):
        find(tmp_path, spec, url=f"file://{index.folder}")


def test_an_index_that_cannot_be_fetched_is_an_error_of_the_registry(tmp_path: Path, host: Host) -> None:
    with pytest.raises(
        RegistryError, match="cannot be used: file:///nowhere/index cannot be fetched"
    ) as caught:
        find(tmp_path, "hello", url="file:///nowhere/index")
    assert caught.value.exit_code == 76


def test_a_repository_that_is_no_index_is_said_to_be_none(tmp_path: Path, host: Host) -> None:
    repository = Repository.create(tmp_path / "other")
    repository.commit({"README": ""})
    with pytest.raises(RegistryError, match=r"is no registry: it has no config\.json"):
        find(tmp_path, "hello", url=str(repository.folder.as_uri()))


def test_a_crate_that_is_not_the_one_that_the_index_names_is_refused(
    index: Repository, tmp_path: Path, host: Host
) -> None:
    host.put("/crates/hello/1.1.0/download", CRATES[0].crate)
    with pytest.raises(BinstallError, match="SHA-256"):
        find(tmp_path, "hello", url=f"file://{index.folder}")


def test_a_token_goes_along_where_the_index_says_so(tmp_path: Path, host: Host) -> None:
    repository = git_index(host, tmp_path / "private", CRATES, **{"auth-required": True})
    url = f"file://{repository.folder}"
    cargo = config(
        tmp_path, f"[registries.mine]\nindex = '{url}'\n", CARGO_REGISTRIES_MINE_TOKEN="the token"
    )
    assert find(tmp_path, "hello", url=url, cargo=cargo).manifest.name == "hello"
    assert [exchange.request.headers.get("authorization") for exchange in host.exchanges] == ["the token"]
    with pytest.raises(RegistryError, match="no name to keep a token under"):
        find(tmp_path, "hello", url=url)


def test_the_repository_is_fetched_once_in_a_run_and_goes_with_it(
    index: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "tmp").mkdir()
    staging = tmp_path / "staging"
    staging.mkdir()
    with transfers(tmp_path) as running:
        asked = registry(tmp_path, running, config(tmp_path), f"file://{index.folder}")
        assert asked.has("hello", parse_version("1.2.0"))
        shutil.move(index.folder, tmp_path / "away")
        assert not asked.has("hello", parse_version("9.9.9"))
        assert not asked.has("hallo", parse_version("1.0.0"))
        assert str(asked.find(parse_crate_spec("hello@1.0.0"), staging).manifest.version) == "1.0.0"
        assert list((tmp_path / "tmp").iterdir()), "nobody gave it a folder yet"
    del asked
    gc.collect()
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not on PATH")
def test_cargo_finds_the_same_crate_and_records_the_same_source(tmp_path: Path) -> None:
    with Host(None) as host:
        repository = git_index(host, tmp_path / "served" / "index.git", CRATES)
        cargo_home = tmp_path / "cargo home"
        cargo_home.mkdir()
        url = f"file://{repository.folder}"
        recorded = cargo_installs(cargo_home, "hello", "--index", url)
        with Transfers(HttpFetcher(allow_insecure_http=True)) as running:
            (tmp_path / "staging").mkdir()
            found = registry(tmp_path, running, config(tmp_path), url).find(
                parse_crate_spec("hello"), tmp_path / "staging"
            )
    assert f'"hello {found.manifest.version} ({found.source})"' in recorded
