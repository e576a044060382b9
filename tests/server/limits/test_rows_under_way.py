"""Counters that are seeded while rows are on their way to the database count them all."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from server.ledger.ledger import Ledger
from server.ledger.settings import LedgerSettings
from server.limits.limits import Limits
from server.limits.memory import MemoryCounters
from server.storage.database import Database
from tests.server.ledger.entries import intent, settlement
from tests.server.limits.asking import ask, counted, refusal
from tests.server.limits.rows import add_budget
from tests.server.limits.turned_clock import TurnedClock

RESERVED = 2000
"""What an intent of the tests holds back."""


@pytest.fixture(params=["sqlite journalled", "sqlite direct", "postgresql direct"])
def way(request: pytest.FixtureRequest) -> str:
    """Where rows go, and how."""
    return str(request.param)


@pytest.fixture
def database(way: str, request: pytest.FixtureRequest) -> Database:
    """A database with tables and nothing in them."""
    opened = request.getfixturevalue(f"{way.split()[0]}_database")
    assert isinstance(opened, Database)
    return opened


@pytest.fixture
async def ledger(database: Database, clock: TurnedClock, tmp_path: Path, way: str) -> AsyncIterator[Ledger]:
    """A ledger whose rows go to the database at once, or when that is asked for and not by themselves."""
    never = LedgerSettings(journal_s=3600.0, journal_rows=10**9)
    made = Ledger(database, clock, "me", tmp_path / "spool", never, alone="journalled" in way)
    await made.recover()
    yield made
    await made.close()


@pytest.fixture
async def limits(database: Database, clock: TurnedClock, ledger: Ledger) -> AsyncIterator[Limits]:
    made = Limits(None, MemoryCounters(clock), database, clock, flush=ledger.flush)
    await made.start()
    yield made
    await made.close()


async def held(limits: Limits) -> list[int]:
    """What the counters hold, in order."""
    return sorted((await counted(limits, ask())).values())


async def test_what_runs_and_what_is_over_is_in_the_sum(limits: Limits, ledger: Ledger, database: Database) -> None:
    await ledger.intent(intent("open"))
    await ledger.intent(intent("over"))
    await ledger.settle(settlement("over", cost_micros=77))
    await add_budget(database, 10**9)
    await limits.refresh()
    assert await refusal(limits, ask()) is None
    assert await held(limits) == [RESERVED + 77]


async def test_a_budget_that_is_counted_anew_knows_what_is_being_written(
    limits: Limits, ledger: Ledger, database: Database
) -> None:
    await add_budget(database, RESERVED)
    await limits.refresh()
    await limits.reserve(ask(micros=RESERVED))
    writing = asyncio.create_task(ledger.intent(intent("a")))
    await asyncio.sleep(0)  # it tells the ledger
    limits.recount()
    assert await refusal(limits, ask(micros=RESERVED)) is not None
    await writing


async def test_a_budget_that_comes_while_a_request_runs_counts_what_it_used(
    limits: Limits, ledger: Ledger, database: Database
) -> None:
    reservation = await limits.reserve(ask(micros=RESERVED))
    await ledger.intent(intent("a"))
    await add_budget(database, RESERVED + 50)
    await limits.refresh()
    assert await refusal(limits, ask(micros=51)) is not None
    await ledger.settle(settlement("a", cost_micros=20))
    await reservation.settle(0, 20)
    assert await refusal(limits, ask(micros=51)) is None
    assert await held(limits) == [71]


async def test_a_request_that_passed_uncounted_counts_what_it_used(
    ledger: Ledger, database: Database, clock: TurnedClock
) -> None:
    fails = True

    async def flush() -> None:
        if fails:
            raise TimeoutError
        await ledger.flush()

    limits = Limits(None, MemoryCounters(clock), database, clock, flush=flush)
    await add_budget(database, 10**9)
    await limits.start()
    reservation = await limits.reserve(ask(micros=RESERVED))
    await ledger.intent(intent("a"))
    fails = False
    clock.time += 60
    assert await refusal(limits, ask()) is None
    assert await held(limits) == [RESERVED]
    await ledger.settle(settlement("a", cost_micros=20))
    await reservation.settle(0, 20)
    assert await held(limits) == [20]
    await limits.close()


@pytest.mark.parametrize("seed", range(8))
async def test_counters_seeded_amid_requests_are_exact_in_the_end(
    limits: Limits, ledger: Ledger, database: Database, seed: int
) -> None:
    chance = Random(seed)

    async def moment() -> None:
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)

    async def one(number: int) -> None:
        if number in (10, 30):
            await add_budget(database, 10**9, "global" if number == 10 else "tenant", "" if number == 10 else "acme")
            await limits.refresh()
        if number % 20 == 19:
            limits.recount()
        reservation = await limits.reserve(ask(micros=RESERVED))
        await moment()
        await ledger.intent(intent(str(number)))
        await moment()
        await ledger.settle(settlement(str(number), cost_micros=number))
        await reservation.settle(0, number)

    async def lane(first: int) -> None:
        for number in range(first, 60, 6):
            await one(number)

    await asyncio.gather(*(lane(first) for first in range(6)))
    assert await refusal(limits, ask()) is None
    assert await held(limits) == [sum(range(60))] * 2
