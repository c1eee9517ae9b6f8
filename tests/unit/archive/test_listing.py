from __future__ import annotations

import pytest

from binstall.archive.listing import Kind, Listing, clean_name, folded, quoted
from binstall.errors import ArchiveError
from binstall.limits import (
    MAX_ARCHIVE_MEMBERS,
    MAX_ARCHIVE_NAMES_CHARACTERS,
    MAX_BINARY_BYTES,
    MAX_MEMBER_DEPTH,
    MAX_MEMBER_NAME_BYTES,
)


@pytest.mark.parametrize(
    ("raw", "parts"),
    [
        (b"a", ("a",)),
        (b"./a/./b", ("a", "b")),
        (b"a//b/", ("a", "b")),
        (b".", ()),
        (b"./", ()),
        (b"", ()),
        (b"...", ("...",)),
        (b"a..b/..c", ("a..b", "..c")),
        (b"ab:c", ("ab:c",)),
        ("ä/ß".encode(), ("ä", "ß")),
        (b"caf\xe9", ("caf\\xe9",)),
        (b"a\nb\x1b", ("a\nb\x1b",)),
        (b"x/" * (MAX_MEMBER_DEPTH - 1) + b"x", ("x",) * MAX_MEMBER_DEPTH),
    ],
)
def test_a_sound_name_becomes_its_components(raw: bytes, parts: tuple[str, ...]) -> None:
    assert clean_name(raw) == parts


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"/a", "absolute"),
        (b"//a", "absolute"),
        (b"..", r"\.\."),
        (b"a/../b", r"\.\."),
        (b"../a", r"\.\."),
        (b"a/..", r"\.\."),
        (b"./../a", r"\.\."),
        (b"C:/a", "drive letter"),
        (b"./c:a", "drive letter"),
        (b"a\\b", "back-slash"),
        (b"..\\a", "back-slash"),
        (b"\xe9\\a", "back-slash"),
        (b"a\0b", "NUL"),
        (b"a" * (MAX_MEMBER_NAME_BYTES + 1), "4096 .MAX_MEMBER_NAME_BYTES"),
        (b"a/" * (MAX_MEMBER_DEPTH + 1), "64 .MAX_MEMBER_DEPTH"),
    ],
)
def test_a_name_that_could_mean_a_place_outside_is_refused(raw: bytes, words: str) -> None:
    with pytest.raises(ArchiveError, match=words):
        clean_name(raw)


def test_a_long_name_is_cut_in_messages() -> None:
    assert quoted(b"a\xff") == '"a\\xff"'
    assert len(quoted("x" * 5000)) < 250
    assert "5000 characters" in quoted("x" * 5000)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Tool", "tOOL", True),
        ("straße", "STRASSE", True),
        ("\u00e9", "e\u0301", True),
        ("\u00c9", "e\u0301", True),
        ("tool", "tool2", False),
        ("é", "e", False),
    ],
)
def test_names_fold_as_case_insensitive_file_systems_do(one: str, other: str, same: bool) -> None:
    assert (folded(one) == folded(other)) is same


Step = tuple[bytes, Kind]
FILE, FOLDER, LINK = Kind.FILE, Kind.FOLDER, Kind.SYMLINK


@pytest.mark.parametrize(
    ("wanted", "steps", "words"),
    [
        pytest.param(["a"], [(b"a", FILE), (b"a", FILE)], "twice", id="a duplicate"),
        pytest.param(["a"], [(b"./a", FILE), (b"a", FILE)], "twice", id="./a beside a"),
        pytest.param(["a"], [(b"a", FILE), (b"a", LINK)], "twice", id="a link after the file"),
        pytest.param(["a"], [(b"a", LINK)], "is a symbolic link", id="a link in its place"),
        pytest.param(["a"], [(b"a", Kind.HARD_LINK)], "is a hard link", id="a hard link"),
        pytest.param(["a"], [(b"a", Kind.SPARSE)], "is a sparse file", id="a sparse file"),
        pytest.param(["a"], [(b"a", Kind.CONTIGUOUS)], "is a contiguous", id="a contiguous file"),
        pytest.param(["a"], [(b"a", Kind.OTHER)], "unknown kind", id="an unknown kind"),
        pytest.param(["a"], [(b"a", FOLDER)], "is a folder", id="a folder in its place"),
        pytest.param(["a"], [(b"a/x", FILE)], "is a folder", id="an implied folder in its place"),
        pytest.param(["a"], [(b"a", FILE), (b"a/x", LINK)], "is a folder", id="file and folder"),
        pytest.param(
            ["d/a"], [(b"d", LINK)], "should be a folder and is a symbolic", id="a link on its way"
        ),
        pytest.param(["d/e/a"], [(b"d", Kind.DEVICE)], "should be a folder", id="a device far up its way"),
        pytest.param(["d/a"], [(b"d", FILE)], "should be a folder", id="a file on its way"),
        pytest.param(["d/a"], [(b"d/a", FILE), (b"d", LINK)], "twice", id="a link on its way, too late"),
        pytest.param(["d/a"], [(b"d", FOLDER), (b"d", LINK)], "twice", id="a folder that becomes a link"),
        pytest.param(["a"], [(b"a", FILE), (b"A", FILE)], "both", id="a case collision"),
        pytest.param(["a"], [(b"A", LINK), (b"a", FILE)], "both", id="a link in another case, before"),
        pytest.param(["d/a"], [(b"D/x", FILE), (b"d/a", FILE)], "both", id="a folder in another case"),
        pytest.param(["d/a"], [(b"d/a", FILE), (b"D", LINK)], "both", id="a link beside its folder"),
        pytest.param(["é"], [("é".encode(), FILE), (b"e\xcc\x81", FILE)], "both", id="two Unicode forms"),
        pytest.param(["a", "a/a"], [(b"a", FILE), (b"a/a", FILE)], "both", id="file and wanted folder"),
        pytest.param(["a", "a/a"], [(b"a/a", FILE), (b"a", FILE)], "twice", id="wanted folder and file"),
    ],
)
def test_what_touches_a_wanted_name_ends_the_install(
    wanted: list[str], steps: list[Step], words: str
) -> None:
    listing = Listing(wanted)
    with pytest.raises(ArchiveError, match=words):
        for name, kind in steps:
            listing.enter([name], kind, 0)


def test_what_touches_no_wanted_name_is_let_be() -> None:
    listing = Listing(["d/a", "b"])
    for name, kind in [
        (b"x", LINK),
        (b"x", FILE),
        (b"X", FILE),
        (b"x/y", Kind.PIPE),
        (b"B", FILE),
        (b"./", FOLDER),
        (b"d", FOLDER),
        (b"./d/", FOLDER),
    ]:
        assert listing.enter([name], kind, 0) is None
    assert listing.enter([b"./d/a"], FILE, 5) == "d/a"
    assert listing.members == {"x", "X", "B", "d/a"}
    assert listing.folders == {"x", "d"}


def test_one_wanted_name_may_be_a_folder_of_another() -> None:
    nested = Listing(["bat", "bat/bat"])
    assert nested.enter([b"bat/bat"], FILE, 0) == "bat/bat"
    flat = Listing(["bat", "bat/bat"])
    assert flat.enter([b"bat"], FILE, 0) == "bat"


def test_a_wanted_name_is_answered_as_it_was_asked() -> None:
    assert Listing(["./d//a"]).enter([b"d/a"], FILE, 0) == "./d//a"


@pytest.mark.parametrize(
    "wanted",
    [["/a"], ["../a"], [""], ["."], ["a\\b"], ["a\udce9"], ["a", "./a"], ["a", "A"], ["d/a", "D/b"]],
)
def test_unsound_wanted_names_are_refused(wanted: list[str]) -> None:
    with pytest.raises(ArchiveError):
        Listing(wanted)


def test_two_names_of_one_member_matter_only_at_a_wanted_one() -> None:
    listing = Listing(["a"])
    assert listing.enter([b"x", b"./x"], FILE, 0) is None
    assert listing.enter([b"y", b"z"], FILE, 0) is None
    assert listing.members == {"x"}
    with pytest.raises(ArchiveError, match="two names"):
        listing.enter([b"q", b"a"], FILE, 0)
    with pytest.raises(ArchiveError, match="absolute"):
        listing.enter([b"q", b"/a"], FILE, 0)


def test_a_member_without_a_name_is_refused_unless_it_is_the_root() -> None:
    listing = Listing([])
    listing.enter([b"./"], FOLDER, 0)
    with pytest.raises(ArchiveError, match="without a name"):
        listing.enter([b"."], LINK, 0)


def test_members_are_bounded_in_number() -> None:
    listing = Listing([])
    for _ in range(MAX_ARCHIVE_MEMBERS):
        listing.count()
    with pytest.raises(ArchiveError, match=r"200000 members .MAX_ARCHIVE_MEMBERS"):
        listing.count()


def test_names_are_bounded_together() -> None:
    listing = Listing([])
    name = b"x" * (MAX_MEMBER_NAME_BYTES - 5)
    with pytest.raises(ArchiveError, match="MAX_ARCHIVE_NAMES_CHARACTERS"):
        for number in range(MAX_ARCHIVE_NAMES_CHARACTERS // len(name) + 2):
            listing.enter([name + b"%05d" % number], FILE, 0)


def test_a_binary_is_bounded_in_size_and_other_members_are_not() -> None:
    listing = Listing(["a"])
    listing.enter([b"b"], FILE, MAX_BINARY_BYTES + 1)
    with pytest.raises(ArchiveError, match=r"4294967296 .MAX_BINARY_BYTES"):
        listing.enter([b"a"], FILE, MAX_BINARY_BYTES + 1)
