"""A clock that stands until it is turned."""

from dataclasses import dataclass

START = 1_800_000_000.0  # 2027-01-15 08:00 UTC, a Friday


@dataclass(slots=True)
class TurnedClock:
    """Shows what it is set to.

    Attributes:
        time: seconds since the epoch.
    """

    time: float = START

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    def microseconds(self) -> int:
        return round(self.time * 1_000_000)
