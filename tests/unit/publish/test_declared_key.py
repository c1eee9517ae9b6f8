"""What a manifest demands of a file of some name."""

from __future__ import annotations

import pytest

from binstall.errors import LocalManifestError, MissingSignature, UnsupportedSignature
from binstall.formats.manifest import Manifest, parse_manifest
from binstall.publish.declared_key import DeclaredKey

ONE, TWO = "x86_64-unknown-linux-musl", "aarch64-apple-darwin"


def manifest(body: str) -> Manifest:
    head = '[package]\nname = "hello"\nversion = "1.2.3"\n\n[package.metadata.binstall]\n'
    return parse_manifest(head + body, {"src/main.rs"})


def signing(pubkey: str, where: str = "signing", more: str = "") -> str:
    table = f"[package.metadata.binstall.{where}]"
    return f'{table}\nalgorithm = "minisign"\npubkey = "{pubkey}"\n{more}\n'


def pkg_url(name: str) -> str:
    return f'pkg-url = "https://example.com/{name}.tgz"\n'


def test_target_key_and_names_come_from_what_leads_to_the_file() -> None:
    declared = pkg_url("{ name }-{ target }") + signing("BASE") + signing("MAC", f"overrides.{TWO}.signing")
    keys = DeclaredKey(manifest(declared))
    (one,), (two,) = keys.demands(f"hello-{ONE}.tgz"), keys.demands(f"hello-{TWO}.tgz")
    assert (one.public_key, one.expected.target) == ("BASE", ONE)
    assert (two.public_key, two.expected.target) == ("MAC", TWO)
    assert one.signature_names == (f"hello-{ONE}.tgz.sig",)
    assert (one.expected.file_name, one.expected.crate, one.expected.version) == (
        f"hello-{ONE}.tgz",
        "hello",
        "1.2.3",
    )
    assert not one.allow_name_mismatch


def test_a_name_that_several_targets_share_may_be_for_any_of_them() -> None:
    keys = DeclaredKey(manifest(pkg_url("{ name }-{ target-arch }-{ os-name }") + signing("BASE")))
    demands = keys.demands("hello-x86_64-linux.tgz")
    targets = {demand.expected.target for demand in demands}
    assert {"x86_64-unknown-linux-gnu", ONE} <= targets
    assert not [target for target in targets if target is None or "linux" not in target]


def test_a_file_to_which_nothing_leads_has_the_base_key_and_the_usual_names() -> None:
    keys = DeclaredKey(manifest(pkg_url("{ name }-{ target }") + signing("BASE")))
    (demand,) = keys.demands("other.zip")
    assert (demand.public_key, demand.expected.target, demand.expected.crate) == ("BASE", None, "hello")
    assert demand.signature_names == ("other.zip.sig", "other.zip.minisig")


def test_a_key_that_came_over_plain_http_proves_nothing() -> None:
    keys = DeclaredKey(manifest(pkg_url("{ target }") + signing("BASE")), key_is_authentic=False)
    with pytest.raises(MissingSignature, match="plain http"):
        keys.demands(f"{ONE}.tgz")


@pytest.mark.parametrize("name", [f"{ONE}.tgz", "other.zip"], ids=["led to", "not led to"])
def test_what_this_version_cannot_verify_is_never_let_pass(name: str) -> None:
    table = "[[package.metadata.binstall.signatures]]\nkind = 1\n"
    with pytest.raises(UnsupportedSignature):
        DeclaredKey(manifest(pkg_url("{ target }") + table)).demands(name)
    with pytest.raises(MissingSignature):
        DeclaredKey(manifest(pkg_url("{ target }"))).demands(name)


@pytest.mark.parametrize("end", ["..", "a%2Fb", "..%2F..%2Fetc%2Fpasswd", "", "a%5Cb"])
def test_the_manifest_cannot_lead_out_of_the_folder_for_a_signature(end: str) -> None:
    more = f'file = "https://example.com/x/{end}"'
    keys = DeclaredKey(manifest(pkg_url("{ target }") + signing("BASE", more=more)))
    try:
        demands = keys.demands(f"{ONE}.tgz")
    except LocalManifestError:
        return
    for demand in demands:
        assert not [n for n in demand.signature_names if "/" in n or "\\" in n or n in {"", ".", ".."}]
