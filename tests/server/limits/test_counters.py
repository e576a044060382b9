"""What counters promise, whatever keeps them."""

import asyncio

import pytest

from server.limits.counters import NO_LIMIT, SLOTS, Change, Claim, Counters
from tests.server.limits.asking import refused_at
from tests.server.limits.turned_clock import TurnedClock

MINUTE = 60.0
SLOT = MINUTE / SLOTS


def window(amount: int = 1, limit: int = 10, burst: int = 0, key: str = "w") -> Claim:
    return Claim(key, amount, limit, window_s=MINUTE, burst=burst)


def seeded(amount: int = 1, limit: int = 10, key: str = "s") -> Claim:
    return Claim(key, amount, limit, expires_s=3600, seeded=True)


async def seed(counters: Counters, value: int = 0, settled: int = 0, key: str = "s") -> int:
    mark = (await counters.take([seeded(key=key)])).marks[0]
    assert await counters.seed(key, value, settled, mark, 3600)
    return mark


async def test_a_claim_fits_up_to_its_limit(counters: Counters) -> None:
    claim = Claim("a", 4, 10)
    assert [await refused_at(counters, [claim]) for _ in range(3)] == [None, None, 0]
    assert await counters.value("a") == 8


async def test_all_claims_are_granted_or_none(counters: Counters) -> None:
    claims = [Claim("a", 1, 10), window(), Claim("b", 2, 1), Claim("c", 1, 10)]
    assert await refused_at(counters, claims) == 2
    assert (await counters.take([Claim("a", 0, 10), window(0), Claim("c", 0, 10)])).left == (10, 10, 10)


async def test_what_has_no_limit_is_counted(counters: Counters) -> None:
    assert await refused_at(counters, [Claim("a", 10**15, NO_LIMIT)]) is None
    assert await counters.value("a") == 10**15


async def test_a_limit_may_be_as_large_as_it_gets(counters: Counters) -> None:
    assert await refused_at(counters, [Claim("a", 5, 2**63 - 1), window(5, 2**63 - 1)]) is None
    assert await counters.value("a") == 5


async def test_nothing_always_fits(counters: Counters) -> None:
    await counters.seed("a", 11)
    assert await refused_at(counters, [Claim("a", 0, 10), window(0, 1)]) is None


async def test_more_may_be_taken_than_has_to_be_there(counters: Counters) -> None:
    claim = Claim("a", 8, 10, needed=2)
    assert [await refused_at(counters, [claim]) for _ in range(3)] == [None, None, 0]
    assert await counters.value("a") == 16


async def test_something_may_be_needed_of_which_nothing_is_taken(counters: Counters) -> None:
    await counters.seed("a", 9)
    assert await refused_at(counters, [Claim("a", 0, 10, needed=1)]) is None
    await counters.change([Change("a", 1)])
    assert await refused_at(counters, [Claim("a", 0, 10, needed=1)]) == 0


async def test_what_is_left_is_told(counters: Counters) -> None:
    taken = await counters.take([Claim("a", 3, 10), window(2, 5)])
    assert (taken.refused, taken.left) == (None, (7, 3))
    assert (await counters.take([Claim("a", 8, 10), window(2, 5)])).left == (7, 3)


async def test_concurrent_claims_never_pass_the_limit(counters: Counters) -> None:
    outcomes = await asyncio.gather(*(refused_at(counters, [Claim("a", 100, 5000), window(1, 2000)]) for _ in range(1000)))
    assert outcomes.count(None) == 50
    assert await counters.value("a") == 5000


async def test_a_seeded_counter_is_absent_at_first(counters: Counters) -> None:
    taken = await counters.take([Claim("a", 1, 10), seeded()])
    assert (taken.refused, taken.absent) == (None, (1,))
    assert await counters.value("s") is None


async def test_a_seed_is_what_a_counter_begins_with(counters: Counters) -> None:
    await seed(counters, 9)
    assert [await refused_at(counters, [seeded()]) for _ in range(2)] == [None, 0]


async def test_only_the_first_seed_counts(counters: Counters) -> None:
    mark = (await counters.take([seeded()])).marks[0]
    assert (await counters.take([seeded()])).marks[0] == mark
    assert await counters.seed("s", 1, 0, mark)
    assert await counters.seed("s", 5, 0, mark)
    assert await counters.value("s") == 1


async def test_a_seed_of_before_a_drop_is_refused(counters: Counters) -> None:
    mark = (await counters.take([seeded()])).marks[0]
    await counters.drop(["s"])
    assert not await counters.seed("s", 1, 0, mark)
    await counters.take([seeded()])
    assert not await counters.seed("s", 1, 0, mark)
    assert await counters.value("s") is None


async def test_a_change_corrects_and_tells_what_is_settled(counters: Counters) -> None:
    await seed(counters, 5, settled=2)
    mark = (await counters.take([seeded(4)])).marks[0]
    assert await counters.change([Change("s", -3, mark, settled=1)]) == (3,)
    assert await counters.value("s") == 6


async def test_a_change_of_what_was_seeded_since_is_made_and_told(counters: Counters) -> None:
    mark = await seed(counters)
    await counters.drop(["s"])
    assert await counters.change([Change("s", -1, mark)]) == (None,)
    await seed(counters, 7)
    assert await counters.change([Change("s", -1, mark)]) == (None,)
    assert await counters.value("s") == 6


async def test_a_window_forgets_what_is_older(counters: Counters, clock: TurnedClock) -> None:
    assert [await refused_at(counters, [window(6)]), await refused_at(counters, [window(6)])] == [None, 0]
    clock.time += MINUTE
    assert await refused_at(counters, [window(6)]) == 0
    clock.time += SLOT
    assert await refused_at(counters, [window(6)]) is None


@pytest.mark.parametrize("idle", [MINUTE * 2, MINUTE * 3, 86_400.0])
async def test_a_window_that_nobody_used_for_long_is_empty(counters: Counters, clock: TurnedClock, idle: float) -> None:
    await refused_at(counters, [window(10)])
    clock.time += idle
    assert (await counters.take([window(1)])).left == (9,)


async def test_a_refused_claim_fits_after_its_wait(counters: Counters, clock: TurnedClock) -> None:
    for amount in (2, 3, 5):
        assert await refused_at(counters, [window(amount)]) is None
        clock.time += 7
    wait_s = (await counters.take([window(4)])).wait_s
    assert wait_s is not None
    assert wait_s == pytest.approx(MINUTE - 14, abs=2 * SLOT)
    clock.time += wait_s
    assert await refused_at(counters, [window(4)]) is None


async def test_what_is_more_than_a_window_takes_never_fits(counters: Counters) -> None:
    taken = await counters.take([window(11)])
    assert (taken.refused, taken.wait_s) == (0, None)


async def test_a_burst_passes_at_once_and_the_rest_evenly(counters: Counters, clock: TurnedClock) -> None:
    claim = window(limit=60, burst=5)
    assert [await refused_at(counters, [claim]) for _ in range(6)] == [None] * 5 + [0]
    assert (await counters.take([claim])).wait_s == pytest.approx(1, abs=0.001)
    for _ in range(20):
        clock.time += 1.001
        assert [await refused_at(counters, [claim]), await refused_at(counters, [claim])] == [None, 0]


async def test_more_than_a_burst_passes_when_the_burst_is_whole(counters: Counters, clock: TurnedClock) -> None:
    assert await refused_at(counters, [window(20, limit=60, burst=5)]) is None
    assert await refused_at(counters, [window(6, limit=60, burst=5)]) == 0
    clock.time += 20.001
    assert await refused_at(counters, [window(6, limit=60, burst=5)]) is None


async def test_a_window_is_corrected_where_it_was_claimed(counters: Counters, clock: TurnedClock) -> None:
    mark = (await counters.take([window(9)])).marks[0]
    clock.time += 10
    await counters.change([Change("w", -7, mark, window_s=MINUTE)])
    assert (await counters.take([window(0)])).left == (8,)
    clock.time += MINUTE - 10 + SLOT
    assert (await counters.take([window(0)])).left == (10,)


async def test_a_correction_of_what_is_forgotten_changes_nothing(counters: Counters, clock: TurnedClock) -> None:
    mark = (await counters.take([window(9)])).marks[0]
    clock.time += MINUTE + SLOT
    await refused_at(counters, [window(1)])
    await counters.change([Change("w", -7, mark, window_s=MINUTE)])
    assert (await counters.take([window(0)])).left == (9,)
