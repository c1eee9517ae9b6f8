from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from binstall.net.github import limit_ends


@pytest.mark.parametrize(
    ("status", "headers", "body", "ends"),
    [
        (429, {}, b"", 1060.0),
        (429, {"retry-after": "5"}, b"", 1005.0),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"}, b"", 1030.0),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2000000000"}, b"", 2_000_000_000.0),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9" * 400}, b"", 1060.0),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, b"", 1060.0),
        (403, {}, b"You have exceeded a secondary Rate Limit", 1060.0),
        (403, {"x-ratelimit-remaining": "4"}, b"no", None),
        (403, {}, b"", None),
    ],
)
def test_a_refusal_of_rate_says_when_it_ends(
    status: int, headers: dict[str, str], body: bytes, ends: float | None
) -> None:
    response: Any = SimpleNamespace(status=status, headers=headers)
    assert limit_ends(response, body, 1000.0) == ends
