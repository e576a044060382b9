"""Requests that are counted together are counted as if they came one after the other."""

import random
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from server.catalogue.own_names import OwnNames
from server.config.schema import RateLimitSettings
from server.errors import GatewayError
from server.limits.allowances import Allowance, Allowances, Unit
from server.limits.limits import Limits, Reservation
from server.limits.memory import MemoryCounters
from server.limits.periods import Period
from server.limits.request import Request
from tests.server.limits.asking import ANN, BOB, admitted, ask, counted
from tests.server.limits.turned_clock import TurnedClock

UNKNOWN = replace(ask(), micros=1)
"""A request whose price nobody knows: it needs something, and holds nothing back."""


async def build(clock: TurnedClock, quota: int = 10**9, budget: int = 10**9, **rates: object) -> Limits:
    """Limits with a quota and a budget of the tenant, of which nothing is used."""
    counters = MemoryCounters(clock)
    limits = Limits(RateLimitSettings.model_validate(rates), counters, None, clock)
    allowances = [
        Allowance("q", Unit.TOKENS, "tenant", "acme", quota, Period.DAILY),
        Allowance("b", Unit.MICROS, "tenant", "acme", budget, Period.MONTHLY),
    ]
    limits._book.allowances = Allowances(allowances, OwnNames())
    for due in limits._book.allowances.dues(limits._now()):
        await counters.seed(due.key, 0)
    return limits


def told(outcomes: Sequence[object]) -> list[object]:
    """What each caller is told: its headers, or why it is refused."""
    return [each.headers if isinstance(each, Reservation) else str(each) for each in outcomes]


async def one_by_one(limits: Limits, requests: Sequence[Request]) -> list[object]:
    outcomes: list[object] = []
    for request in requests:
        try:
            outcomes.append(await limits.reserve(request))
        except GatewayError as error:
            outcomes.append(error)
    return outcomes


@pytest.mark.parametrize("seed", range(40))
async def test_what_is_granted_and_told_is_the_same(clock: TurnedClock, seed: int) -> None:
    chance = random.Random(seed)
    rates = {
        "requests_per_window": chance.choice([3, 20, 1000]),
        "tokens_per_window": chance.choice([None, 500, 5000]),
        "burst_limit": chance.choice([0, 2, 10]),
    }
    quota, budget = chance.choice([300, 10**9]), chance.choice([200, 10**9])
    together, alone = await build(clock, quota, budget, **rates), await build(clock, quota, budget, **rates)
    for _ in range(12):
        requests = [
            chance.choice([UNKNOWN, ask(tokens=10), ask(tokens=90, micros=5, more=30), ask(micros=40)])
            for _ in range(chance.randint(1, 6))
        ]
        outcomes, others = together.reserve_at_once(requests), await one_by_one(alone, requests)
        assert told(outcomes) == told(others)
        used = [
            (each, chance.choice([0, 7, 120]), chance.choice([0, 3, 50]))
            for each in outcomes
            if isinstance(each, Reservation)
        ]
        clock.time += chance.choice([0, 0.3, 30])
        assert together.settle_at_once(used)
        left = [each for each in others if isinstance(each, Reservation)]
        for reservation, (_, tokens, micros) in zip(left, used, strict=True):
            await reservation.settle(tokens, micros)
        assert await counted(together, requests[0]) == await counted(alone, requests[0])
        clock.time += chance.choice([0, 0.3, 30])


async def test_askers_of_one_budget_never_pass_it_together(clock: TurnedClock) -> None:
    limits = await build(clock, budget=100)
    requests = [ask(chance, micros=30) for chance in (ANN, BOB, ANN, BOB, ANN)]
    outcomes = limits.reserve_at_once(requests)
    assert sum(isinstance(each, Reservation) for each in outcomes) == 3
    assert await counted(limits, requests[0]) == {"q": 0, "b": 90}


@pytest.mark.parametrize("together", [True, False], ids=["together", "one by one"])
async def test_a_budget_is_exceeded_by_no_more_than_one_misjudged_request(clock: TurnedClock, together: bool) -> None:
    limits = await build(clock, budget=100)
    requests = [ask(micros=10, more=30)] * 20
    outcomes = limits.reserve_at_once(requests) if together else await admitted([limits], requests[0], 20)
    let_in = [each for each in outcomes if isinstance(each, Reservation)]
    assert limits.settle_at_once([(each, 0, 40) for each in let_in])
    assert await counted(limits, requests[0]) == {"q": 0, "b": 120}


async def test_what_is_expected_is_what_a_rate_of_tokens_counts(clock: TurnedClock) -> None:
    limits = await build(clock, tokens_per_window=100)
    requests = [ask(tokens=30, more=1000)] * 4
    outcomes = limits.reserve_at_once(requests)
    assert [isinstance(each, Reservation) for each in outcomes] == [True] * 3 + [False]
    assert limits.settle_at_once([(each, 10, 0) for each in outcomes if isinstance(each, Reservation)])
    assert len(await admitted([limits], requests[0], 4)) == 2


async def test_a_burst_is_bounded_for_those_who_come_together(clock: TurnedClock) -> None:
    limits = await build(clock, requests_per_window=100, burst_limit=3)
    outcomes = limits.reserve_at_once([ask() for _ in range(10)])
    assert [isinstance(each, Reservation) for each in outcomes] == [True] * 3 + [False] * 7


async def test_what_is_settled_twice_counts_once(clock: TurnedClock) -> None:
    limits = await build(clock)
    (reservation,) = await admitted([limits], ask(tokens=10, micros=10), 1)
    assert limits.settle_at_once([(reservation, 4, 5), (reservation, 9, 9)])
    await reservation.settle(1, 1)
    await reservation.release()
    assert await counted(limits, ask()) == {"q": 4, "b": 5}


async def test_nothing_is_done_where_counters_have_to_be_waited_for(clock: TurnedClock) -> None:
    limits = await build(clock)
    (reservation,) = await admitted([limits], ask(tokens=10), 1)
    limits._book.forget(["another"])
    assert limits.reserve_at_once([ask(), ask()]) == [None, None]
    assert not limits.settle_at_once([(reservation, 4, 0)])
    await reservation.settle(4, 0)
    assert await counted(limits, ask()) == {"q": 4, "b": 0}
