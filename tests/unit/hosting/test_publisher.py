"""The publisher that scenario tests stand on publishes what our own readers accept."""

from __future__ import annotations

import hashlib
import io
import ssl
import tarfile
from pathlib import Path
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

import pytest

from binstall.artifact import Download
from binstall.errors import BadSignature
from binstall.formats.index import crate_url, parse_config_json, parse_index, select_version
from binstall.formats.manifest import CliOverrides, parse_manifest
from binstall.formats.package_format import PackageFormat
from binstall.formats.target import parse_target
from binstall.formats.template import parse_template
from binstall.hosting.packing import build_package
from binstall.signing.binding import Expected, asset_name
from binstall.signing.minisign import MinisignVerifier
from binstall.signing.minisign_keys import generate
from support_registry import TARGET, Publisher

NO_OVERRIDES = CliOverrides(None, None, None)


class Client:
    """What a user has: the index URL and the authority's certificate, nothing else."""

    def __init__(self, publisher: Publisher) -> None:
        context = ssl.create_default_context(cafile=str(publisher.ca_file))
        self._opener = build_opener(ProxyHandler({}), HTTPSHandler(context=context))
        self._index = publisher.index_url.removeprefix("sparse+")

    def get(self, url: str) -> bytes:
        with self._opener.open(url, timeout=10) as response:
            body: bytes = response.read()
            return body

    def crate(self, name: str) -> bytes:
        config = parse_config_json(self.get(f"{self._index}config.json"))
        index = parse_index(self.get(f"{self._index}he/ll/{name}"), name)
        entry = select_version(index, None)
        crate = self.get(crate_url(config, entry))
        assert hashlib.sha256(crate).digest() == entry.cksum
        return crate


def manifest_of(crate: bytes) -> tuple[bytes, set[str]]:
    with tarfile.open(fileobj=io.BytesIO(crate), mode="r:gz") as archive:
        top = archive.getnames()[0].partition("/")[0]
        manifest = archive.extractfile(f"{top}/Cargo.toml")
        assert manifest is not None
        return manifest.read(), {name.removeprefix(f"{top}/") for name in archive.getnames()}


def judge(publisher: Publisher, target: str = TARGET) -> bytes:
    """Go the whole way of an installer with the formats alone; return the verified package."""
    client = Client(publisher)
    manifest = parse_manifest(*manifest_of(client.crate("hello")))
    triple = parse_target(target)
    meta = manifest.for_target(triple, NO_OVERRIDES, skip_signatures=False)
    assert meta.pkg_url is not None
    assert meta.signing is not None
    names = {"name": manifest.name, "version": str(manifest.version), **triple.template_values()}
    url = meta.pkg_url.render(names)
    package = client.get(url)
    signature = client.get(parse_template("{ url }.sig").render({"url": url}))
    expected = Expected(asset_name(url), manifest.name, str(manifest.version), target)
    verifier = MinisignVerifier(meta.signing.pubkey, signature, expected)
    verifier.judge(Download(url, io.BytesIO(package), len(package)))
    return package


def test_a_release_is_found_through_the_registry_and_verifies(tmp_path: Path) -> None:
    with Publisher(tmp_path) as publisher:
        publisher.release("hello", "1.0.0")
        release = publisher.release(
            "hello", "1.1.0", bins={"hello": b"one", "world": b"two"}, extra={"LICENSE": b"free"}
        )
        publisher.release("hello", "1.2.0", yanked=True)
        assert judge(publisher) == build_package(
            PackageFormat.TGZ, {"hello": b"one", "world": b"two", "LICENSE": b"free"}
        )
        asked = [exchange.request.path for exchange in publisher.host.exchanges]
        assert asked == [
            "/index/config.json",
            "/index/he/ll/hello",
            release.crate_path,
            release.package_path,
            release.signature_path,
        ]
        assert release.package_url == publisher.host.url(release.package_path)


@pytest.mark.parametrize("package_format", PackageFormat)
@pytest.mark.parametrize("target", [TARGET, "x86_64-pc-windows-msvc"])
def test_a_release_of_every_format_and_target_verifies(
    tmp_path: Path, package_format: PackageFormat, target: str
) -> None:
    with Publisher(tmp_path) as publisher:
        bins = {"hello": b"one"}
        publisher.release("hello", "1.0.0", bins=bins, package_format=package_format, target=target)
        judge(publisher, target)


def test_a_package_ready_made_and_another_key_are_signed_as_they_are(tmp_path: Path) -> None:
    with Publisher(tmp_path) as publisher, generate() as other:
        release = publisher.release("hello", "1.0.0", package=b"no archive at all", key=other)
        assert other.public_key.base64 in release.manifest
        assert judge(publisher) == b"no archive at all"


def refusal(publisher: Publisher) -> str | None:
    with pytest.raises(BadSignature) as refused:
        judge(publisher)
    return refused.value.reason


def test_every_tampering_shows(tmp_path: Path) -> None:
    with Publisher(tmp_path) as publisher:
        release = publisher.release("hello", "1.0.0")
        publisher.tamper(release.package_path, lambda data: data[:-1] + bytes([data[-1] ^ 1]))
        assert refusal(publisher) == "signature"
        publisher.release("hello", "1.0.0")
        publisher.tamper(release.signature_path, lambda data: data.replace(b"file:hello", b"file:hallo"))
        assert refusal(publisher) == "comment-signature"
        other = generate().public_key.base64
        publisher.release("hello", "1.0.0", metadata={"signing": {"pubkey": other}})
        assert refusal(publisher) == "key-id"
        publisher.release("hello", "1.0.0", trusted_comment="version:0.9.0")
        assert refusal(publisher) == "name"
        with pytest.raises(AssertionError, match="changes nothing"):
            publisher.tamper(release.package_path, bytes)


def test_an_unsigned_release_declares_and_serves_no_signature(tmp_path: Path) -> None:
    with Publisher(tmp_path) as publisher:
        release = publisher.release("hello", "1.0.0", sign=False, metadata={"pkg-fmt": None})
        manifest = parse_manifest(release.manifest, {"src/bin/hello.rs"})
        meta = manifest.for_target(parse_target(TARGET), NO_OVERRIDES, skip_signatures=False)
        assert not manifest.declares_signature
        assert (meta.signing, meta.pkg_fmt) == (None, None)
        with pytest.raises(KeyError):
            publisher.host.content(release.signature_path)
