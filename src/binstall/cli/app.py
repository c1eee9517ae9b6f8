"""`binstall`: the command of commands, and the only way out.

`main` alone turns errors into words and exit codes. A command is imported when it is asked for, so that
`binstall --version` costs little more than Python and click.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from types import FrameType

import click

from binstall import __version__
from binstall.cli.params import Command, Group, Option
from binstall.errors import BinstallError, Cancelled, LocalIOError, Stopped, UsageError

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
"""What stops a run, with exit code 32."""


def _command(module: str) -> Callable[[], click.Command]:
    def load() -> click.Command:
        command = import_module(f"binstall.cli.{module}").command
        assert isinstance(command, click.Command)  # noqa: S101
        return command

    return load


class _Binstall(Group):
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            raise UsageError(
                f"there is no command {name!r}", hint=_what_was_meant(name, args, list(self._loaders))
            )
        return super().resolve_command(ctx, args)


def _what_was_meant(name: str, args: Sequence[str], commands: Sequence[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, commands, n=1, cutoff=0.75)
    if near:
        return f"did you mean `binstall {near[0]}`?"
    crate = name.partition("@")[0]
    if crate and crate[0].isalpha() and all(c.isalnum() or c in "-_" for c in crate):
        return f"did you mean `binstall install {' '.join(args)}`?"
    return "`binstall --help` lists the commands"


def _print_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"binstall {__version__}")
        ctx.exit()


cli = _Binstall(
    "binstall",
    commands_by_name={
        "install": _command("install"),
        "list": _command("list"),
        "uninstall": _command("uninstall"),
        "why": _command("why"),
        "demo": _command("demo"),
        "keygen": _command("keygen"),
        "pubkey": _command("pubkey"),
        "password": _command("password"),
        "key": _command("key"),
        "sign": _command("sign"),
        "stamp": _command("stamp"),
        "verify": _command("verify"),
        "check": _command("check"),
        "completions": _command("completions"),
    },
    help=(
        "Install prebuilt release binaries of Rust crates, signed as their publishers said they would be; "
        "sign and publish your own."
    ),
    epilog="`binstall COMMAND -h` is the short help of a command, `--help` the complete one.",
    params=[
        Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Print the version.",
        )
    ],
    context_settings={"help_option_names": []},
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `binstall` and return its exit code."""
    if arguments is not None:
        return run(cli, "binstall", list(arguments))
    # Most commands are over before looking for garbage could pay, and Python's own look at exit is the
    # longest: a third of the time that the shortest commands need.
    gc.set_threshold(50_000, 20, 50)
    code = run(cli, "binstall", sys.argv[1:])
    gc.freeze()
    return over(code)


def over(code: int) -> int:
    """Return the exit code of this process, which nothing changes any more: signals come too late."""
    for name in _SIGNALS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    return code


def run(command: click.Command, name: str, arguments: list[str]) -> int:
    """Run a command line to its exit code; nothing but a bug in Python itself escapes from here."""
    _have_all_streams()
    arrived: list[int] = []
    _stop_on_signals(arrived)
    try:
        code = _outcome(command, name, arguments, arrived)
    except (KeyboardInterrupt, Cancelled):
        return Cancelled.exit_code  # another signal, while the first one was reported
    except BrokenPipeError:
        # Whoever read our output has gone: nothing can be told, and Python must not try at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 74
    # What a signal raised may have been lost on the way, or have become another error.
    return Cancelled.exit_code if arrived else code


def _outcome(command: click.Command, name: str, arguments: list[str], arrived: Sequence[int]) -> int:
    try:
        result = command.main(args=arguments, prog_name=name, standalone_mode=False)
        return result if isinstance(result, int) else 0
    except BinstallError as error:
        return report(error)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        hint = f"`{context.command_path} --help` lists what it takes" if context else None
        return report(UsageError(error.format_message().removesuffix("."), hint=hint))
    except (KeyboardInterrupt, click.Abort):
        return report(Cancelled("cancelled"))
    except BrokenPipeError:
        raise
    except OSError as error:
        return report(LocalIOError(f"{error.filename or 'the file system'}: {error.strerror or error}"))
    except MemoryError:
        return report(LocalIOError("out of memory"))
    except Exception as error:  # a bug: said in one line, kept out of the user's way
        if arrived:
            return report(Stopped("stopped by a signal"))
        if os.environ.get("BINSTALL_TRACEBACK"):
            raise
        bug = BinstallError(
            f"a fault in binstall itself: {type(error).__name__}: {error}",
            hint="run again with BINSTALL_TRACEBACK=1 and report what it prints",
        )
        bug.exit_code = 17
        return report(bug)


def report(error: BinstallError) -> int:
    """Print an error that no command has printed yet; return its exit code."""
    if not getattr(error, "reported", False):
        from binstall.cli.terminal import Terminal

        with Terminal().open() as terminal:
            terminal.error(error)
    return error.exit_code


def _stop_on_signals(arrived: list[int]) -> None:
    """Have signals end the run; their numbers go into `arrived`."""

    def stop(number: int, _frame: FrameType | None) -> None:
        arrived.append(number)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise Stopped(f"stopped by {signal.Signals(number).name}")

    usual = {signal.SIG_DFL, signal.default_int_handler}
    for name in _SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and (signal.getsignal(number) in usual or _is_ours(signal.getsignal(number))):
            signal.signal(number, stop)


def _is_ours(handler: object) -> bool:
    return str(getattr(handler, "__module__", "")).startswith(("binstall.", "__main__"))


def _have_all_streams() -> None:
    """Put something behind each standard stream that was closed before we began.

    Otherwise the next file that is opened would take its number, and be written to by whoever means to
    print; and Python has None where the stream should be.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123


__all__ = ["Command", "cli", "main", "over", "report", "run"]
