"""Allowances: the quotas and budgets that are in force, as values, and found by whom they are for."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from server.catalogue.own_names import OwnNames
from server.limits.counters import NO_LIMIT, Change, Claim
from server.limits.periods import Period, Span, find_span
from server.limits.request import MODEL, Request

_DAY_S = 86_400.0
_WEEK_S = 7 * _DAY_S
_SECOND = 1_000_000
_NOBODYS = -1
"""A mark that no counter has."""


class Unit(StrEnum):
    """What an allowance is counted in."""

    TOKENS = "tokens"
    """It is a quota."""
    MICROS = "micros"
    """Millionths of a US dollar: it is a budget."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """A quota or a budget.

    Attributes:
        id: the row's.
        unit: what it is counted in.
        scope: global, tenant, user, key or model.
        scope_id: whose it is; empty for global.
        limit: how much may be used in a period.
        period: how long it is for.
        enforced: whether it refuses; else it is only counted.
        thresholds: at which per cent of it an event is raised.
    """

    id: str
    unit: Unit
    scope: str
    scope_id: str
    limit: int
    period: Period
    enforced: bool = True
    thresholds: tuple[int, ...] = ()

    @property
    def subject(self) -> str:
        """Whose it is, for a reader."""
        return f"{self.scope}:{self.scope_id}" if self.scope_id else self.scope


@dataclass(frozen=True, slots=True)
class Sums:
    """What the rows of a period say: all that is used or held back, and the part that is used."""

    value: int
    settled: int


class Due:
    """An allowance in one of its periods: one counter.

    Attributes:
        alarm: of a budget, from which sum on a threshold is crossed; None: there are none.
    """

    __slots__ = ("_limit", "_of_tokens", "alarm", "allowance", "key", "span")

    def __init__(self, allowance: Allowance, span: Span) -> None:
        self.allowance = allowance
        self.span = span
        self._limit = allowance.limit if allowance.enforced else NO_LIMIT
        self._of_tokens = allowance.unit is Unit.TOKENS
        lowest = None if self._of_tokens else min(allowance.thresholds, default=None)
        self.alarm = None if lowest is None else -(-allowance.limit * lowest // 100)
        self.key = ":".join(
            (allowance.unit, allowance.id, allowance.scope, allowance.scope_id, allowance.period, str(span.start))
        )

    def claim(self, tokens: int, micros: int, needed_tokens: int, needed_micros: int) -> Claim:
        """What requests claim of it that may use and cost so much, and need so much to be there."""
        if self._of_tokens:
            return Claim(self.key, tokens, self._limit, None, 0.0, 0, True, needed_tokens)
        return Claim(self.key, micros, self._limit, None, 0.0, 0, True, needed_micros)

    def correction(self, tokens: int, micros: int, over_tokens: int, over_micros: int, mark: int = _NOBODYS) -> Change:
        """What makes what was claimed what was used; see `Bounds.changes`.

        Args:
            tokens: how many were used.
            micros: what they cost.
            over_tokens: how many more than claimed.
            over_micros: likewise.
            mark: of the counter that it was claimed of.
        """
        if self._of_tokens:
            return Change(self.key, over_tokens, mark, tokens)
        return Change(self.key, over_micros, mark, micros)

    def expires_s(self, now: int) -> float:
        """When its counter may be forgotten; the rows are there to find out again."""
        return _WEEK_S if self.span.end is None else max(0.0, (self.span.end - now) / _SECOND) + _DAY_S


class Allowances:
    """The allowances in force, found by whom they are for.

    Args:
        allowances: all of them.
        models: knows which names are one model.
    """

    def __init__(self, allowances: Iterable[Allowance], models: OwnNames) -> None:
        self._by_scope: dict[str, dict[str, list[Due]]] = {}
        for allowance in allowances:
            due = Due(allowance, find_span(allowance.period, 0))
            whose = allowance.scope_id
            if allowance.scope == MODEL:
                whose = models.of(whose)
            self._by_scope.setdefault(allowance.scope, {}).setdefault(whose, []).append(due)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._by_scope)

    def of(self, request: Request, time: int) -> Sequence[Due]:
        """What counts a request that begins at a time."""
        if not self._by_scope:
            return ()
        found: list[Due] = []
        for scope, by_id in self._by_scope.items():
            dues = by_id.get(request.of(scope))
            if dues is not None:
                found += _turned(dues, time)
        return found

    def dues(self, time: int) -> Iterator[Due]:
        """All of them at a time."""
        for by_id in self._by_scope.values():
            for dues in by_id.values():
                yield from _turned(dues, time)


def _turned(dues: list[Due], time: int) -> Sequence[Due]:
    """The same allowances in the periods that a time is in."""
    for index, due in enumerate(dues):
        span = due.span
        if time < span.start or (span.end is not None and time >= span.end):
            dues[index] = Due(due.allowance, find_span(due.allowance.period, time))
    return tuple(dues)
