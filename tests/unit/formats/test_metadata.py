"""`[package.metadata.binstall]`: merged for one target; and what it says about signing is never lost."""

from __future__ import annotations

import pytest

from binstall.errors import (
    BinstallError,
    LocalManifestError,
    ManifestError,
    TemplateError,
    UnsupportedSignature,
)
from binstall.formats.manifest import CliOverrides, Manifest, PackageMeta, parse_manifest
from binstall.formats.package_format import PackageFormat
from binstall.formats.target import parse_target
from binstall.limits import MAX_MANIFEST_WARNINGS, MAX_METADATA_KEYS

PACKAGE = "[package]\nname = 'pack'\nversion = '1.2.3'\n"
NOTHING = CliOverrides()
LINUX, MUSL, MAC, WINDOWS = (
    "x86_64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
)
GOOD = "algorithm = 'minisign'\npubkey = 'RWkey'\n"


def manifest(toml: str, *, error: type[ManifestError] = ManifestError) -> Manifest:
    """Read a manifest in which `B` stands for `package.metadata.binstall`, `O` for its overrides."""
    text = toml.replace("[B", "[package.metadata.binstall").replace("O.", "overrides.")
    return parse_manifest(PACKAGE + text, ("src/main.rs",), what="Cargo.toml of pack", error=error)


def meta(toml: str, target: str = LINUX, *, cli: CliOverrides = NOTHING, skip: bool = False) -> PackageMeta:
    return manifest(toml).for_target(parse_target(target), cli, skip_signatures=skip)


LAYERED = """
[B]
pkg-url = "base"
pkg-fmt = "tgz"
bin-dir = "base-{ bin }"
disabled-strategies = ["compile"]
[B.O.'cfg(unix)']
pkg-url = "unix"
pkg-fmt = "txz"
[B.O.'cfg(target_os = "linux")']
pkg-url = "linux"
bin-dir = "linux"
disabled-strategies = ["quick-install"]
[B.O.x86_64-unknown-linux-musl]
pkg-url = "musl"
"""


@pytest.mark.parametrize(
    ("target", "url", "fmt", "folder", "disabled"),
    [
        (WINDOWS, "base", "tgz", "base-{ bin }", {"compile"}),
        (MAC, "unix", "txz", "base-{ bin }", {"compile"}),
        (LINUX, "unix", "txz", "linux", {"compile", "quick-install"}),
        (MUSL, "musl", "txz", "linux", {"compile", "quick-install"}),
    ],
)
def test_each_key_comes_from_the_first_layer_that_has_it(
    target: str, url: str, fmt: str, folder: str, disabled: set[str]
) -> None:
    merged = meta(LAYERED, target)
    assert merged.pkg_url is not None
    assert merged.bin_dir is not None
    assert (merged.pkg_url.text, merged.pkg_fmt, merged.bin_dir.text) == (url, fmt, folder)
    assert merged.disabled_strategies == disabled
    assert not merged.declares_signature
    assert merged.warnings == ()


def test_the_command_line_is_the_highest_layer() -> None:
    cli = CliOverrides(pkg_url="cli-{ name }", pkg_fmt=PackageFormat.ZIP, bin_dir="")
    merged = meta(LAYERED, MUSL, cli=cli)
    assert merged.pkg_url is not None
    assert merged.bin_dir is not None
    assert (merged.pkg_url.text, merged.pkg_fmt, merged.bin_dir.text) == (
        "cli-{ name }",
        PackageFormat.ZIP,
        "",
    )


def test_a_package_without_metadata_has_none() -> None:
    merged = meta("")
    assert (merged.pkg_url, merged.pkg_fmt, merged.bin_dir, merged.signing) == (None, None, None, None)
    assert not manifest("").declares_signature


def test_a_complete_signing_table_is_taken() -> None:
    text = f"[B.signing]\n{GOOD}file = '{{ url }}.minisig'\ngroup = 'g'\nrelease = '1.2.3'\nx-note = 1\n"
    merged = meta(text, cli=CliOverrides(pkg_url="elsewhere"))
    assert merged.signing is not None
    assert merged.signing.file is not None
    assert merged.signing.file.text == "{ url }.minisig"
    assert (merged.signing.algorithm, merged.signing.pubkey) == ("minisign", "RWkey")
    assert (merged.signing.group, merged.signing.release) == ("g", "1.2.3")
    assert merged.declares_signature
    assert manifest(text).declares_signature


def test_signing_is_replaced_as_a_whole() -> None:
    text = (
        "[B.signing]\nalgorithm = 'minisign'\npubkey = 'base'\nfile = 'base'\n"
        "[B.O.'cfg(unix)'.signing]\nalgorithm = 'minisign'\npubkey = 'unix'\n"
    )
    unix, windows = meta(text).signing, meta(text, WINDOWS).signing
    assert unix is not None
    assert windows is not None
    assert (unix.pubkey, unix.file) == ("unix", None)
    assert windows.pubkey == "base"


@pytest.mark.parametrize("word", ["x-signing", "x-signature", "x-sign", "x-pubkey"])
def test_private_keys_are_ignored_at_every_level(word: str) -> None:
    text = (
        f"[package.metadata.{word}.signing]\na=1\n[package.metadata.x-binstall.signing]\na=1\n"
        f"[B.{word}]\nsigning = 1\n[B.O.{word}]\nsigning = 1\n[B.O.{LINUX}.{word}]\nsigning = 1\n"
        f"[B.signing]\n{GOOD}{word} = 1\n"
    )
    merged = meta(text)
    assert merged.signing is not None
    assert merged.warnings == ()
    assert manifest(text).warnings == ()


NEAR_MISSES = [
    "signature", "sign", "signed", "signings", "Signing", "SIGNING", "signing_key", "'signing-key'",
    "sining",
    "siginng", "sig", "signer", "minisign", "package-signing",
]  # fmt: skip


@pytest.mark.parametrize("level", ["B", f"B.O.{LINUX}", f"B.O.{WINDOWS}", "B.O.'cfg(windows)'"])
@pytest.mark.parametrize("word", NEAR_MISSES)
def test_a_near_miss_of_signing_is_an_error_at_every_level(word: str, level: str) -> None:
    with pytest.raises(ManifestError, match="`signing` was probably meant") as caught:
        manifest(f"[{level}.{word}]\n{GOOD}")
    assert word.strip("'") in caught.value.message
    assert caught.value.exit_code == 76


@pytest.mark.parametrize("word", ["signature", "Signatures", "signatures_", "signed"])
def test_a_near_miss_of_signatures_is_an_error(word: str) -> None:
    with pytest.raises(ManifestError, match="`signatures` was probably meant"):
        manifest(f"[[B.{word}]]\nalgorithm = 'sigstore'\n")


@pytest.mark.parametrize(
    "key", ["pubkey = 'RW'", "pub-key = 'RW'", "algorithm = 'minisign'", "signing-file = 'x'"]
)
def test_a_key_of_signing_one_level_too_high_is_an_error(key: str) -> None:
    with pytest.raises(ManifestError, match="`signing` was probably meant"):
        manifest(f"[B]\n{key}\n")


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ("package.metadata.binstal.signing", "package.metadata.binstal"),
        ("package.metadata.Binstall.signing", "package.metadata.Binstall"),
        ("package.metadata.bin-stall.signing", "package.metadata.bin-stall"),
        ("package.metadata.cargo-binstall.signing", "package.metadata.cargo-binstall"),
        ("package.metadata.binstalls.overrides.x.signature", "package.metadata.binstalls"),
        ("package.metadata.signing", "package.metadata.signing"),
        ("package.binstall.signing", "package.binstall"),
        ("metadata.binstall.signing", "metadata.binstall"),
        ("binstall.signing", "binstall"),
        (f"package.metadata.binstall.{LINUX}.signing", f"package.metadata.binstall.{LINUX}"),
        ("package.metadata.binstall.override.x.signing", "package.metadata.binstall.override"),
        ("package.metadata.binstall.targets.x.signing", "package.metadata.binstall.targets"),
        ("package.metadata.binstall.overrides.signing", "package.metadata.binstall.overrides.signing"),
        ("package.metadata.binstall.overrides.pubkey", "package.metadata.binstall.overrides.pubkey"),
    ],
)
def test_a_signing_table_where_nobody_looks_is_an_error(table: str, found: str) -> None:
    with pytest.raises(ManifestError) as caught:
        manifest(f"[{table}]\n{GOOD}")
    assert f"`{found}`" in caught.value.message


def test_other_tools_tables_are_their_own_affair() -> None:
    text = "[package.metadata.deb]\nsigning = {}\n[package.metadata.signing]\nalgorithm = []\n"
    assert manifest(text + "[package.metadata.binstal]\na = 1\n").warnings == ()


@pytest.mark.parametrize(
    ("key", "guess"),
    [
        ("pub-key", "`pubkey` was probably meant"),
        ("publickey", "`pubkey` was probably meant"),
        ("Algorithm", "`algorithm` was probably meant"),
        ("flie", "`file` was probably meant"),
        ("threshold", "known are algorithm, file, group, pubkey, release"),
    ],
)
@pytest.mark.parametrize("level", ["B", f"B.O.{WINDOWS}"])
def test_an_unknown_key_inside_signing_is_an_error(key: str, guess: str, level: str) -> None:
    with pytest.raises(ManifestError, match=guess):
        manifest(f"[{level}.signing]\n{GOOD}{key} = 'x'\n")


INCOMPLETE = [
    pytest.param("algorithm = 'minisign'", "has no `pubkey`", id="no pubkey"),
    pytest.param("pubkey = 'RW'", "has no `algorithm`", id="no algorithm"),
    pytest.param("", "has no `algorithm`", id="empty"),
    pytest.param("algorithm = 'Minisign'\npubkey = 'RW'", "`Minisign`, which is not known", id="case"),
    pytest.param("algorithm = 'sigstore'\npubkey = 'RW'", "`sigstore`, which is not known", id="unknown"),
]


@pytest.mark.parametrize(("table", "problem"), INCOMPLETE)
@pytest.mark.parametrize("level", ["B", f"B.O.{LINUX}", "B.O.'cfg(unix)'"])
@pytest.mark.parametrize(("error", "code"), [(ManifestError, 76), (LocalManifestError, 99)])
def test_a_useless_signing_table_is_an_error_for_its_target(
    table: str, problem: str, level: str, error: type[ManifestError], code: int
) -> None:
    read = manifest(f"[{level}.signing]\n{table}\n", error=error)
    assert read.declares_signature
    with pytest.raises(error, match=problem) as caught:
        read.for_target(parse_target(LINUX), NOTHING, skip_signatures=False)
    assert (caught.value.exit_code, type(caught.value)) == (code, error)
    assert LINUX in caught.value.message


@pytest.mark.parametrize(("table", "problem"), INCOMPLETE)
def test_a_useless_signing_table_of_another_target_is_a_warning(table: str, problem: str) -> None:
    text = f"[B.signing]\n{GOOD}[B.O.{WINDOWS}.signing]\n{table}\n"
    merged = meta(text)
    assert merged.signing is not None
    assert merged.signing.pubkey == "RWkey"
    (warning,) = merged.warnings
    assert problem in warning
    with pytest.raises(ManifestError, match=problem):
        meta(text, WINDOWS)


@pytest.mark.parametrize(("table", "problem"), INCOMPLETE)
def test_a_useless_signing_table_is_let_pass_loudly_where_signatures_are_skipped(
    table: str, problem: str
) -> None:
    merged = meta(f"[B.signing]\n{table}\n", skip=True)
    assert merged.signing is None
    assert merged.declares_signature
    (warning,) = merged.warnings
    assert problem in warning
    assert "because signatures are skipped" in warning


@pytest.mark.parametrize("level", ["B", f"B.O.{LINUX}", "B.O.'cfg(unix)'"])
@pytest.mark.parametrize("beside", ["", f"[B.signing]\n{GOOD}"])
def test_signatures_that_apply_are_unsupported(level: str, beside: str) -> None:
    text = f"{beside}[[{level}.signatures]]\nalgorithm = 'sigstore'\nanything = [1]\n"
    assert manifest(text).declares_signature
    with pytest.raises(UnsupportedSignature, match=f"applies to {LINUX}") as caught:
        meta(text)
    assert caught.value.exit_code == 41
    assert caught.value.hint is not None
    assert "newer version" in caught.value.hint
    skipped = meta(text, skip=True)
    assert skipped.declares_signature
    assert "because signatures are skipped" in skipped.warnings[0]


def test_signatures_of_another_target_are_not_asked_for() -> None:
    text = f"[[B.O.{WINDOWS}.signatures]]\nalgorithm = 'sigstore'\n"
    assert not meta(text).declares_signature
    assert manifest(text).declares_signature


def test_an_override_replaces_the_list_of_signatures() -> None:
    text = f"[[B.signatures]]\nalgorithm = 'sigstore'\n[B.O.{LINUX}]\nsignatures = []\n"
    assert not meta(text).declares_signature
    with pytest.raises(UnsupportedSignature):
        meta(text, MAC)


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ("[B]\npkg-url = 1", "`package.metadata.binstall.pkg-url` is a number, expected a string"),
        ("[B]\npkg-fmt = 'rar'", "is `rar`, expected one of tar, tbz2, tgz, txz, tzstd, zip, bin"),
        ("[B]\npkg-fmt = 'TGZ'", "is `TGZ`, expected one of"),
        ("[B]\nbin-dir = ['a']", "is an array, expected a string"),
        ("[B]\ndisabled-strategies = 'compile'", "is a string, expected an array"),
        ("[B]\ndisabled-strategies = ['compiler']", "names `compiler`, expected some of"),
        ("[B]\noverrides = []", "is an array, expected a table"),
        ("[B]\nsigning = 'RW'", "is a string, expected a table"),
        ("[[B.signing]]\n" + GOOD, "is an array, expected a table"),
        ("[B.signing]\nalgorithm = 1\npubkey = 'RW'", "is a number, expected a string"),
        ("[B.signing]\nalgorithm = 'minisign'\npubkey = ['RW']", "is an array, expected a string"),
        ("[B.signatures]\nalgorithm = 'sigstore'", "is a table, expected an array"),
        ("[B]\nsignatures = ['x']", "holds a string, expected tables"),
        (f"[B.O]\n{WINDOWS} = 1", "is a number, expected a table"),
        (f"[B.O.{WINDOWS}]\npkg-fmt = 'rar'", "is `rar`, expected one of"),
        (f"[B.O.{WINDOWS}.signing]\npubkey = 1", "is a number, expected a string"),
        ("[B.O.'cfg(unix']", "is neither a target triple nor"),
        ("[B.O.'cfg(unix windows)']", "is not a cfg"),
        ("[B.O.'a b']", "is neither a target triple nor"),
        ("[package.metadata]\nbinstall = 'yes'", "is a string, expected a table"),
        ("".join(f"[package.metadata.k{n}]\n" for n in range(MAX_METADATA_KEYS + 1)), "MAX_METADATA_KEYS"),
        ("".join(f"[k{n}]\n" for n in range(MAX_METADATA_KEYS + 1)), "the document has more than"),
        ("[B]\npkg-url = '" + "a" * 5000 + "'", "MAX_TEMPLATE_CHARACTERS"),
        ("[B.signing]\npubkey = '" + "a" * 5000 + "'", "MAX_METADATA_STRING_CHARACTERS"),
        ("[B]\n" + "".join(f"k{n} = 1\n" for n in range(MAX_METADATA_KEYS + 1)), "MAX_METADATA_KEYS"),
        ("[B.O]\n" + "".join(f"k{n} = {{}}\n" for n in range(MAX_METADATA_KEYS + 1)), "MAX_METADATA_KEYS"),
        (
            "[B.signing]\n" + "".join(f"x{n} = 1\n" for n in range(MAX_METADATA_KEYS + 1)),
            "MAX_METADATA_KEYS",
        ),
    ],
)
def test_a_malformed_known_key_invalidates_the_whole_manifest(toml: str, problem: str) -> None:
    text = toml.replace("[B.O]", "[B.overrides]")
    with pytest.raises(LocalManifestError) as caught:
        manifest(text, error=LocalManifestError)
    assert problem in caught.value.message
    assert caught.value.message.startswith(("Cargo.toml of pack: ",))
    assert len(caught.value.message) < 400


def test_keys_without_effect_are_told_with_their_place() -> None:
    text = (
        f"[B]\npkg_url = 'x'\nnews = 1\n[B.O.{LINUX}]\noverrides = {{}}\n"
        "[B.O.mq-dbg]\npkg-url = '{ disabled }'\n"
    )
    assert manifest(text).warnings == (
        "Cargo.toml of pack: `package.metadata.binstall.pkg_url` is not a known key and has no effect;"
        " `pkg-url` was probably meant",
        "Cargo.toml of pack: `package.metadata.binstall.news` is not a known key and has no effect",
        f"Cargo.toml of pack: `package.metadata.binstall.overrides.{LINUX}.overrides` is not a known key"
        " and has no effect",
        "Cargo.toml of pack: `package.metadata.binstall.overrides.mq-dbg` is not a known target triple,"
        " so it never applies",
    )
    assert meta(text).pkg_url is None


def test_a_fact_that_never_holds_is_told() -> None:
    (warning,) = manifest("[B.O.'cfg(target_pointer_width = \"64\")']\npkg-fmt = 'zip'\n").warnings
    assert "asks about `target_pointer_width`, which is never known here" in warning


def test_the_number_of_warnings_is_bounded() -> None:
    warnings = manifest("[B]\n" + "".join(f"key{n} = 1\n" for n in range(200))).warnings
    assert len(warnings) == MAX_MANIFEST_WARNINGS
    assert warnings[-1] == f"Cargo.toml of pack: {200 - MAX_MANIFEST_WARNINGS + 1} more keys have no effect"


@pytest.mark.parametrize("key", ["pkg-url", "bin-dir"])
def test_a_bad_template_of_another_target_does_no_harm(key: str) -> None:
    text = (
        f"[B]\n{key} = 'good'\n[B.O.{WINDOWS}]\n{key} = '{{'\n"
        f"[B.O.'cfg(windows)'.signing]\n{GOOD}file = '}}'\n"
    )
    assert meta(text).signing is None
    with pytest.raises(TemplateError):
        meta(text, WINDOWS)


def test_a_bad_signature_template_matters_unless_signatures_are_skipped() -> None:
    text = f"[B.signing]\n{GOOD}file = '{{ url'\n"
    with pytest.raises(TemplateError):
        meta(text)
    skipped = meta(text, skip=True)
    assert (skipped.signing, skipped.declares_signature) == (None, True)
    assert "because signatures are skipped" in skipped.warnings[0]


def test_a_good_signing_table_is_still_there_where_signatures_are_skipped() -> None:
    merged = meta(f"[B.signing]\n{GOOD}", skip=True)
    assert merged.signing is not None
    assert merged.warnings == ()


def test_a_bad_template_on_the_command_line_is_a_template_error() -> None:
    with pytest.raises(BinstallError) as caught:
        meta("", cli=CliOverrides(pkg_url="{ }"))
    assert type(caught.value) is TemplateError
