"""SQLAlchemy's engine over PostgreSQL, and what each of its connections is told first. Loaded only where it is used."""

import asyncpg
from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import Insert, insert

from server.storage.address import Address
from server.storage.bounds import Bounds
from server.storage.connection import AsyncEngine
from server.storage.errors import StorageError

_FOREVER_S = 86_400
_RECYCLE_S = 1800


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

    class Connection(asyncpg.Connection):  # type: ignore[misc]  # it has no types
        """A connection whose end nobody waits for long: PostgreSQL may be out of reach."""

        async def close(self, *, timeout: float | None = None) -> None:
            await super().close(timeout=min(timeout or bounds.close_timeout_s, bounds.close_timeout_s))

    async def connect() -> Connection:
        try:
            connection = await asyncpg.connect(
                address.dsn, timeout=bounds.connect_timeout_s, server_settings=told, connection_class=Connection
            )
        except TimeoutError:
            raise StorageError(f"{address.shown} does not answer") from None
        except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise StorageError(f"{address.shown} cannot be reached: {error}") from None
        assert isinstance(connection, Connection)
        return connection

    return AsyncEngine(
        "postgresql+asyncpg://",
        connect,
        pool_size=bounds.connections,
        max_overflow=0,
        hide_parameters=True,
        pool_timeout=_FOREVER_S,  # who waits has a deadline of its own
        pool_recycle=_RECYCLE_S,
        pool_pre_ping=True,
        pool_use_lifo=True,
    )


def insert_into(table: Table) -> Insert:
    """An insert that may say what to do with rows that are there already."""
    return insert(table)
