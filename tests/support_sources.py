"""One set of crates in every kind of place that cargo takes crates from.

`published` puts them on a host; the others write the index to a repository, or all of it to a folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from binstall.hosting.host import Host
from binstall.hosting.packing import build_crate
from binstall.hosting.static_registry import PublishedCrate, publish
from support_git import Repository

MAIN = b"fn main() {}\n"


def manifest(name: str, version: str, more: str = "") -> str:
    return f'[package]\nname = "{name}"\nversion = "{version}"\nedition = "2021"\n{more}'


def a_crate(name: str, version: str, more: str = "", *, yanked: bool = False) -> PublishedCrate:
    crate = build_crate(manifest(name, version, more), {"src/main.rs": MAIN})
    return PublishedCrate(name, version, crate, yanked=yanked)


def git_index(host: Host, folder: Path, crates: Iterable[PublishedCrate], **config: object) -> Repository:
    """Serve the `.crate` files, and commit their index; `config` goes into its `config.json`."""
    repository = Repository.create(folder)
    for path, content in publish(host.base_url, crates).items():
        if not path.startswith("/index/"):
            host.put(path, content)
            continue
        file = folder / path.removeprefix("/index/")
        file.parent.mkdir(parents=True, exist_ok=True)
        is_config = file.name == "config.json"
        file.write_bytes(json.dumps({**json.loads(content), **config}).encode() if is_config else content)
    repository.commit()
    return repository


def local_registry(folder: Path, crates: Iterable[PublishedCrate]) -> None:
    """Write the layout of `cargo local-registry`."""
    crates = list(crates)
    for path, content in publish("", crates).items():
        if path.startswith("/index/") and not path.endswith("config.json"):
            file = folder / path[1:]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    for crate in crates:
        (folder / f"{crate.name}-{crate.version}.crate").write_bytes(crate.crate)


def vendored(folder: Path, name: str, version: str, more: str = "", *, within: str | None = None) -> Path:
    """Write one crate as `cargo vendor` does; return its folder."""
    place = folder / (within or name)
    (place / "src").mkdir(parents=True)
    files = {"Cargo.toml": manifest(name, version, more).encode(), "src/main.rs": MAIN}
    for path, content in files.items():
        (place / path).write_bytes(content)
    sums = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    (place / ".cargo-checksum.json").write_text(json.dumps({"package": "0" * 64, "files": sums}))
    return place


def cargo_installs(cargo_home: Path, *words: str, environment: Mapping[str, str] | None = None) -> str:
    """Run the real `cargo install`, which builds; return `.crates.toml`, or what it complained of."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CARGO_", "GIT_"))}
    # cargo is found through the user's own home, and must not look at its configuration.
    kept |= {"CARGO_HOME": str(cargo_home), "CARGO_TARGET_DIR": str(cargo_home / "target")}
    kept |= {
        "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup")),
        **(environment or {}),
    }
    cwd = cargo_home / "cwd"
    cwd.mkdir(exist_ok=True)
    cargo = shutil.which("cargo")
    assert cargo is not None
    done = subprocess.run(  # noqa: PLW1510
        [cargo, "install", *words], cwd=cwd, env=kept, capture_output=True, text=True, timeout=120
    )
    if done.returncode != 0:
        return done.stderr
    return (cargo_home / ".crates.toml").read_text()
