"""What is told about an install, for people and as JSON. Pure: words out of values.

Foreign text goes in raw; the terminal makes it visible when it prints.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from binstall.errors import BinstallError
from binstall.formats.url import host_of
from binstall.formats.version import CrateSpec
from binstall.install.compile import Build
from binstall.install.installer import Prepared
from binstall.text import visible, without_secrets

JSON_SCHEMA = 1
THIRD_PARTY = "QuickInstall, a third party"


def plan_lines(prepared: Prepared) -> list[str]:
    """Return what must be known before a file is placed: what, whence, whose signature, whereto."""
    manifest, candidate = prepared.found.manifest, prepared.candidate
    lines = [
        f"{manifest.name} {manifest.version} for {candidate.target.text} from {host_of(candidate.url)}",
        f"  {signature_words(prepared)}",
    ]
    comment = prepared.package.evidence.trusted_comment
    if comment is not None:
        lines.append(f"  trusted comment: {visible(comment, keep_tabs=True)}")
    lines += [
        f"  {placement.destination.name} => {placement.destination}"
        for placement in prepared.plan.placements
    ]
    return lines


def signature_words(prepared: Prepared) -> str:
    """Say whose signature it is, or that there is none and why."""
    evidence = prepared.package.evidence
    third_party = prepared.candidate.party == "third party"
    built = f"built by {THIRD_PARTY}, not by its publisher; " if third_party else ""
    if evidence.verdict == "verified":
        whose = "with QuickInstall's" if third_party else "by its publisher with"
        return f"{built}signed {whose} {evidence.algorithm} key {evidence.key_id}"
    return f"{built}UNSIGNED: {'; '.join(evidence.warnings)}"


def build_lines(plan: Build) -> list[str]:
    """Return what must be known before this machine's compiler takes the place of a package."""
    manifest = plan.found.manifest
    lines = [f"{manifest.name} {manifest.version} will be built from source by this machine's cargo"]
    if manifest.declares_signature:
        lines.append("  its publisher signs packages, and there is none; nobody has signed the source")
    if plan.found.checksum is not None:
        lines.append(f"  source: the .crate of SHA-256 {plan.found.checksum.hex()}")
    return [*lines, f"  no package: {plan.why}", f"  {plan.command_line()}"]


def install_object(prepared: Prepared, *, dry_run: bool) -> dict[str, Any]:
    """Return the JSON object of one crate; `docs/json.md` is its description."""
    manifest, candidate = prepared.found.manifest, prepared.candidate
    download, evidence = prepared.package.download, prepared.package.evidence
    source = prepared.found.source
    checksum = prepared.found.checksum
    return {
        "schema": JSON_SCHEMA,
        "event": "planned" if dry_run else "installed",
        "crate": manifest.name,
        "version": str(manifest.version),
        "target": candidate.target.text,
        "source": {"kind": source.kind.value, "url": source.url},
        "crate_sha256": checksum.hex() if checksum is not None else None,
        "package": {
            "url": without_secrets(candidate.url),
            "format": candidate.format.value,
            "size": download.size,
            "sha256": download.digest("sha256").hex(),
            "party": candidate.party,
        },
        "signature": {
            "verdict": evidence.verdict,
            "algorithm": None if evidence.algorithm == "none" else evidence.algorithm,
            "key_id": evidence.key_id,
            "public_key": evidence.public_key,
            "trusted_comment": evidence.trusted_comment,
            "url": without_secrets(candidate.signature_url) if candidate.signature_url else None,
            "warnings": list(evidence.warnings),
        },
        "files": [
            {"binary": placement.destination.name, "path": str(placement.destination)}
            for placement in prepared.plan.placements
        ],
    }


def build_object(plan: Build, *, dry_run: bool) -> dict[str, Any]:
    """Return the JSON object of one crate that cargo built, or would build."""
    source, checksum = plan.found.source, plan.found.checksum
    return {
        "schema": JSON_SCHEMA,
        "event": "planned-build" if dry_run else "built",
        "crate": plan.found.manifest.name,
        "version": str(plan.found.manifest.version),
        "source": {"kind": source.kind.value, "url": source.url},
        "crate_sha256": checksum.hex() if checksum is not None else None,
        "command": ["cargo", *plan.arguments],
        "why": plan.why,
    }


def already_object(name: str, version: str, files: Sequence[str]) -> dict[str, Any]:
    """Return the JSON object of a crate that needs nothing done."""
    return {
        "schema": JSON_SCHEMA,
        "event": "already-installed",
        "crate": name,
        "version": version,
        "files": [{"binary": file} for file in files],
    }


def failure_object(error: BinstallError, spec: CrateSpec | None) -> dict[str, Any]:
    """Return the JSON object of an error; without `spec` it concerns the run as a whole."""
    return {
        "schema": JSON_SCHEMA,
        "event": "failed",
        "crate": spec.name if spec is not None else None,
        "version": None,
        "exit_code": error.exit_code,
        "error": type(error).__name__,
        "message": error.message,
        "help": error.hint,
    }
