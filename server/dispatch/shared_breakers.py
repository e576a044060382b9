"""Tells other processes which breakers are open here, and learns of theirs, through Redis or Valkey.

Once a second: what one process found out by failing, all others know a second later, and each still finds out by itself.
"""

import asyncio

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from server.clock import Clock
from server.config.schema import RedisSettings
from server.dispatch.standing import TargetStates
from server.limits.redis_counters import build_redis

_KEY = "trunkline:breakers"
_INTERVAL_S = 1.0
_DEADLINE_S = 1.0
_FORGOTTEN_S = 60.0


class SharedBreakers:
    """The breakers of one process among those of others.

    Args:
        redis: where they meet.
        states: the targets' records of this process.
        clock: tells the time; the processes' clocks have to agree within a second or so.
    """

    def __init__(self, redis: "Redis", states: TargetStates, clock: Clock) -> None:
        self._redis = redis
        self._states = states
        self._clock = clock
        self._trouble = False

    async def run(self) -> None:
        """Exchanges for ever, until it is cancelled. While Redis fails, each process knows its own breakers alone."""
        log = structlog.get_logger("trunkline.breakers")
        while True:
            try:
                async with asyncio.timeout(_DEADLINE_S):
                    await self.exchange()
                if self._trouble:
                    log.info("breakers_shared_again")
                self._trouble = False
            except (RedisError, OSError, TimeoutError) as error:
                if not self._trouble:
                    log.warning("breakers_not_shared", error=type(error).__name__)
                self._trouble = True
            await asyncio.sleep(_INTERVAL_S)

    async def exchange(self) -> None:
        """Tells of this process's open breakers, and holds those open that others told of."""
        wall, now = self._clock.now(), self._clock.monotonic()
        told: dict[str | bytes, str] = {}
        for provider, model, state in self._states.all():
            left_s = state.breaker.opens_in(now)
            if left_s > 0:
                told[f"{provider}\n{model}"] = repr(wall + left_s)
        if told:
            await self._redis.hset(_KEY, mapping=told)  # type: ignore[arg-type]
        for name, until in (await self._redis.hgetall(_KEY)).items():
            field = name if isinstance(name, str) else name.decode()
            left_s = float(until) - wall
            if left_s > 0 and field not in told:
                provider, _, model = field.partition("\n")
                self._states.of(provider, model).breaker.hold(now, left_s)
            elif left_s < -_FORGOTTEN_S:
                await self._redis.hdel(_KEY, field)


async def share_breakers(settings: RedisSettings, states: TargetStates, clock: Clock) -> None:
    """Shares this process's breakers through the Redis of a configuration, until it is cancelled."""
    redis = build_redis(settings)
    try:
        await SharedBreakers(redis, states, clock).run()
    finally:
        await redis.aclose()
