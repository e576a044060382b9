"""Whether a database changed is told without reading it, where that can be."""

import asyncio
from pathlib import Path

from sqlalchemy import insert, text

from server.storage.data_version import DataVersion
from server.storage.database import Database
from server.storage.tables import TENANTS

ROW = {"id": "acme", "display_name": "Acme", "enabled": True, "create_time": 1, "update_time": 1}


async def test_a_file_that_nobody_changed_has_the_same_version(sqlite_database: Database) -> None:
    before = await sqlite_database.version()
    async with sqlite_database.read() as connection:
        await connection.execute(text("SELECT 1"))

    assert before is not None
    assert await sqlite_database.version() == before


async def test_a_change_makes_another_version_whoever_made_it(sqlite_database: Database, sqlite_url: str) -> None:
    versions = [await sqlite_database.version()]
    other = await Database.open(sqlite_url, None)
    for number, database in enumerate((sqlite_database, other)):
        async with database.begin() as connection:
            await connection.execute(insert(TENANTS), [{**ROW, "id": f"acme-{number}"}])
        versions.append(await sqlite_database.version())
    await other.close()

    assert len(set(versions)) == 3


async def test_a_reading_that_nobody_waits_for_leaves_nothing_open(tmp_path: Path) -> None:
    version = DataVersion(tmp_path / "test.db")
    with version._turn:  # so that the reading is under way
        reading = asyncio.ensure_future(version.read())
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        closing = asyncio.ensure_future(version.close())
        await asyncio.sleep(0)
    await closing

    assert await version.read() is None
    assert version._connection is None


async def test_elsewhere_than_in_a_file_nobody_can_tell(postgresql_database: Database) -> None:
    memory = await Database.open("sqlite://", None)
    versions = [await memory.version(), await postgresql_database.version()]
    await memory.close()

    assert versions == [None, None]
