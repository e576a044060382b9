"""What the rows of completions say was used, and those of forgotten ones. The one truth that counters are seeded from."""

from collections.abc import Sequence

from sqlalchemy import Column, ColumnElement, Table, case, func, select

from server.ledger.used import USED_MICROS, USED_TOKENS
from server.limits.allowances import Due, Sums, Unit
from server.limits.request import MODEL
from server.storage.connection import AsyncConnection
from server.storage.tables import COMPLETIONS, FORGOTTEN

_SCOPES = {"tenant": "tenant_id", "user": "user_id", "key": "key_id"}


async def sum_rows(connection: AsyncConnection, due: Due, models: Sequence[str]) -> Sums:
    """Sums the rows of an allowance's period: what the settled ones used, and what the open ones hold back.

    Args:
        connection: a `read`'s; a row that is forgotten meanwhile is counted once.
        due: the allowance in its period.
        models: all names of the model that it is for, where it is for one.
    """
    used, reserved = _columns(due.allowance.unit)
    is_open = COMPLETIONS.c.state == "open"
    there = select(
        func.coalesce(func.sum(case((is_open, reserved), else_=used)), 0),
        func.coalesce(func.sum(case((is_open, 0), else_=used)), 0),
    ).where(*_within(due, models, COMPLETIONS, COMPLETIONS.c.begin_time))
    gone = select(func.coalesce(func.sum(FORGOTTEN.c[due.allowance.unit]), 0)).where(
        *_within(due, models, FORGOTTEN, FORGOTTEN.c.day)
    )
    value, settled = (await connection.execute(there)).one()
    forgotten = (await connection.execute(gone)).scalar_one()
    return Sums(int(value + forgotten), int(settled + forgotten))


def _columns(unit: Unit) -> tuple[ColumnElement[int], ColumnElement[int]]:
    if unit is Unit.MICROS:
        return USED_MICROS, COMPLETIONS.c.reserved_micros
    return USED_TOKENS, COMPLETIONS.c.reserved_tokens


def _within(due: Due, models: Sequence[str], table: Table, time: Column[int]) -> list[ColumnElement[bool]]:
    """Which rows of a table an allowance counts in its period, which begins and ends with days."""
    within = [time >= due.span.start]
    if due.span.end is not None:
        within.append(time < due.span.end)
    if due.allowance.scope == MODEL:
        within.append(table.c.model.in_(models))
    elif due.allowance.scope in _SCOPES:
        within.append(table.c[_SCOPES[due.allowance.scope]] == due.allowance.scope_id)
    return within
