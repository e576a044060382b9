"""What limits count with: claims, of which all or none are granted, and what is told of them.

There are two kinds of counters. A plain one holds a sum that comes from the database's rows: it is there once it was seeded,
and forgotten without harm. A window holds what was claimed in the last so many seconds, and needs no seed.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

SLOTS = 240
"""In how many parts a window forgets. A part is forgotten when all of it is too old, so never more than the limit passes in
any window, and at worst a 240th less."""
NO_LIMIT = -1
ANY_MARK = 0
LONGEST_SEED_S = 60.0
"""How long a seed may be under way."""


class CountersError(Exception):
    """The counters cannot be reached, or not in time. What was asked for may have been done all the same."""


class Claim(msgspec.Struct, frozen=True, gc=False):
    """What somebody wants of one counter.

    Attributes:
        key: the counter's.
        amount: how much is taken; it may be more than there is.
        limit: what the counter may come to; NO_LIMIT: anything.
        expires_s: when a plain counter may be forgotten, in seconds from now; None: never.
        window_s: the window's length; 0: the counter is a plain one.
        burst: how much of a window's limit may be claimed at once, before the rest has to come evenly; 0: all of it.
        seeded: whether a plain counter has to be seeded first; else it begins at nothing.
        needed: how much there has to be; nothing always fits. None: the amount.
    """

    key: str
    amount: int
    limit: int
    expires_s: float | None = None
    window_s: float = 0.0
    burst: int = 0
    seeded: bool = False
    needed: int | None = None

    @property
    def least(self) -> int:
        """How much there has to be."""
        return self.amount if self.needed is None else self.needed


class Taken(msgspec.Struct, frozen=True, gc=False):
    """What came of claims.

    Attributes:
        refused: the index of the first that did not fit; None: all fit, or some counters are absent.
        absent: the indices of claims whose counters have to be seeded first; then nothing was claimed.
        left: of each claim, how much of its limit is left; of a refused one before it.
        marks: of each claim, what tells `change` what it was claimed of; of an absent counter, what `seed` wants.
        wait_s: in how many seconds a refused claim of a window fits; None: it never does, or it is none of a window.
    """

    refused: int | None
    absent: tuple[int, ...]
    left: tuple[int, ...]
    marks: tuple[int, ...]
    wait_s: float | None = None


class Change(msgspec.Struct, frozen=True, gc=False):
    """A correction of what was claimed.

    Attributes:
        key: the counter's.
        delta: what is added to it; negative: given back.
        mark: from `Taken.marks`; ANY_MARK: whatever the counter is now. A plain counter that was seeded since is changed
            too, since its rows most likely had what was claimed, but that is told.
        settled: how much more is known to be used, of a plain counter.
        window_s: as in the claim.
    """

    key: str
    delta: int
    mark: int = ANY_MARK
    settled: int = 0
    window_s: float = 0.0


class Counters(Protocol):
    """Counters that several callers, or several processes, share.

    Attributes:
        on_trouble: called with True when they are out of reach, with False when they are back.
        failures: how often they did not answer.
        troubled: whether they are out of reach now.
        remote: whether answers have to be waited for. What is asked for first is done first, all the same. Where they are
            not, they are `LocalCounters`.
    """

    on_trouble: Callable[[bool], None]
    failures: int
    troubled: bool
    remote: bool

    async def take(self, claims: Sequence[Claim]) -> Taken:
        """Claims all or nothing, atomically. No two claims may be of one counter.

        Raises:
            CountersError: as for every method here that has to be awaited.
        """

    async def change(self, changes: Sequence[Change]) -> tuple[int | None, ...]:
        """Corrects; gives of each plain counter how much of it is settled.

        None: it is a window, or a counter that is gone, or was seeded since: what it holds is in doubt.
        """

    async def seed(
        self, key: str, value: int, settled: int = 0, mark: int = ANY_MARK, expires_s: float | None = None
    ) -> bool:
        """Sets a plain counter that is absent.

        Args:
            key: the counter's.
            value: what it is to hold.
            settled: how much of that is known to be used.
            mark: from `Taken.marks`; it is set only if nobody has dropped it since. ANY_MARK: if it is absent.
            expires_s: as in a claim.

        Returns:
            Whether it is there now as this, or another, caller seeded it.
        """

    async def value(self, key: str) -> int | None:
        """What a plain counter holds; None: it is absent."""

    async def drop(self, keys: Sequence[str]) -> None:
        """Forgets plain counters, whoever is seeding them."""

    async def new_run(self) -> str:
        """Whether the server began again since `know_run`, and may have set counters back: its run; empty: it did not."""

    async def know_run(self, run: str) -> None:
        """Tells that the counters are right, as of this run."""

    async def close(self) -> None:
        """Ends what is under way."""


class LocalCounters(Counters, Protocol):
    """Counters whose answers need not be waited for."""

    def take_at_once(self, claims: Sequence[Claim]) -> Taken:
        """What `take` does."""

    def change_at_once(self, changes: Sequence[Change]) -> tuple[int | None, ...]:
        """What `change` does."""
