"""Detection, on root folders made here that look like other machines, and on this machine itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from binstall.machine import Surroundings, detect, detect_host, preferred_targets, surroundings
from support_elf import AARCH64, ARM, ARM_HARD, ARM_SOFT, I386, MIPS, PPC64, RISCV, S390, X86_64, elf

GLIBC = b"\0ld-linux\0GLIBC_2.2.5\0GLIBC_PRIVATE\0"
GCOMPAT = b"\0This is the gcompat ELF interpreter stub.\nYou are not meant to run this directly.\n\0"
MUSL = b"\0musl libc (x86_64)\nVersion %s\0"
NIX_STUB = b"\0Could not start dynamically linked executable: %s\nNixOS cannot run ...\0"


def _linux(root: Path, machine: str, files: dict[str, bytes], *, libc_version: str = "") -> Surroundings:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return Surroundings("linux", machine, root=root, libc_version=libc_version)


def _base(around: Surroundings) -> str:
    return detect(around).base


@pytest.mark.parametrize(
    ("uname", "shell", "loader", "base"),
    [
        ("x86_64", elf(X86_64), "lib64/ld-linux-x86-64.so.2", "x86_64-unknown-linux-gnu"),
        ("x86_64", elf(X86_64, 32), "libx32/ld-linux-x32.so.2", "x86_64-unknown-linux-gnux32"),
        ("i686", elf(I386, 32), "lib/ld-linux.so.2", "i686-unknown-linux-gnu"),
        ("i586", elf(I386, 32), "lib/ld-linux.so.2", "i586-unknown-linux-gnu"),
        ("i686", elf(I386, 32), "lib/i386-linux-gnu/ld-linux.so.2", "i686-unknown-linux-gnu"),
        ("aarch64", elf(AARCH64), "lib/ld-linux-aarch64.so.1", "aarch64-unknown-linux-gnu"),
        ("aarch64", elf(AARCH64), "usr/lib/aarch64-linux-gnu/libc.so.6", "aarch64-unknown-linux-gnu"),
        (
            "armv7l",
            elf(ARM, 32, flags=ARM_HARD),
            "lib/ld-linux-armhf.so.3",
            "armv7-unknown-linux-gnueabihf",
        ),
        (
            "armv8l",
            elf(ARM, 32, flags=ARM_HARD),
            "lib/ld-linux-armhf.so.3",
            "armv7-unknown-linux-gnueabihf",
        ),
        ("armv6l", elf(ARM, 32, flags=ARM_HARD), "lib/ld-linux-armhf.so.3", "arm-unknown-linux-gnueabihf"),
        ("armv6l", elf(ARM, 32, flags=ARM_SOFT), "lib/ld-linux.so.3", "arm-unknown-linux-gnueabi"),
        ("armv7l", elf(ARM, 32, flags=ARM_SOFT), "lib/ld-linux.so.3", "armv7-unknown-linux-gnueabi"),
        ("armv5tel", elf(ARM, 32, flags=ARM_SOFT), "lib/ld-linux.so.3", "armv5te-unknown-linux-gnueabi"),
        ("armv5tejl", elf(ARM, 32, flags=ARM_SOFT), "lib/ld-linux.so.3", "armv5te-unknown-linux-gnueabi"),
        ("armv4tl", elf(ARM, 32, flags=ARM_SOFT), "lib/ld-linux.so.3", "armv4t-unknown-linux-gnueabi"),
        ("armv7b", elf(ARM, 32, big_endian=True), "lib/ld-linux.so.3", "armeb-unknown-linux-gnueabi"),
        ("riscv64", elf(RISCV), "lib/ld-linux-riscv64-lp64d.so.1", "riscv64gc-unknown-linux-gnu"),
        ("riscv64", elf(RISCV), "lib/riscv64-linux-gnu/libc.so.6", "riscv64gc-unknown-linux-gnu"),
        ("ppc64le", elf(PPC64), "lib64/ld64.so.2", "powerpc64le-unknown-linux-gnu"),
        ("ppc64", elf(PPC64, big_endian=True), "lib64/ld64.so.1", "powerpc64-unknown-linux-gnu"),
        ("s390x", elf(S390, big_endian=True), "lib/ld64.so.1", "s390x-unknown-linux-gnu"),
        ("mips64", elf(MIPS), "lib64/ld.so.1", "mips64el-unknown-linux-gnuabi64"),
        ("loongarch64", elf(258), "lib64/ld-linux-loongarch-lp64d.so.1", "loongarch64-unknown-linux-gnu"),
    ],
)
def test_glibc_is_found_by_the_loader_of_each_processor(
    tmp_path: Path, uname: str, shell: bytes, loader: str, base: str
) -> None:
    around = _linux(tmp_path, uname, {"bin/sh": shell, loader: shell + GLIBC})
    assert _base(around) == base
    assert preferred_targets(detect(around))[0] == base
    # Without that file there is no glibc, whatever Python itself was linked with.
    (tmp_path / loader).unlink()
    without = detect(replace(around, libc_version="glibc 2.36"))
    assert without.base == base.replace("-gnu", "-musl")
    assert not without.runs_glibc


@pytest.mark.parametrize(
    ("tail", "runs_glibc"),
    [
        pytest.param(GLIBC, True, id="glibc"),
        pytest.param(GCOMPAT, True, id="gcompat"),
        pytest.param(MUSL, False, id="musl under glibc's name"),
        pytest.param(NIX_STUB, False, id="the stub of NixOS"),
        pytest.param(b"", False, id="nothing in it"),
    ],
)
def test_the_content_of_the_loader_decides(tmp_path: Path, tail: bytes, runs_glibc: bool) -> None:
    files = {
        "bin/sh": elf(X86_64, interpreter="/lib/ld-musl-x86_64.so.1"),
        "lib/ld-musl-x86_64.so.1": elf(X86_64, tail=MUSL),
        "lib64/ld-linux-x86-64.so.2": elf(X86_64, tail=tail),
    }
    assert detect(_linux(tmp_path, "x86_64", files)).runs_glibc is runs_glibc


def test_alpine_runs_musl_alone(tmp_path: Path) -> None:
    files = {
        "bin/sh": elf(X86_64, interpreter="/lib/ld-musl-x86_64.so.1"),
        "lib/ld-musl-x86_64.so.1": elf(X86_64, tail=MUSL),
    }
    targets = preferred_targets(detect(_linux(tmp_path, "x86_64", files)))
    assert targets == ("x86_64-unknown-linux-musl",)


def test_alpine_on_arm_keeps_its_float_abi(tmp_path: Path) -> None:
    files = {"bin/sh": elf(ARM, 32, interpreter="/lib/ld-musl-armhf.so.1")}
    around = _linux(tmp_path, "aarch64", files)
    assert preferred_targets(detect(around)) == ("armv7-unknown-linux-musleabihf",)


def test_a_static_arm_shell_leaves_the_float_abi_to_the_loaders(tmp_path: Path) -> None:
    around = _linux(tmp_path, "armv7l", {"bin/sh": elf(ARM, 32)})
    assert _base(around) == "armv7-unknown-linux-musleabi"
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/ld-musl-armhf.so.1").write_bytes(elf(ARM, 32, tail=MUSL))
    assert _base(around) == "armv7-unknown-linux-musleabihf"


@pytest.mark.parametrize(
    ("uname", "shell", "loader", "base"),
    [
        ("x86_64", elf(I386, 32), "lib/ld-linux.so.2", "i686-unknown-linux-gnu"),
        (
            "aarch64",
            elf(ARM, 32, flags=ARM_HARD),
            "lib/ld-linux-armhf.so.3",
            "armv7-unknown-linux-gnueabihf",
        ),
        ("mips64", elf(MIPS, 32), "lib/ld.so.1", "mipsel-unknown-linux-gnu"),
    ],
)
def test_a_32_bit_userland_under_a_64_bit_kernel_counts(
    tmp_path: Path, uname: str, shell: bytes, loader: str, base: str
) -> None:
    assert _base(_linux(tmp_path, uname, {"bin/sh": shell, loader: shell + GLIBC})) == base


def test_a_loader_for_another_processor_does_not_count(tmp_path: Path) -> None:
    files = {"bin/sh": elf(X86_64), "lib64/ld-linux-x86-64.so.2": elf(AARCH64, tail=GLIBC)}
    assert not detect(_linux(tmp_path, "x86_64", files)).runs_glibc
    files = {"lib64/ld-linux-x86-64.so.2": b"#!/bin/sh\n" + GLIBC}
    assert not detect(_linux(tmp_path, "x86_64", files)).runs_glibc


def test_merged_folders_and_relative_links_are_followed(tmp_path: Path) -> None:
    files = {
        "usr/bin/dash": elf(X86_64),
        "usr/lib/x86_64-linux-gnu/ld-2.36.so": elf(X86_64, tail=GLIBC),
    }
    around = _linux(tmp_path, "x86_64", files)
    (tmp_path / "bin").symlink_to("usr/bin")
    (tmp_path / "bin/sh").symlink_to("dash")
    (tmp_path / "usr/lib64").mkdir()
    (tmp_path / "lib64").symlink_to("usr/lib64")
    (tmp_path / "lib64/ld-linux-x86-64.so.2").symlink_to("../lib/x86_64-linux-gnu/ld-2.36.so")
    assert _base(around) == "x86_64-unknown-linux-gnu"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_odd_things_in_place_of_files_neither_count_nor_block(tmp_path: Path) -> None:
    around = _linux(tmp_path, "x86_64", {"lib/x86_64-linux-gnu/libc.so.6": b""})
    os.mkfifo(tmp_path / "lib/ld-linux-x86-64.so.2")
    (tmp_path / "lib64/ld-linux-x86-64.so.2").mkdir(parents=True)
    (tmp_path / "bin").symlink_to("bin")
    (tmp_path / "usr").mkdir()
    (tmp_path / "usr/lib64").symlink_to("/nowhere")
    assert _base(replace(around, libc_version="glibc 2.36")) == "x86_64-unknown-linux-musl"


@pytest.mark.skipif(
    not Path("/proc/self/mem").is_file(), reason="needs a file whose first byte cannot be read"
)
@pytest.mark.parametrize(("libc_version", "base"), [("glibc 2.36", "gnu"), ("", "musl")])
def test_where_the_loader_cannot_be_read_pythons_own_library_is_the_hint(
    tmp_path: Path, libc_version: str, base: str
) -> None:
    around = _linux(tmp_path, "x86_64", {"bin/sh": elf(X86_64)}, libc_version=libc_version)
    (tmp_path / "lib64").mkdir()
    (tmp_path / "lib64/ld-linux-x86-64.so.2").symlink_to("/proc/self/mem")
    assert _base(around) == f"x86_64-unknown-linux-{base}"


def test_without_a_shell_pythons_own_file_tells_the_processor(tmp_path: Path) -> None:
    python = tmp_path / "python3"
    python.write_bytes(elf(I386, 32))
    around = _linux(tmp_path / "root", "x86_64", {"bin/sh": b"#!/bin/busybox sh\n"})
    assert _base(replace(around, executable=python)) == "i686-unknown-linux-musl"


@pytest.mark.parametrize(
    ("uname", "base"),
    [
        ("x86_64", "x86_64-unknown-linux-musl"),
        ("i486", "i686-unknown-linux-musl"),
        ("aarch64", "aarch64-unknown-linux-musl"),
        ("armv7l", "armv7-unknown-linux-musleabi"),
        ("armv6l", "arm-unknown-linux-musleabi"),
        ("riscv64", "riscv64gc-unknown-linux-musl"),
        ("ppc64le", "powerpc64le-unknown-linux-musl"),
    ],
)
def test_with_nothing_to_read_the_kernels_word_remains(tmp_path: Path, uname: str, base: str) -> None:
    assert _base(Surroundings("linux", uname, root=tmp_path)) == base


@pytest.mark.parametrize(
    ("uname", "shell", "base"),
    [
        ("aarch64", elf(AARCH64, interpreter="/system/bin/linker64"), "aarch64-linux-android"),
        ("aarch64", elf(ARM, 32, interpreter="/system/bin/linker"), "armv7-linux-androideabi"),
        ("riscv64", elf(RISCV, interpreter="/system/bin/linker64"), "riscv64-linux-android"),
        (
            "x86_64",
            elf(X86_64, interpreter="/apex/com.android.runtime/bin/linker64"),
            "x86_64-linux-android",
        ),
    ],
)
def test_android_is_known_by_its_loader(tmp_path: Path, uname: str, shell: bytes, base: str) -> None:
    around = _linux(tmp_path, uname, {"system/bin/sh": shell})
    assert _base(around) == base
    assert _base(replace(around, platform="android")) == base


@pytest.mark.parametrize(
    ("machine", "kernel", "base", "runs_x86_64"),
    [
        ("arm64", "Darwin Kernel Version 23.6.0: root:xnu/RELEASE_ARM64_T6000", "aarch64", False),
        ("x86_64", "Darwin Kernel Version 23.6.0: root:xnu/RELEASE_ARM64_T6000", "aarch64", True),
        ("x86_64", "Darwin Kernel Version 22.6.0: root:xnu/RELEASE_X86_64", "x86_64", True),
    ],
    ids=["Apple silicon", "Python under Rosetta", "Intel"],
)
def test_a_mac_is_known_by_its_kernel(
    tmp_path: Path, machine: str, kernel: str, base: str, runs_x86_64: bool
) -> None:
    facts = detect(Surroundings("darwin", machine, kernel, root=tmp_path))
    assert facts.base == f"{base}-apple-darwin"
    assert facts.runs_x86_64 is runs_x86_64


def test_rosetta_is_known_by_its_file(tmp_path: Path) -> None:
    runtime = tmp_path / "Library/Apple/usr/libexec/oah/libRosettaRuntime"
    runtime.parent.mkdir(parents=True)
    runtime.write_bytes(b"\xcf\xfa\xed\xfe")
    targets = preferred_targets(detect(Surroundings("darwin", "arm64", root=tmp_path)))
    assert targets[0] == "aarch64-apple-darwin"
    assert targets[-1] == "x86_64-apple-darwin"


@pytest.mark.parametrize("has_avx2", [False, True])
def test_a_newer_intel_mac_runs_x86_64h(tmp_path: Path, has_avx2: bool) -> None:
    around = Surroundings("darwin", "x86_64", "RELEASE_X86_64", root=tmp_path, has_avx2=has_avx2)
    assert ("x86_64h-apple-darwin" in preferred_targets(detect(around))) is has_avx2


@pytest.mark.parametrize("platform", ["win32", "cygwin", "msys"])
@pytest.mark.parametrize(("machine", "arch"), [("AMD64", "x86_64"), ("ARM64", "aarch64"), ("x86", "i686")])
def test_windows_prefers_msvc(tmp_path: Path, platform: str, machine: str, arch: str) -> None:
    facts = detect(Surroundings(platform, machine, root=tmp_path, windows_machines=frozenset({"amd64"})))
    assert facts.base == f"{arch}-pc-windows-msvc"
    assert facts.windows_machines == {"amd64"}


@pytest.mark.parametrize(
    ("platform", "machine", "kernel", "shell", "base"),
    [
        ("freebsd14", "amd64", "FreeBSD 14.1", elf(X86_64), "x86_64-unknown-freebsd"),
        ("freebsd14", "arm64", "FreeBSD 14.1", b"", "aarch64-unknown-freebsd"),
        ("freebsd13", "i386", "FreeBSD 13.2", elf(I386, 32), "i686-unknown-freebsd"),
        ("freebsd14", "powerpc", "FreeBSD 14.1", elf(PPC64), "powerpc64le-unknown-freebsd"),
        ("netbsd10", "amd64", "NetBSD 10.0", b"", "x86_64-unknown-netbsd"),
        ("netbsd10", "evbarm", "NetBSD 10.0", elf(AARCH64), "aarch64-unknown-netbsd"),
        (
            "netbsd10",
            "evbarm",
            "NetBSD 10.0",
            elf(ARM, 32, flags=ARM_HARD),
            "armv7-unknown-netbsd-eabihf",
        ),
        ("openbsd7", "amd64", "GENERIC.MP#1", b"", "x86_64-unknown-openbsd"),
        ("dragonfly6", "x86_64", "DragonFly v6.4", b"", "x86_64-unknown-dragonfly"),
        ("sunos5", "i86pc", "omnios-r151050-abc", elf(I386, 32), "x86_64-unknown-illumos"),
        ("sunos5", "i86pc", "11.4.42.111.0", b"", "x86_64-pc-solaris"),
        ("sunos5", "sun4v", "11.4.42.111.0", b"", "sparcv9-sun-solaris"),
        ("aix7", "00F84C0C4C00", "3", b"", "powerpc64-ibm-aix"),
        ("haiku1", "x86_64", "hrev57937", b"", "x86_64-unknown-haiku"),
        ("gnu0", "i686-AT386", "GNU-Mach 1.8", elf(I386, 32), "i686-unknown-hurd-gnu"),
    ],
)
def test_other_systems_have_one_target(
    tmp_path: Path, platform: str, machine: str, kernel: str, shell: bytes, base: str
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sh").write_bytes(shell)
    facts = detect(Surroundings(platform, machine, kernel, root=tmp_path))
    assert preferred_targets(facts) == (base,)


def test_this_machine_has_targets() -> None:
    around = surroundings()
    assert around.root == Path("/")
    assert preferred_targets(detect(around)) == preferred_targets(detect_host())


def test_this_machine_runs_the_target_that_cargo_was_built_for() -> None:
    cargo = shutil.which("cargo")
    if cargo is None:
        pytest.skip("needs cargo")
    answer = subprocess.run([cargo, "-vV"], capture_output=True, text=True, check=False)
    host = re.search(r"^host: (\S+)$", answer.stdout, re.MULTILINE)
    if host is None:
        pytest.skip(f"needs a cargo that runs: {answer.stderr.strip()[:200]}")
    assert host[1] in preferred_targets(detect_host())
