"""What is refused, with which exit code, and that nothing is left behind by it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from binstall.artifact import NEW_HASH
from binstall.formats.package_format import PackageFormat
from binstall.hosting.answer import Answer, plain
from binstall.hosting.packing import build_crate, build_package
from binstall.hosting.request import Request
from binstall.signing.minisign_keys import generate, sign_digest
from support_machine import Machine, Run
from support_registry import TARGET, Publisher, Release

Tamper = Callable[[Publisher, Release], None]


def refused(machine: Machine, code: int, *words: str, crate: str = "hello") -> Run:
    """Install, insist on the code, on one error in two lines, and on an untouched machine."""
    before = machine.files()
    run = machine.install(crate, *words).expect(code)
    assert machine.files() == before
    assert run.out == ""
    assert len(re.findall(r"^error: ", run.err, re.MULTILINE)) == 1
    return run


def _flip(data: bytes) -> bytes:
    return data[:-20] + bytes([data[-20] ^ 1]) + data[-19:]


def _another_key(publisher: Publisher, release: Release) -> None:
    package = publisher.host.content(release.package_path)
    digest = NEW_HASH["blake2b"]()
    digest.update(package)
    publisher.host.put(release.signature_path, sign_digest(generate(), digest.digest(), "by somebody else"))


def _replayed(publisher: Publisher, release: Release) -> None:
    older = publisher.release("hello", "0.9.0")
    for wanted, served in (
        (release.package_path, older.package_path),
        (release.signature_path, older.signature_path),
    ):
        publisher.host.put(wanted, publisher.host.content(served))


WRONG: dict[str, Tamper] = {
    "one bit of the package": lambda p, r: p.tamper(r.package_path, _flip),
    "a package cut short": lambda p, r: p.tamper(r.package_path, lambda data: data[:-1]),
    "bytes after the package": lambda p, r: p.tamper(r.package_path, lambda data: data + b"\0"),
    "an empty package": lambda p, r: p.tamper(r.package_path, lambda _: b""),
    "another key": _another_key,
    "an older release": _replayed,
    "the trusted comment": lambda p, r: p.tamper(
        r.signature_path, lambda data: data.replace(b"version:1.0.0", b"version:9.9.9")
    ),
    "an error page as signature": lambda p, r: p.tamper(
        r.signature_path, lambda _: b"<html>not found</html>"
    ),
    "an empty signature": lambda p, r: p.tamper(r.signature_path, lambda _: b""),
    "an endless signature": lambda p, r: p.tamper(r.signature_path, lambda data: data + b"\n" * 20_000),
    "a second signature": lambda p, r: p.tamper(r.signature_path, lambda data: data * 2),
    "bytes as signature": lambda p, r: p.tamper(r.signature_path, lambda _: bytes(range(256))),
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("words", [(), ("--only-signed",)], ids=["default", "only-signed"])
def test_a_wrong_signature_is_40(
    publisher: Publisher, machine: Machine, what: str, words: tuple[str, ...]
) -> None:
    release = publisher.release("hello", "1.0.0")
    WRONG[what](publisher, release)
    run = refused(machine, 40, *words, crate="hello@1.0.0")
    assert release.package_url in run.err, "the URL that served it is named"


def test_a_manifest_that_names_another_key_is_40(publisher: Publisher, machine: Machine) -> None:
    other = generate()
    publisher.release("hello", "1.0.0", metadata={"signing": {"pubkey": other.public_key.base64}})
    run = refused(machine, 40)
    assert other.public_key.shown_id in run.err
    assert publisher.key.public_key.shown_id in run.err


@pytest.mark.parametrize(
    "pubkey", ["", "RW", "ssh-ed25519 AAAA", "RWQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]
)
def test_a_key_that_is_none_is_40(publisher: Publisher, machine: Machine, pubkey: str) -> None:
    publisher.release("hello", "1.0.0", metadata={"signing": {"pubkey": pubkey}})
    refused(machine, 40)


@pytest.mark.parametrize("status", [404, 410])
def test_a_declared_signature_that_is_not_there_is_41(
    publisher: Publisher, machine: Machine, status: int
) -> None:
    release = publisher.release("hello", "1.0.0")
    publisher.host.on_request = lambda request: (
        plain(status, "gone") if request.path == release.signature_path else None
    )
    assert release.signature_url in refused(machine, 41).err


@pytest.mark.parametrize("status", [401, 403, 400])
def test_a_declared_signature_that_is_refused_is_68(
    publisher: Publisher, machine: Machine, status: int
) -> None:
    release = publisher.release("hello", "1.0.0")
    publisher.host.on_request = lambda request: (
        plain(status, "no") if request.path == release.signature_path else None
    )
    assert release.signature_url in refused(machine, 68).err


def test_a_refusal_does_not_lead_to_the_next_target(publisher: Publisher, machine: Machine) -> None:
    good = publisher.release("hello", "1.0.0", target="x86_64-unknown-linux-gnu")
    bad = publisher.release("hello", "1.0.0")
    publisher.tamper(bad.package_path, _flip)
    words = ("--targets", f"{TARGET},x86_64-unknown-linux-gnu")
    before = machine.files()
    machine.run("install", "hello", *words).expect(40)
    assert machine.files() == before
    assert good.package_path not in [exchange.request.path for exchange in publisher.host.exchanges]


def test_an_absent_package_leads_to_the_next_target_whatever_lies_in_its_signatures_place(
    publisher: Publisher, machine: Machine
) -> None:
    absent = publisher.release("hello", "1.0.0")
    publisher.release("hello", "1.0.0", target="x86_64-unknown-linux-gnu")
    publisher.host.remove(absent.package_path)
    publisher.host.put(absent.signature_path, b"<html>")
    words = ("--targets", f"{TARGET},x86_64-unknown-linux-gnu")
    assert "x86_64-unknown-linux-gnu" in machine.run("install", "hello", *words).expect(0).err


def test_no_package_anywhere_is_94(publisher: Publisher, machine: Machine) -> None:
    release = publisher.release("hello", "1.0.0")
    publisher.host.remove(release.package_path)
    publisher.host.remove(release.signature_path)
    assert release.package_url in refused(machine, 94).err


@pytest.mark.parametrize(
    ("status", "header"), [(403, {}), (401, {}), (403, {"x-ratelimit-remaining": "0"})]
)
def test_a_refused_package_is_68_and_named(
    publisher: Publisher, machine: Machine, status: int, header: dict[str, str]
) -> None:
    release = publisher.release("hello", "1.0.0")
    publisher.host.on_request = lambda request: (
        plain(status, "no", header) if request.path == release.package_path else None
    )
    assert release.package_url in refused(machine, 68).err


def test_a_package_that_never_comes_whole_is_68(publisher: Publisher, machine: Machine) -> None:
    release = publisher.release("hello", "1.0.0")

    def cut(request: Request) -> Answer | None:
        if request.path != release.package_path:
            return None
        return replace(publisher.host.answer(request), truncate_after=10)

    publisher.host.on_request = cut
    refused(machine, 68)


def test_a_crate_that_is_not_the_one_of_the_index_is_76_before_it_is_opened(
    publisher: Publisher, machine: Machine
) -> None:
    release = publisher.release("hello", "1.0.0")
    publisher.tamper(release.crate_path, lambda data: data + b"\0")
    assert "SHA-256" in refused(machine, 76).err
    publisher.host.put(release.crate_path, b"never a gzip file")
    assert "SHA-256" in refused(machine, 76).err


def test_an_unknown_crate_or_version_is_76(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0")
    refused(machine, 76, crate="helo")
    assert "1.0.0" in refused(machine, 76, crate="hello@2").err


@pytest.mark.parametrize(
    ("signing", "word"),
    [
        ({"algorithm": None}, "algorithm"),
        ({"pubkey": None}, "pubkey"),
        ({"algorithm": "rot13"}, "rot13"),
        ({"pub-key": "RW"}, "pubkey"),
    ],
    ids=["no algorithm", "no pubkey", "unknown algorithm", "unknown key"],
)
def test_half_a_signing_table_is_76(
    publisher: Publisher, machine: Machine, signing: dict[str, object], word: str
) -> None:
    publisher.release("hello", "1.0.0", metadata={"signing": signing})
    assert word in refused(machine, 76).err


def test_half_a_signing_table_of_another_target_is_a_warning(
    publisher: Publisher, machine: Machine
) -> None:
    publisher.release(
        "hello",
        "1.0.0",
        metadata={"overrides": {"x86_64-pc-windows-msvc": {"signing": {"algorithm": "minisign"}}}},
    )
    assert "warning" in machine.install("hello").expect(0).err


def test_skip_signatures_lets_half_a_signing_table_pass_loudly(
    publisher: Publisher, machine: Machine
) -> None:
    publisher.release("hello", "1.0.0", metadata={"signing": {"pubkey": None}})
    assert "warning" in machine.install("hello", "--skip-signatures", "-y").expect(0).err


@pytest.mark.parametrize("name", ["signature", "sign", "Signing", "sining", "signed"])
def test_a_near_miss_of_signing_is_an_error_that_names_it(
    publisher: Publisher, machine: Machine, name: str
) -> None:
    table = {"algorithm": "minisign", "pubkey": publisher.key.public_key.base64}
    publisher.release("hello", "1.0.0", sign=False, metadata={name: table})
    assert "`signing`" in refused(machine, 76, "-y").err


def test_a_signature_in_a_form_of_the_future_is_41(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0", metadata={"signatures": [{"algorithm": "sigstore"}]})
    refused(machine, 41)


def test_a_name_mismatch_can_be_allowed_for_one_crate(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0", trusted_comment="timestamp:1\tfile:other.tgz\thashed")
    refused(machine, 40)
    refused(machine, 40, "--allow-name-mismatch", "other")
    assert "other.tgz" in machine.install("hello", "--allow-name-mismatch", "hello").expect(0).err


def test_a_comment_without_fields_binds_nothing_and_passes(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0", trusted_comment="gh=x git=y run=z")
    machine.install("hello").expect(0)


def test_foreign_text_cannot_forge_a_line_or_speak_to_ci(publisher: Publisher, machine: Machine) -> None:
    comment = "::error::\u202egnissim ##[command]x ##vso[task] \u200bend"
    publisher.release("hello", "1.0.0", trusted_comment=comment)
    said = machine.install("hello").expect(0).err
    assert "\\u{202e}" in said
    assert "\\u{200b}" in said
    for bad in ("\u202e", "\u200b", "##[", "##vso[", "\n::"):
        assert bad not in said


ARCHIVES: dict[str, dict[str, bytes]] = {
    "a path above": {"../hello": b"#!/bin/sh\n"},
    "an absolute path": {"/hello": b"#!/bin/sh\n"},
    "twice the same": {"hello": b"1", "./hello": b"2"},
    "differing in case": {"hello": b"1", "HELLO": b"2"},
    "a back-slash": {"hello": b"1", "a\\b": b"2"},
    "nothing of it": {"README": b"x"},
}


@pytest.mark.parametrize("what", ARCHIVES)
@pytest.mark.parametrize("package_format", [PackageFormat.TGZ, PackageFormat.ZIP])
def test_a_hostile_or_incomplete_archive_is_88(
    publisher: Publisher, machine: Machine, what: str, package_format: PackageFormat
) -> None:
    package = build_package(package_format, ARCHIVES[what])
    publisher.release("hello", "1.0.0", package=package, package_format=package_format)
    refused(machine, 88)


@pytest.mark.parametrize("package_format", list(PackageFormat))
def test_every_format_is_unpacked(
    publisher: Publisher, machine: Machine, package_format: PackageFormat
) -> None:
    publisher.release("hello", "1.0.0", package_format=package_format)
    machine.install("hello").expect(0)
    assert (machine.bin / "hello").read_bytes().startswith(b"#!/bin/sh")


@pytest.mark.parametrize(
    "package_format", [each for each in PackageFormat if each is not PackageFormat.BIN]
)
def test_a_broken_archive_with_a_good_signature_is_88(
    publisher: Publisher, machine: Machine, package_format: PackageFormat
) -> None:
    whole = build_package(package_format, {"hello": b"#!/bin/sh\n" * 1000})
    publisher.release("hello", "1.0.0", package=whole[: len(whole) // 2], package_format=package_format)
    refused(machine, 88)


def test_a_binary_name_that_is_a_path_is_76(publisher: Publisher, machine: Machine) -> None:
    release = publisher.release("hello", "1.0.0")
    manifest = release.manifest + '\n[[bin]]\nname = "../evil"\npath = "src/main.rs"\n'
    from binstall.hosting.static_registry import PublishedCrate, publish

    crate = PublishedCrate("hello", "1.0.0", build_crate(manifest, {"src/main.rs": b""}))
    publisher.host.put_all(publish(publisher.host.base_url, [crate]))
    assert "../evil" in refused(machine, 76).err


def test_a_manifest_over_plain_http_loopback_is_as_good_as_https(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("plain")
    machine = Machine(folder)
    with Publisher(folder, tls=False) as publisher:
        publisher.release("hello", "1.0.0")
        machine.install("hello", "--index", publisher.index_url).expect(76)
        run = machine.install("hello", "--index", publisher.index_url, "--allow-insecure-http").expect(0)
        assert "signed by its publisher" in run.err


def test_an_unknown_certificate_is_named_with_its_issuer_and_the_roots(
    publisher: Publisher, machine: Machine
) -> None:
    publisher.release("hello", "1.0.0")
    (machine.root / "config.toml").unlink()
    run = machine.install("hello", "--index", publisher.index_url).expect(76)
    assert "issued by" in run.err
    assert "the system's store" in run.err


def test_usage_errors_are_2_and_name_the_help(machine: Machine) -> None:
    for words in (
        ["install"],
        ["install", "--nonsense", "x"],
        ["install", "a", "b", "--version", "1"],
        ["install", "a", "--root", "x", "--root", "y"],
        ["install", "a@nonsense"],
        ["install", "../a"],
        ["nonsense-command", "x", "y"],
        ["install", "a", "-q", "-v"],
    ):
        machine.run(*words).expect(2)
    machine.run("install", "a@1", "--version", "1").expect(84)
    assert "binstall install ripgrep" in machine.run("ripgrep").expect(2).err
    machine.environment["BINSTALL_NO_CONFIRM"] = "1"
    assert "BINSTALL_NO_CONFIRM" in machine.run("install", "a").expect(2).err
    del machine.environment["BINSTALL_NO_CONFIRM"]
    machine.run("install", "a", "--targets", "nonsense").expect(97)
