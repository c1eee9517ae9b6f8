"""The prober's books: what is asked once, what a token changes, how long is waited, what cancelling ends."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from binstall.errors import Absent, Cancelled, Unreachable
from binstall.limits import MAX_RATE_LIMIT_WAIT_SECONDS
from binstall.net.fetcher import NO_HEADERS, Response
from binstall.net.github_tokens import TokenPlaces
from binstall.net.retry import Timing
from binstall.net.transfers import Transfers, wait
from binstall.progress import Silent
from binstall.resolve.github_prober import GitHubProber
from binstall.resolve.resolver import Bound

TOKEN, OTHER = "ghp_0123456789abcdef", "ghp_fedcba9876543210"
ROOT = "https://github.com/o/r/releases/download/v1"
LIST = "https://api.github.com/repos/o/r/releases/tags/v1"


@dataclass
class Answer:
    """Also a Response."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    url: str = ""

    def chunks(self) -> Iterator[bytes]:
        if self.body:
            yield self.body


@dataclass
class Net:
    """Fetcher that answers by a function, and keeps what it was asked: method, URL, token."""

    answer: Callable[[str, str, str | None], Answer]
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    gate: threading.Event = field(default_factory=threading.Event)
    """Nobody is answered before it is set."""

    def __post_init__(self) -> None:
        self.gate.set()

    @contextmanager
    def open(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] = NO_HEADERS,
        body: bytes | None = None,
    ) -> Iterator[Response]:
        del body
        token = headers.get("authorization", "").removeprefix("Bearer ") or None
        with self.lock:
            self.asked.append((method, url, token))
        if not self.gate.wait(10):
            raise Unreachable("nobody opened the gate", url=url)
        found = self.answer(method, url, token)
        found.url = found.url or url
        yield found

    def close(self) -> None:
        self.gate.set()

    def count(self, url: str) -> int:
        with self.lock:
            return sum(asked == url for _, asked, _ in self.asked)


@dataclass
class Clock:
    """A clock that only waiting moves."""

    now: float = 1_000_000_000.0
    waits: list[float] = field(default_factory=list)

    def pause(self, _: threading.Event, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    @property
    def timing(self) -> Timing:
        return Timing(lambda: self.now, self.pause, lambda: 0.5)


class Heard(Silent):
    """Keeps the warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, words: str) -> None:
        self.warnings.append(words)


def assets(*names: str) -> Answer:
    root = "https://api.github.com/repos/o/r/releases/assets"
    listed = [{"name": name, "url": f"{root}/{number}"} for number, name in enumerate(names)]
    return Answer(200, json.dumps({"assets": listed}).encode())


def new_prober(
    transfers: Transfers,
    *,
    environment: Mapping[str, str] | None = None,
    home: Path | None = None,
    heard: Heard | None = None,
) -> GitHubProber:
    return GitHubProber(transfers, heard or Heard(), TokenPlaces(environment or {"PATH": ""}, home))


def test_a_list_answers_for_every_file_of_its_release_and_is_asked_for_once() -> None:
    net = Net(lambda _, url, __: assets("a", "b") if url == LIST else Answer(404))
    net.gate.clear()
    with Transfers(net) as transfers:
        prober = new_prober(transfers)
        there = [prober.exists(f"{ROOT}/{name}", guessed=True) for name in ("a", "b") * 50]
        missing = [prober.exists(f"{ROOT}/{number}", guessed=True) for number in range(50)]
        net.gate.set()
        for answer in there:
            wait(answer)
        for answer in missing:
            with pytest.raises(Absent, match="has no file"):
                wait(answer)
    assert net.asked == [("GET", LIST, None)]


def test_who_gives_a_question_up_takes_the_list_from_nobody_else() -> None:
    net = Net(lambda *_: assets("a"))
    net.gate.clear()
    with Transfers(net) as transfers:
        prober = new_prober(transfers)
        first, second = (prober.exists(f"{ROOT}/a", guessed=True) for _ in range(2))
        first.cancel()
        with pytest.raises(Cancelled):
            wait(first)
        net.gate.set()
        wait(second)


def test_every_question_ends_when_the_transfers_are_closed() -> None:
    net = Net(lambda *_: assets("a"))
    net.gate.clear()
    transfers = Transfers(net)
    prober = new_prober(transfers)
    asked = [prober.exists(f"{ROOT}/{name}", guessed=True) for name in "abc"]
    asked.append(prober.exists(f"{ROOT}/x"))
    transfers.close()
    for answer in asked:
        with suppress(Cancelled, Absent):
            wait(answer, until=time.monotonic() + 5)


def test_a_token_that_turned_up_for_one_crate_lets_all_others_look_again(tmp_path: Path) -> None:
    (tmp_path / ".git-credentials").write_text(
        f"https://me:{TOKEN}@github.com\nhttps://me:{OTHER}@github.com\n"
    )
    answers = {TOKEN: assets("a")}
    net = Net(
        lambda _, url, token: answers.get(token or "", Answer(404)) if "/tags/" in url else Answer(404)
    )
    with Transfers(net) as transfers:
        prober = new_prober(transfers, home=tmp_path)
        urls = [f"{ROOT}/a", f"{ROOT.replace('v1', 'v2')}/a"]
        for url in urls:
            with pytest.raises(Absent):
                wait(prober.exists(url, guessed=True))
        assert prober.look_again({urls[0]})
        wait(prober.exists(urls[0], guessed=True))
        assert prober.look_again({urls[1]}), "its answer came without the token"
        assert {token for _, _, token in net.asked} == {None, TOKEN}, "and no second token was looked for"
        assert not prober.look_again({urls[0]}), "that one was found"


def test_a_public_repository_is_no_reason_to_look_for_a_token(tmp_path: Path) -> None:
    (tmp_path / ".git-credentials").write_text(f"https://me:{TOKEN}@github.com\n")
    net = Net(lambda _, url, __: Answer(200) if url == "https://github.com/o/r" else Answer(404))
    with Transfers(net) as transfers:
        prober = new_prober(transfers, home=tmp_path)
        with pytest.raises(Absent):
            wait(prober.exists(f"{ROOT}/a", guessed=True))
        assert not prober.look_again({f"{ROOT}/a"})
        assert not prober.look_again({f"{ROOT}/a"})
    assert {token for _, _, token in net.asked} == {None}
    assert net.count("https://github.com/o/r") == 1


def test_what_is_mirrored_is_asked_for_plainly() -> None:
    net = Net(lambda _, url, __: Answer(200) if url == f"{ROOT}/a" else Answer(404))
    with Transfers(net) as transfers:
        places = TokenPlaces({"PATH": "", "GITHUB_TOKEN": TOKEN}, None)
        prober = GitHubProber(
            transfers, Heard(), places, is_mirrored=lambda url: url.startswith("https://github.com/")
        )
        wait(prober.exists(f"{ROOT}/a", guessed=True))
        assert prober.another_way(f"{ROOT}/b") is None
    assert net.asked == [("HEAD", f"{ROOT}/a", None)]


def test_an_api_that_does_not_answer_a_stranger_is_not_asked_twice() -> None:
    def answer(_: str, url: str, __: str | None) -> Answer:
        if "api." in url:
            raise Unreachable("no answer", url=url, transient=True)
        return Answer(200)

    net, clock = Net(answer), Clock()
    with Transfers(net, timing=clock.timing) as transfers:
        prober = new_prober(transfers)
        wait(prober.exists(f"{ROOT}/a", guessed=True))
    assert net.count(LIST) == 1
    assert clock.waits == []


def limited(clock: Clock, until: float) -> Answer:
    return Answer(403, b"", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(until))})


def test_two_lists_that_meet_one_limit_wait_for_it_once() -> None:
    clock = Clock()
    until = clock.now + 40
    net = Net(lambda *_: assets("a") if clock.now >= until else limited(clock, until))
    heard = Heard()
    with Transfers(net, timing=clock.timing, workers=1) as transfers:
        prober = new_prober(transfers, heard=heard)
        questions = [prober.exists(f"{ROOT}{tag}/a", guessed=True) for tag in ("", "0", "1")]
        for question in questions:
            wait(question)
        assert prober.announced_seconds == 40
    assert clock.waits == [40.0]
    assert len(heard.warnings) == 1


def test_all_waits_of_a_run_together_have_a_bound() -> None:
    clock = Clock()
    net = Net(lambda _, url, __: limited(clock, clock.now + 25) if "api." in url else Answer(200))
    heard = Heard()
    with Transfers(net, timing=clock.timing) as transfers:
        prober = new_prober(transfers, heard=heard)
        wait(prober.exists(f"{ROOT}/a", guessed=True))
        assert prober.announced_seconds == sum(clock.waits) == 50 <= MAX_RATE_LIMIT_WAIT_SECONDS
        wait(prober.exists(f"{ROOT}0/b", guessed=True))
    assert net.count(LIST) == 3
    assert "GITHUB_TOKEN" in heard.warnings[-1]
    assert "asking for each file instead" in heard.warnings[-1]
    assert net.count(f"{LIST}0") == 0, "the API was given up for the run"


def test_a_token_over_its_limit_is_waited_for_and_no_program_is_asked_for_another() -> None:
    clock = Clock()
    net = Net(lambda _, url, __: limited(clock, clock.now + 3000) if "api." in url else Answer(200))
    heard = Heard()
    with Transfers(net, timing=clock.timing) as transfers:
        prober = new_prober(
            transfers, environment={"GITHUB_TOKEN": TOKEN, "PATH": "/usr/bin:/bin"}, heard=heard
        )
        wait(prober.exists(f"{ROOT}/a", guessed=True))
    assert "the token of GITHUB_TOKEN" in heard.warnings[-1]
    assert clock.waits == []


def test_the_time_for_questions_does_not_count_announced_waits() -> None:
    clock = Clock()
    net = Net(lambda *_: assets("a"))
    net.gate.clear()
    with Transfers(net, timing=clock.timing) as transfers:
        prober = new_prober(transfers)
        bound = Bound(prober, 0.2)
        with pytest.raises(Unreachable, match=r"longer than 0\.2 s"):
            bound.wait(prober.exists(f"{ROOT}/a", guessed=True))
        assert prober._budget.take(1.0)
        threading.Timer(0.6, net.gate.set).start()
        bound = Bound(prober, 0.2)
        question = prober.exists(f"{ROOT}/a", guessed=True)
        assert prober._budget.take(1.0)
        bound.wait(question)
