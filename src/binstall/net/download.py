"""One file from the network into one private file, hashed on the way.

The file has no name that another process could open: an unnamed file (`O_TMPFILE`) or one that is
unlinked at once, 0600, in the folder that the caller made (0700); on Windows one that goes when closed.

A broken transfer goes on where it stopped only if the server says that the file is still the same one:
`Range` with `If-Range` on the strong ETag of the first answer, then a 206 from the same place with the
same ETag whose `Content-Range` begins at our last byte and ends at the known length. The digests then go
on too, so that they always cover byte 0 onwards. In every other case the file is emptied, the digests
are begun anew, and byte 0 is asked for.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO, cast

from binstall.artifact import NEW_HASH, DigestName, Download, Hash
from binstall.errors import Cancelled, LocalIOError, TooLarge, Unreachable
from binstall.net.answers import COMPLETE, content_length, content_range, is_same_place, strong_etag
from binstall.net.fetcher import Fetcher, Response
from binstall.net.retry import Patience, TryAgain, expect
from binstall.progress import Progress, Transfer
from binstall.text import without_secrets


class PrivateFile:
    """The open file of one download, with the digests of all that was written to it.

    `close` may be called from another thread: it waits for a write under way, which would otherwise go
    to whatever file the system numbers next.
    """

    def __init__(self, folder: Path, digests: Iterable[DigestName]) -> None:
        """Create it in `folder`. Raises LocalIOError."""
        import tempfile

        self._folder = folder
        self._lock = threading.Lock()
        self._names = tuple(digests)
        try:
            # Unbuffered, so that a full disk is seen by the write that meets it.
            self._file = tempfile.TemporaryFile(buffering=0, dir=folder)
        except OSError as error:
            raise self._error(error) from error
        self.size = 0
        """Bytes so far."""
        self._hashes = self._new_hashes()

    def write(self, data: bytes) -> None:
        """Append `data`. Raises LocalIOError."""
        try:
            with self._lock:
                self._check_open()
                rest = memoryview(data)
                while rest:
                    rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise self._error(error) from error
        for state in self._hashes.values():
            state.update(data)
        self.size += len(data)

    def restart(self) -> None:
        """Throw away what is there, digests included. Raises LocalIOError."""
        try:
            with self._lock:
                self._check_open()
                self._file.seek(0)
                self._file.truncate()
        except OSError as error:
            raise self._error(error) from error
        self._hashes = self._new_hashes()
        self.size = 0

    def finish(self, url: str) -> Download:
        """Hand the file over; it is closed by whoever closes the Download's."""
        digests = {name: state.digest() for name, state in self._hashes.items()}
        with self._lock:
            self._check_open()
            file = cast(BinaryIO, io.BufferedRandom(self._file))
            file.seek(0)
        return Download(url, file, self.size, digests)

    def close(self) -> None:
        """Free the file and its space; everything later raises Cancelled."""
        with self._lock:
            self._file.close()

    def _check_open(self) -> None:
        if self._file.closed:
            raise Cancelled("the download was stopped")

    def _new_hashes(self) -> dict[DigestName, Hash]:
        return {name: NEW_HASH[name]() for name in self._names}

    def _error(self, error: OSError) -> LocalIOError:
        return LocalIOError(f"cannot write a download to {self._folder}: {error.strerror or error}")


class DownloadRun:
    """One download, over as many tries as it takes."""

    def __init__(
        self,
        fetcher: Fetcher,
        url: str,
        file: PrivateFile,
        *,
        limit: int,
        what: str,
        headers: Mapping[str, str],
        progress: Progress,
        stopping: threading.Event,
    ) -> None:
        self._fetcher = fetcher
        self._url = url
        self._file = file
        self._limit = limit
        self._what = what
        self._headers = headers
        self._progress = progress
        self._stopping = stopping
        self._transfer: Transfer | None = None
        self._place = ""
        """Where the first bytes came from, after redirects."""
        self._etag: str | None = None
        """Strong ETag of the first bytes; None: they cannot be gone on with."""
        self._total: int | None = None
        """Length of the whole file in bytes, where the server told it."""

    def run(self, patience: Patience) -> Download:
        """Return the whole file.

        Raises:
            Absent, Refused, Unreachable, TooLarge: what the server did, after the retries.
            LocalIOError: the file cannot be written.
            Cancelled: `stopping` was set, or the file was closed.
        """
        try:
            patience.until_settled(self._attempt)
        finally:
            if self._transfer is not None:
                self._transfer.done()
        return self._file.finish(self._url)

    def _attempt(self) -> None:
        resumes = self._file.size > 0 and self._etag is not None
        headers = dict(self._headers)
        if resumes:
            headers["range"] = f"bytes={self._file.size}-"
            headers["if-range"] = self._etag or ""
        with self._fetcher.open(self._url, headers=headers) as response:
            if not (resumes and response.status in (206, 416)):
                expect(response, COMPLETE, self._url, self._what)
                self._begin(response)
            elif not self._continues(response):
                self._etag = None
                raise TryAgain(
                    Unreachable(f"{self._shown} does not go on where it stopped", url=self._url),
                    "the rest of the file does not fit what came before",
                )
            self._read(response)

    def _begin(self, response: Response) -> None:
        self._place = response.url
        self._etag = strong_etag(response.headers)
        self._total = content_length(response.headers)
        self._check_limit(self._total or 0)
        if self._transfer is None:
            self._transfer = self._progress.transfer(self._what, self._total)
        if self._file.size:
            self._file.restart()
            self._transfer.restart()

    def _continues(self, response: Response) -> bool:
        part = content_range(response.headers)
        if response.status != 206 or part is None or not is_same_place(response.url, self._place):
            return False
        if response.headers.get("etag", self._etag) != self._etag:
            return False
        if part.start != self._file.size or part.end != part.total - 1:
            return False
        if self._total is None:
            self._total = part.total
            self._check_limit(part.total)
        return part.total == self._total

    def _read(self, response: Response) -> None:
        for chunk in response.chunks():
            if self._stopping.is_set():
                raise Cancelled(f"the download of {self._what} was stopped")
            self._check_limit(self._file.size + len(chunk))
            self._file.write(chunk)
            if self._transfer is not None:
                self._transfer.advance(len(chunk))
        if self._total is not None and self._file.size != self._total:
            if self._file.size > self._total:
                self._etag = None
            raise Unreachable(
                f"{self._shown} sent {self._file.size} bytes of {self._total}",
                url=self._url,
                transient=True,
            )

    def _check_limit(self, size: int) -> None:
        if size > self._limit:
            raise TooLarge(
                f"{self._what} at {self._shown} is longer than its bound of {self._limit} bytes",
                url=self._url,
            )

    @property
    def _shown(self) -> str:
        return without_secrets(self._url)
