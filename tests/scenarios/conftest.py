"""One publisher and one machine for each scenario."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support_machine import Machine
from support_registry import Publisher


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[Publisher]:
    folder = tmp_path / "publisher"
    folder.mkdir()
    with Publisher(folder) as publisher:
        yield publisher


@pytest.fixture
def machine(tmp_path: Path, publisher: Publisher) -> Machine:
    folder = tmp_path / "machine"
    folder.mkdir()
    machine = Machine(folder)
    machine.trust(publisher)
    return machine
