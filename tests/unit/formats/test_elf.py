"""The head of an ELF file."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.formats.elf import ElfHead, parse_elf_head
from support_elf import AARCH64, ARM, ARM_HARD, ARM_SOFT, I386, MIPS, PPC64, RISCV, S390, X86_64, elf

LOADER = "/lib64/ld-linux-x86-64.so.2"


def _head(data: bytes) -> ElfHead:
    head = parse_elf_head(data)
    assert head is not None
    return head


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("big_endian", [False, True])
def test_class_byte_order_machine_flags_and_loader_are_read(bits: int, big_endian: bool) -> None:
    data = elf(0x1234, bits, big_endian=big_endian, flags=0x0A0B0C0D, interpreter=LOADER, tail=b"more")
    assert _head(data) == ElfHead(bits, not big_endian, 0x1234, 0x0A0B0C0D, LOADER)


def test_a_static_file_has_no_loader() -> None:
    assert _head(elf(X86_64)).interpreter is None


@pytest.mark.parametrize(
    ("data", "arch", "suffix"),
    [
        pytest.param(elf(X86_64), "x86_64", "", id="x86_64"),
        pytest.param(elf(X86_64, 32), "x86_64", "x32", id="x32"),
        pytest.param(elf(I386, 32), "i686", "", id="i386"),
        pytest.param(elf(AARCH64), "aarch64", "", id="aarch64"),
        pytest.param(elf(AARCH64, big_endian=True), "aarch64_be", "", id="aarch64_be"),
        pytest.param(elf(AARCH64, 32), "aarch64", "_ilp32", id="ilp32"),
        pytest.param(elf(ARM, 32, flags=ARM_HARD), "armv7", "eabihf", id="arm hard"),
        pytest.param(elf(ARM, 32, flags=ARM_SOFT), "armv7", "eabi", id="arm soft"),
        pytest.param(
            elf(ARM, 32, interpreter="/lib/ld-linux-armhf.so.3"), "armv7", "eabihf", id="arm by its loader"
        ),
        pytest.param(elf(ARM, 32, interpreter="/lib/ld-linux.so.3"), "armv7", "eabi", id="arm soft loader"),
        pytest.param(elf(ARM, 32, big_endian=True), "armeb", "eabi", id="armeb"),
        pytest.param(elf(RISCV), "riscv64gc", "", id="riscv64"),
        pytest.param(elf(RISCV, 32), "riscv32gc", "", id="riscv32"),
        pytest.param(elf(PPC64), "powerpc64le", "", id="powerpc64le"),
        pytest.param(elf(PPC64, big_endian=True), "powerpc64", "", id="powerpc64"),
        pytest.param(elf(S390, big_endian=True), "s390x", "", id="s390x"),
        pytest.param(elf(MIPS), "mips64el", "abi64", id="mips64el"),
        pytest.param(elf(MIPS, 32, big_endian=True), "mips", "", id="mips"),
        pytest.param(elf(MIPS, 32, flags=0x9000_0000), "mipsisa32r6el", "", id="mips release 6"),
        pytest.param(
            elf(MIPS, flags=0xA000_0007, big_endian=True), "mipsisa64r6", "abi64", id="mips64 release 6"
        ),
    ],
)
def test_a_processor_has_rustc_s_name(data: bytes, arch: str, suffix: str) -> None:
    assert _head(data).processor() == (arch, suffix)


@pytest.mark.parametrize(
    "data",
    [elf(0), elf(0xFFFF), elf(S390), elf(X86_64, big_endian=True)],
    ids=["none", "unknown", "wrong byte order", "big-endian x86"],
)
def test_a_processor_that_rustc_does_not_know_has_no_name(data: bytes) -> None:
    assert _head(data).processor() is None


def test_an_arm_file_that_says_nothing_of_floats_leaves_it_open() -> None:
    assert _head(elf(ARM, 32)).hard_float() is None


@pytest.mark.parametrize(
    "data",
    [b"", b"\x7fELF", b"#!/bin/sh\n", b"MZ" + bytes(100), b"\x7fELF\x03\x01" + bytes(100), bytes(100)],
)
def test_other_files_are_no_elf(data: bytes) -> None:
    assert parse_elf_head(data) is None


@pytest.mark.parametrize("bits", [32, 64])
def test_a_file_cut_in_its_header_is_no_elf_and_one_cut_later_has_no_loader(bits: int) -> None:
    whole = elf(X86_64, bits, interpreter=LOADER)
    header = 46 if bits == 32 else 58  # up to the count of program headers
    for size in range(header):
        assert parse_elf_head(whole[:size]) is None
    second_segment_ends = len(whole) - len(LOADER) - 1
    for size in range(header, second_segment_ends - 8):
        assert _head(whole[:size]).interpreter is None


SAMPLES = st.sampled_from(
    [elf(X86_64, interpreter=LOADER), elf(ARM, 32, flags=ARM_HARD, interpreter="/lib/ld-linux-armhf.so.3")]
)


@settings(max_examples=1000, deadline=None)
@given(SAMPLES, st.data())
def test_a_mutated_file_is_read_or_is_none(sample: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(sample)))
    new = data.draw(st.binary(max_size=8))
    _read(sample[:at] + new + sample[at + data.draw(st.integers(0, 8)) :])


@settings(max_examples=1000, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"\x7fELF\x01\x01", b"\x7fELF\x02\x02"]))
def test_any_bytes_are_read_or_are_none(data: bytes, start: bytes) -> None:
    _read(start + data)


def _read(data: bytes) -> None:
    head = parse_elf_head(data)
    if head is None:
        return
    assert data.startswith(b"\x7fELF")
    assert head.bits in {32, 64}
    assert head.interpreter is None or 0 < len(head.interpreter) <= len(data)
    assert head.processor() is None or head.processor() != ("", "")
