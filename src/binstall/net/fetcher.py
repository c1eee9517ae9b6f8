"""The seam to the network: one question, one answer, read as it arrives.

`binstall.net.http.HttpFetcher` is the real one. A test or a simulator may be another; all that they have
to keep is that nothing but `Unreachable` ever comes out, while the body is read as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Protocol

from binstall.errors import Unreachable

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class LeadsElsewhere(Unreachable):
    """A redirect to a place that is asked for at a mirror: `target`, an absolute URL.

    Only between a fetcher and the one around it that knows the mirrors.
    """

    def __init__(self, message: str, *, url: str, target: str) -> None:
        super().__init__(message, url=url)
        self.target = target


class Response(Protocol):
    """The answer that is left after redirects, whatever its status."""

    @property
    def status(self) -> int:
        """HTTP status code."""

    @property
    def url(self) -> str:
        """Where the answer came from in the end, without user-info; may hold secret query values."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Lower-case name to value; several values joined by a comma and a space. Chosen by the server."""

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it arrives, in non-empty pieces; raise `Unreachable` where it breaks off."""


class Fetcher(Protocol):
    """Asks for URLs. Called from several threads at once."""

    def open(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] = NO_HEADERS,
        body: bytes | None = None,
    ) -> AbstractContextManager[Response]:
        """Ask for `url`, follow redirects and hand out the answer; leaving the context drops the rest.

        A question with a `body` goes to `url` alone: a redirect is then the answer.

        Raises:
            Unreachable: no usable answer arrived; `transient` where another try may help.
        """

    def close(self) -> None:
        """End what is under way in other threads with `Unreachable`, as soon as it can be ended."""
