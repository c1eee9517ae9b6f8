"""The real program, which sends itself a signal at one of its calls. A program of its own:

    support_signals.py PROGRAM SIGNAL NUMBER WORD…

PROGRAM is `binstall` or `cargo-binstall`. Calls are counted from the first look for settings or cargo's
configuration, which is when the arguments have been read; calls are what Python announces by audit events, of
any thread. NUMBER 0 sends nothing; the number of calls is then printed to standard error at the end.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

_FIRST = ("binstall.toml", "config", "config.toml")


class Stop:
    """Sends the signal before the call of that number."""

    def __init__(self, number: signal.Signals, at: int) -> None:
        self._signal, self._at = number, at
        self.count = 0
        self._begun = False
        sys.addaudithook(self._hook)

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._begun:
            self._begun = event == "open" and str(args[0]).rpartition("/")[2] in _FIRST
            return
        self.count += 1
        if self.count == self._at:
            os.kill(os.getpid(), self._signal)


def main() -> int:
    program, name, at, *words = sys.argv[1:]
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup, perhaps far above, has had ignored
    if program == "binstall":
        from binstall.cli.app import main as run
    else:
        from binstall.cli.cargo_binstall import main as run
    stop = Stop(signal.Signals[name], int(at))
    sys.argv = [program, *words]
    code = run()
    if at == "0":
        os.write(2, f"{stop.count}\n".encode())
    return code


if __name__ == "__main__":
    sys.exit(main())
