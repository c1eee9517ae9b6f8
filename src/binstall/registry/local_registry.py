"""A `local-registry` source: an index and `.crate` files in one folder of this machine.

    ROOT/index/ca/rg/cargo-watch       as in any index; there is no config.json
    ROOT/cargo-watch-8.4.0.crate

The layout is that of cargo and `cargo local-registry`. A `.crate` is opened only if it has the SHA-256 that
the index names, as from any other registry.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from binstall.artifact import DigestName, Download
from binstall.errors import Absent, TooLarge, Unreachable
from binstall.formats.index import IndexConfig, IndexEntry
from binstall.formats.template import parse_template
from binstall.limits import CHUNK_BYTES, MAX_CRATE_BYTES, MAX_INDEX_BYTES
from binstall.net.download import PrivateFile
from binstall.registry.sparse import SparseRegistry

T = TypeVar("T")


class LocalRegistry(SparseRegistry):
    """The registry in one folder; nothing of it comes over a network."""

    def _fetch_config(self) -> IndexConfig:
        return IndexConfig(dl="", template=parse_template(""), api=None, auth_required=False)

    def _fetch_index(self, path: str, name: str) -> Future[bytes]:
        index = self._root / "index"
        return _done(lambda: self._index_file(index, index / unquote(path), name))

    def _index_file(self, index: Path, file: Path, name: str) -> bytes:
        try:
            if not index.is_dir():
                raise Unreachable(f"{index} is no folder, and a local registry has one of that name")
            with file.open("rb") as opened:
                data = opened.read(MAX_INDEX_BYTES + 1)
        except FileNotFoundError as error:
            raise Absent(f"asked for the index of {name}, and there is no {file}") from error
        except OSError as error:
            raise Unreachable(f"{file} cannot be read: {error.strerror}") from error
        return _bounded(data, MAX_INDEX_BYTES, str(file))

    def _fetch_crate(
        self,
        config: IndexConfig,
        entry: IndexEntry,
        staging: Path,
        digests: tuple[DigestName, ...],
        what: str,
    ) -> Future[Download]:
        del config
        return _done(lambda: _copy(self._root / what, staging, digests))

    @property
    def _root(self) -> Path:
        return Path(self._choice.place.url)


def _copy(path: Path, staging: Path, digests: tuple[DigestName, ...]) -> Download:
    copy = PrivateFile(staging, digests)
    try:
        with path.open("rb") as file:
            while piece := file.read(CHUNK_BYTES):
                if copy.size + len(piece) > MAX_CRATE_BYTES:
                    raise TooLarge(
                        f"{path} is longer than its bound of {MAX_CRATE_BYTES} bytes (MAX_CRATE_BYTES)"
                    )
                copy.write(piece)
        return copy.finish(path.as_uri())
    except FileNotFoundError as error:
        copy.close()
        raise Absent(f"the index names {path.name}, and there is no {path}") from error
    except OSError as error:
        copy.close()
        raise Unreachable(f"{path} cannot be read: {error.strerror}") from error
    except BaseException:
        copy.close()
        raise


def _bounded(data: bytes, limit: int, what: str) -> bytes:
    if len(data) > limit:
        raise TooLarge(f"{what} is longer than its bound of {limit} bytes")
    return data


def _done(work: Callable[[], T]) -> Future[T]:
    """Do `work` now, and return its result or error in the form that a transfer has."""
    future: Future[T] = Future()
    try:
        future.set_result(work())
    except Exception as error:
        future.set_exception(error)
    return future
