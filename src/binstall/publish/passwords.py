"""Where a password comes from: a file, a descriptor, a variable, or a question.

A password is raw bytes, UTF-8 as typed. Where it is not typed it is one line: an empty line is the empty
password, no bytes at all are an error, as a CI secret without a value is.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from binstall.errors import UsageError
from binstall.limits import MAX_PASSWORD_FILE_BYTES
from binstall.publish.secrets import Secret, Warn, read_secret, read_stream

Prompt = Callable[[str], bytearray]
"""Shows a question on the terminal, returns what was typed, without echo and without its line end."""

PASSWORD_VARIABLE: Final = "BINSTALL_SIGNING_PASSWORD"  # noqa: S105 - its name, not its value
"""Holds the password of the secret key, or the passphrase of its age file."""


class Passwords:
    """Where a password comes from: a file or a descriptor, else a variable, else a question."""

    def __init__(
        self,
        *,
        file: Path | None = None,
        descriptor: int | None = None,
        variable: Secret | None = None,
        prompt: Prompt | None = None,
        warn: Warn | None = None,
        options: tuple[str, str] = ("--password-file", "--password-fd"),
    ) -> None:
        """Keep the sources; none is read before a password is needed.

        `variable` is what PASSWORD_VARIABLE held; `options` name the first two in messages.

        Raises:
            UsageError: both a file and a descriptor.
        """
        if file is not None and descriptor is not None:
            raise UsageError(f"{options[0]} and {options[1]} were both given")
        self._file, self._descriptor = file, descriptor
        self._variable, self._prompt, self._warn = variable, prompt, warn
        self._options = options
        self._read: Secret | None = None

    @property
    def is_named(self) -> bool:
        """Whether an option names the source: the user means to have a password."""
        return self._file is not None or self._descriptor is not None

    @property
    def descriptor(self) -> int | None:
        """The descriptor that will be read, if any."""
        return self._descriptor

    def forget(self) -> None:
        """Wipe what was read or given; a file may be read again, a descriptor may not."""
        for secret in (self._read, self._variable):
            if secret is not None:
                secret.wipe()
        self._read = self._variable = None

    def existing(self, question: str) -> Secret:
        """Return the password that exists already; a source without terminal gives the same one again.

        Raises:
            UsageError: the source holds no password, or there is no source at all.
            LocalIOError: it cannot be read.
        """
        given = self._given()
        if given is not None:
            return given
        return Secret(self._ask(question))

    def new(self, question: str) -> Secret:
        """Return a password to be; on a terminal it is asked for twice.

        Raises:
            UsageError: as for `existing`, or the two are not the same.
            LocalIOError: the source cannot be read.
        """
        given = self._given()
        if given is not None:
            return given
        first = Secret(self._ask(question))
        with Secret(self._ask(f"{question} (once more)")) as second:
            if first.data != second.data:
                first.wipe()
                raise UsageError(
                    "the two passwords are not the same", hint="nothing was written; run it again"
                )
        if not first and self._warn is not None:
            self._warn("the password is empty: whoever has the file has the key")
        return first

    def _ask(self, question: str) -> bytearray:
        if self._prompt is None:
            raise self._no_source()
        return self._prompt(question)

    def _no_source(self) -> UsageError:
        return UsageError(
            "a password is needed, and there is no terminal to ask on",
            hint=f"give it by {self._options[0]}, {self._options[1]} or {PASSWORD_VARIABLE}",
        )

    def _given(self) -> Secret | None:
        if self._read is None:
            if self._file is not None:
                self._read = password_line(
                    read_secret(self._file, MAX_PASSWORD_FILE_BYTES, self._warn), str(self._file)
                )
            elif self._descriptor is not None:
                self._read = self._from_descriptor(self._descriptor)
            elif self._variable is not None:
                self._read = password_line(self._variable, PASSWORD_VARIABLE)
            else:
                return None
        return Secret(bytearray(self._read.data))

    def _from_descriptor(self, descriptor: int) -> Secret:
        name = f"{self._options[1]} {descriptor}"
        if descriptor < 0:
            raise UsageError(f"{name} is no file descriptor")
        if os.isatty(descriptor):
            raise UsageError(
                f"{name} is a terminal", hint=f"without {self._options[1]} it is asked for there"
            )
        return password_line(read_stream(descriptor, MAX_PASSWORD_FILE_BYTES, name), name)


def password_line(text: Secret, name: str) -> Secret:
    """Return the one line that `text` is, without its line end (LF or CRLF); wipe `text`.

    Raises:
        UsageError: no bytes at all, more than one line, or NUL.
    """
    with text:
        data = text.data
        if not data:
            raise UsageError(
                f"{name} holds no password, not even an empty line",
                hint="a CI secret without a value looks like this; one empty line is the empty password",
            )
        if b"\0" in data:
            raise UsageError(f"{name} holds a NUL byte where a password belongs; is it UTF-16?")
        end = len(data)
        if data.endswith(b"\n"):
            end -= 2 if data.endswith(b"\r\n") else 1
        if data.find(b"\n", 0, end) >= 0:
            raise UsageError(f"{name} holds more than one line where one password belongs")
        return Secret(data[:end])
