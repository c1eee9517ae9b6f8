"""The head of an ELF file: for which processor it is, by which ABI, and which loader starts it.

Reads only what tells one target from another; the file is never run. Word sizes, offsets and flag bits are
those of the System V ABI and its supplements for each processor.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

_HEADERS: Final = {32: "HHIIIIIHHH", 64: "HHIQQQIHHH"}
# Of a program header: its format, and where kind, file offset and size stand in it.
_SEGMENTS: Final = {32: ("IIIII", 1, 4), 64: ("IIQQQQ", 2, 5)}
_INTERPRETER_SEGMENT: Final = 3
_MAX_INTERPRETER_BYTES: Final = 4096

_ARM: Final = 40
_ARM_HARD_FLOAT: Final = 0x400
_ARM_SOFT_FLOAT: Final = 0x200
_MIPS: Final = 8
_MIPS_RELEASE_6: Final = frozenset({0x9000_0000, 0xA000_0000})

# (machine, bits, little-endian) to rustc's architecture and the suffix of its environment.
_PROCESSORS: Final = {
    (2, 32, False): ("sparc", ""),
    (3, 32, True): ("i686", ""),
    (4, 32, False): ("m68k", ""),
    (_MIPS, 32, False): ("mips", ""),
    (_MIPS, 32, True): ("mipsel", ""),
    (_MIPS, 64, False): ("mips64", "abi64"),
    (_MIPS, 64, True): ("mips64el", "abi64"),
    (18, 32, False): ("sparc", ""),
    (20, 32, False): ("powerpc", ""),
    (21, 64, False): ("powerpc64", ""),
    (21, 64, True): ("powerpc64le", ""),
    (22, 64, False): ("s390x", ""),
    (_ARM, 32, False): ("armeb", "eabi"),
    (_ARM, 32, True): ("armv7", "eabi"),
    (43, 64, False): ("sparc64", ""),
    (62, 32, True): ("x86_64", "x32"),
    (62, 64, True): ("x86_64", ""),
    (164, 32, True): ("hexagon", ""),
    (183, 32, False): ("aarch64_be", "_ilp32"),
    (183, 32, True): ("aarch64", "_ilp32"),
    (183, 64, False): ("aarch64_be", ""),
    (183, 64, True): ("aarch64", ""),
    (243, 32, True): ("riscv32gc", ""),
    (243, 64, True): ("riscv64gc", ""),
    (258, 64, True): ("loongarch64", ""),
}


@dataclass(frozen=True, slots=True)
class ElfHead:
    """What the first bytes of an ELF file say; as trustworthy as the file."""

    bits: int
    """32 or 64: the class of the file, which on x32 and ILP32 is not that of the processor."""
    little_endian: bool
    machine: int
    """`e_machine`."""
    flags: int
    """`e_flags`; the meaning depends on the machine."""
    interpreter: str | None
    """Path of the loader; None if the file is static, or names it beyond the bytes that were read."""

    def processor(self) -> tuple[str, str] | None:
        """Return rustc's architecture and environment suffix, such as `("armv7", "eabihf")`, or None.

        The variants that a header does not tell apart are reported as `armv7` and `i686`.
        """
        found = _PROCESSORS.get(self.kind())
        if found is None:
            return None
        arch, suffix = found
        if self.machine == _ARM and self.hard_float():
            suffix = "eabihf"
        if self.machine == _MIPS and self.flags & 0xF000_0000 in _MIPS_RELEASE_6:
            arch = f"mipsisa{self.bits}r6{'el' if self.little_endian else ''}"
        return arch, suffix

    def kind(self) -> tuple[int, int, bool]:
        """Return what must agree between a program and its loader: machine, bits, little-endian."""
        return (self.machine, self.bits, self.little_endian)

    def hard_float(self) -> bool | None:
        """Tell whether a 32-bit ARM file passes floats in registers; None if it does not say."""
        if self.flags & _ARM_HARD_FLOAT or (self.interpreter is not None and "armhf" in self.interpreter):
            return True
        if self.flags & _ARM_SOFT_FLOAT or self.interpreter is not None:
            return False
        return None


def parse_elf_head(data: bytes) -> ElfHead | None:
    """Read the start of a file; None, and never an error, if it is no ELF file or cut inside its header.

    `data` should hold the first `limits.MAX_ELF_HEAD_BYTES`, which includes the loader's name in every
    file that a linker wrote.
    """
    if len(data) < 16 or data[:4] != b"\x7fELF" or data[4] not in {1, 2} or data[5] not in {1, 2}:
        return None
    bits, little_endian = 32 * data[4], data[5] == 1
    order = "<" if little_endian else ">"
    try:
        _, machine, _, _, segments, _, flags, _, segment_size, count = struct.unpack_from(
            order + _HEADERS[bits], data, 16
        )
    except struct.error:
        return None
    layout, offset_at, size_at = _SEGMENTS[bits]
    segment = struct.Struct(order + layout)
    interpreter = None
    if segment_size >= segment.size:
        end = min(segments + count * segment_size, len(data) - segment.size + 1)
        for at in range(segments, end, segment_size):
            fields = segment.unpack_from(data, at)
            if fields[0] == _INTERPRETER_SEGMENT:
                interpreter = _text_at(data, fields[offset_at], fields[size_at])
                break
    return ElfHead(bits, little_endian, machine, flags, interpreter)


def _text_at(data: bytes, offset: int, size: int) -> str | None:
    text = data[offset : offset + min(size, _MAX_INTERPRETER_BYTES)].partition(b"\0")[0]
    return text.decode("utf-8", "replace") or None
