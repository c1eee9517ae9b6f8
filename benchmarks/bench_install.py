"""Starting, verifying and placing, each against a peer in the same run."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from binstall.archive.archive import extract
from binstall.artifact import NEW_HASH, Download
from binstall.formats.package_format import PackageFormat
from binstall.install.staging import Staging
from binstall.install.transaction import Placement, commit
from binstall.signing.binding import Expected
from binstall.signing.minisign_keys import generate, sign_digest
from binstall.signing.verifier import new_verifier, verify
from ratio import Row, compare

_GIB = 1 << 30
_BINARIES_BYTES = 250_000_000


def main() -> Iterator[Row]:
    """Yield the rows, each as soon as it is measured."""
    yield _start_up()
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER"), prefix="binstall-bench-") as name:
        folder = Path(name)
        yield from _verifying(folder)
        yield _placing(folder)


def _start_up() -> Row:
    def run(*words: str) -> None:
        subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)

    return compare(
        "binstall --version / python -c 'import click'",
        lambda: run("-c", "import sys; from binstall.cli.app import main; sys.exit(main(['--version']))"),
        lambda: run("-c", "import click"),
        bound=1.3,
        runs=15,
    )


def _verifying(folder: Path) -> Iterator[Row]:
    if shutil.which("minisign") is None:
        print("minisign is not on PATH: verifying is not measured", file=sys.stderr)
        return
    file = folder / "big"
    block = os.urandom(1 << 20)
    with file.open("wb") as out:
        for number in range(_GIB >> 20):
            out.write(number.to_bytes(8, "little") + block[8:])
    key = generate()
    digest = NEW_HASH["blake2b"]()
    with file.open("rb") as data:
        while chunk := data.read(1 << 20):
            digest.update(chunk)
    (folder / "big.minisig").write_bytes(sign_digest(key, digest.digest(), "timestamp:1\tfile:big\thashed"))
    public = key.public_key.base64

    def ours() -> None:
        words = ["-c", "import sys; from binstall.cli.app import main; sys.exit(main())", "verify", "-q"]
        subprocess.run([sys.executable, *words, "-P", public, str(file)], check=True)

    def minisign() -> None:
        subprocess.run(["minisign", "-V", "-q", "-P", public, "-m", str(file)], check=True)

    yield compare("binstall verify, 1 GiB / minisign -V", ours, minisign, bound=1.15)
    file.unlink()


def _placing(folder: Path) -> Row:
    binaries = folder / "binaries"
    binaries.mkdir()
    names = _realistic_binaries(binaries)
    package = folder / "package-1.0.0.tar.gz"
    with tarfile.open(package, "w:gz", compresslevel=6) as archive:
        for name in names:
            archive.add(binaries / name, name)
    shutil.rmtree(binaries)
    key = generate()
    digest = NEW_HASH["blake2b"]()
    digest.update(package.read_bytes())
    signature = sign_digest(key, digest.digest(), f"timestamp:1\tfile:{package.name}\thashed")
    target = folder / "install"

    def ours() -> None:
        shutil.rmtree(target, ignore_errors=True)
        expected = Expected(package.name)
        with package.open("rb") as file, Staging(target) as staging:
            download = Download(package.as_uri(), file, package.stat().st_size)
            verifier = new_verifier("minisign", key.public_key.base64, signature, expected)
            verified = verify(download, verifier)
            found = extract(verified, PackageFormat.TGZ, names, staging.subfolder("package"))
            placements = [Placement(found.files[name], staging.install_dir / name) for name in names]
            commit(staging, placements, None, crate="package", untracked="refuse")

    unpacked = folder / "unpacked"

    def tar() -> None:
        shutil.rmtree(unpacked, ignore_errors=True)
        unpacked.mkdir()
        subprocess.run(["tar", "xzf", str(package), "-C", str(unpacked)], check=True)

    return compare("verify, unpack, sync, place 250 MB / tar xzf", ours, tar, bound=0.7)


def _realistic_binaries(folder: Path) -> list[str]:
    """Write files that compress as programs do: pieces of this Python's own, in a fixed random order."""
    pieces = []
    for source in [*sorted(Path(sys.base_prefix, "lib").rglob("*.so*")), Path(sys.executable).resolve()]:
        if source.is_file():
            data = source.read_bytes()
            pieces += [data[at : at + 65536] for at in range(0, len(data), 65536)]
    choose = random.Random(1)
    names = []
    for number in range(5):
        name = f"program-{number}"
        with (folder / name).open("wb") as out:
            while out.tell() < _BINARIES_BYTES // 5:
                out.write(choose.choice(pieces))
        names.append(name)
    return names
