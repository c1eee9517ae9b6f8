"""`binstall demo`: the whole product on loopback, told to a first-time reader.

A publisher makes a key, builds and signs two releases and publishes them on a registry and release host
over real TLS; a user installs the newer one through the code path of `binstall install`; then four
attackers try. Nothing outside a private temporary folder is read or written: the user's configuration,
proxies and `CARGO_*` variables are not looked at.
"""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from binstall.artifact import NEW_HASH
from binstall.cli.install import install
from binstall.cli.params import Command
from binstall.cli.request import InstallRequest, Surroundings
from binstall.cli.terminal import Level, Terminal
from binstall.errors import BinstallError
from binstall.formats.host import preferred_targets
from binstall.formats.package_format import PackageFormat
from binstall.formats.target import TargetTriple, parse_target
from binstall.formats.version import parse_crate_spec
from binstall.hosting.authority import Authority
from binstall.hosting.host import Host
from binstall.hosting.packing import build_crate, build_package
from binstall.hosting.sample import sample_binary
from binstall.hosting.static_registry import PublishedCrate, index_url, publish
from binstall.machine import detect_host
from binstall.signing.binding import Expected, trusted_comment_for
from binstall.signing.minisign_keys import SecretKey, generate, sign_digest

CRATE = "hello"
OLD, NEW = "1.0.0", "1.1.0"


class _Indented(io.TextIOBase):
    """A stream that sets what the installer says apart from what the demo tells."""

    def __init__(self, inner: TextIO) -> None:
        self._inner = inner
        self._fresh = True

    def write(self, text: str) -> int:
        for line in text.splitlines(keepends=True):
            self._inner.write(("    | " if self._fresh else "") + line)
            self._fresh = line.endswith("\n")
        return len(text)

    def flush(self) -> None:
        self._inner.flush()


class Demo:
    """The publisher, the user and the attackers, at one host."""

    def __init__(self, folder: Path, host: Host, ca_pem: Path, target: TargetTriple) -> None:
        self._folder, self._host, self._ca_pem, self._target = folder, host, ca_pem, target
        self._roots = 0

    def name(self, version: str) -> str:
        return f"{CRATE}-{version}-{self._target.text}.tgz"

    def release(self, version: str, key: SecretKey) -> None:
        """Build a package, sign it, put both on the host."""
        binary = f"{CRATE}{self._target.binary_ext}"
        package = build_package(
            PackageFormat.TGZ, {binary: sample_binary(version, self._target, name=CRATE)}
        )
        expected = Expected(self.name(version), CRATE, version, self._target.text)
        comment = trusted_comment_for(expected, timestamp=int(time.time()))
        digest = NEW_HASH["blake2b"]()
        digest.update(package)
        signature = sign_digest(key, digest.digest(), comment)
        self._host.put(f"/releases/{self.name(version)}", package)
        self._host.put(f"/releases/{self.name(version)}.sig", signature)

    def publish(self, public_key: str) -> None:
        """Put both versions of the crate on the registry; their manifests declare `public_key`."""
        crates = []
        for version in (OLD, NEW):
            manifest = (
                f'[package]\nname = "{CRATE}"\nversion = "{version}"\nedition = "2021"\nautobins = false\n\n'
                f'[[bin]]\nname = "{CRATE}"\npath = "src/main.rs"\n\n'
                "[package.metadata.binstall]\n"
                f'pkg-url = "{self._host.base_url}/releases/{{ name }}-{{ version }}-{{ target }}.tgz"\n\n'
                "[package.metadata.binstall.signing]\n"
                f'algorithm = "minisign"\npubkey = "{public_key}"\n'
            )
            files = {"src/main.rs": b"fn main() {}\n"}
            crates.append(PublishedCrate(CRATE, version, build_crate(manifest, files)))
        self._host.put_all(publish(self._host.base_url, crates))

    def install(self, level: Level = Level.INFO) -> tuple[int, Path]:
        """Run `binstall install hello` into a fresh root; return its exit code and the root."""
        self._roots += 1
        root = self._folder / f"root{self._roots}"
        request = InstallRequest(
            crates=(parse_crate_spec(CRATE),),
            surroundings=Surroundings(
                environment={"CARGO_HOME": str(self._folder / "cargo")},
                working_directory=self._folder,
                home=None,
            ),
            targets=(self._target.text,),
            index=index_url(self._host.base_url),
            root=root,
            root_certificates=(self._ca_pem,),
        )
        out: TextIO = _Indented(sys.stdout)  # type: ignore[assignment]
        with Terminal(level, out=out, err=out, environment={"TERM": "dumb"}).open() as terminal:
            return install(request, terminal), root

    @contextlib.contextmanager
    def changed(self, path: str, change: Callable[[bytes], bytes]) -> Iterator[None]:
        """Serve a changed file for a while."""
        before = self._host.content(path)
        self._host.put(path, change(before))
        try:
            yield
        finally:
            self._host.put(path, before)

    def refused(self, number: int, what: str, expected: int) -> None:
        """Install, and insist on the refusal and on an untouched root."""
        _tell(f"{number}. {what}:")
        code, root = self.install(Level.ERROR)
        left = sorted(str(path) for path in root.rglob("*")) if root.exists() else []
        if code != expected or left:
            raise BinstallError(
                f"step {number} should have ended with exit code {expected} and left nothing; "
                f"it ended with {code} and left {left}"
            )
        _tell(f"   refused with exit code {code}; nothing was placed.")


def _tell(words: str) -> None:
    print(words, flush=True)  # noqa: T201


def run(kind: type[Demo] = Demo) -> int:
    """Play the whole demonstration.

    Raises:
        BinstallError: a step did not end as it must.
    """
    target = parse_target(preferred_targets(detect_host())[0])
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="binstall-demo-")))
        authority = Authority.create(datetime.now(UTC))
        host = stack.enter_context(Host(authority))
        ca_pem = folder / "ca.pem"
        ca_pem.write_bytes(authority.ca_pem)
        _play(kind(folder, host, ca_pem, target), host, target, stack)
    return 0


def _play(demo: Demo, host: Host, target: TargetTriple, stack: contextlib.ExitStack) -> None:
    _tell("binstall demo: a signed crate from its registry to this machine, and four attacks on it.")
    _tell(f"All of it happens at {host.base_url} and in a temporary folder that is removed at the end.\n")
    key, other = stack.enter_context(generate()), stack.enter_context(generate())
    _tell("THE PUBLISHER")
    _tell(f"  makes a key pair, secret half in memory only:  {key.public_key.base64}")
    for version in (OLD, NEW):
        demo.release(version, key)
    _tell(f"  builds {CRATE} {OLD} and {NEW} for {target.text} and signs both packages,")
    demo.publish(key.public_key.base64)
    _tell("  writes the public key into Cargo.toml and publishes the crate on a sparse registry.\n")

    _tell(f"THE USER types `binstall install {CRATE}`")
    code, root = demo.install()
    if code != 0:
        raise BinstallError(f"the install should have succeeded and ended with exit code {code}")
    binary = root / "bin" / f"{CRATE}{target.binary_ext}"
    said = subprocess.run([binary], capture_output=True, text=True, check=True, timeout=60).stdout.strip()  # noqa: S603
    _tell(f"  and runs it; it says: {said}")
    if said != f"{CRATE} {NEW}":
        raise BinstallError(f"the installed program should say {CRATE} {NEW} and says {said}")

    _tell(f"\nFOUR ATTACKERS, each met by `binstall install -q {CRATE}` in a fresh folder")
    package = f"/releases/{demo.name(NEW)}"
    with demo.changed(package, lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]):
        demo.refused(1, "The release host changes one bit of the package", 40)
    with demo.changed(
        f"{package}.sig", lambda data: data.replace(b"\ntrusted comment: ", b"\ntrusted comment: safe ")
    ):
        demo.refused(2, "Somebody edits the signed comment in the signature", 40)
    demo.publish(other.public_key.base64)
    demo.refused(3, "The manifest names another key than the one that signed", 40)
    demo.publish(key.public_key.base64)
    old = f"/releases/{demo.name(OLD)}"
    with (
        demo.changed(package, lambda _: host.content(old)),
        demo.changed(f"{package}.sig", lambda _: host.content(f"{old}.sig")),
    ):
        demo.refused(4, f"The old release {OLD}, with its good signature, is served as {NEW}", 40)
    _tell(
        "\nOne install that was signed as declared, and four that were not. Next: `binstall install --help`."
    )


command = Command(
    "demo",
    callback=run,
    help="Show the whole path on loopback: a signed package installed, four tampered ones refused.\n\n"
    "Nothing beside Python is needed, nothing outside a temporary folder is touched, and the exit code is "
    "not 0 if any step misbehaves.",
    example="binstall demo",
)
