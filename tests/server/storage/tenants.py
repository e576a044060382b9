"""Rows to write and read in tests of the database."""

from sqlalchemy import insert, select

from server.storage.database import Database
from server.storage.tables import TENANTS


async def add(database: Database, name: str, fails: bool = False) -> None:
    """Adds a row in a block of its own, which may fail at its end."""
    row = {"id": name, "display_name": name, "enabled": True, "create_time": 1, "update_time": 1}
    async with database.begin() as connection:
        await connection.execute(insert(TENANTS), [row])
        if fails:
            raise ZeroDivisionError


async def names(database: Database) -> list[str]:
    """The rows that are there."""
    async with database.read() as connection:
        return list((await connection.execute(select(TENANTS.c.id).order_by(TENANTS.c.id))).scalars())
