"""Manifest, targets and templates to an ordered list of places to look. Pure: asks nobody.

A `Candidate` is one URL at which a package may be, together with everything that later stages need to
judge and unpack what is found there: the key that must have signed it comes from the manifest, never
from the place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from binstall.errors import TemplateError, UnknownFormat
from binstall.formats.manifest import CliOverrides, Manifest, PackageMeta
from binstall.formats.package_format import PackageFormat, guess_package_format
from binstall.formats.target import TargetTriple
from binstall.formats.template import Template, parse_template
from binstall.formats.url import normal_url
from binstall.resolve.repository import Repository, read_repository
from binstall.resolve.templates import SIGNATURE_TEMPLATE, default_templates

_FORMAT_KEYS = frozenset({"archive-suffix", "archive-format", "format"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """One place where the package for one target may be."""

    url: str
    """Normal form, absolute; what is asked for, before redirects."""
    format: PackageFormat
    target: TargetTriple
    meta: PackageMeta
    """The manifest's metadata merged for `target`: names the key and the place of the binaries."""
    signature_url: str | None
    """None where the manifest declares no signature for `target`."""
    values: Mapping[str, str]
    """Template values of this candidate, for `bin-dir`."""
    template: str
    """The `pkg-url` template that `url` was rendered from."""
    guessed: bool = False
    """Whether the template is one of the default ones, so that `url` most likely is not there."""
    party: Literal["publisher", "third party"] = "publisher"


def candidates_for(
    manifest: Manifest,
    target: TargetTriple,
    cli: CliOverrides,
    *,
    skip_signatures: bool,
    repository: Repository | None = None,
    name: str | None = None,
    problems: list[str] | None = None,
) -> tuple[Candidate, ...]:
    """Return every place to look for one target, in the order in which the first existing one wins.

    `repository` is the manifest's, or where that leads; without it the manifest's text is read. `name` is
    what `{ name }` becomes in URLs instead of the package's name. A `pkg-url` that gives no URL is noted in
    `problems`, if that is given, and then gives no candidate.

    Raises:
        ManifestError, UnsupportedSignature: the signing metadata of this target cannot be used.
        TemplateError: a template does not render, or not to a URL.
        UnknownFormat: `pkg-fmt` is absent and the template does not show it.
    """
    meta = manifest.for_target(target, cli, skip_signatures=skip_signatures)
    return tuple(
        _candidates(
            manifest, target, meta, repository or read_repository(manifest.repository), name, problems
        )
    )


def needs_repository(meta: PackageMeta) -> bool:
    """Tell whether it matters where the repository is: for default places, `{ repo }` or `{ subcrate }`."""
    if meta.pkg_url is None:
        return True
    keys = meta.pkg_url.keys
    if meta.signing is not None and meta.signing.file is not None:
        keys |= meta.signing.file.keys
    return not keys.isdisjoint({"repo", "subcrate"})


def _candidates(
    manifest: Manifest,
    target: TargetTriple,
    meta: PackageMeta,
    repository: Repository | None,
    name: str | None,
    problems: list[str] | None,
) -> Iterator[Candidate]:
    values = {"name": manifest.name, "version": str(manifest.version), **target.template_values()}
    if repository is not None:
        values["repo"] = repository.url
    url_values = values | ({"name": name} if name is not None else {})
    if repository is not None and repository.subcrate is not None:
        url_values["subcrate"] = repository.subcrate
    what = f"the package URL of {manifest.name}"
    for template, formats in _templates(manifest, meta, repository):
        for package_format in formats:
            for suffix in _suffixes(template, package_format, target):
                shown = url_values
                if suffix is not None:
                    shown = url_values | _format_values(suffix)
                try:
                    url = normal_url(template.render(shown), what=what)
                except TemplateError as error:
                    if problems is None:
                        raise
                    if error.message not in problems:
                        problems.append(error.message)
                    continue
                known_suffix = suffix if suffix is not None else _suffix_of(url, package_format, target)
                of_format = url_values | _format_values(known_suffix)
                signature_url = _signature_url(manifest, meta, of_format | {"url": url})
                yield Candidate(
                    url,
                    package_format,
                    target,
                    meta,
                    signature_url,
                    values,
                    template.text,
                    guessed=meta.pkg_url is None,
                )


def _templates(
    manifest: Manifest, meta: PackageMeta, repository: Repository | None
) -> Iterator[tuple[Template, tuple[PackageFormat, ...]]]:
    if meta.pkg_url is not None:
        yield meta.pkg_url, _formats(manifest, meta, meta.pkg_url)
        return
    if repository is not None and repository.service is not None:
        formats = (meta.pkg_fmt,) if meta.pkg_fmt is not None else tuple(PackageFormat)
        for text in default_templates(repository.service, subcrate=repository.subcrate is not None):
            yield parse_template(text), formats


def _formats(manifest: Manifest, meta: PackageMeta, template: Template) -> tuple[PackageFormat, ...]:
    if meta.pkg_fmt is not None:
        return (meta.pkg_fmt,)
    if template.keys & _FORMAT_KEYS:
        return tuple(PackageFormat)
    guessed = guess_package_format(template.text)
    if guessed is None:
        raise UnknownFormat(
            f"{manifest.name} declares no pkg-fmt, and its pkg-url does not show one: {template.text}"
        )
    return (guessed,)


def _suffixes(
    template: Template, package_format: PackageFormat, target: TargetTriple
) -> tuple[str | None, ...]:
    """Return the suffixes to try; a single None where the template names none, so one URL comes of it."""
    if not template.keys & _FORMAT_KEYS:
        return (None,)
    return package_format.extensions(windows=bool(target.binary_ext))


def _suffix_of(url: str, package_format: PackageFormat, target: TargetTriple) -> str:
    """Return the suffix of the format that `url` ends with, else the first one."""
    suffixes = package_format.extensions(windows=bool(target.binary_ext))
    path = url.partition("?")[0]
    default = "" if "" in suffixes else suffixes[0]
    return max((each for each in suffixes if each and path.endswith(each)), key=len, default=default)


def _format_values(suffix: str) -> dict[str, str]:
    word = suffix.removeprefix(".") or "bin"
    return {"archive-suffix": suffix, "archive-format": word, "format": word}


def _signature_url(manifest: Manifest, meta: PackageMeta, values: Mapping[str, str]) -> str | None:
    if meta.signing is None:
        return None
    template = meta.signing.file or parse_template(SIGNATURE_TEMPLATE)
    what = f"the signature URL of {manifest.name}"
    try:
        return normal_url(template.render(values), what=what)
    except TemplateError as error:
        raise TemplateError(f"{what} cannot be made: {error.message}", hint=error.hint) from error
