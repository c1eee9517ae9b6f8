from __future__ import annotations

import subprocess
import sys

import pytest

from binstall.cli.params import expand_greedy


@pytest.mark.parametrize(
    ("words", "expanded"),
    [
        (["--bin", "a", "b", "-y", "c"], ["--bin", "a", "--bin", "b", "-y", "c"]),
        (["c", "--bin", "a"], ["c", "--bin", "a"]),
        (["--bin", "a", "--", "b"], ["--bin", "a", "--", "b"]),
        (["--bin=a", "b"], ["--bin=a", "b"]),
        (["--bin", "a", "--bin", "b", "c"], ["--bin", "a", "--bin", "b", "--bin", "c"]),
        (["--bin"], ["--bin"]),
        ([], []),
    ],
)
def test_a_greedy_option_takes_values_up_to_the_next(words: list[str], expanded: list[str]) -> None:
    assert expand_greedy(words, "--bin") == expanded


def loaded_by(*words: str) -> set[str]:
    program = (
        "import sys\nfrom binstall.cli.app import main\n"
        "try:\n    main(sys.argv[1:])\nfinally:\n    print('\\n'.join(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False
    )
    return set(done.stderr.split())


def test_the_version_loads_little_more_than_click() -> None:
    heavy = {"rich", "nacl", "pyreqwest", "tomlkit", "cryptography", "isal", "pyrage", "json", "tomllib"}
    assert loaded_by("--version") & heavy == set()


def test_an_install_that_fails_early_loads_neither_the_curve_nor_the_screen() -> None:
    loaded = loaded_by("install", "hello", "--targets", "nonsense")
    assert loaded & {"rich", "nacl", "tomlkit", "cryptography", "pyrage"} == set()


@pytest.mark.parametrize(
    ("shell", "word"), [("bash", "complete"), ("zsh", "compdef"), ("fish", "complete")]
)
def test_completions_are_printed_and_answered(shell: str, word: str) -> None:
    run = [sys.executable, "-c", "import sys; from binstall.cli.app import main; sys.exit(main())"]
    script = subprocess.run([*run, "completions", shell], capture_output=True, text=True, check=True)
    assert word in script.stdout
    answer = subprocess.run(
        run,
        env={
            "_BINSTALL_COMPLETE": f"{shell}_complete",
            "COMP_WORDS": "binstall inst",
            "COMP_CWORD": "inst" if shell == "fish" else "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert "install" in answer.stdout
