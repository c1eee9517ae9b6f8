"""Files that a verifier has judged, made from bytes or from a file on disk."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

from binstall.artifact import Download, VerifiedFile
from binstall.signing.digest import Unsigned
from binstall.signing.verifier import verify


def verified(content: bytes | BinaryIO, url: str = "https://example.com/package") -> VerifiedFile:
    """Return `content` as a file that policy let pass; an open file stays the caller's to close."""
    file = io.BytesIO(content) if isinstance(content, bytes) else content
    size = file.seek(0, io.SEEK_END)
    return verify(Download(url, file, size), Unsigned("a test made it"))


def tree(folder: Path) -> dict[str, bytes | None]:
    """Return everything below `folder`: path → content, None for folders."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }
