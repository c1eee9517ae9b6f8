"""Short options, in every way they are written, and without what only a wrong one needs."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from binstall.cli.params import Command, Option


def parsed(*words: str) -> dict[str, object]:
    command = Command(
        "try",
        callback=lambda **options: options,
        params=[
            click.Argument(["rest"], nargs=-1),
            Option(["-q", "--quiet", "quiet"], is_flag=True),
            Option(["-s", "--secret", "secret"]),
        ],
    )
    result = command.main(args=list(words), standalone_mode=False)
    assert isinstance(result, dict)
    return result


@pytest.mark.parametrize(
    "words",
    [
        ["-q", "-s", "key", "a"],
        ["-qskey", "a"],
        ["-qs", "key", "a"],
        ["-skey", "-q", "a"],
        ["--quiet", "--secret=key", "a"],
        ["a", "-s", "key", "-q"],
        ["-q", "-skey", "--", "a"],
    ],
    ids=" ".join,
)
def test_flag_and_value_are_found_however_they_are_written(words: list[str]) -> None:
    assert parsed(*words) == {"rest": ("a",), "quiet": True, "secret": "key"}


@pytest.mark.parametrize("word", ["-x", "--quite", "-qx"])
def test_an_unknown_option_is_an_error(word: str) -> None:
    with pytest.raises(click.NoSuchOption):
        parsed(word)


def test_a_right_option_loads_no_spell_checker() -> None:
    code = (
        "import sys; from binstall.cli.app import main\n"
        "assert main(['verify', '-q', '-P', 'RW', 'a']) == 40\n"
        "assert 'difflib' not in sys.modules\n"
        "assert main(['verify', '--quite']) == 2\n"
        "assert 'difflib' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--quiet" in done.stderr
