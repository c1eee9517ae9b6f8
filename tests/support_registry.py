"""A publisher for scenario tests: one host with a registry, crates, packages and signatures on it.

    with Publisher(tmp_path) as publisher:
        release = publisher.release("hello", "1.0.0")
        publisher.tamper(release.package_path, lambda data: data[:-1] + b"!")

Everything is real: TLS on loopback by an own authority, the index that cargo reads, minisign signatures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Self

import tomlkit

from binstall.formats.package_format import PackageFormat
from binstall.formats.target import parse_target
from binstall.hosting.authority import Authority
from binstall.hosting.host import Host, OnRequest
from binstall.hosting.packing import build_crate, build_package
from binstall.hosting.sample import sample_binary
from binstall.hosting.static_registry import PublishedCrate, crate_path, index_url, publish
from binstall.signing.binding import Expected, trusted_comment_for
from binstall.signing.minisign_keys import SecretKey, generate, sign_digest

TARGET = "x86_64-unknown-linux-musl"
TIMESTAMP = 1_769_860_800
"""2026-01-31 12:00:00 UTC, in every trusted comment that a test does not write itself."""


@dataclass(frozen=True, slots=True)
class Release:
    """Where one release is: paths for `Host.put`, `Publisher.tamper` and the log; URLs for clients."""

    name: str
    version: str
    crate_path: str
    package_path: str
    signature_path: str
    package_url: str
    signature_url: str
    manifest: str
    """Text of the published `Cargo.toml`."""


class Publisher:
    """Owns an authority, a host, a key and what it released; a context manager that ends the host."""

    def __init__(self, folder: Path, *, tls: bool = True, on_request: OnRequest | None = None) -> None:
        """Write `ca.pem` into `folder`, which exists; without `tls` it is there and useless."""
        self.authority = Authority.create(datetime.now(UTC))
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(self.authority.ca_pem)
        self.key = generate()
        self.host = Host(self.authority if tls else None, on_request=on_request)
        self.index_url = index_url(self.host.base_url)
        """`sparse+https://127.0.0.1:PORT/index/`, for `--index`."""
        self._crates: dict[tuple[str, str], PublishedCrate] = {}

    def release(
        self,
        name: str,
        version: str,
        *,
        bins: Mapping[str, bytes] | None = None,
        target: str = TARGET,
        package_format: PackageFormat = PackageFormat.TGZ,
        extra: Mapping[str, bytes] | None = None,
        package: bytes | None = None,
        sign: bool = True,
        key: SecretKey | None = None,
        trusted_comment: str | None = None,
        metadata: Mapping[str, object] | None = None,
        yanked: bool = False,
        pubtime: str | None = None,
    ) -> Release:
        """Publish crate, package and signature; a release of another target replaces the crate only.

        `bins` maps binary names to contents, by default the sample program under the crate's name;
        `extra` are more members; `package` is a package ready made, signed as it is. `key` signs and is
        declared. `metadata` is laid over `[package.metadata.binstall]`, its tables over tables; a value
        of None takes a key out. `sign=False` neither declares nor makes a signature.
        """
        triple = parse_target(target)
        bins = bins if bins is not None else {name: sample_binary(version, triple, name=name)}
        extension = package_format.extensions(windows=triple.cfg_family == "windows")[0]
        file_name = f"{name}-{version}-{target}{extension}"
        package_path = f"/releases/{name}/{version}/{file_name}"
        if package is None:
            members = {f"{each}{triple.binary_ext}": content for each, content in bins.items()}
            package = build_package(package_format, {**members, **(extra or {})})
        package_url = self.host.put(package_path, package)

        declared: dict[str, object] = {
            "pkg-url": f"{self.host.base_url}/releases/{{ name }}/{{ version }}/"
            f"{{ name }}-{{ version }}-{{ target }}{extension}",
            "pkg-fmt": str(package_format),
            "bin-dir": "{ bin }{ binary-ext }",
        }
        signature_path = f"{package_path}.sig"
        if sign:
            key = key or self.key
            declared["signing"] = {"algorithm": "minisign", "pubkey": key.public_key.base64}
            if trusted_comment is None:
                expected = Expected(file_name, name, version, target)
                trusted_comment = trusted_comment_for(expected, timestamp=TIMESTAMP)
            self.host.put(signature_path, sign_digest(key, blake2b(package).digest(), trusted_comment))
        manifest = tomlkit.dumps(
            {
                "package": {
                    "name": name,
                    "version": version,
                    "edition": "2021",
                    "metadata": {"binstall": _laid_over(declared, metadata or {})},
                }
            }
        )
        self._publish_crate(name, version, manifest, list(bins), yanked=yanked, pubtime=pubtime)
        return Release(
            name,
            version,
            crate_path(name, version),
            package_path,
            signature_path,
            package_url,
            f"{package_url}.sig",
            manifest,
        )

    def tamper(self, path: str, change: Callable[[bytes], bytes]) -> None:
        """Replace what is served under `path` by what `change` makes of it."""
        before = self.host.content(path)
        after = change(before)
        assert after != before, "a tampering that changes nothing proves nothing"
        self.host.put(path, after)

    def _publish_crate(
        self,
        name: str,
        version: str,
        manifest: str,
        bins: list[str],
        *,
        yanked: bool,
        pubtime: str | None = None,
    ) -> None:
        sources = {f"src/bin/{each}.rs": b"fn main() {}\n" for each in bins}
        crate = build_crate(manifest, sources)
        self._crates[name, version] = PublishedCrate(name, version, crate, yanked=yanked, pubtime=pubtime)
        of_this_name = [each for each in self._crates.values() if each.name == name]
        self.host.put_all(publish(self.host.base_url, of_this_name))

    def close(self) -> None:
        """End the host; raises what went wrong in it."""
        self.key.wipe()
        self.host.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.key.wipe()
        self.host.__exit__(kind, error, trace)


def _laid_over(base: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[key] = _laid_over(below, value)
        else:
            merged[key] = value
    return merged
