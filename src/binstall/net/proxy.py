"""Which proxy a request goes through: cargo's configuration and the environment, as curl reads them.

    http.proxy of cargo, CARGO_HTTP_PROXY before it     every URL
    https_proxy, HTTPS_PROXY                            https URLs
    http_proxy; HTTP_PROXY, but not under CGI           http URLs
    all_proxy, ALL_PROXY                                what the lines above leave open
    no_proxy, NO_PROXY                                  hosts that are asked directly, in every case

Lower case is read first and an empty value counts as none. Under CGI (`REQUEST_METHOD` is set) a client
chooses `HTTP_PROXY` by sending a header `Proxy:`. A proxy is `[SCHEME://][USER:PASSWORD@]HOST[:PORT]`
with the schemes http (the default), https, socks4, socks4a, socks5 and socks5h.

Pure: opens nothing. User names and passwords are in no message and no `repr`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from binstall.errors import ConfigError
from binstall.formats.url import is_loopback
from binstall.limits import MAX_URL_CHARACTERS

_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SOCKS_PORT = 1080


@dataclass(frozen=True, slots=True)
class Proxy:
    """One proxy, as it was configured."""

    scheme: str
    """One of the six that the module names."""
    host: str
    """Name or address; IPv6 without brackets."""
    port: int
    source: str
    """The variable or key that named it, for messages."""
    user: str | None = field(default=None, repr=False)
    """Decoded; secret."""
    password: str | None = field(default=None, repr=False)
    """Decoded; secret."""

    @property
    def url(self) -> str:
        """The proxy without its credentials."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.url} ({self.source})"


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies of one run."""

    https: Proxy | None = None
    """For https URLs."""
    http: Proxy | None = None
    """For http URLs."""
    exceptions: tuple[str, ...] = ()
    """Entries of `no_proxy`, in lower case: names, addresses, networks, each with `:PORT` or without."""

    def for_url(self, scheme: str, host: str, port: int) -> Proxy | None:
        """Return the proxy for a URL of these parts, or None where the host is asked directly.

        Plain http to this machine goes past every proxy: it is believed because nobody stands between.
        """
        proxy = self.https if scheme == "https" else self.http
        if proxy is None or (scheme == "http" and is_loopback(f"http://{host}/")):
            return None
        if self._excepted(host.strip("[]").rstrip(".").lower(), port):
            return None
        return proxy

    def _excepted(self, host: str, port: int) -> bool:
        return any(_matches(entry, host, port) for entry in self.exceptions)


NO_PROXIES = Proxies()


def find_proxies(environment: Mapping[str, str], cargo_proxy: str | None = None) -> Proxies:
    """Return the proxies that `environment` and cargo's `http.proxy` ask for.

    Raises:
        ConfigError: a proxy is named in a form that is no proxy.
    """

    def named(*sources: str) -> Proxy | None:
        for source in sources:
            if text := environment.get(source, "").strip():
                return _parse(text, source)
        return None

    everywhere = named("CARGO_HTTP_PROXY")
    if everywhere is None and cargo_proxy and cargo_proxy.strip():
        everywhere = _parse(cargo_proxy.strip(), "http.proxy of cargo's configuration")
    http_sources = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
    if "REQUEST_METHOD" in environment:
        http_sources.remove("HTTP_PROXY")
    exceptions = environment.get("no_proxy", "") or environment.get("NO_PROXY", "")
    return Proxies(
        https=everywhere or named("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
        http=everywhere or named(*http_sources),
        exceptions=tuple(exceptions.lower().replace(",", " ").split()),
    )


def _parse(text: str, source: str) -> Proxy:
    if "://" not in text:
        text = "http://" + text
    parts = _split(text)
    if parts is None:
        raise ConfigError(
            f"{source} names no proxy in the form [SCHEME://][USER:PASSWORD@]HOST[:PORT]",
            hint=f"the schemes are {', '.join(_SCHEMES)}; percent-encode what is special in a password",
        )
    return Proxy(
        scheme=parts.scheme,
        host=parts.hostname or "",
        port=parts.port or _DEFAULT_PORTS.get(parts.scheme, _SOCKS_PORT),
        source=source,
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
    )


def _split(text: str) -> SplitResult | None:
    if len(text) > MAX_URL_CHARACTERS or not text.isascii() or not text.isprintable() or " " in text:
        return None
    try:
        parts = urlsplit(text)
        sound = parts.port != 0 and parts.path in ("", "/") and not parts.query and not parts.fragment
    except ValueError:
        return None
    return parts if sound and parts.hostname and parts.scheme in _SCHEMES else None


def _matches(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    entry, wanted_port = _split_port(entry)
    if wanted_port is not None and wanted_port != port:
        return False
    entry = entry.strip("[]").removeprefix("*").strip(".")
    if not entry:
        return False
    if host == entry or host.endswith("." + entry):
        return not _is_address(host) or host == entry
    return _is_address(host) and _in_network(entry, host)


def _split_port(entry: str) -> tuple[str, int | None]:
    name, colon, digits = entry.rpartition(":")
    alone = ":" not in name or name.endswith("]")
    if colon and alone and digits.isascii() and digits.isdigit() and len(digits) <= 5:
        return name, int(digits)
    return entry, None


def _is_address(host: str) -> bool:
    from ipaddress import ip_address

    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _in_network(entry: str, host: str) -> bool:
    from ipaddress import ip_address, ip_network

    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:
        return False
