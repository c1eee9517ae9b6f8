"""The HTTP client. The only module that knows the HTTP library, pyreqwest.

What the library is told, or kept from:

    redirects       followed here: at most MAX_REDIRECTS, http(s) only, never from https to http, and to
                    another scheme, host or port only with headers that carry no secret
    encoding        `identity` is asked for, nothing is decoded, any other coding of a body is refused:
                    digests and signatures are of the bytes that the server stores
    loopback        over plain http is asked directly, past any proxy, and redirects to itself only
    proxies         chosen by `binstall.net.proxy` alone; one client for each, because a callback into
                    Python from the library's threads could meet an interpreter that is shutting down
    trusted roots   `binstall.net.tls`; the library's own loader reads `SSL_CERT_FILE` and `SSL_CERT_DIR`
                    from the process environment, so these two are set for the moment of construction
    user-info       of a URL becomes basic authentication for that host, and is in no message
    HTTP version    2 where the server offers it by ALPN, else 1.1; a connection of 2 is shared by everything
                    that goes to its host, with windows wider than TCP's own, and is given up when it does
                    not answer pings: a try after a time limit would otherwise meet the dead one again

A call blocks its thread, Ctrl-C included: call from worker threads. `close` ends calls under way as far as
the library lets it.
"""

from __future__ import annotations

import re
import threading
from base64 import b64encode
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Final, Literal, TypeVar
from urllib.parse import unquote

from pyreqwest.client import SyncClient, SyncClientBuilder
from pyreqwest.client.types import TlsVersion
from pyreqwest.exceptions import (
    ClientClosedError,
    NetworkError,
    PyreqwestError,
    RequestError,
    RequestTimeoutError,
)
from pyreqwest.http import HeaderMap, Url
from pyreqwest.proxy import ProxyBuilder
from pyreqwest.request import SyncStreamRequest
from pyreqwest.response import SyncResponse

from binstall import __version__
from binstall.errors import ConfigError, Unreachable
from binstall.formats.url import is_loopback
from binstall.limits import (
    CONNECT_TIMEOUT_SECONDS,
    CONNECTION_WINDOW_BYTES,
    IDLE_TIMEOUT_SECONDS,
    MAX_REDIRECTS,
    MAX_URL_CHARACTERS,
    STREAM_WINDOW_BYTES,
)
from binstall.net.fetcher import NO_HEADERS, LeadsElsewhere, Response
from binstall.net.proxy import NO_PROXIES, Proxies, Proxy
from binstall.net.tls import SYSTEM_ROOTS, TrustedRoots, process_environment_of
from binstall.text import without_secrets

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_WITHOUT_SECRETS: Final = frozenset({"accept", "accept-encoding", "range", "if-range"})
"""The headers that follow a redirect to another origin."""
_FINAL: Final = re.compile(
    r"invalid peer certificate|received fatal alert|peer is incompatible|peer misbehaved"
    r"|received corrupt message|tunnel error|proxy|Name or service not known|nodename nor servname",
    re.IGNORECASE,
)
"""Failures of a connection that another try would only meet again."""
_HTTP2_FAILURE: Final = "http2 error"
_BAD_CERTIFICATE: Final = "invalid peer certificate: "
_LINKS: Final = re.compile(r"(: | \(| for url \()?https?://\S+")
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/\\]")
"""What `without_secrets` understands. Browsers also take `https:u:p@host` and `https:///u:p@host`."""
_T = TypeVar("_T")


class HttpFetcher:
    """Fetcher over HTTPS, and over plain HTTP where it was allowed."""

    def __init__(
        self,
        *,
        roots: TrustedRoots = SYSTEM_ROOTS,
        proxies: Proxies = NO_PROXIES,
        allow_insecure_http: bool = False,
        min_tls_version: Literal["1.2", "1.3"] = "1.2",
        connect_timeout: float = CONNECT_TIMEOUT_SECONDS,
        idle_timeout: float = IDLE_TIMEOUT_SECONDS,
        leads_elsewhere: Callable[[str], bool] | None = None,
    ) -> None:
        """Build the client; the two time limits are in seconds, `idle_timeout` is between two bytes.

        A redirect to a URL that `leads_elsewhere` is not followed but raised, as `LeadsElsewhere`.

        Raises:
            ConfigError: the trusted roots or a proxy cannot be used.
        """
        self._roots = roots
        self._proxies = proxies
        self._schemes = {"https", "http"} if allow_insecure_http else {"https"}
        self._time_limits = f"{connect_timeout:g} s to connect, {idle_timeout:g} s without a byte"
        self._leads_elsewhere = leads_elsewhere
        self._closed = threading.Event()
        min_tls: TlsVersion = "TLSv1.3" if min_tls_version == "1.3" else "TLSv1.2"
        with process_environment_of(roots):
            self._clients = {
                proxy: _build(roots, proxy, min_tls, connect_timeout, idle_timeout)
                for proxy in self._possible_proxies()
            }

    def _possible_proxies(self) -> set[Proxy | None]:
        possible = {self._proxies.https}
        if "http" in self._schemes:
            possible |= {self._proxies.http, None}  # loopback is asked directly
        if self._proxies.exceptions:
            possible.add(None)
        return possible

    @contextmanager
    def open(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] = NO_HEADERS,
        body: bytes | None = None,
    ) -> Iterator[Response]:
        """Ask for `url` by `method`: GET, HEAD, or POST with a `body`; see `Fetcher.open`."""
        request, answer = self._follow(url, method, headers, body)
        try:
            yield answer
        finally:
            request.__exit__(None, None, None)

    def close(self) -> None:
        """End every call that waits for an answer with `Unreachable`; later calls end so at once.

        One that waits in the middle of a body ends with the next bytes, or at the idle time limit: the
        library has no way to wake it.
        """
        self._closed.set()
        for client in self._clients.values():
            client.close()

    def _follow(
        self, asked: str, method: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[SyncStreamRequest, _Answer]:
        sent = {name.lower(): value for name, value in headers.items()}
        sent["accept-encoding"] = "identity"
        url = checked_url(asked, asked=asked, base=None, schemes=self._schemes)
        for _ in range(MAX_REDIRECTS + 1):
            if url.username or url.password:
                sent["authorization"] = _basic(url)
                url = url.with_username("").with_password(None)
            request, answer = self._ask(asked, url, method, sent, body)
            if answer.status not in _REDIRECTS or body is not None:
                try:
                    answer.require_identity()
                except Unreachable:
                    request.__exit__(None, None, None)
                    raise
                return request, answer
            location = answer.location
            request.__exit__(None, None, None)
            if location is None:
                raise Unreachable(f"{_shown(asked)} redirects without a place that can be read", url=asked)
            target = checked_url(location, asked=asked, base=url, schemes=self._schemes)
            if self._leads_elsewhere is not None and self._leads_elsewhere(str(target)):
                raise LeadsElsewhere(
                    f"{_shown(asked)} redirects to {_shown(str(target))}", url=asked, target=str(target)
                )
            if _origin(target) != _origin(url):
                sent = {name: value for name, value in sent.items() if name in _WITHOUT_SECRETS}
            url = target
        raise Unreachable(
            f"{_shown(asked)} redirects more than {MAX_REDIRECTS} times (MAX_REDIRECTS)", url=asked
        )

    def _ask(
        self, asked: str, url: Url, method: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[SyncStreamRequest, _Answer]:
        proxy = self._proxies.for_url(url.scheme, url.host_str or "", url.port_or_known_default or 0)

        def send() -> tuple[SyncStreamRequest, SyncResponse]:
            # Without a read-ahead the headers arrive, and with them the means to resume, whatever becomes
            # of the body.
            builder = self._clients[proxy].request(method, url).headers(headers)
            if body is not None:
                builder = builder.body_bytes(body)
            request = builder.streamed_read_buffer_limit(0).build_streamed()
            return request, request.__enter__()

        request, response = self._mapped(asked, url, proxy, send)
        return request, _Answer(
            response, asked, url, lambda read: self._mapped(asked, url, proxy, read, body=True)
        )

    def _mapped(
        self, asked: str, url: Url, proxy: Proxy | None, call: Callable[[], _T], *, body: bool = False
    ) -> _T:
        """Call into the library; whatever it raises comes out as `Unreachable`."""
        if self._closed.is_set():
            raise Unreachable(f"no answer from {_shown(asked)}: the client was closed", url=asked)
        try:
            return call()
        except (PyreqwestError, ValueError, OSError) as error:
            reason = _reason(error)
            transient = isinstance(error, NetworkError | RequestTimeoutError) or (
                isinstance(error, RequestError) and (body or _is_reset(error))
            )
            transient = transient and not isinstance(error, ClientClosedError) and not _FINAL.search(reason)
            if isinstance(error, RequestTimeoutError):
                reason = f"timed out (limits: {self._time_limits})"
            where = _shown(asked)
            if _shown(str(url)) != where:
                where += f" (now at {_shown(str(url))})"
            if proxy is not None:
                where += f" through the proxy {proxy}"
            hint = None
            if reason.startswith(_BAD_CERTIFICATE):
                reason = self._certificate_words(url, proxy, reason)
                hint = "where a company inspects TLS, pass its certificate with --root-certificates"
            doing = "the answer broke off" if body else "no answer"
            raise Unreachable(
                f"{doing} from {where}: {reason}", url=asked, transient=transient, hint=hint
            ) from error

    def _certificate_words(self, url: Url, proxy: Proxy | None, reason: str) -> str:
        from binstall.net.issuer import issuer_of

        issuer = issuer_of((url.host_str or "").strip("[]"), url.port_or_known_default or 443, proxy)
        return (
            f"its certificate is not accepted ({reason.removeprefix(_BAD_CERTIFICATE)[:200]}); "
            f"it was issued by {issuer or 'somebody who could not be read'}; "
            f"the trusted roots came from {self._roots}"
        )


def checked_url(text: str, *, asked: str, base: Url | None, schemes: Collection[str]) -> Url:
    """Parse the URL that was `asked` for, or a `Location` met at `base`, and see that it may be asked for.

    Raises:
        Unreachable: it is no URL, of no scheme in `schemes`, or leads away from https.
    """
    what = _shown(asked) if base is None else f"{_shown(asked)} redirects to {_shown(text)}, which"
    if len(text) > MAX_URL_CHARACTERS:
        raise Unreachable(
            f"{what} has more than {MAX_URL_CHARACTERS} characters (MAX_URL_CHARACTERS)", url=asked
        )
    if base is None and not _ABSOLUTE.match(text):
        raise Unreachable(f"{what} is not an absolute https URL", url=asked)
    if any(character < " " or character == "\x7f" for character in text):
        raise Unreachable(f"{what} holds a control character", url=asked)
    try:
        url = Url(text) if base is None else base.join(text)
    except ValueError as error:
        raise Unreachable(f"{what} is not a URL: {error}", url=asked) from error
    if url.scheme not in schemes or (base is not None and base.scheme == "https" != url.scheme):
        hint = None
        if url.scheme == "http":
            hint = "plain http can be read and changed on the way"
            if base is None:
                hint += "; --allow-insecure-http allows it"
        raise Unreachable(f"{what} is not an https URL", url=asked, hint=hint)
    if not url.host_str:
        raise Unreachable(f"{what} names no host", url=asked)
    if base is not None and base.scheme == "http" and is_loopback(str(base)) and not is_loopback(str(url)):
        # What this machine serves over plain http counts as authentic; what it points to elsewhere is not.
        raise Unreachable(f"{what} leads away from this machine", url=asked)
    return url.with_fragment(None)


class _Answer:
    """Response over one streamed request."""

    def __init__(
        self,
        response: SyncResponse,
        asked: str,
        url: Url,
        mapped: Callable[[Callable[[], bytes]], bytes],
    ) -> None:
        self.status = response.status
        self.url = str(url)
        self.headers = _headers(response.headers)
        self._response = response
        self._asked = asked
        self._mapped = mapped

    @property
    def location(self) -> str | None:
        """Where a redirect leads; None where it is not said in text."""
        return self.headers.get("location")

    def require_identity(self) -> None:
        """See that the body, if it is the file, is the file itself."""
        coding = self.headers.get("content-encoding", "identity").strip().lower()
        if 200 <= self.status < 300 and coding not in ("", "identity"):
            raise Unreachable(
                f"{_shown(self._asked)} answers with the content coding {coding[:50]}, "
                "although none was asked for",
                url=self._asked,
                hint="the server must send the file as it is stored",
            )

    def chunks(self) -> Iterator[bytes]:
        reader = self._response.body_reader

        def read() -> bytes:
            chunk = reader.read_chunk()
            return b"" if chunk is None else chunk.to_bytes()

        while chunk := self._mapped(read):
            yield chunk


def _build(
    roots: TrustedRoots,
    proxy: Proxy | None,
    min_tls: TlsVersion,
    connect_timeout: float,
    idle_timeout: float,
) -> SyncClient:
    builder = (
        SyncClientBuilder()
        .follow_redirects(False)
        .referer(False)
        .gzip(False)
        .brotli(False)
        .zstd(False)
        .deflate(False)
        .user_agent(f"binstall/{__version__}")
        .connect_timeout(timedelta(seconds=connect_timeout))
        .read_timeout(timedelta(seconds=idle_timeout))
        .http2(True)
        .http2_initial_stream_window_size(STREAM_WINDOW_BYTES)
        .http2_initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_keep_alive_interval(timedelta(seconds=idle_timeout / 3))
        .http2_keep_alive_timeout(timedelta(seconds=idle_timeout / 3))
        .min_tls_version(min_tls)
        .no_proxy()
    )
    for certificate in roots.added:
        builder = builder.add_root_certificate_der(certificate)
    if proxy is not None:
        builder = builder.proxy(_proxy_builder(proxy))
    try:
        return builder.build()
    except (PyreqwestError, ValueError) as error:
        reason = _reason(error)
        if "No CA certificates" in reason:
            raise ConfigError(
                f"no trusted root certificate was found in {roots}",
                hint="install the system's package ca-certificates, or pass --root-certificates FILE",
            ) from error
        raise ConfigError(f"no TLS client can be made with {roots}: {reason}") from error


def _proxy_builder(proxy: Proxy) -> ProxyBuilder:
    try:
        builder = ProxyBuilder.all(proxy.url)
        if proxy.user is not None:
            builder = builder.basic_auth(proxy.user, proxy.password or "")
    except (PyreqwestError, ValueError) as error:
        raise ConfigError(f"the proxy {proxy} cannot be used: {_reason(error)}") from error
    return builder


def _headers(found: HeaderMap) -> dict[str, str]:
    values: dict[str, str] = {}
    for name in dict.fromkeys(found.keys()):
        try:
            values[name.lower()] = ", ".join(found.getall(name))
        except ValueError:  # bytes that are no text: a header that nobody can mean for us
            continue
    return values


def _origin(url: Url) -> tuple[str, str | None, int | None]:
    return url.scheme, url.host_str, url.port_or_known_default


def _basic(url: Url) -> str:
    secret = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return f"Basic {b64encode(secret.encode()).decode()}"


def _shown(url: str) -> str:
    if "@" in url and not _ABSOLUTE.match(url):
        return "a URL that may hold a password"
    return without_secrets(url[:MAX_URL_CHARACTERS])[:300]


def _is_reset(error: RequestError) -> bool:
    """Tell whether a stream or connection of HTTP/2 was ended from the other side, as TCP resets one of 1.1."""
    return _HTTP2_FAILURE in _causes(error)


def _causes(error: Exception) -> list[str]:
    causes = getattr(error, "details", None) or {}
    return [str(cause["message"]) for cause in causes.get("causes") or []]


def _reason(error: Exception) -> str:
    """Return the innermost cause in words; never a URL, which could hold secrets."""
    messages = _causes(error)
    words = messages[-1] if messages else getattr(error, "message", None) or str(error)
    return _LINKS.sub("", words)[:300]
