"""A publisher's checkout for tests of `binstall check`: a crate, a folder with the files of its release, git.

project = Project(tmp_path, metadata={"pkg-url": "https://example.com/{ name }-{ target }.tgz"})
project.pack("hello-x86_64-unknown-linux-gnu.tgz", {"hello": b"…"})
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from binstall.hosting.packing import build_package
from binstall.publish.archive_names import archive_format
from binstall.signing.binding import Expected, trusted_comment_for
from binstall.signing.minisign_keys import SecretKey, generate, sign_digest

GNU = "x86_64-unknown-linux-gnu"
MAC = "aarch64-apple-darwin"
WINDOWS = "x86_64-pc-windows-msvc"
URL = "https://example.com/releases/{ version }/{ name }-{ version }-{ target }.tgz"
TOOLS = os.pathsep.join(
    dict.fromkeys(str(Path(tool).parent) for name in ("cargo", "git") if (tool := shutil.which(name)))
)
"""PATH with cargo and git, and with whatever lies beside them."""

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not on PATH")


def _cargo_works() -> bool:
    cargo = shutil.which("cargo")
    return (
        cargo is not None
        and not subprocess.run([cargo, "--version"], check=False, capture_output=True).returncode
    )


needs_cargo = pytest.mark.skipif(not _cargo_works(), reason="cargo is not on PATH, or does not run")


def tool_environment() -> dict[str, str]:
    """Return what cargo, which may be rustup's, needs besides PATH."""
    rustup = os.environ.get("RUSTUP_HOME") or str(Path.home() / ".rustup")
    return {"PATH": f"{TOOLS}{os.pathsep}/usr/bin{os.pathsep}/bin", "RUSTUP_HOME": rustup}


def sign_file(key: SecretKey, path: Path, *, suffix: str = ".sig", comment: str | None = None) -> Path:
    """Write a signature beside a file, with the default trusted comment or with `comment`."""
    digest = blake2b(path.read_bytes()).digest()
    if comment is None:
        comment = trusted_comment_for(Expected(path.name), timestamp=1_769_860_800)
    signature = path.with_name(path.name + suffix)
    signature.write_bytes(sign_digest(key, digest, comment))
    return signature


@dataclass(slots=True)
class Project:
    """One crate in a checkout."""

    folder: Path
    name: str = "hello"
    version: str = "1.0.0"
    metadata: Mapping[str, Any] = field(default_factory=lambda: {"pkg-url": URL})
    declares: bool = False
    """Whether the manifest declares the key."""
    key: SecretKey = field(default_factory=generate)

    def __post_init__(self) -> None:
        (self.folder / "src").mkdir(parents=True, exist_ok=True)
        (self.folder / "src/main.rs").write_text("fn main() {}\n")
        (self.folder / ".gitignore").write_text("/target\n")
        self.dist.mkdir(parents=True)
        self.write_manifest()

    @property
    def manifest(self) -> Path:
        return self.folder / "Cargo.toml"

    @property
    def dist(self) -> Path:
        return self.folder / "target/dist"

    def write_manifest(self) -> None:
        metadata = dict(self.metadata)
        if self.declares:
            metadata["signing"] = {"algorithm": "minisign", "pubkey": self.key.public_key.base64}
        package = {"name": self.name, "version": self.version, "edition": "2021"}
        self.manifest.write_text(
            tomlkit.dumps({"package": {**package, "metadata": {"binstall": metadata}}})
        )

    def pack(self, name: str, members: Mapping[str, bytes], *, sign: bool | None = None) -> Path:
        """Put an archive into `dist`; signed if the manifest declares so, or as `sign` says."""
        path = self.dist / name
        package_format = archive_format(name)
        assert package_format is not None
        path.write_bytes(build_package(package_format, members))
        if self.declares if sign is None else sign:
            self.sign(path)
        return path

    def release(self, target: str, **how: Any) -> Path:
        """Put the right package of one target into `dist`."""
        exe = ".exe" if "windows" in target else ""
        return self.pack(
            f"{self.name}-{self.version}-{target}.tgz", {f"{self.name}{exe}": b"\x7fELF"}, **how
        )

    def sign(self, path: Path, *, suffix: str = ".sig", comment: str | None = None) -> Path:
        return sign_file(self.key, path, suffix=suffix, comment=comment)

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *words],
            cwd=self.folder,
            env=tool_environment() | {"HOME": str(self.folder.parent), "GIT_CONFIG_NOSYSTEM": "1"},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def commit(self) -> None:
        """Commit all there is, in a new repository if there is none."""
        if not (self.folder / ".git").exists():
            self.git("init", "-q")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x")
