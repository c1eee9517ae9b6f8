"""A published registry is what our own reader and the real cargo expect."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from binstall.formats.index import crate_url, parse_config_json, parse_index, select_version
from binstall.formats.version import requirement_of
from binstall.hosting.authority import Authority
from binstall.hosting.host import Host
from binstall.hosting.packing import build_crate
from binstall.hosting.static_registry import PublishedCrate, crate_path, index_url, publish

BASE = "https://127.0.0.1:1234"


def crate(name: str, version: str, *, yanked: bool = False) -> PublishedCrate:
    manifest = (
        f'[package]\nname = "{name}"\nversion = "{version}"\nedition = "2021"\ndescription = "a test"\n'
    )
    source = f'fn main() {{ println!("{name} {version}"); }}\n'
    data = build_crate(manifest, {"src/main.rs": source.encode()})
    return PublishedCrate(name, version, data, yanked=yanked, pubtime="2026-01-31T12:00:00Z")


CRATES = [
    crate("hello-bin", "0.9.0"),
    crate("hello-bin", "1.0.0"),
    crate("hello-bin", "1.1.0", yanked=True),
    crate("hello-bin", "2.0.0-rc.1+build"),
]


def test_our_own_reader_finds_the_newest_version_and_its_crate() -> None:
    files = publish(BASE, CRATES)
    config = parse_config_json(files["/index/config.json"])
    index = parse_index(files["/index/he/ll/hello-bin"], "hello-bin")
    assert [str(entry.version) for entry in index.entries] == [
        "0.9.0",
        "1.0.0",
        "1.1.0",
        "2.0.0-rc.1+build",
    ]
    entry = select_version(index, None)
    assert str(entry.version) == "1.0.0"
    assert entry.pubtime == "2026-01-31T12:00:00Z"
    path = crate_url(config, entry).removeprefix(BASE)
    assert path == crate_path("hello-bin", "1.0.0")
    assert hashlib.sha256(files[path]).digest() == entry.cksum
    exact = select_version(index, requirement_of("2.0.0-rc.1"))
    assert crate_url(config, exact).removeprefix(BASE) in files


@pytest.mark.parametrize(
    ("name", "path"),
    [("a", "1/a"), ("ab", "2/ab"), ("Abc", "3/a/abc"), ("Cargo-Watch", "ca/rg/cargo-watch")],
)
def test_index_files_stand_where_cargo_looks(name: str, path: str) -> None:
    files = publish(BASE, [crate(name, "1.0.0")])
    assert set(files) == {"/index/config.json", f"/index/{path}", f"/crates/{name}/1.0.0/download"}


@pytest.mark.parametrize(
    ("crates", "complaint"),
    [
        pytest.param([crate("abc", "1.0.0")] * 2, "abc 1.0.0 is published twice", id="same version"),
        pytest.param([crate("abc", "1.0.0"), crate("Abc", "2.0.0")], "differ in case only", id="same file"),
    ],
)
def test_a_contradictory_registry_is_not_published(crates: list[PublishedCrate], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        publish(BASE, crates)


def cargo_is_usable() -> bool:
    command = shutil.which("cargo")
    if command is None:
        return False
    return subprocess.run([command, "--version"], capture_output=True, check=False).returncode == 0


needs_cargo = pytest.mark.skipif(not cargo_is_usable(), reason="cargo is not installed")


class Cargo:
    """The real cargo, which knows one registry, `loopback`, and nothing of this machine's settings."""

    def __init__(self, folder: Path, authority: Authority, host: Host) -> None:
        self.folder = folder
        ca_file = folder / "ca.pem"
        ca_file.write_bytes(authority.ca_pem)
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("CARGO_") and "proxy" not in name.lower()
        }
        self.environment = {
            **kept,
            "CARGO_HOME": str(folder / "cargo-home"),
            "CARGO_HTTP_CAINFO": str(ca_file),
            "CARGO_HTTP_CHECK_REVOKE": "false",
            "CARGO_NET_RETRY": "0",
            "CARGO_REGISTRIES_LOOPBACK_INDEX": index_url(host.base_url),
        }

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["cargo", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture
def host() -> Iterator[tuple[Authority, Host]]:
    authority = Authority.create(datetime.now(UTC))
    with Host(authority) as host:
        host.put_all(publish(host.base_url, CRATES))
        yield authority, host


@needs_cargo
def test_the_real_cargo_reads_the_registry_over_tls(host: tuple[Authority, Host], tmp_path: Path) -> None:
    cargo = Cargo(tmp_path, *host)
    told = cargo("info", "hello-bin@1.0.0", "--registry", "loopback")
    assert told.returncode == 0, told.stderr
    assert "version: 1.0.0" in told.stdout
    assert "a test" in told.stdout


@needs_cargo
def test_the_real_cargo_refuses_a_crate_that_is_not_the_published_one(
    host: tuple[Authority, Host], tmp_path: Path
) -> None:
    path = crate_path("hello-bin", "1.0.0")
    host[1].put(path, host[1].content(path) + b"\0")
    told = Cargo(tmp_path, *host)("info", "hello-bin@1.0.0", "--registry", "loopback")
    assert told.returncode != 0
    assert "checksum" in told.stderr


@needs_cargo
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler to link with is installed")
def test_the_real_cargo_installs_a_published_crate(host: tuple[Authority, Host], tmp_path: Path) -> None:
    cargo = Cargo(tmp_path, *host)
    root = tmp_path / "root"
    told = cargo("install", "hello-bin", "--registry", "loopback", "--root", str(root), "--debug")
    assert told.returncode == 0, told.stderr
    program = next((root / "bin").iterdir())
    assert subprocess.run([program], capture_output=True, check=True).stdout.split() == [
        b"hello-bin",
        b"1.0.0",
    ]
