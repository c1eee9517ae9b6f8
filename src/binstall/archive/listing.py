"""What an archive holds, and which of its members are the wanted ones.

No member's name ever becomes a path of this machine: wanted files are staged under numbers. Names are
read to find the wanted ones, and to refuse an archive that would unpack differently elsewhere:

- outside the archive: absolute, with a drive letter, with a `..` component, with a NUL or a back-slash;
- where a wanted file, or a folder on its way, is a link, a device or a sparse file, comes twice, is file
  and folder at once, or meets its name in another case or Unicode form.

Away from the wanted names links, devices and duplicates are let be: nothing is made of them. Nor does
another spelling of a wanted name matter unless both occur, so that a caller may ask for several places
in which one binary is looked for. For the same reason one wanted name may be a folder of another.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from binstall.errors import ArchiveError
from binstall.limits import (
    MAX_ARCHIVE_MEMBERS,
    MAX_ARCHIVE_NAMES_CHARACTERS,
    MAX_BINARY_BYTES,
    MAX_MEMBER_DEPTH,
    MAX_MEMBER_NAME_BYTES,
)

_DRIVE = re.compile(r"[A-Za-z]:")
_SHOWN_CHARACTERS = 200


class Kind(StrEnum):
    """What a member is, in the words of the error messages."""

    FILE = "regular file"
    FOLDER = "folder"
    SYMLINK = "symbolic link"
    HARD_LINK = "hard link"
    DEVICE = "device"
    PIPE = "named pipe"
    CONTIGUOUS = "contiguous file"
    SPARSE = "sparse file"
    TWO_NAMES = "member whose headers give it two names"
    OTHER = "member of an unknown kind"


def quoted(name: str | bytes) -> str:
    """Return a foreign name for an error message: in quotes, and cut when it is very long."""
    text = name if isinstance(name, str) else name.decode("utf-8", "backslashreplace")
    if len(text) > _SHOWN_CHARACTERS:
        return f'"{text[:_SHOWN_CHARACTERS]}…" ({len(text)} characters)'
    return f'"{text}"'


def clean_name(raw: bytes) -> tuple[str, ...]:
    r"""Return the components of a member's name, without `.` and empty ones; () is the archive's root.

    Bytes that are not UTF-8 become `\xNN`, which no other name can hold. Raises ArchiveError for a name
    that could mean a place outside, and for one beyond MAX_MEMBER_NAME_BYTES or MAX_MEMBER_DEPTH.
    """
    if len(raw) > MAX_MEMBER_NAME_BYTES:
        raise ArchiveError(
            f"the archive holds a name of {len(raw)} bytes, {quoted(raw)},"
            f" more than {MAX_MEMBER_NAME_BYTES} (MAX_MEMBER_NAME_BYTES)"
        )
    for mark, what in ((b"\0", "NUL"), (b"\\", "back-slash")):
        if mark in raw:
            raise ArchiveError(f"the archive holds a name with a {what}: {quoted(raw)}")
    if raw.startswith(b"/"):
        raise ArchiveError(f"the archive holds an absolute name: {quoted(raw)}")
    text = raw.decode("utf-8", "backslashreplace")
    parts = tuple(part for part in text.split("/") if part not in {"", "."})
    if ".." in parts:
        raise ArchiveError(f'the archive holds a name with "..": {quoted(raw)}')
    if parts and _DRIVE.match(parts[0]):
        raise ArchiveError(f"the archive holds a name with a drive letter: {quoted(raw)}")
    if len(parts) > MAX_MEMBER_DEPTH:
        raise ArchiveError(
            f"the archive holds a name of {len(parts)} components, {quoted(raw)},"
            f" more than {MAX_MEMBER_DEPTH} (MAX_MEMBER_DEPTH)"
        )
    return parts


def folded(path: str) -> str:
    """Return what two paths have in common that a case-insensitive file system takes for one."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


@dataclass(slots=True)
class _Watched:
    """One path that matters: a wanted file, a folder on the way to one, or both."""

    path: str
    asked: str | None = None
    """The wanted name as the caller wrote it; None for a mere folder."""
    is_way: bool = False
    met_path: str | None = None
    """The spelling under which the archive holds it, once met."""
    met_kind: Kind | None = None
    """What the archive holds under exactly `path`, once met."""


class Listing:
    """The members of one archive, entered in its order."""

    def __init__(self, wanted: Collection[str]) -> None:
        """Raise ArchiveError when a wanted name is itself no sound name, or two of them collide."""
        self.members: set[str] = set()
        self.folders: set[str] = set()
        self._watched: dict[str, _Watched] = {}
        self._count = 0
        self._names_characters = 0
        for asked in wanted:
            parts = clean_name(asked.encode("utf-8", "backslashreplace"))
            if not parts:
                raise ArchiveError(f"no file of an archive can be called {quoted(asked)}")
            for depth in range(1, len(parts)):
                self._watch("/".join(parts[:depth])).is_way = True
            file = self._watch("/".join(parts))
            if file.asked is not None:
                raise ArchiveError(f"two binaries are looked for in one place, {quoted(asked)}")
            file.asked = asked

    def _watch(self, path: str) -> _Watched:
        watched = self._watched.setdefault(folded(path), _Watched(path))
        if watched.path != path:
            raise ArchiveError(
                f"binaries are looked for in {quoted(watched.path)} and {quoted(path)}, one place where"
                " case does not count"
            )
        return watched

    def count(self) -> None:
        """Count one header, before it is read."""
        self._count += 1
        if self._count > MAX_ARCHIVE_MEMBERS:
            raise ArchiveError(
                f"the archive has more than {MAX_ARCHIVE_MEMBERS} members (MAX_ARCHIVE_MEMBERS)"
            )

    def enter(self, names: Sequence[bytes], kind: Kind, size: int) -> str | None:
        """Record a member under its name, or under each of them where its headers disagree.

        `size` in bytes, as declared. Returns the wanted name, as the caller wrote it, whose content this
        member is; None for all others. Raises ArchiveError as the module says, and for bounds.
        """
        cleaned = list(dict.fromkeys(clean_name(name) for name in names))
        if len(cleaned) > 1 and kind is Kind.FILE:
            kind = Kind.TWO_NAMES
        asked = None
        for parts in cleaned:
            if not parts:
                if kind is not Kind.FOLDER:
                    raise ArchiveError(f"the archive holds a {kind} without a name, {quoted(names[0])}")
                continue
            for depth in range(len(parts) - 1, 0, -1):
                folder = "/".join(parts[:depth])
                if folder in self.folders:
                    break
                self._enter_folder(folder)
            path = "/".join(parts)
            if kind is Kind.FOLDER:
                self._enter_folder(path)
                continue
            asked = self._meet(path, kind)
            if kind is Kind.FILE:
                self._count_name(path)
                self.members.add(path)
        if asked is not None and size > MAX_BINARY_BYTES:
            raise ArchiveError(
                f"{quoted(names[0])} has {size} bytes, more than {MAX_BINARY_BYTES} (MAX_BINARY_BYTES)"
            )
        return asked

    def _enter_folder(self, path: str) -> None:
        self._meet(path, Kind.FOLDER)
        if path not in self.folders:
            self._count_name(path)
            self.folders.add(path)

    def _count_name(self, path: str) -> None:
        self._names_characters += len(path)
        if self._names_characters > MAX_ARCHIVE_NAMES_CHARACTERS:
            raise ArchiveError(
                "the names in the archive have together more than"
                f" {MAX_ARCHIVE_NAMES_CHARACTERS} characters (MAX_ARCHIVE_NAMES_CHARACTERS)"
            )

    def _meet(self, path: str, kind: Kind) -> str | None:
        watched = self._watched.get(folded(path))
        if watched is None:
            return None
        if watched.met_path not in {None, path}:
            raise ArchiveError(
                f"the archive holds both {quoted(watched.met_path or '')} and {quoted(path)}, one file"
                " where case does not count"
            )
        watched.met_path = path
        if path != watched.path:
            return None
        before, watched.met_kind = watched.met_kind, kind
        if kind is Kind.FOLDER:
            if not watched.is_way:
                raise ArchiveError(f"{quoted(path)} should be a binary and is a folder in the archive")
            if before not in {None, Kind.FOLDER}:
                raise ArchiveError(f"the archive holds {quoted(path)} both as a file and as a folder")
            return None
        if before is not None:
            raise ArchiveError(f"the archive holds {quoted(path)} twice")
        if kind is not Kind.FILE or watched.asked is None:
            role = "a folder" if watched.asked is None else "a binary"
            raise ArchiveError(f"{quoted(path)} should be {role} and is a {kind} in the archive")
        return watched.asked
