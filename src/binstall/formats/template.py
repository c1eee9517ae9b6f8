r"""The template language of `pkg-url`, `bin-dir`, `signing.file` and a registry's `dl`.

    template = { literal | "\{" | "\}" | "\\" | "{" key "}" }

A key is everything up to the next `}`, without the white space around it; it may hold a `{`, never a
back-slash, and is not empty. Keys are case-sensitive. There are no defaults, filters or conditions: a key
without a value is an error when the template is rendered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from binstall.errors import TemplateError
from binstall.limits import MAX_TEMPLATE_CHARACTERS, MAX_URL_CHARACTERS

# Unicode's White_Space property. `str.strip()` alone would also take U+001C to U+001F.
_WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_TOKEN = re.compile(
    r"(?P<literal>[^{}\\]+)|\\(?P<escaped>[{}\\])|\{(?P<key>[^}\\]*)\}|(?P<wrong>.)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class _Key:
    """The place of one value."""

    name: str


@dataclass(frozen=True, slots=True)
class Template:
    """A template that parsed; made by `parse_template`."""

    text: str
    """As written, at most `MAX_TEMPLATE_CHARACTERS`; the publisher's words."""
    keys: frozenset[str]
    """The names between the braces."""
    _parts: tuple[str | _Key, ...] = field(repr=False)
    """Literal text, escapes resolved, and keys, in order."""

    def render(self, values: Mapping[str, str]) -> str:
        """Return the text with every key replaced by its value, which is inserted as it is.

        Raise `TemplateError`, and nothing else, if a key has no value or the result is longer than
        `MAX_URL_CHARACTERS`.
        """
        rendered: list[str] = []
        length = 0
        for part in self._parts:
            piece = values.get(part.name) if isinstance(part, _Key) else part
            if piece is None:
                assert isinstance(part, _Key)  # noqa: S101 - a literal is never None
                raise TemplateError(
                    f"template `{_short(self.text)}` needs `{_short(part.name)}`, which has no value here",
                    hint=f"known here: {', '.join(sorted(values))}" if values else None,
                )
            length += len(piece)
            if length > MAX_URL_CHARACTERS:
                raise TemplateError(
                    f"template `{_short(self.text)}` gives more than {MAX_URL_CHARACTERS} characters"
                    " (MAX_URL_CHARACTERS)"
                )
            rendered.append(piece)
        return "".join(rendered)


def parse_template(text: str) -> Template:
    """Read a template; raise `TemplateError`, and nothing else, if it does not follow the grammar."""
    if len(text) > MAX_TEMPLATE_CHARACTERS:
        raise TemplateError(
            f"template `{_short(text)}` has more than {MAX_TEMPLATE_CHARACTERS} characters"
            " (MAX_TEMPLATE_CHARACTERS)"
        )
    parts: list[str | _Key] = []
    for token in _TOKEN.finditer(text):
        if token["wrong"] is not None:
            _refuse(text, token.start())
        if token["key"] is None:
            parts.append(token["literal"] or token["escaped"])
            continue
        name = token["key"].strip(_WHITE_SPACE)
        if not name:
            raise TemplateError(
                f"template `{_short(text)}` has empty braces at character {token.start() + 1}"
            )
        parts.append(_Key(name))
    keys = frozenset(part.name for part in parts if isinstance(part, _Key))
    return Template(text, keys, tuple(parts))


def _refuse(text: str, at: int) -> NoReturn:
    match text[at]:
        case "\\":
            problem = "a back-slash before something else than `{`, `}` or `\\`"
        case "}":
            problem = "a `}` without its `{`"
        case _:
            closed = "}" in text[at:]
            problem = "a back-slash inside braces" if closed else "a `{` without its `}`"
    raise TemplateError(
        f"template `{_short(text)}` has {problem} at character {at + 1}",
        hint=r"write `\{`, `\}` and `\\` for the characters themselves",
    )


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}…"
