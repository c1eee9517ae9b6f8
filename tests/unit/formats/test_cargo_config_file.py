from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from binstall.errors import ConfigError
from binstall.formats.cargo_config_file import Include, Setting, merge, parse_config
from binstall.limits import MAX_CARGO_CONFIG_BYTES

HOME = Path("/home/me/.cargo")
FILE = HOME / "config.toml"
WHOLE = b"""
include = ["a.toml", { path = "sub/b.toml", optional = true }]
[install]
root = "tools"
[http]
cainfo = "certs/ca.pem"
proxy = "proxy:8080"
timeout = 7
[net]
retry = 3
[registry]
default = "mine"
global-credential-providers = ["cargo:token", "helper --flag"]
[registries.mine]
index = "sparse+https://mine.example/index/"
credential-provider = "cargo:token"
[registries.index]
protocol = "sparse"
[source.crates-io]
replace-with = "mirror"
[source.mirror]
registry = "sparse+https://mirror.example/"
[source.vendored]
directory = "vendor"
[source.empty]
"""


def test_the_keys_that_matter_are_read_and_the_others_are_not() -> None:
    file = parse_config(WHOLE, FILE)
    assert {".".join(key): setting.value for key, setting in file.settings.items()} == {
        "install.root": "tools",
        "http.cainfo": "certs/ca.pem",
        "http.proxy": "proxy:8080",
        "http.timeout": 7,
        "registry.default": "mine",
        "registry.global-credential-providers": ("cargo:token", "helper --flag"),
        "registries.mine.index": "sparse+https://mine.example/index/",
        "registries.mine.credential-provider": "cargo:token",
        "source.crates-io": "crates-io",
        "source.crates-io.replace-with": "mirror",
        "source.mirror": "mirror",
        "source.mirror.registry": "sparse+https://mirror.example/",
        "source.vendored": "vendored",
        "source.vendored.directory": "vendor",
        "source.empty": "empty",
    }
    assert {setting.origin for setting in file.settings.values()} == {str(FILE)}


def test_relative_paths_start_above_the_folder_of_the_file() -> None:
    file = parse_config(WHOLE, FILE)
    assert file.settings["http", "cainfo"].path == Path("/home/me/certs/ca.pem")
    assert file.settings["install", "root"].path == Path("/home/me/tools")


def test_included_files_lie_beside_the_file() -> None:
    assert parse_config(WHOLE, FILE).includes == (
        Include(HOME / "a.toml", optional=False),
        Include(HOME / "sub/b.toml", optional=True),
    )


def test_a_byte_order_mark_is_no_part_of_the_file() -> None:
    assert ("install", "root") in parse_config(b"\xef\xbb\xbf[install]\nroot='x'\n", FILE).settings


def test_the_oldest_form_of_a_credentials_file_is_understood() -> None:
    assert parse_config(b"token = 'secret'", FILE).settings["registry", "token"].text == "secret"


def test_secrets_are_in_no_repr() -> None:
    file = parse_config(b"[registries.mine]\ntoken='secret'\n[http]\nproxy='me:secret@host'", FILE)
    assert "secret" not in repr(file)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[install", "is not TOML"),
        ("a = 1\na = 2", "is not TOML"),
        ("a = " + "[" * 100_000, "is not TOML"),
        ("a = " + "9" * 5000, "is not TOML"),
        ("[install]\nroot = 5", "`install.root` in .* is not text"),
        ("[http]\ntimeout = '5'", "`http.timeout` in .* is not a whole number"),
        ("[http]\ntimeout = true", "`http.timeout` in .* is not a whole number"),
        ("[http]\ncainfo = 'a\\u0000b'", "is not TOML"),
        ('[http]\ncainfo = "a\\u0000b"', "null character"),
        ("http = 5", "`http` in .* is no table"),
        ("source = []", "`source` in .* is no table"),
        ("[source]\nmirror = 'x'", "`source.mirror` in .* is no table"),
        ("[source.x]\nregistry = ['a']", "`source.x.registry` in .* is not text"),
        ("[registries.x]\ncredential-provider = [1]", "not text or a list of texts"),
        ("include = 'a.toml'", "no list of paths"),
        ("include = [5]", "has an entry other than"),
        ("include = [{optional = true}]", "has an entry other than"),
        ("include = [{path = 'a.toml', optional = 1}]", "has an entry other than"),
        ("include = ['a.conf']", "names `a.conf`"),
        ("include = ['*.toml']", "no plain path"),
        ("include = ['{x}.toml']", "no plain path"),
    ],
)
def test_a_file_that_cargo_would_refuse_is_refused_in_words(text: str, says: str) -> None:
    if "u0000" in text and "is not TOML" in says:
        text = text.replace("\\u0000", "\0")
    with pytest.raises(ConfigError, match=says):
        parse_config(text.encode(), FILE)


def test_a_file_without_end_is_refused() -> None:
    with pytest.raises(ConfigError, match="MAX_CARGO_CONFIG_BYTES"):
        parse_config(b"#" * (MAX_CARGO_CONFIG_BYTES + 1), FILE)


def test_a_later_file_overrides_an_earlier_one_and_lists_are_joined() -> None:
    first = parse_config(
        b"[http]\nproxy='a'\ntimeout=1\n[registry]\nglobal-credential-providers=['x']", HOME / "a.toml"
    )
    second = parse_config(b"[http]\nproxy='b'\n[registry]\nglobal-credential-providers=['y']", FILE)
    merged = merge([first.settings, second.settings])
    assert merged["http", "proxy"] == Setting("b", str(FILE), HOME.parent)
    assert merged["http", "timeout"].origin == str(HOME / "a.toml")
    assert merged["registry", "global-credential-providers"].words == ("x", "y")


def read(data: bytes) -> None:
    try:
        file = parse_config(data, FILE)
    except ConfigError as error:
        assert error.exit_code == 16
        return
    for key, setting in merge([file.settings, file.settings]).items():
        assert len(key) in {2, 3}
        assert isinstance(setting.path, Path)
        assert all(isinstance(word, str) for word in setting.words)
    assert all(include.path.name.endswith(".toml") for include in file.includes)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    data = bytearray(WHOLE)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 10)))
        pieces = [b'"', b"[", b"]", b"\n", b"= 5", b"{", b"[source]", b"''", b"\\u0000", b"# "]
        data[at:end] = draw(st.binary(max_size=6) | st.sampled_from(pieces))
    return bytes(data)


@settings(max_examples=1000, deadline=None)
@given(mutated())
def test_a_mutated_file_is_read_or_refused(data: bytes) -> None:
    read(data)


words = st.sampled_from(
    [
        "install",
        "http",
        "registry",
        "registries",
        "source",
        "include",
        "root",
        "token",
        "path",
        "x",
        "crates-io",
    ]
)
values = st.sampled_from(
    ["5", "'x'", "[]", "['x.toml']", "{path='x.toml'}", "true", "1979-05-27", "1.5", '""']
)
assignments = st.builds(
    lambda table, key, value: f"[{'.'.join(table)}]\n{'.'.join(key)} = {value}\n",
    st.lists(words, min_size=1, max_size=3),
    st.lists(words, min_size=1, max_size=3),
    values,
)


@settings(max_examples=1000, deadline=None)
@given(
    st.binary(max_size=200)
    | st.lists(assignments, max_size=4).map(lambda parts: "".join(parts).encode())
    | st.builds(lambda key, value: f"{key} = {value}".encode(), words, values)
)
@example(b"registries.a.b.c = 1")
@example(b"include = [[]]")
@example(b"source.''.registry = ''")
def test_any_file_is_read_or_refused(data: bytes) -> None:
    read(data)
