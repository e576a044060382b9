"""A model is limited by whatever name it is asked for."""

from collections.abc import AsyncIterator

import pytest

from server.catalogue.own_names import OwnNames
from server.config.schema import RateLimitSettings
from server.limits.counters import Counters
from server.limits.limits import Limits
from server.limits.memory import MemoryCounters
from server.storage.database import Database
from tests.server.catalogue.listing_provider import row
from tests.server.limits.asking import ask, refusal
from tests.server.limits.rows import add_budget, open_row, settle_row
from tests.server.limits.turned_clock import START, TurnedClock
from trunkline.v1.error_reason_pb2 import ErrorReason

MODELS = OwnNames([row("first", "gpt-4o"), row("second", "gpt-4o", "solo")], {"fast": "gpt-4o"})
NAMES = ("gpt-4o", "fast", "first/gpt-4o", "second/gpt-4o")
DOLLAR = 1_000_000
NOW = round(START * 1_000_000)


@pytest.fixture
async def limits(database: Database, counters: Counters, clock: TurnedClock) -> AsyncIterator[Limits]:
    made = Limits(None, counters, database, clock, models=MODELS)
    await made.start()
    yield made
    await made.close()


@pytest.mark.parametrize("name", NAMES)
async def test_a_budget_counts_a_model_by_all_its_names(limits: Limits, database: Database, name: str) -> None:
    await add_budget(database, 4 * DOLLAR, "model", name)
    await limits.refresh()
    for each in NAMES:
        assert await refusal(limits, ask(micros=DOLLAR, model=each)) is None
    for each in NAMES:
        error = await refusal(limits, ask(micros=1, model=each))
        assert error is not None
        assert error.reason is ErrorReason.ERROR_REASON_BUDGET_EXCEEDED
        assert error.violations[0][0] == f"model:{name}"
    assert await refusal(limits, ask(micros=DOLLAR, model="solo")) is None


async def test_the_rows_of_all_its_names_are_what_was_spent(limits: Limits, database: Database) -> None:
    for name in NAMES:
        await settle_row(database, await open_row(database, NOW, 10, DOLLAR, model=name), 10, DOLLAR)
    await open_row(database, NOW, 10, DOLLAR, model="fast")
    await open_row(database, NOW, 10, DOLLAR, model="solo")
    await add_budget(database, 6 * DOLLAR, "model", "gpt-4o")
    await limits.refresh()
    assert await refusal(limits, ask(micros=DOLLAR + 1, model="gpt-4o")) is not None
    assert await refusal(limits, ask(micros=DOLLAR, model="fast")) is None
    assert await refusal(limits, ask(micros=1, model="first/gpt-4o")) is not None


async def test_what_was_counted_by_other_names_is_counted_anew(
    database: Database, counters: Counters, clock: TurnedClock
) -> None:
    await add_budget(database, 3 * DOLLAR, "model", "gpt-4o")
    for name in ("gpt-4o", "fast"):
        await settle_row(database, await open_row(database, NOW, 10, DOLLAR, model=name), 10, DOLLAR)
    before = Limits(None, counters, database, clock)
    await before.start()
    assert await refusal(before, ask(micros=1, model="gpt-4o")) is None
    await before.finish()
    after = Limits(None, counters, database, clock, models=MODELS)
    await after.start()
    assert await refusal(after, ask(micros=DOLLAR + 1, model="gpt-4o")) is not None
    assert await refusal(after, ask(micros=DOLLAR, model="gpt-4o")) is None
    await after.close()


async def test_each_of_two_rates_for_names_of_one_model_holds(clock: TurnedClock) -> None:
    scopes = [
        {"scope": "model", "name": "gpt-4o", "requests_per_window": 2},
        {"scope": "model", "name": "fast", "requests_per_window": 500},
    ]
    limits = Limits(RateLimitSettings.model_validate({"scopes": scopes}), MemoryCounters(clock), None, clock, models=MODELS)
    assert [await refusal(limits, ask(model=name)) is None for name in NAMES] == [True, True, False, False]


@pytest.mark.parametrize("name", [None, "gpt-4o", "fast", "gpt-*", "fas*", "second/*"])
async def test_a_rate_counts_a_model_by_all_its_names(clock: TurnedClock, name: str | None) -> None:
    settings = RateLimitSettings.model_validate({"scopes": [{"scope": "model", "name": name, "requests_per_window": 4}]})
    limits = Limits(settings, MemoryCounters(clock), None, clock, models=MODELS)
    for each in NAMES:
        assert await refusal(limits, ask(model=each)) is None
    for each in NAMES:
        assert await refusal(limits, ask(model=each)) is not None
    assert await refusal(limits, ask(model="solo")) is None
