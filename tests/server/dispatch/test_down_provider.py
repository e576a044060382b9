"""A provider that is down for a minute, with another one beside it: what it costs, by a clock that is turned."""

import itertools
from contextlib import aclosing
from dataclasses import dataclass

from server.caller import ANONYMOUS
from server.config.schema import CircuitBreakerSettings
from server.dispatch.dispatcher import Dispatcher
from server.dispatch.means import Means
from server.providers.errors import Fault, ProviderError
from tests.server.calls import call
from tests.server.dispatch.scripted_provider import Scripted, chat, means, rows, says

ANSWER = [says("Hello", end="stop")]
RECOVERY_S = 10.0
DOWN_S = 60.0
PER_SECOND = 20


@dataclass(slots=True)
class TurnedClock:
    """A clock that stands until it is turned."""

    time: float = 0.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


async def ask(given: Means) -> int:
    """Asks once; tells how many attempts it took."""
    made = call()
    async with aclosing(Dispatcher(given).stream(chat(), made)) as batches:
        assert [batch async for batch in batches] == ANSWER
    attempts = made.notes["attempts"]
    assert isinstance(attempts, int)
    return attempts


def scene(down: Scripted) -> tuple[Means, TurnedClock, Scripted]:
    clock, other = TurnedClock(), Scripted(ANSWER)
    breaker = CircuitBreakerSettings(failure_threshold=5, recovery_timeout=RECOVERY_S, half_open_max_calls=3)
    given = means(rows(down, other, max_retries=2, retry_delay=0), clock=clock, breaker=breaker)
    return given, clock, other


async def test_a_provider_that_is_down_is_probed_once_in_each_recovery_interval() -> None:
    down = Scripted(error=ProviderError(Fault.SERVER, "Down."))
    given, clock, _ = scene(down)
    while not down.asks or given.router.targets("m", ANONYMOUS)[0].state.breaker.closed:
        await ask(given)
    opened = len(down.asks)
    assert opened == 5
    attempts, probe_times = [], []
    for tick in range(1, int(DOWN_S * PER_SECOND) + 1):
        clock.time = tick / PER_SECOND
        asked = len(down.asks)
        attempts.append(await ask(given))
        probe_times += [clock.time] * (len(down.asks) - asked)
    assert sum(attempts) / len(attempts) <= 1.2
    assert all(later - earlier >= RECOVERY_S for earlier, later in itertools.pairwise(probe_times))
    assert 1 <= len(probe_times) <= DOWN_S / RECOVERY_S


async def test_a_provider_that_is_back_is_found_and_used_again() -> None:
    down = Scripted(ANSWER, turns=[Scripted(error=ProviderError(Fault.SERVER, "Down."))] * 6)
    given, clock, other = scene(down)
    for tick in range(400):
        clock.time = tick / PER_SECOND
        await ask(given)
    assert not down.turns
    asked = len(other.asks)
    clock.time += RECOVERY_S
    for _ in range(10):
        assert await ask(given) == 1
    assert len(other.asks) == asked
    assert given.router.targets("m", ANONYMOUS)[0].state.breaker.closed


async def test_a_lone_provider_that_is_down_gets_one_attempt_for_a_request() -> None:
    down = Scripted(ANSWER, turns=[Scripted(error=ProviderError(Fault.SERVER, "Down."))] * 5)
    clock = TurnedClock()
    given = means(rows(down, max_retries=4, retry_delay=0), clock=clock, breaker=CircuitBreakerSettings(failure_threshold=2))
    for _ in range(4):
        asked = len(down.asks)
        async with aclosing(Dispatcher(given).stream(chat(), made := call())) as batches:
            try:
                assert [batch async for batch in batches] == ANSWER
            except Exception:
                assert made.notes["attempts"] == len(down.asks) - asked
        assert len(down.asks) - asked <= 2
