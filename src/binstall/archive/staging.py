"""Wanted files on disk: fresh, private, numbered, synced; all of them or none.

The folder is the caller's, private (0700) and on the file system of the destination, so that installing
is a rename. A file is created exclusively and without following links, as 0600, and becomes 0755 once all
its bytes are on the disk. Nothing of the archive decides a path or a permission.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

from binstall.archive.listing import quoted
from binstall.errors import LocalIOError
from binstall.limits import CHUNK_BYTES

_FRESH: Final = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class Staging:
    """Context manager around the files of one package; an error within removes them."""

    def __init__(self, into: Path) -> None:
        self._into = into
        self._made: list[Path] = []
        self.files: dict[str, Path] = {}
        """Wanted name → staged file, whole and synced."""

    def __enter__(self) -> Staging:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            for path in self._made:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)

    def keep(self, asked: str, size: int, pieces: Iterator[memoryview]) -> None:
        """Write one wanted file; raise LocalIOError, and what `pieces` raises."""
        del size
        with self._fresh(asked) as descriptor:
            for piece in pieces:
                with _refusals(asked):
                    _write(descriptor, piece)

    def copy(self, asked: str, source: BinaryIO, size: int) -> None:
        """Stage the open file `source` of `size` bytes, by the kernel where it can; raise LocalIOError."""
        with self._fresh(asked) as descriptor, _refusals(asked):
            done = _copy_in_kernel(source, descriptor, size)
            source.seek(done)
            while chunk := source.read(CHUNK_BYTES):
                _write(descriptor, memoryview(chunk))

    @contextlib.contextmanager
    def _fresh(self, asked: str) -> Iterator[int]:
        path = self._into / str(len(self._made))
        with _refusals(asked):
            descriptor = os.open(path, _FRESH, 0o600)
        self._made.append(path)
        try:
            yield descriptor
            with _refusals(asked):
                if hasattr(os, "fchmod"):
                    os.fchmod(descriptor, 0o755)
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self.files[asked] = path


@contextlib.contextmanager
def _refusals(asked: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LocalIOError(f"{quoted(asked)} cannot be written: {error}") from error


def _write(descriptor: int, piece: memoryview) -> None:
    while piece:
        piece = piece[os.write(descriptor, piece) :]


def _copy_in_kernel(source: BinaryIO, descriptor: int, size: int) -> int:
    """Return how many bytes the kernel copied from the beginning of `source`: possibly none."""
    done = 0
    with contextlib.suppress(OSError, AttributeError):
        while done < size:
            copied = os.copy_file_range(source.fileno(), descriptor, size - done, done)
            if not copied:
                break
            done += copied
    return done
