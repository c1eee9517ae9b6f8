"""From the facts about a machine to its list of targets."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import BadTarget
from binstall.formats.host import HostFacts, WindowsMachine, preferred_targets
from binstall.formats.target import parse_target

ALL_WINDOWS: tuple[WindowsMachine, ...] = ("amd64", "i386", "arm", "arm64")


@pytest.mark.parametrize(
    ("facts", "targets"),
    [
        pytest.param(
            HostFacts("x86_64-unknown-linux-gnu", runs_glibc=True),
            ["x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl"],
            id="Debian",
        ),
        pytest.param(HostFacts("x86_64-unknown-linux-musl"), ["x86_64-unknown-linux-musl"], id="Alpine"),
        pytest.param(
            HostFacts("x86_64-unknown-linux-musl", runs_glibc=True),
            ["x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl"],
            id="Alpine with gcompat",
        ),
        pytest.param(
            HostFacts("x86_64-unknown-linux-gnu"), ["x86_64-unknown-linux-musl"], id="glibc cannot start"
        ),
        pytest.param(
            HostFacts("armv7-unknown-linux-gnueabihf", runs_glibc=True),
            ["armv7-unknown-linux-gnueabihf", "armv7-unknown-linux-musleabihf"],
            id="Raspberry Pi OS, 32 bits",
        ),
        pytest.param(
            HostFacts("mips64el-unknown-linux-gnuabi64", runs_glibc=True),
            ["mips64el-unknown-linux-gnuabi64", "mips64el-unknown-linux-muslabi64"],
            id="mips64el",
        ),
        pytest.param(
            HostFacts("x86_64-unknown-linux-gnux32", runs_glibc=True),
            ["x86_64-unknown-linux-gnux32"],
            id="x32 has no musl triple",
        ),
        pytest.param(
            HostFacts("aarch64-linux-android"),
            ["aarch64-linux-android", "aarch64-unknown-linux-musl"],
            id="Android",
        ),
        pytest.param(
            HostFacts("armv7-linux-androideabi"),
            ["armv7-linux-androideabi", "armv7-unknown-linux-musleabi"],
            id="Android on ARM",
        ),
        pytest.param(
            HostFacts("aarch64-unknown-linux-ohos"), ["aarch64-unknown-linux-ohos"], id="another libc"
        ),
        pytest.param(
            HostFacts("aarch64-apple-darwin"),
            ["aarch64-apple-darwin", "universal-apple-darwin", "universal2-apple-darwin"],
            id="Apple silicon",
        ),
        pytest.param(
            HostFacts("aarch64-apple-darwin", runs_x86_64=True, runs_x86_64h=True),
            [
                "aarch64-apple-darwin",
                "universal-apple-darwin",
                "universal2-apple-darwin",
                "x86_64h-apple-darwin",
                "x86_64-apple-darwin",
            ],
            id="Apple silicon with Rosetta",
        ),
        pytest.param(
            HostFacts("x86_64-apple-darwin", runs_x86_64=True, runs_x86_64h=True),
            [
                "x86_64-apple-darwin",
                "x86_64h-apple-darwin",
                "universal-apple-darwin",
                "universal2-apple-darwin",
            ],
            id="Intel Mac",
        ),
        pytest.param(
            HostFacts("x86_64-apple-darwin", runs_x86_64=True),
            ["x86_64-apple-darwin", "universal-apple-darwin", "universal2-apple-darwin"],
            id="old Intel Mac",
        ),
        pytest.param(
            HostFacts("x86_64h-apple-darwin"),
            [
                "x86_64h-apple-darwin",
                "x86_64-apple-darwin",
                "universal-apple-darwin",
                "universal2-apple-darwin",
            ],
            id="x86_64h",
        ),
        pytest.param(
            HostFacts("x86_64-pc-windows-msvc"),
            ["x86_64-pc-windows-msvc", "x86_64-pc-windows-gnu", "x86_64-pc-windows-gnullvm"],
            id="Windows 10",
        ),
        pytest.param(
            HostFacts("x86_64-pc-windows-gnu", windows_machines=frozenset({"amd64"})),
            ["x86_64-pc-windows-gnu", "x86_64-pc-windows-msvc"],
            id="Windows, GNU",
        ),
        pytest.param(
            HostFacts("i686-pc-windows-msvc", windows_machines=frozenset({"i386"})),
            [
                "i686-pc-windows-msvc",
                "i686-pc-windows-gnu",
                "i686-pc-windows-gnullvm",
                "i586-pc-windows-msvc",
                "i586-pc-windows-gnu",
                "i586-pc-windows-gnullvm",
            ],
            id="32-bit Windows lists itself once",
        ),
        pytest.param(
            HostFacts("aarch64-pc-windows-msvc", windows_machines=frozenset(ALL_WINDOWS)),
            [
                f"{arch}-pc-windows-{kind}"
                for arch in ("aarch64", "x86_64", "i586", "i686", "thumbv7a")
                for kind in ("msvc", "gnu", "gnullvm")
            ],
            id="Windows 11 on ARM",
        ),
        pytest.param(HostFacts("x86_64-unknown-freebsd"), ["x86_64-unknown-freebsd"], id="FreeBSD"),
    ],
)
def test_a_machine_has_its_targets_in_order(facts: HostFacts, targets: list[str]) -> None:
    assert list(preferred_targets(facts)) == targets


@pytest.mark.parametrize(
    "facts",
    [
        HostFacts("vax-unknown-linux-gnu", runs_glibc=True),
        HostFacts("x86_64-unknown-linux-gnux32"),
        HostFacts(""),
    ],
    ids=["unknown processor", "nothing runs", "nothing known"],
)
def test_a_machine_without_targets_is_told_to_name_one(facts: HostFacts) -> None:
    with pytest.raises(BadTarget) as refused:
        preferred_targets(facts)
    assert refused.value.hint is not None
    assert "--targets" in refused.value.hint


_BASES = [
    *["x86_64-unknown-linux-gnu", "armv7-unknown-linux-musleabihf", "aarch64-unknown-linux-gnu_ilp32"],
    *["x86_64-apple-darwin", "aarch64-apple-darwin", "i686-pc-windows-gnu", "x86_64-pc-windows-msvc"],
    *["aarch64-pc-windows-gnullvm", "x86_64-unknown-illumos", "aarch64-apple-ios", "powerpc64-ibm-aix"],
]


@pytest.mark.parametrize("base", _BASES)
@pytest.mark.parametrize("runs", [False, True])
def test_every_list_is_without_duplicates_and_parses(base: str, runs: bool) -> None:
    for size in range(len(ALL_WINDOWS) + 1):
        for machines in combinations(ALL_WINDOWS, size):
            facts = HostFacts(base, runs, runs, runs, frozenset(machines))
            try:
                targets = preferred_targets(facts)
            except BadTarget:
                assert "ilp32" in base and not runs
                continue
            assert len(targets) == len(set(targets)) > 0
            assert [parse_target(target).text for target in targets] == list(targets)


@settings(max_examples=1000, deadline=None)
@given(st.text() | st.lists(st.sampled_from("-".join(_BASES).split("-"))).map("-".join), st.booleans())
def test_any_base_gives_targets_or_the_one_error(base: str, runs: bool) -> None:
    try:
        targets = preferred_targets(HostFacts(base, runs, runs, runs))
    except BadTarget:
        return
    assert all(parse_target(target).text == target for target in targets)
