"""Absolute http(s) URLs as templates render them, brought into one form.

The form is the one that browsers, Rust's `url` crate and so cargo-binstall give: lower-case scheme and
host, default port and dot segments removed, what may not stand in a URL percent-encoded in UTF-8. Package
and signature are asked for by this text, and `{ url }` in a signature template is this text.
"""

from __future__ import annotations

from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from binstall.errors import TemplateError
from binstall.limits import MAX_URL_CHARACTERS
from binstall.text import without_secrets

_PATH_SAFE = "/%:@!$&'()*+,;=~[]|"
_USERINFO_SAFE = "%:!$&'()*+,;=~"
_QUERY_SAFE = _PATH_SAFE + "?"
_DEFAULT_PORTS = {"http": 80, "https": 443}


def normal_url(text: str, *, what: str) -> str:
    """Return the absolute http or https URL `text` in normal form, without fragment.

    Raises:
        TemplateError: `what` (words for the message) is no absolute http(s) URL, or too long.
    """
    shown = without_secrets(text[:200])
    if len(text) > MAX_URL_CHARACTERS:
        raise TemplateError(
            f"{what} has {len(text)} characters, more than {MAX_URL_CHARACTERS} (MAX_URL_CHARACTERS)"
        )
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in text):
        raise TemplateError(f"{what} holds a control character: {shown}")
    try:
        parts = urlsplit(text.strip(" ").replace("\\", "/"))
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except ValueError as error:
        raise TemplateError(f"{what} is not a URL: {shown}") from error
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS or not host:
        raise TemplateError(f"{what} is not an absolute https URL: {shown}")
    # Encoding makes dots of letters that only look like them, and so can make empty labels.
    unusable = ":" not in host and not all(host.removesuffix(".").split("."))
    if unusable or not host.isprintable() or any(character in host for character in " %<>^|@/?#"):
        raise TemplateError(f"{what} has an unusable host: {shown}")
    authority = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS[scheme]:
        authority += f":{port}"
    userinfo, at, _ = parts.netloc.rpartition("@")
    path = quote(_without_dot_segments(parts.path), safe=_PATH_SAFE, errors="replace")
    query = quote(parts.query, safe=_QUERY_SAFE, errors="replace")
    userinfo = quote(userinfo, safe=_USERINFO_SAFE, errors="replace")
    return urlunsplit(SplitResult(scheme, f"{userinfo}{at}{authority}", path, query, ""))


def _without_dot_segments(path: str) -> str:
    """Return a path in which no segment means "here" or "above"; `..` at the top leads nowhere."""
    kept: list[str] = []
    meaning = ""
    for segment in path.split("/")[1:] or [""]:
        meaning = segment.lower().replace("%2e", ".")
        if meaning == "..":
            del kept[-1:]
        elif meaning != ".":
            kept.append(segment)
    if meaning in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)


def host_of(url: str) -> str:
    """Return the host of a normal URL, with its port where it is not the scheme's own."""
    return urlsplit(url).netloc.rpartition("@")[2]


def is_loopback(url: str) -> bool:
    """Tell whether a normal URL leads to this machine alone: 127.0.0.0/8, ::1 or `localhost`."""
    host = urlsplit(url).hostname or ""
    if host in {"localhost", "::1"}:
        return True
    parts = host.split(".")
    return (
        len(parts) == 4
        and parts[0] == "127"
        and all(part.isdecimal() and int(part) < 256 for part in parts)
    )
