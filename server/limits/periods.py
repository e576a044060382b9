"""The periods that quotas and budgets are for, in UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000


class Period(StrEnum):
    """How long a limit is for."""

    DAILY = "daily"
    WEEKLY = "weekly"
    """From Monday."""
    MONTHLY = "monthly"
    TOTAL = "total"
    """For ever."""


@dataclass(frozen=True, slots=True)
class Span:
    """One period, in microseconds since the epoch.

    Attributes:
        start: its first moment.
        end: the first moment after it; None: it has no end.
    """

    start: int
    end: int | None

    def __contains__(self, time: int) -> bool:
        """Whether a time is in it."""
        return self.start <= time and (self.end is None or time < self.end)


def find_span(period: Period, time: int) -> Span:
    """Finds the period that a time is in."""
    if period is Period.TOTAL:
        return Span(0, None)
    day = datetime.fromtimestamp(time // _SECOND, UTC).replace(hour=0, minute=0, second=0)
    if period is Period.DAILY:
        return Span(_micros(day), _micros(day + timedelta(days=1)))
    if period is Period.WEEKLY:
        monday = day - timedelta(days=day.weekday())
        return Span(_micros(monday), _micros(monday + timedelta(days=7)))
    first = day.replace(day=1)
    return Span(_micros(first), _micros((first + timedelta(days=32)).replace(day=1)))


def _micros(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1)
