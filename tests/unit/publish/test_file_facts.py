"""What a file's name says is what installers would make of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import LocalManifestError, ManifestError
from binstall.formats.manifest import Manifest, parse_manifest
from binstall.formats.minisign_key import serialize_public_key
from binstall.formats.target import parse_target
from binstall.publish.file_facts import demands_other_key, facts_of, is_key, triples_in
from binstall.signing.binding import Expected
from binstall.signing.minisign_keys import generate

GNU, MUSL, MAC = "x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl", "aarch64-apple-darwin"
KEY = generate().public_key
SIGNING = f'\n[package.metadata.binstall.signing]\nalgorithm = "minisign"\npubkey = "{KEY.base64}"\n'


def manifest(metadata: str = "", *, repository: str = "https://github.com/me/hello") -> Manifest:
    text = f'[package]\nname = "hello"\nversion = "1.2.3"\nrepository = "{repository}"\n{metadata}'
    return parse_manifest(text, ["src/main.rs"], error=LocalManifestError)


def pkg_url(template: str) -> str:
    return f'[package.metadata.binstall]\npkg-url = "https://example.com/{template}"\npkg-fmt = "tgz"\n'


@pytest.mark.parametrize(
    ("metadata", "name", "expected"),
    [
        pytest.param("", f"hello-{GNU}-v1.2.3.tgz", ("hello", "1.2.3", GNU), id="a default name"),
        pytest.param("", f"hello_1.2.3_{MAC}.tar.xz", ("hello", "1.2.3", MAC), id="another default name"),
        pytest.param("", f"hello-{GNU}-v1.2.4.tgz", (None, None, None), id="of another version"),
        pytest.param("", f"other-{GNU}-v1.2.3.tgz", (None, None, None), id="of another crate"),
        pytest.param("", "SHA256SUMS", (None, None, None), id="no package"),
        pytest.param(
            pkg_url("{ name }-{ target }"), f"hello-{MUSL}", ("hello", "1.2.3", MUSL), id="declared"
        ),
        pytest.param(
            pkg_url("{ target }/{ name }"), "hello", ("hello", "1.2.3", None), id="one name for all targets"
        ),
        pytest.param(
            pkg_url("{ name }-{ target-arch }-{ os-name }"),
            "hello-aarch64-macos",
            ("hello", "1.2.3", MAC),
            id="a name made of parts that only one target has",
        ),
        pytest.param(
            pkg_url("{ name }-{ target-arch }-{ os-name }"),
            "hello-x86_64-linux",
            ("hello", "1.2.3", None),
            id="a name made of parts that several targets have",
        ),
        pytest.param(
            f"[package.metadata.binstall.overrides.{GNU}]\n"
            'pkg-url = "https://example.com/linux.tgz?v={ version }#x"\npkg-fmt = "tgz"\n',
            "linux.tgz",
            ("hello", "1.2.3", GNU),
            id="an override with a name of its own",
        ),
        pytest.param(
            pkg_url("{ name }%20{ target }.tgz"), f"hello {GNU}.tgz", ("hello", "1.2.3", GNU), id="decoded"
        ),
        pytest.param(pkg_url("{ name }-{ nonsense }"), "hello-", (None, None, None), id="does not render"),
    ],
)
def test_a_name_is_certain_or_it_is_not(
    metadata: str, name: str, expected: tuple[str | None, str | None, str | None]
) -> None:
    assert facts_of(name, manifest(metadata)).expected == Expected(name, *expected)


@pytest.mark.parametrize(
    ("template", "signature"),
    [
        pytest.param("", f"hello-{GNU}.tgz.sig", id="the default"),
        pytest.param("{ url }.minisig", f"hello-{GNU}.tgz.minisig", id="another suffix"),
        pytest.param("https://keys.example/{ version }/{ target }.s?x=y", f"{GNU}.s", id="another host"),
    ],
)
def test_the_signature_has_the_name_that_installers_ask_for(template: str, signature: str) -> None:
    declared = SIGNING + (f'file = "{template}"\n' if template else "")
    facts = facts_of(f"hello-{GNU}.tgz", manifest(pkg_url("{ name }-{ target }.tgz") + declared))
    assert facts.signature_name == signature
    assert [target.text for target in facts.targets] == [GNU]
    assert [signing.pubkey for signing in facts.signings] == [KEY.base64]


def test_without_a_section_or_a_target_there_is_no_such_name() -> None:
    assert facts_of(f"hello-{GNU}-v1.2.3.tgz", manifest()).signature_name is None
    assert facts_of("SHA256SUMS", manifest(SIGNING)).signature_name is None


@pytest.mark.parametrize(
    "template",
    [
        pytest.param("https://example.com/sigs/{ name }-{ target }.tgz", id="the file's own name"),
        pytest.param("https://example.com/{ name }/", id="no name"),
        pytest.param("https://example.com/a%2Fb", id="a path"),
        pytest.param("https://example.com/..%2f..", id="a way out"),
    ],
)
def test_a_signature_that_can_be_no_file_beside_is_refused(template: str) -> None:
    declared = pkg_url("{ name }-{ target }.tgz") + SIGNING + f'file = "{template}"\n'
    with pytest.raises(LocalManifestError, match="can be no other file beside it"):
        facts_of(f"hello-{GNU}.tgz", manifest(declared))


def test_two_names_for_one_signature_are_refused() -> None:
    declared = pkg_url("{ target }/hello.tgz") + SIGNING + 'file = "{ url }-{ target }.sig"\n'
    with pytest.raises(LocalManifestError, match="under different names"):
        facts_of("hello.tgz", manifest(declared))


def test_a_half_filled_section_is_an_error_for_a_package_and_for_nothing_else() -> None:
    half = manifest("[package.metadata.binstall.signing]\npubkey = 'x'\n")
    with pytest.raises(ManifestError, match="has no `algorithm`"):
        facts_of(f"hello-{GNU}-v1.2.3.tgz", half)


def test_a_key_is_the_same_with_its_comment_and_blanks() -> None:
    facts = facts_of(f"hello-{GNU}-v1.2.3.tgz", manifest(SIGNING))
    assert not demands_other_key(facts, KEY.base64)
    assert demands_other_key(facts, generate().public_key.base64)
    assert is_key(serialize_public_key(KEY), KEY.base64) and is_key(f"\n{KEY.base64}\r\n", KEY.base64)
    assert not is_key("nonsense", KEY.base64)


def test_triples_are_found_inside_names() -> None:
    assert next(iter(triples_in(f"hello-1.2.3-{GNU}.tar.gz"))) == GNU
    assert "thumbv8m.main-none-eabi" in set(triples_in("x_thumbv8m.main-none-eabi.tgz"))
    assert set(triples_in("hello-1.2.3.tgz")) == set()


@settings(max_examples=1000, deadline=None)
@given(st.text(max_size=300), st.sampled_from([GNU, MAC, ""]), st.text(max_size=20))
def test_any_name_has_facts(before: str, triple: str, after: str) -> None:
    name = before + triple + after
    facts = facts_of(name, DECLARED)
    assert facts.expected.file_name == name
    assert (facts.signature_name is None) == (not facts.targets)


DECLARED = manifest(pkg_url("{ name }-{ target }.tgz") + SIGNING)


@given(
    st.text(max_size=300) | st.from_regex(r"[a-z0-9_.-]{0,60}(x86_64|arm|linux|-unknown|gnu){1,4}.{0,9}")
)
@settings(max_examples=1000, deadline=None)
def test_any_name_holds_only_triples_that_parse(name: str) -> None:
    for text in triples_in(name):
        assert text in name
        assert parse_target(text).text == text
