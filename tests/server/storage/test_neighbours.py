"""Gateways that use one database know of each other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from threading import Barrier

import asyncpg
import pytest

from server.storage.database import Database
from server.storage.errors import StorageError
from server.storage.neighbours import Neighbours
from tests.fakes.stores import Postgresql

_LOOKS = 10_000
_PATIENCE_S = 60


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as entered:
        yield entered


async def find_neighbours(url: str) -> Neighbours:
    database = await Database.open(url, None, migrations=None)
    try:
        return await database.find_neighbours()
    finally:
        await database.close()


async def moves_in(stack: AsyncExitStack, url: str) -> Neighbours:
    neighbours = await find_neighbours(url)
    stack.push_async_callback(neighbours.close)
    return neighbours


async def test_whoever_is_alone_sees_nobody(stack: AsyncExitStack, database_url: str) -> None:
    first = await moves_in(stack, database_url)
    assert [await first.others() for _ in range(3)] == [False] * 3


async def test_each_sees_the_others_as_long_as_they_are_there(stack: AsyncExitStack, database_url: str) -> None:
    first = await moves_in(stack, database_url)
    leaving = await find_neighbours(database_url)
    third = await moves_in(stack, database_url)
    assert all(await asyncio.gather(first.others(), leaving.others(), third.others()))
    assert [await each.others() for each in (first, leaving, third)] == [True] * 3
    await leaving.close()
    assert [await each.others() for each in (first, third)] == [True] * 2


def look_often(url: str, both: Barrier) -> list[bool]:
    """Looks again and again while another does, in a loop of its own."""

    async def look() -> list[bool]:
        neighbours = await find_neighbours(url)
        try:
            both.wait(_PATIENCE_S)
            found = [await neighbours.others() for _ in range(_LOOKS)]
            both.wait(_PATIENCE_S)
        finally:
            await neighbours.close()
        return found

    return asyncio.run(look())


async def test_who_look_at_the_very_same_moment_see_each_other(sqlite_url: str) -> None:
    both = Barrier(2)
    found = await asyncio.gather(*(asyncio.to_thread(look_often, sqlite_url, both) for _ in range(2)))
    assert [each.count(False) for each in found] == [0, 0]


async def test_another_database_is_another_house(stack: AsyncExitStack, database_url: str, postgresql: Postgresql) -> None:
    first = await moves_in(stack, database_url)
    await moves_in(stack, postgresql.url(await postgresql.with_tables()))
    assert not await first.others()


async def test_in_memory_there_is_nobody_else(stack: AsyncExitStack) -> None:
    first = await moves_in(stack, "sqlite://")
    await moves_in(stack, "sqlite://")
    assert not await first.others()


async def test_a_connection_that_breaks_is_made_again_with_its_lock(stack: AsyncExitStack, postgresql_url: str) -> None:
    first, second = await moves_in(stack, postgresql_url), await moves_in(stack, postgresql_url)
    administrator = await asyncpg.connect(postgresql_url)
    await administrator.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE application_name = 'trunkline' AND datname = current_database()"
    )
    await administrator.close()
    for each in (first, second):
        with pytest.raises(StorageError):
            await each.others()
    assert not await first.others()  # the second has not come back yet
    assert await second.others()
    assert await first.others()


async def test_a_server_that_is_not_there_is_said() -> None:
    with pytest.raises(StorageError, match="cannot be reached"):
        await find_neighbours("postgresql://nobody@127.0.0.1:1/none")
