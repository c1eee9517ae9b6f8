from __future__ import annotations

import io
import json

from binstall.cli.terminal import Level, Terminal
from binstall.errors import BadSignature


class _Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def said(level: Level, *, tty: bool = False, environment: dict[str, str] | None = None) -> tuple[str, str]:
    out, err = io.StringIO(), _Tty() if tty else io.StringIO()
    terminal = Terminal(level, out=out, err=err, environment=environment or {"TERM": "xterm"})
    with terminal.open():
        terminal.detail("a detail")
        terminal.stage("a stage")
        terminal.warn("a warning \x1b[2J\nof two lines")
        terminal.result("a result")
        terminal.error(BadSignature("an error", hint="do this"))
    return out.getvalue(), err.getvalue()


def test_results_and_talk_go_different_ways() -> None:
    out, err = said(Level.INFO)
    assert out == "a result\n"
    assert err == "a stage\nwarning: a warning \\x1b[2J\\nof two lines\nerror: an error\nhelp: do this\n"


def test_a_level_hides_what_is_below_it() -> None:
    assert said(Level.ERROR) == ("", "error: an error\nhelp: do this\n")
    assert "a detail" in said(Level.DEBUG)[1]
    assert "a detail" not in said(Level.INFO)[1]


def test_colour_is_for_terminals_and_no_color_is_honoured() -> None:
    assert "\x1b[1;31merror" in said(Level.INFO, tty=True)[1]
    assert "\x1b" not in said(Level.INFO, tty=True, environment={"NO_COLOR": "1"})[1]
    assert "\x1b" not in said(Level.INFO, tty=True, environment={"TERM": "dumb"})[1]
    assert "\x1b" not in said(Level.INFO)[1]


def test_a_large_download_is_a_bar_on_a_terminal_and_is_gone_afterwards() -> None:
    err = _Tty()
    terminal = Terminal(out=io.StringIO(), err=err, environment={"TERM": "xterm", "COLUMNS": "100"})
    with terminal.open():
        transfer = terminal.transfer("big\x1b[31m.tgz", 1 << 20)
        transfer.advance(1 << 19)
        transfer.restart()
        transfer.advance(1 << 20)
        terminal.stage("while it runs")
        transfer.done()
    text = err.getvalue()
    assert "big\\x1b[31m.tgz" in text
    assert "while it runs" in text


def test_json_is_one_ascii_line_and_results_are_silent_then() -> None:
    out = io.StringIO()
    terminal = Terminal(json_lines=True, out=out, err=io.StringIO(), environment={})
    terminal.result("words")
    terminal.json_result({"comment": "ä\n\u202e"})
    assert out.getvalue() == '{"comment":"\\u00e4\\n\\u202e"}\n'
    assert json.loads(out.getvalue()) == {"comment": "ä\n\u202e"}
