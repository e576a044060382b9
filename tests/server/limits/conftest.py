"""Counters of both kinds, with a clock of the test's own."""

from collections.abc import AsyncIterator

import pytest

from server.config.schema import RedisSettings
from server.limits.counters import Counters
from server.limits.memory import MemoryCounters
from server.limits.redis_counters import RedisCounters, build_redis
from tests.server.limits.turned_clock import TurnedClock

PATIENT_S = 30.0
"""A machine that is busy with other things is not what these tests are about."""


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
async def redis_counters(redis_url: str, clock: TurnedClock) -> AsyncIterator[RedisCounters]:
    settings = RedisSettings.model_validate({"url": redis_url, "timeout": PATIENT_S})
    counters = RedisCounters(build_redis(settings), clock, settings.timeout, clock.microseconds)
    yield counters
    await counters.close()


@pytest.fixture(params=["memory", "redis"])
def counters(request: pytest.FixtureRequest, clock: TurnedClock) -> Counters:
    if request.param == "memory":
        return MemoryCounters(clock)
    found = request.getfixturevalue("redis_counters")
    assert isinstance(found, RedisCounters)
    return found
