"""Looking again and again whether rows changed, which other processes may do at any time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

import structlog
from sqlalchemy import Column, Executable, func, select, union_all

from server.storage.connection import AsyncConnection
from server.storage.data_version import Version
from server.storage.database import Database
from server.storage.errors import StorageError

LOOK_AGAIN_S = 1.0
"""How often: a change is in force everywhere within twice that."""

_PRIME = 999_999_937

R = TypeVar("R")

_Stamp = tuple[tuple[int, ...], ...]
"""Tells one state of tables from the next, without reading all rows."""


class ChangingRows(Generic[R]):
    """Rows that are read again where they changed.

    Args:
        database: where they are.
        times: the columns that say when they were changed last, one of each table.
        load: reads them.
        put: takes what was read.
    """

    def __init__(
        self,
        database: Database,
        times: Sequence[Column[int]],
        load: Callable[[AsyncConnection], Awaitable[R]],
        put: Callable[[R], None],
    ) -> None:
        self._database = database
        self._query = _stamp_query(times)
        self._load = load
        self._put = put
        self._stamp: _Stamp = ()
        self._version: Version | None = None
        self._reading = asyncio.Lock()

    async def refresh(self, timeout_s: float | None) -> None:
        """Reads the rows if they changed.

        Args:
            timeout_s: how long the reading may take, once the one before it is over; None: as long as any.

        Raises:
            StorageError: the database failed; what was read before stays in force.
        """
        async with self._reading:  # else a slower reading that began before could undo a later one
            version = await self._database.version()
            if version is not None and version == self._version:
                return
            async with self._database.read(timeout_s) as connection:
                stamp = tuple([tuple(row) for row in await connection.execute(self._query)])
                if stamp == self._stamp:
                    self._version = version
                    return
                rows = await self._load(connection)
            self._put(rows)
            self._stamp, self._version = stamp, version


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


def _stamp_query(times: Sequence[Column[int]]) -> Executable:
    return union_all(
        *(
            select(func.count(), func.coalesce(func.max(time), 0), func.coalesce(func.sum(time % _PRIME), 0))
            for time in times
        )
    )
