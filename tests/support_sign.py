"""A crate on disk and files to sign, for tests of the publisher's commands."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from binstall.artifact import Evidence
from binstall.publish.cargo_package import CargoPackage, open_package
from binstall.signing.binding import Expected
from binstall.signing.verifier import new_verifier, verify
from signature_vectors import downloaded
from support_keys import Ran, User

GNU = "x86_64-unknown-linux-gnu"
MAC = "aarch64-apple-darwin"
NAMES = (f"hello-1.2.3-{GNU}.tgz", f"hello-1.2.3-{MAC}.tgz")
PKG_URL = "https://example.com/v{ version }/{ name }-{ version }-{ target }.tgz"
MANIFEST = f"""\
[package]
name = "hello"
version = "1.2.3"   # the next one
edition = "2021"

[package.metadata.binstall]
pkg-url = "{PKG_URL}"

# what it needs
[dependencies]
"""


def crate(folder: Path, manifest: str = MANIFEST) -> CargoPackage:
    """Write a crate with one binary into `folder`."""
    (folder / "src").mkdir(parents=True, exist_ok=True)
    (folder / "src/main.rs").write_text("fn main() {}\n")
    (folder / "Cargo.toml").write_bytes(manifest.encode())
    return open_package(folder, None)


def release_files(folder: Path, names: tuple[str, ...] = NAMES) -> tuple[Path, ...]:
    """Write the files of a release, each with content of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(f"content of {name}".encode())
    return tuple(folder / name for name in names)


def judged(file: Path, signature: Path, public_key: str, expected: Expected | None = None) -> Evidence:
    """Verify as an installer that read the whole file; raise if it would refuse."""
    verifier = new_verifier("minisign", public_key, signature.read_bytes(), expected or Expected(file.name))
    return verify(downloaded(file.read_bytes()), verifier).evidence


class Publishing(User):
    """Runs with cargo, where there is one; leaves out what is said about searching without it."""

    def run(self, *arguments: str | Path, **more: Any) -> Ran:
        rustup = os.environ.get("RUSTUP_HOME") or str(Path.home() / ".rustup")
        variables = {"RUSTUP_HOME": rustup, **(more.pop("variables", None) or {})}
        done = super().run(*arguments, variables=variables, **more)
        lines = done.err.splitlines(keepends=True)
        return replace(done, err="".join(line for line in lines if "in search of private keys" not in line))
