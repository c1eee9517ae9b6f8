"""A Fetcher that asks mirrors in the place of hosts that this machine cannot, or shall not, reach.

What is asked for, checked, shown and recorded is the original URL; only here is it rewritten. So that the
mirror need not be trusted with more than the bytes, which a signature or checksum of elsewhere judges:

    headers     a mirror gets those that hold no secret; a token for the original host stays at home
    user-info   of the original URL is dropped; that of the rule's `to` is the mirror's own
    place       of the answer is the original one, never one that the mirror's redirects name, but those
                within the mirror itself
    redirects   that lead to a mirrored prefix, from anywhere, are rewritten as well; the HTTP client must
                raise `LeadsElsewhere` for them (`is_mirrored`), so that the original is never asked
    the way back to the original is open only where the rule says `fallback`
    questions with a body are not mirrored, and do not reach a mirrored original either
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from binstall.errors import TemplateError, Unreachable
from binstall.formats.mirrors import Mirror, mirror_for
from binstall.limits import MAX_REDIRECTS
from binstall.net.fetcher import NO_HEADERS, Fetcher, LeadsElsewhere, Response
from binstall.text import without_secrets

_WITHOUT_SECRETS: Final = frozenset({"accept", "accept-encoding", "range", "if-range"})
_NOT_SATISFIABLE: Final = 416


class MirrorFetcher:
    """Fetcher over another one, with rules; may be called from several threads."""

    def __init__(self, fetcher: Fetcher, mirrors: Sequence[Mirror]) -> None:
        """Ask by way of `fetcher`, which raises `LeadsElsewhere` for redirects to what `is_mirrored`."""
        self._fetcher = fetcher
        self._mirrors = tuple(mirrors)

    @contextmanager
    def open(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] = NO_HEADERS,
        body: bytes | None = None,
    ) -> Iterator[Response]:
        """Ask the mirror of `url`, or `url` itself where no rule fits; see `Fetcher.open`."""
        with ExitStack() as stack:
            yield self._ask(stack, url, method, headers, body)

    def close(self) -> None:
        """Close the other one."""
        self._fetcher.close()

    def _ask(
        self, stack: ExitStack, url: str, method: str, headers: Mapping[str, str], body: bytes | None
    ) -> Response:
        asked = url
        for _ in range(MAX_REDIRECTS + 1):
            try:
                found = self._rule(asked)
                if found is None:
                    return stack.enter_context(
                        self._fetcher.open(asked, method=method, headers=headers, body=body)
                    )
                return self._ask_mirror(stack, *found, asked, method, headers, body)
            except LeadsElsewhere as redirect:
                asked = redirect.target
                headers = _without_secrets(headers)
        raise Unreachable(
            f"{without_secrets(url)} redirects more than {MAX_REDIRECTS} times (MAX_REDIRECTS)", url=url
        )

    def _ask_mirror(
        self,
        stack: ExitStack,
        mirror: Mirror,
        rest: str,
        asked: str,
        method: str,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> Response:
        if body is not None:
            raise Unreachable(
                f"{without_secrets(asked)} has the mirror {mirror}, which is asked for files only",
                url=asked,
            )
        attempt = stack.enter_context(ExitStack())
        try:
            response = attempt.enter_context(
                self._fetcher.open(mirror.to + rest, method=method, headers=_without_secrets(headers))
            )
        except LeadsElsewhere:
            raise
        except Unreachable as error:
            if not mirror.fallback:
                raise _by_way_of(mirror, asked, error) from error
        else:
            answered = response.status < 400 or response.status == _NOT_SATISFIABLE
            if answered or not mirror.fallback:
                return _Mirrored(response, asked, _place(mirror, response.url, asked))
            attempt.close()
        return stack.enter_context(self._fetcher.open(asked, method=method, headers=headers))

    def _rule(self, url: str) -> tuple[Mirror, str] | None:
        try:
            return mirror_for(self._mirrors, url)
        except TemplateError as error:
            # Somebody else might read it as a mirrored one.
            raise Unreachable(
                f"{without_secrets(url)} cannot be asked for: {error.message}", url=url
            ) from error


def is_mirrored(mirrors: Sequence[Mirror], url: str) -> bool:
    """Tell whether `url` may be asked for at a mirror; for the HTTP client, about redirects."""
    try:
        return mirror_for(mirrors, url) is not None
    except TemplateError:
        return True  # asked for again, and then refused


def _without_secrets(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() in _WITHOUT_SECRETS}


def _place(mirror: Mirror, answered: str, asked: str) -> str:
    """Return the original URL of the place that answered: within the mirror its counterpart, else `asked`."""
    found = mirror_for((Mirror(_without_user(mirror.to), mirror.original),), answered)
    return _without_user(asked) if found is None else found[0].to + found[1]


def _without_user(url: str) -> str:
    scheme, slashes, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{authority.rpartition('@')[2]}{slash}{path}"


def _by_way_of(mirror: Mirror, asked: str, error: Unreachable) -> Unreachable:
    return Unreachable(
        f"{without_secrets(asked)} was asked for at its mirror {mirror}: {error.message}",
        url=asked,
        transient=error.transient,
        hint=error.hint
        or "the rule is a [[mirror]] of the settings; `fallback = true` in it lets the original "
        "be asked, too",
    )


@dataclass(frozen=True, slots=True)
class _Mirrored:
    """An answer of a mirror, told as the original's."""

    response: Response
    asked: str
    url: str

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self.response.headers

    def chunks(self) -> Iterator[bytes]:
        return self.response.chunks()
