from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import (
    BinstallError,
    ChecksumMismatch,
    CrateNotFound,
    ManifestError,
    NoBinaries,
    NoMatchingVersion,
    RegistryError,
)
from binstall.formats.cargo_config import CargoConfig
from binstall.formats.cargo_config_file import parse_config
from binstall.formats.version import parse_crate_spec, parse_version
from binstall.progress import Silent
from binstall.registry.directory import DirectoryRegistry, parse_checksums
from binstall.registry.found import FoundCrate
from binstall.registry.selection import select_registry
from support_sources import cargo_installs, vendored

CONFIG = "[source.crates-io]\nreplace-with = 'v'\n[source.v]\ndirectory = 'vendor'\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "vendor"
    vendored(folder, "hello", "1.0.0")
    vendored(folder, "hello", "1.1.0", within="hello-1.1.0")
    vendored(folder, "hello", "2.0.0-rc.1", within="whatever")
    vendored(folder, "hello", "9.0.0", within=".hidden")
    vendored(folder, "dash-ed", "0.1.0")
    (folder / "no-manifest").mkdir()
    (folder / "README").touch()
    return folder


def opened(tmp_path: Path) -> DirectoryRegistry:
    parsed = parse_config(CONFIG.encode(), tmp_path / ".cargo" / "config.toml").settings
    return DirectoryRegistry(select_registry(CargoConfig(parsed)), Silent())


def find(tmp_path: Path, spec: str) -> FoundCrate:
    return opened(tmp_path).find(parse_crate_spec(spec), tmp_path / "nothing is written here")


@pytest.mark.parametrize(
    ("spec", "version"), [("hello", "1.1.0"), ("hello@1.0.0", "1.0.0"), ("hello@2.0.0-rc.1", "2.0.0-rc.1")]
)
def test_the_highest_version_that_matches_is_taken(
    root: Path, tmp_path: Path, spec: str, version: str
) -> None:
    found = find(tmp_path, spec)
    assert str(found.manifest.version) == version
    assert [binary.name for binary in found.manifest.binaries] == ["hello"]
    assert str(found.source) == "registry+https://github.com/rust-lang/crates.io-index"
    assert (found.checksum, found.trusted_transport) == (None, True)


def test_names_are_one_up_to_their_dashes(root: Path, tmp_path: Path) -> None:
    assert find(tmp_path, "dash_ed").manifest.name == "dash-ed"


def test_has_knows_what_is_there(root: Path, tmp_path: Path) -> None:
    assert opened(tmp_path).has("hello", parse_version("1.0.0"))
    assert not opened(tmp_path).has("hello", parse_version("9.0.0"))


@pytest.mark.parametrize(
    ("spec", "error"),
    [("other", CrateNotFound), ("hello@3", NoMatchingVersion), ("hello@9", NoMatchingVersion)],
)
def test_what_nobody_vendored_is_not_found(
    root: Path, tmp_path: Path, spec: str, error: type[BinstallError]
) -> None:
    with pytest.raises(error):
        find(tmp_path, spec)


def test_a_manifest_that_was_edited_is_refused(root: Path, tmp_path: Path) -> None:
    with (root / "hello-1.1.0" / "Cargo.toml").open("a") as file:
        file.write("# mine\n")
    with pytest.raises(ChecksumMismatch, match="should have SHA-256"):
        find(tmp_path, "hello")


@pytest.mark.parametrize(
    ("sums", "says"),
    [
        (None, "has no .cargo-checksum.json"),
        ("{", "is not JSON"),
        ("[]", "lists no checksums"),
        ('{"files": {"Cargo.toml": 1}}', "lists no checksums"),
        ('{"files": {}}', "should have SHA-256"),
    ],
)
def test_a_crate_without_usable_checksums_is_refused(
    root: Path, tmp_path: Path, sums: str | None, says: str
) -> None:
    file = root / "hello-1.1.0" / ".cargo-checksum.json"
    file.unlink()
    if sums is not None:
        file.write_text(sums)
    with pytest.raises(RegistryError, match=says):
        find(tmp_path, "hello")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[package", ManifestError),
        ("[package]\nversion = '1.0.0'", RegistryError),
        ("[package]\nname = 'x'\nversion = 'one'", BinstallError),
    ],
)
def test_one_broken_crate_is_an_error_of_them_all_as_in_cargo(
    root: Path, tmp_path: Path, text: str, error: type[BinstallError]
) -> None:
    (root / "no-manifest" / "Cargo.toml").write_text(text)
    with pytest.raises(error, match="no-manifest"):
        find(tmp_path, "hello")


def test_a_library_has_nothing_to_install(root: Path, tmp_path: Path) -> None:
    shutil.rmtree(root / "dash-ed" / "src")
    with pytest.raises(NoBinaries):
        find(tmp_path, "dash-ed")


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="cannot be read"):
        find(tmp_path, "hello")


@pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not on PATH")
@pytest.mark.parametrize("spec", ["hello", "hello@1.0.0"])
def test_cargo_finds_the_same_crate_and_records_the_same_source(
    root: Path, tmp_path: Path, spec: str
) -> None:
    cargo_home = tmp_path / ".cargo"
    cargo_home.mkdir()
    (cargo_home / "config.toml").write_text(CONFIG)
    found = find(tmp_path, spec)
    assert f'"hello {found.manifest.version} ({found.source})"' in cargo_installs(cargo_home, spec)


VALID = json.dumps(
    {"package": "0" * 64, "files": {"Cargo.toml": "1" * 64, "src/main.rs": "2" * 64}}
).encode()


def check(data: bytes) -> None:
    try:
        files = parse_checksums(data, "it")
    except RegistryError:
        return
    assert all(isinstance(each, str) for pair in files.items() for each in pair)


@settings(max_examples=1000, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 120), st.integers(0, 4), st.binary(max_size=4)), min_size=1, max_size=3
    )
)
def test_mutated_checksums_are_read_or_refused(changes: list[tuple[int, int, bytes]]) -> None:
    data = VALID
    for at, size, piece in changes:
        data = data[:at] + piece + data[at + size :]
    check(data)


@settings(max_examples=1000, deadline=None)
@given(st.binary(max_size=60) | st.binary(max_size=30).map(lambda piece: b'{"files":' + piece + b"}"))
def test_any_checksums_are_read_or_refused(data: bytes) -> None:
    check(data)
