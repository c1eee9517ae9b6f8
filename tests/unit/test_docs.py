"""The documents say what the code does."""

from __future__ import annotations

import ast
import json
import re
import shlex
from pathlib import Path

import click
import pytest

import binstall.errors
from binstall import limits
from binstall.cli.app import cli
from binstall.cli.cargo_binstall import command as cargo_binstall
from binstall.cli.params import SHORT_HELP_LINES
from binstall.errors import BinstallError

REPOSITORY = Path(__file__).parent.parent.parent
DOCS = REPOSITORY / "docs"


def every_error() -> list[type[BinstallError]]:
    found = [BinstallError]
    for each in found:
        found += each.__subclasses__()
    return [each for each in found if each.__module__ == "binstall.errors"]


def test_every_exit_code_is_documented_and_every_documented_one_is_known() -> None:
    table = re.findall(r"^\| (\d+) \|", (DOCS / "exit-codes.md").read_text(), re.MULTILINE)
    documented = {int(code) for code in table}
    assert len(table) == len(documented)
    raised = {error.exit_code for error in every_error()}
    assert raised - documented == set()
    assert documented - raised <= {0, 17, 70, 98}, "codes without a class of their own"


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    drawn = re.findall(r"^[ │├└─]*(\w+) +(\d+)?  ", binstall.errors.__doc__ or "", re.MULTILINE)
    codes = {name: int(code) for name, code in drawn if code}
    known = {error.__name__: error.exit_code for error in every_error()}
    assert {name for name, _ in drawn} == set(known)
    assert all(known[name] == code for name, code in codes.items())


def test_every_bound_is_documented_with_its_value() -> None:
    rows = dict(
        re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \|", (DOCS / "limits.md").read_text(), re.MULTILINE)
    )
    values = {
        name: value
        for name, value in vars(limits).items()
        if name.isupper() and name not in {"KIB", "MIB", "GIB"}
    }
    assert set(rows) == set(values)
    for name, text in rows.items():
        number, _, unit = text.strip().partition(" ")
        factor = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}.get(unit.split(" ")[0], 1)
        assert float(number.replace(",", "")) * factor == values[name], name


def every_command() -> dict[str, click.Command]:
    found: dict[str, click.Command] = {"cargo-binstall": cargo_binstall}
    with click.Context(cli) as context:
        for name in cli.list_commands(context):
            command = cli.get_command(context, name)
            assert command is not None
            found[f"binstall {name}"] = command
            if isinstance(command, click.Group):
                for inner in command.list_commands(context):
                    sub = command.get_command(context, inner)
                    assert sub is not None
                    found[f"binstall {name} {inner}"] = sub
    return found


def help_of(name: str, command: click.Command, *, short: bool) -> str:
    context = click.Context(command, info_name=name)
    context.meta["binstall.short_help"] = short
    with context:
        return command.get_help(context)


@pytest.mark.parametrize("name", every_command())
def test_the_short_help_fits_a_screen_and_the_long_one_is_complete(name: str) -> None:
    command = every_command()[name]
    assert len(help_of(name, command, short=True).splitlines()) <= SHORT_HELP_LINES
    if isinstance(command, click.Group):
        return
    long = help_of(name, command, short=False)
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.opts[0] in long
            assert parameter.help, f"{parameter.opts[0]} says nothing"
    assert re.search(r"\nExample:\n.*\S\Z", long.rstrip(), re.DOTALL), "it ends with an example"


def code_lines(document: Path) -> list[str]:
    blocks = re.findall(r"^```(?:sh|console)\n(.*?)^```", document.read_text(), re.DOTALL | re.MULTILINE)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize(
    "document", [REPOSITORY / "README.md", *sorted(DOCS.glob("*.md"))], ids=lambda path: path.name
)
def test_every_binstall_command_that_a_document_shows_parses(document: Path) -> None:
    commands = every_command()
    for line in code_lines(document):
        words = shlex.split(line, comments=True)
        if not words or words[0] not in {"binstall", "cargo-binstall"}:
            continue
        name = next(
            (n for size in (3, 2, 1) if (n := " ".join(words[:size])) in commands and len(words) >= size),
            None,
        )
        assert name is not None, line
        if "-h" in words or "--help" in words:
            continue
        rest = words[len(name.split()) :]
        commands[name].make_context(name, list(rest), resilient_parsing=False)


@pytest.mark.parametrize(
    "document",
    [*REPOSITORY.glob("*.md"), *DOCS.rglob("*.md")],
    ids=lambda path: str(path.relative_to(REPOSITORY)),
)
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_the_json_example_has_the_members_of_the_code() -> None:
    text = (DOCS / "json.md").read_text()
    example = json.loads(re.findall(r"```json\n(.*?)\n```", text, re.DOTALL)[0])
    source = ast.parse((REPOSITORY / "src/binstall/cli/report.py").read_text())
    function = next(
        node for node in source.body if isinstance(node, ast.FunctionDef) and node.name == "install_object"
    )
    returned = next(node for node in ast.walk(function) if isinstance(node, ast.Return)).value
    assert isinstance(returned, ast.Dict)
    assert [key.value for key in returned.keys if isinstance(key, ast.Constant)] == list(example)


def test_only_the_door_makes_a_verified_file() -> None:
    makers = [
        path.name
        for path in (REPOSITORY / "src").rglob("*.py")
        if re.search(r"\bVerifiedFile\(", path.read_text())
    ]
    assert makers == ["verifier.py"]


def test_the_changelog_has_a_place_for_this_version() -> None:
    from binstall import __version__

    text = (REPOSITORY / "CHANGELOG.md").read_text()
    assert "## Unreleased" in text or f"## {__version__}" in text
