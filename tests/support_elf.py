"""Small ELF files for machines that are not here: a header, at most one program header, and a tail."""

from __future__ import annotations

import struct

X86_64, I386, ARM, AARCH64, RISCV, PPC64, S390, MIPS = 62, 3, 40, 183, 243, 21, 22, 8
ARM_HARD, ARM_SOFT = 0x0500_0400, 0x0500_0200


def elf(
    machine: int,
    bits: int = 64,
    *,
    big_endian: bool = False,
    flags: int = 0,
    interpreter: str | None = None,
    tail: bytes = b"",
) -> bytes:
    """Return an ELF file whose loader is `interpreter` and whose content ends in `tail`."""
    order = ">" if big_endian else "<"
    ident = b"\x7fELF" + bytes([bits // 32, 2 if big_endian else 1, 1]) + bytes(9)
    header, segment = (64, 56) if bits == 64 else (52, 32)
    count = 0 if interpreter is None else 2
    layout = "HHIQQQIHHHHHH" if bits == 64 else "HHIIIIIHHHHHH"
    data = ident + struct.pack(
        order + layout, 3, machine, 1, 0, header, 0, flags, header, segment, count, 0, 0, 0
    )
    if interpreter is not None:
        name = interpreter.encode() + b"\0"
        for kind in (1, 3):  # PT_LOAD stands before PT_INTERP, to be passed over
            at, size = header + 2 * segment, len(name)
            fields = (
                (kind, 4, at, 0, 0, size, size, 1) if bits == 64 else (kind, at, 0, 0, size, size, 4, 1)
            )
            data += struct.pack(order + ("IIQQQQQQ" if bits == 64 else "IIIIIIII"), *fields)
        data += name
    return data + tail
