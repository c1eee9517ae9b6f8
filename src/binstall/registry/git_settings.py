"""What git is told before it goes to the network: its configuration and its environment.

    of the user's own configuration   credential.*, url.*.insteadOf, core.sshCommand, ssh.variant, safe.directory
    from us                           certificates, proxy, TLS version, time limits; no hooks, no prompts

Everything else of the user's, and all variables `GIT_*`, are left out: certificates and proxies are those
that every other request of the run goes by. Secrets stand in files of a private folder, never in a command
line. Which protocols git may speak, redirects and rewritten addresses included, is said in
`GIT_ALLOW_PROTOCOL`, so that nothing leads from https to http or to a program.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote, urlsplit

from binstall.children import child_environment
from binstall.errors import ConfigError
from binstall.formats.git_url import GitUrl
from binstall.limits import CONNECT_TIMEOUT_SECONDS, IDLE_TIMEOUT_SECONDS, MAX_ROOT_CERTIFICATES_BYTES
from binstall.net.proxy import NO_PROXIES, Proxies, Proxy
from binstall.net.tls import SYSTEM_ROOTS, TrustedRoots

_USERS_OWN: Final = re.compile(
    r"credential\..+|url\..+\.insteadof|core\.sshcommand|ssh\.variant|safe\.directory",
    re.IGNORECASE | re.DOTALL,
)
_KEY: Final = re.compile(
    r"(?P<section>[A-Za-z0-9.-]+?)(?:\.(?P<sub>.+))?\.(?P<name>[A-Za-z0-9-]+)\Z", re.DOTALL
)
_SSH: Final = (
    f"ssh -o BatchMode=yes -o ConnectTimeout={CONNECT_TIMEOUT_SECONDS:.0f} "
    f"-o ServerAliveInterval={IDLE_TIMEOUT_SECONDS / 3:.0f} -o ServerAliveCountMax=3"
)
_LARGEST_ALLOCATION: Final = "1g"

Settings = list[tuple[str, str]]
"""Key, as `git config` writes it, and value; a key may come again."""


@dataclass(frozen=True, slots=True)
class GitRules:
    """The rules of the run for its network, as far as git can be told."""

    environment: Mapping[str, str]
    roots: TrustedRoots = SYSTEM_ROOTS
    proxies: Proxies = NO_PROXIES
    allow_insecure_http: bool = False
    min_tls_version: Literal["1.2", "1.3"] = "1.2"


def git_environment(rules: GitRules) -> dict[str, str]:
    """Return the variables of every git that we start; those that `isolate` adds come on top."""
    kept = {
        name: value
        for name, value in child_environment(rules.environment).items()
        if not name.upper().startswith(("GIT_", "SSH_ASKPASS"))
    }
    return kept | {
        "GIT_ALLOW_PROTOCOL": "https:ssh:file" + (":http" if rules.allow_insecure_http else ""),
        "GIT_ALLOC_LIMIT": _LARGEST_ALLOCATION,
        "GIT_ASKPASS": "",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GCM_INTERACTIVE": "never",
        "LC_ALL": "C",
        "SSH_ASKPASS_REQUIRE": "never",
    }


def isolated(environment: Mapping[str, str], users_own: Settings, file: Path) -> dict[str, str]:
    """Return `environment` with the user's and the system's configuration replaced by `file`.

    The file is written: it holds what counts of `users_own`. Raises OSError.
    """
    kept = [(key, value) for key, value in users_own if _USERS_OWN.fullmatch(key)]
    _write(file, config_text(kept))
    changed = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": str(file)}
    if not any(key.lower() == "core.sshcommand" for key, _ in kept):
        changed["GIT_SSH_COMMAND"] = _SSH
    return {**environment, **changed}


def parse_settings(listed: bytes) -> Settings:
    """Read what `git config --list -z` prints."""
    entries = listed.decode("utf-8", "surrogateescape").split("\0")
    pairs = (entry.partition("\n") for entry in entries if entry)
    return [(key, value if separator else "true") for key, separator, value in pairs]


def fetch_settings(rules: GitRules, url: GitUrl, folder: Path) -> Settings:
    """Return the configuration of a repository that `url` is fetched into; helping files go to `folder`.

    Raises:
        ConfigError: trusted certificates cannot be read.
        OSError: `folder` cannot be written.
    """
    settings: Settings = [
        ("core.hooksPath", os.devnull),
        ("core.fsmonitor", "false"),
        ("core.bigFileThreshold", "32m"),
        ("credential.interactive", "false"),
        ("fetch.recurseSubmodules", "false"),
        ("fetch.unpackLimit", "1"),
        ("gc.auto", "0"),
        ("maintenance.auto", "false"),
        ("remote.origin.url", url.asked),
        ("submodule.recurse", "false"),
        ("transfer.bundleURI", "false"),
    ]
    if url.scheme in {"https", "http"}:
        settings += [
            ("http.followRedirects", "initial"),
            ("http.lowSpeedLimit", "1"),
            ("http.lowSpeedTime", f"{IDLE_TIMEOUT_SECONDS:.0f}"),
            ("http.proxy", _proxy(rules.proxies, url)),
            ("http.sslVerify", "true"),
            ("http.sslVersion", f"tlsv{rules.min_tls_version}"),
            *_certificates(rules.roots, folder),
            *_credentials(url, folder),
        ]
    return settings


def config_text(settings: Iterable[tuple[str, str]]) -> str:
    """Return settings in the form of a configuration file; keys of no known form are left out."""
    lines: list[str] = []
    for key, value in settings:
        match = _KEY.match(key)
        if match is None:
            continue
        sub = match["sub"]
        section = match["section"] if sub is None else f'{match["section"]} "{_escaped(sub)}"'
        quoted = _escaped(value).replace("\n", "\\n").replace("\t", "\\t").replace("\b", "\\b")
        lines.append(f'[{section}]\n\t{match["name"]} = "{quoted}"\n')
    return "".join(lines)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _write(path: Path, text: str) -> None:
    """Write a new private file. Raises OSError."""
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text, encoding="utf-8", errors="surrogateescape", newline="\n")


def _proxy(proxies: Proxies, url: GitUrl) -> str:
    """Return the value of `http.proxy`; an empty one means none, whatever the environment says."""
    parts = urlsplit(url.url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    proxy = proxies.for_url(parts.scheme, parts.hostname or "", port)
    return "" if proxy is None else _proxy_url(proxy)


def _proxy_url(proxy: Proxy) -> str:
    if proxy.user is None:
        return proxy.url
    scheme, _, address = proxy.url.partition("://")
    login = quote(proxy.user, safe="")
    if proxy.password is not None:
        login += ":" + quote(proxy.password, safe="")
    return f"{scheme}://{login}@{address}"


def _credentials(url: GitUrl, folder: Path) -> Settings:
    """Hand a password over by git's own helper, which gives it to its host alone and only when asked."""
    if url.password is None:
        return [] if url.user is None else [("credential.username", url.user)]
    parts = urlsplit(url.url)
    file = folder / "credentials"
    login = f"{quote(url.user or '', safe='')}:{quote(url.password, safe='')}"
    _write(file, f"{parts.scheme}://{login}@{parts.netloc}\n")
    return [
        ("credential.helper", ""),
        ("credential.helper", f"store --file={shlex.quote(file.as_posix())}"),
    ]


def _certificates(roots: TrustedRoots, folder: Path) -> Settings:
    """Say which certificates are trusted, where they are not just those of the system."""
    if roots == SYSTEM_ROOTS:
        return []
    import ssl

    system = ssl.get_default_verify_paths()
    replaced = roots.store_file is not None or roots.store_folders is not None
    files = [roots.store_file] if replaced else [system.cafile]
    folders = (roots.store_folders or "").split(os.pathsep) if replaced else [system.capath or ""]
    bundle = [ssl.DER_cert_to_PEM_cert(certificate) for certificate in roots.added]
    bundle += [_read(Path(file)) for file in files if file]
    folders = [each for each in folders if each]
    for each in folders[1:]:  # git takes one folder only
        bundle += [_read(path) for path in sorted(Path(each).iterdir()) if path.is_file()]
    nothing = folder / "no-certificates"
    nothing.mkdir(mode=0o700)
    _write(folder / "trusted.pem", "\n".join(bundle))
    return [
        ("http.sslCAInfo", str(folder / "trusted.pem")),
        ("http.sslCAPath", folders[0] if folders else str(nothing)),
    ]


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_ROOT_CERTIFICATES_BYTES).decode("ascii", "replace")
    except OSError as error:
        raise ConfigError(f"cannot read the trusted certificates in {path}: {error.strerror}") from error
