"""What the name of a release file says, by the manifest: for which target it is, and where its signature goes.

The question is put the way an installer puts it: the manifest's own candidates for a target, the URLs that
would be asked, and whether one of them ends in this name. Nothing is guessed from how names usually look; a
name that is asked for by exactly one target is that target's file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from binstall.errors import (
    BadPublicKey,
    BadTarget,
    BinstallError,
    LocalManifestError,
    TemplateError,
    UnknownFormat,
)
from binstall.formats.known_targets import KNOWN_TARGETS
from binstall.formats.manifest import CliOverrides, Manifest, SigningConfig
from binstall.formats.minisign_key import parse_public_key
from binstall.formats.target import TargetTriple, parse_target
from binstall.limits import MAX_NAME_CHARACTERS, MAX_TARGET_CHARACTERS
from binstall.resolve.candidates import Candidate, candidates_for
from binstall.signing.binding import Expected, asset_name

_AS_DECLARED = CliOverrides()
_WORD = re.compile(r"[A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is certain about one file."""

    expected: Expected
    """What an installer will compare a trusted comment with; None where several answers are possible."""
    targets: tuple[TargetTriple, ...]
    """Whose installers ask for a file of this name."""
    signature_name: str | None
    """Where installers look for its signature, as a file name beside it; None: they look for none."""
    signings: tuple[SigningConfig, ...]
    """What those installers demand of it, each once."""


def facts_of(file_name: str, manifest: Manifest) -> FileFacts:
    """Return what `manifest` makes certain about a file of this name.

    Raises:
        LocalManifestError: the signatures of two targets, or none, would have to lie beside the file.
        ManifestError, UnsupportedSignature: no target leads to the name, and the signing metadata of one
            cannot be used.
    """
    leading = _leading_to(file_name, manifest)
    targets = tuple({candidate.target.text: candidate.target for candidate in leading}.values())
    names = {
        asset_name(candidate.signature_url) for candidate in leading if candidate.signature_url is not None
    }
    if len(names) > 1:
        raise LocalManifestError(
            f"installers look for the signature of {file_name} under different names: "
            f"{', '.join(sorted(names))}",
            hint="-x FILE names the signature, one run for each name",
        )
    name = next(iter(names), None)
    if name is not None and (name in {"", ".", "..", file_name} or "/" in name or "\\" in name):
        raise LocalManifestError(
            f"installers look for the signature of {file_name} under `{name}`, "
            "which can be no other file beside it",
            hint="-x FILE names the signature, and where the URL leads is up to you",
        )
    signings = dict.fromkeys(meta.signing for meta in (one.meta for one in leading) if meta.signing)
    return FileFacts(
        expected=Expected(
            file_name,
            manifest.name if leading else None,
            str(manifest.version) if leading else None,
            targets[0].text if len(targets) == 1 else None,
        ),
        targets=targets,
        signature_name=name,
        signings=tuple(signings),
    )


def demands_other_key(facts: FileFacts, public_key: str) -> bool:
    """Tell whether an installer that asks for the file demands a signature by another key."""
    return any(
        signing.algorithm != "minisign" or not is_key(signing.pubkey, public_key)
        for signing in facts.signings
    )


def is_key(declared: str, public_key: str) -> bool:
    """Tell whether a declared public key, with or without its comment line, is the bare `public_key`."""
    try:
        return parse_public_key(declared).base64 == public_key
    except BadPublicKey:
        return False


def _leading_to(file_name: str, manifest: Manifest) -> list[Candidate]:
    """Return the candidates whose URL ends in `file_name`."""
    found: list[Candidate] = []
    refusal: BinstallError | None = None
    for text in dict.fromkeys((*triples_in(file_name), *_override_keys(manifest), *KNOWN_TARGETS)):
        try:
            target = parse_target(text)
        except BadTarget:
            continue  # an override for a target that no installer knows
        try:
            if text not in file_name and _names_target(manifest, target):
                continue
            candidates = candidates_for(manifest, target, _AS_DECLARED, skip_signatures=False)
        except (TemplateError, UnknownFormat):
            continue  # no installer for that target gets as far as a URL
        except BinstallError as error:
            refusal = refusal or error
            continue
        found += [candidate for candidate in candidates if asset_name(candidate.url) == file_name]
    if not found and refusal is not None:
        raise refusal
    return found


def triples_in(file_name: str) -> Iterable[str]:
    """Yield every part of a name that is a target triple of three words or more, longest first."""
    name = file_name[:MAX_NAME_CHARACTERS]
    words = list(_WORD.finditer(name))
    spans = {
        name[first.start() : last.end()]
        for at, first in enumerate(words)
        for last in words[at + 2 :]
        if last.end() - first.start() <= MAX_TARGET_CHARACTERS
    }
    for text in sorted(
        (span for span in spans if span.count("-") >= 2), key=lambda span: (-len(span), span)
    ):
        try:
            parse_target(text)
        except BadTarget:
            continue
        yield text


def _override_keys(manifest: Manifest) -> Iterable[str]:
    return (
        layer.key
        for layer in manifest.metadata.overrides
        if layer.key is not None and layer.condition is None
    )


def _names_target(manifest: Manifest, target: TargetTriple) -> bool:
    """Tell whether the file names for `target` hold its triple, so that others cannot be its file.

    True of all default templates. Saves rendering them: a known target has some hundred candidates.
    """
    template = manifest.for_target(target, _AS_DECLARED, skip_signatures=True).pkg_url
    if template is None:
        return True
    last = re.split(r"[?#]", template.text, maxsplit=1)[0].rpartition("/")[2]
    return re.search(r"\{\s*target\s*\}", last) is not None
