"""When keys were last used: noted in memory, written now and then. Nobody waits for it, and nothing fails by it."""

import asyncio
from asyncio import sleep as asyncio_sleep
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy import bindparam, or_, update

from server.clock import Clock
from server.storage.database import Database
from server.storage.errors import StorageError
from server.storage.tables import API_KEYS

_PAUSE_S = 60
"""A key's time is written at most this often, by all processes together."""

_PAUSE = _PAUSE_S * 1_000_000

_BATCH = 500


class LastUses:
    """The times of one process. Whoever makes it closes it.

    Args:
        database: where keys are.
        clock: tells the time.
        sleep: waits for some seconds.
    """

    def __init__(self, database: Database, clock: Clock, sleep: Callable[[float], Awaitable[None]] = asyncio_sleep) -> None:
        self._database = database
        self._clock = clock
        self._sleep = sleep
        self._noted: dict[str, int] = {}
        self._writing: asyncio.Task[None] | None = None
        long_ago = API_KEYS.c.last_use_time <= bindparam("long_ago")
        self._statement = (
            update(API_KEYS)
            .where(API_KEYS.c.id == bindparam("key"), or_(API_KEYS.c.last_use_time.is_(None), long_ago))
            .values(last_use_time=bindparam("time"))
        )

    def note(self, key_id: str) -> None:
        """A key is used now."""
        self._noted[key_id] = int(self._clock.now() * 1e6)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_later())

    async def close(self) -> None:
        """Writes what is noted."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
        await self._write()

    async def _write_later(self) -> None:
        while self._noted:
            await self._sleep(_PAUSE_S)
            await self._write()

    async def _write(self) -> None:
        """Writes what is noted; what the database does not take is tried again the next time."""
        noted = sorted(self._noted.items())  # in one order everywhere, else processes could wait for each other in a ring
        for begin in range(0, len(noted), _BATCH):
            batch = noted[begin : begin + _BATCH]
            rows = [{"key": key_id, "time": time, "long_ago": time - _PAUSE} for key_id, time in batch]
            try:
                async with self._database.begin() as connection:
                    await connection.execute(self._statement, rows)
            except StorageError as error:
                structlog.get_logger("trunkline.tenancy").warning("last_uses_not_written", error=str(error))
                return
            for key_id, time in batch:
                if self._noted.get(key_id) == time:
                    del self._noted[key_id]
