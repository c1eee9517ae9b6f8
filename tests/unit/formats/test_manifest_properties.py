"""Whatever stands in a `Cargo.toml`: a manifest, or one of the documented errors."""

from __future__ import annotations

import copy
import tomllib
from pathlib import Path
from typing import Any

import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import (
    BadVersion,
    LocalManifestError,
    ManifestError,
    NoBinaries,
    NoPackage,
    TemplateError,
    UnsupportedSignature,
)
from binstall.formats.binaries import name_problem
from binstall.formats.manifest import CliOverrides, parse_manifest
from binstall.formats.target import parse_target

VECTORS = Path(__file__).parents[2] / "vectors" / "manifests"
OWN = """[package]
name = "pack"
version = "1.2.3-rc.1"
repository = "https://example.com/pack"

[[bin]]
name = "pack"
path = "src/main.rs"
required-features = ["cli"]

[[bin]]
name = "other"

[package.metadata.binstall]
pkg-url = "{ repo }/{ name }-{ target }{ archive-suffix }"
pkg-fmt = "tgz"
bin-dir = "{ bin }{ binary-ext }"
disabled-strategies = ["compile"]

[package.metadata.binstall.signing]
algorithm = "minisign"
pubkey = "RWRnmBcLmQbXVcEPWo2OOKMI36kki4GiI7gcBgIaPLwvxe14Wtxm9acX"
file = "{ url }.minisig"
x-note = 1

[package.metadata.binstall.overrides.x86_64-unknown-linux-musl]
pkg-fmt = "zip"

[package.metadata.binstall.overrides.'cfg(all(unix, not(target_os = "macos")))'.signing]
algorithm = "minisign"
pubkey = "RW"

[[package.metadata.binstall.overrides.x86_64-pc-windows-msvc.signatures]]
algorithm = "sigstore"
"""
REAL = [
    (VECTORS / name / "Cargo.toml").read_text("utf-8")
    for name in ("cargo-watch", "mise", "nodeup", "typst-cli", "voice")
]
TEXTS = [OWN, *REAL]
READ_KEYS = {"package", "bin"}
TREES: list[dict[str, Any]] = [
    {key: value for key, value in tomllib.loads(text).items() if key in READ_KEYS} for text in TEXTS
]
TARGETS = tuple(
    parse_target(text)
    for text in ("x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl", "x86_64-pc-windows-msvc")
)
FILES = ("src/main.rs", "src/bin/other.rs", "src/bin/more/main.rs")
WORDS = st.sampled_from(
    [
        "package", "metadata", "binstall", "signing", "signature", "signatures", "overrides", "pubkey",
        "algorithm", "file", "pkg-url", "pkg-fmt", "bin-dir", "bin", "name", "path", "version", "workspace",
        "x-a", "cfg(unix)", "cfg(", "x86_64-unknown-linux-gnu", "disabled-strategies", "autobins",
        "minisign", "../x", "a/b", "tgz", "{",
    ]
)  # fmt: skip


def _read_or_refuse(text: bytes | str, error: type[ManifestError] = LocalManifestError) -> None:
    try:
        manifest = parse_manifest(text, FILES, error=error)
    except (NoPackage, BadVersion, NoBinaries):
        return
    except ManifestError as refused:
        assert type(refused) is error
        assert len(refused.message) < 2000
        return
    names = [binary.name for binary in manifest.binaries]
    assert names == sorted(set(names)) != []
    assert all(name_problem(name) is None for name in names)
    for target in TARGETS:
        skipped = None
        try:
            skipped = manifest.for_target(target, CliOverrides(), skip_signatures=True)
            merged = manifest.for_target(target, CliOverrides(), skip_signatures=False)
        except ManifestError as refused:
            assert type(refused) is error
            assert skipped is not None
            assert skipped.declares_signature
        except UnsupportedSignature:
            assert skipped is not None
            assert skipped.declares_signature
        except TemplateError:
            pass  # documented; which template it is makes no difference here
        else:
            assert merged.declares_signature is (merged.signing is not None)
            assert manifest.declares_signature or not merged.declares_signature


@settings(max_examples=1000, deadline=None)
@given(
    text=st.sampled_from([text.encode() for text in TEXTS]),
    edits=st.lists(
        st.tuples(
            st.integers(min_value=0),
            st.integers(0, 12),
            st.one_of(
                st.binary(max_size=4), WORDS.map(str.encode), st.sampled_from(b"[]{}'\"=.\n,#".split())
            ),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_a_manifest_with_altered_bytes_is_read_or_refused(
    text: bytes, edits: list[tuple[int, int, bytes]]
) -> None:
    for place, cut, put in edits:
        at = place % (len(text) + 1)
        text = text[:at] + put + text[at + cut :]
    _read_or_refuse(text)


SCALARS = st.one_of(
    st.booleans(),
    st.integers(-5, 5),
    st.floats(allow_nan=False),
    WORDS,
    st.text(max_size=6),
    st.dates(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=6,
)


@st.composite
def altered_trees(draw: st.DrawFn) -> dict[str, Any]:
    """A real manifest in which some keys or values, at any depth, were replaced, renamed or removed."""
    tree: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(TREES)))
    for _ in range(draw(st.integers(1, 3))):
        focus: Any = tree["package"] if draw(st.booleans()) else tree
        if draw(st.booleans()):
            focus = tree["package"].get("metadata", {}) if isinstance(tree["package"], dict) else tree
        while isinstance(focus, dict) and draw(st.integers(0, 3)):
            inner = [value for value in focus.values() if isinstance(value, dict) and value]
            if not inner:
                break
            focus = draw(st.sampled_from(inner))
        if not isinstance(focus, dict):
            continue
        change = draw(st.sampled_from(["put", "replace", "rename", "remove"]))
        keys = sorted(focus)
        if change == "put" or not keys:
            focus[draw(WORDS)] = draw(VALUES)
            continue
        key = draw(st.sampled_from(keys))
        if focus is tree and key == "package" and change != "put":
            continue
        if change == "replace":
            focus[key] = draw(VALUES)
        else:
            value = focus.pop(key)
            if change == "rename":
                focus[draw(st.one_of(WORDS, st.text(max_size=8), st.just(key[:-1] or "k")))] = value
    return tree


@settings(max_examples=1000, deadline=None)
@given(altered_trees())
def test_a_manifest_with_altered_values_is_read_or_refused(tree: dict[str, Any]) -> None:
    _read_or_refuse(tomlkit.dumps(tree))


@settings(max_examples=1000, deadline=None)
@given(st.dictionaries(st.sampled_from(["package", "bin", "workspace", "project"]), VALUES, max_size=3))
def test_any_toml_values_are_read_or_refused(tree: dict[str, Any]) -> None:
    _read_or_refuse(tomlkit.dumps(tree))


@settings(max_examples=1000, deadline=None)
@given(VALUES, VALUES, VALUES)
def test_any_values_in_the_binstall_tables_are_read_or_refused(
    binstall: object, signing: object, other: object
) -> None:
    tree: dict[str, Any] = {"package": {"name": "pack", "metadata": {"binstall": binstall}}}
    if isinstance(binstall, dict):
        binstall["signing"] = signing
        binstall["overrides"] = {"cfg(unix)": other, "x86_64-pc-windows-msvc": {"signing": other}}
    _read_or_refuse(tomlkit.dumps(tree))


@settings(max_examples=1000, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=300), st.text("[]{}\"'=.a1\n,#", max_size=300)))
def test_anything_at_all_is_read_or_refused(text: bytes | str) -> None:
    _read_or_refuse(text, ManifestError)
