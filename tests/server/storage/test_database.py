"""The database, on SQLite and PostgreSQL: one behaviour."""

import pytest
from redis.asyncio import Redis
from sqlalchemy import insert, select

from server.storage.database import Database
from server.storage.tables import TENANTS

ROW = {"id": "a", "display_name": "A", "enabled": True, "create_time": 1, "update_time": 1}


async def add(database: Database, name: str, fails: bool = False) -> None:
    async with database.begin() as connection:
        await connection.execute(insert(TENANTS), [{**ROW, "id": name}])
        if fails:
            raise ZeroDivisionError


async def names(database: Database) -> list[str]:
    async with database.read() as connection:
        return list((await connection.execute(select(TENANTS.c.id).order_by(TENANTS.c.id))).scalars())


async def test_what_a_block_wrote_is_there_after_it(database: Database) -> None:
    await add(database, "a")
    assert await names(database) == ["a"]


async def test_a_block_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        await add(database, "a", fails=True)
    assert await names(database) == []


async def test_redis_answers(redis_url: str) -> None:
    client = Redis.from_url(redis_url)
    assert await client.ping()
    await client.aclose()
