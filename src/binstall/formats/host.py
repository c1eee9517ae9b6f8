"""From what is known about a machine to the targets whose packages run on it, most wanted first.

A program for musl is expected to be static, so musl is offered on every Linux; a program for glibc comes
before it wherever glibc's loader is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from binstall.errors import BadTarget
from binstall.formats.target import TargetTriple, parse_target

WindowsMachine = Literal["amd64", "i386", "arm", "arm64"]

_WINDOWS_GUESTS: Final[tuple[tuple[WindowsMachine, tuple[str, ...]], ...]] = (
    ("amd64", ("x86_64",)),
    ("i386", ("i586", "i686")),
    ("arm", ("thumbv7a",)),
    ("arm64", ("aarch64",)),
)


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What decides about the list of targets."""

    base: str
    """The triple of this userland."""
    runs_glibc: bool = False
    """Linux: whether programs linked with glibc can start."""
    runs_x86_64: bool = False
    """macOS: whether Rosetta is there, or the processor is Intel's."""
    runs_x86_64h: bool = False
    """macOS: whether programs for Intel's Haswell and later can run."""
    windows_machines: frozenset[WindowsMachine] = frozenset()
    """Windows: what it can run; the base's own machine may be among them."""


def preferred_targets(facts: HostFacts) -> tuple[str, ...]:
    """Return the targets whose packages run here, most wanted first, each one once, each one parsable.

    Raise `BadTarget`, and nothing else, if there is none.
    """
    hint = "name the target with --targets, such as x86_64-unknown-linux-musl"
    try:
        base = parse_target(facts.base)
    except BadTarget as error:
        raise BadTarget(
            f"this machine would be `{facts.base}`, which is no known target", hint=hint
        ) from error
    match base.family:
        case "linux":
            wanted = _linux(facts)
        case "darwin":
            wanted = _macos(facts, base)
        case "windows":
            wanted = _windows(facts, base)
        case _:
            wanted = iter((facts.base,))
    targets = tuple(target for target in dict.fromkeys(wanted) if _parses(target))
    if not targets:
        raise BadTarget(f"no target is known for this machine, `{facts.base}` without glibc", hint=hint)
    return targets


def _parses(target: str) -> bool:
    try:
        parse_target(target)
    except BadTarget:
        return False
    return True


def _linux(facts: HostFacts) -> Iterator[str]:
    arch = facts.base.partition("-")[0]
    environment = facts.base.rpartition("-")[2]
    suffix = environment
    for libc in ("gnu", "musl", "android"):
        suffix = suffix.removeprefix(libc)
    if not environment.startswith(("gnu", "musl")):
        yield facts.base
    elif facts.runs_glibc:
        yield f"{arch}-unknown-linux-gnu{suffix}"
    yield f"{arch}-unknown-linux-musl{suffix}"


def _macos(facts: HostFacts, base: TargetTriple) -> Iterator[str]:
    haswell, intel = ("x86_64h-apple-darwin",), ("x86_64-apple-darwin",)
    universal = ("universal-apple-darwin", "universal2-apple-darwin")
    yield facts.base
    if base.arch == "aarch64":
        yield from universal
        yield from haswell if facts.runs_x86_64h else ()
        yield from intel if facts.runs_x86_64 else ()
    elif base.arch == "x86_64":
        yield from haswell if facts.runs_x86_64h else ()
        yield from universal
    elif base.arch == "x86_64h":
        yield from (*intel, *universal)


def _windows(facts: HostFacts, base: TargetTriple) -> Iterator[str]:
    prefix, _, environment = facts.base.rpartition("-")
    yield facts.base
    for other in ("gnu", "gnullvm") if environment == "msvc" else ("msvc",):
        yield f"{prefix}-{other}"
    for machine, architectures in _WINDOWS_GUESTS:
        if machine in facts.windows_machines:
            for arch in architectures:
                if arch != base.arch:
                    yield from (f"{arch}-pc-windows-{kind}" for kind in ("msvc", "gnu", "gnullvm"))
