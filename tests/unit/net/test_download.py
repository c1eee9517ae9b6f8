"""The state machine of one download against a fetcher in memory: nothing here waits or listens."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from binstall.artifact import Download
from binstall.errors import Absent, BinstallError, Refused, RemoteError, TooLarge, Unreachable
from binstall.limits import MAX_TRIES
from binstall.net.download import PrivateFile
from binstall.net.fetcher import NO_HEADERS, Response
from binstall.net.retry import Timing
from binstall.net.transfers import Transfers, wait
from binstall.progress import Silent, Transfer

URL = "https://host.example/package.tgz"
DATA = bytes(range(256)) * 8
NO_WAITING = Timing(lambda: 0.0, lambda *_: None, lambda: 0.5)


@dataclass
class Scripted:
    """One answer: also a Response."""

    status: int = 200
    body: bytes = DATA
    headers: Mapping[str, str] = field(default_factory=dict)
    url: str = URL
    breaks: bool = False
    """The connection drops after `body`."""
    transient: bool = True

    def chunks(self) -> Iterator[bytes]:
        for at in range(0, len(self.body), 100):
            yield self.body[at : at + 100]
        if self.breaks:
            raise Unreachable("dropped", url=URL, transient=self.transient)


class Memory:
    """Fetcher that answers from a list, and keeps what it was asked."""

    def __init__(self, *answers: Scripted | Unreachable) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self.open_now = 0

    @contextmanager
    def open(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] = NO_HEADERS,
        body: bytes | None = None,
    ) -> Iterator[Response]:
        self.asked.append((method, dict(headers)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Unreachable):
            raise answer
        self.open_now += 1
        try:
            yield answer
        finally:
            self.open_now -= 1

    def close(self) -> None:
        pass


class Counter(Silent):
    """Progress that counts what is on the bar."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.shown = 0
        self.warnings: list[str] = []

    def warn(self, words: str) -> None:
        self.warnings.append(words)

    def transfer(self, label: str, size: int | None) -> Transfer:
        self.events.append(f"{label} {size}")
        return self

    def advance(self, size: int) -> None:
        self.shown += size

    def restart(self) -> None:
        self.shown = 0
        self.events.append("restart")

    def done(self) -> None:
        self.events.append("done")


@contextmanager
def downloaded(
    memory: Memory, folder: Path, *, limit: int = 10_000, progress: Counter | None = None
) -> Iterator[Download]:
    with Transfers(memory, progress, timing=NO_WAITING) as transfers:
        future = transfers.download(
            URL, folder, digests=("sha256", "blake2b"), limit=limit, what="the package"
        )
        yield wait(future)
    assert memory.open_now == 0


def check(download: Download, data: bytes = DATA) -> None:
    assert download.size == len(data)
    download.file.seek(0)
    assert download.file.read() == data
    assert download.digests == {
        "sha256": hashlib.sha256(data).digest(),
        "blake2b": hashlib.blake2b(data).digest(),
    }


def failure(memory: Memory, folder: Path, *, limit: int = 10_000) -> BinstallError:
    with pytest.raises(BinstallError) as caught, downloaded(memory, folder, limit=limit):
        pass
    assert list(folder.iterdir()) == []
    return caught.value


def whole(**headers: str) -> dict[str, str]:
    return {"content-length": str(len(DATA)), "etag": '"one"', **headers}


def part(start: int, **headers: str) -> dict[str, str]:
    return {
        "content-range": f"bytes {start}-{len(DATA) - 1}/{len(DATA)}",
        "content-length": str(len(DATA) - start),
        "etag": '"one"',
        **headers,
    }


BROKEN = Scripted(body=DATA[:700], headers=whole(), breaks=True)


def test_a_download_is_the_bytes_and_their_digests(tmp_path: Path) -> None:
    memory, progress = Memory(Scripted(headers=whole())), Counter()
    with downloaded(memory, tmp_path, progress=progress) as download:
        check(download)
        assert download.url == URL
    assert download.file.closed
    assert progress.events == [f"the package {len(DATA)}", "done"]
    assert progress.shown == len(DATA)


def test_only_the_digests_asked_for_are_computed(tmp_path: Path) -> None:
    with Transfers(Memory(Scripted())) as transfers:
        future = transfers.download(URL, tmp_path, digests=("sha256",), limit=10_000, what="x")
        assert set(wait(future).digests) == {"sha256"}


@pytest.mark.skipif("sys.platform == 'win32'", reason="modes and names are of POSIX")
def test_the_file_is_private_and_has_no_name(tmp_path: Path) -> None:
    with downloaded(Memory(Scripted()), tmp_path) as download:
        about = os.fstat(download.file.fileno())
        assert stat.S_IMODE(about.st_mode) == 0o600
        assert about.st_nlink == 0
        assert about.st_dev == tmp_path.stat().st_dev
        assert not os.get_inheritable(download.file.fileno())
        assert list(tmp_path.iterdir()) == []


def test_a_broken_download_goes_on_where_it_stopped(tmp_path: Path) -> None:
    memory, progress = Memory(BROKEN, Scripted(206, DATA[700:], part(700))), Counter()
    with downloaded(memory, tmp_path, progress=progress) as download:
        check(download)
    assert memory.asked[1] == ("GET", {"range": "bytes=700-", "if-range": '"one"'})
    assert progress.shown == len(DATA)
    assert "restart" not in progress.events
    assert len(progress.warnings) == 1


def test_a_resume_may_break_again(tmp_path: Path) -> None:
    again = Scripted(206, DATA[700:900], part(700), breaks=True)
    with downloaded(Memory(BROKEN, again, Scripted(206, DATA[900:], part(900))), tmp_path) as download:
        check(download)


def test_a_resume_through_another_signed_url_of_the_same_place_goes_on(tmp_path: Path) -> None:
    first = Scripted(body=DATA[:700], headers=whole(), breaks=True, url="https://cdn.example/x?sig=1")
    rest = Scripted(206, DATA[700:], part(700), url="https://cdn.example/x?sig=2")
    with downloaded(Memory(first, rest), tmp_path) as download:
        check(download)


def test_the_length_may_come_with_the_resume_only(tmp_path: Path) -> None:
    first = Scripted(body=DATA[:700], headers={"etag": '"one"'}, breaks=True)
    with downloaded(Memory(first, Scripted(206, DATA[700:], part(700))), tmp_path) as download:
        check(download)


OTHER = b"z" * 1500
NEW = Scripted(body=OTHER, headers={"content-length": "1500", "etag": '"two"'})


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(Scripted(206, DATA[700:], part(699)), id="another start"),
        pytest.param(Scripted(206, DATA[700:], part(701)), id="a later start"),
        pytest.param(Scripted(206, DATA[700:], part(700, etag='"two"')), id="another etag"),
        pytest.param(Scripted(206, DATA[700:], part(700, etag='W/"one"')), id="a weak etag"),
        pytest.param(
            Scripted(206, DATA[700:], part(700, **{"content-range": "bytes 700-2047/2049"})),
            id="another total",
        ),
        pytest.param(
            Scripted(206, DATA[700:], part(700, **{"content-range": "bytes 700-1000/2048"})),
            id="an early end",
        ),
        pytest.param(
            Scripted(206, DATA[700:], part(700, **{"content-range": "bytes 700-2047/*"})), id="no total"
        ),
        pytest.param(Scripted(206, DATA[700:], {"etag": '"one"'}), id="no range"),
        pytest.param(
            Scripted(206, DATA[700:], part(700), url="https://other.example/x"), id="another host"
        ),
        pytest.param(Scripted(416, b"", {}), id="416"),
    ],
)
def test_what_does_not_fit_starts_again_with_new_digests(tmp_path: Path, second: Scripted) -> None:
    memory, progress = Memory(BROKEN, second, NEW), Counter()
    with downloaded(memory, tmp_path, progress=progress) as download:
        check(download, OTHER)
    assert [set(headers) for _, headers in memory.asked] == [set(), {"range", "if-range"}, set()]
    assert progress.events[1] == "restart"
    assert progress.shown == len(OTHER)


def test_a_whole_answer_to_a_resume_starts_again_at_once(tmp_path: Path) -> None:
    memory = Memory(BROKEN, NEW)
    with downloaded(memory, tmp_path) as download:
        check(download, OTHER)
    assert len(memory.asked) == 2


@pytest.mark.parametrize("etag", [None, 'W/"one"', "one", '"o\tne"'])
def test_without_a_strong_etag_nothing_is_resumed(tmp_path: Path, etag: str | None) -> None:
    first = Scripted(body=DATA[:700], headers={} if etag is None else {"etag": etag}, breaks=True)
    memory = Memory(first, NEW)
    with downloaded(memory, tmp_path) as download:
        check(download, OTHER)
    assert memory.asked[1] == ("GET", {})


def test_a_short_body_counts_as_dropped(tmp_path: Path) -> None:
    short = Scripted(body=DATA[:700], headers=whole())
    with downloaded(Memory(short, Scripted(206, DATA[700:], part(700))), tmp_path) as download:
        check(download)


def test_a_body_longer_than_its_length_is_never_accepted(tmp_path: Path) -> None:
    error = failure(Memory(Scripted(body=DATA + b"x", headers=whole())), tmp_path)
    assert isinstance(error, Unreachable)
    assert "2049 bytes of 2048" in error.message


def test_tries_are_counted_over_resumes_too(tmp_path: Path) -> None:
    memory = Memory(BROKEN, Scripted(206, b"", part(700), breaks=True))
    assert isinstance(failure(memory, tmp_path), Unreachable)
    assert len(memory.asked) == MAX_TRIES


def test_a_final_failure_is_not_tried_again(tmp_path: Path) -> None:
    memory = Memory(Unreachable("TLS", url=URL))
    assert failure(memory, tmp_path) is memory.answers[0]
    assert len(memory.asked) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_these_statuses_are_tried_again(tmp_path: Path, status: int) -> None:
    with downloaded(Memory(Scripted(status), Scripted(headers=whole())), tmp_path) as download:
        check(download)
    memory = Memory(Scripted(status))
    error = failure(memory, tmp_path)
    assert isinstance(error, Refused)
    assert (error.status, error.url, len(memory.asked)) == (status, URL, MAX_TRIES)


@pytest.mark.parametrize("status", [204, 206, 304, 400, 401, 402, 403, 405, 409, 451, 501, 505, 599])
def test_other_statuses_are_refusals(tmp_path: Path, status: int) -> None:
    memory = Memory(Scripted(status))
    error = failure(memory, tmp_path)
    assert isinstance(error, Refused)
    assert not error.rate_limited
    assert error.message == f"asked for the package at {URL}, and the server answered {status}"
    assert len(memory.asked) == 1


@pytest.mark.parametrize("status", [404, 410])
def test_absent_is_absent(tmp_path: Path, status: int) -> None:
    assert isinstance(failure(Memory(Scripted(status, headers={"retry-after": "1"})), tmp_path), Absent)


@pytest.mark.parametrize(
    ("status", "headers", "rate_limited"),
    [
        (403, {}, False),
        (403, {"retry-after": "30"}, True),
        (403, {"x-ratelimit-remaining": "0"}, True),
        (403, {"x-ratelimit-remaining": "10"}, False),
        (401, {"x-ratelimit-remaining": " 0 "}, True),
        (429, {}, True),
    ],
)
def test_a_rate_limit_is_told_apart(
    tmp_path: Path, status: int, headers: dict[str, str], rate_limited: bool
) -> None:
    error = failure(Memory(Scripted(status, headers=headers)), tmp_path)
    assert isinstance(error, Refused)
    assert error.rate_limited is rate_limited


def test_a_refusal_names_where_redirects_led(tmp_path: Path) -> None:
    error = failure(Memory(Scripted(403, url="https://cdn.example/x?sig=secret")), tmp_path)
    assert error.message.endswith("and https://cdn.example/x?sig=… answered 403")


def test_retry_after_on_success_means_nothing(tmp_path: Path) -> None:
    with downloaded(Memory(Scripted(headers=whole(**{"retry-after": "50"}))), tmp_path) as download:
        check(download)


def test_an_announced_length_over_the_bound_ends_it_before_the_first_byte(tmp_path: Path) -> None:
    error = failure(Memory(Scripted(body=b"", headers={"content-length": "101"})), tmp_path, limit=100)
    assert isinstance(error, TooLarge)


def test_one_byte_over_the_bound_ends_it(tmp_path: Path) -> None:
    memory = Memory(Scripted())
    assert isinstance(failure(memory, tmp_path, limit=len(DATA) - 1), TooLarge)
    assert len(memory.asked) == 1
    with downloaded(Memory(Scripted()), tmp_path, limit=len(DATA)) as download:
        check(download)


def test_a_resume_over_the_bound_ends_it(tmp_path: Path) -> None:
    first = Scripted(body=DATA[:700], headers={"etag": '"one"'}, breaks=True)
    rest = Scripted(206, DATA[700:], part(700, **{"content-range": "bytes 700-99999/100000"}))
    assert isinstance(failure(Memory(first, rest), tmp_path), TooLarge)


def test_a_folder_that_is_not_there_is_a_local_error(tmp_path: Path) -> None:
    with (
        pytest.raises(BinstallError, match="No such file") as caught,
        downloaded(Memory(Scripted()), tmp_path / "absent"),
    ):
        pass
    assert caught.value.exit_code == 74


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_a_local_error(tmp_path: Path) -> None:
    file = PrivateFile(tmp_path, ("sha256",))
    with open("/dev/full", "wb", buffering=0) as full:
        os.dup2(full.fileno(), file._file.fileno(), inheritable=False)
    with pytest.raises(BinstallError, match="No space left") as caught:
        file.write(b"x")
    assert caught.value.exit_code == 74
    file.close()
    assert sys.platform != "win32"


def test_a_small_body_is_fetched_into_memory() -> None:
    with Transfers(Memory(Scripted(503), Scripted(headers=whole())), timing=NO_WAITING) as transfers:
        assert wait(transfers.fetch(URL, limit=len(DATA), what="the signature")) == DATA
        with pytest.raises(TooLarge, match="the signature at"):
            wait(transfers.fetch(URL, limit=len(DATA) - 1, what="the signature"))


def test_a_short_small_body_is_tried_again() -> None:
    memory = Memory(Scripted(body=b"", headers=whole()), Scripted(headers=whole()))
    with Transfers(memory, timing=NO_WAITING) as transfers:
        assert wait(transfers.fetch(URL, limit=10_000, what="the signature")) == DATA


@pytest.mark.parametrize(
    ("answers", "methods", "error"),
    [
        pytest.param([200], "HEAD", None, id="there"),
        pytest.param([404], "HEAD", Absent, id="not there"),
        pytest.param([410], "HEAD", Absent, id="gone"),
        pytest.param([405, 200], "HEAD GET", None, id="HEAD not allowed"),
        pytest.param([403, 200], "HEAD GET", None, id="HEAD forbidden"),
        pytest.param([403, 403], "HEAD GET", Refused, id="forbidden"),
        pytest.param([501, 404], "HEAD GET", Absent, id="HEAD not implemented, not there"),
        pytest.param([503, 503, 200], "HEAD GET HEAD", None, id="in trouble"),
    ],
)
def test_existence_is_asked_by_head_and_then_by_get(
    answers: list[int], methods: str, error: type[RemoteError] | None
) -> None:
    memory = Memory(*(Scripted(status) for status in answers))
    with Transfers(memory, timing=NO_WAITING) as transfers:
        if error is None:
            wait(transfers.exists(URL))
        else:
            with pytest.raises(error):
                wait(transfers.exists(URL))
    assert [method for method, _ in memory.asked] == methods.split()


ANSWERS = st.builds(
    Scripted,
    st.sampled_from([200, 200, 206, 206, 206, 503, 416, 404]),
    st.integers(0, len(DATA)).map(lambda at: DATA[at:])
    | st.integers(0, len(DATA)).map(lambda at: DATA[:at]),
    st.fixed_dictionaries(
        {},
        optional={
            "etag": st.sampled_from(['"one"', '"two"', 'W/"one"', "x\n"]),
            "content-length": st.sampled_from(["0", "2048", "700", "-1", "x"]) | st.text(max_size=5),
            "content-range": st.integers(0, len(DATA)).map(lambda at: f"bytes {at}-2047/2048")
            | st.text(max_size=9),
            "retry-after": st.text(max_size=5),
        },
    ),
    st.sampled_from([URL, URL + "?x", "https://other.example/"]),
    st.booleans(),
)


@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answers=st.lists(ANSWERS, min_size=1, max_size=6))
def test_whatever_a_server_does_digests_are_of_the_bytes_in_the_file(
    tmp_path: Path, answers: list[Scripted]
) -> None:
    try:
        with downloaded(Memory(*answers), tmp_path) as download:
            download.file.seek(0)
            check(download, download.file.read())
    except RemoteError as error:
        assert error.url == URL
    assert list(tmp_path.iterdir()) == []
