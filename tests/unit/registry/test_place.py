from __future__ import annotations

from urllib.parse import urlsplit

from hypothesis import example, given, settings
from hypothesis import strategies as st

from binstall.errors import BadRegistryUrl
from binstall.registry.place import CRATES_IO_PLACE, registry_place

VALID = ("sparse+https://reg.example:8443/a/b/", "https://host.example/index.git", "git@host:path/index")
pieces = st.sampled_from(
    ["sparse+", "https://", "@", ":", "/", "?", "#", "[", "]", "..", "%2f", "\n", "é", " "]
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(VALID))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        end = at + draw(st.integers(0, 4))
        text = text[:at] + draw(pieces | st.text(max_size=4)) + text[end:]
    return text


def read(text: str) -> None:
    try:
        place = registry_place(text, "--index", BadRegistryUrl)
    except BadRegistryUrl:
        return
    if place.kind == "sparse":
        parts = urlsplit(place.url)
        assert parts.scheme in {"http", "https"}
        assert parts.hostname
        assert not parts.query
        assert "@" not in parts.netloc
        assert place.url.endswith("/")
        assert registry_place(f"sparse+{place.url}", "", BadRegistryUrl) == place
    else:
        assert place.kind == "git index"


@settings(max_examples=1000, deadline=None)
@given(mutated())
def test_a_mutated_registry_url_is_read_or_refused(text: str) -> None:
    read(text)


@settings(max_examples=1000, deadline=None)
@given(st.text(max_size=60) | st.text(max_size=60).map(lambda text: f"sparse+https://{text}"))
@example("sparse+https://\ud800/")
@example("sparse+https://x//")
@example("sparse+https://\u2024")
@example("sparse+https://a\u2024\u2024b")
def test_any_registry_url_is_read_or_refused(text: str) -> None:
    read(text)


def test_both_addresses_of_crates_io_are_one_place() -> None:
    assert registry_place("sparse+https://index.crates.io", "", BadRegistryUrl) == CRATES_IO_PLACE
    git = "https://github.com/rust-lang/crates.io-index"
    assert registry_place(git, "", BadRegistryUrl) == CRATES_IO_PLACE
