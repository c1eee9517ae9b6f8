"""QuickInstall, a third party: when it is asked, whose key holds, what is said, and who is told.

Its hosts have their real names here, behind a proxy with a test authority. Its key is pinned in the code and
nothing but the constructor replaces it, so these runs are in this process.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import tomlkit

from binstall import __version__
from binstall.cli.cargo_binstall import CargoManners, CargoTerminal
from binstall.cli.install import BinstallManners
from binstall.cli.request import InstallRequest, Surroundings
from binstall.cli.session import Manners, run_install
from binstall.cli.terminal import Level, Terminal
from binstall.formats.package_format import PackageFormat
from binstall.formats.version import CrateSpec
from binstall.hosting.packing import build_package
from binstall.resolve.quickinstall import PUBLIC_KEY, QuickInstall
from binstall.resolve.statistics import STATISTICS_HOST
from binstall.resolve.strategies import ALL, Front, Strategies
from binstall.signing.minisign_keys import SecretKey, generate, sign_digest
from binstall.signing.verifier import SignaturePolicy
from support_net import Answer
from support_registry import TARGET
from support_web import CRATES_IO, GITHUB, CratesIo, GitHub, Web

RAW = "raw.githubusercontent.com"
CRATE, QUICK, COMPILE = ALL
ONLY_QUICK = Strategies((QUICK,), frozenset({QUICK}))
BOTH = Strategies((CRATE, QUICK), frozenset({CRATE, QUICK}))
UNNAMED = Strategies((CRATE, QUICK))
"""cargo-binstall's own list without `compile`."""


@dataclass
class World:
    """crates.io, GitHub, QuickInstall and its statistics, and a machine."""

    web: Web
    registry: CratesIo
    github: GitHub
    key: SecretKey
    """QuickInstall's."""
    folder: Path
    said: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def bin(self) -> Path:
        return self.folder / "root/bin"

    def publish(
        self,
        name: str = "hello",
        *,
        signed_by: SecretKey | None = None,
        released: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Publish version 1.0.0 of a crate whose own release has a package, unsigned, or has none."""
        declared: dict[str, Any] = {"pkg-url": "{ repo }/releases/download/v{ version }/{ name }.tgz"}
        if signed_by is not None:
            declared["signing"] = {"algorithm": "minisign", "pubkey": signed_by.public_key.base64}
        package = {
            "name": name,
            "version": "1.0.0",
            "edition": "2021",
            "repository": f"https://github.com/o/{name}",
            "metadata": {"binstall": declared | (metadata or {})},
        }
        manifest = tomlkit.dumps({"package": package})
        self.registry.publish(manifest, name, "1.0.0", {"src/main.rs": b"fn main() {}\n"})
        if released:
            files = {
                f"{name}.tgz": build_package(PackageFormat.TGZ, {name: b"#!/bin/sh\necho publisher\n"})
            }
            self.github.release("o", name, "v1.0.0", files)

    def quick(
        self,
        name: str = "hello",
        *,
        target: str = TARGET,
        sign: bool = True,
        key: SecretKey | None = None,
        comment: Callable[[str], str] = lambda file: f"timestamp:1\tfile:{file}\thashed",
        change: Callable[[bytes], bytes] = lambda data: data,
    ) -> None:
        """Have QuickInstall release a package of version 1.0.0."""
        package = build_package(PackageFormat.TGZ, {name: b"#!/bin/sh\necho quickinstall\n"})
        file = f"{name}-1.0.0-{target}.tar.gz"
        files = {file: change(package)}
        if sign:
            text = sign_digest(key or self.key, blake2b(package).digest(), comment(file))
            files[f"{file}.sig"] = text
        self.github.release("cargo-bins", "cargo-quickinstall", f"{name}-1.0.0", files)

    def run(
        self,
        *crates: str,
        front: Front = "cargo-binstall",
        strategies: Strategies = UNNAMED,
        **how: Any,
    ) -> int:
        around = Surroundings(
            {
                **self.web.environment,
                "HOME": str(self.folder / "home"),
                "PATH": "/usr/bin:/bin",
                **self.environment,
            },
            self.folder / "work",
            self.folder / "home",
        )
        request = InstallRequest(
            tuple(CrateSpec(name, None) for name in crates or ("hello",)),
            around,
            targets=how.pop("targets", (TARGET,)),
            root=self.folder / "root",
            root_certificates=(self.web.authority.pem_path,),
            strategies=strategies,
            front=front,
        )
        request = replace(request, **{"no_confirm": True, **how})
        out, err = io.StringIO(), io.StringIO()
        terminal: Terminal
        manners: Manners
        if front == "cargo-binstall":
            terminal = CargoTerminal(Level.DEBUG, out=out)
            manners = CargoManners(request, terminal)
        else:
            terminal = Terminal(Level.DEBUG, out=out, err=err, environment={})
            manners = BinstallManners(request, terminal)
        code = run_install(
            request,
            terminal,
            manners,
            quick_install=lambda transfers, progress: QuickInstall(
                transfers, progress, public_key=self.key.public_key.base64
            ),
        )
        self.said = out.getvalue() + err.getvalue()
        return code

    def installed(self, name: str = "hello") -> str | None:
        path = self.bin / name
        return path.read_text().split()[-1] if path.exists() else None

    def quick_requests(self) -> list[str]:
        return [each.path for each in self.web.asked("github.com") if "cargo-quickinstall" in each.path]

    def reports(self) -> list[dict[str, str]]:
        asked = self.web.asked(STATISTICS_HOST, "POST")
        queries = [parse_qs(urlsplit(each.path).query, strict_parsing=True) for each in asked]
        return [{name: value for name, [value] in query.items()} for query in queries]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    for name in ("home", "work", "root"):
        (tmp_path / name).mkdir()
    with Web([*CRATES_IO, *GITHUB, RAW, STATISTICS_HOST]) as web, generate() as key:
        web.sites[RAW] = lambda asked: Answer(body=f"x86_64-apple-darwin\n{TARGET}\n".encode())
        web.sites[STATISTICS_HOST] = lambda asked: Answer(body=b"ok")
        yield World(web, CratesIo(web), GitHub(web), key, tmp_path)


def test_a_crate_without_a_package_of_its_publisher_is_had_from_quickinstall(world: World) -> None:
    world.publish()
    world.quick()
    assert world.run() == 0, world.said
    assert world.installed() == "quickinstall"
    assert world.web.asked(RAW)[0].path == "/cargo-bins/cargo-quickinstall/main/supported-targets"
    assert "WARN The package hello v1.0.0" in world.said
    assert "third-party source QuickInstall" in world.said
    assert f"signed with QuickInstall's minisign key {world.key.public_key.shown_id}" in world.said
    record = json.loads((world.folder / "root/binstall/crates-v1.json").read_text())
    assert world.key.public_key.base64 in json.dumps(record)


def test_the_publishers_package_goes_before_it_and_then_nobody_asks_quickinstall(world: World) -> None:
    world.publish(released=True)
    world.quick()
    assert world.run() == 0, world.said
    assert world.installed() == "publisher"
    assert world.quick_requests() == []
    assert world.web.asked(RAW) == []


def test_the_pinned_key_is_the_one_of_the_project() -> None:
    assert PUBLIC_KEY == "RWTdnnab2pAka9OdwgCMYyOE66M/BlQoFWaJ/JjwcPV+f3n24IRTj97t"


def _nothing(file: str) -> str:
    return "timestamp:1\thashed"


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        pytest.param({"sign": False}, 41, "must be signed", id="no signature"),
        pytest.param({"change": lambda data: data + b"\0"}, 40, "not the one that key", id="tampered"),
        pytest.param(
            {"comment": _nothing}, 40, "does not say for which file", id="a comment that names no file"
        ),
        pytest.param(
            {"comment": lambda file: f"timestamp:1\tfile:{file.replace('1.0.0', '0.9.0')}\thashed"},
            40,
            "was made for file hello-0.9.0",
            id="another version",
        ),
        pytest.param(
            {"comment": lambda file: f"timestamp:1\tfile:{file.replace('hello', 'other')}\thashed"},
            40,
            "was made for file other",
            id="another crate",
        ),
        pytest.param(
            {
                "comment": lambda file: (
                    f"timestamp:1\tfile:{file.replace(TARGET, 'riscv64gc-unknown-linux-gnu')}"
                )
            },
            40,
            "was made for file hello-1.0.0-riscv64gc",
            id="another target",
        ),
    ],
)
def test_a_package_of_quickinstall_must_be_signed_for_what_it_is(
    world: World, how: dict[str, Any], code: int, words: str
) -> None:
    world.publish()
    world.quick(**how)
    assert world.run(allow_name_mismatch=frozenset({"hello"})) == code, world.said
    assert words in world.said
    assert world.installed() is None
    assert list(world.bin.parent.iterdir()) == []


def test_a_package_by_another_key_is_refused_even_by_the_publishers(world: World) -> None:
    with generate() as other:
        world.publish()
        world.quick(key=other)
        assert world.run() == 40, world.said
    assert world.installed() is None


def test_a_signature_that_cannot_be_fetched_is_68_and_nothing_is_installed(world: World) -> None:
    world.publish()
    world.quick()
    page = world.web.sites["github.com"]
    world.web.sites["github.com"] = lambda asked: (
        Answer(403, b"no") if asked.path.endswith(".sig") else page(asked)
    )
    assert world.run() == 68, world.said
    assert world.installed() is None


def test_skip_signatures_fetches_none_and_says_so(world: World) -> None:
    world.publish()
    world.quick(sign=False)
    assert world.run(policy=SignaturePolicy.SKIP) == 0, world.said
    assert world.installed() == "quickinstall"
    assert "--skip-signatures" in world.said
    assert not [path for path in world.quick_requests() if path.endswith(".sig")]


def test_a_target_that_it_does_not_build_is_not_asked_for(world: World) -> None:
    world.publish()
    assert world.run(targets=("riscv64gc-unknown-linux-gnu", "aarch64-apple-darwin")) == 94, world.said
    assert world.quick_requests() == []
    assert "QuickInstall has no package" in world.said


def test_without_the_list_of_targets_the_usual_ones_are_asked_for(world: World) -> None:
    del world.web.sites[RAW]
    world.publish()
    world.quick()
    assert world.run() == 0, world.said
    assert world.installed() == "quickinstall"


def test_all_targets_of_the_publisher_go_before_the_first_of_quickinstall(world: World) -> None:
    other = "x86_64-apple-darwin"
    world.publish(
        metadata={"overrides": {TARGET: {"pkg-url": "https://github.com/o/none/x.tgz"}}}, released=True
    )
    world.quick()
    assert world.run(targets=(TARGET, other)) == 0, world.said
    assert world.installed() == "publisher"


def test_a_crate_of_another_registry_is_never_asked_for_there(world: World) -> None:
    world.publish()
    world.quick()
    world.web.sites["private.example"] = world.web.sites["index.crates.io"]
    (world.folder / "home/.cargo").mkdir()
    source = world.folder / "crate"
    (source / "src").mkdir(parents=True)
    (source / "Cargo.toml").write_text('[package]\nname = "hello"\nversion = "1.0.0"\nedition = "2021"\n')
    (source / "src/main.rs").write_text("fn main() {}\n")
    assert world.run(strategies=ONLY_QUICK, manifest_path=source) == 94, world.said
    assert "crates.io only" in world.said
    assert world.quick_requests() == [] and world.web.asked(RAW) == []


def test_a_mirror_of_crates_io_is_crates_io(world: World) -> None:
    world.publish()
    world.quick()
    (world.folder / "home/.cargo").mkdir()
    (world.folder / "home/.cargo/config.toml").write_text(
        '[source.crates-io]\nreplace-with = "m"\n[source.m]\nregistry = "sparse+https://static.crates.io/index/"\n'
    )
    world.web.sites["static.crates.io"], inner = (
        (
            lambda asked: (
                world.web.sites["index.crates.io"](
                    replace(
                        asked, path=asked.path.removeprefix("/index"), headers={"host": "index.crates.io"}
                    )
                )
                if asked.path.startswith("/index/")
                else inner(asked)
            )
        ),
        world.web.sites["static.crates.io"],
    )
    assert world.run() == 0, world.said
    assert world.installed() == "quickinstall"


# Who may be asked after whom.


def test_a_crate_that_declares_a_signature_is_not_had_from_quickinstall_unasked(world: World) -> None:
    world.publish(signed_by=world.key)
    world.quick()
    assert world.run() == 94, world.said
    assert "not asked for by name" in world.said
    assert world.quick_requests() == []


@pytest.mark.parametrize("strategies", [BOTH, ONLY_QUICK])
def test_asked_for_by_name_it_is_where_every_package_of_the_publisher_is_absent(
    world: World, strategies: Strategies
) -> None:
    world.publish(signed_by=world.key)
    world.quick()
    assert world.run(strategies=strategies) == 0, world.said
    assert world.installed() == "quickinstall"


@pytest.mark.parametrize("status", [200, 401, 403, 503])
def test_a_signed_crate_whose_package_is_there_or_refused_is_never_had_from_quickinstall(
    world: World, status: int
) -> None:
    world.publish(signed_by=world.key, released=True)
    world.quick()
    page = world.web.sites["github.com"]
    if status != 200:
        world.web.sites["github.com"] = lambda asked: (
            Answer(status, b"no", {"retry-after": "100000"}) if "/o/hello/" in asked.path else page(asked)
        )
    code = world.run(strategies=ONLY_QUICK)
    assert code == (94 if status == 200 else 68), world.said
    assert world.quick_requests() == []
    assert world.installed() is None


def test_a_refusal_ends_the_search_for_an_unsigned_crate_too(world: World) -> None:
    world.publish()
    world.quick()
    page = world.web.sites["github.com"]
    world.web.sites["github.com"] = lambda asked: (
        Answer(403, b"no") if "/o/hello/" in asked.path else page(asked)
    )
    assert world.run() == 68, world.said
    assert world.quick_requests() == []


def test_only_signed_takes_quickinstall_in_cargo_binstall_and_says_whose_key_it_was(world: World) -> None:
    world.publish(released=True)
    world.quick()
    assert world.run(policy=SignaturePolicy.REQUIRED) == 0, world.said
    assert world.installed() == "quickinstall"
    assert "not by its publisher; signed with QuickInstall's" in world.said


def test_only_signed_with_nothing_signed_anywhere_is_41(world: World) -> None:
    world.publish(released=True)
    assert world.run(policy=SignaturePolicy.REQUIRED) == 41, world.said
    assert world.installed() is None


@pytest.mark.parametrize("released", [True, False])
def test_only_signed_means_the_publisher_in_binstall(world: World, released: bool) -> None:
    world.publish(released=released)
    world.quick()
    code = world.run(
        front="binstall", strategies=BOTH, policy=SignaturePolicy.REQUIRED, accepted=frozenset({QUICK})
    )
    assert code == 41, world.said
    assert world.quick_requests() == []


def test_what_the_manifest_disables_is_not_tried_unless_the_user_names_strategies(world: World) -> None:
    world.publish(metadata={"disabled-strategies": ["quick-install"]})
    world.quick()
    assert world.run() == 94, world.said
    assert world.quick_requests() == []
    assert world.run(strategies=BOTH) == 0, world.said


def test_a_publisher_that_disables_its_own_packages_is_passed_over(world: World) -> None:
    world.publish(metadata={"disabled-strategies": ["crate-meta-data"]}, released=True)
    world.quick()
    assert world.run() == 0, world.said
    assert world.installed() == "quickinstall"


# `binstall install`.


def test_binstall_does_not_go_to_quickinstall_unasked(world: World) -> None:
    world.publish()
    world.quick()
    assert world.run(front="binstall", strategies=Strategies((CRATE,))) == 94
    assert world.quick_requests() == []


def test_y_does_not_answer_for_a_third_party_and_accept_does(world: World) -> None:
    world.publish()
    world.quick()
    assert world.run(front="binstall", strategies=BOTH, no_confirm=True) == 32, world.said
    assert "QuickInstall, a third party, built this package of hello 1.0.0" in world.said
    assert "--accept quick-install" in world.said
    assert world.installed() is None
    assert world.run(front="binstall", strategies=BOTH, accepted=frozenset({QUICK})) == 0, world.said
    assert world.installed() == "quickinstall"


# Statistics.


def reported(status: str, name: str = "hello") -> dict[str, str]:
    return {
        "crate": name,
        "version": "1.0.0",
        "target": TARGET,
        "agent": f"binstall/{__version__}",
        "status": status,
    }


@pytest.mark.parametrize(
    ("prepare", "statuses"),
    [
        (lambda world: world.quick(), ["installed-from-tarball"]),
        (lambda world: None, ["not-found"]),
        (lambda world: world.quick(change=lambda data: data + b"!"), ["invalid-signature"]),
    ],
)
def test_with_consent_quickinstall_is_told_what_became_of_it(
    world: World, prepare: Callable[[World], None], statuses: Sequence[str]
) -> None:
    world.publish()
    prepare(world)
    world.run(statistics=True)
    assert world.reports() == [reported(status) for status in statuses]


def test_nothing_is_told_of_a_package_of_the_publisher(world: World) -> None:
    world.publish(released=True)
    assert world.run(statistics=True) == 0, world.said
    assert world.reports() == []


@pytest.mark.parametrize("how", [{"statistics": False}, {"statistics": True, "dry_run": True}])
def test_nothing_is_told_without_consent_or_in_a_dry_run(world: World, how: dict[str, Any]) -> None:
    world.publish("hello")
    world.publish("nothere")
    world.quick()
    assert world.run(**how) == 0, world.said
    world.run("nothere", **how)
    assert world.web.asked(STATISTICS_HOST) == []


def test_nothing_is_told_of_a_crate_of_another_source(world: World) -> None:
    source = world.folder / "crate"
    (source / "src").mkdir(parents=True)
    (source / "Cargo.toml").write_text('[package]\nname = "hello"\nversion = "1.0.0"\nedition = "2021"\n')
    (source / "src/main.rs").write_text("fn main() {}\n")
    assert world.run(manifest_path=source, statistics=True) == 94, world.said
    assert world.web.asked(STATISTICS_HOST) == []


@pytest.mark.parametrize(
    "answer", [Answer(500), Answer(stall_after=-1), Answer(302, headers={"location": "/x"})]
)
def test_an_answer_that_does_not_come_changes_nothing_and_is_not_waited_for(
    world: World, answer: Answer
) -> None:
    world.web.sites[STATISTICS_HOST] = lambda asked: answer
    world.publish()
    world.quick()
    began = time.monotonic()
    assert world.run(statistics=True) == 0, world.said
    assert time.monotonic() - began < 10
    assert world.installed() == "quickinstall"
    assert len(world.web.asked(STATISTICS_HOST)) == 1, "no report is sent twice"
