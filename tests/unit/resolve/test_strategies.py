"""Who may be asked after whom."""

from __future__ import annotations

import itertools
import re

import pytest

from binstall.errors import UsageError
from binstall.resolve import strategies
from binstall.resolve.strategies import (
    ALL,
    Front,
    Publisher,
    Situation,
    Strategies,
    Strategy,
    choose_strategies,
    forbidden,
)

CRATE, QUICK, COMPILE = ALL
FRONTS: tuple[Front, ...] = ("binstall", "cargo-binstall")
ROWS = {
    (False, Publisher.ABSENT): ("named", "yes", "named", "yes"),
    (False, Publisher.UNASKED): ("named", "yes", "named", "yes"),
    (False, Publisher.UNUSABLE): ("no", "yes", "no", "no"),
    (False, Publisher.REFUSED): ("no", "no", "no", "no"),
    (False, Publisher.FOUND): ("no", "no", "no", "no"),
    (True, Publisher.ABSENT): ("named", "named", "no", "yes"),
    (True, Publisher.REFUSED): ("no", "no", "no", "no"),
    (True, Publisher.FOUND): ("no", "no", "no", "no"),
}
"""Declares a signature, the publisher's packages: QuickInstall in both fronts, compile in both fronts."""
CASES = [
    pytest.param(
        declares,
        publisher,
        strategy,
        front,
        named,
        id=f"{declares} {publisher.name} {strategy} {front} {named}",
    )
    for (declares, publisher), strategy, front, named in itertools.product(
        ROWS, (QUICK, COMPILE), FRONTS, (False, True)
    )
]


def situation(
    publisher: Publisher = Publisher.ABSENT,
    *,
    declares: bool = False,
    front: Front = "cargo-binstall",
    named: frozenset[Strategy] = frozenset(),
    from_crates_io: bool = True,
    only_signed: bool = False,
) -> Situation:
    return Situation(publisher, declares, from_crates_io, only_signed, front, named)


@pytest.mark.parametrize(("declares", "publisher", "strategy", "front", "named"), CASES)
def test_every_cell_of_the_table_holds(
    declares: bool, publisher: Publisher, strategy: Strategy, front: Front, named: bool
) -> None:
    column = 2 * (strategy is COMPILE) + (front == "cargo-binstall")
    cell = ROWS[declares, publisher][column]
    now = situation(
        publisher,
        declares=declares,
        front=front,
        named=frozenset({strategy} if named else ()),
        only_signed=publisher is Publisher.UNUSABLE,
    )
    assert (forbidden(strategy, now) is None) == (cell == "yes" or (cell == "named" and named))


def test_the_table_of_the_module_is_the_one_that_is_tested() -> None:
    rows = re.findall(
        r"^      (.+?)  +(named|yes|no) +(named|yes|no) +(named|yes|no) +(named|yes|no)$",
        strategies.__doc__ or "",
        re.MULTILINE,
    )
    words = {
        "absent": [Publisher.ABSENT],
        "unasked, by --strategies": [Publisher.UNASKED],
        "unusable under --only-signed": [Publisher.UNUSABLE],
        "refused or found": [Publisher.REFUSED, Publisher.FOUND],
    }
    written = [(publisher, tuple(row[1:])) for row in rows for publisher in words[row[0]]]
    assert written == [(publisher, cells) for (_, publisher), cells in ROWS.items()]


@pytest.mark.parametrize("front", FRONTS)
def test_quickinstall_is_for_crates_of_crates_io_alone(front: Front) -> None:
    now = situation(front=front, named=frozenset(ALL), from_crates_io=False)
    assert "crates.io" in (forbidden(QUICK, now) or "")
    assert forbidden(COMPILE, now) is None


@pytest.mark.parametrize("front", FRONTS)
def test_only_signed_rules_out_a_build_from_source(front: Front) -> None:
    now = situation(front=front, named=frozenset(ALL), only_signed=True)
    assert "--only-signed" in (forbidden(COMPILE, now) or "")


def test_only_signed_means_the_publisher_in_binstall_and_any_signature_in_cargo_binstall() -> None:
    for front in FRONTS:
        now = situation(front=front, named=frozenset(ALL), only_signed=True)
        assert (forbidden(QUICK, now) is None) == (front == "cargo-binstall")


@pytest.mark.parametrize("publisher", Publisher)
def test_the_publishers_own_packages_are_always_allowed(publisher: Publisher) -> None:
    assert forbidden(CRATE, situation(publisher, declares=True, only_signed=True)) is None


def test_nothing_said_is_everything_in_cargo_binstall_and_the_publisher_in_binstall() -> None:
    assert choose_strategies([], [], "cargo-binstall") == Strategies(ALL)
    assert choose_strategies([], [], "binstall") == Strategies((CRATE,))


def test_what_is_given_is_named_and_what_is_disabled_is_left_out() -> None:
    chosen = choose_strategies(["quick-install", "crate-meta-data"], ["quick-install"], "binstall")
    assert chosen == Strategies((CRATE,), frozenset({QUICK, CRATE}))
    assert choose_strategies([], ["compile", "compile"], "cargo-binstall").order == (CRATE, QUICK)


@pytest.mark.parametrize(
    ("given", "disabled", "words"),
    [
        (["compile", "compile"], [], "more than once"),
        (["compile", "quick-install"], [], "must be the last"),
        (["compile", "crate-meta-data"], [], "must be the last"),
        (["quick-install"], ["quick-install"], "every strategy is disabled"),
        ([], ["crate-meta-data", "quick-install", "compile"], "every strategy is disabled"),
        (["QuickInstall"], [], "no strategy 'QuickInstall'"),
        ([""], [], "no strategy ''"),
        ([], ["gh"], "no strategy 'gh'"),
    ],
)
def test_a_list_that_makes_no_sense_is_a_usage_error(
    given: list[str], disabled: list[str], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        choose_strategies(given, disabled, "cargo-binstall")


def test_compile_may_be_disabled_where_it_is_not_the_last() -> None:
    assert choose_strategies(["compile", "quick-install"], ["compile"], "binstall").order == (QUICK,)
