from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import TrackingError
from binstall.formats.tracking import (
    CRATES_IO,
    CratesToml,
    InstalledCrate,
    PackageId,
    Tracking,
    TrackingBytes,
    parse_tracking,
    undone,
)
from binstall.formats.version import parse_version


def crate(name: str, version: str, *bins: str) -> InstalledCrate:
    return InstalledCrate(name, "*", parse_version(version), CRATES_IO, "t", bins)


def package(name: str, version: str) -> PackageId:
    return PackageId(name, version, str(CRATES_IO))


def tracking(*crates: InstalledCrate) -> Tracking:
    result = Tracking()
    for one in crates:
        result = result.with_crate(one)
    return result


def files(one: Tracking) -> dict[str, tuple[str, ...]]:
    return {f"{found.name} {found.version}": names for found, names in one.listing.packages.items()}


def test_a_new_version_takes_the_place_of_every_id_of_its_name() -> None:
    before = Tracking(CratesToml({package("a", "1.0.0"): ("x",), package("a", "1.1.0"): ("y",)}))
    assert files(before.with_crate(crate("a", "2.0.0", "z"))) == {"a 2.0.0": ("z",)}


def test_names_taken_over_leave_their_crate_and_a_crate_left_with_none_goes() -> None:
    after = tracking(crate("a", "1.0.0", "x", "y"), crate("b", "1.0.0", "z"), crate("c", "1.0.0", "x", "z"))
    assert files(after) == {"a 1.0.0": ("y",), "c 1.0.0": ("x", "z")}
    assert {name: record.crate.bins for name, record in after.records.items()} == {
        "a": ("y",),
        "c": ("x", "z"),
    }


def test_file_names_are_sorted_and_listed_once() -> None:
    assert files(tracking(crate("a", "1.0.0", "y", "x", "y"))) == {"a 1.0.0": ("x", "y")}


def test_of_several_ids_of_one_crate_the_last_is_what_is_installed() -> None:
    both = Tracking(CratesToml({package("a", "1.0.0"): ("x",), package("a", "0.1.0"): ("y",)}))
    installed = both.installed("a")
    assert installed is not None
    assert (str(installed.version), installed.bins) == ("0.1.0", ("y",))
    assert both.installed("b") is None


@pytest.mark.parametrize(
    "change",
    [{"version": parse_version("1.0.1")}, {"source": replace(CRATES_IO, url="https://else.example")}],
)
def test_a_record_of_another_version_or_source_says_nothing(change: dict[str, object]) -> None:
    before = tracking(crate("a", "1.0.0", "x"))
    other = tracking(replace(crate("a", "1.0.0", "x"), **change))  # type: ignore[arg-type]
    mixed = Tracking(before.listing, other.records).installed("a")
    assert mixed is not None
    assert mixed.record is None


def test_records_of_what_cargo_uninstalled_are_dropped() -> None:
    one = tracking(crate("a", "1.0.0", "x")).serialize()
    assert parse_tracking(TrackingBytes(b"[v1]\n", one.crates_v1)).records == {}


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (TrackingBytes(b"x", b""), r"\.crates\.toml cannot be used"),
        (TrackingBytes(b"", b"x"), r"crates-v1\.json cannot be used"),
    ],
)
def test_the_malformed_file_is_named(data: TrackingBytes, name: str) -> None:
    with pytest.raises(TrackingError, match=name):
        parse_tracking(data)


_A1, _A2 = crate("a", "1.0.0", "x"), crate("a", "2.0.0", "x", "y")
_B = crate("b", "1.0.0", "y", "z")


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        pytest.param([_A1, _B, _A2], {"a 1.0.0": "x", "b 1.0.0": "yz"}, id="nobody else wrote"),
        pytest.param([_A1, _B], {"a 1.0.0": "x", "b 1.0.0": "yz"}, id="not begun"),
        pytest.param(
            [_A1, _B, _A2, crate("c", "1.0.0", "q")],
            {"a 1.0.0": "x", "b 1.0.0": "yz", "c 1.0.0": "q"},
            id="another crate was installed",
        ),
        pytest.param(
            [_A1, _B, _A2, crate("a", "3.0.0", "x")],
            {"a 3.0.0": "x", "b 1.0.0": "yz"},
            id="a newer version was installed",
        ),
        pytest.param(
            [_A1, _B, _A2, crate("c", "1.0.0", "y")],
            {"a 2.0.0": "x", "b 1.0.0": "z", "c 1.0.0": "y"},
            id="the name taken over was taken over again",
        ),
    ],
)
def test_undoing_takes_back_our_change_and_no_other(
    current: list[InstalledCrate], expected: dict[str, str]
) -> None:
    result = undone(tracking(*current), before=tracking(_A1, _B), after=tracking(_A1, _B, _A2))
    assert {name: "".join(names) for name, names in files(result).items()} == expected
    assert set(result.records) == {name.split()[0] for name in expected}


_names = st.lists(st.sampled_from("pqrstu"), min_size=1, max_size=3).map(tuple)
_crates = st.builds(
    lambda name, version, bins: crate(name, version, *bins),
    st.sampled_from("abc"),
    st.sampled_from(["1.0.0", "2.0.0"]),
    _names,
)


def _sound(one: Tracking) -> None:
    names = [found.name for found in one.listing.packages]
    assert len(set(names)) == len(names)
    listed = [name for bins in one.listing.packages.values() for name in bins]
    assert len(set(listed)) == len(listed)
    assert all(one.listing.packages.values())
    assert set(one.records) == set(names)
    for name, record in one.records.items():
        installed = one.installed(name)
        assert installed is not None
        assert installed.record == record.crate
        assert sorted(set(record.crate.bins)) == sorted(installed.bins)


@settings(max_examples=1000, deadline=None)
@given(st.lists(_crates, max_size=5), _crates, st.lists(_crates, max_size=3))
def test_whatever_is_installed_and_undone_the_rules_hold(
    first: list[InstalledCrate], ours: InstalledCrate, later: list[InstalledCrate]
) -> None:
    before = tracking(*first)
    after = before.with_crate(ours)
    current = after
    for one in later:
        current = current.with_crate(one)
    for each in (before, after, current):
        _sound(each)
        assert parse_tracking(each.serialize()) == Tracking(
            CratesToml(dict(sorted(each.listing.packages.items()))), dict(sorted(each.records.items()))
        )
    result = undone(current, before=before, after=after)
    if not later:
        assert files(result) == files(before)
    listed = [name for bins in result.listing.packages.values() for name in bins]
    assert len(set(listed)) == len(listed)
    names = [found.name for found in result.listing.packages]
    assert len(set(names)) == len(names)
