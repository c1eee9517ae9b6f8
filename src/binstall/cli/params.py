"""Options as both command lines want them, on top of click.

Three rules that click does not have: an option or flag that takes one value may be given once; a flag in
the environment is exactly `true` or `false`; an option belongs to a group of the long help, and the
common ones make up the short help (`-h`), which fits one screen.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from gettext import gettext
from typing import Any

import click

SHORT_HELP_LINES = 40


class Option(click.Option):
    """A click option that may be given once (unless `multiple`), with a place in the help."""

    def __init__(self, *args: Any, group: str = "Other", common: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group = group
        self.common = common

    @property
    def _counted(self) -> bool:
        return not self.multiple and not self.count and self.expose_value

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        if not self._counted:
            super().add_to_parser(parser, ctx)
            return
        if self.is_flag:
            parser.add_option(self, self.opts, dest=self.name, action="append_const", const=True)
        else:
            parser.add_option(self, self.opts, dest=self.name, action="append", nargs=self.nargs)

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> Any:
        given = opts.get(self.name or "")
        if self._counted and isinstance(given, list):
            if len(given) > 1:
                raise click.UsageError(
                    f"{self.opts[0]} was given {len(given)} times, it takes one value", ctx
                )
            opts = {**opts, self.name or "": given[0]}
        return super().consume_value(ctx, opts)

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        if isinstance(self.type, click.Path):
            for each in value if isinstance(value, list | tuple) else (value,):
                if each == "":
                    variable = f", or {self.envvar}," if self.envvar else ""
                    raise click.UsageError(f"{self.opts[0]}{variable} is empty, it takes a path", ctx)
        return super().type_cast_value(ctx, value)

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        names = [self.envvar] if isinstance(self.envvar, str) else list(self.envvar or ())
        for name in names:
            value = os.environ.get(name)
            if value is None:
                continue
            if self.is_flag and value not in {"true", "false"}:
                raise click.UsageError(f"{name} is {value!r}, it takes true or false", ctx)
            return value
        return None

    def value_from_envvar(self, ctx: click.Context) -> Any:
        value = self.resolve_envvar_value(ctx)
        return [value] if value is not None and self.multiple else value


class Command(click.Command):
    """A command with a short help on `-h` and a complete, grouped one on `--help`."""

    def __init__(self, *args: Any, example: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.example = example

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        refuse_dashed_values(self, ctx, args)
        return super().parse_args(ctx, args)

    def make_parser(self, ctx: click.Context) -> Any:
        """Let `-q` be found at once: click looks for a long option of that name first, and to make the error
        that it then catches it loads translations and a spell checker, a tenth of a short command's time."""
        parser = super().make_parser(ctx)
        parser._long_opt.update(parser._short_opt)
        return parser

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        return None

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *_help_options()]

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _format_help(self, ctx, formatter, self.example)


class Group(click.Group):
    """A command of commands; each is imported when it is asked for, or when help lists it."""

    def __init__(
        self, *args: Any, commands_by_name: Mapping[str, Callable[[], click.Command]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._loaders = commands_by_name

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._loaders)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        loader = self._loaders.get(cmd_name)
        return loader() if loader else None

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        return None

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *_help_options()]


def _help_options() -> list[click.Parameter]:
    return [
        Option(
            ["-h"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_help(short=True),
            help="Print the short help.",
            group="Help",
            common=True,
        ),
        Option(
            ["--help"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_help(short=False),
            help="Print the complete help.",
            group="Help",
            common=True,
        ),
    ]


def _print_help(*, short: bool) -> Callable[[click.Context, click.Parameter, bool], None]:
    def show(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
        if wanted and not ctx.resilient_parsing:
            ctx.meta["binstall.short_help"] = short
            click.echo(ctx.get_help())
            ctx.exit()

    return show


def _format_help(
    command: Command, ctx: click.Context, formatter: click.HelpFormatter, example: str
) -> None:
    short = bool(ctx.meta.get("binstall.short_help"))
    command.format_usage(ctx, formatter)
    text = command.help or ""
    formatter.write_paragraph()
    if short:
        text = text.partition("\n\n")[0]
    with formatter.indentation():
        for paragraph in text.split("\n\n"):
            formatter.write_text(" ".join(paragraph.split()))
            if not short:
                formatter.write_paragraph()
    groups: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(ctx):
        if isinstance(parameter, Option) and not parameter.hidden and (parameter.common or not short):
            record = parameter.get_help_record(ctx)
            if record is not None:
                words = record[1] if not short else record[1].partition(". ")[0].removesuffix(".") + "."
                name = gettext("Options") if short else parameter.group
                groups.setdefault(name, []).append((record[0], words))
    for name, rows in groups.items():
        with formatter.section(name):
            formatter.write_dl(rows, col_max=34 if not short else 30)
    if short:
        formatter.write_paragraph()
        formatter.write_text("--help lists every option, with its environment variable.")
    elif example:
        with formatter.section("Example"):
            for line in example.splitlines():
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")


def expand_greedy(arguments: Sequence[str], option: str) -> list[str]:
    """Return `arguments` with `OPTION a b c` written as `OPTION a OPTION b OPTION c`.

    As in cargo-binstall, the values of `option` go on up to the next option or `--`.
    """
    result: list[str] = []
    taking = False
    for at, word in enumerate(arguments):
        if word == "--":
            return [*result, *arguments[at:]]
        if word.startswith("-") and word != "-":
            taking = word == option
            result.append(word)
            continue
        if taking and result[-1] != option:
            result.append(option)
        result.append(word)
    return result


def refuse_dashed_values(command: click.Command, ctx: click.Context, arguments: Sequence[str]) -> None:
    """Refuse an option as the value of another, as in `--root -y`; `--root=-y` says that it is meant.

    Raises:
        click.UsageError: an option that takes a value is followed by another option.
    """
    takes_value = {
        name
        for parameter in command.get_params(ctx)
        if isinstance(parameter, click.Option) and not parameter.is_flag
        for name in parameter.opts
    }
    before = ""
    for word in arguments:
        if before in takes_value and word.startswith("-") and word != "-":
            raise click.UsageError(f"{before} takes a value, and {word[:80]} follows", ctx)
        if word == "--":
            return
        before = "" if before in takes_value else word
