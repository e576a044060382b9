"""Which counters a configuration gets."""

from server.clock import Clock
from server.config.schema import RedisSettings
from server.limits.counters import Counters
from server.limits.memory import MemoryCounters
from server.limits.redis_counters import RedisCounters, build_redis


def build_counters(settings: RedisSettings | None, clock: Clock) -> Counters:
    """Makes counters: in Redis where there is one, else in memory."""
    if settings is None:
        return MemoryCounters(clock)
    return RedisCounters(build_redis(settings), clock, settings.timeout)
