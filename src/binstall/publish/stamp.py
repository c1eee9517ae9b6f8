"""`[package.metadata.binstall.signing]`, written into a `Cargo.toml` or taken out of it.

Everything else of the file stays: formatting, comments, line ends, the order of keys. A section that is
there keeps its comments and its other keys (`file`, `group`, `x-…`). What comes out is read again and must
be, the section aside, the very values that went in; or nothing is written.

A new section stands at the end of the `binstall` table, or else of the package's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from binstall.errors import LocalManifestError, TemplateError
from binstall.formats.cargo_toml import Table, parse_cargo_toml
from binstall.formats.manifest import package_of
from binstall.formats.metadata import read_metadata, refuse_misplaced
from binstall.formats.signing_table import read_signing
from binstall.formats.target import parse_target
from binstall.formats.template import parse_template
from binstall.limits import MAX_MANIFEST_BYTES
from binstall.publish.new_files import PUBLIC_MODE, NewFile, write_files
from binstall.publish.section_edits import edit_inline, edit_lines, section_lines

FILE_KEYS = frozenset(
    {"name", "version", "repo", "url", "archive-suffix", "archive-format", "format"}
    | parse_target("x86_64-unknown-linux-gnu").template_values().keys()
)
"""What has a value in a `file` template."""

_HOME = ("metadata", "binstall", "signing")
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class SigningSection:
    """What the section is to say."""

    pubkey: str
    """The bare key, 56 characters."""
    file: str | None = None
    """Template of the signature's URL; None keeps the one that is there."""
    release: str | None = None
    """The one version that the key is for; None for a key that stays, which takes an old one out."""

    @property
    def strings(self) -> dict[str, str]:
        """The keys that it sets."""
        optional = {"file": self.file, "release": self.release}
        return {"algorithm": "minisign", "pubkey": self.pubkey} | {
            key: value for key, value in optional.items() if value is not None
        }

    @property
    def text(self) -> str:
        """The section as somebody would write it."""
        return f"[package.{'.'.join(_HOME)}]\n" + "".join(section_lines(self.strings))


def check_file_template(text: str) -> None:
    """Raise `TemplateError` where a `file` template does not parse, or names what never has a value."""
    unknown = sorted(parse_template(text).keys - FILE_KEYS)
    if unknown:
        raise TemplateError(
            f"the signature's template `{text[:200]}` names `{unknown[0][:80]}`, which has no value there",
            hint=f"known there: {', '.join(sorted(FILE_KEYS))}",
        )


def signing_of(text: str, *, what: str = "Cargo.toml") -> Mapping[str, object] | None:
    """Return the section of a manifest as parsed, in whatever state; None where there is none.

    Raises:
        LocalManifestError: the text is no manifest of a package, or a table on the way is no table.
    """
    section = _section(_package(_parsed(text, what)))
    return None if section is None else section.values


def signing_overrides(text: str, *, what: str = "Cargo.toml") -> tuple[str, ...]:
    """Return the keys of the overrides whose own section wins over the one that is stamped.

    Raises:
        LocalManifestError: the text is no manifest of a package, or its metadata cannot be read.
    """
    overrides = read_metadata(_package(_parsed(text, what))).overrides
    return tuple(layer.key or "" for layer in overrides if layer.signing is not None)


def stamp(text: str, section: SigningSection, *, what: str = "Cargo.toml") -> str:
    """Return `text` with `section` in it; `text` itself where it says just that already.

    Raises:
        LocalManifestError: the text is no manifest of a package, or one in which installers would not find
            the section or would not accept it; or it cannot be changed without touching something else.
        TemplateError: a `file` template, the new one or the one that is there, is of no use.
    """
    document = _parsed(text, what)
    package = _package(document)
    old = _section(package)
    if old is not None:
        read_signing(old)
    kept = {} if old is None else {key: value for key, value in old.values.items() if key != "release"}
    wanted = kept | section.strings
    if isinstance(file := wanted.get("file"), str):
        check_file_template(file)
    if old is not None and dict(old.values) == wanted:
        return text
    changed = _changed(text, package.where, section.strings, wanted, what)
    # What an installer would not read as it is meant is not written, whoever made the mistake.
    document = _parsed(changed, what)
    refuse_misplaced(document, _package(document))
    read_metadata(_package(document))
    return changed


def remove(text: str, *, what: str = "Cargo.toml") -> str:
    """Return `text` without the section; `text` itself where there is none.

    Raises:
        LocalManifestError: as for `stamp`.
    """
    package = _package(_parsed(text, what))
    if _section(package) is None:
        return text
    return _changed(text, package.where, None, None, what)


def read_text(path: Path) -> str:
    """Return a manifest's text, line ends and byte order mark included.

    Raises:
        LocalManifestError: it cannot be read, or is not UTF-8 text.
    """
    try:
        with path.open("rb") as file:
            return file.read(MAX_MANIFEST_BYTES + 1).decode()
    except UnicodeDecodeError as error:
        raise LocalManifestError(f"{path} is not UTF-8 text") from error
    except OSError as error:
        raise LocalManifestError(f"{path} cannot be read: {error.strerror}") from error


def manifest_file(path: Path, before: str, after: str) -> NewFile:
    """Return the file to write where `before` was read; a link to a manifest stays a link.

    Raises:
        LocalManifestError: somebody else has changed it meanwhile, or it cannot be read.
    """
    if read_text(path) != before:
        raise LocalManifestError(f"{path} was changed by somebody else meanwhile", hint="run again")
    return NewFile(Path(os.path.realpath(path)), after.encode(), PUBLIC_MODE, replace=True)


def stamp_file(path: Path, section: SigningSection) -> bool:
    """Write `section` into the manifest at `path`; tell whether that changed anything.

    Raises:
        LocalManifestError, TemplateError: as for `stamp`.
        LocalIOError: the file system refused.
    """
    before = read_text(path)
    return _write(path, before, stamp(before, section, what=str(path)))


def remove_from_file(path: Path) -> bool:
    """Take the section out of the manifest at `path`; tell whether there was one.

    Raises:
        LocalManifestError: as for `remove`.
        LocalIOError: the file system refused.
    """
    before = read_text(path)
    return _write(path, before, remove(before, what=str(path)))


def _write(path: Path, before: str, after: str) -> bool:
    if before != after:
        write_files([manifest_file(path, before, after)])
    return before != after


def _parsed(text: str, what: str) -> Table:
    return parse_cargo_toml(text, what=what, error=LocalManifestError)


def _package(document: Table) -> Table:
    package = package_of(document)
    if package is None:
        raise LocalManifestError(
            f"{document.what} has no [package]", hint="--package NAME picks a member of a workspace"
        )
    return package


def _section(package: Table) -> Table | None:
    metadata = package.table("metadata")
    binstall = metadata.table("binstall") if metadata is not None else None
    return binstall.table("signing") if binstall is not None else None


def _changed(text: str, package: str, strings: Mapping[str, str] | None, wanted: object, what: str) -> str:
    """Return the first edit of `text` after which the section is `wanted` and nothing else is different."""
    body = text.removeprefix(_BOM)
    home = (package, *_HOME)
    before, _ = _apart(body, package, what)
    for edit in (edit_lines, edit_inline):
        edited = edit(body, home, strings)
        if edited is None:
            continue
        try:
            after = _apart(edited, package, what)
        except LocalManifestError:
            continue
        if _same(after[0], before) and after[1] == wanted:
            return (_BOM if text.startswith(_BOM) else "") + edited
    lines = f": {', '.join(section_lines(strings))}".replace("\n", "") if strings else ""
    raise LocalManifestError(
        f"{what} cannot be changed without touching more than its signing section",
        hint=f"change [{'.'.join(home)}] by hand{lines}",
    )


def _apart(text: str, package: str, what: str) -> tuple[object, object]:
    """Return a document's values without the section and the tables that it alone fills, and the section."""
    values = dict(_parsed(text, what).values)
    tables = [values]
    for key in (package, *_HOME[:-1]):
        inner = tables[-1].get(key)
        if not isinstance(inner, dict):
            break
        tables[-1][key] = dict(inner)
        tables.append(tables[-1][key])  # type: ignore[arg-type]
    section = tables[-1].pop(_HOME[-1], None) if len(tables) == len(_HOME) + 1 else None
    for table, key in reversed(list(zip(tables, (package, *_HOME[:-1]), strict=False))):
        if table.get(key) == {}:
            del table[key]
    return values, section


def _same(one: object, other: object) -> bool:
    """Compare values of the TOML parser: types count, and NaN equals NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other or (one != one and other != other)  # noqa: PLR0124
