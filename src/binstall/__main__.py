"""Where both commands begin, and `python -m binstall`.

Whoever stops a command before it has even read its arguments, while Python still loads what it needs, gets
the exit code of a stopped command and no traceback. Nothing has been opened by then, so nothing is undone.
"""

import os
import signal
import sys


def _stop_at_once(number: int, frame: object) -> None:
    del number, frame
    os._exit(32)


def _loading() -> None:
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) in {signal.SIG_DFL, signal.default_int_handler}:
            signal.signal(number, _stop_at_once)


def binstall() -> int:
    """Run `binstall`; return its exit code."""
    _loading()
    from binstall.cli.app import main

    return main()


def cargo_binstall() -> int:
    """Run `cargo-binstall`; return its exit code."""
    _loading()
    from binstall.cli.cargo_binstall import main

    return main()


if __name__ == "__main__":
    sys.exit(binstall())
