"""SQLAlchemy's engine over SQLite, and what each of its connections is told first."""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from weakref import WeakSet

import aiosqlite
from sqlalchemy import AsyncAdaptedQueuePool, Connection, event

from server.storage.address import Address
from server.storage.bounds import Bounds
from server.storage.connection import AsyncEngine
from server.storage.errors import StorageError

_FOREVER_S = 86_400
_ROWS_AT_ONCE = 64


def open_sqlite(address: Address, bounds: Bounds, begin: str, connections: int, pragmas: tuple[str, ...]) -> AsyncEngine:
    """An engine over SQLite.

    Args:
        address: the file, which may have to be made, or the name in memory.
        bounds: how long to wait, also for another process's lock.
        begin: the statement that begins each transaction.
        connections: how many at most.
        pragmas: what each connection is told first.

    Raises:
        StorageError: the file cannot be made.
    """
    _make(address)
    target = address.file or f"file:{address.memory}?mode=memory&cache=shared"

    def open_one() -> _Handle:
        # Without an isolation level the driver begins no transactions of its own.
        opened = sqlite3.connect(
            target, timeout=bounds.timeout_s, isolation_level=None, uri=address.file is None, factory=_Handle
        )
        for pragma in pragmas:
            opened.execute(f"PRAGMA {pragma}")
        return opened

    async def connect() -> aiosqlite.Connection:
        return await _Connection(open_one, bounds.close_timeout_s)

    engine = AsyncEngine(
        "sqlite+aiosqlite://",
        connect,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,
        pool_timeout=_FOREVER_S,  # who waits has a deadline of its own
    )

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine.engine, "begin", on_begin)
    return engine


class _Handle(sqlite3.Connection):
    """A connection that knows its cursors: one whose rows are not all read keeps an interruption from being over."""

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)  # type: ignore[arg-type]
        self._cursors: WeakSet[sqlite3.Cursor] = WeakSet()

    def cursor(self, *arguments: object) -> sqlite3.Cursor:  # type: ignore[override]
        made: sqlite3.Cursor = super().cursor(*arguments)  # type: ignore[call-overload]
        self._cursors.add(made)
        return made

    def rollback(self) -> None:
        """Undoes what was not committed, and ends what is half read."""
        for cursor in tuple(self._cursors):
            cursor.close()
        super().rollback()


class _Connection(aiosqlite.Connection):
    """A connection in a thread that nobody has to wait for: closing it ends what it is at."""

    def __init__(self, connector: Callable[[], _Handle], close_timeout_s: float) -> None:
        super().__init__(connector, _ROWS_AT_ONCE)
        self._thread.daemon = True
        self._close_timeout_s = close_timeout_s
        self._closing: asyncio.Future[None] | None = None

    async def close(self) -> None:
        if self._connection is None:
            return
        await self.interrupt()
        self._closing = self._closing or asyncio.ensure_future(self._end())
        await asyncio.wait([self._closing], timeout=self._close_timeout_s)

    async def _end(self) -> None:
        """Rolls back first: SQLite keeps a closed connection, locks and all, for as long as there is a cursor of it.

        Then runs a statement: until one does, the interruption stands, and the last one to close would not bring
        what is in the log into the file.
        """
        try:
            await self.rollback()
            await self.execute_fetchall("SELECT 1")
        finally:
            await super().close()


def _make(address: Address) -> None:
    """Makes the file and its folder, for nobody but their owner, where they are not there yet."""
    if address.file is None:
        return
    try:
        address.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(address.file, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StorageError(f"{address.shown} cannot be opened: {error.strerror}") from None
