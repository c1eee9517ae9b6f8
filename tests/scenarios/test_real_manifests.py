"""Fifteen real manifests, each with a release under the file names that its project really uses.

crates.io and GitHub have their own names here, behind a proxy with a test authority, and nothing is patched.
`expected_single_target` of `manifests.json` says where the metadata leads for one target alone; None is 94.
Signed crates are signed anew: their key is replaced by ours, as their own release pipelines do.
"""

from __future__ import annotations

import io
import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from binstall.cli.install import install
from binstall.cli.request import InstallRequest, Surroundings
from binstall.cli.terminal import Level, Terminal
from binstall.formats.package_format import PackageFormat
from binstall.formats.version import CrateSpec, requirement_of
from binstall.hosting.packing import build_package
from binstall.signing.binding import Expected, trusted_comment_for
from binstall.signing.minisign_keys import SecretKey, generate, sign_digest
from support_registry import TIMESTAMP
from support_web import CRATES_IO, GITHUB, CratesIo, GitHub, Web

FOLDER = Path(__file__).parent.parent / "vectors/manifests"
MANIFESTS: dict[str, dict[str, Any]] = {
    each["id"]: each for each in json.loads((FOLDER / "manifests.json").read_text())["manifests"]
}
CASES = [
    pytest.param(name, target, id=f"{name} {target}")
    for name, manifest in MANIFESTS.items()
    for target in manifest["expected_single_target"]
]


def published_manifest(described: dict[str, Any], key: SecretKey) -> str:
    """Return the manifest as crates.io would serve it, with our key where it declares one."""
    package = tomllib.loads((FOLDER / described["file"]).read_text())["package"]
    features = tomllib.loads((FOLDER / described["file"]).read_text()).get("features", {})
    resolved = described["resolved"]
    metadata = package["metadata"]["binstall"]
    if "signing" in metadata:
        metadata["signing"]["pubkey"] = key.public_key.base64
    repository = package.get("repository")
    binaries = [
        {
            "name": each["name"],
            "path": f"src/{each['name']}.rs",
            "required-features": each["required_features"],
        }
        for each in resolved["bins"]
    ]
    return tomlkit.dumps(
        {
            "package": {
                "name": resolved["name"],
                "version": resolved["version"],
                "edition": "2021",
                "autobins": False,
                "repository": repository if isinstance(repository, str) else resolved["repository"],
                "metadata": {"binstall": metadata},
            },
            "bin": binaries,
            "features": features,
        }
    )


def release_files(described: dict[str, Any], key: SecretKey) -> dict[str, bytes]:
    """Return every file of the release; the archives hold what they really hold, the others are noise."""
    resolved, release = described["resolved"], described["release"]
    files: dict[str, bytes] = {}
    for asset in release["assets"]:
        package_format = PackageFormat(asset["format"])
        members = asset["members"] or ["the binary"]
        content = f"#!/bin/sh\necho {asset['name']}\n".encode()
        package = build_package(package_format, dict.fromkeys(members, content))
        files[asset["name"]] = package
        if "signature" in asset:
            expected = Expected(asset["name"], resolved["name"], resolved["version"], asset["target"])
            comment = trusted_comment_for(expected, timestamp=TIMESTAMP)
            files[asset["signature"]] = sign_digest(key, blake2b(package).digest(), comment)
        if "checksum" in asset:
            files[asset["checksum"]] = b"0" * 64
        for other in release["other_assets"]:
            name = other.partition(" (")[0].replace("<target>", asset["target"]).replace("<ext>", "tgz")
            if re.fullmatch(r"[\w.@-]+", name):
                files.setdefault(name, b"not a package")
    return files


@dataclass
class World:
    """What is shared by all cases."""

    web: Web
    github: GitHub


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with Web([*CRATES_IO, *GITHUB]) as web, generate() as key:
        registry, github = CratesIo(web), GitHub(web)
        for described in MANIFESTS.values():
            resolved = described["resolved"]
            manifest = published_manifest(described, key)
            registry.publish(manifest, resolved["name"], resolved["version"], {})
            owner, repo = described["repository"].removeprefix("https://github.com/").split("/")
            github.release(owner, repo, described["release"]["tag"], release_files(described, key))
        yield World(web, github)


def run_in_process(
    world: World, folder: Path, described: dict[str, Any], target: str
) -> tuple[int, dict[str, Any]]:
    """Install one crate for one target as `binstall install` does; return the code and the JSON object."""
    for name in ("home", "work", "root"):
        (folder / name).mkdir()
    environment = {**world.web.environment, "HOME": str(folder / "home"), "PATH": "/usr/bin:/bin"}
    around = Surroundings(environment, folder / "work", folder / "home")
    request = InstallRequest(
        (CrateSpec(described["crate"], requirement_of(described["resolved"]["version"])),),
        around,
        targets=(target,),
        root=folder / "root",
        root_certificates=(world.web.authority.pem_path,),
        no_confirm=True,
    )
    out, err = io.StringIO(), io.StringIO()
    terminal = Terminal(Level.DEBUG, json_lines=True, out=out, err=err, environment={})
    code = install(request, terminal)
    print(err.getvalue())
    return code, json.loads(out.getvalue())


@pytest.mark.parametrize(("name", "target"), CASES)
def test_a_real_manifest_leads_where_its_metadata_says(
    world: World, tmp_path: Path, name: str, target: str
) -> None:
    described = MANIFESTS[name]
    expected = described["expected_single_target"][target]
    world.web.forget()
    code, result = run_in_process(world, tmp_path, described, target)
    if expected["url"] is None:
        assert code == 94
        assert not (tmp_path / "root/bin").exists()
        return
    assert code == 0, result
    assert result["package"]["url"] == expected["url"]
    questions = 2 if name == "cargo-watch" else 0  # the one without a pkg-url: one question for each tag
    assert len(world.web.asked("api.github.com")) == questions
    assert result["package"]["format"] == expected["format"]
    assert result["signature"]["verdict"] == (
        "verified" if described["signing"]["declared"] else "unsigned"
    )
    placed = {Path(each["path"]).read_text() for each in result["files"]}
    assert placed == {f"#!/bin/sh\necho {expected['asset']}\n"}


def test_the_fifteen_are_all_there_with_eight_targets_each() -> None:
    assert len(MANIFESTS) == 15
    assert len(CASES) == 15 * 8


@pytest.mark.parametrize(
    ("name", "target"),
    [("voice", "aarch64-apple-darwin"), ("gen-circleci-orb", "x86_64-unknown-linux-gnu")],
)
def test_a_signature_by_another_key_than_the_declared_one_is_refused(
    name: str, target: str, tmp_path: Path
) -> None:
    described = MANIFESTS[name]
    resolved = described["resolved"]
    with Web([*CRATES_IO, *GITHUB]) as web, generate() as ours, generate() as theirs:
        registry, github = CratesIo(web), GitHub(web)
        registry.publish(published_manifest(described, theirs), resolved["name"], resolved["version"], {})
        owner, repo = described["repository"].removeprefix("https://github.com/").split("/")
        github.release(owner, repo, described["release"]["tag"], release_files(described, ours))
        code, _ = run_in_process(World(web, github), tmp_path, described, target)
    assert code == 40
