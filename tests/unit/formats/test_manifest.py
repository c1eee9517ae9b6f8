"""The package part of `Cargo.toml`, and the real manifests of well-known crates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from binstall.errors import BadVersion, LocalManifestError, ManifestError, NoBinaries, NoPackage
from binstall.formats.cargo_toml import parse_cargo_toml
from binstall.formats.manifest import CliOverrides, Manifest, parse_manifest
from binstall.formats.target import parse_target

VECTORS = Path(__file__).parents[2] / "vectors" / "manifests"
CASES: list[dict[str, Any]] = json.loads((VECTORS / "manifests.json").read_text("utf-8"))["manifests"]
MAIN = ("src/main.rs",)
FILES = {
    "sccache": ("src/main.rs", "src/lib.rs", "src/bin/sccache-dist/main.rs"),
    "rustic-rs": ("src/bin/rustic.rs", "src/lib.rs"),
    "mq-run": ("src/main.rs", "src/bin/dbg.rs"),
}
"""What the package holds in `src`, where it is more than `src/main.rs`."""


def load(case: Mapping[str, Any]) -> Manifest:
    workspace = None
    if case["workspace_file"]:
        root = parse_cargo_toml((VECTORS / case["workspace_file"]).read_bytes()).table("workspace")
        assert root is not None
        workspace = root.values
    files = FILES.get(case["id"], MAIN)
    return parse_manifest((VECTORS / case["file"]).read_bytes(), files, workspace=workspace)


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["id"]))
def test_a_real_manifest_is_read_as_its_vector_says(case: dict[str, Any]) -> None:
    manifest, resolved = load(case), case["resolved"]
    assert manifest.name == resolved["name"]
    assert str(manifest.version) == resolved["version"]
    assert manifest.repository == resolved["repository"]
    found = [{"name": it.name, "required_features": list(it.required_features)} for it in manifest.binaries]
    assert found == sorted(resolved["bins"], key=lambda it: str(it["name"]))
    assert manifest.declares_signature is (case["signing"]["declared"] is not None)
    expected_warnings = {"mq-run": ["mq-dbg"]}.get(case["id"], [])
    assert [
        warning for key in expected_warnings for warning in manifest.warnings if key in warning
    ] == list(manifest.warnings)


TARGETS = [(case, target) for case in CASES for target in case["expected_single_target"]]


@pytest.mark.parametrize(
    ("case", "target"), TARGETS, ids=lambda part: part["id"] if isinstance(part, dict) else part
)
def test_the_merged_metadata_of_a_real_manifest_is_as_its_vector_says(
    case: dict[str, Any], target: str
) -> None:
    expected = case["expected_single_target"][target]
    merged = load(case).for_target(parse_target(target), CliOverrides(), skip_signatures=False)
    assert (merged.bin_dir.text if merged.bin_dir else None) == expected.get("bin_dir")
    if expected["format"] and merged.pkg_fmt:
        assert merged.pkg_fmt == expected["format"]
    declared = case["signing"]["declared"]
    if declared is None:
        assert merged.signing is None
    else:
        assert merged.signing is not None
        assert {"algorithm": merged.signing.algorithm, "pubkey": merged.signing.pubkey} == declared
        assert merged.signing.file is None


def test_the_vectors_cover_what_they_are_for() -> None:
    assert len(CASES) == 15
    assert {merged_strategies(case) for case in CASES} >= {
        frozenset(), frozenset({"quick-install"}), frozenset({"quick-install", "compile"})
    }  # fmt: skip


def merged_strategies(case: dict[str, Any]) -> frozenset[str]:
    target = parse_target("x86_64-unknown-linux-gnu")
    return load(case).for_target(target, CliOverrides(), skip_signatures=False).disabled_strategies


WINDOWS_URL = "{ repo }/releases/download/v{ version }/{ name }-{ target }.zip"


def test_a_cfg_override_of_a_real_manifest_applies_where_it_holds() -> None:
    (atuin,) = (load(case) for case in CASES if case["id"] == "atuin")
    urls = {}
    for target in ("x86_64-pc-windows-msvc", "x86_64-unknown-linux-gnu"):
        url = atuin.for_target(parse_target(target), CliOverrides(), skip_signatures=False).pkg_url
        assert url is not None
        urls[target] = url.text
    assert urls["x86_64-pc-windows-msvc"] == WINDOWS_URL
    assert urls["x86_64-unknown-linux-gnu"] == WINDOWS_URL.replace(".zip", ".tar.gz")


@pytest.mark.parametrize(
    ("toml", "error", "problem"),
    [
        pytest.param("", NoPackage, r"has no \[package\]", id="empty"),
        pytest.param("[workspace]\nmembers = []", NoPackage, r"has no \[package\]", id="workspace"),
        pytest.param("package = 1", ManifestError, "expected a table", id="package"),
        pytest.param("[package]\n", ManifestError, "has no name", id="no name"),
        pytest.param("[package]\nname = 1", ManifestError, "expected a string", id="name's type"),
        pytest.param("[package]\nname = ''", ManifestError, "not a crate name", id="empty name"),
        pytest.param("[package]\nname = '../x'", ManifestError, "not a crate name", id="path"),
        pytest.param('[package]\nname = "a\\n"', ManifestError, "not a crate name", id="line"),
        pytest.param(
            f"[package]\nname = '{'a' * 300}'", ManifestError, "MAX_NAME_CHARACTERS", id="long name"
        ),
        pytest.param(
            "[package]\nname = 'a'\nversion = 1", ManifestError, "expected a string", id="version's type"
        ),
        pytest.param("[package]\nname = 'a'\nversion = '1.2'", BadVersion, "1.2", id="version"),
        pytest.param("[package]\nname = 'a'\nversion = ''", BadVersion, "Cargo.toml: ", id="empty version"),
        pytest.param(
            f"[package]\nname = 'a'\nversion = '{'1' * 300}'", ManifestError, "MAX_VERSION", id="long"
        ),
        pytest.param(
            "[package]\nname = 'a'\nrepository = []", ManifestError, "expected a string", id="repository"
        ),
        pytest.param(
            "[package]\nname='a'\nversion.workspace = true", ManifestError, "no workspace to", id="inherit"
        ),
        pytest.param(
            "[package]\nname='a'\nversion.workspace = 1", ManifestError, "is a table", id="inherit 1"
        ),
        pytest.param(
            "[package]\nname='a'\nversion = {path = 'x'}", ManifestError, "is a table", id="odd table"
        ),
        pytest.param(
            "[package]\nname = 'a'\nmetadata = 'x'", ManifestError, "expected a table", id="metadata"
        ),
        pytest.param(
            "[package]\nname='a'\n[project]\nname='b'", ManifestError, "both", id="package and project"
        ),
        pytest.param(
            "[package]\nname = 'a'\nautobins = false", NoBinaries, "a 0.0.0 has no binary", id="library"
        ),
    ],
)
def test_a_package_that_cannot_be_used_is_an_error(toml: str, error: type[Exception], problem: str) -> None:
    with pytest.raises(error, match=problem) as caught:
        parse_manifest(toml, MAIN)
    assert type(caught.value) is error


def test_the_old_name_of_the_package_table_is_known() -> None:
    manifest = parse_manifest("[project]\nname = 'a'\n[project.metadata.binstall.signing]\n", MAIN)
    assert str(manifest.version) == "0.0.0"
    assert manifest.declares_signature


WORKSPACE = {"package": {"version": "3.2.1-rc.1", "repository": "https://example.com/r"}}


def test_version_and_repository_are_inherited() -> None:
    toml = "[package]\nname = 'a'\nversion = { workspace = true }\nrepository.workspace = true\n"
    manifest = parse_manifest(toml, MAIN, workspace=WORKSPACE)
    assert (str(manifest.version), manifest.repository) == ("3.2.1-rc.1", "https://example.com/r")


@pytest.mark.parametrize("workspace", [{}, {"package": {}}, {"package": 1}, {"package": {"version": 1}}])
def test_what_the_workspace_lacks_cannot_be_inherited(workspace: dict[str, object]) -> None:
    with pytest.raises(LocalManifestError):
        parse_manifest(
            "[package]\nname = 'a'\nversion.workspace = true\n",
            MAIN,
            workspace=workspace,
            error=LocalManifestError,
        )
