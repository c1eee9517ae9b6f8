"""Signing and verifying, against what cannot be avoided: hashing the files, and starting Python.

Many files are signed and verified in this process, beside threads that do nothing but hash them; start-up has a
row of its own. There, and beside minisign, whole commands are timed. The files have been read once before, and
every module compiled, so that disk and compiler have no part in it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import Thread

from binstall.publish.hashing import usable_cores
from binstall.publish.signer import plan_signatures, sign_files
from binstall.publish.verify_files import BareKey, Verification, exit_code_of
from binstall.signing.minisign_keys import generate
from ratio import Row, compare, print_rows

_MIB = 1024 * 1024


def main() -> list[Row]:
    """Measure; needs 2 GiB of room for temporary files."""
    with tempfile.TemporaryDirectory(prefix="binstall-bench-") as name:
        return _measure(Path(name))


def _measure(folder: Path) -> list[Row]:
    run = _Commands(folder / "pycache")
    key, public, small = str(folder / "k.key"), str(folder / "k.pub"), folder / "small"
    run.binstall("keygen", "-q", "-W", "-s", key, "-p", public)()
    small.write_bytes(b"small")
    many = [_file(folder / f"file{number}", 128) for number in range(8)]
    large = _file(folder / "large", 1024)
    rows = _many_files([Path(name) for name in many])
    minisign = shutil.which("minisign")
    if minisign is not None:
        run.binstall("sign", "-q", "-s", key, large, "-x", f"{large}.minisig")()
        verify = run.binstall("verify", "-q", "-p", public, large)
        peer = run.process(minisign, "-V", "-q", "-p", public, "-m", large)
        rows.append(compare("verify 1 GiB / minisign -V", verify, peer, bound=1.15))
    sign = run.binstall("sign", "-q", "-s", key, str(small))
    imports = run.process(sys.executable, "-c", "import click, nacl.bindings")
    rows.append(compare("sign a small file / import click, nacl.bindings", sign, imports, bound=1.6))
    return rows


def _many_files(files: list[Path]) -> list[Row]:
    threads = min(usable_cores(), len(files))
    key = generate()
    tasks = plan_signatures(files)
    verification = Verification(files, BareKey(key.public_key.base64))

    def sign() -> None:
        sign_files(tasks, key, timestamp=0)

    def verify() -> None:
        assert exit_code_of(verification.run()) == 0

    def hash_only() -> None:
        waiting = iter(files)

        def work() -> None:
            while (path := next(waiting, None)) is not None:
                _hash(path)

        workers = [Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    peer = f"BLAKE2b-512 in {threads} threads"
    return [
        compare(f"sign 8 x 128 MiB / {peer}", sign, hash_only, bound=1.1),
        compare(f"verify 8 x 128 MiB / {peer}", verify, hash_only, bound=1.1),
    ]


def _hash(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()


def _file(path: Path, mib: int) -> str:
    piece = os.urandom(_MIB)
    with path.open("wb") as file:
        for _ in range(mib):
            file.write(piece)
    return str(path)


class _Commands:
    """Makes commands that end well or raise, with every compiled module kept in a folder of their own."""

    def __init__(self, compiled: Path) -> None:
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
        } | {"PYTHONPYCACHEPREFIX": str(compiled)}

    def process(self, *words: str) -> Callable[[], object]:
        return lambda: subprocess.run(words, check=True, env=self._environment)

    def binstall(self, *words: str) -> Callable[[], object]:
        start = "import sys; from binstall.cli.app import main; sys.exit(main())"
        return self.process(sys.executable, "-c", start, *words)


if __name__ == "__main__":
    sys.exit(print_rows(main()))
