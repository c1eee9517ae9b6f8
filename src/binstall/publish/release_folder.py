"""A folder with the files of a release, answering as its release host will.

A URL leads to the file that has the URL's file name, and to nothing (404) where the folder has none: what
an installer makes of the folder is what it will make of the host. Folders in the folder are no files of the
release. SourceForge's URLs end in `/download`, after the file's name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from binstall.errors import LocalIOError, TemplateError, Unreachable
from binstall.formats.url import host_of
from binstall.limits import CHUNK_BYTES
from binstall.net.fetcher import NO_HEADERS, Response
from binstall.signing.binding import asset_name
from binstall.text import without_secrets

_DOWNLOAD = "/download"


def read_folder(folder: Path) -> frozenset[str]:
    """Return the names of the files in `folder`.

    Raises:
        LocalIOError: it cannot be read.
    """
    try:
        return frozenset(path.name for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise LocalIOError(f"the folder {folder} cannot be read: {error.strerror or error}") from error


def file_name_of(url: str) -> str:
    """Return the name under which a release has the file of a URL; empty if the URL names none."""
    if url.endswith(_DOWNLOAD) and host_of(url) in {"sourceforge.net", "www.sourceforge.net"}:
        url = url.removesuffix(_DOWNLOAD)
    try:
        return asset_name(url)
    except TemplateError:
        return ""


class FolderFetcher:
    """Fetcher over the files of one folder."""

    def __init__(self, folder: Path, names: Collection[str], *, allow_insecure_http: bool = False) -> None:
        """Serve `names`, from `read_folder`; like the real one, refuse plain http unless allowed."""
        self._folder = folder
        self._names = frozenset(names)
        self._allow_insecure_http = allow_insecure_http

    @contextmanager
    def open(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] = NO_HEADERS,
        body: bytes | None = None,
    ) -> Iterator[Response]:
        """Answer from the folder; see `binstall.net.fetcher.Fetcher.open`."""
        del headers, body
        if not url.startswith("https:") and not self._allow_insecure_http:
            raise Unreachable(
                f"{without_secrets(url)} is not an https URL",
                url=url,
                hint="plain http can be read and changed on the way; installers refuse it",
            )
        name = file_name_of(url)
        if name not in self._names:
            yield _Answer(404, url, None, {"content-length": "0"})
            return
        path = self._folder / name
        try:
            size = path.stat().st_size
        except OSError as error:
            raise _unreadable(path, error, url) from error
        whole = method == "GET"
        yield _Answer(200, url, path if whole else None, {"content-length": str(size)})

    def close(self) -> None:
        """Do nothing: a file is read as fast as it is asked for."""


class _Answer:
    """Response with the bytes of one file, or with none."""

    def __init__(self, status: int, url: str, path: Path | None, headers: Mapping[str, str]) -> None:
        self.status = status
        self.url = url
        self.headers = headers
        self._path = path

    def chunks(self) -> Iterator[bytes]:
        """Yield the file; raise `Unreachable` where it cannot be read."""
        if self._path is None:
            return
        try:
            with self._path.open("rb", buffering=0) as file:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
        except OSError as error:
            raise _unreadable(self._path, error, self.url) from error


def _unreadable(path: Path, error: OSError, url: str) -> Unreachable:
    return Unreachable(f"{path} cannot be read: {error.strerror or error}", url=url)
