"""What a program file says of itself: which machine it is for, and what has to be there to start it.

    7f E L F         processor from the header, loader from PT_INTERP, glibc versions from .gnu.version_r
    # !              the interpreter on the first line
    M Z              COFF header behind the offset at 0x3c, machine in its first two bytes
    fe ed fa ce/cf   Mach-O, either byte order, processor in the next four bytes
    ca fe ba be      Mach-O for several processors

Files are only read. A damaged header is `unknown`, never an error: whether it starts is then not known.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import BinaryIO, Final, Literal

from binstall.formats.elf import parse_elf_head
from binstall.limits import MAX_ELF_HEAD_BYTES, MAX_PROGRAM_SECTIONS

Kind = Literal["ELF", "script", "PE", "Mach-O", "unknown"]
GlibcVersion = tuple[int, ...]

_GLIBC: Final = re.compile(r"GLIBC_(\d+(?:\.\d+){0,3})\Z")
_PE_MACHINES: Final = {0x014C: "i686", 0x8664: "x86_64", 0xAA64: "aarch64", 0x01C4: "armv7"}
_MACH_PROCESSORS: Final = {7: "i686", 0x0100_0007: "x86_64", 0x0100_000C: "aarch64", 12: "armv7"}
_MAX_SLICES: Final = 16


@dataclass(frozen=True, slots=True)
class Executable:
    """One program file; as trustworthy as the file."""

    kind: Kind
    architectures: frozenset[str] = frozenset()
    """rustc's words; empty where the header does not tell. Several for a universal Mach-O."""
    interpreter: str | None = None
    """ELF: the loader; script: the program of its first line. None for a static or other file."""
    glibc: GlibcVersion | None = None
    """The highest version of glibc that it needs, such as (2, 34); None if it names none."""


UNKNOWN: Final = Executable("unknown")


def read_executable(file: BinaryIO) -> Executable:
    """Read what the start of a file, and for ELF its version table, say; OSError alone gets out."""
    file.seek(0)
    head = file.read(MAX_ELF_HEAD_BYTES)
    if head[:4] == b"\x7fELF":
        return _elf(head, file)
    if head[:2] == b"#!":
        return _script(head)
    if head[:2] == b"MZ":
        return _pe(head)
    return _mach_o(head)


def _elf(head: bytes, file: BinaryIO) -> Executable:
    parsed = parse_elf_head(head)
    if parsed is None:
        return UNKNOWN
    processor = parsed.processor()
    architectures = frozenset({processor[0]} if processor is not None else ())
    return Executable("ELF", architectures, parsed.interpreter, _needed_glibc(file))


def _needed_glibc(file: BinaryIO) -> GlibcVersion | None:
    from elftools.elf.elffile import ELFFile
    from elftools.elf.gnuversions import GNUVerNeedSection

    try:
        elf = ELFFile(file)
        if elf.num_sections() > MAX_PROGRAM_SECTIONS:
            return None
        section = elf.get_section_by_name(".gnu.version_r")
        if not isinstance(section, GNUVerNeedSection):
            return None
        names = [auxiliary.name for _, each in section.iter_versions() for auxiliary in each]
    except OSError:
        raise
    except Exception:  # the library raises whatever a damaged table makes it stumble over
        return None
    versions = [
        tuple(int(part) for part in found[1].split("."))
        for name in names
        if (found := _GLIBC.match(str(name)))
    ]
    return max(versions, default=None)


def _script(head: bytes) -> Executable:
    words = head[2:].partition(b"\n")[0].decode("utf-8", "replace").split()
    return Executable("script", interpreter=words[0] if words else None)


def _pe(head: bytes) -> Executable:
    try:
        (at,) = struct.unpack_from("<I", head, 0x3C)
        signature, machine = struct.unpack_from("<4sH", head, at)
    except struct.error:
        return UNKNOWN
    if signature != b"PE\0\0":
        return UNKNOWN
    return Executable("PE", frozenset({_PE_MACHINES[machine]} if machine in _PE_MACHINES else ()))


def _mach_o(head: bytes) -> Executable:
    try:
        if head[:4] in {b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf"}:
            wide = head[3] == 0xBF
            (count,) = struct.unpack_from(">I", head, 4)
            if not 0 < count <= _MAX_SLICES:  # Java classes begin with the same four bytes
                return UNKNOWN
            size = 32 if wide else 20
            processors = [struct.unpack_from(">I", head, 8 + size * at)[0] for at in range(count)]
        elif head[:4] in {b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe"}:
            processors = list(struct.unpack_from("<I", head, 4))
        elif head[:4] in {b"\xfe\xed\xfa\xcf", b"\xfe\xed\xfa\xce"}:
            processors = list(struct.unpack_from(">I", head, 4))
        else:
            return UNKNOWN
    except struct.error:
        return UNKNOWN
    known = frozenset(_MACH_PROCESSORS[each] for each in processors if each in _MACH_PROCESSORS)
    return Executable("Mach-O", known)
