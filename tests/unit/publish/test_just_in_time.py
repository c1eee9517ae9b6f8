"""A key for one release: made, used, stamped, forgotten; and never a second one for a published version."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from binstall.errors import (
    BinstallError,
    LocalIOError,
    LocalManifestError,
    RegistryError,
    TemplateError,
    UsageError,
)
from binstall.formats.manifest import Manifest
from binstall.publish.cargo_package import open_package
from binstall.publish.file_facts import facts_of
from binstall.publish.just_in_time import Comments, PublishedVersion, Release, sign_just_in_time
from binstall.publish.stamp import SigningSection, stamp
from binstall.signing.minisign_keys import SecretKey, generate
from signature_vectors import minisign, needs_minisign
from support_files import tree
from support_keys import posix_only
from support_sign import GNU, MANIFEST, NAMES, crate, judged, release_files

NOW = 1_769_860_800


class Publisher:
    """One crate with its files, and the registry's answer."""

    def __init__(self, folder: Path, manifest: str = MANIFEST) -> None:
        self.folder = folder
        crate(folder, manifest)
        self.files = release_files(folder / "dist")
        self.published: PublishedVersion | None = None
        self.asked: list[str] = []
        self.warnings: list[str] = []

    @property
    def text(self) -> str:
        return (self.folder / "Cargo.toml").read_bytes().decode()

    @property
    def section(self) -> Any:
        return tomllib.loads(self.text)["package"]["metadata"]["binstall"].get("signing")

    def ask(self, manifest: Manifest) -> PublishedVersion | None:
        self.asked.append(f"{manifest.name} {manifest.version}")
        return self.published

    def run(
        self, *files: Path, comments: Comments | None = None, force: bool = False, **more: Any
    ) -> Release:
        return sign_just_in_time(
            open_package(self.folder, None),
            files or self.files,
            comments or Comments(NOW),
            force=force,
            warn=self.warnings.append,
            **{"ask": self.ask, **more},
        )

    def accepted(self) -> None:
        """See that an installer accepts every file, by the manifest that now stands."""
        manifest = open_package(self.folder, None).manifest()
        for file in self.files:
            facts = facts_of(file.name, manifest)
            (signing,) = facts.signings
            assert facts.signature_name is not None
            judged(file, file.with_name(facts.signature_name), signing.pubkey, facts.expected)


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path)


def test_a_release_is_signed_and_stamped_and_the_key_is_gone(publisher: Publisher) -> None:
    release = publisher.run()
    assert publisher.asked == ["hello 1.2.3"]
    assert publisher.section == {"algorithm": "minisign", "pubkey": release.public_key, "release": "1.2.3"}
    assert publisher.text == stamp(MANIFEST, SigningSection(release.public_key, release="1.2.3"))
    publisher.accepted()
    assert [one.signature_path.name for one in release.files] == [f"{name}.sig" for name in NAMES]
    assert release.files[0].evidence.trusted_comment == (
        f"timestamp:{NOW}\tfile:{NAMES[0]}\thashed\tcrate:hello\tversion:1.2.3\ttarget:{GNU}"
    )
    assert (release.was_complete, release.is_published, publisher.warnings) == (False, False, [])
    for thing in gc.get_objects():
        if isinstance(thing, SecretKey) and thing.public_key.base64 == release.public_key:
            assert not any(thing.seed)


@needs_minisign
def test_minisign_accepts_the_release(publisher: Publisher) -> None:
    publisher.run()
    for file in publisher.files:
        done = minisign("-V", "-H", "-P", publisher.section["pubkey"], "-x", f"{file}.sig", "-m", file)
        assert done.returncode == 0, done


def test_a_run_that_is_repeated_changes_nothing(publisher: Publisher) -> None:
    release = publisher.run()
    before = tree(publisher.folder)
    times = {path: path.stat().st_mtime_ns for path in publisher.folder.rglob("*")}
    for again in (publisher.run(), publisher.run(force=True), publisher.run(publisher.files[1])):
        assert (again.was_complete, again.is_published) == (True, False)
        assert (again.public_key, again.key_id) == (release.public_key, release.key_id)
    assert tree(publisher.folder) == before
    assert {path: path.stat().st_mtime_ns for path in publisher.folder.rglob("*")} == times


def test_without_an_answer_nobody_is_asked(publisher: Publisher) -> None:
    publisher.run(ask=None)
    assert publisher.asked == []
    publisher.accepted()


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("stands", [False, True])
def test_a_published_version_gets_no_second_key(force: bool, stands: bool, publisher: Publisher) -> None:
    if stands:
        publisher.run()
    publisher.published = PublishedVersion("crates.io", generate().public_key.base64)
    before = tree(publisher.folder)
    with pytest.raises(RegistryError, match=r"hello 1\.2\.3 is published already in crates\.io") as raised:
        publisher.run(force=force)
    assert ("another key" in raised.value.message) == stands
    assert tree(publisher.folder) == before


def test_what_stands_and_is_published_is_said_so_and_left(publisher: Publisher) -> None:
    release = publisher.run()
    before = tree(publisher.folder)
    publisher.published = PublishedVersion("crates.io", release.public_key)
    again = publisher.run()
    assert (again.was_complete, again.is_published) == (True, True)
    publisher.published = PublishedVersion("crates.io", None)
    with pytest.raises(RegistryError):
        publisher.run()
    assert tree(publisher.folder) == before


def test_a_registry_that_cannot_be_asked_ends_the_run_before_anything_is_done(publisher: Publisher) -> None:
    def ask(manifest: Manifest) -> PublishedVersion | None:
        raise RegistryError("no answer")

    before = tree(publisher.folder)
    with pytest.raises(RegistryError, match="no answer"):
        publisher.run(ask=ask)
    assert tree(publisher.folder) == before


def _signature_lost(publisher: Publisher) -> None:
    publisher.files[1].with_name(f"{NAMES[1]}.sig").unlink()


def _signature_damaged(publisher: Publisher) -> None:
    path = publisher.files[0].with_name(f"{NAMES[0]}.sig")
    path.write_bytes(path.read_bytes().replace(b"hashed", b"hasheD"))


def _rebuilt(publisher: Publisher) -> None:
    publisher.files[1].write_bytes(b"another build")


def _stamp_lost(publisher: Publisher) -> None:
    (publisher.folder / "Cargo.toml").write_bytes(MANIFEST.encode())


def _stamp_half_lost(publisher: Publisher) -> None:
    text = "".join(line for line in publisher.text.splitlines(keepends=True) if "pubkey" not in line)
    (publisher.folder / "Cargo.toml").write_bytes(text.encode())


@pytest.mark.parametrize(
    "damage", [_signature_lost, _signature_damaged, _rebuilt, _stamp_lost, _stamp_half_lost]
)
def test_an_unfinished_run_is_started_over_with_a_new_key(
    damage: Callable[[Publisher], None], publisher: Publisher
) -> None:
    first = publisher.run()
    damage(publisher)
    second = publisher.run()
    assert second.public_key != first.public_key and not second.was_complete
    assert publisher.section["pubkey"] == second.public_key
    publisher.accepted()


def test_the_stamp_of_an_earlier_version_is_replaced(publisher: Publisher) -> None:
    first = publisher.run()
    (publisher.folder / "Cargo.toml").write_bytes(publisher.text.replace("1.2.3", "1.2.4", 1).encode())
    publisher.files = release_files(
        publisher.folder / "dist", tuple(name.replace("1.2.3", "1.2.4") for name in NAMES)
    )
    second = publisher.run(force=False)
    assert publisher.asked[-1] == "hello 1.2.4"
    assert publisher.section == {"algorithm": "minisign", "pubkey": second.public_key, "release": "1.2.4"}
    assert second.public_key != first.public_key
    publisher.accepted()


def test_a_section_that_is_not_ours_needs_force(tmp_path: Path) -> None:
    key = generate().public_key.base64
    publisher = Publisher(tmp_path, stamp(MANIFEST, SigningSection(key, file="{ url }.minisig")))
    before = tree(tmp_path)
    with pytest.raises(LocalManifestError, match="not made for one release"):
        publisher.run()
    assert tree(tmp_path) == before
    release = publisher.run(force=True)
    assert publisher.section == {
        "algorithm": "minisign",
        "pubkey": release.public_key,
        "file": "{ url }.minisig",
        "release": "1.2.3",
    }
    assert release.files[0].signature_path.name == f"{NAMES[0]}.minisig"
    publisher.accepted()


def test_a_file_that_is_not_named_again_does_not_lose_its_key_unseen(publisher: Publisher) -> None:
    publisher.run()
    publisher.files[0].write_bytes(b"another build")
    before = tree(publisher.folder)
    with pytest.raises(UsageError, match=f"{NAMES[1]}.sig is by key"):
        publisher.run(publisher.files[0])
    assert tree(publisher.folder) == before
    publisher.run(publisher.files[0], force=True)
    with pytest.raises(BinstallError):
        publisher.accepted()


def test_an_override_with_another_key_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    override = (
        f'[package.metadata.binstall.overrides.{GNU}.signing]\nalgorithm = "minisign"\npubkey = "RW"\n'
    )
    publisher = Publisher(tmp_path, MANIFEST + override)
    before = tree(tmp_path)
    with pytest.raises(LocalManifestError, match=f"another key for {NAMES[0]}"):
        publisher.run()
    assert tree(tmp_path) == before


def test_a_file_that_no_installer_asks_for_is_signed_with_a_warning(publisher: Publisher) -> None:
    (extra,) = release_files(publisher.folder / "dist", ("SHA256SUMS",))
    publisher.run(*publisher.files, extra)
    assert len(publisher.warnings) == 1 and "SHA256SUMS" in publisher.warnings[0]
    judged(extra, extra.with_name("SHA256SUMS.sig"), publisher.section["pubkey"])


def test_the_trusted_comment_is_rendered_for_all_files(publisher: Publisher) -> None:
    comments = Comments(NOW, "{ name } {version} \\{{ git }\\} { run }", {"git": "abc", "run": "7"}, "ours")
    release = publisher.run(comments=comments)
    assert {one.evidence.trusted_comment for one in release.files} == {"hello 1.2.3 {abc} 7"}
    assert release.files[0].signature_path.read_text().startswith("untrusted comment: ours\n")


@pytest.mark.parametrize(
    ("trusted", "values", "error", "words"),
    [
        pytest.param("{ git }", {}, TemplateError, "`git`, which has no value", id="no git"),
        pytest.param("{ run }", {"git": "x"}, TemplateError, "`run`, which has no value", id="no run"),
        pytest.param("{ target }", {}, TemplateError, "`target`", id="a key of other templates"),
        pytest.param("{ name", {}, TemplateError, "without its", id="no template"),
        pytest.param(
            "{ run }", {"run": "1\tversion:9"}, TemplateError, "cannot stand", id="a TAB in a value"
        ),
        pytest.param(
            "{ run }", {"run": "1\n2"}, TemplateError, "cannot stand", id="a line break in a value"
        ),
        pytest.param("version:9.9.9", {}, UsageError, "installers would refuse", id="another version"),
        pytest.param("a\nb", {}, UsageError, "line break", id="a line break"),
    ],
)
def test_a_comment_of_no_use_ends_the_run_before_anything_is_done(
    trusted: str, values: dict[str, str], error: type[BinstallError], words: str, publisher: Publisher
) -> None:
    before = tree(publisher.folder)
    with pytest.raises(error, match=words):
        publisher.run(comments=Comments(NOW, trusted, values))
    assert tree(publisher.folder) == before


def test_a_fault_after_the_stamp_takes_it_back(publisher: Publisher) -> None:
    package = open_package(publisher.folder, None)
    seen: list[str] = []

    def warn(words: str) -> None:
        seen.append(words)
        publisher.files[1].write_bytes(b"another build, while the release is being signed")

    (extra,) = release_files(publisher.folder / "dist", ("SHA256SUMS",))
    before = publisher.text
    with pytest.raises(LocalIOError, match="was changed while it was signed"):
        sign_just_in_time(
            package, (*publisher.files, extra), Comments(NOW), ask=None, force=False, warn=warn
        )
    assert seen and publisher.text == before
    assert sorted(os.listdir(publisher.folder / "dist")) == sorted([*NAMES, "SHA256SUMS"])


KILLED = """
import os, signal, sys
from pathlib import Path
from binstall.publish.cargo_package import open_package
from binstall.publish.just_in_time import Comments, sign_just_in_time
package = open_package(Path(sys.argv[2]), None)
seen = 0
def hook(event, arguments):
    global seen
    if event.startswith(("os.", "binstall.")) or (event == "open" and "dist" in str(arguments[0])):
        seen += 1
        if seen == int(sys.argv[1]):
            os.kill(os.getpid(), getattr(signal, sys.argv[3]))
sys.addaudithook(hook)
files = [Path(path) for path in sys.argv[4:]]
sign_just_in_time(package, files, Comments(0), ask=None, force=False, warn=print)
"""


@posix_only
@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT"])
def test_a_run_that_is_stopped_at_any_call_misleads_nobody_and_is_repaired_by_the_next(
    how: str, tmp_path: Path
) -> None:
    states = set()
    for number in range(1, 200):
        publisher = Publisher(tmp_path / str(number))
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                KILLED,
                str(number),
                str(publisher.folder),
                how,
                *map(str, publisher.files),
            ],
            check=False,
            capture_output=True,
        )
        signatures = sorted(path.name for path in (publisher.folder / "dist").glob("*.sig"))
        if publisher.section is None:
            assert publisher.text == MANIFEST
            assert signatures == [], "signatures without a stamp would be taken for an unsigned release"
        else:
            assert set(publisher.section) == {"algorithm", "pubkey", "release"}
        for name in signatures:
            assert (publisher.folder / "dist" / name).read_bytes().count(b"\n") == 4
        states.add((publisher.section is not None, len(signatures)))
        if done.returncode == 0:
            publisher.accepted()
            assert number > 15
            break
        assert done.returncode in {-getattr(signal, how), 1}, done
        publisher.run()
        publisher.accepted()
        left = {path.name for path in publisher.folder.rglob("*") if path.is_file()}
        left = {name for name in left if not name.startswith(".tmp-")}
        assert left == {"Cargo.toml", "main.rs", *NAMES, *(f"{name}.sig" for name in NAMES)}
    else:
        raise AssertionError("a release of two files should end before the 200th call")
    if how == "SIGKILL":
        assert {(False, 0), (True, 0), (True, 1), (True, 2)} <= states
    else:
        assert {(False, 0), (True, 2)} <= states
