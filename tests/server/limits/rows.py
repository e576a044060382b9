"""Rows that limits read, written as their owners write them."""

from itertools import count

from sqlalchemy import Table, insert, update

from server.storage.database import Database
from server.storage.tables import BUDGETS, COMPLETIONS, QUOTAS

_NUMBERS = count(1)
_COMPLETION = {
    "request_id": "",
    "worker": "",
    "tenant_id": "acme",
    "user_id": "ann",
    "key_id": "k1",
    "operation": "chat",
    "model": "gpt",
    "streamed": False,
    "origin": "",
    "message_count": 1,
    "parameters": "{}",
    "status": "",
    "error_reason": "",
    "provider": "",
    "provider_model": "",
    "attempts": "[]",
    "finish_reason": "",
    "exact": True,
}


async def add(database: Database, table: Table, **values: object) -> str:
    row = {"id": f"{table.name}{next(_NUMBERS)}", **values}
    async with database.begin() as connection:
        await connection.execute(insert(table), row)
    return str(row["id"])


async def add_quota(
    database: Database, limit: int, scope: str = "tenant", scope_id: str = "acme", period: str = "daily"
) -> str:
    values = {"scope": scope, "scope_id": scope_id, "token_limit": limit, "period": period}
    return await add(database, QUOTAS, create_time=1, update_time=next(_NUMBERS), **values)


async def add_budget(
    database: Database,
    limit: int,
    scope: str = "tenant",
    scope_id: str = "acme",
    period: str = "monthly",
    enforced: bool = True,
    thresholds: str = "[]",
) -> str:
    return await add(
        database,
        BUDGETS,
        display_name="",
        scope=scope,
        scope_id=scope_id,
        limit_micros=limit,
        period=period,
        enforced=enforced,
        thresholds=thresholds,
        create_time=1,
        update_time=next(_NUMBERS),
    )


async def open_row(database: Database, begin_time: int, tokens: int, micros: int | None, **values: object) -> str:
    reserved = {"reserved_tokens": tokens, "reserved_micros": micros}
    row = {**_COMPLETION, "state": "open", "begin_time": begin_time, **reserved, **values}
    return await add(database, COMPLETIONS, **row)


async def settle_row(database: Database, row_id: str, tokens: int, micros: int | None, state: str = "settled") -> None:
    used = {"state": state, "input_tokens": tokens // 2, "output_tokens": tokens - tokens // 2, "cost_micros": micros}
    async with database.begin() as connection:
        await connection.execute(update(COMPLETIONS).where(COMPLETIONS.c.id == row_id).values(**used))
