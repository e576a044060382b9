"""SQLAlchemy's engines over both databases: connections, how many, and what each is told first."""

import os
from dataclasses import dataclass

import asyncpg
from sqlalchemy import URL, AsyncAdaptedQueuePool, Connection, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from server.storage.address import Address
from server.storage.errors import StorageError

_RECYCLE_S = 1800


@dataclass(frozen=True, slots=True)
class Bounds:
    """What storage may take.

    Attributes:
        connections: how many connections at most to PostgreSQL, or to SQLite for reading.
        timeout_s: how long one transaction may take, its wait for a connection included, unless its caller says.
        connect_timeout_s: how long it may take to reach PostgreSQL.
        migration_timeout_s: how long the schema may take at start, and the wait for other processes that are at it.
    """

    connections: int = 10
    timeout_s: float = 10.0
    connect_timeout_s: float = 5.0
    migration_timeout_s: float = 600.0


def open_sqlite(address: Address, bounds: Bounds, begin: str, connections: int, pragmas: tuple[str, ...]) -> AsyncEngine:
    """An engine over SQLite.

    Args:
        address: the file, which may have to be made, or the name in memory.
        bounds: how long to wait for another process's lock.
        begin: the statement that begins each transaction.
        connections: how many at most.
        pragmas: what each connection is told first.

    Raises:
        StorageError: the file cannot be made.
    """
    if address.file is None:
        query = {"mode": "memory", "cache": "shared", "uri": "true"}
        url = URL.create("sqlite+aiosqlite", database=f"file:{address.memory}", query=query)
    else:
        _make(address)
        url = URL.create("sqlite+aiosqlite", database=str(address.file))
    engine = create_async_engine(
        url,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=bounds.timeout_s,
        # The driver begins no transactions of its own.
        connect_args={"timeout": bounds.timeout_s, "isolation_level": None},
    )

    def on_connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine.sync_engine, "connect", on_connect)
    event.listen(engine.sync_engine, "begin", on_begin)
    return engine


def open_postgresql(address: Address, bounds: Bounds) -> AsyncEngine:
    """An engine over PostgreSQL, whose statements end by themselves after `bounds.timeout_s`."""
    milliseconds = str(int(bounds.timeout_s * 1000))
    told = {
        "application_name": "trunkline",
        "timezone": "UTC",
        "statement_timeout": milliseconds,
        "lock_timeout": milliseconds,
        "idle_in_transaction_session_timeout": milliseconds,
    }

    async def connect(*_: object, **__: object) -> "asyncpg.Connection[asyncpg.Record]":
        try:
            return await asyncpg.connect(address.dsn, timeout=bounds.connect_timeout_s, server_settings=told)
        except TimeoutError:
            raise StorageError(f"{address.shown} does not answer") from None
        except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise StorageError(f"{address.shown} cannot be reached: {error}") from None

    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        pool_size=bounds.connections,
        max_overflow=0,
        pool_timeout=bounds.timeout_s,
        pool_recycle=_RECYCLE_S,
        pool_pre_ping=True,
        pool_use_lifo=True,
    )


def _make(address: Address) -> None:
    """Makes the file and its folder, for nobody but their owner, where they are not there yet."""
    file = address.file
    assert file is not None
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StorageError(f"{address.shown} cannot be opened: {error.strerror}") from None
