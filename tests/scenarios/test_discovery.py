"""Packages of crates that say nothing about them, or not all: default places, repositories, names, limits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from binstall.signing.minisign_keys import generate
from support_discovery import Files, machine_on, package, publish_crate, signature, signing_table
from support_machine import Machine
from support_net import Answer
from support_registry import TARGET
from support_web import CRATES_IO, GITHUB, CratesIo, GitHub, Web

HOSTS = ("gitlab.com", "bitbucket.org", "sourceforge.net", "codeberg.org", "home.example", "files.example")
TAR = f"hello-v1.0.0-{TARGET}.tar.gz"


@pytest.fixture
def web() -> Iterator[Web]:
    with Web([*CRATES_IO, *GITHUB, *HOSTS]) as web:
        yield web


@pytest.fixture
def registry(web: Web) -> CratesIo:
    return CratesIo(web)


@pytest.fixture
def machine(web: Web, tmp_path: Path) -> Machine:
    return machine_on(web, tmp_path / "machine")


def installed(machine: Machine, *words: str, crate: str = "hello", binary: str = "hello") -> str:
    """Install; return what the program is."""
    machine.install(crate, "-y", *words).expect(0)
    return (machine.bin / binary).read_text()


# Default places: hosting services, and crates inside repositories.


@pytest.mark.parametrize(
    ("repository", "host", "path"),
    [
        pytest.param("https://gitlab.com/group/sub/sub2/hello", "gitlab.com",
            f"/group/sub/sub2/hello/-/releases/v1.0.0/downloads/binaries/{TAR}", id="GitLab with sub-groups"),
        pytest.param("https://gitlab.com/group/all/-/tree/main/crates/hello", "gitlab.com",
            f"/group/all/-/releases/hello%2Fv1.0.0/downloads/binaries/{TAR}", id="GitLab with a sub-crate"),
        pytest.param("https://bitbucket.org/o/hello", "bitbucket.org", f"/o/hello/downloads/{TAR}", id="BitBucket"),
        pytest.param("https://sourceforge.net/projects/hello/", "sourceforge.net",
            f"/projects/hello/files/binaries/v1.0.0/{TAR}/download", id="SourceForge"),
        pytest.param("https://codeberg.org/o/hello.git", "codeberg.org",
            f"/o/hello/releases/download/1.0.0/{TAR}", id="Codeberg"),
        pytest.param("https://codeberg.org/o/all/src/branch/main/deep/er/hello", "codeberg.org",
            f"/o/all/releases/download/hello%2F1.0.0/{TAR}", id="Codeberg with a sub-crate"),
    ],
)  # fmt: skip
def test_the_default_places_of_a_hosting_service_are_looked_at(
    web: Web, registry: CratesIo, machine: Machine, repository: str, host: str, path: str
) -> None:
    publish_crate(registry, repository=repository, metadata={"pkg-fmt": "tgz"})
    web.sites[host] = Files({path: package()})
    installed(machine)


@pytest.mark.parametrize(
    "inside",
    [
        "tree/main/hello",
        "tree/main/crates/hello",
        "tree/main/a/deeper/place/hello/",
        "blob/main/hello/Cargo.toml",
    ],
)
def test_a_sub_crate_url_is_cut_to_the_repository_whatever_its_depth(
    web: Web, registry: CratesIo, machine: Machine, inside: str
) -> None:
    github = GitHub(web)
    publish_crate(registry, repository=f"https://github.com/octo/all/{inside}")
    github.release("octo", "all", "hello/v1.0.0", {TAR: package()})
    installed(machine)
    publish_crate(
        registry,
        version="1.0.1",
        repository=f"https://github.com/octo/all/{inside}",
        metadata={"pkg-url": "{ repo }/releases/download/{ subcrate }-{ version }/x.tgz"},
    )
    github.release("octo", "all", "hello-1.0.1", {"x.tgz": package(says="own")})
    assert "own" in installed(machine)


def test_a_host_that_is_merely_called_like_a_service_is_none(
    web: Web, registry: CratesIo, machine: Machine
) -> None:
    publish_crate(registry, repository="https://files.example/github.com/octo/hello")
    machine.install("hello", "-y").expect(94)
    assert [each.method for each in web.asked("files.example")] == ["HEAD", "GET"], "only where it leads"


def test_the_first_existing_candidate_in_list_order_wins_however_slow_it_is(
    web: Web, registry: CratesIo, machine: Machine
) -> None:
    publish_crate(registry, repository="https://gitlab.com/o/hello", metadata={"pkg-fmt": "tgz"})
    root = "/o/hello/-/releases/1.0.0/downloads/binaries"
    slow, quick = f"{root}/hello-{TARGET}-v1.0.0.tar.gz", f"{root}/hello-{TARGET}-1.0.0.tgz"
    web.sites["gitlab.com"] = Files(
        {slow: Answer(body=package(says="first"), delay=1.0), quick: package(says="second")}
    )
    for _ in range(2):
        assert "first" in installed(machine, "--force")


# The binary's name, after everything else.


def test_one_binary_of_another_name_lends_its_name_to_the_places_after_everything_else(
    web: Web, registry: CratesIo, machine: Machine
) -> None:
    github = GitHub(web)
    publish_crate(registry, "hello-cli", repository="https://github.com/octo/hello", bins=("hello",))
    other = "x86_64-unknown-linux-gnu"
    github.release("octo", "hello", "v1.0.0", {f"hello-{TARGET}.tgz": package(says="alias")})
    assert "alias" in installed(machine, crate="hello-cli")
    github.release("octo", "hello", "v1.0.0", {f"hello-cli-{other}.tgz": package(says="own name")})
    assert "own name" in installed(machine, "--force", "--targets", other, crate="hello-cli")


def test_two_binaries_lend_no_name(web: Web, registry: CratesIo, machine: Machine) -> None:
    github = GitHub(web)
    publish_crate(
        registry, "hello-cli", repository="https://github.com/octo/hello", bins=("hello", "other")
    )
    github.release("octo", "hello", "v1.0.0", {f"hello-{TARGET}.tgz": package("hello", "other")})
    machine.install("hello-cli", "-y").expect(94)


# Where the repository leads.


def test_a_repository_of_no_known_service_is_followed_to_one(
    web: Web, registry: CratesIo, machine: Machine
) -> None:
    github = GitHub(web)
    publish_crate(registry, repository="https://home.example/hello")
    web.sites["home.example"] = Files(
        {"/hello": Answer(301, headers={"location": "https://github.com/octo/hello"})}
    )
    github.release("octo", "hello", "v1.0.0", {f"hello-{TARGET}.tgz": package()})
    installed(machine)
    assert [each.method for each in web.asked("home.example")] == ["HEAD"]


@pytest.mark.parametrize("status", [400, 403, 404, 405, 410])
def test_one_that_does_not_answer_head_is_asked_by_get(
    web: Web, registry: CratesIo, machine: Machine, status: int
) -> None:
    github = GitHub(web)
    publish_crate(registry, repository="https://home.example/hello")
    github.release("octo", "hello", "v1.0.0", {f"hello-{TARGET}.tgz": package()})
    web.sites["home.example"] = lambda asked: (
        Answer(status)
        if asked.method == "HEAD"
        else Answer(302, headers={"location": "https://github.com/octo/hello"})
    )
    installed(machine)


def test_the_repository_is_left_alone_when_no_url_depends_on_it(
    web: Web, registry: CratesIo, machine: Machine
) -> None:
    publish_crate(
        registry,
        repository="https://home.example/gone",
        metadata={"pkg-url": "https://files.example/{ name }-{ version }.tgz"},
    )
    web.sites["files.example"] = Files({"/hello-1.0.0.tgz": package()})
    machine.environment["GITHUB_TOKEN"] = "ghp_0123456789abcdefghij"
    installed(machine)
    assert web.asked("home.example") == web.asked("github.com") == web.asked("api.github.com") == []


def test_a_repository_that_is_gone_is_used_as_it_is_written(
    web: Web, registry: CratesIo, machine: Machine
) -> None:
    publish_crate(
        registry,
        repository="https://home.example/gone/",
        metadata={"pkg-url": "{ repo }/files/{ name }-{ version }.tgz"},
    )
    web.sites["home.example"] = Files({"/gone/files/hello-1.0.0.tgz": package()})
    installed(machine)


@pytest.mark.parametrize(
    "repository",
    ["git@github.com:octo/hello.git", "git://github.com/octo/hello", "http://www.github.com/octo/hello/"],
)
def test_other_spellings_of_a_service_s_address_lead_to_the_https_one(
    web: Web, registry: CratesIo, machine: Machine, repository: str
) -> None:
    github = GitHub(web)
    publish_crate(
        registry,
        repository=repository,
        metadata={"pkg-url": "{ repo }/releases/download/v{ version }/hello.tgz"},
    )
    github.release("octo", "hello", "v1.0.0", {"hello.tgz": package()})
    installed(machine)


# Templates.


def test_the_signature_template_may_name_the_suffix_that_the_package_url_has(
    web: Web, registry: CratesIo, machine: Machine
) -> None:
    data = package()
    with generate() as key:
        file = "https://files.example/{ name }{ archive-suffix }.{ archive-format }.minisig"
        publish_crate(
            registry,
            metadata={
                "pkg-url": "https://files.example/hello-{ version }.tar.gz",
                "signing": {**signing_table(key), "file": file},
            },
        )
        signed = signature(data, key, "hello-1.0.0.tar.gz")
    web.sites["files.example"] = Files(
        {"/hello-1.0.0.tar.gz": data, "/hello.tar.gz.tar.gz.minisig": signed}
    )
    run = machine.install("hello").expect(0)
    assert "signed by" in run.err


def test_a_template_that_gives_no_url_is_a_warning_and_nothing_is_found(
    registry: CratesIo, machine: Machine
) -> None:
    publish_crate(registry, metadata={"pkg-url": "https://files.example/{ bin }.tgz"})
    run = machine.install("hello", "-y").expect(94)
    assert run.err.count("warning: template") == 1
    assert "`bin`" in run.err


# Time.


def test_hosts_that_do_not_say_where_the_package_is_have_so_long_and_no_longer(
    web: Web, registry: CratesIo, machine: Machine
) -> None:
    publish_crate(registry, repository="https://gitlab.com/o/hello")
    web.sites["gitlab.com"] = lambda _: Answer(stall_after=-1)
    began = time.monotonic()
    run = machine.install("hello", "-y", "--maximum-resolution-timeout", "1").expect(68)
    assert "took longer than 1 s" in run.err
    assert "--maximum-resolution-timeout" in run.err
    assert time.monotonic() - began < 20


def test_requests_begin_no_faster_than_the_user_says(
    web: Web, registry: CratesIo, machine: Machine
) -> None:
    publish_crate(registry, repository="https://bitbucket.org/o/hello", metadata={"pkg-fmt": "zip"})
    began = time.monotonic()
    machine.install("hello", "-y", "--rate-limit", "1000/7").expect(94)
    asked = len(web.log)
    assert asked > 10
    assert time.monotonic() - began >= (asked - 1) // 7


@pytest.mark.parametrize("rate", ["0", "10/0", "65536", "x", "10/", "-1", "1/2/3", ""])
def test_what_is_no_rate_is_a_usage_error(machine: Machine, rate: str) -> None:
    machine.install("hello", f"--rate-limit={rate}").expect(2)
    machine.environment["BINSTALL_RATE_LIMIT"] = rate
    machine.install("hello").expect(2)


@pytest.mark.parametrize("seconds", ["0", "65536", "x", ""])
def test_what_is_no_time_is_a_usage_error(machine: Machine, seconds: str) -> None:
    machine.install("hello", f"--maximum-resolution-timeout={seconds}").expect(2)
