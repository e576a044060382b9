"""Looking again and again whether rows changed, which other processes may do at any time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from sqlalchemy import Column, Executable, func, select, union_all

from server.storage.connection import AsyncConnection
from server.storage.errors import StorageError

LOOK_AGAIN_S = 1.0
"""How often: a change is in force everywhere within twice that."""

_PRIME = 999_999_937

Stamp = tuple[tuple[int, ...], ...]
"""Tells one state of tables from the next, without reading all rows."""


def stamp_query(*times: Column[int]) -> Executable:
    """What to ask for a stamp of tables, by the columns that say when their rows were changed last."""
    return union_all(
        *(
            select(func.count(), func.coalesce(func.max(time), 0), func.coalesce(func.sum(time % _PRIME), 0))
            for time in times
        )
    )


async def read_stamp(connection: AsyncConnection, query: Executable) -> Stamp:
    """The stamp of tables as they are now."""
    return tuple(tuple(row) for row in await connection.execute(query))


async def keep_looking(refreshes: Mapping[str, Callable[[], Awaitable[None]]], every_s: float = LOOK_AGAIN_S) -> None:
    """Refreshes what was read, again and again, until it is cancelled. While that fails, what was read before holds.

    Args:
        refreshes: by what it is called in the log, what reads it if it changed.
        every_s: how long to leave the database alone in between.
    """
    failing: set[str] = set()
    while True:
        await asyncio.sleep(every_s)
        for name, refresh in refreshes.items():
            try:
                await refresh()
                failing.discard(name)
            except StorageError as error:
                if name not in failing:
                    structlog.get_logger("trunkline.storage").warning("rows not read", rows=name, error=str(error))
                failing.add(name)
