"""`--git`: the manifest comes from a repository, the package and its signature from where that says."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support_git import GitHost, Repository, needs_git
from support_machine import Machine
from support_net import Authority
from support_registry import TARGET, Publisher, Release

pytestmark = needs_git


def repository_of(
    tmp_path: Path, release: Release, *, version: str | None = None, into: str = ""
) -> Repository:
    """Commit the manifest of a release, as a checkout of its source would have it."""
    folder = tmp_path / "source"
    repository = Repository(folder) if folder.exists() else Repository.create(folder)
    manifest = release.manifest
    if version is not None:
        manifest = manifest.replace(f'version = "{release.version}"', f'version = "{version}"')
    repository.commit({f"{into}Cargo.toml": manifest, f"{into}src/main.rs": "fn main() {}\n"})
    return repository


@pytest.mark.parametrize("program", ["binstall", "cargo-binstall"])
@pytest.mark.parametrize("form", ["file://{}", "{}", "../../source"])
def test_a_signed_crate_of_a_repository_is_installed_and_recorded_by_its_commit(
    publisher: Publisher, machine: Machine, tmp_path: Path, program: str, form: str
) -> None:
    repository = repository_of(tmp_path, publisher.release("hello", "0.12.0"))
    words = ["--targets", TARGET, "-y", "--only-signed", "--git", form.format(repository.folder), "hello"]
    if program == "binstall":
        words.insert(0, "install")
    machine.run(*words, program=program).expect(0)
    ran = subprocess.run([machine.bin / "hello"], capture_output=True, text=True, check=True)
    assert "0.12.0" in ran.stdout
    commit = repository.git("rev-parse", "HEAD")
    recorded = (machine.root / ".crates.toml").read_text()
    assert f'"hello 0.12.0 (git+file://{repository.folder}#{commit})"' in recorded
    assert publisher.host.exchanges, "the package came from its host"
    assert not any("/index/" in (exchange.request.path or "") for exchange in publisher.host.exchanges)


def test_a_full_version_replaces_the_one_that_the_manifest_says(
    publisher: Publisher, machine: Machine, tmp_path: Path
) -> None:
    release = publisher.release("hello", "0.12.0")
    repository = repository_of(tmp_path, release, version="0.12.0-dev")
    git = ("--git", f"file://{repository.folder}")
    machine.install("hello", "--version", "0.12.0", *git).expect(0)
    assert '"hello 0.12.0 (git+file://' in (machine.root / ".crates.toml").read_text()
    run = machine.install("hello", "--version", "^0.13", "--force", *git).expect(99)
    assert "says 0.12.0-dev" in run.err


def test_a_workspace_of_two_crates_has_both(publisher: Publisher, machine: Machine, tmp_path: Path) -> None:
    one, two = publisher.release("one", "1.0.0"), publisher.release("two", "2.0.0")
    repository = repository_of(tmp_path, one, into="crates/one/")
    repository_of(tmp_path, two, into="crates/two/")
    repository.commit({"Cargo.toml": '[workspace]\nmembers = ["crates/*"]\n'})
    for name in ("one", "two"):
        machine.install(name, "--git", f"file://{repository.folder}").expect(0)
        assert (machine.bin / name).exists()
    run = machine.install("three", "--git", f"file://{repository.folder}").expect(99)
    assert "no package `three`" in run.err


@pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not on PATH")
def test_cargo_lists_and_uninstalls_what_came_from_a_repository(
    publisher: Publisher, machine: Machine, tmp_path: Path
) -> None:
    repository = repository_of(tmp_path, publisher.release("hello", "0.12.0"))
    machine.install("hello", "--git", f"file://{repository.folder}").expect(0)
    (machine.root / "config.toml").unlink()

    def cargo(*words: str) -> str:
        environment = {**machine.env(), "PATH": f"{Path(shutil.which('cargo') or '').parent}:/usr/bin:/bin"}
        environment |= {"RUSTUP_HOME": str(Path("~/.rustup").expanduser()), "CARGO_HOME": str(machine.root)}
        done = subprocess.run(
            ["cargo", *words], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    commit = repository.git("rev-parse", "HEAD")
    assert f"hello v0.12.0 (file://{repository.folder}#{commit[:8]}):\n    hello\n" in cargo(
        "install", "--list"
    )
    cargo("uninstall", "hello")
    assert not (machine.bin / "hello").exists()


def test_a_private_repository_over_https_installs_and_its_password_is_recorded_nowhere(
    publisher: Publisher, machine: Machine, tmp_path: Path
) -> None:
    repository_of(tmp_path, publisher.release("hello", "0.12.0"))
    with Authority() as authority, GitHost(tmp_path, authority, login="me:s3cret") as host:
        url = host.url("source/.git", login="me:s3cret")
        ca = ("--root-certificates", str(authority.pem_path))
        run = machine.install("-v", "hello", "--git", url, *ca).expect(0)
    assert "s3cret" not in run.out + run.err
    assert not [name for name, content in machine.files().items() if b"s3cret" in content]
    assert f"(git+{host.url('source/.git')}#" in (machine.root / ".crates.toml").read_text()


def test_a_key_that_came_over_plain_http_from_elsewhere_proves_nothing(
    publisher: Publisher, machine: Machine, tmp_path: Path
) -> None:
    repository_of(tmp_path, publisher.release("hello", "0.12.0"))
    with GitHost(tmp_path, None) as host:
        machine.install("hello", "--git", host.url("source/.git")).expect(98)
        # localhost is this machine; another name for it is anybody's.
        other = host.url("source/.git").replace("localhost", "localhost.localdomain")
        (machine.home / ".gitconfig").write_text(
            f'[url "{host.url("")}"]\n\tinsteadOf = "http://localhost.localdomain:{host.port}/"\n'
        )
        allowed = ("--allow-insecure-http", "--git", other)
        machine.install("hello", *allowed, "--only-signed").expect(41)
        machine.install("hello", "--allow-insecure-http", "--git", host.url("source/.git")).expect(0)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("file:///nowhere/at/all", 98),
        ("nowhere", 98),
        ("--upload-pack=x", 2),
        ("-x", 2),
        ("ext::sh -c 'touch proof'", 2),
        ("git://host.example/x", 2),
        ("https://127.0.0.1:9/x", 98),
    ],
)
def test_what_cannot_be_fetched_has_its_exit_code_and_leaves_nothing(
    machine: Machine, url: str, code: int
) -> None:
    before = machine.files()
    run = machine.install("hello", f"--git={url}").expect(code)
    assert run.err.startswith("error:")
    assert machine.files() == before


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_fetch_and_whatever_git_has_started(
    machine: Machine, tmp_path: Path, number: signal.Signals
) -> None:
    ssh = tmp_path / "programs" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(f"#!/bin/sh\nsleep 600 &\necho $! > {tmp_path / 'child'}\nwait\n")
    ssh.chmod(0o755)
    machine.environment = {"PATH": f"{ssh.parent}:/usr/bin:/bin"}
    before = machine.files()
    process = machine.start("install", "hello", "--git", "ssh://host.example/x")
    deadline = time.monotonic() + 30
    while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text().endswith("\n"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 32, err
    assert machine.files() == before
    stat = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}/stat")
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline, "what ssh had started lives on"
        time.sleep(0.02)


def test_a_dry_run_leaves_nothing(publisher: Publisher, machine: Machine, tmp_path: Path) -> None:
    repository = repository_of(tmp_path, publisher.release("hello", "0.12.0"))
    before = machine.files()
    machine.install("hello", "--dry-run", "--git", str(repository.folder)).expect(0)
    assert machine.files() == before


@pytest.mark.parametrize(
    "words",
    [
        ("hello", "--git", "/x", "--manifest-path", "/x"),
        ("hello", "other", "--git", "/x"),
        ("hello", "--git", "/x", "--git", "/y"),
    ],
    ids=["manifest path", "two crates", "twice"],
)
@pytest.mark.parametrize("program", ["binstall", "cargo-binstall"])
def test_what_contradicts_it_is_a_usage_error(
    machine: Machine, words: tuple[str, ...], program: str
) -> None:
    first = ("install",) if program == "binstall" else ()
    machine.run(*first, *words, program=program).expect(2)
