"""What would mend a failing row: the line of `Cargo.toml`, or the name of the file.

Every proposal is tried before it is made: another `pkg-fmt` is given to the installer's own resolution, a
`bin-dir` is read off the archive.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from binstall.errors import (
    ArchiveError,
    BadPublicKey,
    BadSignature,
    BinstallError,
    DuplicateSource,
    InstallError,
    ManifestError,
    MissingSignature,
    NothingFound,
    TemplateError,
    UnknownFormat,
    UnsupportedSignature,
)
from binstall.formats.manifest import CliOverrides
from binstall.formats.metadata import Layer
from binstall.formats.near_miss import meant
from binstall.formats.package_format import PackageFormat
from binstall.formats.target import TargetTriple
from binstall.formats.template import parse_template
from binstall.formats.toml_text import toml_string
from binstall.publish.archive_names import members_of
from binstall.publish.check_targets import Question, Reach, first_of, is_part_of, places_for
from binstall.publish.manifest_lines import ManifestLines, table_of
from binstall.publish.release_folder import file_name_of
from binstall.publish.stamp import FILE_KEYS
from binstall.resolve.candidates import Candidate
from binstall.text import without_secrets

_BIN: Final = re.compile(r"\{\s*bin\s*\}")
_URL_KEYS: Final = FILE_KEYS - {"url"} | {"subcrate"}
_PATH_KEYS: Final = FILE_KEYS - {"url", "archive-suffix", "archive-format"} | {"bin"}
_OTHER_SIGNATURES: Final = {
    ".minisig": "a minisign signature",
    ".sig": "a signature",
    ".asc": "an OpenPGP signature, which no installer reads",
}


@dataclass(frozen=True, slots=True)
class Mender:
    """Knows one manifest and the folder with the files of its release."""

    reach: Reach
    lines: ManifestLines
    folder: Path | None
    """None where there is no folder."""

    def mend(self, question: Question, error: BinstallError) -> str | None:
        """Say what would mend it, or None where nobody here can tell."""
        target = question.target
        match error:
            case TemplateError():
                return self._template(target)
            case NothingFound():
                return self._nothing_found(target)
            case UnknownFormat():
                return self._unknown_format(target)
            case MissingSignature():
                return self._missing_signature(target)
            case BadPublicKey():
                return f"{self._place(target, lambda it: it.signing, 'signing', 'pubkey')}: {error.hint}"
            case BadSignature():
                return self._bad_signature(target, error)
            case UnsupportedSignature() | ManifestError():
                place = self._place(target, lambda it: it.signing or it.signatures, "signing")
                return f"{place}: `binstall stamp` writes a complete section"
            case DuplicateSource():
                place = self._place(target, lambda it: it.bin_dir, "bin-dir")
                return f"{place}: bin-dir must contain {{ bin }}, and a `bin` package holds one binary"
            case ArchiveError() | InstallError():
                return self._archive(target)
            case _:
                return self._plain_http(target) or error.hint

    def _layers(self, target: TargetTriple) -> Iterator[Layer]:
        metadata = self.reach.manifest.metadata
        yield from (layer for layer in metadata.overrides if layer.key == target.text)
        yield from (
            layer for layer in metadata.overrides if layer.condition and layer.condition.matches(target)
        )
        yield metadata.base

    def _place(self, target: TargetTriple, has: Callable[[Layer], object], *path: str) -> str:
        """Return the place of a key in the table that decides about it for `target`."""
        layer = next((layer for layer in self._layers(target) if has(layer) is not None), None)
        return self.lines.in_layer(layer or self.reach.manifest.metadata.base, *path)

    def _template(self, target: TargetTriple) -> str | None:
        return next(self._template_mends(target), None)

    def _template_mends(self, target: TargetTriple) -> Iterator[str]:
        no_repository = self.reach.manifest.repository is None
        for key, keys, text_of in _TEMPLATES:
            layer = next((it for it in self._layers(target) if text_of(it) is not None), None)
            text = text_of(layer) if layer is not None else None
            if layer is None or text is None:
                continue
            place = self.lines.in_layer(layer, *key.split("."))
            mended = mend_template(text, keys, self.binary)
            if mended is not None:
                yield f"{place}: {mended}"
            elif no_repository and "repo" in _keys_of(text):
                yield f"{self.lines.place()}: [package] has no `repository`, which {{ repo }} stands for"

    @property
    def binary(self) -> str:
        """Return what `{ bin }` is most likely to mean."""
        binaries = self.reach.manifest.binaries
        return binaries[0].name if len(binaries) == 1 else self.reach.manifest.name

    def _nothing_found(self, target: TargetTriple) -> str:
        switched_off = next(
            (layer for layer in self._layers(target) if "crate-meta-data" in layer.disabled_strategies),
            None,
        )
        if switched_off is not None:
            place = self.lines.in_layer(switched_off, "disabled-strategies")
            return f"{place}: `crate-meta-data`, which is how an installer gets to these files, is switched off"
        candidates = self.reach.candidates(target)
        if not candidates:
            template = self._template(target)
            if template is not None:
                return template
            place = self._place(target, lambda it: it.pkg_url, "pkg-url")
            return f"{place}: declare pkg-url, or `repository` on a hosting service whose names are known"
        asked = file_name_of(candidates[0].url)
        if self.folder is None:
            return f"upload {asked}, so that {without_secrets(candidates[0].url)} leads to it"
        other = self.format_that_leads(target)
        if other is not None:
            package_format, name = other
            return self._other_format(target, package_format, name)
        near = self.near(target, asked)
        if near is not None:
            place = self._place(target, lambda it: it.pkg_url, "pkg-url")
            return f"rename {near} to {asked}, or change the name at {place}"
        return f"put {asked} into {self.folder}"

    def _other_format(self, target: TargetTriple, package_format: PackageFormat, name: str) -> str:
        wanted = f'pkg-fmt = "{package_format}"'
        layer = next((layer for layer in self._layers(target) if layer.key == target.text), None)
        place = self.lines.in_layer(layer or self.reach.manifest.metadata.base, "pkg-fmt")
        if layer is not None:
            return f"{place}: {wanted}, for {name} is there"
        return f"{place}: {name} is there; below {table_of(target.text)} write {wanted}"

    def format_that_leads(self, target: TargetTriple) -> tuple[PackageFormat, str] | None:
        """Return the `pkg-fmt` with which an installer would find a file, and that file."""
        for package_format in PackageFormat:
            overrides = CliOverrides(pkg_fmt=package_format)
            try:
                candidates = places_for(self.reach.manifest, target, overrides, skip_signatures=True)
            except BinstallError:
                continue
            name = first_of(candidates, self.reach.names)
            if name is not None:
                return package_format, name
        return None

    def near(self, target: TargetTriple, asked: str) -> str | None:
        """Return the file that nobody asks for whose name is nearest to the one that is asked for."""
        free = [name for name in self.reach.names if not is_part_of(name, self.reach.claims)]
        own = sorted(name for name in free if target.text in name)
        pool = [name for name in own or free if not name.endswith(tuple(_OTHER_SIGNATURES))]
        return next(
            iter(difflib.get_close_matches(asked, sorted(pool), n=1, cutoff=0.3 if own else 0.85)), None
        )

    def _unknown_format(self, target: TargetTriple) -> str:
        other = self.format_that_leads(target)
        wanted = f'pkg-fmt = "{other[0]}"' if other is not None else "pkg-fmt"
        return f"{self._place(target, lambda it: it.pkg_url, 'pkg-url')}: declare {wanted} beside it"

    def _asked(self, target: TargetTriple) -> tuple[str, str, Candidate] | None:
        """Return the names of package and signature that an installer takes, and their candidate."""
        try:
            candidates = places_for(self.reach.manifest, target)
        except BinstallError:
            return None
        there = [one for one in candidates if file_name_of(one.url) in self.reach.names] or candidates[:1]
        if not there or there[0].signature_url is None:
            return None
        return file_name_of(there[0].url), file_name_of(there[0].signature_url), there[0]

    def _missing_signature(self, target: TargetTriple) -> str | None:
        asked = self._asked(target)
        if asked is None:
            return None
        package, signature, _ = asked
        if self.folder is None:
            return f"upload {signature}"
        for suffix, what in _OTHER_SIGNATURES.items():
            other = f"{package}{suffix}"
            if other not in self.reach.names or other == signature:
                continue
            if suffix == ".asc":
                return f"{other} is {what}: {self._sign_again(package, signature)}"
            place = self._place(target, lambda it: it.signing, "signing")
            return (
                f"{other} is there, and {signature} is declared: rename it, or at {place} "
                f"write file = {toml_string('{ url }' + suffix)}"
            )
        return self._sign_again(package, signature)

    def _sign_again(self, package: str, signature: str) -> str:
        path = package if self.folder is None else self.folder / package
        option = "" if signature == f"{package}.sig" else f" -x {signature}"
        return f"`binstall sign {path}{option}` writes {signature}"

    def _bad_signature(self, target: TargetTriple, error: BadSignature) -> str | None:
        asked = self._asked(target)
        if asked is None:
            return error.hint
        package, signature, _ = asked
        if error.reason in {"key-id", "comment-signature"}:
            place = self._place(target, lambda it: it.signing, "signing", "pubkey")
            return f"sign {package} with the key of {place}, or write the key there that made {signature}"
        if error.reason == "name":
            return f"sign {package} under this name, which installers compare with {signature}"
        return f"{signature} is not the signature of this {package}: {self._sign_again(package, signature)}"

    def _plain_http(self, target: TargetTriple) -> str | None:
        asked = self._asked(target)
        candidates = [asked[2]] if asked is not None else self.reach.candidates(target)[:1]
        for candidate in candidates:
            if candidate.url.startswith("http:"):
                place = self._place(target, lambda it: it.pkg_url, "pkg-url")
                return f"{place}: write https:, for installers refuse plain http"
            if (candidate.signature_url or "").startswith("http:"):
                place = self._place(target, lambda it: it.signing, "signing", "file")
                return f"{place}: write https:, for installers refuse plain http"
        return None

    def _archive(self, target: TargetTriple) -> str:
        place = self._place(target, lambda it: it.bin_dir, "bin-dir")
        candidate = next(
            (one for one in self.reach.candidates(target) if file_name_of(one.url) in self.reach.names),
            None,
        )
        if candidate is None or self.folder is None:
            return f"{place}: bin-dir, or what is packed"
        name = file_name_of(candidate.url)
        found = self._bin_dir(candidate, self.folder / name)
        if found is None:
            return f"pack {name} again, with every binary where {place} says"
        return f"{place}: bin-dir = {toml_string(found)}"

    def _bin_dir(self, candidate: Candidate, path: Path) -> str | None:
        """Return the template under which the archive has every binary that it must have."""
        members = members_of(path, candidate.format)
        names = [
            one.name + candidate.target.binary_ext
            for one in self.reach.manifest.binaries
            if not one.required_features
        ]
        for member in sorted(members):
            above, slash, last = member.rpartition("/")
            if last in names and all(f"{above}{slash}{name}" in members for name in names):
                for key in ("target", "version", "name"):
                    above = _with_key(above, key, candidate.values[key])
                return f"{above}{slash}{{ bin }}{{ binary-ext }}"
        return None


_TEMPLATES: Final[tuple[tuple[str, frozenset[str], Callable[[Layer], str | None]], ...]] = (
    ("pkg-url", _URL_KEYS, lambda layer: layer.pkg_url),
    ("signing.file", FILE_KEYS | {"subcrate"}, lambda layer: layer.signing.file if layer.signing else None),
    ("bin-dir", _PATH_KEYS, lambda layer: layer.bin_dir),
)


def template_mistakes(mender: Mender, questions: Sequence[Question]) -> Iterator[str]:
    """Yield what is wrong with templates that hold for none of the targets that are checked."""
    metadata = mender.reach.manifest.metadata
    targets = {question.target.text: question.target for question in questions}
    for layer in (*metadata.overrides, metadata.base):
        condition = layer.condition
        if layer.key is None or layer.key in targets:
            continue
        if condition is not None and any(condition.matches(target) for target in targets.values()):
            continue
        for key, keys, text_of in _TEMPLATES:
            text = text_of(layer)
            mended = None if text is None else mend_template(text, keys, mender.binary)
            if mended is not None:
                yield f"{mender.lines.in_layer(layer, *key.split('.'))}: in {key}, {mended}"


def mend_template(text: str, known: frozenset[str], binary: str) -> str | None:
    """Say what is wrong with a template, and what to write; None where every key has a value."""
    try:
        keys = parse_template(text).keys
    except TemplateError as error:
        return error.hint or error.message
    for key in sorted(keys - known):
        if key == "bin":
            better = _BIN.sub(binary, text)
            return f"{{ bin }} has no value in a URL; write {toml_string(better)}"
        near = meant(key, known)
        return f"{{ {key[:80]} }} has no value" + (f"; write {{ {near} }}" if near else "")
    return None


def _keys_of(text: str) -> frozenset[str]:
    try:
        return parse_template(text).keys
    except TemplateError:
        return frozenset()


def _with_key(text: str, key: str, value: str) -> str:
    return f"{{ {key} }}".join(text.split(value)) if value else text
