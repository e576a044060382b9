"""Thresholds of budgets as alerts, read from the rows of budgets and of their events: every process has the same ones.

One fires from the settlement that crossed it until the budget's period ends, the budget is deleted or has that threshold no
more, or it is raised so far that what was spent is less than that much of it. Nothing is kept here: after a restart those of
the running period fire as before.
"""

from collections.abc import Mapping
from decimal import Decimal

from sqlalchemy import ColumnElement, Numeric, RowMapping, String, and_, case, cast, false, func, literal, not_, or_, select

from server.alerts.alert import Alert, Severity
from server.alerts.troubles import BUDGET_THRESHOLD
from server.clock import Clock
from server.limits.periods import Period, find_span
from server.storage.database import Database
from server.storage.tables import BUDGET_EVENTS, BUDGETS
from server.tenancy.pages import Page
from server.tenancy.subjects import Subject, within

_PATIENCE_S = 1.0
_MICROS = 1_000_000

_BUDGET, _EVENT = BUDGETS.c, BUDGET_EVENTS.c
_SEVERE = and_(_BUDGET.enforced, _EVENT.threshold >= 100)
"""Requests are refused."""


class BudgetAlerts:
    """The alerts of budgets.

    Args:
        database: has the rows.
        clock: tells which periods run.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def find(self, tenant_id: str, page: Page, severity: Severity | None) -> list[Alert]:
        """Those that fire, oldest first; one more than the page has room for, where there is one.

        Args:
            tenant_id: whose budgets are meant; empty: all.
            page: which of them.
            severity: only these; None: all.

        Raises:
            StorageError: the database failed.
        """
        query = (
            select(
                _EVENT.id,
                _EVENT.create_time,
                _EVENT.threshold,
                _EVENT.spent_micros,
                _BUDGET.id.label("budget_id"),
                _BUDGET.scope,
                _BUDGET.scope_id,
                _BUDGET.limit_micros,
                _BUDGET.period,
                _SEVERE.label("severe"),
            )
            .join(BUDGETS, _BUDGET.id == _EVENT.budget_id)
            .where(*self._fire(), *page.rows(BUDGET_EVENTS))
            .order_by(_EVENT.create_time, _EVENT.id)
            .limit(page.size + 1)
        )
        if tenant_id:
            query = query.where(within(BUDGETS, tenant_id))
        if severity is not None:
            query = query.where(_of(severity))
        async with self._database.read(_PATIENCE_S) as connection:
            return [_alert(row) for row in (await connection.execute(query)).mappings()]

    async def count(self) -> Mapping[Severity, int]:
        """How many fire, of all budgets.

        Raises:
            StorageError: the database failed.
        """
        severe = func.coalesce(func.sum(case((_SEVERE, 1), else_=0)), 0)
        query = (
            select(func.count(), severe)
            .select_from(BUDGET_EVENTS)
            .join(BUDGETS, _BUDGET.id == _EVENT.budget_id)
            .where(*self._fire())
        )
        async with self._database.read(_PATIENCE_S) as connection:
            total, errors = (await connection.execute(query)).one()
        return {Severity.WARNING: int(total) - int(errors), Severity.ERROR: int(errors)}

    def _fire(self) -> list[ColumnElement[bool]]:
        now = round(self._clock.now() * _MICROS)
        running = [
            and_(_BUDGET.period == period.value, _EVENT.period_start == find_span(period, now).start) for period in Period
        ]
        # Numeric: a product of whole numbers may be too large for one.
        crossed = cast(_EVENT.spent_micros, Numeric) * 100 >= cast(_BUDGET.limit_micros, Numeric) * _EVENT.threshold
        return [or_(*running), crossed, _listed()]


def _listed() -> ColumnElement[bool]:
    """Whether the budget has the threshold still; its list is a JSON array of whole numbers."""
    listed = func.replace(func.replace(func.replace(_BUDGET.thresholds, " ", ""), "[", ","), "]", ",")
    return listed.like(literal("%,").concat(cast(_EVENT.threshold, String)).concat(",%"))


def _of(severity: Severity) -> ColumnElement[bool]:
    if severity is Severity.ERROR:
        return _SEVERE
    return not_(_SEVERE) if severity is Severity.WARNING else false()


def _alert(row: RowMapping) -> Alert:
    subject = Subject(row["scope"], row["scope_id"]).name
    percentage, spent, limit = row["threshold"], row["spent_micros"], row["limit_micros"]
    labels = {
        "budget": f"budgets/{row['budget_id']}",
        "subject": subject,
        "scope": row["scope"],
        "period": row["period"],
        "percentage": str(percentage),
        "spent_usd_micros": str(spent),
        "limit_usd_micros": str(limit),
    }
    message = f"{percentage} % of the {row['period']} budget of {subject} is spent: ${_usd(spent)} of ${_usd(limit)}."
    severity = Severity.ERROR if row["severe"] else Severity.WARNING
    return Alert(row["id"], BUDGET_THRESHOLD, severity, message, row["create_time"], labels)


def _usd(micros: int) -> str:
    return f"{Decimal(micros) / _MICROS:f}"
