"""Which counters a configuration gets."""

from server.config.schema import RedisSettings
from server.limits.choice import build_counters
from server.limits.counters import Claim
from server.limits.memory import MemoryCounters
from server.limits.redis_counters import RedisCounters
from tests.server.limits.asking import refused_at
from tests.server.limits.conftest import PATIENT_S
from tests.server.limits.turned_clock import TurnedClock


def test_without_redis_counters_are_in_memory(clock: TurnedClock) -> None:
    assert isinstance(build_counters(None, clock), MemoryCounters)


async def test_with_redis_they_are_there(clock: TurnedClock, redis_url: str) -> None:
    settings = RedisSettings.model_validate({"url": redis_url, "timeout": PATIENT_S})
    first, second = build_counters(settings, clock), build_counters(settings, clock)
    assert isinstance(first, RedisCounters)
    assert [await refused_at(each, [Claim("a", 6, 10)]) for each in (first, second)] == [None, 0]
    assert (first.failures, first.troubled) == (0, False)
    for each in (first, second):
        await each.close()
