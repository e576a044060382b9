"""Brings a database's tables to what this version knows, step by step, one process at a time."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from server.storage.address import Address
from server.storage.errors import SchemaError, StorageError

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x7472756E6B  # PostgreSQL's advisory locks go by number; this one is ours
_LOOK_AGAIN_S = 0.02


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a migration did.

    Attributes:
        before: the revision that was found; None: there was no table.
        after: the one that is there now.
    """

    before: str | None
    after: str


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
            return await connection.run_sync(_upgrade, address, migrations)
    except TimeoutError:
        raise StorageError(f"{address.shown}: the tables were not ready after {timeout_s:g} s") from None
    except SQLAlchemyError as error:
        raise StorageError(f"{address.shown}: {_reason(error)}") from error


def find_revision(connection: Connection) -> str | None:
    """The revision of the database's tables; None: it has none."""
    return MigrationContext.configure(connection).get_current_revision()


def newest_revision(migrations: Path = MIGRATIONS) -> str:
    """The revision that this version knows."""
    newest = ScriptDirectory(str(migrations)).get_current_head()
    assert newest is not None
    return newest


def _upgrade(connection: Connection, address: Address, migrations: Path) -> Migrated:
    script = ScriptDirectory(str(migrations))
    before, newest = find_revision(connection), newest_revision(migrations)
    if before is not None and before not in {revision.revision for revision in script.walk_revisions()}:
        raise SchemaError(
            f"{address.shown}: its tables (revision {before}) were made by a newer version of trunkline; this one knows "
            f"them up to {newest}. Start the newer version, or give storage.url another database"
        )
    if before == newest:
        return Migrated(before, newest)
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
        _check_keys(connection)
    except (SQLAlchemyError, CommandError) as error:
        raise SchemaError(
            f"{address.shown}: its tables could not be brought from revision {before or 'none'} to {newest}: "
            f"{_reason(error)}. Nothing was changed: the version that made them still starts with them"
        ) from error
    return Migrated(before, newest)


def _check_keys(connection: Connection) -> None:
    """SQLite checks no foreign keys while tables are remade, so they are checked at the end."""
    if connection.dialect.name != "sqlite":
        return
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchone()
    if broken is not None:
        raise CommandError(f"a row of {broken[0]} points to one that is not there in {broken[2]}")


@asynccontextmanager
async def _file_lock(file: Path | None) -> AsyncIterator[None]:
    """Holds the lock beside a file; the system lets go of it when the process dies."""
    if file is None:
        yield
        return
    descriptor = os.open(file.with_name(f".{file.name}.lock"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
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


def _reason(error: Exception) -> str:
    """What the database said, without the statement and its values."""
    return " ".join(str(getattr(error, "orig", None) or error).split())
