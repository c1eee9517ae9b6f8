"""How the inner floors tell what they are doing, without knowing who listens.

Only `binstall.cli.terminal` draws. Everything said here may carry foreign text; the listener escapes it.
"""

from __future__ import annotations

from typing import Protocol


class Transfer(Protocol):
    """One download under way. Called from worker threads."""

    def advance(self, size: int) -> None:
        """`size` more bytes have arrived."""

    def restart(self) -> None:
        """The bytes so far are thrown away; counting starts at 0 again."""

    def done(self) -> None:
        """The transfer has ended, well or not; called once."""


class Progress(Protocol):
    """Listener of one run. Every method may be called from any thread."""

    def stage(self, words: str) -> None:
        """A stage has ended: one sentence that says what is now known."""

    def detail(self, words: str) -> None:
        """Something only a curious reader (`-v`) wants."""

    def warn(self, words: str) -> None:
        """Something that the user should know and that does not stop the run."""

    def transfer(self, label: str, size: int | None) -> Transfer:
        """A download begins; `size` in bytes where the server told it."""


class _SilentTransfer:
    def advance(self, size: int) -> None:
        pass

    def restart(self) -> None:
        pass

    def done(self) -> None:
        pass


class Silent:
    """A Progress that listens to nothing."""

    def stage(self, words: str) -> None:
        pass

    def detail(self, words: str) -> None:
        pass

    def warn(self, words: str) -> None:
        pass

    def transfer(self, label: str, size: int | None) -> Transfer:
        del label, size
        return _SilentTransfer()
