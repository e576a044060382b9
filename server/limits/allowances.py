"""Allowances: the quotas and budgets that are in force, as values, and found by whom they are for."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from server.limits.counters import NO_LIMIT, Claim
from server.limits.periods import Period, Span, find_span
from server.limits.request import Request

_DAY_S = 86_400.0
_WEEK_S = 7 * _DAY_S
_SECOND = 1_000_000


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

    def amount(self, request: Request) -> int:
        """How much of it a request wants."""
        return request.tokens if self.unit is Unit.TOKENS else request.micros

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
    """An allowance in one of its periods: one counter."""

    __slots__ = ("allowance", "key", "span")

    def __init__(self, allowance: Allowance, span: Span) -> None:
        self.allowance = allowance
        self.span = span
        self.key = ":".join(
            (allowance.unit, allowance.id, allowance.scope, allowance.scope_id, allowance.period, str(span.start))
        )

    def claim(self, request: Request, now: int) -> Claim:
        """What a request claims of it."""
        allowance = self.allowance
        limit = allowance.limit if allowance.enforced else NO_LIMIT
        return Claim(self.key, allowance.amount(request), limit, self.expires_s(now), seeded=True)

    def expires_s(self, now: int) -> float:
        """When its counter may be forgotten; the rows are there to find out again."""
        return _WEEK_S if self.span.end is None else max(0.0, (self.span.end - now) / _SECOND) + _DAY_S


class Allowances:
    """The allowances in force, found by whom they are for.

    Args:
        allowances: all of them.
    """

    def __init__(self, allowances: Iterable[Allowance] = ()) -> None:
        self._by_scope: dict[str, dict[str, list[Allowance]]] = {}
        self._dues: dict[str, Due] = {}
        self.count = 0
        for allowance in allowances:
            self._by_scope.setdefault(allowance.scope, {}).setdefault(allowance.scope_id, []).append(allowance)
            self.count += 1

    def of(self, request: Request, time: int) -> Sequence[Due]:
        """What counts a request that begins at a time."""
        if not self._by_scope:
            return ()
        found: list[Due] = []
        for scope, by_id in self._by_scope.items():
            found += [self._due(allowance, time) for allowance in by_id.get(request.of(scope), ())]
        return found

    def dues(self, time: int) -> Iterator[Due]:
        """All of them at a time."""
        for by_id in self._by_scope.values():
            for allowances in by_id.values():
                yield from (self._due(allowance, time) for allowance in allowances)

    def _due(self, allowance: Allowance, time: int) -> Due:
        key = f"{allowance.unit}{allowance.id}"
        due = self._dues.get(key)
        if due is None or time not in due.span:
            due = self._dues[key] = Due(allowance, find_span(allowance.period, time))
        return due
