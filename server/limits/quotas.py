"""Quotas: rows that say how many tokens a tenant, user or key may use in a period."""

from sqlalchemy import select

from server.errors import GatewayError
from server.limits.allowances import Allowance, Due, Unit
from server.limits.periods import Period
from server.storage.connection import AsyncConnection
from server.storage.tables import QUOTAS
from trunkline.v1.error_reason_pb2 import ErrorReason

_SECOND = 1_000_000


async def load_quotas(connection: AsyncConnection) -> list[Allowance]:
    """Reads all rows whose period is one."""
    return [
        Allowance(row.id, Unit.TOKENS, row.scope, row.scope_id, row.token_limit, Period(row.period))
        for row in await connection.execute(select(QUOTAS).where(QUOTAS.c.period.in_(tuple(Period))))
    ]


def quota_exceeded(due: Due) -> GatewayError:
    """The refusal of a request that a quota does not leave enough for."""
    quota = due.allowance
    text = f"The {quota.period} quota of tokens of this {quota.scope} does not leave enough for this request."
    return GatewayError(
        ErrorReason.ERROR_REASON_QUOTA_EXCEEDED,
        text,
        {**tell_allowance(due), "limit": str(quota.limit)},
        violations=((quota.subject, text),),
    )


def tell_allowance(due: Due) -> dict[str, str]:
    """What the metadata of a refusal says: of whom, for how long, and from which epoch second on there is more."""
    told = {"scope": due.allowance.scope, "period": str(due.allowance.period)}
    return told if due.span.end is None else {**told, "reset": str(due.span.end // _SECOND)}
