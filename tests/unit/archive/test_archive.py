from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import resource
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from binstall.archive.archive import CrateContents, extract, read_crate
from binstall.errors import ArchiveError, LocalIOError
from binstall.formats.package_format import PackageFormat
from binstall.limits import CHUNK_BYTES, MAX_MANIFEST_BYTES, RATIO_FREE_BYTES
from support_files import tree, verified
from support_tar import GNU, entry, header, long_name, tar
from support_zip import Zipped, zipped

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BINARY = os.urandom(3 * CHUNK_BYTES + 17)
TAR = tar(
    entry(b"./", kind=b"5"),
    entry(b"./doc/README", b"read me"),
    entry(b"./bin/one", BINARY),
    entry(b"./bin/link", kind=b"2", link=b"one"),
    entry(b"./bin/two", b""),
)
ZIP = zipped(
    Zipped(b"doc/README", b"read me"),
    Zipped(b"bin/one", BINARY),
    Zipped(b"bin/link", b"one", mode=stat.S_IFLNK),
    Zipped(b"bin/two"),
)
PACKAGES = [
    pytest.param(PackageFormat.TAR, TAR, id="tar"),
    pytest.param(PackageFormat.TGZ, gzip.compress(TAR, 1), id="tgz"),
    pytest.param(PackageFormat.TBZ2, bz2.compress(TAR, 1), id="tbz2"),
    pytest.param(PackageFormat.TXZ, lzma.compress(TAR, preset=0), id="txz"),
    pytest.param(PackageFormat.TZSTD, zstd.compress(TAR), id="tzstd"),
    pytest.param(PackageFormat.ZIP, ZIP, id="zip"),
]


@pytest.mark.parametrize(("form", "package"), PACKAGES)
def test_only_the_wanted_files_are_staged(tmp_path: Path, form: PackageFormat, package: bytes) -> None:
    found = extract(verified(package), form, ["bin/one", "./bin/two", "bin/three"], tmp_path)
    assert found.members == {"doc/README", "bin/one", "bin/two"}
    assert found.folders == {"doc", "bin"}
    assert set(found.files) == {"bin/one", "./bin/two"}
    assert found.files["bin/one"].read_bytes() == BINARY
    assert found.files["./bin/two"].read_bytes() == b""
    assert sorted(tmp_path.iterdir()) == sorted(found.files.values())


@pytest.mark.parametrize(("form", "package"), [*PACKAGES, pytest.param(PackageFormat.BIN, b"x", id="bin")])
def test_staged_files_are_plain_and_executable_whatever_the_umask(
    tmp_path: Path, form: PackageFormat, package: bytes
) -> None:
    before = os.umask(0o077)
    try:
        found = extract(verified(package), form, ["bin/one"], tmp_path)
    finally:
        os.umask(before)
    status = found.files["bin/one"].lstat()
    assert stat.S_ISREG(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == 0o755
    assert status.st_nlink == 1


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_bare_binary_is_the_file_itself(tmp_path: Path, on_disk: bool) -> None:
    if on_disk:
        (tmp_path / "package").write_bytes(BINARY)
        with (tmp_path / "package").open("rb") as file:
            file.read(5)
            (tmp_path / "package").unlink()
            (tmp_path / "package").write_bytes(b"another file by now")
            (tmp_path / "into").mkdir()
            found = extract(verified(file), PackageFormat.BIN, ["tool"], tmp_path / "into")
    else:
        found = extract(verified(BINARY), PackageFormat.BIN, ["tool"], tmp_path)
    assert found.files["tool"].read_bytes() == BINARY
    assert found.members == {"tool"}
    assert not found.folders


@pytest.mark.parametrize("wanted", [[], ["a", "b"]])
def test_a_bare_binary_is_only_one_file(tmp_path: Path, wanted: list[str]) -> None:
    with pytest.raises(ArchiveError, match="single file"):
        extract(verified(b"x"), PackageFormat.BIN, wanted, tmp_path)
    assert tree(tmp_path) == {}


@pytest.mark.parametrize(("form", "package"), PACKAGES)
def test_the_open_file_is_read_and_no_name(tmp_path: Path, form: PackageFormat, package: bytes) -> None:
    path, into = tmp_path / "package", tmp_path / "into"
    path.write_bytes(package)
    into.mkdir()
    with path.open("rb") as file:
        judged = verified(file)
        path.unlink()
        assert extract(judged, form, ["bin/one"], into).files["bin/one"].read_bytes() == BINARY
        assert extract(judged, form, [], into).files == {}


@pytest.mark.parametrize(("form", "package"), PACKAGES)
def test_the_format_is_never_guessed(tmp_path: Path, form: PackageFormat, package: bytes) -> None:
    for other in PackageFormat:
        if other not in {form, PackageFormat.BIN}:
            with pytest.raises(ArchiveError):
                extract(verified(package), other, ["bin/one"], tmp_path)
    assert tree(tmp_path) == {}


LATE: dict[str, tuple[PackageFormat, bytes]] = {
    "a duplicate": (PackageFormat.TAR, tar(TAR[:-1024], entry(b"bin/one"))),
    "an absolute name": (PackageFormat.TAR, tar(TAR[:-1024], entry(b"/x"))),
    "a cut": (PackageFormat.TAR, TAR[:-600] + b"x"),
    "a wrong CRC": (PackageFormat.TGZ, gzip.compress(TAR, 1)[:-8] + bytes(8)),
    "bytes behind": (PackageFormat.TZSTD, zstd.compress(TAR) + b"x"),
    "a bad zip member": (
        PackageFormat.ZIP,
        zipped(Zipped(b"bin/one", BINARY), Zipped(b"bin/two", b"x", local={"crc": 5}, central={"crc": 5})),
    ),
    "a bomb": (
        PackageFormat.TGZ,
        gzip.compress(entry(b"bin/one", b"x") + header(b"zeros", RATIO_FREE_BYTES), 1)
        + gzip.compress(bytes(RATIO_FREE_BYTES // 16), 1) * 16,
    ),
}


@pytest.mark.parametrize("name", LATE)
def test_nothing_is_left_by_a_package_that_turns_out_bad_late(tmp_path: Path, name: str) -> None:
    form, package = LATE[name]
    with pytest.raises(ArchiveError):
        extract(verified(package), form, ["bin/one", "bin/two"], tmp_path)
    assert tree(tmp_path) == {}


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    class Interrupting(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > CHUNK_BYTES:
                raise KeyboardInterrupt
            return super().read(size)

    with pytest.raises(KeyboardInterrupt):
        extract(verified(Interrupting(TAR)), PackageFormat.TAR, ["bin/one"], tmp_path)
    assert tree(tmp_path) == {}


@pytest.mark.parametrize(("form", "package"), [*PACKAGES, pytest.param(PackageFormat.BIN, b"x", id="bin")])
def test_a_folder_that_is_not_there_is_an_error_of_this_machine(
    tmp_path: Path, form: PackageFormat, package: bytes
) -> None:
    with pytest.raises(LocalIOError, match="bin/one"):
        extract(verified(package), form, ["bin/one"], tmp_path / "absent")
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: path.symlink_to("../outside")])
def test_what_is_already_in_the_folder_is_neither_followed_nor_removed(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    into = tmp_path / "into"
    into.mkdir()
    make(into / "0")
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(LocalIOError):
        extract(verified(TAR), PackageFormat.TAR, ["bin/one"], into)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("form", [PackageFormat.TAR, PackageFormat.BIN])
def test_a_file_that_cannot_be_written_whole_is_an_error_of_this_machine(
    tmp_path: Path, form: PackageFormat
) -> None:
    with room_for(CHUNK_BYTES + 5), pytest.raises(LocalIOError, match="File too large"):
        extract(verified(TAR), form, ["bin/one"], tmp_path)
    assert tree(tmp_path) == {}


def test_a_package_that_cannot_be_read_is_an_error_of_this_machine(tmp_path: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    for form in PackageFormat:
        with pytest.raises(LocalIOError, match="Input/output error"):
            extract(verified(Broken(TAR)), form, ["bin/one"], tmp_path)
    assert tree(tmp_path) == {}


MANIFEST = b'[package]\nname = "a"\n'


def crate(*parts: bytes) -> bytes:
    return gzip.compress(tar(*parts))


def test_a_crate_gives_its_manifest_and_the_paths_of_its_files() -> None:
    content = crate(
        entry(b"a-1.0.0/Cargo.toml", MANIFEST, magic=GNU),
        entry(b"a-1.0.0/./src//main.rs", b"fn main() {}", magic=GNU),
        long_name(b"a-1.0.0/src/bin/" + b"x" * 120 + b"/main.rs"),
        entry(b"a-1.0.0/src/bin/xxx", b"fn main() {}", magic=GNU),
        entry(b"a-1.0.0/link", kind=b"2", link=b"src"),
        entry(b"a-1.0.00/src/lib.rs"),
        entry(b"Cargo.toml", b"[another]"),
        entry(b"src/main.rs"),
    )
    assert read_crate(verified(content), "a-1.0.0") == CrateContents(
        MANIFEST, frozenset({"Cargo.toml", "src/main.rs", "src/bin/" + "x" * 120 + "/main.rs"})
    )


def test_a_crate_without_manifest_has_none() -> None:
    content = crate(entry(b"Cargo.toml", MANIFEST), entry(b"b-1.0.0/Cargo.toml", MANIFEST))
    assert read_crate(verified(content), "a-1.0.0") == CrateContents(None, frozenset())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gzip.compress(TAR, 1)[:-1], "ends inside"),
        (TAR, "gzip"),
        (b"", "empty"),
        (crate(entry(b"a-1.0.0/Cargo.toml", MANIFEST), entry(b"a-1.0.0/./Cargo.toml", MANIFEST)), "twice"),
        (crate(entry(b"a-1.0.0/Cargo.toml", kind=b"2", link=b"/etc/passwd")), "symbolic link"),
        (crate(entry(b"a-1.0.0", kind=b"2", link=b"/etc")), "symbolic link"),
        (crate(entry(b"a-1.0.0/Cargo.toml", bytes(MAX_MANIFEST_BYTES + 1))), "MAX_MANIFEST_BYTES"),
        (crate(entry(b"a-1.0.0/cargo.TOML"), entry(b"a-1.0.0/Cargo.toml")), "both"),
        (crate(entry(b"a-1.0.0/../x")), r"\.\."),
        (crate(entry(b"a-1.0.0/Cargo.toml", MANIFEST)[:-1])[:-30], "ends inside"),
    ],
    ids=lambda value: value if isinstance(value, str) else "crate",
)  # fmt: skip
def test_a_hostile_or_damaged_crate_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(ArchiveError, match=words):
        read_crate(verified(content), "a-1.0.0")


def test_the_largest_manifest_is_read() -> None:
    content = crate(entry(b"a-1.0.0/Cargo.toml", bytes(MAX_MANIFEST_BYTES)))
    assert len(read_crate(verified(content), "a-1.0.0").manifest or b"") == MAX_MANIFEST_BYTES
