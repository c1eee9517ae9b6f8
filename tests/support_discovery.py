"""Crates for tests of discovery: published on crates.io, released wherever a test wants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import tomlkit

from binstall.formats.package_format import PackageFormat
from binstall.hosting.packing import build_package
from binstall.signing.binding import Expected, trusted_comment_for
from binstall.signing.minisign_keys import SecretKey, sign_digest
from support_machine import Machine
from support_net import Answer, Asked
from support_registry import TARGET, TIMESTAMP
from support_web import NOTHING, CratesIo, Web


def publish_crate(
    registry: CratesIo,
    name: str = "hello",
    version: str = "1.0.0",
    *,
    repository: str | None = None,
    metadata: Mapping[str, object] | None = None,
    bins: tuple[str, ...] = (),
) -> None:
    """Publish a crate whose manifest says so."""
    package: dict[str, object] = {"name": name, "version": version, "edition": "2021"}
    if repository is not None:
        package["repository"] = repository
    if metadata is not None:
        package["metadata"] = {"binstall": dict(metadata)}
    sources = {f"src/bin/{each}.rs": b"" for each in bins or (name,)}
    registry.publish(tomlkit.dumps({"package": package}), name, version, sources)


def package(*bins: str, says: str = "hello") -> bytes:
    """Return a tgz with these programs at its top."""
    content = f"#!/bin/sh\necho {says}\n".encode()
    return build_package(PackageFormat.TGZ, dict.fromkeys(bins or ("hello",), content))


def signature(
    data: bytes, key: SecretKey, file: str, *, crate: str = "hello", version: str = "1.0.0"
) -> bytes:
    """Sign a package as its publisher would."""
    comment = trusted_comment_for(Expected(file, crate, version, TARGET), timestamp=TIMESTAMP)
    return sign_digest(key, blake2b(data).digest(), comment)


def signing_table(key: SecretKey) -> dict[str, str]:
    """Return what a manifest declares of `key`."""
    return {"algorithm": "minisign", "pubkey": key.public_key.base64}


@dataclass
class Files:
    """A host that has some files, by path as it is asked for."""

    files: dict[str, bytes | Answer] = field(default_factory=dict)

    def __call__(self, asked: Asked) -> Answer:
        found = self.files.get(asked.path, NOTHING)
        return found if isinstance(found, Answer) else Answer(body=found)


def machine_on(web: Web, folder: Path) -> Machine:
    """Return a machine that reaches the hosts of `web`."""
    folder.mkdir(exist_ok=True)
    return Machine(folder, dict(web.environment))
