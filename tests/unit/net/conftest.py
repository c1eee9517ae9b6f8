"""One authority for all tests of the network: making keys takes time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from binstall.net.http import HttpFetcher
from binstall.net.tls import find_trusted_roots
from support_net import Authority, Server


@pytest.fixture(scope="session")
def authority() -> Iterator[Authority]:
    with Authority("Test Authority of Example Ltd") as made:
        yield made


@pytest.fixture
def server(authority: Authority) -> Iterator[Server]:
    with Server(authority) as running:
        yield running


@pytest.fixture
def plain_server() -> Iterator[Server]:
    with Server(None) as running:
        yield running


@pytest.fixture
def new_fetcher(authority: Authority) -> Iterator[Callable[..., HttpFetcher]]:
    """Make fetchers that trust the authority and give up soon; they are closed after the test."""
    made = []

    def new(**settings: Any) -> HttpFetcher:
        settings.setdefault("roots", find_trusted_roots([authority.pem_path], {}))
        fetcher = HttpFetcher(**{"connect_timeout": 2.0, "idle_timeout": 2.0, **settings})
        made.append(fetcher)
        return fetcher

    yield new
    for fetcher in made:
        fetcher.close()


@pytest.fixture
def fetcher(new_fetcher: Callable[..., HttpFetcher]) -> HttpFetcher:
    return new_fetcher()
