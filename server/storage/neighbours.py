"""The other gateways on a database: each holds a lock that can be shared, and sees by it whether it is the only one.

A lock ends with its process, however that ends, so nobody has to tell a gateway that is gone from one that is slow.
"""

import asyncio
import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from server.storage.bounds import Bounds
from server.storage.connection import AsyncConnection, AsyncEngine
from server.storage.errors import StorageError

_HIGH, _LOW = 0x7472756E, 0x6C6E  # PostgreSQL's advisory locks go by numbers; these are ours
_HOLD = text("SELECT pg_advisory_lock_shared(:high, :low)")
_OTHERS = text(
    "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid != pg_backend_pid()"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid = :high AND objid = :low"
)
_LOCK = {"high": _HIGH, "low": _LOW}


class Neighbours(Protocol):
    """Makes this process known to the others, until it is closed."""

    async def others(self) -> bool:
        """Whether other processes use the database that know each other in this way.

        Raises:
            StorageError: it cannot be told.
        """

    async def close(self) -> None:
        """Lets the others believe that this process is gone."""


async def find_neighbours_on_server(engine: AsyncEngine, bounds: Bounds, shown: str) -> Neighbours:
    """Makes this process known to those that use a PostgreSQL database.

    Args:
        engine: makes connections for this alone; its own from now on.
        bounds: how long it may take.
        shown: where the database is, without secrets.

    Raises:
        StorageError: the database cannot be reached.
    """
    server = _OnServer(engine, bounds, shown)
    try:
        await server.others()
    except BaseException:
        await server.close()
        raise
    return server


def find_neighbours_at_file(file: Path | None) -> Neighbours:
    """Makes this process known to those that use an SQLite file; None: the database is in memory, and nobody else's.

    Raises:
        StorageError: there can be no lock beside the file.
    """
    return _Nobody() if file is None else _AtFile(file)


class _Nobody:
    """Around a database in memory there is nobody."""

    async def others(self) -> bool:
        return False

    async def close(self) -> None:
        pass


class _AtFile:
    """Those that use an SQLite file. Whoever looks lets go of its lock for a moment, so only one does so at a time.

    Args:
        file: the database's.
    """

    def __init__(self, file: Path) -> None:
        self._looking = _open_lock(file.with_name(f".{file.name}.looking"), fcntl.LOCK_UN)
        self._users = _open_lock(file.with_name(f".{file.name}.users"), fcntl.LOCK_SH)

    async def others(self) -> bool:
        try:
            fcntl.flock(self._looking, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True  # whoever looks now is another
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            fcntl.flock(self._users, fcntl.LOCK_SH)
            fcntl.flock(self._looking, fcntl.LOCK_UN)
        return False

    async def close(self) -> None:
        os.close(self._users)
        os.close(self._looking)


def _open_lock(path: Path, lock: int) -> int:
    """A file for locks, which is made where there is none.

    Raises:
        StorageError: there can be none.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, lock)
    except OSError as error:
        raise StorageError(f"{path} cannot be locked: {error.strerror}") from None
    return descriptor


class _OnServer:
    """Those that use a PostgreSQL database. The lock is of a connection, and taken again with the next one.

    Args:
        engine: makes connections for this alone.
        bounds: how long it may take.
        shown: where the database is, without secrets.
    """

    def __init__(self, engine: AsyncEngine, bounds: Bounds, shown: str) -> None:
        self._engine = engine
        self._bounds = bounds
        self._shown = shown
        self._connection: AsyncConnection | None = None

    async def others(self) -> bool:
        try:
            async with asyncio.timeout(self._bounds.timeout_s):
                return await self._others()
        except (SQLAlchemyError, OSError) as error:  # TimeoutError is one
            await self._drop()
            raise StorageError(f"{self._shown}: {getattr(error, 'orig', None) or error}") from error

    async def close(self) -> None:
        await self._drop()
        await self._engine.dispose()

    async def _others(self) -> bool:
        if self._connection is None:
            self._connection = await self._engine.connect()
            await self._connection.set_options(isolation_level="AUTOCOMMIT")
            await self._connection.execute(_HOLD, _LOCK)
        return await self._connection.scalar(_OTHERS, _LOCK) is True

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError, OSError):
                async with asyncio.timeout(self._bounds.close_timeout_s):
                    await connection.close()
