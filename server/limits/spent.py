"""What the rows of completions say was used. The one truth that counters are seeded from."""

from sqlalchemy import ColumnElement, case, func, select

from server.limits.allowances import Due, Sums, Unit
from server.storage.connection import AsyncConnection
from server.storage.tables import COMPLETIONS

_SCOPES = {
    "tenant": COMPLETIONS.c.tenant_id,
    "user": COMPLETIONS.c.user_id,
    "key": COMPLETIONS.c.key_id,
    "model": COMPLETIONS.c.model,
}


async def sum_rows(connection: AsyncConnection, due: Due) -> Sums:
    """Sums the rows of an allowance's period: what the settled ones used, and what the open ones hold back."""
    used, reserved = _columns(due.allowance.unit)
    is_open = COMPLETIONS.c.state == "open"
    query = select(
        func.coalesce(func.sum(case((is_open, reserved), else_=used)), 0),
        func.coalesce(func.sum(case((is_open, 0), else_=used)), 0),
    ).where(COMPLETIONS.c.begin_time >= due.span.start)
    if due.span.end is not None:
        query = query.where(COMPLETIONS.c.begin_time < due.span.end)
    if due.allowance.scope in _SCOPES:
        query = query.where(_SCOPES[due.allowance.scope] == due.allowance.scope_id)
    value, settled = (await connection.execute(query)).one()
    return Sums(int(value), int(settled))


def _columns(unit: Unit) -> tuple[ColumnElement[int], ColumnElement[int]]:
    if unit is Unit.MICROS:
        return func.coalesce(COMPLETIONS.c.cost_micros, 0), COMPLETIONS.c.reserved_micros
    tokens = func.coalesce(COMPLETIONS.c.input_tokens, 0) + func.coalesce(COMPLETIONS.c.output_tokens, 0)
    return tokens, COMPLETIONS.c.reserved_tokens
