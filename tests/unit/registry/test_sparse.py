"""The registry over an in-memory web; the transfers, parsers and archive reader are the real ones."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from binstall.errors import (
    BinstallError,
    ChecksumMismatch,
    CrateNotFound,
    ManifestError,
    NoBinaries,
    NoMatchingVersion,
    NoPackage,
    RegistryError,
    Unreachable,
)
from binstall.formats.cargo_config import CargoConfig
from binstall.formats.version import CrateSpec, parse_crate_spec
from binstall.hosting.packing import build_crate
from binstall.net.fetcher import NO_HEADERS, Response
from binstall.net.retry import Timing
from binstall.net.transfers import Transfers
from binstall.progress import Silent
from binstall.registry.found import FoundCrate
from binstall.registry.selection import RegistryChoice, select_registry
from binstall.registry.sparse import SparseRegistry

INDEX = "https://index.example/"
DL = "https://static.example/crates"
AT_ONCE = Timing(pause=lambda stopping, seconds: None)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    url: str
    body: bytes
    headers: Mapping[str, str]

    def chunks(self) -> Iterator[bytes]:
        for at in range(0, len(self.body), 1000):
            yield self.body[at : at + 1000]


@dataclass
class Web:
    """Bodies by URL; a number is a status, an error is raised; what needs `token` is 401 without it."""

    pages: dict[str, bytes | int | BinstallError] = field(default_factory=dict)
    token: str | None = None
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """URL and token of each request, in no certain order."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def open(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] = NO_HEADERS,
        body: bytes | None = None,
    ) -> Iterator[Response]:
        token = headers.get("authorization")
        with self.lock:
            self.asked.append((url, token))
        page = self.pages.get(url, 404)
        if self.token is not None and token != self.token:
            page = 401
        if isinstance(page, BinstallError):
            raise page
        status, body = (page, b"") if isinstance(page, int) else (200, page)
        yield Answer(status, url, body, {"content-length": str(len(body))})

    def close(self) -> None:
        pass

    def publish(self, name: str, version: str, crate: bytes, *, index: str = INDEX, **members: Any) -> None:
        """Put the crate and its index line where a registry has them."""
        lower = name.lower()
        entry = {
            "name": name,
            "vers": version,
            "cksum": sha256(crate).hexdigest(),
            "yanked": False,
            **members,
        }
        url = f"{index}{lower[:2]}/{lower[2:4]}/{lower}"
        before = self.pages.get(url, b"")
        assert isinstance(before, bytes)
        self.pages[url] = before + json.dumps(entry).encode() + b"\n"
        self.pages[f"{DL}/{name}/{version}/download"] = crate
        self.pages.setdefault(f"{index}config.json", json.dumps({"dl": DL}).encode())

    def urls(self) -> list[str]:
        return sorted(url for url, _ in self.asked)


@dataclass
class Listener(Silent):
    told: list[str] = field(default_factory=list)

    def stage(self, words: str) -> None:
        self.told.append(words)

    def detail(self, words: str) -> None:
        self.told.append(words)


def manifest(name: str = "hello", version: str = "1.0.0", more: str = "") -> str:
    return f'[package]\nname = "{name}"\nversion = "{version}"\nedition = "2021"\n{more}'


def crate(name: str = "hello", version: str = "1.0.0", more: str = "") -> bytes:
    return build_crate(manifest(name, version, more), {"src/main.rs": b"fn main() {}\n"})


def chosen(index: str = INDEX, **environment: str) -> RegistryChoice:
    return select_registry(CargoConfig({}, environment, Path("/here")), index=f"sparse+{index}")


def find(
    web: Web,
    folder: Path,
    spec: str = "hello",
    *,
    choice: RegistryChoice | None = None,
    told: Listener | None = None,
) -> FoundCrate:
    listener = told or Listener()
    with Transfers(web, timing=AT_ONCE) as transfers:
        return SparseRegistry(choice or chosen(), transfers, listener).find(parse_crate_spec(spec), folder)


@pytest.fixture
def web() -> Web:
    made = Web()
    for version in ("1.0.0", "1.2.0", "2.0.0-rc.1"):
        made.publish("hello", version, crate(version=version))
    made.publish("hello", "1.3.0", crate(version="1.3.0"), yanked=True)
    return made


@pytest.mark.parametrize(
    ("spec", "version", "text"),
    [
        ("hello", "1.2.0", "*"),
        ("hello@1.0.0", "1.0.0", "=1.0.0"),
        ("hello@^1", "1.2.0", "^1"),
        ("hello@2.0.0-rc.1", "2.0.0-rc.1", "=2.0.0-rc.1"),
    ],
)
def test_a_crate_is_found_with_its_manifest(
    web: Web, tmp_path: Path, spec: str, version: str, text: str
) -> None:
    found = find(web, tmp_path, spec)
    assert (found.manifest.name, str(found.manifest.version)) == ("hello", version)
    assert [binary.name for binary in found.manifest.binaries] == ["hello"]
    assert found.version_requirement_text == text
    assert str(found.source) == "sparse+https://index.example/"
    assert found.checksum == sha256(crate(version=version)).digest()
    assert found.trusted_transport
    assert web.urls() == [
        f"{INDEX}config.json",
        f"{INDEX}he/ll/hello",
        f"{DL}/hello/{version}/download",
    ]


CRATES_IO = "https://index.crates.io/"
CRATES_IO_CRATE = "https://static.crates.io/crates/hello/1.0.0/download"


@dataclass
class PatientWeb(Web):
    """Answers nothing before the `.crate` of crates.io was asked for."""

    crate_asked: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def open(self, url: str, **more: Any) -> Iterator[Response]:
        if url == CRATES_IO_CRATE:
            self.crate_asked.set()
        assert self.crate_asked.wait(10), f"{url} was asked for without the .crate"
        with super().open(url, **more) as answer:
            yield answer


def crates_io(web: Web) -> Web:
    web.publish("hello", "1.0.0", crate(), index=CRATES_IO)
    web.pages[f"{CRATES_IO}config.json"] = b'{"dl": "https://static.crates.io/crates"}'
    web.pages[CRATES_IO_CRATE] = crate()
    return web


def test_an_exact_version_of_crates_io_is_asked_for_together_with_the_index(tmp_path: Path) -> None:
    web = crates_io(PatientWeb())
    found = find(web, tmp_path, "hello@1.0.0", choice=chosen(CRATES_IO))
    assert found.checksum == sha256(crate()).digest()
    assert web.urls() == [f"{CRATES_IO}config.json", f"{CRATES_IO}he/ll/hello", CRATES_IO_CRATE]


def test_a_crate_that_came_early_is_compared_with_the_index_all_the_same(tmp_path: Path) -> None:
    web = crates_io(Web())
    web.pages[CRATES_IO_CRATE] = crate(more="# changed\n")
    with pytest.raises(ChecksumMismatch):
        find(web, tmp_path, "hello@1.0.0", choice=chosen(CRATES_IO))


def test_where_crates_io_says_another_place_that_one_counts(tmp_path: Path) -> None:
    web = crates_io(Web())
    web.pages[f"{CRATES_IO}config.json"] = json.dumps({"dl": DL}).encode()
    web.pages[CRATES_IO_CRATE] = b"of another time"
    assert find(web, tmp_path, "hello@1.0.0", choice=chosen(CRATES_IO)).manifest.name == "hello"
    assert f"{DL}/hello/1.0.0/download" in web.urls()


def test_an_early_crate_that_is_not_listed_is_not_used(tmp_path: Path) -> None:
    web = crates_io(Web())
    web.pages["https://static.crates.io/crates/hello/1.1.0/download"] = crate(version="1.1.0")
    with pytest.raises(NoMatchingVersion):
        find(web, tmp_path, "hello@1.1.0", choice=chosen(CRATES_IO))


def test_no_crate_is_asked_for_early_where_nobody_knows_its_place(web: Web, tmp_path: Path) -> None:
    with pytest.raises(NoMatchingVersion):
        find(web, tmp_path, "hello@1.1.0")
    assert web.urls() == [f"{INDEX}config.json", f"{INDEX}he/ll/hello"]


def test_nothing_but_the_answer_is_left(web: Web, tmp_path: Path) -> None:
    find(web, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_told_names_registry_version_and_checksum(web: Web, tmp_path: Path) -> None:
    web.publish("hello", "9.0.0", b"", v=3)
    told = Listener()
    found = find(web, tmp_path, told=told)
    assert found.checksum is not None
    assert any(
        "hello 1.2.0" in words and INDEX in words and found.checksum.hex() in words for words in told.told
    )
    assert any("schema 3" in words for words in told.told)


def test_the_registrys_spelling_of_the_name_counts(tmp_path: Path) -> None:
    web = Web()
    web.publish("Hello-World", "1.0.0", crate("Hello-World"))
    told = Listener()
    assert find(web, tmp_path, "hello-world", told=told).manifest.name == "Hello-World"
    assert any("`Hello-World`" in words for words in told.told)


@pytest.mark.parametrize("spec", ["hello_world", "hello-world"])
def test_hyphen_and_underscore_mixed_up_get_a_hint(tmp_path: Path, spec: str) -> None:
    web = Web()
    other = spec.translate({ord("_"): "-", ord("-"): "_"})
    web.publish(other, "1.0.0", crate(other))
    with pytest.raises(CrateNotFound, match=f"no crate `{spec}`") as caught:
        find(web, tmp_path, spec)
    assert caught.value.hint == f"did you mean `{other}`?"


@pytest.mark.parametrize("status", [404, 410, 451])
def test_a_crate_that_is_not_there_is_not_found(web: Web, tmp_path: Path, status: int) -> None:
    web.pages[f"{INDEX}mi/ss/miss"] = status
    with pytest.raises(CrateNotFound, match="there is no crate `miss` in https://index") as caught:
        find(web, tmp_path, "miss")
    assert caught.value.exit_code == 76
    assert "spelling" in (caught.value.hint or "")


def test_a_missing_version_is_told(web: Web, tmp_path: Path) -> None:
    with pytest.raises(NoMatchingVersion, match=r"newest is 1\.2\.0"):
        find(web, tmp_path, "hello@7")


def test_a_changed_crate_is_refused_before_it_is_opened(web: Web, tmp_path: Path) -> None:
    web.pages[f"{DL}/hello/1.2.0/download"] = b"no archive at all"
    with pytest.raises(ChecksumMismatch, match=r"hello-1\.2\.0\.crate should have SHA-256"):
        find(web, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        pytest.param(b"no archive", RegistryError, "is no crate", id="no archive"),
        pytest.param(crate(version="1.2.0")[:-20], RegistryError, "is no crate", id="cut"),
        pytest.param(
            crate("other", "1.2.0"), NoPackage, "has no hello-1.2.0/Cargo.toml", id="other folder"
        ),
    ],
)
def test_a_crate_that_is_none_is_refused(
    web: Web, tmp_path: Path, content: bytes, error: type[BinstallError], says: str
) -> None:
    web.pages[f"{INDEX}he/ll/hello"] = b""
    web.publish("hello", "1.2.0", content)
    with pytest.raises(error, match=says):
        find(web, tmp_path)


def packed(text: str) -> bytes:
    """Return a crate in the folder `hello-1.2.0` whose manifest says `text`."""
    import gzip
    import io
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in (("Cargo.toml", text.encode()), ("src/main.rs", b"fn main() {}")):
            member = tarfile.TarInfo(f"hello-1.2.0/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return gzip.compress(buffer.getvalue())


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        (manifest("other", "1.2.0"), RegistryError, "has a manifest of other 1.2.0"),
        (manifest("hello", "1.2.1"), RegistryError, "has a manifest of hello 1.2.1"),
        (manifest("hello", "1.2.0+x"), RegistryError, r"has a manifest of hello 1.2.0\+x"),
        ("[package", ManifestError, "Cargo.toml of hello 1.2.0"),
        ("[workspace]", NoPackage, "no"),
        (manifest("hello", "1.2.0", "autobins = false\n"), NoBinaries, "hello"),
    ],
)
def test_the_manifest_must_be_that_of_the_crate(
    web: Web, tmp_path: Path, text: str, error: type[BinstallError], says: str
) -> None:
    web.pages[f"{INDEX}he/ll/hello"] = b""
    web.publish("hello", "1.2.0", packed(text))
    with pytest.raises(error, match=says):
        find(web, tmp_path)


@pytest.mark.parametrize(
    ("url", "page", "says"),
    [
        pytest.param(f"{INDEX}config.json", 404, "is no registry", id="config absent"),
        pytest.param(f"{INDEX}config.json", 403, "config.json.* answered 403", id="config refused"),
        pytest.param(f"{INDEX}config.json", b"<html>", "not JSON", id="config html"),
        pytest.param(f"{INDEX}config.json", b" " * 70_000, "longer than its bound", id="config long"),
        pytest.param(
            f"{INDEX}config.json", Unreachable("no route"), "cannot be used: no route", id="offline"
        ),
        pytest.param(f"{INDEX}he/ll/hello", 500, "the index of hello.* answered 500", id="index broken"),
        pytest.param(f"{INDEX}he/ll/hello", b"<html>", "not JSON", id="index html"),
        pytest.param(f"{INDEX}he/ll/hello", b"", "lists no usable version", id="index empty"),
        pytest.param(
            f"{DL}/hello/1.2.0/download", 404, "hello-1.2.0.crate.* answered 404", id="crate absent"
        ),
        pytest.param(
            f"{DL}/hello/1.2.0/download", Unreachable("cut"), "cannot be used: cut", id="crate cut"
        ),
        pytest.param(f"{DL}/hello/1.2.0/download", 401, "requires authentication", id="crate secret"),
    ],
)
def test_an_answer_that_cannot_be_used_is_an_error_of_the_registry(
    web: Web, tmp_path: Path, url: str, page: bytes | int | BinstallError, says: str
) -> None:
    web.pages[url] = page
    with pytest.raises(RegistryError, match=says) as caught:
        find(web, tmp_path)
    assert caught.value.exit_code == 76
    assert list(tmp_path.iterdir()) == []


def token_choice(token: str | None) -> RegistryChoice:
    environment = {"CARGO_REGISTRIES_MINE_INDEX": f"sparse+{INDEX}"}
    if token is not None:
        environment["CARGO_REGISTRIES_MINE_TOKEN"] = token
    return select_registry(CargoConfig({}, environment, Path("/here")), registry="mine")


def test_a_registry_that_wants_a_token_gets_it_everywhere_and_only_then(web: Web, tmp_path: Path) -> None:
    web.pages[f"{INDEX}config.json"] = json.dumps({"dl": DL, "auth-required": True}).encode()
    web.token = "secret"
    found = find(web, tmp_path, choice=token_choice("secret"))
    assert str(found.manifest.version) == "1.2.0"
    assert (f"{INDEX}config.json", None) in web.asked
    with_token = {url for url, token in web.asked if token == "secret"}
    assert with_token == {f"{INDEX}config.json", f"{INDEX}he/ll/hello", f"{DL}/hello/1.2.0/download"}


def test_an_open_config_json_may_ask_for_the_token_of_the_rest(web: Web, tmp_path: Path) -> None:
    web.pages[f"{INDEX}config.json"] = json.dumps({"dl": DL, "auth-required": True}).encode()
    find(web, tmp_path, choice=token_choice("secret"))
    assert (f"{INDEX}config.json", "secret") not in web.asked
    assert (f"{DL}/hello/1.2.0/download", "secret") in web.asked


def test_a_registry_that_wants_no_token_gets_none(web: Web, tmp_path: Path) -> None:
    find(web, tmp_path, choice=token_choice("secret"))
    assert {token for _, token in web.asked} == {None}


@pytest.mark.parametrize(
    ("token", "says"), [(None, "there is no token for it"), ("wrong", "refuses the token")]
)
def test_without_the_right_token_the_error_says_so(
    web: Web, tmp_path: Path, token: str | None, says: str
) -> None:
    web.token = "secret"
    with pytest.raises(RegistryError, match=says) as caught:
        find(web, tmp_path, choice=token_choice(token))
    assert "wrong" not in str(caught.value)
    assert caught.value.exit_code == 76


@pytest.mark.parametrize(
    ("index", "trusted"),
    [
        ("https://index.example/", True),
        ("http://index.example/", False),
        ("http://127.0.0.1:8000/", True),
        ("http://localhost/", True),
        ("http://[::1]:8000/", True),
        ("http://127.0.0.1.example/", False),
    ],
)
def test_a_key_from_plain_http_proves_nothing_unless_this_machine_serves_it(
    tmp_path: Path, index: str, trusted: bool
) -> None:
    web = Web()
    web.publish("hello", "1.0.0", crate(), index=index)
    assert find(web, tmp_path, choice=chosen(index)).trusted_transport is trusted


def test_a_mirror_is_asked_and_crates_io_is_recorded(web: Web, tmp_path: Path) -> None:
    from binstall.formats.cargo_config_file import parse_config

    text = f"[source.crates-io]\nreplace-with='m'\n[source.m]\nregistry='sparse+{INDEX}'\n"
    settings = parse_config(text.encode(), Path("/home/me/.cargo/config.toml")).settings
    found = find(web, tmp_path, choice=select_registry(CargoConfig(settings)))
    assert str(found.source) == "registry+https://github.com/rust-lang/crates.io-index"


def test_many_crates_at_once_ask_for_config_json_once(tmp_path: Path) -> None:
    web = Web()
    names = [f"crate{number}" for number in range(12)]
    for name in names:
        web.publish(name, "1.0.0", crate(name))
    with Transfers(web, timing=AT_ONCE) as transfers, ThreadPoolExecutor(12) as threads:
        registry = SparseRegistry(chosen(), transfers, Listener())
        found = list(threads.map(lambda name: registry.find(CrateSpec(name, None), tmp_path), names))
    assert [each.manifest.name for each in found] == names
    assert web.urls().count(f"{INDEX}config.json") == 1
    assert len(web.asked) == 1 + 2 * len(names)
