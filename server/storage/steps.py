"""Brings older tables up to date with Alembic, step by step. Loaded where that is needed; it is large."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from server.storage.address import Address
from server.storage.errors import SchemaError
from server.storage.revision import Migrated, find_revision, reason


def step_up(connection: Connection, address: Address, migrations: Path) -> Migrated:
    """Runs the steps that are missing, in the connection's transaction.

    Args:
        connection: to the database, in a transaction.
        address: where the database is.
        migrations: the folder of Alembic's environment.

    Raises:
        SchemaError: the tables come from a newer version, or a step failed; the transaction has to be undone.
    """
    script = ScriptDirectory(str(migrations))
    before, newest = find_revision(connection), script.get_current_head()
    assert newest is not None
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
            f"{reason(error)}. Nothing was changed: the version that made them still starts with them"
        ) from error
    return Migrated(before, newest)


def _check_keys(connection: Connection) -> None:
    """SQLite checks no foreign keys while tables are remade, so they are checked at the end."""
    if connection.dialect.name != "sqlite":
        return
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchone()
    if broken is not None:
        raise CommandError(f"a row of {broken[0]} points to one that is not there in {broken[2]}")
