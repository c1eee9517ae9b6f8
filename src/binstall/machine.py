"""From the files of a machine and its own words to the facts that decide about its targets.

A Linux program for glibc needs the loader that its processor's ABI names (`/lib64/ld-linux-x86-64.so.2`);
the content of that file, not its name, tells glibc and gcompat from musl's imitation and from the stub of
NixOS. The processor is that of the userland, `/bin/sh`: under a 64-bit kernel it may be 32 bits wide.
Files are read, never run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from binstall.formats.elf import ElfHead, parse_elf_head
from binstall.formats.host import HostFacts, WindowsMachine, preferred_targets
from binstall.limits import MAX_ELF_HEAD_BYTES, MAX_LOADER_BYTES

__all__ = ["Surroundings", "detect", "detect_host", "preferred_targets", "surroundings"]

# rustc's architecture, and the environment suffix where it matters, to the loader that glibc's ABI names.
_LOADERS: Final = {
    "x86_64": "ld-linux-x86-64.so.2",
    "x86_64+x32": "ld-linux-x32.so.2",
    "i586": "ld-linux.so.2",
    "i686": "ld-linux.so.2",
    "aarch64": "ld-linux-aarch64.so.1",
    "aarch64+_ilp32": "ld-linux-aarch64_ilp32.so.1",
    "aarch64_be": "ld-linux-aarch64_be.so.1",
    "aarch64_be+_ilp32": "ld-linux-aarch64_be_ilp32.so.1",
    "riscv32gc": "ld-linux-riscv32-ilp32d.so.1",
    "riscv64gc": "ld-linux-riscv64-lp64d.so.1",
    "loongarch64": "ld-linux-loongarch-lp64d.so.1",
    "powerpc": "ld.so.1",
    "powerpc64": "ld64.so.1",
    "powerpc64le": "ld64.so.2",
    "s390x": "ld64.so.1",
    "mips": "ld.so.1",
    "mipsel": "ld.so.1",
    "mips64+abi64": "ld.so.1",
    "mips64el+abi64": "ld.so.1",
    "mipsisa32r6": "ld-linux-mipsn8.so.1",
    "mipsisa32r6el": "ld-linux-mipsn8.so.1",
    "mipsisa64r6+abi64": "ld-linux-mipsn8.so.1",
    "mipsisa64r6el+abi64": "ld-linux-mipsn8.so.1",
    "sparc": "ld-linux.so.2",
    "sparc64": "ld-linux.so.2",
    "m68k": "ld.so.1",
}
_ARM_LOADERS: Final = {"eabihf": "ld-linux-armhf.so.3", "eabi": "ld-linux.so.3"}
_HARD_FLOAT_LOADERS: Final = ("lib/ld-linux-armhf.so.3", "lib/ld-musl-armhf.so.1")
# glibc's loader defines this symbol version in every release; musl and the stubs have no such thing.
_GLIBC_MARK: Final = b"GLIBC_PRIVATE"
_GCOMPAT_MARK: Final = b"This is the gcompat ELF interpreter stub."
_ANDROID_LOADERS: Final = ("/system/bin/linker", "/apex/com.android.runtime/bin/linker")

_UNAME_WORDS: Final = {
    "amd64": "x86_64",
    "i86pc": "x86_64",
    "arm64": "aarch64",
    "x86": "i686",
    "i386": "i686",
    "i486": "i686",
    "bepc": "i686",
    "ppc": "powerpc",
    "ppc64": "powerpc64",
    "ppc64le": "powerpc64le",
    "riscv32": "riscv32gc",
    "riscv64": "riscv64gc",
}
# rustc's `arm` is version 6.
_ARM_VERSIONS: Final = {"armv4t": "armv4t", "armv5te": "armv5te", "armv6": "arm"}
_ROSETTA: Final = "Library/Apple/usr/libexec/oah/libRosettaRuntime"
_USER_ENABLED: Final = 1
_WINDOWS_NUMBERS: Final[dict[int, tuple[WindowsMachine, str]]] = {
    0x8664: ("amd64", "x86_64"),
    0x014C: ("i386", "i686"),
    0x01C4: ("arm", "thumbv7a"),
    0xAA64: ("arm64", "aarch64"),
}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What `detect` looks at; everything in it is this machine's own word."""

    platform: str
    """`sys.platform`: `linux`, `darwin`, `win32`, `freebsd14`."""
    machine: str
    """What the kernel calls its processor (`uname -m`); on Windows, rustc's word for the native one."""
    kernel: str = ""
    """The kernel's version text (`uname -v`)."""
    root: Path = Path("/")
    """Where the file system begins."""
    executable: Path | None = None
    """The running Python; read if there is no shell."""
    libc_version: str = ""
    """`confstr("CS_GNU_LIBC_VERSION")`: `glibc 2.36`, or empty."""
    has_avx2: bool = False
    """Whether an Intel Mac has the processor that `x86_64h` means."""
    windows_machines: frozenset[WindowsMachine] = frozenset()
    """What this Windows says it can run, by itself or by emulation."""


def detect_host() -> HostFacts:
    """Detect the machine that this runs on; `preferred_targets` makes the list of it."""
    return detect(surroundings())


def glibc_version() -> tuple[int, ...] | None:
    """Return the version of this machine's glibc, such as (2, 36), as this very process runs with it.

    None where this Python runs with another C library; there may be a glibc beside it all the same.
    """
    try:
        words = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
    except (AttributeError, OSError, ValueError):
        return None
    if len(words) != 2 or words[0] != "glibc":
        return None
    parts = words[1].split(".")
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else None


def detect(around: Surroundings) -> HostFacts:
    """Draw the conclusions from `around` and the files under its root; runs nothing, raises nothing."""
    system = around.platform
    if system == "darwin":
        return _detect_macos(around)
    if system in {"win32", "cygwin", "msys"}:
        # Which C library a Python was built with says nothing; the MSVC packages are the common ones.
        base = f"{_uname_arch(around.machine)}-pc-windows-msvc"
        return HostFacts(base, windows_machines=around.windows_machines)
    system = system.rstrip("0123456789.")
    userland = _userland(around)
    arch, suffix = _processor(around, userland)
    loader = userland.interpreter if userland is not None else None
    if system == "android" or (loader is not None and loader.startswith(_ANDROID_LOADERS)):
        suffix = "eabi" if suffix == "eabihf" else suffix
        return HostFacts(f"{arch.removesuffix('gc')}-linux-android{suffix}")
    if system == "linux":
        glibc = _runs_glibc(around, arch, suffix, userland)
        return HostFacts(f"{arch}-unknown-linux-{'gnu' if glibc else 'musl'}{suffix}", runs_glibc=glibc)
    return HostFacts(_other_base(system, around, arch, suffix))


def _other_base(system: str, around: Surroundings, arch: str, suffix: str) -> str:
    match system:
        case "sunos" if not around.kernel[:1].isdigit():
            # An illumos names its distribution here, Solaris its own version number. The shell may be
            # 32 bits wide on both, their kernels never are.
            return f"{_uname_arch(around.machine)}-unknown-illumos"
        case "sunos":
            return "sparcv9-sun-solaris" if around.machine.startswith("sun4") else "x86_64-pc-solaris"
        case "aix":
            return "powerpc64-ibm-aix"
        case "gnu":
            return f"{arch}-unknown-hurd-gnu"
        case "netbsd" if suffix:
            return f"{arch}-unknown-netbsd-{suffix}"
        case _:
            return f"{arch}-unknown-{system}"


def _detect_macos(around: Surroundings) -> HostFacts:
    # Under Rosetta the processor is called x86_64, while the kernel's version still names its own.
    if around.machine == "arm64" or "ARM64" in around.kernel:
        rosetta = around.machine == "x86_64" or bool(_read(around.root / _ROSETTA, 1))
        return HostFacts("aarch64-apple-darwin", runs_x86_64=rosetta)
    arch = _uname_arch(around.machine)
    return HostFacts(f"{arch}-apple-darwin", runs_x86_64=arch == "x86_64", runs_x86_64h=around.has_avx2)


def _uname_arch(word: str) -> str:
    word = word.lower()
    return _UNAME_WORDS.get(word, word)


def _userland(around: Surroundings) -> ElfHead | None:
    shells = (around.root / "bin/sh", around.root / "system/bin/sh")
    for program in shells if around.executable is None else (*shells, around.executable):
        head = parse_elf_head(_read(program, MAX_ELF_HEAD_BYTES) or b"")
        if head is not None and head.processor() is not None:
            return head
    return None


def _processor(around: Surroundings, userland: ElfHead | None) -> tuple[str, str]:
    """Return rustc's architecture and environment suffix of programs here."""
    word = around.machine.lower()
    found = userland.processor() if userland is not None else None
    arch, suffix = found or (_uname_arch(word), "")
    if arch == "i686" and word == "i586":
        return "i586", suffix
    if arch == "armeb":
        return arch, suffix
    if arch.startswith("arm"):
        hard = userland.hard_float() if userland is not None else None
        if hard is None:
            hard = any(_read(around.root / path, 1) for path in _HARD_FLOAT_LOADERS)
        return _arm_version(word), "eabihf" if hard else "eabi"
    return arch, suffix


def _arm_version(word: str) -> str:
    for prefix, arch in _ARM_VERSIONS.items():
        if word.startswith(prefix):
            return arch
    # Version 8 in 32-bit mode, and a 32-bit userland under a 64-bit kernel, included.
    return "armv7"


def _runs_glibc(around: Surroundings, arch: str, suffix: str, userland: ElfHead | None) -> bool:
    loader = _LOADERS.get(f"{arch}+{suffix}" if suffix else arch) or _ARM_LOADERS.get(suffix)
    unreadable = loader is None
    for path in _glibc_files(arch, suffix, loader):
        content = _read(around.root / path, MAX_LOADER_BYTES)
        if content is None:
            unreadable = True
        elif _is_glibc(content, userland):
            return True
    # Python's own library is a hint, no more: where a distribution keeps its glibc to itself, Python has
    # it and other programs do not.
    return unreadable and around.libc_version.startswith("glibc")


def _glibc_files(arch: str, suffix: str, loader: str | None) -> Iterator[str]:
    """Name the files that show glibc, relative to the root: where the ABI says, then elsewhere."""
    if suffix in _ARM_LOADERS:
        family = "armeb" if arch == "armeb" else "arm"
    else:
        family = "i386" if arch in {"i586", "i686"} else arch.removesuffix("gc")
    multiarch = f"{family}-linux-gnu{suffix}"
    if loader is not None:
        for folder in ("lib", "lib64", "libx32", "lib32"):
            yield f"{folder}/{loader}"
        for folder in ("lib", "lib64", "usr/lib", "usr/lib64"):
            yield f"{folder}/{multiarch}/{loader}"
    yield "usr/lib64/libc.so.6"
    for folder in ("lib", "usr/lib", "usr/lib64"):
        yield f"{folder}/{multiarch}/libc.so.6"


def _is_glibc(content: bytes, userland: ElfHead | None) -> bool:
    head = parse_elf_head(content)
    if head is None or (userland is not None and head.kind() != userland.kind()):
        return False
    return _GLIBC_MARK in content or _GCOMPAT_MARK in content


def _read(path: Path, size: int) -> bytes | None:
    """Return the first `size` bytes of a regular file: empty if there is none, None if it is unreadable."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(size)
    except OSError:
        return None


def surroundings() -> Surroundings:
    """Look at this machine: its kernel's words, its C library's, its system libraries' answers."""
    executable = Path(sys.executable) if sys.executable else None
    if sys.platform == "win32":
        native, runnable = _ask_windows()
        return Surroundings(sys.platform, native, executable=executable, windows_machines=runnable)
    else:  # noqa: RET505 - a type checker reads one branch, by its platform
        try:
            libc_version = os.confstr("CS_GNU_LIBC_VERSION") or ""
        except (AttributeError, ValueError, OSError):  # Android; another libc; no answer
            libc_version = ""
        kernel = os.uname()
        return Surroundings(
            sys.platform,
            kernel.machine,
            kernel.version,
            executable=executable,
            libc_version=libc_version,
            has_avx2=sys.platform == "darwin" and _sysctl("hw.optional.avx2_0") == 1,
        )


def _sysctl(name: str) -> int | None:
    """Ask macOS for one whole number of 32 bits; None if it does not know the name."""
    import ctypes

    value, size = ctypes.c_int32(), ctypes.c_size_t(4)
    ask = ctypes.CDLL(None).sysctlbyname
    failed = ask(name.encode(), ctypes.byref(value), ctypes.byref(size), None, ctypes.c_size_t(0))
    return None if failed else value.value


def _ask_windows() -> tuple[str, frozenset[WindowsMachine]]:
    """Ask kernel32 for rustc's word for the native machine, and for every machine it runs programs of."""
    if sys.platform == "win32":
        import ctypes
        import platform

        kernel32 = ctypes.WinDLL("kernel32")
        native, process = ctypes.c_ushort(), ctypes.c_ushort()
        word = platform.machine()
        if hasattr(kernel32, "IsWow64Process2"):  # Windows 10, version 1709
            kernel32.GetCurrentProcess.restype = ctypes.c_void_p
            this = ctypes.c_void_p(kernel32.GetCurrentProcess())
            if kernel32.IsWow64Process2(this, ctypes.byref(process), ctypes.byref(native)):
                word = _WINDOWS_NUMBERS.get(native.value, ("", word))[1]
        runnable: set[WindowsMachine] = set()
        if hasattr(kernel32, "GetMachineTypeAttributes"):  # Windows 11
            for number, (machine, _) in _WINDOWS_NUMBERS.items():
                attributes = ctypes.c_int()
                failed = kernel32.GetMachineTypeAttributes(
                    ctypes.c_ushort(number), ctypes.byref(attributes)
                )
                if not failed and attributes.value & _USER_ENABLED:
                    runnable.add(machine)
        return word, frozenset(runnable)
    else:  # noqa: RET505 - as above
        raise AssertionError("only Windows has kernel32")
