"""Installing over a network, whole commands with Python's start in them, against fetching the same URLs.

One host on loopback answers everything, each answer the same time after its question. curl gets the URLs in the
groups in which they can be known: index and config.json, then the `.crate`s, then packages and signatures; it is
started for each group with `--parallel`, and neither reads, checks nor places what it fetches. How long it takes
when it is told all URLs at once, which nobody knows at once, is shown beside. cargo-binstall installs the same
crates into a folder of its own, if the real one is on PATH.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Final

from binstall.formats.index import index_path
from binstall.formats.package_format import PackageFormat
from binstall.formats.target import parse_target
from binstall.hosting.answer import Answer
from binstall.hosting.authority import Authority
from binstall.hosting.host import Host
from binstall.hosting.packing import build_crate, build_package
from binstall.hosting.request import Request
from binstall.hosting.sample import sample_binary
from binstall.hosting.static_registry import PublishedCrate, crate_path, index_url, publish
from binstall.signing.minisign_keys import generate, sign_digest
from ratio import Row, compare, seconds_of

_TARGET: Final = "x86_64-unknown-linux-musl"
_DELAYS_MS: Final = (0, 20, 100)
_MIB: Final = 1024 * 1024
_RUNS: Final = 3


def main() -> Iterator[Row]:
    """Yield the rows, each as soon as it is measured; those against programs that are not here are left out."""
    with tempfile.TemporaryDirectory(prefix="binstall-bench-") as name, _Network(Path(name)) as network:
        names = [f"tiny{number}" for number in range(20)]
        for each in names:
            network.release(each, 10_000)
        network.release("large", 50 * _MIB)
        for delay in _DELAYS_MS:
            network.delay_seconds = delay / 1000
            for words, crates in (("1 tiny", names[:1]), ("20 tiny", names), ("1 of 50 MiB", ["large"])):
                bound = 1.5 if (delay, words) == (0, "1 tiny") else 1.0
                yield from _rows(network, crates, f"{words}, {delay} ms", bound)


def _rows(network: _Network, crates: Sequence[str], words: str, bound: float) -> Iterator[Row]:
    ours, curl = network.ours(crates), network.curl(network.groups(crates))
    peers = {"curl --parallel": curl} if shutil.which("curl") else {}
    if (program := _real_cargo_binstall()) is not None:
        peers["cargo-binstall"] = network.cargo_binstall(program, crates)
    for peer, work in peers.items():
        yield compare(f"{words} / {peer}", ours, work, bound=bound, runs=_RUNS, is_goal=True)
    at_once = network.curl([[url for group in network.groups(crates) for url in group]])
    told = [
        f"{name} {seconds_of(work):.2f} s, {network.requests_of(work)} requests"
        for name, work in {"binstall": ours, **peers, "curl told all at once": at_once}.items()
        if shutil.which("curl") or work is not at_once
    ]
    print(f"    {'; '.join(told)}", file=sys.stderr, flush=True)


def _real_cargo_binstall() -> str | None:
    """Return the Rust program; ours may have its name, and says in `-vV` whose it is."""
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        program = shutil.which("cargo-binstall", path=folder)
        if program is None:
            continue
        said = subprocess.run([program, "-vV"], check=False, capture_output=True, text=True).stdout
        if "python-version:" not in said:
            return program
    return None


@dataclass(frozen=True, slots=True)
class _Released:
    crate: PublishedCrate
    package_url: str


class _Network:
    """A host with a registry, packages and signatures, and the commands that ask it."""

    def __init__(self, folder: Path) -> None:
        self.delay_seconds = 0.0
        """How long after a question its answer comes."""
        self._folder = folder
        authority = Authority.create(datetime.now(UTC))
        self._ca_file = folder / "ca.pem"
        self._ca_file.write_bytes(authority.ca_pem)
        self._key = generate()
        self._host = Host(authority, on_request=self._answer)
        self._released: dict[str, _Released] = {}
        self._environment = {
            "HOME": str(folder),
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPYCACHEPREFIX": str(folder / "pycache"),
        }

    def __enter__(self) -> _Network:
        return self

    def __exit__(self, *_: object) -> None:
        self._host.close()
        self._key.wipe()

    def _answer(self, request: Request) -> Answer:
        return replace(self._host.answer(request), delay_seconds=self.delay_seconds)

    def release(self, name: str, size: int) -> None:
        """Publish a signed crate with one binary, and `size` bytes that do not compress."""
        file_name = f"{name}-1.0.0-{_TARGET}.tar.gz"
        binary = sample_binary("1.0.0", parse_target(_TARGET), name=name)
        package = build_package(PackageFormat.TGZ, {name: binary, "more": os.urandom(size)})
        url = self._host.put(f"/releases/{file_name}", package)
        comment = f"timestamp:1\tfile:{file_name}\thashed"
        self._host.put(
            f"/releases/{file_name}.sig", sign_digest(self._key, blake2b(package).digest(), comment)
        )
        manifest = (
            f'[package]\nname = "{name}"\nversion = "1.0.0"\nedition = "2021"\n[package.metadata.binstall]\n'
            f'pkg-url = "{self._host.base_url}/releases/{{ name }}-{{ version }}-{{ target }}.tar.gz"\n'
            f'bin-dir = "{{ bin }}"\npkg-fmt = "tgz"\n[package.metadata.binstall.signing]\n'
            f'algorithm = "minisign"\npubkey = "{self._key.public_key.base64}"\n'
        )
        crate = build_crate(manifest, {"src/main.rs": b"fn main() {}\n"})
        self._released[name] = _Released(PublishedCrate(name, "1.0.0", crate), url)
        self._host.put_all(publish(self._host.base_url, [each.crate for each in self._released.values()]))

    def groups(self, crates: Sequence[str]) -> list[list[str]]:
        """Return what is asked for, in groups of URLs that can be known at the same time."""
        packages = [self._released[name].package_url for name in crates]
        return [
            [self._host.url(f"/index/{path}") for path in ("config.json", *map(index_path, crates))],
            [self._host.url(crate_path(name, "1.0.0")) for name in crates],
            [*packages, *(f"{url}.sig" for url in packages)],
        ]

    def requests_of(self, work: Callable[[], object]) -> int:
        """Return how many requests one call makes."""
        before = len(self._host.exchanges)
        work()
        return len(self._host.exchanges) - before

    def ours(self, crates: Sequence[str]) -> Callable[[], object]:
        """Return an install by `binstall install`."""
        start = "import sys; from binstall.cli.app import main; sys.exit(main())"
        command = [sys.executable, "-c", start, "install", "-q", "-y", *self._options("ours"), *crates]
        return self._run(command)

    def cargo_binstall(self, program: str, crates: Sequence[str]) -> Callable[[], object]:
        """Return the same install by the Rust program."""
        more = ["--no-confirm", "--disable-telemetry", "--log-level", "error"]
        return self._run([program, *more, *self._options("theirs"), *crates])

    def curl(self, groups: Sequence[Sequence[str]]) -> Callable[[], object]:
        """Return one run of curl after the other, each of which fetches a group."""
        folder = self._folder / "fetched"
        folder.mkdir(exist_ok=True)
        commands = []
        for group in groups:
            command = ["curl", "--parallel", "--silent", "--fail", "--cacert", str(self._ca_file)]
            for number, url in enumerate(group):
                command += ["--output", str(folder / str(number)), url]
            commands.append(self._run(command))
        return lambda: [run() for run in commands]

    def _options(self, folder: str) -> list[str]:
        return [
            *("--force", "--no-track", "--targets", _TARGET, "--index", index_url(self._host.base_url)),
            *("--root-certificates", str(self._ca_file), "--install-path", str(self._folder / folder)),
        ]

    def _run(self, command: Sequence[str]) -> Callable[[], object]:
        # What is said is of no interest; curl shows its progress even when told to be silent.
        return lambda: subprocess.run(
            command, check=True, env=self._environment, capture_output=True, cwd=self._folder
        )
