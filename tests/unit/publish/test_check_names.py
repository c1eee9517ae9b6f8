"""What names of release files say, and which targets a release is checked for."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from binstall.formats.manifest import parse_manifest
from binstall.formats.package_format import PackageFormat
from binstall.formats.target import parse_target
from binstall.hosting.packing import build_package
from binstall.publish.archive_names import archive_format, members_of, names_a_platform, stem
from binstall.publish.check_targets import Reach, choose_questions, is_part_of, target_in

GNU, MUSL, MAC = "x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl", "aarch64-apple-darwin"


@pytest.mark.parametrize(
    ("name", "format_", "bare"),
    [
        ("x-1.0.tar.gz", PackageFormat.TGZ, "x-1.0"),
        ("x.tgz", PackageFormat.TGZ, "x"),
        ("x.tar", PackageFormat.TAR, "x"),
        ("x.tar.zst", PackageFormat.TZSTD, "x"),
        ("x.tbz", PackageFormat.TBZ2, "x"),
        ("x.zip", PackageFormat.ZIP, "x"),
        ("x.exe", None, "x.exe"),
        ("x", None, "x"),
        ("x.bin", None, "x.bin"),
        ("x.tgz.sig", None, "x.tgz.sig"),
        ("x.deb", None, "x.deb"),
        ("", None, ""),
    ],
)
def test_an_archive_is_known_by_its_extension(name: str, format_: PackageFormat | None, bare: str) -> None:
    assert (archive_format(name), stem(name)) == (format_, bare)


@pytest.mark.parametrize(
    ("name", "does"),
    [
        ("mise-v1-linux-x64-musl.tar.gz", True),
        ("tool_Darwin_arm64.zip", True),
        ("tool-win32.zip", True),
        ("source.tar.gz", False),
        ("winner-1.0-completions.tgz", False),
        ("macro-expand.tgz", False),
    ],
)
def test_a_platform_is_a_word_of_its_own(name: str, does: bool) -> None:
    assert names_a_platform(name) is does


@pytest.mark.parametrize(
    ("name", "target"),
    [
        (f"x-1.0-{GNU}.tgz", GNU),
        (f"x_{MAC}_1.0.tgz", MAC),
        ("x-universal-apple-darwin.zip", "universal-apple-darwin"),
        ("x-aarch64-linux-android.tgz", "aarch64-linux-android"),
        ("x-linux-x64.tgz", None),
        ("x-darwin-arm64.tgz", None),
        ("-".join("abcdefgh" * 30), None),
    ],
)
def test_the_target_in_a_name(name: str, target: str | None) -> None:
    found = target_in(name)
    assert (found.text if found is not None else None) == target


def test_members_are_listed_and_a_bad_archive_has_none(tmp_path: Path) -> None:
    path = tmp_path / "x.tgz"
    path.write_bytes(build_package(PackageFormat.TGZ, {"a/b": b"1", "c": b"2"}))
    assert members_of(path, PackageFormat.TGZ) == {"a/b", "c"}
    assert members_of(path, PackageFormat.ZIP) == frozenset()
    path.write_bytes(build_package(PackageFormat.TGZ, {"../b": b"1"}))
    assert members_of(path, PackageFormat.TGZ) == frozenset()
    assert members_of(tmp_path / "none.tgz", PackageFormat.TGZ) == frozenset()
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big", bytes(300 << 20))
    path.write_bytes(bomb.getvalue())
    assert members_of(path, PackageFormat.ZIP) <= {"big"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.tgz"]


def test_a_file_belongs_to_the_one_whose_name_it_continues() -> None:
    assert is_part_of("x.tgz", {"x.tgz"})
    assert is_part_of("x.tgz.sig", {"x.tgz"})
    assert is_part_of("x.tgz.sha256.asc", {"x.tgz"})
    assert not is_part_of("x.tgzz", {"x.tgz"})
    assert not is_part_of("x", {"x.tgz"})


def reach(metadata: str, *names: str) -> Reach:
    text = f'[package]\nname = "x"\nversion = "1.0.0"\n[package.metadata.binstall]\n{metadata}\n'
    return Reach(parse_manifest(text, ["src/main.rs"]), names)


def asked(of: Reach, *, explicit: tuple[str, ...] = (), others: frozenset[str] = frozenset()) -> list[str]:
    questions = choose_questions(
        of,
        explicit=[parse_target(text) for text in explicit],
        machine=[parse_target(GNU), parse_target(MUSL)],
        of_others=others,
    )
    return [f"{question.target.text}{'?' * question.is_machines}" for question in questions]


PLAIN = 'pkg-url = "https://example.com/{ name }-{ target }.tgz"'


def test_targets_that_are_named_are_the_only_ones() -> None:
    assert asked(reach(PLAIN, f"x-{MAC}.tgz"), explicit=(GNU, GNU)) == [GNU]


def test_overrides_come_first_then_names_then_this_machine() -> None:
    overrides = f'{PLAIN}\n[package.metadata.binstall.overrides.{MUSL}]\npkg-fmt = "tgz"\n'
    overrides += '[package.metadata.binstall.overrides."cfg(unix)"]\n'
    overrides += "[package.metadata.binstall.overrides.nonsense]\n"
    assert asked(reach(overrides, f"x-{MAC}.tgz", "readme")) == [MUSL, MAC, f"{GNU}?"]


def test_a_name_that_another_target_leads_to_asks_nothing() -> None:
    url = f'[package.metadata.binstall.overrides.{GNU}]\npkg-url = "https://example.com/x-x86_64-linux-gnu.tgz"'
    assert asked(reach(url, "x-x86_64-linux-gnu.tgz", "x-x86_64-linux-gnu.tgz.sig")) == [GNU, f"{MUSL}?"]
    assert asked(reach(PLAIN, "y-x86_64-linux-gnu.tgz")) == ["x86_64-linux-gnu", f"{GNU}?", f"{MUSL}?"]


def test_a_name_to_which_a_condition_leads_is_found_for_targets_that_nobody_named() -> None:
    url = (
        "[package.metadata.binstall.overrides.'cfg(target_os = \"windows\")']\n"
        'pkg-url = "https://example.com/x-win64.zip"'
    )
    assert set(reach(url, "x-win64.zip").claims) == {"x-win64.zip"}


def test_files_of_others_ask_nothing() -> None:
    names = (f"x-{MAC}.tgz", "y-aarch64-pc-windows-msvc.tgz")
    assert asked(reach(PLAIN, *names), others=frozenset({names[1]})) == [MAC, f"{GNU}?", f"{MUSL}?"]
