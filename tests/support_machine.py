"""A machine for scenario tests: a private home and root, and the real program in a process of its own."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support_registry import TARGET, Publisher


@dataclass(frozen=True, slots=True)
class Run:
    """What one run said and how it ended."""

    code: int
    out: str
    err: str

    def expect(self, code: int) -> Run:
        """Insist on the exit code and on the absence of a traceback; return self."""
        assert "Traceback" not in self.out + self.err, self.err
        assert self.code == code, f"exit code {self.code}\n{self.out}\n{self.err}"
        return self

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The JSON lines of standard output."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(slots=True)
class Machine:
    """One user's machine."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("home", "work", "tmp"):
            (self.folder / name).mkdir(exist_ok=True)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def work(self) -> Path:
        """The working directory."""
        return self.folder / "work"

    @property
    def root(self) -> Path:
        """cargo's home, where installs go by default."""
        return self.home / ".cargo"

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    def env(self) -> dict[str, str]:
        """The whole environment of a run: nothing of the test's own leaks in."""
        return {
            "HOME": str(self.home),
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "TMPDIR": str(self.folder / "tmp"),
            "PYTHONWARNINGS": "error",
        } | self.environment

    def trust(self, publisher: Publisher) -> None:
        """Trust the publisher's certificates, and take its registry for crates.io, as behind a mirror."""
        self.root.mkdir(exist_ok=True)
        (self.root / "config.toml").write_text(
            f'[source.crates-io]\nreplace-with = "mirror"\n\n[source.mirror]\nregistry = "{publisher.index_url}"\n'
            f'[http]\ncainfo = "{publisher.ca_file}"\n'
        )

    def command(self, program: str, words: Sequence[str]) -> list[str]:
        module = {"binstall": "binstall", "cargo-binstall": "binstall.cli.cargo_binstall"}[program]
        # Under nohup these tests ignore SIGHUP, and what they start would, too.
        start = "import signal, sys; signal.signal(signal.SIGHUP, signal.SIG_DFL); "
        start += f"from {module if module != 'binstall' else 'binstall.cli.app'} import main; "
        return [sys.executable, "-c", start + f"sys.argv[0] = {program!r}; sys.exit(main())", *words]

    def run(
        self, *words: str, program: str = "binstall", stdin: str | None = None, cwd: Path | None = None
    ) -> Run:
        """Run the program to its end; without `stdin` it has none."""
        done = subprocess.run(  # noqa: PLW1510
            self.command(program, words),
            env=self.env(),
            cwd=cwd or self.work,
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    def install(self, *words: str, **how: Any) -> Run:
        """Run `binstall install` for the target that publishers release for."""
        return self.run("install", "--targets", TARGET, *words, **how)

    def start(self, *words: str, program: str = "binstall") -> subprocess.Popen[str]:
        """Start the program and leave it running."""
        return subprocess.Popen(
            self.command(program, words),
            env=self.env(),
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run_on_terminal(self, *words: str, typed: str, program: str = "binstall") -> Run:
        """Run on a pseudo-terminal, with `typed` waiting as input; both streams end in `out`."""
        master, slave = pty.openpty()
        process = subprocess.Popen(
            self.command(program, words),
            env=self.env() | {"TERM": "xterm"},
            cwd=self.work,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        os.write(master, typed.encode())
        said = b""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            ready, _, _ = select.select([master], [], [], 0.2)
            if ready:
                try:
                    piece = os.read(master, 65536)
                except OSError:
                    break
                if not piece:
                    break
                said += piece
            elif process.poll() is not None:
                break
        code = process.wait(timeout=10)
        os.close(master)
        return Run(code, said.decode(), "")

    def files(self) -> Mapping[str, bytes]:
        """Every file below this machine's folders, by relative path."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes() if path.is_file() else b""
            for path in sorted(self.folder.rglob("*"))
        }


def is_running(process: int) -> bool:
    """Tell whether a process still does something; one that has ended and that nobody waits for does not."""
    stat = Path(f"/proc/{process}/stat")
    if stat.parent.parent.joinpath("self").exists():
        try:
            return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
        except (FileNotFoundError, ProcessLookupError):
            return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
