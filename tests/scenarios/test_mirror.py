"""What a machine that reaches only a mirror gets: the publisher's packages, judged by the publisher's key."""

from __future__ import annotations

import pytest

from binstall.hosting.answer import Answer
from binstall.hosting.request import Request
from support_machine import Machine
from support_registry import Publisher, Release

ORIGINAL = "https://packages.invalid/gh/"
"""A host that no machine reaches."""
PKG_URL = ORIGINAL + "releases/{ name }/{ version }/{ name }-{ version }-{ target }.tgz"


def _mirror(machine: Machine, to: str, more: str = "", *, original: str = ORIGINAL) -> None:
    (machine.root / "binstall.toml").write_text(f'[[mirror]]\nfrom = "{original}"\nto = "{to}"\n{more}\n')


def _release(publisher: Publisher, name: str = "hello") -> Release:
    return publisher.release(name, "1.0.0", metadata={"pkg-url": PKG_URL})


def test_a_package_comes_from_the_mirror_and_counts_as_the_originals(
    publisher: Publisher, machine: Machine
) -> None:
    _release(publisher)
    machine.install("hello").expect(68)
    _mirror(machine, f"{publisher.host.base_url}/")
    run = machine.install("hello").expect(0)
    assert "from packages.invalid" in run.err
    assert "verified" in run.err
    (records,) = machine.root.rglob("crates-v1.json")
    assert "https://packages.invalid/gh/releases/hello" in records.read_text()
    assert f"{publisher.host.base_url}/releases" not in records.read_text()


def test_a_mirror_that_changes_a_package_is_found_out(publisher: Publisher, machine: Machine) -> None:
    release = _release(publisher)
    _mirror(machine, f"{publisher.host.base_url}/")
    publisher.tamper(release.package_path, lambda data: data[:-1] + b"!")
    machine.install("hello").expect(40)
    assert not (machine.bin / "hello").exists()


def test_the_file_name_that_was_signed_is_that_of_the_original(
    publisher: Publisher, machine: Machine
) -> None:
    release = _release(publisher)
    other = publisher.release("hello", "2.0.0", metadata={"pkg-url": PKG_URL})
    for old, new in (
        (release.package_path, other.package_path),
        (release.signature_path, other.signature_path),
    ):
        publisher.host.put(new, publisher.host.content(old))
    _mirror(machine, f"{publisher.host.base_url}/")
    assert "hello-2.0.0" in machine.install("hello").expect(40).err.splitlines()[-2]


def test_user_info_of_the_original_stays_at_home(publisher: Publisher, machine: Machine) -> None:
    _release(publisher)
    _mirror(machine, f"{publisher.host.base_url}/")
    url = PKG_URL.replace("https://", "https://user:secret@")
    machine.install("hello", "--pkg-url", url).expect(0)
    for exchange in publisher.host.exchanges:
        assert "authorization" not in exchange.request.headers
        assert "secret" not in (exchange.request.path or "")


def test_a_redirect_to_the_original_leads_to_the_mirror_again(
    publisher: Publisher, machine: Machine
) -> None:
    release = _release(publisher)

    def redirect(request: Request) -> Answer | None:
        moved = (request.path or "").removeprefix("/moved")
        if moved == request.path:
            return None
        return Answer(302, {"location": f"https://packages.invalid/gh{moved}"})

    publisher.host.on_request = redirect
    _mirror(
        machine,
        f"{publisher.host.base_url}/moved/",
        f'[[mirror]]\nfrom = "{ORIGINAL}releases/hello/1.0.0/"\nto = "{publisher.host.base_url}/moved/releases/'
        'hello/1.0.0/"',
    )
    run = machine.install("hello").expect(68)
    assert "redirects more than" in run.err
    (machine.root / "binstall.toml").unlink()
    _mirror(machine, f"{publisher.host.base_url}/")
    moved = f"{publisher.host.base_url}/moved{release.package_path}"
    machine.install("hello", "--pkg-url", moved).expect(0)


@pytest.mark.parametrize(("fallback", "code"), [("", 94), ("fallback = true", 0)])
def test_the_original_is_asked_only_where_the_rule_says_so(
    publisher: Publisher, machine: Machine, fallback: str, code: int
) -> None:
    publisher.release("hello", "1.0.0")
    _mirror(
        machine,
        f"{publisher.host.base_url}/nothing/",
        fallback,
        original=f"{publisher.host.base_url}/releases/",
    )
    machine.install("hello").expect(code)
    asked = [exchange.request.path or "" for exchange in publisher.host.exchanges]
    assert any(path.startswith("/nothing/") for path in asked)
    assert any(path.startswith("/releases/") for path in asked) == (code == 0)


def test_keys_of_an_index_that_comes_from_a_mirror_prove_nothing(
    publisher: Publisher, machine: Machine
) -> None:
    publisher.release("hello", "1.0.0")
    _mirror(machine, f"{publisher.host.base_url}/index/", original="https://index.invalid/")
    words = ("hello", "--index", "sparse+https://index.invalid/")
    run = machine.install(*words).expect(32)
    assert "UNSIGNED" in run.err
    assert "[[mirror]]" in run.err
    machine.install(*words, "--only-signed", "-y").expect(41)


def test_a_broken_settings_file_with_rules_ends_the_run(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0")
    (machine.root / "binstall.toml").write_text("confirm = 1\n[[mirror]]\n")
    machine.install("hello").expect(16)
    assert not publisher.host.exchanges
