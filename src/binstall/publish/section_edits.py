"""The two ways to edit the section of a `Cargo.toml`; `publish.stamp` judges what comes of them.

Each takes a text without byte order mark that is TOML, the path of the section, and the strings that it is
to hold, or None to take it out. Tables with headers and dotted keys are edited as lines; inline tables by
tomlkit, which in the others would move comments about.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from binstall.formats.toml_text import toml_string
from binstall.publish.toml_statements import Path, Statement, statements


def section_lines(strings: Mapping[str, str], prefix: str = "") -> list[str]:
    """Return one line for each key, `prefix` before it."""
    return [f"{prefix}{key} = {toml_string(value)}\n" for key, value in strings.items()]


def edit_lines(body: str, home: Path, strings: Mapping[str, str] | None) -> str | None:
    """Edit a section that has a header or dotted keys, or none yet; None: it has not, or is not there."""
    parts = statements(body)
    mine = [at for at, part in enumerate(parts) if part.kind != "remark" and part.path[: len(home)] == home]
    if strings is None:
        return _take_out(parts, mine) if mine else None
    return _replace(body, parts, mine, home, strings) if mine else _insert(body, parts, home, strings)


def _insert(body: str, parts: list[Statement], home: Path, strings: Mapping[str, str]) -> str | None:
    """Put a new section, under a header of its own, below the table that it belongs to most."""
    at = next((end for size in (3, 2, 1) if (end := _end_of_table(parts, home[:size]))), None)
    if at is None:
        return None
    lines = [f"[{'.'.join(home)}]\n", *section_lines(strings)]
    if not parts[at - 1].is_blank:
        lines.insert(0, "\n")
    if at < len(parts) and not parts[at].is_blank:
        lines.append("\n")
    texts = [part.text for part in parts]
    return _joined(texts[:at], lines, texts[at:], body)


def _end_of_table(parts: list[Statement], path: Path) -> int | None:
    """Return where the last table that begins with `path` ends: after what it says and notes about that."""
    inside, end = False, None
    for at, part in enumerate(parts):
        if part.kind == "header":
            inside = part.path[: len(path)] == path
        if inside and part.kind != "remark":
            end = at + 1
    if end is None:
        return None
    after = end
    while after < len(parts) and parts[after].kind == "remark" and not parts[after].is_blank:
        after += 1
    # Notes that a blank line, or the file's end, sets apart from the next table are about this one.
    return after if after == len(parts) or parts[after].is_blank else end


def _replace(
    body: str, parts: list[Statement], mine: list[int], home: Path, strings: Mapping[str, str]
) -> str | None:
    texts = [part.text for part in parts]
    found, own = set[str](), set(mine)
    table: Path = ()
    for at, part in enumerate(parts):
        table = part.path if part.kind == "header" and at <= mine[-1] else table
        if at not in own or part.kind == "header" or len(part.path) == len(home):
            continue
        key = part.path[len(home)]
        found.add(key)
        if key in strings:
            changed = part.with_string(toml_string(strings[key]))
            if changed is None:
                return None
            texts[at] = changed.text
        elif key == "release":
            texts[at] = ""
    # New keys stand below the last old one, written as that one is.
    after = mine[-1] + 1
    indent = parts[mine[-1]].text[: -len(parts[mine[-1]].text.lstrip(" \t"))]
    prefix = "".join(f"{key}." for key in home[len(table) :])
    new = section_lines({key: value for key, value in strings.items() if key not in found}, indent + prefix)
    return _joined(texts[:after], new, texts[after:], body)


def _take_out(parts: list[Statement], mine: list[int]) -> str:
    gone = set(mine)
    for header in (at for at in mine if parts[at].kind == "header"):
        last = header
        while last + 1 < len(parts) and (last + 1 in gone or parts[last + 1].kind == "remark"):
            last += 1
        while last not in gone:
            last -= 1
        gone |= set(range(header, last))  # the notes between its keys are about them
        ends = last + 1 == len(parts) or parts[last + 1].is_blank
        if header and parts[header - 1].is_blank and ends:
            gone.add(header - 1)
    return "".join(part.text for at, part in enumerate(parts) if at not in gone)


def _joined(before: list[str], new: list[str], after: list[str], body: str) -> str:
    line_end = "\r\n" if _only_crlf(body) else "\n"
    head = "".join(before)
    if head and not head.endswith("\n"):
        head += line_end
    return head + "".join(new).replace("\n", line_end) + "".join(after)


def _only_crlf(body: str) -> bool:
    return "\r\n" in body and body.count("\n") == body.count("\r\n")


def edit_inline(body: str, home: Path, strings: Mapping[str, str] | None) -> str | None:
    """Edit a section where it, or a table around it, is an inline one."""
    import tomlkit
    from tomlkit.items import InlineTable

    try:
        document = tomlkit.parse(body)
        if tomlkit.dumps(document) != body:
            return None
        table: Any = document
        for key in home[:-1]:
            if key not in table:
                table[key] = tomlkit.inline_table() if isinstance(table, InlineTable) else tomlkit.table()
            table = table[key]
        if strings is None:
            del table[home[-1]]
        else:
            section = tomlkit.inline_table()
            kept = {key: value for key, value in table.get(home[-1], {}).items() if key != "release"}
            section.update(kept | dict(strings))
            table[home[-1]] = section
        text = tomlkit.dumps(document)
    except Exception:  # whatever tomlkit stumbles over, the answer is that it cannot be done
        return None
    return re.sub(r"(?<!\r)\n", "\r\n", text) if _only_crlf(body) else text
