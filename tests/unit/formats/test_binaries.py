"""Which binaries a package has, and which names they may bear."""

from __future__ import annotations

import pytest

from binstall.errors import ManifestError
from binstall.formats.binaries import name_problem, read_binaries
from binstall.formats.cargo_toml import parse_cargo_toml
from binstall.limits import MAX_BINARIES, MAX_NAME_CHARACTERS

MAIN = "src/main.rs"


def read(toml: str, *files: str) -> dict[str, tuple[str, ...]]:
    document = parse_cargo_toml(toml)
    package = document.table("package")
    assert package is not None
    binaries = read_binaries(document, package, "pack", files)
    assert list(binaries) == sorted(binaries, key=lambda binary: binary.name)
    return {binary.name: binary.required_features for binary in binaries}


PLAIN = "[package]\n"
OFF = "[package]\nautobins = false\n"
PATHLESS = "[[bin]]\nname = 'NAME'\nrequired-features = ['f']\n"


@pytest.mark.parametrize(
    ("toml", "files", "expected"),
    [
        pytest.param(PLAIN, (), {}, id="library"),
        pytest.param(PLAIN, ("src/lib.rs", "main.rs", "src/main.rs/x"), {}, id="other files"),
        pytest.param(PLAIN, (MAIN,), {"pack": ()}, id="main"),
        pytest.param(
            PLAIN,
            (
                MAIN,
                "src/bin/b.rs",
                "src/bin/a/main.rs",
                "src/bin/c/lib.rs",
                "src/bin/d/e/main.rs",
                "src/bin/f.txt",
            ),
            {"a": (), "b": (), "pack": ()},
            id="src/bin",
        ),
        pytest.param(PLAIN, ("src/bin/a.rs", "src/bin/a/main.rs"), {"a": ()}, id="file and folder"),
        pytest.param(PLAIN, ("src/bin/a.b.rs",), {"a.b": ()}, id="dot in a name"),
        pytest.param(PLAIN, ("src/bin/main.rs",), {"main": ()}, id="src/bin/main.rs"),
        pytest.param(
            PLAIN + "[[bin]]\nname = 'x'\npath = 'nowhere.rs'\n",
            (MAIN,),
            {"pack": (), "x": ()},
            id="explicit",
        ),
        pytest.param(
            PLAIN + "[[bin]]\nname = 'x'\npath = 'src/main.rs'\n", (MAIN,), {"x": ()}, id="main has a name"
        ),
        pytest.param(
            PLAIN + "[[bin]]\nname = 'x'\npath = './src\\main.rs'\n",
            (MAIN,),
            {"x": ()},
            id="path of Windows",
        ),
        pytest.param(
            PLAIN + "[[bin]]\nname = 'x'\npath = 'src/bin/a.rs'\n",
            ("src/bin/a.rs",),
            {"x": ()},
            id="bin has a name",
        ),
        pytest.param(
            PLAIN + "[[bin]]\nname = 'a'\npath = 'b.rs'\nrequired-features = ['f']\n",
            ("src/bin/a.rs",),
            {"a": ("f",)},
            id="explicit before inferred",
        ),
        pytest.param(
            PLAIN + PATHLESS.replace("NAME", "pack"), (MAIN,), {"pack": ("f",)}, id="path-less main"
        ),
        pytest.param(
            PLAIN + PATHLESS.replace("NAME", "a"), ("src/bin/a.rs",), {"a": ("f",)}, id="path-less"
        ),
        pytest.param(
            PLAIN + PATHLESS.replace("NAME", "a"),
            (MAIN, "src/bin/b.rs"),
            {"pack": (), "b": ()},
            id="path-less dropped",
        ),
        pytest.param(PLAIN + "[[bin]]\npath = 'src/main.rs'\n", (MAIN,), {"pack": ()}, id="nameless"),
        pytest.param(OFF, (MAIN, "src/bin/a.rs"), {}, id="autobins off"),
        pytest.param(
            OFF + PATHLESS.replace("NAME", "z"), (MAIN,), {"z": ("f",)}, id="autobins off, path-less"
        ),
    ],
)
def test_binaries_are_declared_or_inferred(
    toml: str, files: tuple[str, ...], expected: dict[str, tuple[str, ...]]
) -> None:
    assert read(toml, *files) == expected


BAD_NAMES = [
    "", ".", "..", "../x", "/abs", "a/b", "a\\b", "..\\x", "C:", "C:x", "x:stream",
    "a\0", "a\n", "a\x7f", "\x1b[2J",
    "a\u202eb", "a\u200bb", "\ufeffa", "a\u2028", "con", "NUL", "nul.txt",
    "Com1", "lpt9.x", "aux ", "COM¹", "conin$",
    "trailing.", "trailing ", " leading", "a*", "a?", 'a"', "a<b", "a>b",
    "a|b", "n" * (MAX_NAME_CHARACTERS + 1),
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_is_not_one_plain_component_is_refused(name: str) -> None:
    assert name_problem(name) is not None


@pytest.mark.parametrize(
    "name", ["rg", "cargo-binstall", "a.b", "x_y", "...a", "console", "com", "com10", "é", "a b"]
)
def test_a_plain_name_is_taken(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize(
    ("toml", "files", "problem"),
    [
        pytest.param(
            OFF + '[[bin]]\nname = "../x"', (), "`../x`, which has a path separator", id="declared"
        ),
        pytest.param(
            PLAIN + '[[bin]]\nname = "/x"\npath="x"', (), "`/x`, which has a path separator", id="absolute"
        ),
        pytest.param(
            PLAIN + '[[bin]]\nname = ".."', (), "not a file name", id="even where it would be dropped"
        ),
        pytest.param(PLAIN, ("src/bin/...rs",), "is not a file name", id="inferred"),
        pytest.param(PLAIN, ("src/bin/a\\..\\b.rs",), "has a path separator", id="inferred, of Windows"),
        pytest.param(
            PLAIN + "[[bin]]\nname='a'\npath='x'\n[[bin]]\nname='a'\npath='y'", (), "earlier", id="twice"
        ),
        pytest.param(
            PLAIN + "[[bin]]\nname='a'\n[[bin]]\nname='a'\npath='y'", (), "earlier", id="twice, path-less"
        ),
        pytest.param("bin = 1\n" + PLAIN, (), "expected an array", id="bin"),
        pytest.param(PLAIN + "[[bin]]\nname = 1", (), "expected a string", id="name"),
        pytest.param(PLAIN + "[[bin]]\nname = 'a'\npath = []", (), "expected a string", id="path"),
        pytest.param(
            PLAIN + "[[bin]]\nname='a'\nrequired-features = 'f'", (), "expected an array", id="features"
        ),
        pytest.param("[package]\nautobins = 'no'", (), "expected true or false", id="autobins"),
        pytest.param(PLAIN + "[[bin]]\n" * (MAX_BINARIES + 1), (), "MAX_BINARIES", id="too many"),
        pytest.param(
            PLAIN,
            tuple(f"src/bin/{n}.rs" for n in range(MAX_BINARIES + 1)),
            "MAX_BINARIES",
            id="too many inferred",
        ),
    ],
)
def test_a_bad_declaration_is_an_error(toml: str, files: tuple[str, ...], problem: str) -> None:
    with pytest.raises(ManifestError, match=problem):
        read(toml, *files)
