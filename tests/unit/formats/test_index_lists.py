"""A version that an index mentions in any way is taken."""

from __future__ import annotations

import json

import pytest

from binstall.formats.index import parse_index
from binstall.formats.version import parse_version


def line(version: str, **more: object) -> str:
    return json.dumps({"name": "hello", "vers": version, "cksum": "0" * 64, "yanked": False, **more}) + "\n"


INDEX = parse_index(
    (
        line("1.0.0")
        + line("1.1.0", yanked=True)
        + line("1.2.0", v=99)
        + line("1.3.0", pubtime="yesterday")
        + line("1.4.0+linux")
        + line("not a version")
    ).encode(),
    "hello",
)


@pytest.mark.parametrize(
    ("version", "taken"),
    [
        pytest.param("1.0.0", True, id="listed"),
        pytest.param("1.0.0+other.build", True, id="listed with other build metadata"),
        pytest.param("1.0.0-rc.1", False, id="a pre-release of what is listed"),
        pytest.param("1.1.0", True, id="yanked"),
        pytest.param("1.2.0", True, id="of a schema that is not known"),
        pytest.param("1.3.0", True, id="with a time that cannot be read"),
        pytest.param("1.4.0", True, id="listed with build metadata"),
        pytest.param("1.5.0", False, id="not there"),
    ],
)
def test_a_version_is_taken_or_free(version: str, taken: bool) -> None:
    assert INDEX.lists(parse_version(version)) is taken
