"""What quotas and budgets count stays the same, whatever the ledger forgets."""

import asyncio
from collections.abc import Mapping
from itertools import product

import pytest
from sqlalchemy import func, select

from server.ledger.retention import Retention, RetentionSettings
from server.limits.allowances import Allowance, Due, Sums, Unit
from server.limits.limits import Limits
from server.limits.memory import MemoryCounters
from server.limits.periods import Period, find_span
from server.limits.spent import sum_rows
from server.storage.database import Database
from server.storage.errors import StorageError
from server.storage.tables import COMPLETIONS, FORGOTTEN
from tests.server.limits.asking import ask, refusal
from tests.server.limits.rows import add_budget, open_row, settle_row
from tests.server.limits.turned_clock import START, TurnedClock

DAY = 86_400_000_000
NOW = round(START * 1e6)
DAYS = 45
OPEN_DAY = 20
SCOPES = [("global", ""), ("tenant", "acme"), ("tenant", "other"), ("user", "u1"), ("key", "k2"), ("model", "gpt")]
TIMES = [NOW - days * DAY for days in (0, 3, 10, OPEN_DAY, 40)]
EVERYTHING = RetentionSettings(days=0, batch=7)


@pytest.fixture
async def open_id(database: Database) -> str:
    """Three completions a day, at different times of it, that came to different ends; and one, whose id it is, is open."""
    for days, number in product(range(DAYS), range(3)):
        values = {"tenant_id": "other" if number == 2 else "acme", "user_id": f"u{number}", "key_id": f"k{days % 4}"}
        begin_time = NOW - days * DAY - number * DAY // 5 - 1
        row = await open_row(database, begin_time, 1000, 1000, model="gpt" if days % 5 else "claude", **values)
        cost = None if days % 7 == 0 else days * 100 + number
        await settle_row(database, row, days + 3 * number, cost, "interrupted" if days % 6 == 0 else "settled")
    return await open_row(database, NOW - OPEN_DAY * DAY, 500, 700, user_id="u1", key_id="k2")


async def sums(database: Database) -> Mapping[str, Sums]:
    """What is counted of each scope in each period, of some times."""
    found = {}
    async with database.read() as connection:
        for unit, (scope, id_), period, time in product(Unit, SCOPES, Period, TIMES):
            due = Due(Allowance("a", unit, scope, id_, 1, period), find_span(period, time))
            found[due.key] = await sum_rows(connection, due, [due.allowance.scope_id])
    return found


async def rows(database: Database) -> int:
    """How many completions are there."""
    async with database.read() as connection:
        return await connection.scalar(select(func.count()).select_from(COMPLETIONS)) or 0


def retention(database: Database, settings: RetentionSettings) -> Retention:
    return Retention(database, TurnedClock(), settings)


@pytest.mark.parametrize("settings", [RetentionSettings(days=2.3), RetentionSettings(max_bytes=1, batch=10), EVERYTHING])
async def test_the_sums_of_all_scopes_and_periods_stay(
    database: Database, open_id: str, settings: RetentionSettings
) -> None:
    before = await sums(database)
    assert (await retention(database, settings).sweep()).completions > 100
    assert await sums(database) == before
    assert len(set(before.values())) > 50


async def test_what_is_forgotten_of_a_day_later_is_added(database: Database, open_id: str) -> None:
    for days in (29.3, 29.1, 28.9, 5.0):
        before = await sums(database)
        assert (await retention(database, RetentionSettings(days=days)).sweep()).completions
        assert await sums(database) == before
    await settle_row(database, open_id, 40, 50)
    before = await sums(database)
    assert (await retention(database, EVERYTHING).sweep()).completions == 15 + 1
    assert await sums(database) == before
    assert await rows(database) == 0


async def test_sweeps_at_once_count_nothing_twice(database: Database, open_id: str) -> None:
    before = await sums(database)
    await asyncio.gather(*(retention(database, EVERYTHING).sweep() for _ in range(3)))
    assert await sums(database) == before


async def test_the_sums_are_the_same_at_each_moment_of_a_sweep(database: Database, open_id: str) -> None:
    due = Due(Allowance("a", Unit.TOKENS, "global", "", 1, Period.TOTAL), find_span(Period.TOTAL, NOW))
    sweeping = asyncio.create_task(retention(database, RetentionSettings(days=0, batch=1)).sweep())
    found = set()
    while not sweeping.done():
        async with database.read() as connection:
            found.add(await sum_rows(connection, due, [due.allowance.scope_id]))
    await sweeping
    assert len(found) == 1


async def test_nothing_is_forgotten_whose_sum_cannot_be_kept(database: Database, open_id: str) -> None:
    before = await rows(database)
    async with database.begin() as connection:
        await connection.run_sync(FORGOTTEN.drop)
    try:
        with pytest.raises(StorageError, match="forgotten"):
            await retention(database, EVERYTHING).sweep()
    finally:
        async with database.begin() as connection:
            await connection.run_sync(FORGOTTEN.create)
    assert await rows(database) == before


async def test_a_budget_that_is_used_up_stays_so(database: Database, clock: TurnedClock) -> None:
    await add_budget(database, 100, period="total")
    await settle_row(database, await open_row(database, NOW, 0, 90), 0, 90)
    clock.time += 91 * 86_400
    assert (await Retention(database, clock, RetentionSettings(days=90)).sweep()).completions == 1
    limits = Limits(None, MemoryCounters(clock), database, clock)
    await limits.start()
    assert [await refusal(limits, ask(micros=10)) is None, await refusal(limits, ask(micros=1)) is None] == [True, False]
    await limits.close()
