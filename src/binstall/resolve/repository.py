"""A manifest's `repository` to the root of a repository on a hosting service, and perhaps a crate inside.

    GitHub              /OWNER/REPO[/(tree|blob)/BRANCH/FOLDERS…/NAME]
    GitLab              /GROUP…/REPO[/-/(tree|blob)/BRANCH/FOLDERS…/NAME], and without `/-` below one group
    Codeberg, Forgejo   /OWNER/REPO[/src/(branch|tag|commit)/REF/FOLDERS…/NAME]
    Bitbucket           /OWNER/REPO[/src/…]                     SourceForge   /projects/NAME[/…], /p/NAME[/…]

The last folder names the crate inside (`{ subcrate }`). Whatever else stands behind the root is cut off, a
final `.git` too. The usual other spellings of an address (`git@github.com:O/R`, `git://`, `ssh://`, `http://`,
`www.`) lead to the https one, on known services alone: elsewhere nobody knows what https would answer; of
http that holds for the services' own hosts. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from binstall.limits import MAX_URL_CHARACTERS

_SCP: Final = re.compile(r"(?:[A-Za-z0-9._-]+@)?(?P<host>[A-Za-z0-9.-]+\.[A-Za-z]+):(?P<path>[^/:][^:]*)\Z")
_OTHER_SCHEMES: Final = frozenset({"git", "ssh", "git+https", "git+http", "git+ssh"})
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}\Z")
_EXACT: Final = {
    "github.com": "github",
    "gitlab.com": "gitlab",
    "bitbucket.org": "bitbucket",
    "sourceforge.net": "sourceforge",
    "codeberg.org": "codeberg",
    "code.forgejo.org": "codeberg",
    "gitea.com": "codeberg",
}
_FIRST_WORD: Final = {"github": "github", "gitlab": "gitlab", "forgejo": "codeberg", "gitea": "codeberg"}


@dataclass(frozen=True, slots=True)
class Repository:
    """Where a crate is developed, as its manifest says."""

    url: str
    """`{ repo }`: the repository's root without a final slash; the manifest's text where it is no such URL."""
    service: str | None
    """`github`, `gitlab`, `bitbucket`, `sourceforge`, `codeberg` (and all that share its paths); or None."""
    subcrate: str | None
    """Name of the folder in the repository that the manifest points to."""


def hosting_service(host: str, github_hosts: Collection[str] = ()) -> str | None:
    """Name the hosting service of a host, or None.

    A host counts if it is the service's own, an instance named for it (`gitlab.example.org`), or one of
    `github_hosts`; a mere prefix (`github-evil.example`) does not.
    """
    host = host.lower().removeprefix("www.")
    name = host.partition(":")[0]
    if host in github_hosts or (name.endswith(".ghe.com") and name.count(".") == 2):
        return "github"
    if name in _EXACT:
        return _EXACT[name]
    first, _, domain = name.partition(".")
    # `github.com.evil.example` is named for nobody.
    return _FIRST_WORD.get(first) if domain and domain.partition(".")[0] != "com" else None


def read_repository(text: str | None, github_hosts: Collection[str] = ()) -> Repository | None:
    """Read the text of `repository`; None where it is empty or absent. Raises nothing."""
    text = (text or "").strip()
    if not text:
        return None
    as_written = Repository(text.rstrip("/").removesuffix(".git"), None, None)
    parts = _split(text)
    if parts is None:
        return as_written
    host = parts.netloc.rpartition("@")[2]
    service = hosting_service(host, github_hosts)
    if service is None:
        return as_written
    scheme, port = parts.scheme, parts.port
    host = (parts.hostname or "").removeprefix("www.")
    if scheme in _OTHER_SCHEMES or (scheme == "http" and host in _EXACT):
        # A port of another protocol says nothing about https.
        scheme, port = "https", None
    elif scheme not in ("https", "http"):
        return as_written
    words = [word for word in parts.path.split("/") if word]
    root, subcrate = _root(service, words)
    if not root:
        return as_written
    root[-1] = root[-1].removesuffix(".git")
    authority = host if port in (None, {"https": 443, "http": 80}[scheme]) else f"{host}:{port}"
    url = urlunsplit(SplitResult(scheme, authority, "/" + "/".join(root), "", ""))
    return Repository(url, service, subcrate)


def is_login_page(url: str) -> bool:
    """Tell whether `url` is where a service sends strangers who ask for what they may not see."""
    path = url.partition("?")[0].rstrip("/")
    return path.endswith(("/login", "/users/sign_in", "/user/login", "/signin", "/sign_in"))


def _split(text: str) -> SplitResult | None:
    if len(text) > MAX_URL_CHARACTERS or any(ord(character) <= 0x20 for character in text):
        return None
    scp = _SCP.match(text)
    if scp is not None:
        text = f"ssh://{scp['host']}/{scp['path']}"
    try:
        parts = urlsplit(text)
        sound = parts.port != 0 and bool(parts.hostname)
    except ValueError:
        return None
    return parts if sound else None


def _root(service: str, words: list[str]) -> tuple[list[str], str | None]:
    """Return the path of the root, empty where there is none, and the crate's name inside."""
    if service == "sourceforge":
        if words[:1] == ["p"]:
            words = ["projects", *words[1:]]
        return words[:2] if words[:1] == ["projects"] else words, None
    if service == "gitlab":
        if "-" in words[2:]:
            at = words.index("-", 2)
            behind = words[at + 1 :]
            return words[:at], _inside(behind[2:]) if behind[:1] in (["tree"], ["blob"]) else None
        if words[2:3] in (["tree"], ["blob"]) and len(words) > 3:
            return words[:2], _inside(words[4:])
        return words if len(words) >= 2 else [], None
    if len(words) < 2:
        return [], None
    behind = words[2:]
    subcrate = None
    if service == "github" and behind[:1] in (["tree"], ["blob"]):
        subcrate = _inside(behind[2:])
    elif (
        service == "codeberg" and behind[:1] == ["src"] and behind[1:2] in (["branch"], ["tag"], ["commit"])
    ):
        subcrate = _inside(behind[3:])
    return words[:2], subcrate


def _inside(words: list[str]) -> str | None:
    """Return the last folder of a path inside a repository."""
    if words[-1:] == ["Cargo.toml"]:
        words = words[:-1]
    name = unquote(words[-1]) if words else ""
    return name if _NAME.match(name) else None
