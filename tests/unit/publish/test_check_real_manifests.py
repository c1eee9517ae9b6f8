"""`binstall check` over the manifests of well-known crates, with the files that their releases really have.

The vectors list, as `gaps`, the targets among eight usual ones for which a file is published and not led to.
The files of these lines are what must be named, and with them those that the same mistake keeps from other
targets; nothing else may be.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from binstall.formats.target import parse_target
from binstall.hosting.packing import build_package
from binstall.net.transfers import Transfers
from binstall.publish.archive_names import archive_format
from binstall.publish.cargo_package import open_package
from binstall.publish.check import Dist, Report, check
from binstall.publish.check_crate import read_neighbour
from binstall.publish.check_packages import Place
from binstall.publish.release_folder import FolderFetcher, read_folder
from binstall.signing.minisign_keys import SecretKey, generate
from support_check import sign_file

VECTORS = Path(__file__).parents[2] / "vectors" / "manifests"
CASES: list[dict[str, Any]] = json.loads((VECTORS / "manifests.json").read_text("utf-8"))["manifests"]
BY_ID = {case["id"]: case for case in CASES}
SOURCES = {
    "sccache": ("src/main.rs", "src/bin/sccache-dist/main.rs"),
    "rustic-rs": ("src/bin/rustic.rs",),
    "mq-run": ("src/main.rs", "src/bin/dbg.rs"),
}
MACHINE = [parse_target(text) for text in ("x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl")]
BEYOND_THE_EIGHT = {
    "rustic-rs": {
        "rustic-v0.11.4-i686-unknown-linux-gnu.tar.gz",
        "rustic-v0.11.4-armv7-unknown-linux-gnueabihf.tar.gz",
        "rustic-v0.11.4-x86_64-pc-windows-gnu.tar.gz",
    }
}
"""Files of other targets, which the same `{ bin }` keeps from everybody."""
FURTHER_FILES = {
    "cargo-binstall": ["cargo-binstall-x86_64-unknown-linux-gnu.full.tgz", "minisign.pub"],
    "sccache": ["sccache-dist-v0.17.0-x86_64-unknown-linux-musl.tar.gz"],
    "mise": [
        "mise-v2026.8.10-linux-x64.tar.xz",
        "mise-v2026.8.10-linux-x64.tar.zst",
        "mise-v2026.8.10-linux-x64",
        "mise-v2026.8.10-windows-x64",
        "SHASUMS256.txt",
        "SHASUMS256.txt.minisig",
    ],
    "atuin": ["atuin-installer.sh", "dist-manifest.json", "source.tar.gz", "sha256.sum"],
    "nodeup": ["nodeup-linux-amd64", "nodeup-windows-arm64.exe", "SHA256SUMS"],
    "voice": ["mlx.metallib", "mlx.metallib.sig"],
    "rustic-rs": ["rustic-v0.11.4-x86_64-unknown-linux-gnu.tar.gz.asc"],
    "mq-run": ["mq-dbg-x86_64-unknown-linux-gnu", "mq-lsp-aarch64-apple-darwin"],
    "watchexec-cli": ["watchexec-2.6.1-x86_64-unknown-linux-gnu.deb", "B3SUMS", "SHA512SUMS"],
    "cargo-watch": ["cargo-watch-v8.5.2-x86_64-unknown-linux-gnu.rpm", "B3SUMS.auto.minisig"],
}
"""More of what those releases hold, by their `other_assets`; none of it is a package that is not led to."""


def gap_files(case: dict[str, Any]) -> set[str]:
    """Return the files that the vector's `gaps` name as published and not led to."""
    lines = [line for line in case["gaps"] if "does not lead to it" in line]
    return {name for line in lines for name in re.findall(r"(?<=[ ,])[^ ,]+(?=,| is published)", line)}


def lay_out(case: dict[str, Any], folder: Path, key: SecretKey) -> Path:
    """Write the project and its release; what is declared to be signed is signed, by our key."""
    member: Path = folder / "crates" / case["id"]
    for source in SOURCES.get(case["id"], ("src/main.rs",)):
        (member / source).parent.mkdir(parents=True, exist_ok=True)
        (member / source).write_text("fn main() {}\n")
    text = (VECTORS / case["file"]).read_text("utf-8")
    text = re.sub(r'(?m)^(pubkey\s*=\s*)"RW[^"]+"', rf'\1"{key.public_key.base64}"', text)
    (member / "Cargo.toml").write_text(text, "utf-8")
    if case["workspace_file"]:
        shutil.copyfile(VECTORS / case["workspace_file"], folder / "Cargo.toml")
    dist = folder / "dist"
    dist.mkdir()
    for asset in case["release"]["assets"]:
        path = dist / asset["name"]
        package_format = archive_format(asset["name"])
        if package_format is None:
            path.write_bytes(b"\x7fELF")
        else:
            path.write_bytes(build_package(package_format, dict.fromkeys(asset["members"], b"\x7fELF")))
        if asset.get("signature"):
            sign_file(key, path)
    for name in FURTHER_FILES.get(case["id"], ()):
        (dist / name).write_bytes(b"anything")
    return member


def checked(case: dict[str, Any], folder: Path) -> Report:
    key = generate()
    member = lay_out(case, folder, key)
    crate = read_neighbour(open_package(member, None), "Cargo.toml")
    names = read_folder(folder / "dist")
    staging = folder / "staging"
    staging.mkdir()
    with Transfers(FolderFetcher(folder / "dist", names)) as transfers:
        return check(
            [crate],
            dist=Dist(folder / "dist", names),
            places=[Place("folder", transfers, staging)],
            targets=[],
            machine=MACHINE,
        )


def test_the_vectors_list_fifteen_gaps_in_four_projects() -> None:
    lines = {case["id"]: sum("does not lead" in line for line in case["gaps"]) for case in CASES}
    found = {name: count for name, count in lines.items() if count}
    assert found == {"cargo-binstall": 2, "mise": 4, "rustic-rs": 7, "tauri-cli": 2}


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["id"]))
def test_the_archives_that_no_target_leads_to_are_named_and_nothing_that_is_right(
    case: dict[str, Any], tmp_path: Path
) -> None:
    report = checked(case, tmp_path)
    named = {archive.name for archive in report.unreachable}
    assert named == gap_files(case) | BEYOND_THE_EIGHT.get(case["id"], set())
    assert all(archive.mend for archive in report.unreachable)
    (crate,) = report.crates
    failed = {row.question.target.text for row in crate.rows if row.verdict == "failed"}
    asked_for = {
        target
        for target, expected in case["expected_single_target"].items()
        if expected["asset"] is None and expected["published_for_this_target"]
    }
    named_by_files = {target for target in asked_for if any(target in name for name in named)}
    assert failed >= named_by_files
    assert not {row.question.target.text for row in crate.rows if row.verdict == "ok"} & asked_for
    assert all(row.mend for row in crate.rows if row.verdict == "failed")
    assert report.exit_code == 0 or named, [str(error) for error in report.failures]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["id"]))
def test_every_target_is_led_to_the_file_of_its_vector(case: dict[str, Any], tmp_path: Path) -> None:
    report = checked(case, tmp_path)
    rows = {row.question.target.text: row for row in report.crates[0].rows}
    for target, expected in case["expected_single_target"].items():
        row = rows.get(target)
        if row is not None and expected["asset"] is not None:
            url = row.url or ""
            if case["id"] == "cargo-watch":  # of default URLs with one file name, a folder tells nothing
                assert row.further_urls == 1
                url = url.replace("/download/", "/download/v")
            assert (row.verdict, url) == ("ok", expected["url"]), row.error


def test_the_two_mistakes_of_mq_run_are_told(tmp_path: Path) -> None:
    report = checked(BY_ID["mq-run"], tmp_path)
    (crate,) = report.crates
    told = [*crate.crate.manifest.warnings, *crate.mistakes]
    assert len(told) == 2
    assert "mq-dbg` is not a known target triple" in told[0]
    assert told[1] == "Cargo.toml:78: in pkg-url, { disabled } has no value"
    assert not report.failures, "its one file is the binary of its default features, and installs"


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["id"]))
def test_no_other_real_manifest_holds_a_mistake(case: dict[str, Any], tmp_path: Path) -> None:
    (crate,) = checked(case, tmp_path).crates
    told = [mistake for mistake in crate.mistakes if "no installer looks at" not in mistake]
    assert bool(told) is (case["id"] == "mq-run")


def test_signatures_that_no_installer_looks_at_are_told(tmp_path: Path) -> None:
    (crate,) = checked(BY_ID["cargo-binstall"], tmp_path).crates
    (told,) = crate.mistakes
    assert "no installer looks at cargo-binstall-aarch64-unknown-linux-gnu.tgz.sig and 8 more" in told


@pytest.mark.parametrize(
    ("name", "word"),
    [
        pytest.param("rustic-rs", 'write "{ repo }/releases/download/v{ version }/rustic-v', id="{ bin }"),
        pytest.param("tauri-cli", 'write pkg-fmt = "zip"', id="a format that no candidate has"),
        pytest.param("mise", "ends in /mise-v{ version }-windows-x64.zip", id="a name of its own"),
    ],
)
def test_a_near_miss_is_mended_by_a_line_of_the_manifest(name: str, word: str, tmp_path: Path) -> None:
    report = checked(BY_ID[name], tmp_path)
    mends = [archive.mend for archive in report.unreachable]
    assert any(re.match(r"Cargo\.toml:\d+: ", mend) and word in mend for mend in mends), mends
