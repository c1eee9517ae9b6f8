"""What a person sees: results on standard output; progress, prompts and errors on standard error.

Everything foreign passes `binstall.text` here, at the last moment, so nothing can be forgotten on the
way. A bar per download is drawn on a terminal (rich is imported only then); elsewhere a download is one
plain line. Nothing is printed twice.
"""

from __future__ import annotations

import contextlib
import enum
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TextIO

from binstall.errors import BinstallError, Cancelled
from binstall.progress import Progress, Silent, Transfer
from binstall.text import sentence, visible

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

_BAR_FROM_BYTES = 512 * 1024
"""A download smaller than this is over before a bar could be read."""


class Level(enum.IntEnum):
    """How much is told, by cargo-binstall's names."""

    OFF = 0
    ERROR = 1
    WARN = 2
    INFO = 3
    DEBUG = 4
    TRACE = 5


class Terminal:
    """One run's conversation with a person; also the Progress of everything below."""

    prefix = "binstall: "

    def __init__(
        self,
        level: Level = Level.INFO,
        *,
        json_lines: bool = False,
        out: TextIO | None = None,
        err: TextIO | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.level = level
        self.json_lines = json_lines
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        environment = os.environ if environment is None else environment
        tty = _is_terminal(self._err) and environment.get("TERM") != "dumb"
        self._colour = tty and not environment.get("NO_COLOR")
        self._bars_wanted = tty and level >= Level.INFO
        self._bars: Bars | None = None
        self._lock = threading.RLock()

    # Progress: called from any thread.

    def stage(self, words: str) -> None:
        """Tell that a stage has ended."""
        if self.level >= Level.INFO:
            self._say(sentence(words))

    def detail(self, words: str) -> None:
        """Tell a curious reader."""
        if self.level >= Level.DEBUG:
            self._say(self._painted("2", sentence(words)))

    def warn(self, words: str) -> None:
        """Tell what the user should know."""
        if self.level >= Level.WARN:
            self._say(f"{self._painted('1;33', 'warning')}: {sentence(words)}")

    def transfer(self, label: str, size: int | None) -> Transfer:
        """Begin to show a download."""
        if self.level < Level.INFO:
            return Silent().transfer(label, size)
        if self._bars_wanted and (size is None or size >= _BAR_FROM_BYTES):
            return self._bar(label, size)
        self.detail(f"{label}{'' if size is None else f' ({size} bytes)'}")
        return Silent().transfer(label, size)

    # The command's own words: called from the main thread.

    def result(self, words: str) -> None:
        """Print one line of the result."""
        if not self.json_lines and self.level >= Level.WARN:
            self._write(self._out, sentence(words))

    def raw_result(self, text: str) -> None:
        """Print text of our own making as it is."""
        self._write(self._out, text.removesuffix("\n"))

    def json_result(self, value: Mapping[str, Any]) -> None:
        """Print one JSON object on a line of its own, ASCII only."""
        if self.json_lines:
            import json

            self._write(self._out, json.dumps(value, ensure_ascii=True, separators=(",", ":")))

    def error(self, error: BinstallError) -> None:
        """Print an error: what was asked and found, then what to do."""
        self._say(f"{self._painted('1;31', 'error')}: {sentence(str(error) or type(error).__name__)}")
        if error.hint:
            self._say(f"{self._painted('1;36', 'help')}: {sentence(error.hint)}")

    @property
    def can_ask(self) -> bool:
        """Tell whether there is somebody to answer a question."""
        return _is_terminal(sys.stdin)

    def confirm(self, question: str, *, option: str, default: bool = False) -> None:
        """Ask a yes/no question; return on yes.

        Raises:
            Cancelled: no; end of input, which is always no; or there is no terminal to ask on, and then
                the error names `option`, which answers in advance.
        """
        if not self.can_ask:
            raise Cancelled(
                f"{question} There is no terminal to ask on", hint=f"{option} answers yes in advance"
            )
        while True:
            with self._lock:
                print(
                    f"{sentence(question)} [{'Y/n' if default else 'y/N'}] ",
                    end="",
                    file=self._err,
                    flush=True,
                )
            line = sys.stdin.readline()
            answer = line.strip().lower()
            if not line or answer in {"n", "no"} or (not answer and not default):
                raise Cancelled("cancelled; nothing was changed")
            if answer in {"y", "yes", ""}:
                return

    def close(self) -> None:
        """Take the bars off the screen and flush."""
        with self._lock:
            if self._bars is not None:
                self._bars.stop()
                self._bars = None
        for stream in (self._out, self._err):
            try:
                stream.flush()
            except (OSError, ValueError):
                _give_up(stream)

    @contextlib.contextmanager
    def open(self) -> Iterator[Terminal]:
        """Close at the end, whatever happens."""
        try:
            yield self
        finally:
            self.close()

    # Inside.

    def _say(self, line: str) -> None:
        with self._lock:
            if self._bars is not None:
                self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)
            else:
                self._write(self._err, line)

    def _write(self, stream: TextIO, line: str) -> None:
        with self._lock:
            try:
                try:
                    print(line, file=stream, flush=True)
                except UnicodeEncodeError:
                    print(line.encode("ascii", "backslashreplace").decode("ascii"), file=stream, flush=True)
            except (OSError, ValueError):
                _give_up(stream)

    def _painted(self, code: str, words: str) -> str:
        return f"\x1b[{code}m{words}\x1b[0m" if self._colour else words

    def _bar(self, label: str, size: int | None) -> Transfer:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
        from rich.progress import Progress as RichProgress

        with self._lock:
            if self._bars is None:
                self._bars = RichProgress(
                    TextColumn("{task.description}", markup=False),
                    BarColumn(bar_width=24),
                    DownloadColumn(),
                    TransferSpeedColumn(),
                    console=Console(file=self._err, no_color=not self._colour),
                    transient=True,
                )
                self._bars.start()
            return _Bar(self._bars, self._bars.add_task(visible(label, limit=60), total=size), self._lock)


class _Bar:
    def __init__(self, bars: Bars, task: TaskID, lock: threading.RLock) -> None:
        self._bars, self._task, self._lock = bars, task, lock

    def advance(self, size: int) -> None:
        self._bars.advance(self._task, size)

    def restart(self) -> None:
        self._bars.reset(self._task)

    def done(self) -> None:
        self._bars.remove_task(self._task)


def _give_up(stream: TextIO) -> None:
    """Send to nowhere what is still to be written to a stream that takes no more.

    Whoever read it has gone, or its disk is full. What is under way goes on to its end, and says by its
    exit code how it ended; Python, which flushes at exit, finds nothing to complain about.
    """
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def _conforms(terminal: Terminal) -> Progress:
    return terminal
