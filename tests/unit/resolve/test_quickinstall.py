"""Where QuickInstall's packages are, and what they must be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from binstall.errors import Unreachable
from binstall.formats.manifest import Manifest, parse_manifest
from binstall.formats.package_format import PackageFormat
from binstall.formats.target import parse_target
from binstall.limits import MAX_SUPPORTED_TARGETS_BYTES
from binstall.net.fetcher import NO_HEADERS, Response
from binstall.net.transfers import Transfers
from binstall.progress import Silent
from binstall.resolve.quickinstall import PUBLIC_KEY, TARGETS_URL, USUAL_TARGETS, QuickInstall

TARGET = "x86_64-unknown-linux-musl"


def manifest(version: str = "1.2.3") -> Manifest:
    text = f"""
    [package]
    name = "foo-cli"
    version = "{version}"
    edition = "2021"
    [package.metadata.binstall]
    pkg-url = "https://example.org/{{ name }}.zip"
    pkg-fmt = "zip"
    bin-dir = "elsewhere/{{ bin }}"
    [package.metadata.binstall.signing]
    algorithm = "minisign"
    pubkey = "RWRnmBcLmQbXVcEPWo2OOKMI36kki4GiI7gcBgIaPLwvxe14Wtxm9acX"
    """
    return parse_manifest(text, {"src/main.rs"})


@dataclass
class Answer:
    status: int
    body: bytes
    url: str = TARGETS_URL
    headers: Mapping[str, str] = field(default_factory=dict)

    def chunks(self) -> Iterator[bytes]:
        if self.body:
            yield self.body


@dataclass
class List:
    """A network that knows the list of targets and nothing else."""

    body: bytes | None = f"{TARGET}\n\t x86_64-apple-darwin".encode()
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
        del method, headers, body
        self.asked.append(url)
        if self.body is None:
            raise Unreachable("no answer", url=url)
        yield Answer(200, self.body)

    def close(self) -> None:
        pass


def test_a_candidate_is_the_projects_own_file_with_its_own_key_and_layout() -> None:
    with Transfers(List()) as transfers:
        [candidate] = QuickInstall(transfers, Silent()).candidates(manifest(), parse_target(TARGET))
    assert candidate.url == (
        "https://github.com/cargo-bins/cargo-quickinstall/releases/download/foo-cli-1.2.3/"
        f"foo-cli-1.2.3-{TARGET}.tar.gz"
    )
    assert candidate.signature_url == f"{candidate.url}.sig"
    assert candidate.party == "third party"
    assert candidate.format is PackageFormat.TGZ
    assert candidate.meta.signing is not None and candidate.meta.signing.pubkey == PUBLIC_KEY
    assert candidate.meta.bin_dir is not None
    assert candidate.meta.bin_dir.render({"bin": "x", "binary-ext": ".exe"}) == "x.exe"


def test_build_metadata_stays_in_the_name() -> None:
    with Transfers(List()) as transfers:
        [candidate] = QuickInstall(transfers, Silent()).candidates(
            manifest("1.0.0+b.1"), parse_target(TARGET)
        )
    assert "/foo-cli-1.0.0+b.1/foo-cli-1.0.0+b.1-" in candidate.url


def test_the_list_of_targets_is_asked_for_once_and_only_when_it_is_needed() -> None:
    network = List()
    with Transfers(network) as transfers:
        quick = QuickInstall(transfers, Silent())
        assert network.asked == []
        for _ in range(3):
            assert list(quick.candidates(manifest(), parse_target("riscv64gc-unknown-linux-gnu"))) == []
            assert quick.supports(parse_target(TARGET))
    assert network.asked == [TARGETS_URL]


@pytest.mark.parametrize(
    "body", [None, b"x" * (MAX_SUPPORTED_TARGETS_BYTES + 1)], ids=["no answer", "endless"]
)
def test_without_a_usable_list_the_usual_targets_count(body: bytes | None) -> None:
    with Transfers(List(body)) as transfers:
        quick = QuickInstall(transfers, Silent())
        assert quick.supports(parse_target(TARGET))
        assert not quick.supports(parse_target("riscv64gc-unknown-linux-gnu"))
    assert len(USUAL_TARGETS) == 10


def test_a_list_that_is_no_list_is_no_target() -> None:
    with Transfers(List(b"<html>\xff\xfe sign in</html>")) as transfers:
        assert not QuickInstall(transfers, Silent()).supports(parse_target(TARGET))
