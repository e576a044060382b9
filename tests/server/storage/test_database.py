"""The database, on SQLite and PostgreSQL: one behaviour."""

import asyncio
from pathlib import Path

import pytest
from redis.asyncio import Redis
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import IntegrityError

from server.storage.database import Database
from server.storage.errors import StorageError
from server.storage.tables import FORGOTTEN, PRICES, TENANTS, USERS
from tests.server.storage.tenants import add, names


async def test_what_a_block_wrote_is_there_after_it(database: Database) -> None:
    await add(database, "a")
    assert await names(database) == ["a"]


async def test_a_block_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        await add(database, "a", fails=True)
    assert await names(database) == []


async def test_a_block_that_is_cancelled_leaves_nothing_and_holds_nobody_up(database: Database) -> None:
    written = asyncio.Event()

    async def write() -> None:
        async with database.begin() as connection:
            await connection.execute(insert(TENANTS), _tenant("a"))
            written.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(write())
    await written.wait()
    task.cancel()
    await asyncio.wait([task])
    await add(database, "b")
    assert await names(database) == ["b"]


async def test_a_row_that_is_there_already_is_refused(database: Database) -> None:
    await add(database, "a")
    with pytest.raises(IntegrityError):
        await add(database, "a")


async def test_a_row_that_points_to_nothing_is_refused(database: Database) -> None:
    with pytest.raises(IntegrityError):
        async with database.begin() as connection:
            await connection.execute(insert(USERS), {**_tenant("u"), "tenant_id": "nobody"})


async def test_reading_changes_nothing(database: Database) -> None:
    with pytest.raises(StorageError):
        async with database.read() as connection:
            await connection.execute(insert(TENANTS), _tenant("a"))
    assert await names(database) == []


async def test_whoever_reads_sees_one_state_throughout(database: Database) -> None:
    async with database.read() as connection:
        before = await connection.scalar(select(func.count()).select_from(TENANTS))
        await add(database, "a")
        after = await connection.scalar(select(func.count()).select_from(TENANTS))
    assert (before, after) == (0, 0)


async def test_many_add_to_one_number_and_none_is_lost(database: Database) -> None:
    await add(database, "a")

    async def increase() -> None:
        async with database.begin() as connection:
            statement = select(TENANTS.c.update_time).where(TENANTS.c.id == "a").with_for_update()
            now = await connection.scalar(statement)
            assert now is not None
            await connection.execute(TENANTS.update().values(update_time=now + 1))

    await asyncio.gather(*(increase() for _ in range(30)))
    async with database.read() as connection:
        assert await connection.scalar(select(TENANTS.c.update_time)) == 31


async def test_a_row_replaces_the_one_with_its_keys(database: Database) -> None:
    row = {"provider": "p", "model": "m", "effective_time": 1, "create_time": 1}
    statement = database.upsert(PRICES, ["provider", "model", "effective_time"], ["price"])
    async with database.begin() as connection:
        await connection.execute(statement, [{**row, "id": "1", "price": "old"}, {**row, "id": "2", "price": "new"}])
        rows = (await connection.execute(select(PRICES.c.id, PRICES.c.price))).all()
    assert rows == [("1", "new")]


async def test_a_row_is_added_to_the_one_with_its_keys(database: Database) -> None:
    row = {"day": 0, "tenant_id": "t", "user_id": "u", "key_id": "k", "model": "m"}
    statement = database.upsert(FORGOTTEN, list(row), [], ["tokens", "micros"])
    async with database.begin() as connection:
        await connection.execute(statement, [{**row, "tokens": 1, "micros": 20}])
        await connection.execute(
            statement, [{**row, "tokens": 3, "micros": 50}, {**row, "day": 1, "tokens": 5, "micros": 6}]
        )
        rows = (await connection.execute(select(FORGOTTEN.c.tokens, FORGOTTEN.c.micros).order_by(FORGOTTEN.c.day))).all()
    assert rows == [(4, 70), (5, 6)]


async def test_a_row_leaves_the_one_with_its_keys_as_it_is(database: Database) -> None:
    statement = database.upsert(TENANTS, ["id"], [])
    async with database.begin() as connection:
        await connection.execute(statement, [_tenant("a"), {**_tenant("a"), "display_name": "other"}])
        rows = (await connection.execute(select(TENANTS.c.display_name))).scalars().all()
    assert rows == ["A"]


async def test_a_statement_that_makes_no_sense_tells_why(database: Database) -> None:
    with pytest.raises(StorageError, match="nowhere"):
        async with database.read() as connection:
            await connection.execute(text("SELECT * FROM nowhere"))
    assert await names(database) == []


async def test_a_database_in_memory_does_all_that_others_do() -> None:
    database = await Database.open(None, None)
    await asyncio.gather(*(add(database, name) for name in "abc"), *(names(database) for _ in range(5)))
    with pytest.raises(ZeroDivisionError):
        await add(database, "d", fails=True)
    assert await names(database) == ["a", "b", "c"]
    await database.close()


async def test_databases_in_memory_are_apart() -> None:
    one, other = await Database.open("sqlite://", None), await Database.open("sqlite://", None)
    await add(one, "a")
    assert await names(other) == []
    await one.close()
    await other.close()


async def test_the_file_in_the_data_folder_is_its_owners_alone(tmp_path: Path) -> None:
    database = await Database.open(None, tmp_path / "data")
    await add(database, "a")
    files = {file.name: file.stat().st_mode & 0o077 for file in (tmp_path / "data").iterdir()}
    await database.close()
    assert "trunkline.db" in files
    assert set(files.values()) == {0}


async def test_redis_begins_with_nothing(redis_url: str) -> None:
    client = Redis.from_url(redis_url)
    assert await client.dbsize() == 0
    await client.set("a", 1)
    await client.aclose()


def _tenant(name: str) -> dict[str, object]:
    return {"id": name, "display_name": "A", "enabled": True, "create_time": 1, "update_time": 1}


async def test_a_failure_tells_no_values_of_its_row(database: Database) -> None:
    await add(database, "a")
    with pytest.raises(IntegrityError) as refused:
        async with database.begin() as connection:
            await connection.execute(insert(TENANTS), {**_tenant("a"), "display_name": "secret"})
    assert "secret" not in str(refused.value)
