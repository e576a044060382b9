"""Brings a database's tables to what this version knows, one process at a time."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import cast

from sqlalchemy import Connection, insert, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from server.storage.address import Address
from server.storage.connection import AsyncEngine
from server.storage.errors import StorageError
from server.storage.revision import VERSION, Migrated, find_revision, reason
from server.storage.tables import METADATA, REVISION

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x7472756E6B  # PostgreSQL's advisory locks go by number; this one is ours
_LOOK_AGAIN_S = 0.02


async def migrate(engine: AsyncEngine, address: Address, timeout_s: float, migrations: Path = MIGRATIONS) -> Migrated:
    """Brings the tables up to date, whole or not at all. Others that want the same wait until it is done.

    Args:
        engine: connections that nobody else uses; SQLite's do not check foreign keys while tables are remade.
        address: where the database is.
        timeout_s: how long it may take.
        migrations: the folder of Alembic's environment.

    Raises:
        SchemaError: the tables come from a newer version, or a step failed, and everything is as before.
        StorageError: the database cannot be reached, or it took too long.
    """
    try:
        async with asyncio.timeout(timeout_s), _file_lock(address.file), engine.begin() as connection:
            if address.dialect == "postgresql":
                await connection.execute(text("SET LOCAL statement_timeout = 0"))
                await connection.execute(text("SET LOCAL lock_timeout = 0"))
                await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            return await connection.run_sync(_bring, address, migrations)
    except TimeoutError:
        raise StorageError(f"{address.shown}: the tables were not ready after {timeout_s:g} s") from None
    except SQLAlchemyError as error:
        raise StorageError(f"{address.shown}: {reason(error)}") from error


def _bring(connection: Connection, address: Address, migrations: Path) -> Migrated:
    """Brings the tables up to date. Steps are loaded only where there are older tables: Alembic takes 10 MB."""
    if migrations == MIGRATIONS:
        before = find_revision(connection)
        if before is None and not inspect(connection).get_table_names():
            _make(connection)
            return Migrated(None, REVISION)
        if before == REVISION:
            return Migrated(before, REVISION)
    step_up = cast(Callable[[Connection, Address, Path], Migrated], import_module("server.storage.steps").step_up)
    return step_up(connection, address, migrations)


def _make(connection: Connection) -> None:
    """Makes the tables where there are none: the same that the steps would make, and nothing is left for these to do."""
    METADATA.create_all(connection, checkfirst=False)
    VERSION.create(connection, checkfirst=False)
    connection.execute(insert(VERSION).values(version_num=REVISION))


@asynccontextmanager
async def _file_lock(file: Path | None) -> AsyncIterator[None]:
    """Holds the lock beside a file; the system lets go of it when the process dies."""
    if file is None:
        yield
        return
    path = file.with_name(f".{file.name}.lock")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(f"{path} cannot be locked: {error.strerror}") from None
    try:
        while not _locked(descriptor):  # noqa: ASYNC110 - a thread that waits could not be told to stop
            await asyncio.sleep(_LOOK_AGAIN_S)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
