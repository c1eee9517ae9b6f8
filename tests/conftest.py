"""What holds for every test: no database of examples beside the sources, and live tests only when asked for."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

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


@pytest.fixture
def plain_user_folder() -> Iterator[Path]:
    """A folder of a user to whom the system refuses things; who that is while the test runs, even if root is."""
    folder = Path(tempfile.mkdtemp(prefix="binstall-test-"))
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        shutil.rmtree(folder)
