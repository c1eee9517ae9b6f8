"""Transfers over real TLS on loopback, with the real threads and clocks."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from binstall.errors import Cancelled, Unreachable
from binstall.limits import MIB
from binstall.net.http import HttpFetcher
from binstall.net.retry import Timing
from binstall.net.transfers import Transfers, wait
from binstall.progress import Silent
from support_net import Answer, Authority, Server

NewFetcher = Callable[..., HttpFetcher]
DATA = os.urandom(300_000)


def _soon(stopping: threading.Event, seconds: float) -> None:
    stopping.wait(min(seconds, 0.01))


SOON = Timing(pause=_soon)


@pytest.fixture
def transfers(new_fetcher: NewFetcher) -> Iterator[Transfers]:
    with Transfers(new_fetcher(idle_timeout=20.0), timing=SOON) as made:
        yield made


def get(transfers: Transfers, url: str, folder: Path) -> bytes:
    download = wait(
        transfers.download(url, folder, digests=("sha256", "blake2b"), limit=10 * MIB, what="the package")
    )
    download.file.seek(0)
    data = download.file.read()
    assert download.digests == {
        "sha256": hashlib.sha256(data).digest(),
        "blake2b": hashlib.blake2b(data).digest(),
    }
    return data


def test_a_dropped_download_is_resumed_over_tls(
    transfers: Transfers, server: Server, tmp_path: Path
) -> None:
    fine = Answer(body=DATA, etag='"e"', ranges=True)
    dropping = Answer(body=DATA, etag='"e"', ranges=True, drop_after=100_000)
    url = server.on("/a", dropping, dropping, fine)
    assert get(transfers, url, tmp_path) == DATA
    ranges = [asked.headers.get("range") for asked in server.asked("/a")]
    assert ranges == [None, "bytes=100000-", "bytes=200000-"]


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(Answer(body=b"x" * 500_000, drop_after=100_000), id="no etag"),
        pytest.param(Answer(body=b"x" * 500_000, etag='"other"', drop_after=100_000), id="another file"),
        pytest.param(Answer(body=b"x" * 500_000, etag='W/"e"', drop_after=100_000), id="weak etag"),
        pytest.param(Answer(body=b"x" * 500, chunked=True, drop_after=100), id="chunked"),
        pytest.param(Answer(body=b"x" * 500, length=900, drop_after=500), id="short"),
    ],
)
def test_a_download_that_cannot_be_resumed_starts_again(
    transfers: Transfers, server: Server, tmp_path: Path, first: Answer
) -> None:
    url = server.on("/a", first, Answer(body=DATA, etag='"e"', ranges=True))
    assert get(transfers, url, tmp_path) == DATA
    assert len(server.asked("/a")) == 2


def test_a_resume_goes_through_the_redirect_again(
    transfers: Transfers, server: Server, tmp_path: Path
) -> None:
    server.on(
        "/cdn",
        Answer(body=DATA, etag='"e"', ranges=True, drop_after=1000),
        Answer(body=DATA, etag='"e"', ranges=True),
    )
    url = server.on(
        "/a",
        Answer(302, headers={"Location": "/cdn?signature=1"}),
        Answer(302, headers={"Location": "/cdn?signature=2"}),
    )
    assert get(transfers, url, tmp_path) == DATA
    assert [asked.path for asked in server.asked("/cdn")] == ["/cdn?signature=1", "/cdn?signature=2"]
    assert server.asked("/cdn")[1].headers["if-range"] == '"e"'


def test_package_and_signature_are_under_way_together(
    transfers: Transfers, server: Server, tmp_path: Path
) -> None:
    both = threading.Barrier(2, timeout=5)

    def body() -> Iterator[bytes]:
        both.wait()
        yield b"x"

    package = transfers.download(
        server.on("/p", Answer(body=body, chunked=True)), tmp_path, digests=(), limit=9, what="the package"
    )
    signature = transfers.fetch(
        server.on("/s", Answer(body=body, chunked=True)), limit=9, what="the signature"
    )
    assert wait(signature) == b"x"
    assert wait(package).size == 1


def test_a_retry_after_is_waited_for_and_told(new_fetcher: NewFetcher, server: Server) -> None:
    told: list[str] = []

    class Told(Silent):
        def warn(self, words: str) -> None:
            told.append(words)

    url = server.on("/a", Answer(429, headers={"Retry-After": "1"}), Answer(body=b"x"))
    begin = time.monotonic()
    with Transfers(new_fetcher(), Told(), timing=Timing(jitter=lambda: 0.0)) as transfers:
        assert wait(transfers.fetch(url, limit=9, what="x")) == b"x"
    assert 1 <= time.monotonic() - begin < 3
    assert told == [f"{url}: 429, trying again in 1.0 s"]


STALLS = [
    pytest.param(Answer(body=b"x" * 100, stall_after=-1), id="before the headers"),
    pytest.param(Answer(body=b"x" * 100, stall_after=10), id="in the body"),
    pytest.param(Answer(503, headers={"Retry-After": "30"}), id="while waiting"),
]


@pytest.mark.parametrize("answer", STALLS)
def test_stop_ends_what_runs_and_what_is_queued(
    new_fetcher: NewFetcher, server: Server, tmp_path: Path, answer: Answer
) -> None:
    url = server.on("/a", answer)
    others = set(threading.enumerate())
    transfers = Transfers(new_fetcher(idle_timeout=20.0), workers=2)
    futures: list[Future[object]] = [
        transfers.download(url, tmp_path, digests=("sha256",), limit=999, what="x"),  # type: ignore[list-item]
        transfers.fetch(url, limit=999, what="x"),  # type: ignore[list-item]
        transfers.exists(url),  # type: ignore[list-item]
        transfers.fetch(url, limit=999, what="x"),  # type: ignore[list-item]
    ]
    while len(server.requests) < 2:
        time.sleep(0.01)
    time.sleep(0.1)
    begin = time.monotonic()
    transfers.stop()
    for future in futures:
        with pytest.raises(Cancelled):
            wait(future)
    with pytest.raises(Cancelled):
        wait(transfers.fetch(url, limit=9, what="later"))
    transfers.close()
    assert time.monotonic() - begin < 2
    if answer.stall_after != 10:  # in the middle of a body the library cannot be woken
        threads = set(threading.enumerate()) - others
        assert not any(thread.name == "transfer" for thread in threads)
    assert list(tmp_path.iterdir()) == []


def test_cancel_ends_one_transfer_and_no_other(
    transfers: Transfers, server: Server, tmp_path: Path
) -> None:
    def endless() -> Iterator[bytes]:
        while not server.closing.wait(0.01):
            yield b"x" * 100

    url = server.on("/endless", Answer(body=endless, chunked=True))
    endless_one = transfers.download(url, tmp_path, digests=(), limit=MIB, what="x")
    while not server.requests:
        time.sleep(0.01)
    assert not endless_one.cancel()
    with pytest.raises(Cancelled):
        wait(endless_one)
    assert wait(transfers.fetch(server.on("/a", Answer(body=b"x")), limit=9, what="x")) == b"x"


def test_cancel_before_the_beginning_asks_nobody(new_fetcher: NewFetcher, server: Server) -> None:
    server.on("/stall", Answer(stall_after=-1))
    with Transfers(new_fetcher(idle_timeout=20.0), workers=1) as transfers:
        first = transfers.fetch(server.url("/stall"), limit=9, what="x")
        queued = transfers.fetch(server.url("/never"), limit=9, what="x")
        assert queued.cancel()
        with pytest.raises(Cancelled):
            wait(queued)
    with pytest.raises(Cancelled):
        wait(first)
    assert server.asked("/never") == []


def test_many_transfers_share_few_threads(transfers: Transfers, server: Server) -> None:
    url = server.on("/a", Answer(body=b"x"))
    futures = [transfers.fetch(url, limit=9, what="x") for _ in range(100)]
    assert {wait(future) for future in futures} == {b"x"}
    assert sum(thread.name == "transfer" for thread in threading.enumerate()) <= 6


def test_an_error_of_our_own_reaches_whoever_waits(new_fetcher: NewFetcher, server: Server) -> None:
    class Broken(Silent):
        def warn(self, words: str) -> None:
            raise KeyError(words)

    url = server.on("/a", Answer(503))
    with Transfers(new_fetcher(), Broken()) as transfers, pytest.raises(KeyError):
        wait(transfers.fetch(url, limit=9, what="x"))


def test_silence_is_tried_again(new_fetcher: NewFetcher, server: Server) -> None:
    url = server.on("/a", Answer(stall_after=-1), Answer(body=b"x"))
    with Transfers(new_fetcher(idle_timeout=0.2), timing=SOON) as transfers:
        assert wait(transfers.fetch(url, limit=9, what="x")) == b"x"


def test_a_file_url_is_not_fetched(transfers: Transfers, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    with pytest.raises(Unreachable, match="not an absolute https URL"):
        wait(transfers.fetch((tmp_path / "x").as_uri(), limit=9, what="x"))


PROGRAM = """
import sys
from pathlib import Path
from binstall.errors import Cancelled
from binstall.net.http import HttpFetcher
from binstall.net.tls import find_trusted_roots
from binstall.net.transfers import Transfers, wait

what, url, roots, folder = sys.argv[1:]
fetcher = HttpFetcher(roots=find_trusted_roots([Path(roots)], {}))
try:
    with Transfers(fetcher) as transfers:
        future = transfers.download(
            url, Path(folder), digests=("sha256", "blake2b"), limit=2 << 30, what="the package"
        )
        print("started", flush=True)
        size = wait(future).size
        if what == "large":
            # ru_maxrss would count what this process was before exec: the whole test run.
            status = Path("/proc/self/status").read_text()
            print(size, int(status.partition("VmHWM:")[2].split()[0]) * 1024, flush=True)
except KeyboardInterrupt:
    try:
        wait(future)
    except Cancelled:
        print("cancelled", flush=True)
"""


def run(what: str, url: str, authority: Authority, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-c", PROGRAM, what, url, str(authority.pem_path), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def drips(server: Server) -> Callable[[], Iterator[bytes]]:
    def body() -> Iterator[bytes]:
        while not server.closing.wait(0.001):
            yield b"x" * 10

    return body


@pytest.mark.skipif("sys.platform == 'win32'", reason="needs POSIX signals")
@pytest.mark.parametrize("kind", ["before the headers", "in the body", "while waiting", "arriving"])
def test_ctrl_c_ends_the_process_within_two_seconds(
    authority: Authority, server: Server, tmp_path: Path, kind: str
) -> None:
    answers = {
        "before the headers": Answer(stall_after=-1),
        "in the body": Answer(body=b"x" * 100, stall_after=10),
        "while waiting": Answer(503, headers={"Retry-After": "30"}),
        "arriving": Answer(body=drips(server), chunked=True),
    }
    with run("stall", server.on("/a", answers[kind]), authority, tmp_path) as process:
        while not server.requests:
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(0.2)
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert time.monotonic() - begin < 2
    assert (out, err, process.returncode) == ("started\ncancelled\n", "", 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif("sys.platform != 'linux'", reason="reads /proc/self/status")
def test_a_gibibyte_is_never_held_in_memory(authority: Authority, server: Server, tmp_path: Path) -> None:
    block = os.urandom(MIB)
    url = server.on("/a", Answer(body=lambda: (block for _ in range(1024)), length=1024 * MIB))
    with run("large", url, authority, tmp_path) as process:
        out, err = process.communicate(timeout=120)
    assert err == ""
    size, peak = map(int, out.split()[1:])
    assert size == 1024 * MIB
    assert peak < 80 * MIB, peak
