"""What a model cost at which time: prices with the times from which they hold."""

from collections.abc import Sequence
from dataclasses import dataclass

from server.ledger.price import Price

DAY = 86_400_000_000
"""A day in microseconds."""


@dataclass(frozen=True, slots=True)
class Dated:
    """A price and when it holds.

    Attributes:
        begin: from when, microseconds since the epoch.
        window: from and to when of each day, microseconds since midnight UTC; it may pass midnight, and
            from and to the same time it is all day. None: all day.
        price: None: the price is not known.
    """

    begin: int
    window: tuple[int, int] | None
    price: Price | None


def price_at(schedule: Sequence[Dated], at: int) -> Price | None:
    """The price at a time: that of the last one of those that hold then.

    Args:
        schedule: in the order of their weight.
        at: microseconds since the epoch.
    """
    for dated in reversed(schedule):
        if dated.begin <= at and (dated.window is None or _within(dated.window, at % DAY)):
            return dated.price
    return None


def _within(window: tuple[int, int], time: int) -> bool:
    begin, end = window
    return begin <= time < end if begin < end else time >= begin or time < end
