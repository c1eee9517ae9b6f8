from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from binstall.errors import ManifestError, NothingFound, Refused, RemoteError, Unreachable
from binstall.formats.manifest import CliOverrides, parse_manifest
from binstall.formats.target import parse_target
from binstall.net.fetcher import NO_HEADERS, Response
from binstall.net.transfers import Transfers
from binstall.progress import Silent
from binstall.resolve.candidates import Candidate, candidates_for
from binstall.resolve.prober import PlainProber
from binstall.resolve.resolver import Bound, Search

MANIFEST = """
[package]
name = "demo"
version = "1.0.0"
[package.metadata.binstall]
pkg-url = "https://h/{ archive-format }"
"""
TARGET = parse_target("x86_64-unknown-linux-gnu")


@dataclass(frozen=True)
class _Answer:
    status: int
    url: str
    headers: Mapping[str, str]

    def chunks(self) -> Iterator[bytes]:
        yield from ()


@dataclass
class _Host:
    """Answers by path; `dead` gives no answer at all."""

    statuses: Mapping[str, int]
    headers: Mapping[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @contextmanager
    def open(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] = NO_HEADERS,
        body: bytes | None = None,
    ) -> Iterator[Response]:
        name = url.rpartition("/")[2]
        self.asked.append(name)
        status = self.statuses.get(name, 404)
        if status == 0:
            raise Unreachable(f"{url} does not answer", url=url)
        yield _Answer(status, url, dict(self.headers))

    def close(self) -> None:
        pass


def _candidates() -> tuple[Candidate, ...]:
    manifest = parse_manifest(MANIFEST, ["src/main.rs"])
    return candidates_for(manifest, TARGET, CliOverrides(), skip_signatures=False)


def _walk(host: _Host) -> list[str]:
    with Transfers(host) as transfers:
        search = Search("demo", [_candidates()], Bound(PlainProber(transfers)), Silent())
        found = [candidate.url.rpartition("/")[2] for candidate in search.existing()]
        if not found:
            raise search.failure()
        return found


def test_the_existing_candidates_come_in_list_order() -> None:
    assert _walk(_Host({"zip": 200, "tgz": 200, "tar": 200})) == ["tar", "tgz", "zip"]


def test_absent_and_plainly_refused_ones_are_passed_over() -> None:
    assert _walk(_Host({"tar": 410, "tbz2": 403, "tgz": 401, "zip": 200})) == ["zip"]


def test_nothing_anywhere_is_94_and_names_the_first_place() -> None:
    with pytest.raises(NothingFound, match="https://h/tar and 13 more"):
        _walk(_Host({}))


def test_nothing_but_a_refusal_is_68_and_names_it() -> None:
    with pytest.raises(Refused, match="https://h/tgz"):
        _walk(_Host({"tgz": 403}))


@pytest.mark.parametrize(
    ("status", "headers"),
    [(0, {}), (403, {"x-ratelimit-remaining": "0"}), (418, {})],
    ids=["no answer", "rate limit", "another status"],
)
def test_a_host_in_trouble_ends_the_search_though_a_later_candidate_exists(
    status: int, headers: Mapping[str, str]
) -> None:
    with pytest.raises(RemoteError, match="tgz") as raised:
        _walk(_Host({"tgz": status, "zip": 200}, headers))
    assert raised.value.exit_code == 68


def test_a_lesser_target_is_looked_at_when_the_better_ones_are_exhausted() -> None:
    def by_target() -> Iterator[tuple[Candidate, ...]]:
        yield _candidates()
        raise ManifestError("the second target")

    with Transfers(_Host({"zip": 200})) as transfers:
        walk = Search("demo", by_target(), Bound(PlainProber(transfers)), Silent()).existing()
        assert next(walk).url == "https://h/zip"
        with pytest.raises(ManifestError, match="second"):
            next(walk)


def test_a_short_list_is_tried_and_not_asked_about() -> None:
    host = _Host({})
    with Transfers(host) as transfers:
        bound = Bound(PlainProber(transfers))
        list(Search("demo", [_candidates()[:2], _candidates()[2:4]], bound, Silent()).existing())
    assert host.asked == []
