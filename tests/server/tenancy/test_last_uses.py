"""When keys were last used: written at most once a minute, beside everything else."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256

import pytest
from sqlalchemy import select, text
from structlog.testing import capture_logs

from server.storage.database import Database
from server.storage.tables import API_KEYS
from server.tenancy.keys import ConfiguredKeys, StoredKeys
from server.tenancy.last_uses import LastUses
from server.tenancy.pages import Page
from tests.server.tenancy.world import OPERATOR, World, blocked, settle

ALL = Page(100, None)
MINUTE_S, KNOWN_S = 60, 2


class Pause:
    """A sleep that a test ends.

    Attributes:
        asked: how long each was to be, in seconds.
        sleeper: whose it is.
    """

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.sleeper: asyncio.Task[object] | None = None
        self._begun, self._over = asyncio.Event(), asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        self.sleeper = asyncio.current_task()
        self._begun.set()
        await self._over.wait()
        self._over.clear()

    async def end(self) -> None:
        """Waits until it has begun, and ends it."""
        await self._begun.wait()
        self._begun.clear()
        self._over.set()


@pytest.fixture
def pause() -> Pause:
    return Pause()


@pytest.fixture
async def keys(world: World, pause: Pause) -> AsyncIterator[StoredKeys]:
    stored = keys_of(world, pause)
    yield stored
    await stored.close()


def keys_of(world: World, pause: Pause) -> StoredKeys:
    uses = LastUses(world.database, world.clock, pause.sleep)
    return StoredKeys(ConfiguredKeys({}), world.database, world.clock, last_uses=uses)


async def used(world: World) -> float | None:
    """When the key was used, in seconds since the world's beginning as its clock shows it now."""
    key = await world.tenancy.api_keys.get(OPERATOR, world.acme.key.id)
    return None if key.last_use_time is None else key.last_use_time / 1e6 - world.clock.now()


async def test_a_use_is_written_after_a_minute(world: World, keys: StoredKeys, pause: Pause) -> None:
    await keys.find(world.acme.digest)
    world.clock.time += KNOWN_S
    await keys.find(world.acme.digest)
    assert await used(world) is None
    await pause.end()
    assert pause.sleeper is not None
    await pause.sleeper
    assert await used(world) == 0
    assert pause.asked == [MINUTE_S]


async def test_what_was_used_is_written_at_the_end(world: World, keys: StoredKeys) -> None:
    await keys.find(world.acme.digest)
    await keys.close()
    assert await used(world) == 0
    listed, _ = await world.tenancy.api_keys.page(OPERATOR, ALL)
    assert [key.last_use_time is None for key in listed] == [False, True]


async def test_a_key_is_written_once_a_minute_by_all_processes(world: World, pause: Pause) -> None:
    for waited, seen in ((0, 0), (MINUTE_S - 1, 1 - MINUTE_S), (1, 0)):
        world.clock.time += waited
        process = keys_of(world, pause)
        await process.find(world.acme.digest)
        await process.close()
        assert await used(world) == seen


async def test_a_key_that_is_not_let_in_is_not_used(world: World, keys: StoredKeys) -> None:
    await world.tenancy.api_keys.update(OPERATOR, world.acme.key.id, {"enabled": False})
    await keys.find(world.acme.digest)
    await keys.find(sha256(b"nobody's").digest())
    await keys.close()
    assert await used(world) is None


async def test_the_use_of_a_key_that_was_rotated_is_the_new_ones(world: World, keys: StoredKeys) -> None:
    await world.tenancy.api_keys.rotate(OPERATOR, world.acme.key.id, 3600 * 1_000_000)
    await keys.find(world.acme.digest)
    await keys.close()
    assert await used(world) == 0


async def test_changes_of_a_key_leave_its_last_use_alone(world: World, keys: StoredKeys) -> None:
    await keys.find(world.acme.digest)
    await keys.close()
    await world.tenancy.api_keys.update(OPERATOR, world.acme.key.id, {"display_name": "another"})
    await world.tenancy.api_keys.rotate(OPERATOR, world.acme.key.id, 3600 * 1_000_000)
    assert await used(world) == 0


async def test_while_the_database_fails_callers_are_let_in_and_the_time_is_written_later(
    world: World, keys: StoredKeys, pause: Pause
) -> None:
    await keys.find(world.acme.digest)
    async with world.database.begin() as connection:
        await connection.execute(text("ALTER TABLE api_keys RENAME TO elsewhere"))
    await pause.end()
    await pause.end()
    assert keys.cached(world.acme.digest) is not None
    async with world.database.begin() as connection:
        await connection.execute(text("ALTER TABLE elsewhere RENAME TO api_keys"))
    await keys.close()
    assert await used(world) == 0


async def test_processes_that_write_the_same_keys_wait_for_each_other_in_one_order(postgresql_database: Database) -> None:
    world = await settle(postgresql_database)
    ids = [world.acme.key.id, world.umbrella.key.id]
    processes = []
    for order in (ids, ids[::-1]):
        process = LastUses(world.database, world.clock)
        for key_id in order:
            process.note(key_id)
        processes.append(process)
        world.clock.time += MINUTE_S
    async with world.database.begin() as connection:
        await connection.execute(select(API_KEYS.c.id).where(API_KEYS.c.id == ids[0]).with_for_update())
        closing = [await blocked(world, process.close(), others) for others, process in enumerate(processes)]
    with capture_logs() as logged:
        await asyncio.gather(*closing)
    assert logged == []
