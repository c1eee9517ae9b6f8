"""The list of targets is rustc's, as far as targets can be read."""

from __future__ import annotations

from pathlib import Path

from binstall.formats.known_targets import KNOWN_TARGETS
from binstall.formats.target import parse_target

VECTORS = Path(__file__).parents[2] / "vectors" / "targets.tsv"


def test_every_known_target_can_be_read_and_stands_once() -> None:
    for text in KNOWN_TARGETS:
        assert parse_target(text).text == text
    assert len(set(KNOWN_TARGETS)) == len(KNOWN_TARGETS) > 250


def test_the_readable_triples_of_the_vectors_are_known_but_for_other_spellings() -> None:
    rows = [
        line.split("\t") for line in VECTORS.read_text("utf-8").splitlines() if not line.startswith("#")
    ]
    readable = {row[0] for row in rows if "ERROR" not in row}
    assert readable - set(KNOWN_TARGETS) == {
        "i386-pc-windows-gnullvm",
        "x86_64-alpine-linux-musl",
        "x86_64-linux-gnu",
        "x86_64-pc-linux-gnu",
    }
