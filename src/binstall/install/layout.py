"""Where the binaries of a crate are in its package, and where they go. Pure: names in, names out.

    pkg-fmt = "bin"     the package is the binary
    bin-dir given       the template, rendered for each binary
    otherwise           the first of the folders below that the package has, else its top

    NAME-TARGET-vVERSION  NAME-TARGET-VERSION  NAME-VERSION-TARGET  NAME-vVERSION-TARGET
    NAME-TARGET           NAME-VERSION         NAME-vVERSION        NAME

`plan_layout` says what to take out of a package that nobody has opened yet, `Layout.settle` what was found.
A binary with `required-features` may be missing, any other may not. In the new place a binary has its own
name, and for Windows targets `.exe` after it, whatever it was called in the package.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from binstall.archive.archive import Extraction
from binstall.errors import ArchiveError, DuplicateSource, InstallError
from binstall.formats.binaries import Binary
from binstall.formats.package_format import PackageFormat
from binstall.formats.target import TargetTriple
from binstall.formats.template import Template
from binstall.install.transaction import Placement

_FOLDERS: Final = (
    "{name}-{target}-v{version}",
    "{name}-{target}-{version}",
    "{name}-{version}-{target}",
    "{name}-v{version}-{target}",
    "{name}-{target}",
    "{name}-{version}",
    "{name}-v{version}",
    "{name}",
)
_NOT_RELATIVE: Final = re.compile(r"/|[A-Za-z]:")
_SHOWN_MEMBERS: Final = 5


@dataclass(frozen=True, slots=True)
class InstallPlan:
    """What goes where, once the package is unpacked."""

    placements: tuple[Placement, ...]
    """At least one."""
    binaries: frozenset[str]
    """File names of all binaries of this version, placed now or not."""
    warnings: tuple[str, ...]
    """About binaries that the package lacks, and may lack."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    binary: Binary
    file_name: str
    """In the install folder."""
    source: str
    """In the package, relative to the folder that is found there; `/` between components."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where to look in a package."""

    wanted: frozenset[str]
    """Every path at which a binary may be."""
    folders: tuple[str, ...]
    """Folders of which the first that exists is looked into; empty where the paths are whole."""
    binaries: frozenset[str]
    """As in `InstallPlan`."""
    _wanted: tuple[_Wanted, ...]

    def settle(self, extraction: Extraction, install_dir: Path) -> InstallPlan:
        """Match the wanted binaries with what was found.

        Raises:
            ArchiveError: a binary is missing, and its features are no excuse.
            InstallError: none is left.
        """
        folder = next((folder for folder in self.folders if folder in extraction.folders), None)
        placements, warnings = [], []
        for wanted in self._wanted:
            path = wanted.source if folder is None else f"{folder}/{wanted.source}"
            staged = extraction.files.get(path)
            if staged is not None:
                placements.append(Placement(staged, install_dir / wanted.file_name))
                continue
            features = ", ".join(wanted.binary.required_features)
            if not features:
                raise ArchiveError(
                    f"the package has no `{path}`, where the binary `{wanted.binary.name}` should be; "
                    f"{_holds(extraction)}"
                )
            warnings.append(
                f"the package lacks `{wanted.binary.name}`, which only the features {features} would give"
            )
        if not placements:
            raise InstallError(f"the package has none of the binaries; {_holds(extraction)}")
        return InstallPlan(tuple(placements), self.binaries, tuple(warnings))


def plan_layout(
    binaries: Sequence[Binary],
    *,
    only: Collection[str],
    target: TargetTriple,
    package_format: PackageFormat,
    bin_dir: Template | None,
    values: Mapping[str, str],
) -> Layout:
    """Say where in the package to look for `binaries`, or for those in `only` if it names any.

    `values` are the template values `name`, `version`, those of the target and, if the manifest names one,
    `repo` as it is written there; `bin`, `binary-ext` and `format` are added here.

    Raises:
        TemplateError: `bin-dir` names a value that it does not have.
        InstallError: `bin-dir` gives no path inside a package; `only` leaves no binary.
        DuplicateSource: two binaries would come from one path; in a `bin` package `only` may say which one
            it is, else the default features do.
    """
    if package_format is PackageFormat.BIN and len(binaries) > 1:
        only = [_only_binary(binaries, only)]
    folders: tuple[str, ...] = ()
    if package_format is not PackageFormat.BIN and bin_dir is None:
        folders = tuple(folder.format_map(values) for folder in _FOLDERS)
    every = []
    sources: dict[str, str] = {}
    for binary in binaries:
        file_name = binary.name + target.binary_ext
        if package_format is PackageFormat.BIN:
            every.append(_Wanted(binary, file_name, "the downloaded file"))
            continue
        if bin_dir is None:
            source = file_name
        else:
            own = {"bin": binary.name, "binary-ext": target.binary_ext, "format": target.binary_ext}
            source = _relative(bin_dir.render({**values, **own}), binary)
        other = sources.setdefault(source, binary.name)
        if other != binary.name:
            raise DuplicateSource(
                f"the binaries `{other}` and `{binary.name}` would both come from `{source}`",
                hint="bin-dir must contain { bin }; tell the publisher",
            )
        every.append(_Wanted(binary, file_name, source))
    wanted = tuple(one for one in every if not only or one.binary.name in only)
    if not wanted:
        raise _no_such_binary(binaries, only)
    paths = {one.source for one in wanted}
    paths |= {f"{folder}/{source}" for folder in folders for source in paths}
    return Layout(frozenset(paths), folders, frozenset(one.file_name for one in every), wanted)


def _only_binary(binaries: Sequence[Binary], only: Collection[str]) -> str:
    """Return the name of the binary that a package of format `bin` is, where the crate has several."""
    possible = [one.name for one in binaries if (one.name in only if only else one.by_default)]
    if len(possible) == 1:
        return possible[0]
    if only and not possible:
        raise _no_such_binary(binaries, only)
    names = possible or [one.name for one in binaries]
    raise DuplicateSource(
        f"the binaries {_listed(names)} would all come from the downloaded file, which is one binary",
        hint="--bin NAME says which one it is",
    )


def _no_such_binary(binaries: Sequence[Binary], only: Collection[str]) -> InstallError:
    return InstallError(
        f"there is no binary {_listed(only)}",
        hint=f"the crate has {_listed([one.name for one in binaries])}",
    )


def _relative(path: str, binary: Binary) -> str:
    """Return `path` without `.`, `..` and empty components; `..` at the top leads nowhere."""
    if _NOT_RELATIVE.match(path) or "\\" in path or "\0" in path:
        raise InstallError(f"bin-dir leads out of the package for `{binary.name}`: `{path[:200]}`")
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in {"", "."}:
            parts.append(part)
    if not parts:
        raise InstallError(f"bin-dir gives no path for `{binary.name}`: `{path[:200]}`")
    return "/".join(parts)


def _holds(extraction: Extraction) -> str:
    members = sorted(extraction.members)
    if not members:
        return "it holds no files at all"
    more = f" and {len(members) - _SHOWN_MEMBERS} more" if len(members) > _SHOWN_MEMBERS else ""
    return f"it holds {_listed(members[:_SHOWN_MEMBERS])}{more}"


def _listed(names: Collection[str]) -> str:
    return ", ".join(f"`{name[:80]}`" for name in sorted(names)[:20])
