"""Budgets: rows that say how much money may be spent in a period, and the events of those that come near to it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy import select, update

from server.errors import GatewayError
from server.limits.allowances import Allowance, Due, Unit
from server.limits.periods import Period
from server.limits.quotas import tell_allowance
from server.storage.connection import AsyncConnection
from server.storage.database import Database
from server.storage.tables import BUDGET_EVENTS, BUDGETS
from trunkline.v1.error_reason_pb2 import ErrorReason


@dataclass(frozen=True, slots=True)
class BudgetEvent:
    """So much of a budget is spent. Raised once in each of its periods, however often the budget is changed.

    Attributes:
        budget: the budget.
        period_start: which period it is, in microseconds since the epoch.
        threshold: per cent.
        spent_micros: what is spent.
    """

    budget: Allowance
    period_start: int
    threshold: int
    spent_micros: int


async def load_budgets(connection: AsyncConnection) -> list[Allowance]:
    """Reads all rows whose period is one."""
    return [
        Allowance(
            row.id,
            Unit.MICROS,
            row.scope,
            row.scope_id,
            row.limit_micros,
            Period(row.period),
            row.enforced,
            tuple(sorted(json.loads(row.thresholds))),
        )
        for row in await connection.execute(select(BUDGETS).where(BUDGETS.c.period.in_(tuple(Period))))
    ]


def crossed(due: Due, spent_micros: int) -> Sequence[BudgetEvent]:
    """The events of all thresholds that lie under what is spent."""
    limit = due.allowance.limit
    return [
        BudgetEvent(due.allowance, due.span.start, threshold, spent_micros)
        for threshold in due.allowance.thresholds
        if spent_micros > 0 and spent_micros * 100 >= limit * threshold
    ]


async def record_event(database: Database, event: BudgetEvent, now: int) -> bool:
    """Writes the event's row; tells whether it is the first of its threshold in its period.

    A later one has more spent: the budget was raised, and crossed again. Its sum takes the place of the first one's.

    Raises:
        StorageError: the database failed.
    """
    row = {
        "id": uuid4().hex,
        "budget_id": event.budget.id,
        "period_start": event.period_start,
        "threshold": event.threshold,
        "spent_micros": event.spent_micros,
        "create_time": now,
    }
    async with database.begin() as connection:
        statement = database.upsert(BUDGET_EVENTS, ("budget_id", "period_start", "threshold"), ())
        if (await connection.execute(statement, row)).rowcount == 1:
            return True
        columns = BUDGET_EVENTS.c
        await connection.execute(
            update(BUDGET_EVENTS)
            .where(
                columns.budget_id == event.budget.id,
                columns.period_start == event.period_start,
                columns.threshold == event.threshold,
                columns.spent_micros < event.spent_micros,
            )
            .values(spent_micros=event.spent_micros)
        )
        return False


def budget_exceeded(due: Due) -> GatewayError:
    """The refusal of a request that a budget does not leave enough for. What others spend is nobody's business."""
    budget = due.allowance
    whose = {"global": "this gateway"}.get(budget.scope, f"this {budget.scope}")
    text = f"The {budget.period} budget of {whose} does not leave enough for this request."
    told = tell_allowance(due)
    if budget.scope in ("tenant", "user", "key"):
        told["limit"] = str(budget.limit)
    return GatewayError(ErrorReason.ERROR_REASON_BUDGET_EXCEEDED, text, told, violations=((budget.subject, text),))
