"""Where keys live: the default places, the public file beside a secret one, and where no secret may be.

    Linux    $XDG_CONFIG_HOME/binstall/signing.key, else ~/.config/binstall/signing.key
    macOS    ~/Library/Application Support/binstall/signing.key
    Windows  %APPDATA%\\binstall\\signing.key

Encrypted with age it is `signing.key.age`; the public key is `signing.pub`. Cargo packs every file of a
package that git does not ignore, and where git does not know the manifest or `package.include` names them
the ignored ones too; so a secret inside a package is one `cargo publish` away from everybody.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from binstall.errors import LocalIOError, UsageError
from binstall.limits import MAX_MANIFEST_BYTES
from binstall.publish.git import ask_git

KEY_NAME: Final = "signing.key"
AGE_SUFFIX: Final = ".age"


def default_folder(environment: Mapping[str, str], home: Path, platform: str) -> Path:
    """Return the folder of the user's keys; `platform` is `sys.platform`."""
    if platform == "win32":
        return Path(environment.get("APPDATA") or home / "AppData" / "Roaming") / "binstall"
    if platform == "darwin":
        return home / "Library" / "Application Support" / "binstall"
    configured = environment.get("XDG_CONFIG_HOME", "")
    return (Path(configured) if configured.startswith("/") else home / ".config") / "binstall"


def default_secret_key(folder: Path) -> Path:
    """Return the secret key in the default folder: the encrypted one where there is only that."""
    plain = folder / KEY_NAME
    encrypted = folder / (KEY_NAME + AGE_SUFFIX)
    return encrypted if encrypted.exists() and not plain.exists() else plain


def public_beside(secret_key: Path) -> Path:
    """Return the name of the public key file that goes with a secret one: `NAME.pub` for `NAME.key`."""
    name = secret_key.name.removesuffix(AGE_SUFFIX).removesuffix(".key")
    return secret_key.with_name(f"{name or secret_key.name}.pub")


def make_folder(folder: Path) -> None:
    """Make the default folder, for the user alone.

    Raises:
        LocalIOError: the file system refused.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise LocalIOError(f"the folder {folder} cannot be made: {error.strerror}") from error


def refuse_inside_package(path: Path, what: str) -> None:
    """See that cargo would not pack `path`, which may not exist yet; `what` is "the secret key" or the like.

    Raises:
        UsageError: it lies in a cargo package, and git does not ignore it.
    """
    try:
        place = path.parent.resolve() / path.name
    except (OSError, RuntimeError) as error:
        raise LocalIOError(f"{path} cannot be resolved: {error}") from error
    package = _package_around(place)
    if package is None or (_is_ignored(place, package.folder) and not _is_included(place, package)):
        return
    raise UsageError(
        f"{path} is inside the cargo package {package.folder}, and `cargo publish` would publish {what} with it",
        hint="choose a place outside of the package, or let .gitignore name the file first",
    )


@dataclass(frozen=True, slots=True)
class _Package:
    folder: Path
    include: tuple[str, ...]
    """Patterns by which cargo packs what git ignores too."""


def _package_around(place: Path) -> _Package | None:
    """Return the package that cargo would pack `place` with; the nearest manifest decides."""
    import tomllib

    for folder in place.parents:
        manifest = folder / "Cargo.toml"
        try:
            if not manifest.is_file():
                continue
            with manifest.open("rb") as file:
                text = file.read(MAX_MANIFEST_BYTES + 1)
            document = tomllib.loads(text.decode("utf-8"))
        except (OSError, ValueError, RecursionError):
            # What is unreadable here may be readable to cargo: everything counts as packed.
            return _Package(folder, ("*",))
        table = document.get("package", document.get("project"))
        if table is None:
            return None
        include = table.get("include", []) if isinstance(table, dict) else []
        return _Package(folder, tuple(map(str, include)) if isinstance(include, list) else ("*",))
    return None


def _is_ignored(place: Path, package: Path) -> bool:
    """Tell whether git's rules keep `place` from cargo; they do only if git knows the manifest."""
    folder = next(parent for parent in place.parents if parent.is_dir())
    return _git(package, "ls-files", "--error-unmatch", "--", "Cargo.toml") and _git(
        folder, "check-ignore", "-q", "--", str(place.relative_to(folder))
    )


def _is_included(place: Path, package: _Package) -> bool:
    """Tell whether the manifest's own patterns, which have the form of git's, name `place`."""
    if not package.include:
        return False
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="binstall-") as name:
        folder = Path(name)
        (folder / ".gitignore").write_text("\n".join(package.include) + "\n", encoding="utf-8")
        inside = str(place.relative_to(package.folder))
        return not _git(folder, "init", "-q") or _git(
            folder, "check-ignore", "--no-index", "-q", "--", inside
        )


def _git(folder: Path, *question: str) -> bool:
    """Ask git; without git, or outside of a repository, the answer is no."""
    return ask_git(folder, os.environ, *question) is not None
