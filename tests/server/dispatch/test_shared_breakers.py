"""Processes that share what they know of targets, through a real Redis."""

from redis.asyncio import Redis

from server.clock import SystemClock
from server.config.schema import CircuitBreakerSettings
from server.dispatch.shared_breakers import SharedBreakers
from server.dispatch.standing import Standing, TargetStates
from server.providers.errors import Fault, ProviderError

CLOCK = SystemClock()


def process(redis: "Redis") -> tuple[TargetStates, SharedBreakers]:
    states = TargetStates(CircuitBreakerSettings(failure_threshold=1))
    return states, SharedBreakers(redis, states, CLOCK)


def fail(states: TargetStates, provider: str, model: str) -> None:
    state = states.of(provider, model)
    state.failed(state.begin(), ProviderError(Fault.SERVER, "No."), CLOCK.monotonic())


async def test_a_breaker_that_opens_in_one_process_is_open_in_all(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        (one, share_one), (other, share_other) = process(redis), process(redis)
        fail(one, "a", "some/model:1")
        await share_one.exchange()
        await share_other.exchange()
    now = CLOCK.monotonic()
    assert other.of("a", "some/model:1").standing(now) is Standing.OPEN
    assert 0 < other.of("a", "some/model:1").ready_in(now) <= one.of("a", "some/model:1").ready_in(now) + 0.1
    assert other.of("a", "other").standing(now) is Standing.READY


async def test_what_is_over_is_held_against_nobody(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.hset("trunkline:breakers", mapping={"a\nm": "1", "a\nn": repr(CLOCK.now() - 5)})
        states, share = process(redis)
        await share.exchange()
        assert await redis.hkeys("trunkline:breakers") == [b"a\nn"]
    assert states.of("a", "m").standing(CLOCK.monotonic()) is Standing.READY
