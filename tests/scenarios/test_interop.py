"""Keys and signatures across tools, both directions: what one makes, the others take.

Programs are run as their users run them. `docs/` says where the tools disagree among themselves; the
signatures that a tool accepts and binstall refuses are the vectors marked `stricter_than_minisign`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from binstall.limits import MAX_NEW_TRUSTED_COMMENT_BYTES, MAX_NEW_UNTRUSTED_COMMENT_BYTES
from signature_vectors import needs_minisign
from support_keys import Ran, User, needs_age, needs_pyrage, run_tool

needs_rsign = pytest.mark.skipif(shutil.which("rsign") is None, reason="rsign is not on PATH")
PASSWORD = "pässword 1"
SPARSE_BYTES = (4 << 30) + 1
MOST_MEMORY_BYTES = 96 << 20


class Release(User):
    """A publisher's folder, and whoever verifies what is in it."""

    def path(self, name: str) -> Path:
        return self.home / name

    def write(self, name: str, content: bytes = b"content") -> str:
        self.path(name).write_bytes(content)
        return name

    def minisign(self, *words: str, typed: str = "", code: int = 0) -> str:
        """Run minisign in the folder, insist on its exit code, return what it said."""
        done = subprocess.run(
            ["minisign", *words],
            cwd=self.home,
            input=typed,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def rsign(self, *words: str) -> None:
        done = subprocess.run(
            ["rsign", *words], cwd=self.home, capture_output=True, check=False, input=b"\n"
        )
        assert done.returncode == 0, done.stderr

    def binstall(self, *words: str, variables: Mapping[str, str] | None = None, code: int = 0) -> Ran:
        """Run binstall in the folder and insist on its exit code."""
        ran = self.run(*words, variables=variables)
        assert ran.code == code, ran.out + ran.err
        return ran

    def public_key(self, name: str = "k.pub") -> str:
        return self.path(name).read_text().splitlines()[1]

    def verify_by_all(self, *files: str) -> None:
        """Have `FILE.sig` of each file judged by minisign and by binstall."""
        for file in files:
            self.minisign("-V", "-q", "-m", file, "-x", f"{file}.sig", "-p", "k.pub")
        self.binstall("verify", *files, "-p", "k.pub")


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return Release(tmp_path)


@needs_minisign
@pytest.mark.parametrize(
    "password", [None, PASSWORD, ""], ids=["no password", "password", "empty password"]
)
def test_a_key_that_minisign_makes_signs_here(release: Release, password: str | None) -> None:
    made_by = ["-G", "-s", "k.key", "-p", "k.pub"]
    typed = "" if password is None else f"{password}\n{password}\n"
    release.minisign(*made_by, *(["-W"] if password is None else []), typed=typed)
    release.write("pw", f"{password}\n".encode())
    release.write("a.tgz")
    words = [] if password is None else ["--password-file", "pw"]
    release.binstall("sign", "-q", "-s", "k.key", *words, "a.tgz")
    release.verify_by_all("a.tgz")
    assert release.binstall("pubkey", "-s", "k.key", *words).out.strip() == release.public_key()


@needs_minisign
@pytest.mark.parametrize("password", [None, PASSWORD], ids=["no password", "password"])
def test_a_key_that_is_made_here_signs_in_minisign(release: Release, password: str | None) -> None:
    release.write("pw", f"{password}\n".encode())
    protection = ["-W"] if password is None else ["--password-file", "pw"]
    release.binstall("keygen", "-q", "-s", "k.key", "-p", "k.pub", *protection)
    release.write("a.tgz")
    typed = "" if password is None else f"{password}\n"
    release.minisign("-S", "-s", "k.key", "-m", "a.tgz", "-x", "a.tgz.sig", typed=typed)
    release.verify_by_all("a.tgz")
    release.minisign("-R", "-s", "k.key", "-p", "again.pub", typed=typed)
    assert release.public_key("again.pub") == release.public_key()


@needs_minisign
def test_the_same_key_file_and_comments_give_the_same_bytes_in_both(release: Release) -> None:
    release.minisign("-G", "-W", "-s", "k.key", "-p", "k.pub")
    release.write("a.tgz")
    comments = ["-t", "timestamp:1\tfile:a.tgz\thashed", "-c", "a comment"]
    release.minisign("-S", "-s", "k.key", "-m", "a.tgz", "-x", "theirs", *comments)
    release.binstall("sign", "-q", "-s", "k.key", "a.tgz", "-x", "ours", *comments)
    assert release.path("ours").read_bytes() == release.path("theirs").read_bytes()


@needs_minisign
@pytest.mark.parametrize("signer", ["binstall", "minisign"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("empty", b"", id="empty file"),
        pytest.param("größe ✓ 文件.tar.gz", b"content", id="unicode name"),
        pytest.param("with space", b"content", id="space"),
        pytest.param("one-mib", bytes(range(256)) * 4096, id="one MiB exactly"),
        pytest.param("odd", b"x" * (256 * 1024 + 1), id="a byte more than a piece"),
    ],
)
def test_files_of_all_kinds_are_signed_and_verified(
    release: Release, signer: str, name: str, content: bytes
) -> None:
    release.minisign("-G", "-W", "-s", "k.key", "-p", "k.pub")
    release.write(name, content)
    if signer == "binstall":
        release.binstall("sign", "-q", "-s", "k.key", name)
    else:
        release.minisign("-S", "-s", "k.key", "-m", name, "-x", f"{name}.sig")
    release.verify_by_all(name)
    said = release.binstall("verify", name, "-p", "k.pub")
    assert f"file:{name}" in said.out
    assert said.err == ""
    release.write(name, content + b"x")
    release.binstall("verify", name, "-p", "k.pub", code=40)
    release.minisign("-V", "-q", "-m", name, "-x", f"{name}.sig", "-p", "k.pub", code=1)


@needs_minisign
@pytest.mark.parametrize("signer", ["binstall", "minisign"])
@pytest.mark.parametrize(
    ("option", "size", "letter"),
    [
        pytest.param("-t", MAX_NEW_TRUSTED_COMMENT_BYTES, "x", id="trusted, ASCII"),
        pytest.param("-t", MAX_NEW_TRUSTED_COMMENT_BYTES - 2, "文", id="trusted, three bytes each"),
        pytest.param("-c", MAX_NEW_UNTRUSTED_COMMENT_BYTES, "x", id="untrusted, ASCII"),
        pytest.param("-c", MAX_NEW_UNTRUSTED_COMMENT_BYTES - 1, "✓", id="untrusted, three bytes each"),
    ],
)
def test_comments_up_to_the_limits_of_both(
    release: Release, signer: str, option: str, size: int, letter: str
) -> None:
    release.minisign("-G", "-W", "-s", "k.key", "-p", "k.pub")
    release.write("a")
    comment = letter * (size // len(letter.encode()))
    assert size - 3 < len(comment.encode()) <= size
    if signer == "binstall":
        release.binstall("sign", "-q", "-s", "k.key", "a", option, comment)
        release.binstall("sign", "-q", "-s", "k.key", "a", option, comment + "four", code=2)
    else:
        release.minisign("-S", "-s", "k.key", "-m", "a", "-x", "a.sig", option, comment)
    assert comment in release.path("a.sig").read_text(encoding="utf-8")
    release.verify_by_all("a")


@needs_minisign
def test_a_refused_comment_leaves_the_signature_before_it_in_place(release: Release) -> None:
    release.minisign("-G", "-W", "-s", "k.key", "-p", "k.pub")
    release.write("a")
    release.binstall("sign", "-q", "-s", "k.key", "a")
    before = release.path("a.sig").read_bytes()
    for comment in ("line\nbreak", "control\x07", "del\x7f", "x" * 4078):
        release.binstall("sign", "-q", "-s", "k.key", "a", "-t", comment, code=2)
        assert release.path("a.sig").read_bytes() == before
    release.verify_by_all("a")


@needs_minisign
def test_many_signatures_of_minisign_in_one_run(release: Release) -> None:
    release.minisign("-G", "-W", "-s", "k.key", "-p", "k.pub")
    names = [release.write(f"file{number}", bytes([number])) for number in range(20)]
    release.minisign("-S", "-s", "k.key", "-m", *names)
    said = release.binstall("verify", *names, "-p", "k.pub")
    assert [line.partition(":")[0] for line in said.out.splitlines()[::2]] == names


@needs_minisign
def test_a_sparse_file_of_several_gib_takes_no_more_memory_than_an_empty_one(release: Release) -> None:
    release.minisign("-G", "-W", "-s", "k.key", "-p", "k.pub")
    release.write("small", b"")
    with release.path("big").open("wb") as file:
        file.truncate(SPARSE_BYTES)
    for words in (["sign", "-q", "-s", "k.key"], ["verify", "-q", "-p", "k.pub"]):
        small, big = (memory_of(release, [*words, name]) for name in ("small", "big"))
        assert big < MOST_MEMORY_BYTES
        assert big - small < 8 << 20
    release.minisign("-V", "-q", "-m", "big", "-x", "big.sig", "-p", "k.pub")


def memory_of(release: Release, words: Sequence[str]) -> int:
    """Run binstall, which has to succeed, and return the most memory that it ever had, in bytes."""
    code = (
        "import sys\n"
        "from binstall.cli.app import main\n"
        "assert main(sys.argv[1:]) == 0\n"
        "import resource\n"
        "most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "if sys.platform == 'linux':\n"  # where `ru_maxrss` begins with what the parent had
        "    status = open('/proc/self/status').read()\n"
        "    most = int(status.partition('VmHWM:')[2].split()[0])\n"
        "print(most * (1 if sys.platform == 'darwin' else 1024))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=release.home,
        env=release.environment({}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@needs_minisign
@needs_age
@needs_pyrage
def test_a_key_that_age_encrypted_signs_here_and_one_encrypted_here_opens_in_age(release: Release) -> None:
    release.minisign("-G", "-W", "-s", "k.key", "-p", "k.pub")
    one, two = (run_tool("age-keygen", "-o", release.path(name)) for name in ("one.txt", "two.txt"))
    assert (one, two) == (b"", b"")
    recipients = [
        run_tool("age-keygen", "-y", release.path(name)).decode().strip() for name in ("one.txt", "two.txt")
    ]
    plain = release.path("k.key").read_bytes()
    both = ["-r", recipients[0], "-r", recipients[1]]
    run_tool("age", *both, "-o", release.path("theirs.age"), release.path("k.key"))
    release.write("a")
    for identity in ("one.txt", "two.txt"):
        release.binstall("sign", "-q", "-s", "theirs.age", "-i", identity, "a")
        release.verify_by_all("a")
        release.path("a.sig").unlink()
    release.binstall("key", "encrypt", "k.key", *both, "-o", "ours.age")
    for identity in ("one.txt", "two.txt"):
        opened = run_tool("age", "-d", "-i", release.path(identity), release.path("ours.age"))
        assert opened == plain


@needs_rsign
def test_what_rsign_signs_is_verified_here(release: Release) -> None:
    release.rsign("generate", "-W", "-p", "k.pub", "-s", "k.key")
    release.write("a")
    release.rsign("sign", "-W", "-s", "k.key", "-x", "a.sig", "a")
    release.binstall("verify", "a", "-p", "k.pub")
    release.write("empty-line", b"\n")
    release.binstall("sign", "-q", "-s", "k.key", "--password-file", "empty-line", "a")
    release.rsign("verify", "-p", "k.pub", "-x", "a.sig", "a")


@needs_rsign
def test_what_is_made_here_is_taken_by_rsign(release: Release) -> None:
    release.binstall("keygen", "-q", "-W", "-s", "k.key", "-p", "k.pub")
    release.write("größe ✓", b"")
    release.binstall("sign", "-q", "-s", "k.key", "größe ✓")
    release.rsign("verify", "-P", release.public_key(), "-x", "größe ✓.sig", "größe ✓")
    release.rsign("sign", "-s", "k.key", "-x", "theirs", "größe ✓")
    release.binstall("verify", "größe ✓", "-x", "theirs", "-p", "k.pub")
