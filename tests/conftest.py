"""What holds for every test: no database of examples beside the sources, and live tests only when asked for."""

from __future__ import annotations

import pytest
from hypothesis import settings

# Found examples go into the test that they are a case of; a folder for them may not be writable.
settings.register_profile("binstall", database=None)
settings.load_profile("binstall")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--live", action="store_true", help="also run the tests that ask real services")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--live"):
        return
    for item in items:
        if "live" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="asks a real service; --live runs it"))
