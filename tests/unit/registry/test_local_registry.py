from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from binstall.errors import BinstallError, ChecksumMismatch, CrateNotFound, NoMatchingVersion, RegistryError
from binstall.formats.cargo_config import CargoConfig
from binstall.formats.cargo_config_file import parse_config
from binstall.formats.version import parse_crate_spec, parse_version
from binstall.net.http import HttpFetcher
from binstall.net.transfers import Transfers
from binstall.progress import Silent
from binstall.registry.found import FoundCrate
from binstall.registry.local_registry import LocalRegistry
from binstall.registry.selection import select_registry
from support_sources import a_crate, cargo_installs, local_registry

CRATES = (a_crate("Hello", "1.0.0"), a_crate("Hello", "1.1.0"), a_crate("Hello", "1.2.0", yanked=True))
CONFIG = "[source.crates-io]\nreplace-with = 'l'\n[source.l]\nlocal-registry = 'registry'\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    local_registry(tmp_path / "registry", CRATES)
    return tmp_path / "registry"


def opened(tmp_path: Path, transfers: Transfers) -> LocalRegistry:
    settings = parse_config(CONFIG.encode(), tmp_path / ".cargo" / "config.toml").settings
    return LocalRegistry(select_registry(CargoConfig(settings)), transfers, Silent())


def find(tmp_path: Path, spec: str) -> FoundCrate:
    staging = tmp_path / "staging"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    with Transfers(HttpFetcher()) as transfers:
        found = opened(tmp_path, transfers).find(parse_crate_spec(spec), staging)
    assert list(staging.iterdir()) == []
    return found


def test_a_crate_is_found_in_a_folder_and_recorded_as_one_of_crates_io(root: Path, tmp_path: Path) -> None:
    found = find(tmp_path, "hello")
    assert (found.manifest.name, str(found.manifest.version)) == ("Hello", "1.1.0")
    assert str(found.source) == "registry+https://github.com/rust-lang/crates.io-index"
    assert found.trusted_transport
    assert found.checksum is not None


def test_has_knows_what_is_listed(root: Path, tmp_path: Path) -> None:
    with Transfers(HttpFetcher()) as transfers:
        registry = opened(tmp_path, transfers)
        assert registry.has("Hello", parse_version("1.2.0"))
        assert not registry.has("Hello", parse_version("2.0.0"))
        assert not registry.has("other", parse_version("2.0.0"))


@pytest.mark.parametrize(
    ("spec", "error", "says"),
    [
        ("other", CrateNotFound, "no crate `other`"),
        ("hello@2", NoMatchingVersion, "no version"),
        ("hello@1.2.0", NoMatchingVersion, "yanked"),
    ],
)
def test_what_the_folder_does_not_have_is_not_found(
    root: Path, tmp_path: Path, spec: str, error: type[BinstallError], says: str
) -> None:
    with pytest.raises(error, match=says):
        find(tmp_path, spec)


def test_a_crate_that_is_not_the_one_that_the_index_names_is_refused(root: Path, tmp_path: Path) -> None:
    (root / "Hello-1.1.0.crate").write_bytes(CRATES[0].crate)
    with pytest.raises(ChecksumMismatch):
        find(tmp_path, "hello")


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ("index", "index is no folder"),
        ("index/he/ll/hello", "cannot be used"),
        ("Hello-1.1.0.crate", "there is no .*Hello-1.1.0.crate"),
    ],
)
def test_a_folder_with_a_part_missing_says_which(
    root: Path, tmp_path: Path, broken: str, says: str
) -> None:
    path = root / broken
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
        if path.suffix != ".crate":
            path.mkdir()
    with pytest.raises(RegistryError, match=says):
        find(tmp_path, "hello")


@pytest.mark.parametrize("bound", ["MAX_CRATE_BYTES", "MAX_INDEX_BYTES"])
def test_files_have_the_bounds_of_downloads(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(f"binstall.registry.local_registry.{bound}", 20)
    with pytest.raises(RegistryError, match="bound of 20 bytes"):
        find(tmp_path, "hello")


@pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not on PATH")
def test_cargo_finds_the_same_crate_and_records_the_same_source(root: Path, tmp_path: Path) -> None:
    cargo_home = tmp_path / ".cargo"
    cargo_home.mkdir()
    (cargo_home / "config.toml").write_text(CONFIG)
    found = find(tmp_path, "Hello")
    assert f'"Hello {found.manifest.version} ({found.source})"' in cargo_installs(cargo_home, "Hello")
