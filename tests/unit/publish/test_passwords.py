"""Where passwords come from, and what is no password."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import LocalIOError, UsageError
from binstall.limits import MAX_PASSWORD_FILE_BYTES
from binstall.publish.passwords import Passwords, Prompt, password_line
from support_keys import secret

THOUSAND = settings(max_examples=1000, deadline=None)


def typed(*answers: str) -> tuple[Prompt, list[str]]:
    """Return a prompt that is answered so, and the questions that it will have shown."""
    questions: list[str] = []
    rest = list(answers)

    def prompt(question: str) -> bytearray:
        questions.append(question)
        return bytearray(rest.pop(0).encode())

    return prompt, questions


def pipe(data: bytes) -> int:
    reader, writer = os.pipe()
    os.write(writer, data)
    os.close(writer)
    return reader


@pytest.mark.parametrize(
    ("text", "password"),
    [
        pytest.param(b"pw", b"pw", id="no line end"),
        pytest.param(b"pw\n", b"pw", id="LF"),
        pytest.param(b"pw\r\n", b"pw", id="CRLF"),
        pytest.param(b"\n", b"", id="an empty line"),
        pytest.param(b"\r\n", b"", id="an empty line, CRLF"),
        pytest.param(b"pw\r", b"pw\r", id="a lone CR is a character"),
        pytest.param(b" pw \n", b" pw ", id="blanks are characters"),
        pytest.param("pässword\n".encode(), "pässword".encode(), id="UTF-8"),
        pytest.param(b"\xff\n", b"\xff", id="raw bytes"),
    ],
)
def test_one_line_is_a_password(text: bytes, password: bytes) -> None:
    given = secret(text)
    assert password_line(given, "it").data == password
    assert not any(given.data)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(b"", "not even an empty line", id="no bytes at all"),
        pytest.param(b"a\nb", "more than one line", id="two lines"),
        pytest.param(b"a\n\n", "more than one line", id="a blank line after it"),
        pytest.param(b"\n\n", "more than one line", id="two blank lines"),
        pytest.param("pw\r\n".encode("utf-16"), "UTF-16", id="UTF-16"),
    ],
)
def test_anything_else_is_none(text: bytes, told: str) -> None:
    given = secret(text)
    with pytest.raises(UsageError, match=told):
        password_line(given, "it")
    assert not any(given.data)


@THOUSAND
@given(st.binary(max_size=50))
def test_a_line_goes_in_and_comes_out(data: bytes) -> None:
    try:
        read = password_line(secret(data), "it").data
    except UsageError:
        assert not data or b"\0" in data or b"\n" in data[:-1]
    else:
        assert data in {bytes(read), bytes(read) + b"\n", bytes(read) + b"\r\n"}


def test_a_file_goes_before_a_variable_and_a_variable_before_a_question(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(b"from file\n")
    file.chmod(0o600)
    prompt, questions = typed("typed")
    assert Passwords(file=file, variable=secret("v"), prompt=prompt).existing("?").data == b"from file"
    assert Passwords(variable=secret("v"), prompt=prompt).existing("?").data == b"v"
    assert questions == []
    assert Passwords(prompt=prompt).existing("Password of x").data == b"typed"
    assert questions == ["Password of x"]


def test_a_descriptor_is_read_once_and_gives_the_same_password_again() -> None:
    descriptor = pipe(b"pw\n")
    source = Passwords(descriptor=descriptor)
    try:
        first = source.existing("?")
        first.wipe()
        assert source.existing("?").data == source.new("?").data == b"pw"
    finally:
        os.close(descriptor)


def test_a_source_is_wiped_when_it_is_forgotten() -> None:
    variable = secret("pw")
    source = Passwords(variable=variable)
    source.existing("?")
    source.forget()
    assert not any(variable.data)
    with pytest.raises(UsageError, match="no terminal"):
        source.existing("?")


def test_a_new_password_is_asked_for_twice() -> None:
    prompt, questions = typed("one", "one")
    assert Passwords(prompt=prompt).new("Password").data == b"one"
    assert questions == ["Password", "Password (once more)"]
    prompt, _ = typed("one", "other")
    with pytest.raises(UsageError, match="not the same"):
        Passwords(prompt=prompt).new("Password")


def test_an_empty_new_password_is_taken_with_a_warning() -> None:
    prompt, _ = typed("", "")
    warnings: list[str] = []
    assert Passwords(prompt=prompt, warn=warnings.append).new("Password").data == b""
    assert "empty" in warnings[0]


def test_without_any_source_the_error_names_them() -> None:
    for ask in (Passwords().existing, Passwords().new):
        with pytest.raises(UsageError, match="no terminal to ask on") as caught:
            ask("?")
        for name in ("--password-file", "--password-fd", "BINSTALL_SIGNING_PASSWORD"):
            assert name in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (lambda: Passwords(file=Path("x"), descriptor=3), UsageError, "both given"),
        (lambda: Passwords(descriptor=-1), UsageError, "no file descriptor"),
        (lambda: Passwords(descriptor=987), LocalIOError, "--password-fd 987 cannot be read"),
        (lambda: Passwords(file=Path("/does/not/exist")), LocalIOError, "cannot be read"),
        (lambda: Passwords(variable=secret("")), UsageError, "BINSTALL_SIGNING_PASSWORD holds no password"),
    ],
    ids=["both", "negative", "closed", "missing", "empty variable"],
)
def test_a_source_that_is_none_is_an_error(
    make: Callable[[], Passwords], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        make().existing("?")


def test_a_password_file_has_its_bound(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(b"p" * (MAX_PASSWORD_FILE_BYTES + 1))
    with pytest.raises(LocalIOError, match=str(MAX_PASSWORD_FILE_BYTES)):
        Passwords(file=file).existing("?")
