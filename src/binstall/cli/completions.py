"""`binstall completions`: what a shell needs to complete our words."""

from __future__ import annotations

import click

from binstall.cli.params import Command
from binstall.errors import UsageError

_WHERE = {
    "bash": 'eval "$(binstall completions bash)"  # in ~/.bashrc',
    "zsh": 'eval "$(binstall completions zsh)"  # in ~/.zshrc',
    "fish": "binstall completions fish > ~/.config/fish/completions/binstall.fish",
}


def _run(shell: str) -> int:
    from click.shell_completion import get_completion_class

    from binstall.cli.app import cli

    completion = get_completion_class(shell)
    if completion is None:
        raise UsageError(f"there are no completions for {shell}")
    click.echo(completion(cli, {}, "binstall", "_BINSTALL_COMPLETE").source())
    return 0


command = Command(
    "completions",
    callback=_run,
    params=[click.Argument(["shell"], type=click.Choice(sorted(_WHERE)))],
    help="Print the completion script of a shell.",
    example="\n".join(_WHERE.values()),
)
