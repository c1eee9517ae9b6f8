"""The signing section goes in and out of a manifest, and nothing else moves."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import LocalIOError, LocalManifestError, TemplateError
from binstall.publish.stamp import (
    FILE_KEYS,
    SigningSection,
    check_file_template,
    manifest_file,
    remove,
    remove_from_file,
    signing_overrides,
    stamp,
    stamp_file,
)
from binstall.publish.toml_statements import statements

KEY = "RWRnmBcLmQbXVcEPWo2OOKMI36kki4GiI7gcBgIaPLwvxe14Wtxm9acX"
SECTION = SigningSection(KEY, release="1.2.3")
MANIFESTS = sorted((Path(__file__).parents[2] / "vectors" / "manifests").glob("*/Cargo.toml"))
BLOCK = (
    f'[package.metadata.binstall.signing]\nalgorithm = "minisign"\npubkey = "{KEY}"\nrelease = "1.2.3"\n'
)
PLAIN = '[package]\nname = "a" # the name\n\n# what we need\n[dependencies]\nserde = "1"\n'


def section_of(text: str) -> Any:
    document = tomllib.loads(text.removeprefix("\ufeff"))
    package = document.get("package") or document.get("project") or {}
    return package.get("metadata", {}).get("binstall", {}).get("signing")


def rest_of(text: str) -> str:
    """Everything but the section and the tables that it alone fills, types included."""
    document = tomllib.loads(text.removeprefix("\ufeff"))
    root = "package" if "package" in document else "project"
    tables = [document]
    for key in (root, "metadata", "binstall"):
        if key not in tables[-1]:
            break
        tables.append(tables[-1][key])
    else:
        tables[-1].pop("signing", None)
    for table, key in reversed(list(zip(tables, (root, "metadata", "binstall"), strict=False))):
        if table.get(key) == {}:
            del table[key]
    return repr(in_order(document))


def in_order(value: Any) -> Any:
    """Dotted keys and headers may make tables in another order; the text's order is tested as text."""
    return {key: in_order(value[key]) for key in sorted(value)} if isinstance(value, dict) else value


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            PLAIN,
            PLAIN.replace("# what we", f"{BLOCK}\n# what we"),
            id="below the package, not its neighbour",
        ),
        pytest.param(
            '[package]\nname = "a"',
            f'[package]\nname = "a"\n\n{BLOCK}',
            id="no line end at the end of the file",
        ),
        pytest.param(
            '[package]\nname = "a"\n[package.metadata.binstall]\npkg-url = "x"\n# about it\n\n[lib]\n',
            f'[package]\nname = "a"\n[package.metadata.binstall]\npkg-url = "x"\n# about it\n\n{BLOCK}\n[lib]\n',
            id="below the binstall table and the note about it",
        ),
        pytest.param(
            '[package]\nname = "a"\n[package.metadata.binstall.overrides.x]\nbin-dir = "b"\n[lib]\n',
            f'[package]\nname = "a"\n[package.metadata.binstall.overrides.x]\nbin-dir = "b"\n\n{BLOCK}\n[lib]\n',
            id="below the last override",
        ),
        pytest.param(
            '[lib]\n\n[package]\nname = "a"\n[x]\n[package.metadata.binstall]\nbin-dir = "b"\n',
            f'[lib]\n\n[package]\nname = "a"\n[x]\n[package.metadata.binstall]\nbin-dir = "b"\n\n{BLOCK}',
            id="tables out of order",
        ),
        pytest.param(
            '[package]\r\nname = "a"\r\n\r\n[lib]\r\n',
            f'[package]\nname = "a"\n\n{BLOCK}\n[lib]\n'.replace("\n", "\r\n"),
            id="CRLF",
        ),
        pytest.param(
            '\ufeff[package]\nname = "a"\n', f'\ufeff[package]\nname = "a"\n\n{BLOCK}', id="byte order mark"
        ),
        pytest.param(
            '[project]\nname = "a"\n',
            f'[project]\nname = "a"\n\n{BLOCK}'.replace("[package.", "[project."),
            id="[project], as it was once called",
        ),
        pytest.param(
            '[package]\nname = "a"\nmetadata.binstall.bin-dir = "b"\n',
            f'[package]\nname = "a"\nmetadata.binstall.bin-dir = "b"\n\n{BLOCK}',
            id="dotted keys",
        ),
        pytest.param(
            '[package]\nname = "a"\nmetadata.binstall = { bin-dir = "b" } # short\n',
            f'[package]\nname = "a"\nmetadata.binstall = {{ bin-dir = "b", signing = {{algorithm = "minisign", '
            f'pubkey = "{KEY}", release = "1.2.3"}}}} # short\n',
            id="an inline table",
        ),
        pytest.param(
            '[package]\nname = "a"\ndescription = """\n[package.metadata.binstall]\n# x = "\n"""\n[lib]\n',
            '[package]\nname = "a"\ndescription = """\n[package.metadata.binstall]\n# x = "\n"""\n\n'
            f"{BLOCK}\n[lib]\n",
            id="what looks like a table is text",
        ),
    ],
)
def test_a_new_section_stands_where_it_belongs_and_comes_out_again(before: str, after: str) -> None:
    assert stamp(before, SECTION) == after
    assert section_of(after) == {"algorithm": "minisign", "pubkey": KEY, "release": "1.2.3"}
    removed = remove(after)
    assert rest_of(removed) == rest_of(before) and section_of(removed) is None
    assert [line for line in removed.splitlines() if line] == [line for line in before.splitlines() if line]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            '[package]\nname = "a"\n[package.metadata.binstall.signing] # ours\npubkey   =  "OLD"   # the key\n'
            'algorithm = "minisign"\nx-note = 1\nfile = "{ url }.minisig"\n# end\n\n# about lib\n[lib]\n',
            f'[package]\nname = "a"\n[package.metadata.binstall.signing] # ours\npubkey   =  "{KEY}"   # the key\n'
            'algorithm = "minisign"\nx-note = 1\nfile = "{ url }.minisig"\nrelease = "1.2.3"\n# end\n\n'
            "# about lib\n[lib]\n",
            id="a table with comments, other keys and its own order",
        ),
        pytest.param(
            '[package]\nname = "a"\n[package.metadata.binstall]\n  signing.pubkey = """OLD\nKEY""" # c\n',
            f'[package]\nname = "a"\n[package.metadata.binstall]\n  signing.pubkey = "{KEY}" # c\n'
            '  signing.algorithm = "minisign"\n  signing.release = "1.2.3"\n',
            id="dotted keys, indented, the key on two lines, half-filled",
        ),
        pytest.param(
            'package.name = "a"\npackage.metadata.binstall.signing.release = "1.0.0"\nworkspace.members = []\n',
            'package.name = "a"\npackage.metadata.binstall.signing.release = "1.2.3"\n'
            'package.metadata.binstall.signing.algorithm = "minisign"\n'
            f'package.metadata.binstall.signing.pubkey = "{KEY}"\nworkspace.members = []\n',
            id="dotted keys at the top",
        ),
        pytest.param(
            '[package]\nname = "a"\n[package.metadata]\nbinstall.signing = { pubkey = "OLD" } # c\n',
            '[package]\nname = "a"\n[package.metadata]\nbinstall.signing = {pubkey = "'
            f'{KEY}", algorithm = "minisign", release = "1.2.3"}} # c\n',
            id="an inline table",
        ),
        pytest.param(
            '[package]\nname = "a"\n[package.metadata.binstall.signing]\n\n[lib]\n',
            f'[package]\nname = "a"\n{BLOCK}\n[lib]\n',
            id="an empty table",
        ),
        pytest.param(
            '[package]\r\nname = "a"\r\n[package.metadata.binstall.signing]\r\npubkey = "OLD"',
            f'[package]\r\nname = "a"\r\n[package.metadata.binstall.signing]\r\npubkey = "{KEY}"\r\n'
            'algorithm = "minisign"\r\nrelease = "1.2.3"\r\n',
            id="CRLF without a line end at the end",
        ),
    ],
)
def test_a_section_that_is_there_keeps_its_looks(before: str, after: str) -> None:
    assert stamp(before, SECTION) == after
    assert rest_of(after) == rest_of(before)
    assert stamp(after, SECTION) is after


def test_a_key_that_stays_takes_the_release_out() -> None:
    text = stamp(stamp(PLAIN, SECTION), SigningSection(KEY))
    assert section_of(text) == {"algorithm": "minisign", "pubkey": KEY}
    assert remove(text) == PLAIN


def test_the_file_template_is_kept_or_replaced() -> None:
    text = stamp(PLAIN, SigningSection(KEY, file="{ url }.minisig"))
    assert section_of(stamp(text, SECTION))["file"] == "{ url }.minisig"
    assert section_of(stamp(text, SigningSection(KEY, file="{ url }.s")))["file"] == "{ url }.s"


def test_the_text_that_is_shown_is_the_text_that_is_written() -> None:
    assert stamp(PLAIN, SECTION).count(SECTION.text) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("[workspace]\n", r"has no \[package\]", id="a mere workspace"),
        pytest.param("[package\n", "not valid TOML", id="no TOML"),
        pytest.param("[package]\nmetadata = 1\n", "expected a table", id="no table"),
        pytest.param(
            '[package]\n[package.metadata.binstall]\nsigning = "x"\n', "expected a table", id="a string"
        ),
        pytest.param(
            '[package]\n[package.metadata.binstall.signing]\npublic-key = "x"\n',
            "`pubkey` was probably meant",
            id="a key that nobody reads",
        ),
        pytest.param(
            '[package]\n[package.metadata.binstall]\nsigninng = { pubkey = "x" }\n',
            "`signing` was probably meant",
            id="a misspelled section beside the new one",
        ),
        pytest.param("[package]\n[project]\n", "has both", id="two packages"),
    ],
)
def test_what_installers_would_not_read_is_not_written(text: str, words: str) -> None:
    with pytest.raises(LocalManifestError, match=words):
        stamp(text, SECTION)


def test_a_template_that_never_has_a_value_is_refused() -> None:
    for template in ("{ url", "{ bin }", "{ Name }"):
        with pytest.raises(TemplateError):
            stamp(PLAIN, SigningSection(KEY, file=template))
    check_file_template("".join(f"{{ {key} }}" for key in FILE_KEYS))


def test_an_override_with_a_section_of_its_own_is_named() -> None:
    text = '[package]\n[package.metadata.binstall.overrides."cfg(unix)".signing]\npubkey = "x"\n'
    assert signing_overrides(text) == ("cfg(unix)",)
    assert signing_overrides(PLAIN) == ()


def test_a_link_stays_a_link_and_the_mode_is_kept(tmp_path: Path) -> None:
    path, link = tmp_path / "real.toml", tmp_path / "Cargo.toml"
    path.write_text(PLAIN)
    path.chmod(0o640)
    link.symlink_to("real.toml")
    assert stamp_file(link, SECTION) is True
    assert stamp_file(link, SECTION) is False
    assert link.is_symlink() and path.read_text() == stamp(PLAIN, SECTION)
    assert path.stat().st_mode & 0o777 == 0o640
    assert remove_from_file(link) is True and remove_from_file(link) is False
    assert path.read_text() == PLAIN
    assert sorted(os.listdir(tmp_path)) == ["Cargo.toml", "real.toml"]


def test_a_manifest_that_somebody_else_has_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "Cargo.toml"
    path.write_text("[package]\n")
    with pytest.raises(LocalManifestError, match="changed by somebody else"):
        manifest_file(path, PLAIN, stamp(PLAIN, SECTION))


def test_an_unreadable_manifest_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(LocalManifestError, match="No such file"):
        stamp_file(tmp_path / "Cargo.toml", SECTION)
    (tmp_path / "Cargo.toml").write_bytes(b"[package]\nname = '\xff'\n")
    with pytest.raises(LocalManifestError, match="not UTF-8"):
        stamp_file(tmp_path / "Cargo.toml", SECTION)


def test_a_read_only_folder_is_an_error_and_the_manifest_stays(plain_user_folder: Path) -> None:
    path = plain_user_folder / "Cargo.toml"
    path.write_text(PLAIN)
    plain_user_folder.chmod(0o500)
    try:
        with pytest.raises(LocalIOError):
            stamp_file(path, SECTION)
        assert path.read_text() == PLAIN
    finally:
        plain_user_folder.chmod(0o700)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.parent.name)
def test_the_manifests_of_well_known_crates_gain_lines_and_lose_none(path: Path) -> None:
    text = path.read_bytes().decode()
    stamped = stamp(text, SECTION)
    before, after = text.splitlines(), stamped.splitlines()
    if section_of(text) is None:
        at = next(at for at in range(len(after)) if at >= len(before) or after[at] != before[at])
        assert before[at:] == after[at + len(after) - len(before) :]
        assert remove(stamped) == text
    else:
        assert len(after) - len(before) in {0, 1}
    assert rest_of(stamped) == rest_of(text)


PIECES = [
    "[package]\n",
    'name = "a"\n',
    "[package.metadata.binstall]\n",
    "[package.metadata.binstall.signing]\n",
    "[package.metadata.binstall.overrides.x86_64-apple-darwin]\n",
    "[package . \"metadata\" . 'binstall'.signing]\n",
    "[[package.metadata.binstall.signatures]]\n",
    "[package.metadata]\n",
    "[dependencies]\n",
    "[[bin]]\n",
    'pubkey = "OLD" # "x\n',
    'algorithm = "minisign"\n',
    'release = """\n1.0\\\n.0"""\n',
    "signing = { algorithm = 'minisign', pubkey = 'OLD' }\n",
    "signing.pubkey = 'OLD'\n",
    "binstall = { pkg-url = '{ url }' }\n",
    'metadata.binstall.signing."pubkey" = "OLD"\n',
    "x-a = [ # [package]\n  1,\n  [2, 3], { b = nan }\n]\n",
    "d = 1979-05-27T07:32:00Z\n",
    "text = '''\n[package.metadata.binstall.signing]\n'''\n",
    'quote = """""""" # five\n',
    "# a note\n",
    "\n",
    "\r\n",
]


INLINE = re.compile(r"(?:package|metadata|binstall)['\"]?\s*=\s*\{")
"""Around these the blanks of the one line may change."""


@st.composite
def built(draw: st.DrawFn) -> str:
    pieces = draw(st.lists(st.sampled_from(PIECES), max_size=12))
    text = "[package]\n" * draw(st.booleans()) + "".join(pieces)
    if draw(st.booleans()):
        text = text.replace("\r\n", "\n").replace("\n", "\r\n")
    return text.rstrip("\n") if draw(st.booleans()) else text


@st.composite
def mutated(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(MANIFESTS)).read_bytes().decode()[: draw(st.integers(200, 4000))]
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        text = (
            text[:start]
            + draw(st.sampled_from([*PIECES, "", '"', "\n", "[", "'''", "\ufeff"]))
            + text[end:]
        )
    return text


def same(one: str, other: str) -> int:
    """How many characters from the start are the same."""
    return next(
        (at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
        min(len(one), len(other)),
    )


def in_and_out(text: str) -> None:
    """Stamp and remove; whatever comes out says what went in, or the one error is raised."""
    try:
        stamped = stamp(text, SECTION)
    except (LocalManifestError, TemplateError):
        return
    old = section_of(text) or {}
    kept = {key: value for key, value in old.items() if key not in {"algorithm", "pubkey", "release"}}
    assert section_of(stamped) == kept | {"algorithm": "minisign", "pubkey": KEY, "release": "1.2.3"}
    assert rest_of(stamped) == rest_of(text)
    if not old and "signing" not in text and not INLINE.search(text):
        assert same(text, stamped) + same(text[::-1], stamped[::-1]) >= len(text), "one insertion, no more"
    removed = remove(stamped)
    assert section_of(removed) is None
    assert rest_of(removed) == rest_of(text)


@settings(max_examples=1000, deadline=None)
@given(built())
def test_whatever_is_built_of_toml_keeps_all_else(text: str) -> None:
    in_and_out(text)


@settings(max_examples=1000, deadline=None)
@given(mutated())
def test_mutated_manifests_keep_all_else_or_are_refused(text: str) -> None:
    in_and_out(text)


@settings(max_examples=1000, deadline=None)
@given(built())
def test_the_statements_of_a_text_are_the_text(text: str) -> None:
    try:
        tomllib.loads(text)
    except ValueError:
        return
    assert "".join(part.text for part in statements(text)) == text
