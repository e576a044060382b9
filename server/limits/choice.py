"""Which counters a configuration gets."""

from importlib import import_module

from server.clock import Clock
from server.config.schema import RedisSettings
from server.limits.counters import Counters
from server.limits.memory import MemoryCounters


def build_counters(settings: RedisSettings | None, clock: Clock) -> Counters:
    """Makes counters: in Redis where there is one, else in memory. The client of Redis is imported where it is needed."""
    if settings is None:
        return MemoryCounters(clock)
    build = import_module("server.limits.redis_counters").build_redis_counters
    counters: Counters = build(settings, clock)
    return counters
