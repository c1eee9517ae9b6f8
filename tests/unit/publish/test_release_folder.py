"""A folder of release files that answers as a release host."""

from __future__ import annotations

from pathlib import Path

import pytest

from binstall.errors import Absent, LocalIOError, Unreachable
from binstall.net.transfers import Transfers, wait
from binstall.publish.release_folder import FolderFetcher, file_name_of, read_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a b.tgz").write_bytes(b"content")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "deep.tgz").write_bytes(b"x")
    (tmp_path.parent / "outside.tgz").write_bytes(b"secret")
    return tmp_path


def test_files_alone_are_of_the_release(folder: Path) -> None:
    assert read_folder(folder) == {"a b.tgz"}
    with pytest.raises(LocalIOError, match="nowhere"):
        read_folder(folder / "nowhere")


def test_a_url_leads_to_the_file_of_its_name(folder: Path) -> None:
    with Transfers(FolderFetcher(folder, read_folder(folder))) as transfers:
        url = "https://example.com/releases/1/a%20b.tgz?x=1"
        assert wait(transfers.fetch(url, limit=100, what="it")) == b"content"
        wait(transfers.exists(url))
        download = wait(transfers.download(url, folder, digests=("sha256",), limit=100, what="it"))
        assert download.size == 7


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/other.tgz",
        "https://example.com/deep.tgz",
        "https://example.com/sub%2Fdeep.tgz",
        "https://example.com/..%2Foutside.tgz",
        "https://example.com/sub",
        "https://example.com/",
        "https://example.com",
    ],
)
def test_nothing_else_is_there(folder: Path, url: str) -> None:
    with Transfers(FolderFetcher(folder, read_folder(folder))) as transfers:
        with pytest.raises(Absent):
            wait(transfers.exists(url))
        with pytest.raises(Absent):
            wait(transfers.fetch(url, limit=100, what="it"))


def test_plain_http_is_refused_as_by_an_installer(folder: Path) -> None:
    url = "http://example.com/a%20b.tgz"
    with (
        Transfers(FolderFetcher(folder, read_folder(folder))) as transfers,
        pytest.raises(Unreachable, match="not an https URL"),
    ):
        wait(transfers.exists(url))
    with Transfers(FolderFetcher(folder, read_folder(folder), allow_insecure_http=True)) as transfers:
        wait(transfers.exists(url))


def test_a_file_that_goes_away_is_unreachable(folder: Path) -> None:
    fetcher = FolderFetcher(folder, read_folder(folder))
    (folder / "a b.tgz").unlink()
    with (
        Transfers(fetcher) as transfers,
        pytest.raises(Unreachable, match="cannot be read"),
    ):
        wait(transfers.fetch("https://example.com/a%20b.tgz", limit=100, what="it"))


def test_a_file_that_may_not_be_read_is_unreachable(plain_user_folder: Path) -> None:
    folder = plain_user_folder
    (folder / "a b.tgz").write_bytes(b"")
    (folder / "a b.tgz").chmod(0)
    with (
        Transfers(FolderFetcher(folder, read_folder(folder))) as transfers,
        pytest.raises(Unreachable, match="cannot be read"),
    ):
        wait(transfers.fetch("https://example.com/a%20b.tgz", limit=100, what="it"))


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.com/r/x.tgz", "x.tgz"),
        ("https://sourceforge.net/projects/x/files/binaries/1/x.tgz/download", "x.tgz"),
        ("https://example.com/x.tgz/download", "download"),
        ("https://example.com/", ""),
    ],
)
def test_the_file_name_of_a_url(url: str, name: str) -> None:
    assert file_name_of(url) == name
