"""Target triples: `x86_64-unknown-linux-gnu` to its parts, and the template values made of them.

    triple = arch [ "-" vendor ] [ "-" os ] [ "-" environment ] [ "-" binary format ]

Read from the left; each part but the first is taken only if it is a word of its kind, and a part left over
is an error. The words are LLVM's as cargo-binstall 1.22 knows them, so that a template means the same URL
in both programs; 57 of rustc's targets are not among them and are refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from binstall.errors import BadTarget
from binstall.limits import MAX_TARGET_CHARACTERS


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ARCHITECTURES: Final = _words("""
    unknown amdgcn asmjs avr bpfeb bpfel hexagon loongarch64 m68k msp430 nvptx64 powerpc powerpc64 powerpc64le
    pulley32 pulley64 pulley32be pulley64be s390x sparc sparc64 sparcv9 wasm32 wasm64 xtensa
    x86_64 x86_64h i386 i586 i686 aarch64 arm64 aarch64_be
    riscv32 riscv32gc riscv32i riscv32im riscv32ima riscv32imac riscv32imafc riscv32imc
    riscv64 riscv64gc riscv64imac riscv64a23
    mips mipsel mipsisa32r6 mipsisa32r6el mips64 mips64el mipsisa64r6 mipsisa64r6el clever clever1.0
    arm armeb armv4 armv4t armv5t armv5te armv5tej armv6 armv6j armv6k armv6z armv6kz armv6t2 armv6m
    armv7 armv7a armv7k armv7ve armv7m armv7r armv7s armebv7r
    armv8 armv8a armv8.1a armv8.2a armv8.3a armv8.4a armv8.5a armv8m.base armv8m.main armv8r
    thumbeb thumbv4t thumbv5te thumbv6m thumbv7a thumbv7em thumbv7m thumbv7neon thumbv8m.base thumbv8m.main
""")
_VENDORS: Final = _words("""
    unknown amd apple espressif experimental fortanix ibm kmc nintendo nvidia pc rumprun sun uwp wrs
""")
_VERSIONED_SYSTEMS: Final = _words("darwin ios macosx tvos visionos watchos xros")
_SYSTEMS: Final = _VERSIONED_SYSTEMS | _words("""
    unknown aix amdhsa bitrig cloudabi cuda cygwin dragonfly emscripten espidf freebsd fuchsia haiku hermit
    horizon hurd illumos l4re linux nebulet netbsd none openbsd psp redox solaris solid_asp3 uefi vxworks
    wasi wasip1 wasip2 windows
""")
_ENVIRONMENTS: Final = _words("""
    unknown amdgiz android androideabi eabi eabihf gnu gnuabi64 gnueabi gnueabihf gnuspe gnux32 gnu_ilp32
    gnullvm hermitkernel hurdkernel linuxkernel macabi musl musleabi musleabihf muslabi64 msvc newlib none
    kernel uclibc uclibceabi uclibceabihf sgx sim softfloat spe threads ohos
""")
_BINARY_FORMATS: Final = _words("unknown elf coff macho wasm xcoff")

_UNIX: Final = _VERSIONED_SYSTEMS | _words("""
    linux bitrig dragonfly freebsd netbsd openbsd solaris illumos fuchsia redox haiku aix cygwin emscripten
    espidf hurd l4re vxworks
""")
_SPELLINGS: Final = {"arm64": "aarch64"}
# Whole texts that do not follow the grammar, as (arch, vendor, os, environment).
_SPECIAL: Final = {
    "armv6k-nintendo-3ds": ("armv6k", "nintendo", "horizon", "newlib"),
    "riscv32imc-esp-espidf": ("riscv32imc", "espressif", "espidf", "newlib"),
    "universal-apple-darwin": ("universal", "apple", "darwin", "unknown"),
    "universal2-apple-darwin": ("universal", "apple", "darwin", "unknown"),
}

_FREE_VENDOR: Final = re.compile(r"[a-z][a-z0-9_.]*\Z")
_VERSIONED_SYSTEM: Final = re.compile(
    rf"(?P<name>{'|'.join(sorted(_VERSIONED_SYSTEMS))})"
    r"(?P<major>[0-9]{1,5})(?:\.(?P<minor>[0-9]{1,3}))?(?:\.(?P<patch>[0-9]{1,3}))?\Z"
)


@dataclass(frozen=True, slots=True)
class TargetTriple:
    """One target that packages are built for. A part that the text leaves out is `unknown`."""

    text: str
    """As given; what `{ target }` becomes."""
    arch: str
    """`x86_64`; `universal` for macOS packages that hold several."""
    vendor: str
    """`unknown`, `apple`, `pc`, or any other vendor's word."""
    family: str
    """LLVM's name of the operating system, without a version: `darwin`, `linux`, `windows`."""
    os_name: str
    """As `family`, but `macos` for `darwin` and `macosx`."""
    libc: str
    """LLVM's environment: `gnu`, `musleabihf`, `msvc`, `android`."""
    cfg_family: Literal["unix", "windows"] | None
    """What `cfg(unix)` and `cfg(windows)` ask for."""

    @property
    def binary_ext(self) -> str:
        """Extension of executables, with its dot: `.exe` or empty."""
        return ".exe" if "windows" in self.text else ""

    def template_values(self) -> dict[str, str]:
        """Return the template variables that depend on the target alone."""
        return {
            "target": self.text,
            "target-family": self.family,
            "os-name": self.os_name,
            "target-arch": self.arch,
            "target-libc": self.libc,
            "target-vendor": self.vendor,
            "binary-ext": self.binary_ext,
        }


def parse_target(text: str) -> TargetTriple:
    """Read a target triple; raise `BadTarget`, and nothing else, if it is not one that is known."""
    if len(text) > MAX_TARGET_CHARACTERS:
        raise BadTarget(
            f"target `{text[:MAX_TARGET_CHARACTERS]}…` has more than {MAX_TARGET_CHARACTERS} characters"
            " (MAX_TARGET_CHARACTERS)"
        )
    special = _SPECIAL.get(text)
    if special is not None:
        return _triple(text, *special)
    arch, *rest = text.split("-")
    if arch not in _ARCHITECTURES:
        raise _unknown(text, "architecture", arch)

    vendor, system, environment = None, None, None
    binary_format = False
    if rest and _is_vendor(rest[0]):
        vendor = rest.pop(0)
    if rest and (system := _system(rest[0])) is not None:
        rest.pop(0)
    if rest and rest[0] in _ENVIRONMENTS:
        environment = rest.pop(0)
    if rest and rest[0] in _BINARY_FORMATS:
        binary_format = bool(rest.pop(0))
    if rest:
        kind = "further part"
        if vendor is None:
            kind = "vendor"
        elif system is None:
            kind = "operating system"
        elif environment is None:
            kind = "environment"
        elif not binary_format:
            kind = "binary format"
        raise _unknown(text, kind, rest[0])
    return _triple(
        text, _SPELLINGS.get(arch, arch), vendor or "unknown", system or "unknown", environment or "unknown"
    )


def _triple(text: str, arch: str, vendor: str, system: str, environment: str) -> TargetTriple:
    cfg_family: Literal["unix", "windows"] | None = None
    if system == "windows":
        cfg_family = "windows"
    elif system in _UNIX:
        cfg_family = "unix"
    os_name = "macos" if system in {"darwin", "macosx"} else system
    return TargetTriple(text, arch, vendor, system, os_name, environment, cfg_family)


def _is_vendor(word: str) -> bool:
    if word in _VENDORS:
        return True
    if (
        word in _ARCHITECTURES
        or word in _ENVIRONMENTS
        or word in _BINARY_FORMATS
        or _system(word) is not None
    ):
        return False
    return _FREE_VENDOR.match(word) is not None


def _system(word: str) -> str | None:
    if word in _SYSTEMS:
        return word
    versioned = _VERSIONED_SYSTEM.match(word)
    if versioned is None:
        return None
    major, minor, patch = (int(versioned[part] or 0) for part in ("major", "minor", "patch"))
    # The deployment target's own widths: 16, 8 and 8 bits.
    return versioned["name"] if major < 1 << 16 and minor < 1 << 8 and patch < 1 << 8 else None


def _unknown(text: str, kind: str, part: str) -> BadTarget:
    return BadTarget(
        f"target `{text}` has an unknown {kind} `{part}`"
        if part
        else f"target `{text}` has an empty {kind}",
        hint="a target is written as rustc writes it, such as x86_64-unknown-linux-gnu",
    )
