"""Where a git repository is, as people write it, brought into one form.

    https://[USER[:PASSWORD]@]HOST/PATH     also http, where plain http is allowed
    ssh://[USER@]HOST[:PORT]/PATH
    [USER@]HOST:PATH                        as scp writes it: ssh; recorded as ssh://USER@HOST/PATH
    file:///PATH, or a path                 on this disk

Nothing else is a repository: not git://, which nobody authenticates, and no `helper::address`, which would
name a program to run. No part begins with `-`, which a program could take for an option. Nothing is looked at
but a path with `..` in it: only the file system knows where that leads from a symbolic link.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from binstall.errors import BinstallError, TemplateError
from binstall.formats.url import is_loopback, normal_url
from binstall.limits import MAX_URL_CHARACTERS
from binstall.text import without_secrets

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SCP_LIKE: Final = re.compile(r"(?:(?P<user>[^/:@]+)@)?(?P<host>[^/:@\[\]]+):(?!:)(?P<path>.*)\Z")
_DRIVE: Final = re.compile(r"[A-Za-z]:(?:[/\\]|\Z)")
_HOST: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\]")
_USER: Final = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.+-]*")
_HINT: Final = "a repository is https://…, ssh://…, user@host:path, file:///… or a path"


@dataclass(frozen=True, slots=True)
class GitUrl:
    """The address of one repository; made by `parse_git_url`."""

    url: str
    """Absolute, of the schemes https, http, ssh and file; of https and http without user and password."""
    asked: str
    """What git is given: `url`, or the scp-like form, whose path starts at the user's home."""
    user: str | None = None
    """Of an https or http URL, decoded."""
    password: str | None = field(default=None, repr=False)
    """Likewise; secret."""

    @property
    def scheme(self) -> str:
        """The scheme of `url`."""
        return self.url.partition(":")[0]

    @property
    def is_authentic(self) -> bool:
        """Whether nobody on the way can rewrite what is fetched: https, ssh, a file, or this machine."""
        return self.scheme != "http" or is_loopback(self.url)

    def __str__(self) -> str:
        """Return the address for messages."""
        return without_secrets(self.url)


Refuse = Callable[[str], BinstallError]


def parse_git_url(
    text: str,
    working_folder: Path,
    *,
    origin: str,
    error: type[BinstallError],
    what: str = "git repository",
    hint: str = _HINT,
    paths: bool = True,
) -> GitUrl:
    """Read the address of a repository; a relative path starts at `working_folder`.

    `origin` is the option, variable or file that has it, `what` and `hint` are for messages; without
    `paths` a bare path is no address.

    Raises:
        BinstallError: Of the class `error`, and no other.
    """
    shown = without_secrets(text[:200])

    def refuse(why: str) -> BinstallError:
        return error(f"{origin} is no {what}: {shown} {why}", hint=hint)

    if not text or len(text) > MAX_URL_CHARACTERS:
        raise refuse(f"has {len(text)} characters, not 1 to {MAX_URL_CHARACTERS} (MAX_URL_CHARACTERS)")
    if text.startswith("-"):
        raise refuse("begins with -")
    if not text.isprintable() or (os.name != "nt" and "\\" in text):
        raise refuse("has a character that no address has")
    scheme = _SCHEME.match(text)
    if scheme is not None:
        word = scheme[1].lower()
        if word in {"https", "http"}:
            return _web(text, refuse)
        if word == "ssh":
            return _ssh(text, refuse)
        if word == "file":
            return _file(text, refuse)
        why = "nobody authenticates git://" if word == "git" else f"{word}:// is not known here"
        raise refuse(f"cannot be asked: {why}")
    drive = os.name == "nt" and _DRIVE.match(text)
    scp = None if drive else _SCP_LIKE.match(text)
    if scp is not None:
        return _scp(scp, refuse)
    if not drive and re.match(r"[^/]*::", text):
        raise refuse("names a program to fetch it with")
    if not paths:
        raise refuse("has no scheme")
    path = (working_folder / text).absolute()
    url = (Path(os.path.realpath(path)) if ".." in path.parts else path).as_uri()
    return GitUrl(url, url)


def _web(text: str, refuse: Refuse) -> GitUrl:
    if "?" in text or "#" in text:
        raise refuse("has a query or fragment")
    try:
        url = normal_url(text, what="it")
        parts = urlsplit(url)
        user, password = parts.username, parts.password
    except (TemplateError, ValueError) as cause:
        raise refuse("is not an absolute URL") from cause
    host = parts.netloc.rpartition("@")[2]
    if host.startswith("-"):
        raise refuse("has a host that begins with -")
    url = f"{parts.scheme}://{host}{parts.path}"
    decoded = [None if part is None else unquote(part) for part in (user, password)]
    if any(part and not part.isprintable() for part in decoded):
        raise refuse("has a user or password with a control character")
    return GitUrl(url, url, decoded[0] or None, decoded[1])


def _ssh(text: str, refuse: Refuse) -> GitUrl:
    authority, slash, path = text[len("ssh://") :].partition("/")
    user, at, address = authority.rpartition("@")
    host, colon, port = address.rpartition(":") if not address.endswith("]") else (address, "", "")
    if not colon:
        host, port = address, ""
    if not _HOST.fullmatch(host) or (at and not _USER.fullmatch(user)):
        raise refuse("has no host, or a user name with a password")
    if colon and not re.fullmatch(r"[0-9]{1,5}", port):
        raise refuse("has a port that is no number")
    if not slash or not path or "?" in path or "#" in path:
        raise refuse("has no path, or one that is none")
    url = f"ssh://{user}{at}{host}{colon}{port}/{path}"
    return GitUrl(url, url)


def _scp(parts: re.Match[str], refuse: Refuse) -> GitUrl:
    user, host, path = parts["user"], parts["host"], parts["path"]
    if not _HOST.fullmatch(host) or (user is not None and not _USER.fullmatch(user)):
        raise refuse("has no host in front of the colon")
    if path.startswith("-") or "?" in path or "#" in path or not path.strip("/"):
        raise refuse("has a path that is none")
    at = "" if user is None else f"{user}@"
    return GitUrl(f"ssh://{at}{host}/{path.lstrip('/')}", f"{at}{host}:{path}")


def _file(text: str, refuse: Refuse) -> GitUrl:
    host, slash, path = text[len("file://") :].partition("/")
    if not slash or host not in {"", "localhost"} or "?" in path or "#" in path:
        raise refuse("is no file URL: file:///PATH is one")
    if "%00" in path:
        raise refuse("has a zero byte, which no path has")
    url = f"file:///{path}"
    return GitUrl(url, url)
