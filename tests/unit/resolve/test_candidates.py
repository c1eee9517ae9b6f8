from __future__ import annotations

import tomllib

import pytest

from binstall.errors import ManifestError, TemplateError, UnknownFormat
from binstall.formats.manifest import CliOverrides, parse_manifest
from binstall.formats.package_format import PackageFormat
from binstall.formats.target import TargetTriple, parse_target
from binstall.resolve.candidates import Candidate, candidates_for

LINUX, MUSL = parse_target("x86_64-unknown-linux-gnu"), parse_target("x86_64-unknown-linux-musl")
WINDOWS = parse_target("x86_64-pc-windows-msvc")
SUFFIXES = [
    ".tar",
    ".tbz2",
    ".tar.bz2",
    ".tbz",
    ".tar.bz",
    ".tgz",
    ".tar.gz",
    ".txz",
    ".tar.xz",
    ".tzstd",
    ".tzst",
    ".tar.zst",
    ".zip",
    ".bin",
]
PACKAGE = "demo-x86_64-unknown-linux-gnu-v1.2.3.tar"
KEY = "RWRnmBcLmQbXVcEPWo2OOKMI36kki4GiI7gcBgIaPLwvxe14Wtxm9acX"


def candidates(
    metadata: str,
    *targets: TargetTriple,
    repository: str = "",
    cli: CliOverrides | None = None,
    skip: bool = False,
) -> tuple[Candidate, ...]:
    text = '[package]\nname = "demo"\nversion = "1.2.3"\n'
    if repository:
        text += f'repository = "{repository}"\n'
    text += "[package.metadata.binstall]\n" + metadata
    tomllib.loads(text)
    manifest = parse_manifest(text, ["src/main.rs"])
    found: list[Candidate] = []
    for target in targets or (LINUX,):
        found += candidates_for(manifest, target, cli or CliOverrides(), skip_signatures=skip)
    return tuple(found)


def test_an_explicit_template_gives_one_candidate_a_target_in_order_of_preference() -> None:
    found = candidates('pkg-url = "https://h/{ name }-{ version }-{ target }.tgz"', LINUX, MUSL)
    assert [(each.url, each.target, each.format) for each in found] == [
        ("https://h/demo-1.2.3-x86_64-unknown-linux-gnu.tgz", LINUX, PackageFormat.TGZ),
        ("https://h/demo-1.2.3-x86_64-unknown-linux-musl.tgz", MUSL, PackageFormat.TGZ),
    ]


def test_a_template_that_names_the_format_tries_all_of_them_in_their_order() -> None:
    found = candidates('pkg-url = "https://h/x{ archive-suffix }"')
    assert [each.url for each in found] == [f"https://h/x{suffix}" for suffix in SUFFIXES] + ["https://h/x"]
    assert [each.url for each in candidates('pkg-url = "https://h/x.{ format }"\npkg-fmt = "tgz"')] == [
        "https://h/x.tgz",
        "https://h/x.tar.gz",
    ]
    assert [
        each.url
        for each in candidates('pkg-url = "https://h/x{ archive-suffix }"\npkg-fmt = "bin"', WINDOWS)
    ] == [
        "https://h/x.bin",
        "https://h/x",
        "https://h/x.exe",
    ]


def test_a_format_that_is_neither_declared_nor_visible_is_95() -> None:
    with pytest.raises(UnknownFormat, match="pkg-fmt"):
        candidates('pkg-url = "https://h/x"')


def test_the_signature_is_beside_the_package_unless_a_template_says_where() -> None:
    signing = f'\n[package.metadata.binstall.signing]\nalgorithm = "minisign"\npubkey = "{KEY}"\n'
    (plain,) = candidates('pkg-url = "https://h/x.tgz"' + signing)
    assert plain.signature_url == "https://h/x.tgz.sig"
    template = "{ name }-{ target }{ archive-suffix }.minisig"
    (declared,) = candidates(f'pkg-url = "https://h/x.tgz"{signing}file = "https://s/{template}"')
    assert declared.signature_url == "https://s/demo-x86_64-unknown-linux-gnu.tgz.minisig"
    (unsigned,) = candidates('pkg-url = "https://h/x.tgz"')
    assert unsigned.signature_url is None


@pytest.mark.parametrize(
    "template", ["{ repo }/x.tgz", "https://h/{ bin }.tgz", "https://h/{ nonsense }.tgz"]
)
def test_a_key_without_a_value_is_a_template_error(template: str) -> None:
    with pytest.raises(TemplateError):
        candidates(f'pkg-url = "{template}"')


@pytest.mark.parametrize("template", ["x.tgz", "ftp://h/x.tgz", "file:///etc/x.tgz", "https:///x.tgz"])
def test_what_is_no_absolute_http_url_is_a_template_error(template: str) -> None:
    with pytest.raises(TemplateError, match="package URL"):
        candidates(f'pkg-url = "{template}"')


def test_the_command_line_goes_before_the_manifest_but_the_key_stays() -> None:
    signing = f'\n[package.metadata.binstall.signing]\nalgorithm = "minisign"\npubkey = "{KEY}"\n'
    cli = CliOverrides(pkg_url="https://other/x", pkg_fmt=PackageFormat.ZIP)
    (found,) = candidates('pkg-url = "https://h/x.tgz"' + signing, cli=cli)
    assert (found.url, found.format) == ("https://other/x", PackageFormat.ZIP)
    assert found.signature_url == "https://other/x.sig"
    assert found.meta.signing is not None
    assert found.meta.signing.pubkey == KEY


def test_a_broken_signing_table_concerns_its_own_target_alone() -> None:
    half = '\n[package.metadata.binstall.overrides.x86_64-unknown-linux-musl.signing]\nalgorithm = "minisign"\n'
    with pytest.raises(ManifestError, match="pubkey"):
        candidates('pkg-url = "https://h/x.tgz"' + half, MUSL)
    assert len(candidates('pkg-url = "https://h/x.tgz"' + half, LINUX)) == 1


@pytest.mark.parametrize(
    ("repository", "first", "count"),
    [
        ("https://github.com/o/r", "/releases/download/1.2.3/" + PACKAGE, 300),
        ("https://github.com/o/r.git", "/releases/download/1.2.3/" + PACKAGE, 300),
        ("https://codeberg.org/o/r/", "/releases/download/1.2.3/" + PACKAGE, 300),
        ("https://gitlab.com/o/r", "/-/releases/1.2.3/downloads/binaries/" + PACKAGE, 300),
        ("https://bitbucket.org/o/r", "/downloads/" + PACKAGE, 120),
        ("https://sourceforge.net/o/r", "/files/binaries/1.2.3/" + PACKAGE + "/download", 300),
        ("https://github-evil.example/o/r", "", 0),
        ("https://gitlab-evil.example/o/r", "", 0),
        ("", "", 0),
    ],
)  # fmt: skip
def test_without_a_template_the_hosting_service_says_where_to_look(
    repository: str, first: str, count: int
) -> None:
    found = candidates("", repository=repository)
    assert len(found) == count
    if found:
        base = repository.rstrip("/").removesuffix(".git")
        assert found[0].url == base + first
        assert len({each.url for each in found}) == count
