"""What may be tried after what: the one rule about going on from the publisher to another party. Pure.

Strategies are tried in the order in which they were given; `compile` is always last. The publisher's own
packages (`crate-meta-data`) come from whom the manifest names; QuickInstall is a third party that builds
crates of crates.io and signs them with its own key; `compile` is this machine's own build of the source.

    the publisher's packages           QuickInstall                  compile
                                       binstall   cargo-binstall     binstall   cargo-binstall
    the crate declares no signature
      absent                           named      yes                named      yes
      unasked, by --strategies         named      yes                named      yes
      unusable under --only-signed     no         yes                no         no
      refused or found                 no         no                 no         no
    the crate declares a signature
      absent                           named      named              no         yes
      refused or found                 no         no                 no         no

`named`: only where the user named the strategy, in `--strategies`, its variable or the settings. In every
row QuickInstall is for crates of crates.io alone, and `--only-signed` rules out `compile`, and in `binstall`
QuickInstall as well: there it means the publisher's signature. A crate that declares a signature always has
its packages looked for first, even where the strategies leave them out, so it has no row `unasked`.
A host that cannot say whether a package is there ends the search before this rule is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final, Literal

from binstall.errors import UsageError

Front = Literal["binstall", "cargo-binstall"]


class Strategy(StrEnum):
    """A way to get the binaries of a crate, by cargo-binstall's names."""

    CRATE_META_DATA = "crate-meta-data"
    QUICK_INSTALL = "quick-install"
    COMPILE = "compile"


ALL: Final = tuple(Strategy)


@dataclass(frozen=True, slots=True)
class Strategies:
    """What is tried, in order."""

    order: tuple[Strategy, ...]
    """Not empty, each once; `compile` last."""
    named: frozenset[Strategy] = frozenset()
    """Those that the user named. Where there are any, what the manifest disables is not looked at."""


PUBLISHER_ONLY: Final = Strategies((Strategy.CRATE_META_DATA,))


def default_strategies(front: Front) -> tuple[Strategy, ...]:
    """Return what is tried where the user says nothing."""
    return ALL if front == "cargo-binstall" else PUBLISHER_ONLY.order


def choose_strategies(given: Sequence[str], disabled: Iterable[str], front: Front) -> Strategies:
    """Turn the user's words into what is tried.

    Raises:
        UsageError: an unknown word; one given twice; nothing left; something after `compile`.
    """
    named = [_strategy(word) for word in given]
    twice = [strategy for strategy, count in Counter(named).items() if count > 1]
    if twice:
        raise UsageError(f"the strategy {twice[0]} is given more than once")
    without = {_strategy(word) for word in disabled}
    order = tuple(each for each in named or default_strategies(front) if each not in without)
    if not order:
        raise UsageError(
            "every strategy is disabled",
            hint="leave one of them: " + ", ".join(named or default_strategies(front)),
        )
    if Strategy.COMPILE in order[:-1]:
        raise UsageError("the strategy compile must be the last one")
    return Strategies(order, frozenset(named))


def _strategy(word: str) -> Strategy:
    try:
        return Strategy(word)
    except ValueError as error:
        raise UsageError(
            f"there is no strategy {word[:80]!r}", hint="there are " + ", ".join(ALL)
        ) from error


class Publisher(Enum):
    """How it stands with the publisher's own packages."""

    ABSENT = "absent"
    """All were asked for, and every host knows that it has none."""
    UNASKED = "unasked"
    """The strategies leave them out."""
    UNUSABLE = "unusable"
    """`--only-signed`, and the crate declares no signature: whether they are there makes no difference."""
    REFUSED = "refused"
    """A host answered 401 or 403, which may be its way of saying that there is one."""
    FOUND = "found"


@dataclass(frozen=True, slots=True)
class Situation:
    """All that the rule looks at."""

    publisher: Publisher
    declares_signature: bool
    """For any target at all."""
    from_crates_io: bool
    """By whatever route."""
    only_signed: bool
    front: Front
    named: frozenset[Strategy]


def forbidden(strategy: Strategy, now: Situation) -> str | None:
    """Return why `strategy` may not be tried in this situation, as half a sentence; None: it may.

    The publisher's own packages are always allowed.
    """
    if strategy is Strategy.CRATE_META_DATA:
        return None
    if now.publisher is Publisher.REFUSED:
        return "a host refused to tell whether the publisher's package is there"
    if now.publisher is Publisher.FOUND:
        return "its publisher has a package"
    if strategy is Strategy.QUICK_INSTALL:
        return _quick_install(now)
    return _compile(now)


def _quick_install(now: Situation) -> str | None:
    if not now.from_crates_io:
        return "QuickInstall builds crates of crates.io only"
    if now.only_signed and now.front == "binstall":
        return "--only-signed means the publisher's signature, and QuickInstall is a third party"
    if Strategy.QUICK_INSTALL not in now.named:
        if now.front == "binstall":
            return "QuickInstall is a third party, and was not asked for by name"
        if now.declares_signature:
            return "its publisher signs the packages, and QuickInstall, a third party, was not asked for by name"
    return None


def _compile(now: Situation) -> str | None:
    if now.only_signed:
        return "a build from source is not signed (--only-signed)"
    if now.front == "binstall":
        if now.declares_signature:
            return "its publisher signs the packages, and nothing else takes their place"
        if Strategy.COMPILE not in now.named:
            return "a build from source was not asked for by name"
    return None
