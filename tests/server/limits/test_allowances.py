"""Quotas and budgets: what they refuse, what they count, and that they equal the rows."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from sqlalchemy import delete, select, update
from structlog.testing import capture_logs

from server.errors import GatewayError
from server.limits.budgets import BudgetEvent
from server.limits.counters import Counters
from server.limits.limits import Limits
from server.limits.memory import MemoryCounters
from server.limits.request import Request
from server.storage.connection import AsyncConnection
from server.storage.database import Database
from server.storage.tables import BUDGET_EVENTS, BUDGETS
from tests.server.limits.asking import ANN, BOB, CONFIGURED, admitted, ask, counted, refusal
from tests.server.limits.rows import add_budget, add_quota, open_row, settle_row
from tests.server.limits.turned_clock import START, TurnedClock
from trunkline.v1.error_reason_pb2 import ErrorReason

NOW = round(START * 1_000_000)
DAY = 86_400 * 1_000_000
CENTS_10 = 100_000
DOLLARS_5 = 5_000_000


@pytest.fixture
async def limits(sqlite_database: Database, counters: Counters, clock: TurnedClock) -> AsyncIterator[Limits]:
    made = Limits(None, counters, sqlite_database, clock)
    await made.start()
    yield made
    await made.close()


async def held(limits: Limits, request: Request) -> list[int]:
    """What the counters of a request hold, in order."""
    return sorted((await counted(limits, request)).values())


async def refused(limits: Limits, request: Request) -> GatewayError:
    error = await refusal(limits, request)
    assert error is not None
    return error


async def test_without_rows_nothing_is_refused(limits: Limits) -> None:
    assert len(await admitted([limits], ask(tokens=10**9, micros=10**9), 100)) == 100


async def test_a_quota_refuses_what_is_more_than_it_leaves(limits: Limits, sqlite_database: Database) -> None:
    await add_quota(sqlite_database, 1000)
    await limits.refresh()
    assert await refusal(limits, ask(tokens=900)) is None
    error = await refused(limits, ask(tokens=101))
    assert error.reason is ErrorReason.ERROR_REASON_QUOTA_EXCEEDED
    assert error.message == "The daily quota of tokens of this tenant does not leave enough for this request."
    assert error.metadata == {"scope": "tenant", "period": "daily", "limit": "1000", "reset": "1800057600"}
    assert error.violations == (("tenant:acme", error.message),)
    assert await refusal(limits, ask(tokens=100)) is None


async def test_a_budget_refuses_what_costs_more_than_it_leaves(limits: Limits, sqlite_database: Database) -> None:
    await add_budget(sqlite_database, DOLLARS_5, period="total")
    await limits.refresh()
    assert await refusal(limits, ask(micros=DOLLARS_5)) is None
    error = await refused(limits, ask(micros=1))
    assert error.reason is ErrorReason.ERROR_REASON_BUDGET_EXCEEDED
    assert error.metadata == {"scope": "tenant", "period": "total", "limit": "5000000"}
    assert error.violations == (("tenant:acme", error.message),)


async def test_what_all_spend_together_is_not_told(limits: Limits, sqlite_database: Database) -> None:
    await add_budget(sqlite_database, 1, "global", "")
    await limits.refresh()
    error = await refused(limits, ask(micros=2))
    assert error.message == "The monthly budget of this gateway does not leave enough for this request."
    assert set(error.metadata) == {"scope", "period", "reset"}


@pytest.mark.parametrize(
    ("scope", "scope_id", "other"),
    [
        pytest.param("tenant", "acme", ask(CONFIGURED, micros=9), id="tenant"),
        pytest.param("user", "ann", ask(BOB, micros=9), id="user"),
        pytest.param("key", "k1", ask(BOB, micros=9), id="key"),
        pytest.param("key", "configured", ask(BOB, micros=9), id="key of the configuration"),
        pytest.param("model", "gpt", ask(ANN, micros=9, model="other"), id="model"),
    ],
)
async def test_a_budget_is_for_its_scope(
    limits: Limits, sqlite_database: Database, scope: str, scope_id: str, other: Request
) -> None:
    await add_budget(sqlite_database, 5, scope, scope_id)
    await limits.refresh()
    own = ask(CONFIGURED if scope_id == "configured" else ANN, micros=9)
    assert (await refused(limits, own)).reason is ErrorReason.ERROR_REASON_BUDGET_EXCEEDED
    assert await refusal(limits, other) is None


async def test_one_refusal_reserves_nothing_of_the_others(limits: Limits, sqlite_database: Database) -> None:
    await add_quota(sqlite_database, 1000)
    await add_budget(sqlite_database, 5)
    await limits.refresh()
    await refused(limits, ask(tokens=500, micros=6))
    assert await held(limits, ask()) == [0, 0]


async def test_what_was_not_used_is_given_back_once(limits: Limits, sqlite_database: Database) -> None:
    await add_quota(sqlite_database, 1000)
    await add_budget(sqlite_database, 100)
    await limits.refresh()
    first, second = [await limits.reserve(ask(tokens=500, micros=50)) for _ in range(2)]
    rows = [await open_row(sqlite_database, NOW, 500, 50) for _ in range(2)]
    await settle_row(sqlite_database, rows[0], 20, 30)
    await first.settle(20, 30)
    await first.settle(0, 0)
    await first.release()
    assert await held(limits, ask()) == [80, 520]
    await settle_row(sqlite_database, rows[1], 0, 0)
    await second.release()
    assert await refusal(limits, ask()) is None
    assert await held(limits, ask()) == [20, 30]


async def test_more_than_was_reserved_is_counted_too(limits: Limits, sqlite_database: Database) -> None:
    await add_budget(sqlite_database, 100)
    await limits.refresh()
    reservation = await limits.reserve(ask(micros=10))
    await settle_row(sqlite_database, await open_row(sqlite_database, NOW, 0, 10), 0, 150)
    await reservation.settle(0, 150)
    assert await refusal(limits, ask(micros=0)) is None
    assert await refusal(limits, ask(micros=1)) is not None
    assert await held(limits, ask()) == [150]


async def test_a_new_period_begins_with_nothing(limits: Limits, sqlite_database: Database, clock: TurnedClock) -> None:
    await add_budget(sqlite_database, 100, period="daily")
    await limits.refresh()
    await open_row(sqlite_database, NOW, 0, 100)
    assert await refusal(limits, ask(micros=1)) is not None
    clock.time += 86_400
    assert await refusal(limits, ask(micros=100)) is None


async def test_a_budget_that_only_tracks_refuses_nothing(limits: Limits, sqlite_database: Database) -> None:
    await add_budget(sqlite_database, 10, enforced=False)
    await limits.refresh()
    assert len(await admitted([limits], ask(micros=10), 20)) == 20
    assert await held(limits, ask()) == [200]


async def test_users_who_share_a_key_have_quotas_of_their_own(limits: Limits, sqlite_database: Database) -> None:
    await add_quota(sqlite_database, 100, "user", "ann")
    await add_quota(sqlite_database, 100, "user", "bob")
    await limits.refresh()
    bob = dataclasses.replace(ANN, user_id="bob")
    assert await refusal(limits, ask(tokens=100)) is None
    assert await refusal(limits, ask(bob, tokens=100)) is None
    assert await refusal(limits, ask(bob, tokens=1)) is not None


class _LateEnd:
    """A database whose first reading ends late: what it saw is old by then."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._late = True
        self.begun = asyncio.Event()
        self.version = database.version

    @asynccontextmanager
    async def read(self, timeout_s: float | None = None) -> AsyncIterator[AsyncConnection]:
        async with self._database.read(timeout_s) as connection:
            yield connection
            if self._late:
                self._late = False
                self.begun.set()
                await asyncio.sleep(0.2)


async def test_a_slow_look_does_not_undo_a_later_one(sqlite_database: Database, clock: TurnedClock) -> None:
    slow = _LateEnd(sqlite_database)
    limits = Limits(None, MemoryCounters(clock), cast(Database, slow), clock)
    first = asyncio.create_task(limits.refresh())
    await slow.begun.wait()
    await add_quota(sqlite_database, 100)
    await asyncio.gather(limits.refresh(), first)
    assert await refusal(limits, ask(tokens=101)) is not None
    await limits.close()


async def test_a_changed_row_is_in_force_after_a_look(limits: Limits, sqlite_database: Database) -> None:
    budget = await add_budget(sqlite_database, 10)
    await limits.refresh()
    assert await refusal(limits, ask(micros=11)) is not None
    async with sqlite_database.begin() as connection:
        change = update(BUDGETS).where(BUDGETS.c.id == budget).values(limit_micros=20, update_time=10**6)
        await connection.execute(change)
    await limits.refresh()
    assert await refusal(limits, ask(micros=11)) is None
    async with sqlite_database.begin() as connection:
        await connection.execute(delete(BUDGETS))
    await limits.refresh()
    assert await refusal(limits, ask(micros=10**9)) is None


async def test_counters_begin_with_the_sums_of_the_rows(database: Database, clock: TurnedClock) -> None:
    await settle_row(database, await open_row(database, NOW, 999, 999), 31, 70)
    await settle_row(database, await open_row(database, NOW, 999, 999), 12, None, "interrupted")
    await open_row(database, NOW, 300, 5)
    await open_row(database, NOW, 100, None)
    await open_row(database, NOW - DAY, 7, 7, model="old")
    await open_row(database, NOW, 8, 8, tenant_id="other")
    await add_quota(database, 10**6)
    await add_budget(database, 10**6, period="daily")
    await add_budget(database, 10**6, "global", "", period="daily")
    await add_budget(database, 10**6, "model", "old", period="weekly")
    limits = Limits(None, MemoryCounters(clock), database, clock)
    await limits.start()
    assert await refusal(limits, ask()) is None
    assert await held(limits, ask()) == [75, 83, 443]
    assert await refusal(limits, ask(model="old")) is None
    assert 7 in await held(limits, ask(model="old"))
    await limits.close()


async def test_a_thousand_at_once_never_pass_a_budget(database: Database, clock: TurnedClock) -> None:
    await add_budget(database, DOLLARS_5)
    limits = Limits(None, MemoryCounters(clock), database, clock)
    await limits.start()
    assert len(await admitted([limits], ask(micros=CENTS_10), 1000)) == 50
    assert await held(limits, ask()) == [DOLLARS_5]
    await limits.close()


async def test_a_row_that_is_newer_than_a_request_counts_it_all_the_same(limits: Limits, sqlite_database: Database) -> None:
    reservation = await limits.reserve(ask(micros=60))
    row = await open_row(sqlite_database, NOW, 0, 60)
    await add_budget(sqlite_database, 100)
    await limits.refresh()
    assert await refusal(limits, ask(micros=50)) is not None
    await settle_row(sqlite_database, row, 0, 20)
    await reservation.settle(0, 20)
    await limits.finish()
    assert await refusal(limits, ask(micros=50)) is None
    assert await held(limits, ask()) == [70]


async def test_after_a_restart_the_counters_are_what_they_were(database: Database, clock: TurnedClock) -> None:
    await add_quota(database, 10**6)
    await add_budget(database, 10**6)
    first, second = [Limits(None, MemoryCounters(clock), database, clock) for _ in range(2)]
    await first.start()
    for number in range(20):
        reservation = await first.reserve(ask(tokens=50 + number, micros=500))
        row = await open_row(database, NOW, 50 + number, 500)
        if number % 4:
            await settle_row(database, row, 3 * number, 7 * number)
            await reservation.settle(3 * number, 7 * number)
    await second.start()
    assert await refusal(second, ask()) is None
    assert await counted(second, ask()) == await counted(first, ask())
    assert await held(second, ask()) == [740, 3550]
    for limits in (first, second):
        await limits.close()


async def test_rows_that_come_amid_requests_count_exactly_in_the_end(limits: Limits, sqlite_database: Database) -> None:
    async def one(number: int) -> None:
        if number in (10, 30):
            await add_budget(sqlite_database, 10**6, "global" if number == 10 else "tenant", "" if number == 10 else "acme")
            await limits.refresh()
        reservation = await limits.reserve(ask(micros=100))
        row = await open_row(sqlite_database, NOW, 0, 100)
        await settle_row(sqlite_database, row, 0, number)
        await reservation.settle(0, number)

    await asyncio.gather(*(one(number) for number in range(50)))
    await limits.finish()
    assert await refusal(limits, ask()) is None
    assert await held(limits, ask()) == [sum(range(50))] * 2


async def test_what_others_changed_is_counted_anew(limits: Limits, sqlite_database: Database) -> None:
    await add_budget(sqlite_database, 100)
    row = await open_row(sqlite_database, NOW, 0, 90)
    await limits.refresh()
    assert await refusal(limits, ask(micros=20)) is not None
    await settle_row(sqlite_database, row, 0, 30, "interrupted")
    limits.recount()
    assert await refusal(limits, ask(micros=70)) is None


async def test_thresholds_raise_one_event_each_in_a_period(database: Database, clock: TurnedClock) -> None:
    budget = await add_budget(database, 100, period="daily", thresholds="[50, 80, 100]")
    told: list[BudgetEvent] = []
    workers = [Limits(None, MemoryCounters(clock), database, clock) for _ in range(2)]
    for limits in workers:
        limits.on_budget_event = told.append
        await limits.start()
    first = [await limits.reserve(ask(micros=50)) for limits in workers]
    for reservation in first:
        await reservation.settle(0, 85)
    clock.time += 86_400
    later = await workers[0].reserve(ask(micros=100))
    await later.settle(0, 100)
    for limits in workers:
        await limits.close()
    async with database.read() as connection:
        rows = [tuple(row) for row in await connection.execute(select(BUDGET_EVENTS.c.budget_id, BUDGET_EVENTS.c.threshold))]
    assert sorted(rows) == [(budget, 50), (budget, 50), (budget, 80), (budget, 80), (budget, 100)]
    assert sorted((event.threshold, event.spent_micros) for event in told) == [
        (50, 85),
        (50, 100),
        (80, 85),
        (80, 100),
        (100, 100),
    ]


async def test_a_budget_that_is_lowered_below_what_was_spent_tells_so_when_it_refuses(
    limits: Limits, sqlite_database: Database
) -> None:
    budget = await add_budget(sqlite_database, 100, thresholds="[80, 100]")
    told: list[BudgetEvent] = []
    limits.on_budget_event = told.append
    await limits.refresh()
    await settle_row(sqlite_database, await open_row(sqlite_database, NOW, 0, 70), 0, 70)
    held = await limits.reserve(ask(micros=20))
    for number, limit in enumerate((75, 70)):
        async with sqlite_database.begin() as connection:
            change = update(BUDGETS).where(BUDGETS.c.id == budget).values(limit_micros=limit, update_time=10**6 + number)
            await connection.execute(change)
        await limits.refresh()
        for _ in range(2):
            assert await refusal(limits, ask(micros=1)) is not None
            await limits.finish()
    await held.release()
    assert [(event.budget.limit, event.threshold, event.spent_micros) for event in told] == [(75, 80, 70), (70, 100, 70)]


async def test_an_event_that_could_not_be_written_is_raised_when_the_database_is_back(
    limits: Limits, sqlite_database: Database
) -> None:
    await add_budget(sqlite_database, 100, thresholds="[100]")
    await limits.refresh()
    told: list[BudgetEvent] = []
    limits.on_budget_event = told.append
    reservation = await limits.reserve(ask(micros=100))
    async with sqlite_database.begin() as connection:
        await connection.run_sync(BUDGET_EVENTS.drop)
    await reservation.settle(0, 100)
    await limits.finish()
    async with sqlite_database.begin() as connection:
        await connection.run_sync(BUDGET_EVENTS.create)
    for _ in range(2):
        await limits.refresh()
        await limits.finish()
    assert [(event.threshold, event.spent_micros) for event in told] == [(100, 100)]


async def test_who_fails_when_told_of_a_threshold_is_logged(limits: Limits, sqlite_database: Database) -> None:
    await add_budget(sqlite_database, 100, thresholds="[100]")
    await limits.refresh()

    def fail(_: BudgetEvent) -> None:
        raise ZeroDivisionError

    limits.on_budget_event = fail
    with capture_logs() as logged:
        await (await limits.reserve(ask(micros=100))).settle(0, 100)
        await limits.finish()
    assert [(line["log_level"], type(line["exc_info"])) for line in logged] == [("error", ZeroDivisionError)]


async def test_what_is_only_reserved_crosses_no_threshold(limits: Limits, sqlite_database: Database) -> None:
    await add_budget(sqlite_database, 100, thresholds="[50]")
    await limits.refresh()
    told: list[BudgetEvent] = []
    limits.on_budget_event = told.append
    first, second = [await limits.reserve(ask(micros=40)) for _ in range(2)]
    await first.settle(0, 40)
    await second.release()
    assert told == []
