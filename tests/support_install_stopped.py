"""The upgrade, or the uninstall, of `support_install`, stopped before its file-system calls. A program of its own:

    support_install_stopped.py install ROOT NAME VERSION BIN…   one whole install, not stopped
    support_install_stopped.py at ROOT EVENT WORD               killed before the first call that fits
    support_install_stopped.py at-uninstall ROOT EVENT WORD     the same, of the uninstall
    support_install_stopped.py every MODE FOLDER WORLD          stopped before each call in turn

The calls are those that Python and `binstall.install.files` announce by audit events. `every` prints the
number of calls, then one line for each thing that it found wrong. MODE is `kill`, `kill-recovery` (kills
the next run too, at each of its calls), or what is raised: `interrupt`, `cancel`, `disk-full`.
WORLD is `upgrade`, `fresh` or `uninstall`.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from binstall.errors import Cancelled, LocalIOError
from binstall.install.recovery import recover
from support_install import State, install, interrupted, leftovers, prepare, state, uninstall_two, upgrade

_WATCHED = ("os.", "open", "shutil.", "fcntl.", "tempfile.", "binstall.")
_DONE, _ABSORBED, _STRANGE = 0, 10, 11
_RAISED = {"interrupt": 12, "cancel": 13, "disk-full": 14}


class Stop:
    """Does `action` once, before the call of that number, or the first whose event and arguments fit."""

    def __init__(
        self, action: Callable[[], None], *, number: int = 0, fits: tuple[str, str] = ("", "")
    ) -> None:
        self._action, self._number, self._fits = action, number, fits
        self._count = 0
        self.fired = False
        sys.addaudithook(self._hook)

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if self.fired or not event.startswith(_WATCHED):
            return
        self._count += 1
        if self._count == self._number or (event == self._fits[0] and self._fits[1] in str(args)):
            self.fired = True
            self._action()


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _interrupt() -> None:
    raise KeyboardInterrupt


def _cancel() -> None:
    raise Cancelled("a signal arrived")


def _disk_full() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


_ACTIONS = {"kill": _kill, "interrupt": _interrupt, "cancel": _cancel, "disk-full": _disk_full}


def _stopped(mode: str, number: int, work: Callable[[], None]) -> int:
    """Do `work` in a process of its own, stopped before one call; return how it ended."""
    pid = os.fork()
    if pid == 0:
        stop = Stop(_ACTIONS[mode], number=number)
        try:
            work()
        except KeyboardInterrupt:
            os._exit(_RAISED["interrupt"])
        except Cancelled:
            os._exit(_RAISED["cancel"])
        except LocalIOError:
            os._exit(_RAISED["disk-full"])
        except BaseException as error:
            sys.stdout.write(f"call {number}: {error!r}\n")
            sys.stdout.flush()
            os._exit(_STRANGE)
        os._exit(_ABSORBED if stop.fired else _DONE)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Trial:
    """One change of a root, stopped before every call in turn, and what was found wrong."""

    def __init__(self, folder: Path, *, fresh: bool, change: Callable[[Path], None]) -> None:
        self.folder, self.fresh, self.change = folder, fresh, change
        self.problems: list[str] = []
        self.calls = 0
        self.before, self.after = self._model("before"), self._model("after", change)

    def _model(self, name: str, change: Callable[[Path], None] = lambda _root: None) -> State:
        prepare(self.folder / name, fresh=self.fresh)
        change(self.folder / name)
        return state(self.folder / name)

    def each(self, mode: str) -> Iterator[tuple[str, Path, int]]:
        """Yield a name, the root and the exit code for each call before which the upgrade is stopped."""
        while True:
            root = self.folder / "root"
            shutil.rmtree(root, ignore_errors=True)
            if not self.fresh:
                shutil.copytree(self.folder / "before", root, symlinks=True)
            code = _stopped(mode, self.calls + 1, lambda: self.change(root))  # noqa: B023 - called at once
            if code == _DONE:
                return
            self.calls += 1
            yield f"{mode} at call {self.calls}", root, code

    def kill(self) -> None:
        """After a kill each file is whole; the next run makes it all or none."""
        for where, root, code in self.each("kill"):
            self._expect(where, code, {-signal.SIGKILL})
            self._whole(where, root)
            recover(root / "bin")
            self._settled(where, root)

    def kill_recovery(self) -> None:
        """The same if that next run is killed, before any of its calls, and the one after that is not."""
        done = 0
        for where, root, _code in self.each("kill"):
            done += interrupted(root) is not None
            if interrupted(root) is None or done % 8:
                continue
            second = self.folder / "second"
            number, code = 0, -signal.SIGKILL
            while code == -signal.SIGKILL:
                number += 1
                shutil.rmtree(second, ignore_errors=True)
                shutil.copytree(root, second, symlinks=True)
                code = _stopped("kill", number, lambda: recover(second / "bin"))  # noqa: B023
                self._whole(f"{where}, recovery at {number}", second)
                recover(second / "bin")
                self._settled(f"{where}, recovery at {number}", second)
            self._expect(where, code, {_DONE})

    def raising(self, mode: str) -> None:
        """After an error or a signal it is all or none at once; an error may also have been harmless."""
        harmless = {_ABSORBED} if mode == "disk-full" else set()
        for where, root, code in self.each(mode):
            self._expect(where, code, {_RAISED[mode]} | harmless)
            if mode == "disk-full":
                now = state(root)
                if (code == _ABSORBED) != (now == self.after):
                    self.problems.append(f"{where}: ended with {code}, and the state is {now}")
            if interrupted(root) is not None:
                self.problems.append(f"{where}: not undone")
            if self.fresh and (root / "bin").exists() != (state(root) == self.after):
                self.problems.append(f"{where}: the install folder should be there if the binary is")
            if code == _ABSORBED:
                recover(root / "bin")  # what could not be removed at the time
            self._settled(where, root)

    def _expect(self, where: str, code: int, allowed: set[int]) -> None:
        if code not in allowed:
            self.problems.append(f"{where}: ended with {code}, expected {allowed}")

    def _whole(self, where: str, root: Path) -> None:
        now = state(root)
        for name in self.before.files.keys() | self.after.files.keys() | now.files.keys():
            if now.files.get(name) not in {self.before.files.get(name), self.after.files.get(name)}:
                self.problems.append(f"{where}: {name} is {now.files.get(name)!r}")

    def _settled(self, where: str, root: Path) -> None:
        now = state(root)
        if now not in (self.before, self.after):
            self.problems.append(f"{where}: neither as before nor as after: {now}")
        if leftovers(root):
            self.problems.append(f"{where}: left behind {leftovers(root)}")


def _every(mode: str, folder: Path, world: str) -> None:
    change = uninstall_two if world == "uninstall" else upgrade
    trial = Trial(folder, fresh=world == "fresh", change=change)
    if mode == "kill":
        trial.kill()
    elif mode == "kill-recovery":
        trial.kill_recovery()
    else:
        trial.raising(mode)
    print(trial.calls, *trial.problems, sep="\n")


def _main(command: str, *words: str) -> None:
    if command == "install":
        root, name, version, *bins = words
        install(Path(root), name, version, bins)
    elif command in {"at", "at-uninstall"}:
        root, event, word = words
        Stop(_kill, fits=(event, word))
        (upgrade if command == "at" else uninstall_two)(Path(root))
    else:
        mode, folder, world = words
        _every(mode, Path(folder), world)


if __name__ == "__main__":
    _main(*sys.argv[1:])
