"""A program that cannot start here is not installed; the next target's package is looked for."""

from __future__ import annotations

import struct
import sys

import pytest

from support_machine import Machine
from support_registry import Publisher

GNU, MUSL = "x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs for Linux")


def elf(machine: int) -> bytes:
    """An ELF header for a processor, of a static program."""
    return b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 2, machine, 1, 0, 64, 0, 0, 64, 56, 0, 64, 0, 0
    )


def test_a_program_for_another_processor_leads_to_the_next_target(
    publisher: Publisher, machine: Machine
) -> None:
    publisher.release("hello", "1.0.0", target=GNU, bins={"hello": elf(183)})
    publisher.release("hello", "1.0.0", target=MUSL)
    run = machine.run("install", "hello", "--targets", f"{GNU},{MUSL}").expect(0)
    assert "it is for aarch64, not for x86_64" in run.err
    assert (machine.bin / "hello").read_bytes().startswith(b"#!/bin/sh")


def test_no_program_that_can_start_is_88_and_nothing_is_placed(
    publisher: Publisher, machine: Machine
) -> None:
    publisher.release("hello", "1.0.0", target=GNU, bins={"hello": elf(183)})
    before = machine.files()
    assert "aarch64" in machine.run("install", "hello", "--targets", GNU).expect(88).err
    assert machine.files() == before


def test_a_program_without_a_known_header_is_installed_with_a_warning(
    publisher: Publisher, machine: Machine
) -> None:
    publisher.release("hello", "1.0.0", target=GNU, bins={"hello": b"no program"})
    assert (
        "whether it starts is not known" in machine.run("install", "hello", "--targets", GNU).expect(0).err
    )
