from __future__ import annotations

import io
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.formats.executable import Executable, read_executable


def read(data: bytes) -> Executable:
    return read_executable(io.BytesIO(data))


def pe(machine: int) -> bytes:
    return b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40) + b"PE\0\0" + struct.pack("<H", machine)


@pytest.mark.parametrize(
    ("data", "kind", "architectures"),
    [
        (pe(0x8664), "PE", {"x86_64"}),
        (pe(0xAA64), "PE", {"aarch64"}),
        (pe(0x9999), "PE", set()),
        (struct.pack("<II", 0xFEEDFACF, 0x0100000C), "Mach-O", {"aarch64"}),
        (struct.pack(">II", 0xFEEDFACF, 0x01000007), "Mach-O", {"x86_64"}),
        (
            struct.pack(">II", 0xCAFEBABE, 2)
            + struct.pack(">I16x", 0x01000007)
            + struct.pack(">I16x", 0x0100000C),
            "Mach-O",
            {"x86_64", "aarch64"},
        ),
        (struct.pack(">II", 0xCAFEBABE, 61), "unknown", set()),
        (b"", "unknown", set()),
        (b"\x7fELF", "unknown", set()),
        (b"MZ", "unknown", set()),
        (b"hello", "unknown", set()),
    ],
)
def test_a_header_tells_kind_and_processor(data: bytes, kind: str, architectures: set[str]) -> None:
    found = read(data)
    assert str(found.kind) == kind
    assert found.architectures == architectures


@pytest.mark.parametrize(
    ("line", "interpreter"),
    [(b"#!/bin/sh\n", "/bin/sh"), (b"#! /usr/bin/env python\n", "/usr/bin/env"), (b"#!\n", None)],
)
def test_a_script_names_its_interpreter(line: bytes, interpreter: str | None) -> None:
    assert read(line) == Executable("script", interpreter=interpreter)


@pytest.mark.skipif(not Path("/bin/ls").exists(), reason="no /bin/ls here")
def test_a_program_of_this_machine_names_its_loader_and_glibc() -> None:
    with Path("/bin/ls").resolve().open("rb") as file:
        found = read_executable(file)
    if sys.platform == "linux":
        assert found.kind == "ELF"
        assert found.interpreter is not None
        assert found.glibc is None or found.glibc > (2, 2)


@settings(max_examples=1000, deadline=None)
@given(st.binary(max_size=300) | st.sampled_from([b"\x7fELF\x02\x01", b"MZ", b"\xca\xfe\xba\xbe"]).flatmap(
    lambda start: st.binary(max_size=300).map(start.__add__)))  # fmt: skip
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    assert read(data).kind in {"ELF", "script", "PE", "Mach-O", "unknown"}


_LS = Path("/bin/ls").resolve().read_bytes() if Path("/bin/ls").exists() else b""


@pytest.mark.skipif(not _LS, reason="no /bin/ls here")
@settings(max_examples=1000, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, max(len(_LS) - 1, 0)), st.integers(0, 255)), max_size=8),
    st.integers(0, 64),
)
def test_a_damaged_program_is_read_without_an_error(changes: list[tuple[int, int]], early: int) -> None:
    data = bytearray(_LS)
    for at, value in changes:
        data[at] = value
        data[at % 512] = value ^ early
    read(bytes(data))
