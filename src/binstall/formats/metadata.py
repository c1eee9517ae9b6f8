"""`[package.metadata.binstall]`: the base table, its overrides, and their merger for one target.

Layers for a target, highest first: the command line, the override whose key is the target's name, every
`cfg(...)` override that holds, in file order, the base table. For each key the first layer that has it
wins; `signing` and `signatures` are taken whole, never merged field by field; `disabled-strategies` is the
union. No command-line option replaces `signing`, so `--pkg-url` keeps the crate's key.

A wrong type or an unknown enumeration value makes the whole manifest invalid. A `signing` table that could
never verify anything is an error for the targets it applies to, and a warning for the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from binstall.errors import BadTarget, ManifestError, TemplateError, UnsupportedSignature
from binstall.formats.cargo_toml import Table
from binstall.formats.cfg import CfgExpression, parse_cfg
from binstall.formats.near_miss import PRIVATE_PREFIX, holds_signing, looks_like_signing, meant
from binstall.formats.package_format import PackageFormat, parse_package_format
from binstall.formats.signing_table import ALGORITHMS, DeclaredSigning, SigningConfig, read_signing
from binstall.formats.target import TargetTriple, parse_target
from binstall.formats.template import Template, parse_template
from binstall.limits import (
    MAX_METADATA_KEYS,
    MAX_METADATA_STRING_CHARACTERS,
    MAX_TEMPLATE_CHARACTERS,
)

STRATEGIES = frozenset({"crate-meta-data", "quick-install", "compile"})
_LAYER_KEYS = frozenset({"pkg-url", "pkg-fmt", "bin-dir", "disabled-strategies", "signing", "signatures"})
_BASE_KEYS = _LAYER_KEYS | {"overrides"}


@dataclass(frozen=True, slots=True)
class CliOverrides:
    """What the command line says in place of the manifest."""

    pkg_url: str | None = None
    """Template text, not yet parsed."""
    pkg_fmt: PackageFormat | None = None
    bin_dir: str | None = None
    """Template text, not yet parsed."""


@dataclass(frozen=True, slots=True)
class PackageMeta:
    """The metadata that holds for one target, the command line included."""

    pkg_url: Template | None
    pkg_fmt: PackageFormat | None
    bin_dir: Template | None
    signing: SigningConfig | None
    """What the package must be signed by. None although `declares_signature` holds: only when skipped."""
    disabled_strategies: frozenset[str]
    """Union of all layers; members of `STRATEGIES`."""
    declares_signature: bool
    """A signature is declared for this target, in whatever form."""
    warnings: tuple[str, ...]
    """Sentences, raw foreign text inside."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One table of metadata: the base, or one override."""

    key: str | None
    """Target name or `cfg(...)`; None for the base."""
    condition: CfgExpression | None
    pkg_url: str | None
    pkg_fmt: PackageFormat | None
    bin_dir: str | None
    disabled_strategies: frozenset[str]
    signing: DeclaredSigning | None
    signatures: int | None
    """How many `[[signatures]]` there are; None where the key is absent."""


@dataclass(frozen=True, slots=True)
class BinstallMetadata:
    """All of `[package.metadata.binstall]`."""

    base: Layer
    overrides: tuple[Layer, ...]
    """In file order."""
    warnings: tuple[str, ...]
    what: str
    """The manifest in words, for messages."""
    error: type[ManifestError]

    @property
    def declares_signature(self) -> bool:
        """Tell whether a signature is declared for any target at all, in whatever form."""
        return any(layer.signing is not None or layer.signatures for layer in (self.base, *self.overrides))

    def for_target(self, target: TargetTriple, cli: CliOverrides, *, skip_signatures: bool) -> PackageMeta:
        """Return what holds for `target`.

        Raises `ManifestError` where its `signing` table lacks something or names an unknown algorithm,
        `UnsupportedSignature` where `[[signatures]]` applies, both unless `skip_signatures`, which turns
        them into warnings; `TemplateError` where a template that is needed for it does not parse.
        """
        layers = tuple(self._layers(target))
        signing = next((layer.signing for layer in layers if layer.signing is not None), None)
        signatures = next((layer.signatures for layer in layers if layer.signatures is not None), 0)
        warnings = [
            f"{self.what}: {layer.signing.problem}; no package that it applies to can be verified"
            for layer in (self.base, *self.overrides)
            if layer.signing is not None and layer.signing.problem and layer.signing is not signing
        ]
        config, told = self._judged(target, signing, signatures, skip_signatures)
        bin_dir = cli.bin_dir if cli.bin_dir is not None else _first(layer.bin_dir for layer in layers)
        pkg_url = cli.pkg_url if cli.pkg_url is not None else _first(layer.pkg_url for layer in layers)
        pkg_fmt = next((layer.pkg_fmt for layer in layers if layer.pkg_fmt is not None), None)
        return PackageMeta(
            pkg_url=None if pkg_url is None else parse_template(pkg_url),
            pkg_fmt=cli.pkg_fmt if cli.pkg_fmt is not None else pkg_fmt,
            bin_dir=None if bin_dir is None else parse_template(bin_dir),
            signing=config,
            disabled_strategies=frozenset().union(*(layer.disabled_strategies for layer in layers)),
            declares_signature=signing is not None or signatures > 0,
            warnings=(*told, *warnings),
        )

    def _layers(self, target: TargetTriple) -> Iterator[Layer]:
        yield from (layer for layer in self.overrides if layer.key == target.text)
        for layer in self.overrides:
            if layer.condition is not None and layer.condition.matches(target):
                yield layer
        yield self.base

    def _judged(
        self, target: TargetTriple, signing: DeclaredSigning | None, signatures: int, skip: bool
    ) -> tuple[SigningConfig | None, list[str]]:
        told: list[str] = []
        if signing is not None and signing.problem:
            message = f"{self.what}: {signing.problem}, so no package for {target.text} can be verified"
            if not skip:
                raise self.error(message, hint=signing.hint)
            told.append(f"{message}; going on, because signatures are skipped")
        if signatures:
            message = (
                f"{self.what}: `[[package.metadata.binstall.signatures]]` applies to {target.text},"
                " and this version cannot verify what it declares"
            )
            if not skip:
                raise UnsupportedSignature(message)
            told.append(f"{message}; going on, because signatures are skipped")
        if signing is None or signing.problem:
            return None, told
        try:
            return signing.config(), told
        except TemplateError as cause:
            if not skip:
                raise
            told.append(f"{self.what}: {cause.message}; going on, because signatures are skipped")
            return None, told


def read_metadata(package: Table) -> BinstallMetadata:
    """Read `[package.metadata.binstall]` of a `[package]`; absent tables are empty ones.

    Raises the table's error, `ManifestError` or its subclass, and nothing else.
    """
    metadata = package.table("metadata")
    binstall = metadata.table("binstall") if metadata is not None else None
    if binstall is None:
        binstall = Table({}, package.what, f"{package.where}.metadata.binstall", package.error)
    warnings = list(_check_keys(binstall, _BASE_KEYS))
    base = _read_layer(binstall, None, None)
    overrides = binstall.table("overrides")
    layers: list[Layer] = []
    if overrides is not None:
        _check_size(overrides)
        keys = (key for key in overrides.values if not key.startswith(PRIVATE_PREFIX))
        layers = [_read_override(overrides, key, warnings) for key in keys]
    return BinstallMetadata(base, tuple(layers), tuple(warnings), package.what, package.error)


def _read_override(overrides: Table, key: str, warnings: list[str]) -> Layer:
    if looks_like_signing(key):
        raise overrides.wrong(key, "is not a target", hint=f"move it out of {overrides.where}")
    condition = None
    if key.startswith("cfg(") and key.endswith(")"):
        try:
            condition = parse_cfg(key)
        except ManifestError as cause:
            raise overrides.error(f"{overrides.what}: {cause.message}") from cause
        warnings.extend(
            overrides.note(key, f"asks about `{name[:80]}`, which is never known here")
            for name in sorted(condition.unknown)
        )
    elif not all(character.isalnum() or character in "_-." for character in key):
        raise overrides.wrong(key, "is neither a target triple nor a cfg() expression")
    else:
        try:
            parse_target(key)
        except BadTarget:
            warnings.append(overrides.note(key, "is not a known target triple, so it never applies"))
    table = overrides.table(key)
    if table is None:
        raise overrides.wrong(key, "is null, expected a table")
    warnings.extend(_check_keys(table, _LAYER_KEYS))
    return _read_layer(table, key, condition)


def _read_layer(table: Table, key: str | None, condition: CfgExpression | None) -> Layer:
    pkg_fmt = None
    format_text = table.string("pkg-fmt", MAX_METADATA_STRING_CHARACTERS, "MAX_METADATA_STRING_CHARACTERS")
    if format_text is not None:
        pkg_fmt = parse_package_format(format_text)
        if pkg_fmt is None:
            known = ", ".join(PackageFormat)
            raise table.wrong("pkg-fmt", f"is `{format_text[:80]}`, expected one of {known}")
    strategies = table.strings(
        "disabled-strategies", MAX_METADATA_STRING_CHARACTERS, "MAX_METADATA_STRING_CHARACTERS"
    )
    for strategy in strategies:
        if strategy not in STRATEGIES:
            known = ", ".join(sorted(STRATEGIES))
            raise table.wrong("disabled-strategies", f"names `{strategy[:80]}`, expected some of {known}")
    signing = table.table("signing")
    signatures = None
    if "signatures" in table.values:
        signatures = len(table.tables("signatures", MAX_METADATA_KEYS, "MAX_METADATA_KEYS"))
    return Layer(
        key=key,
        condition=condition,
        pkg_url=table.string("pkg-url", MAX_TEMPLATE_CHARACTERS, "MAX_TEMPLATE_CHARACTERS"),
        pkg_fmt=pkg_fmt,
        bin_dir=table.string("bin-dir", MAX_TEMPLATE_CHARACTERS, "MAX_TEMPLATE_CHARACTERS"),
        disabled_strategies=frozenset(strategies),
        signing=None if signing is None else read_signing(signing),
        signatures=signatures,
    )


def _check_keys(table: Table, known: frozenset[str]) -> Iterator[str]:
    """Yield a warning for each key that nobody reads; raise where it could have been about signing."""
    _check_size(table)
    for key, value in table.values.items():
        if key in known or key.startswith(PRIVATE_PREFIX):
            continue
        guess = meant(key, known)
        if looks_like_signing(key):
            word = "signatures" if isinstance(value, list) else "signing"
            raise table.wrong(key, f"is not a known key, `{word}` was probably meant", hint=_NOT_READ)
        if holds_signing(value):
            word = guess or "overrides"
            raise table.wrong(
                key,
                f"is not a known key, and it holds a signing table; `{word}` was probably meant",
                hint=_NOT_READ,
            )
        doubt = f"; `{guess}` was probably meant" if guess else ""
        yield table.note(key, f"is not a known key and has no effect{doubt}")


def refuse_misplaced(document: Table, package: Table) -> None:
    """Raise where a signing table stands in a table that only looks like `[package.metadata.binstall]`."""
    metadata = package.table("metadata")
    outer = document.values.get("metadata")
    places = [(document, False), (package, False)]
    if metadata is not None:
        places.append((metadata, True))
    if isinstance(outer, dict):
        places.append((Table(outer, document.what, "metadata", document.error), False))
    for place, is_home in places:
        _check_size(place)
        for key, value in place.values.items():
            if not isinstance(value, dict | list) or key.startswith(PRIVATE_PREFIX):
                continue
            if is_home and key == "binstall":
                continue
            near = "binstall" in key.casefold() or meant(key, {"binstall"}) is not None
            if (near and holds_signing(value)) or _is_signing_table(key, value):
                raise place.wrong(
                    key,
                    "declares signing in a place that is never read;"
                    " `package.metadata.binstall` was probably meant",
                    hint=_NOT_READ,
                )


def _is_signing_table(key: str, value: object) -> bool:
    if not looks_like_signing(key) or not isinstance(value, dict):
        return False
    algorithm = value.get("algorithm")
    return isinstance(algorithm, str) and algorithm in ALGORITHMS


_NOT_READ = "as it stands, the package would count as unsigned; a key that starts with `x-` is left alone"


def _check_size(table: Table) -> None:
    if len(table.values) > MAX_METADATA_KEYS:
        place = f"`{table.where}`" if table.where else "the document"
        raise table.error(
            f"{table.what}: {place} has more than {MAX_METADATA_KEYS} keys (MAX_METADATA_KEYS)"
        )


def _first(values: Iterator[str | None]) -> str | None:
    return next((value for value in values if value is not None), None)
