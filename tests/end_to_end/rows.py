"""Rows of completions as one sees them who looks into a gateway's database from outside: they arrive a moment later."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from server.storage.database import Database
from server.storage.tables import COMPLETIONS
from tests.end_to_end.command import LIMIT_S

_LOOK_AGAIN_S = 0.02


@dataclass(frozen=True, slots=True)
class Seen:
    """A row: whose request it is, and what came of it."""

    request_id: str
    state: str
    status: str


async def see_rows(database: Database) -> Sequence[Seen]:
    """All rows; no request has two."""
    columns = COMPLETIONS.c.request_id, COMPLETIONS.c.state, COMPLETIONS.c.status
    async with database.read() as connection:
        rows = [Seen(*map(str, row)) for row in await connection.execute(select(*columns))]
    assert [id for id, times in Counter(row.request_id for row in rows).items() if times > 1] == []
    return rows


async def wait_for_rows(database: Database, arrived: Callable[[Sequence[Seen]], bool]) -> Sequence[Seen]:
    """All rows, once they are as they should be and none is open."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            rows = await see_rows(database)
            if arrived(rows) and all(row.state != "open" for row in rows):
                return rows
            await asyncio.sleep(_LOOK_AGAIN_S)
