"""Counters in Redis or Valkey, which workers and hosts share.

What is asked for while a message is under way goes out together in the next one, so that a thousand callers at once need a
few messages, not a thousand. A Redis that is slow or gone costs nobody more than the timeout, waiting behind other messages
included; and one that is gone only one caller a second.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from secrets import randbelow

import msgspec
import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from server.clock import Clock
from server.config.schema import RedisSettings
from server.limits.counters import ANY_MARK, LONGEST_SEED_S, SLOTS, Change, Claim, CountersError, Taken
from server.limits.redis_script import SCRIPT

_MOST_ASKS = 256
_REST_S = 1.0
"""How long a Redis that failed is left alone."""
_SLICES = 5
_STRETCHED_S = 1.0
"""How long a busy loop may wait in all."""
_SERVERS_TIME = -1
_CONNECTIONS = 4
_PREFIX = "{trunkline}:limits:"  # the braces keep all keys on one node of a cluster
_RUN = "run"
_LARGEST = 1 << 53
"""Redis counts in floating point, exactly up to here. No sum comes so far."""

Ask = list[object]


@dataclass(frozen=True, slots=True)
class _Pending:
    """One caller's ask.

    Attributes:
        waited_s: what had been waited for Redis, in all, when it was asked.
    """

    ask: Callable[[Callable[[str], int]], Ask]
    answer: "asyncio.Future[object]"
    waited_s: float
    claims: Sequence[Claim] = ()


class RedisCounters:
    """Counters in Redis. What is asked for is in line when a method first waits.

    Args:
        client: its own from now on.
        clock: tells when to try a Redis again that failed.
        timeout_s: how long each ask may take.
        now: the time in microseconds that windows go by; None: the Redis server's, which all its callers share.
    """

    def __init__(self, client: Redis, clock: Clock, timeout_s: float = 0.05, now: Callable[[], int] | None = None) -> None:
        self.on_trouble: Callable[[bool], None] = lambda troubled: None
        self.failures = 0
        self.troubled = False
        self.remote = True
        self._client = client
        self._script = client.register_script(SCRIPT)
        self._clock = clock
        self._timeout_s = timeout_s
        self._slice_s = timeout_s / _SLICES
        self._waited_s = 0.0
        self._now = now or (lambda: _SERVERS_TIME)
        self._again = 0.0
        self._pending: list[_Pending] = []
        self._runner: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("trunkline.limits")

    async def take(self, claims: Sequence[Claim]) -> Taken:
        """Claims all or nothing, atomically."""

        def ask(number: Callable[[str], int]) -> Ask:
            return ["take", [_claim(claim, number) for claim in claims], _mark()]

        return _taken(await self._ask(ask, claims))

    async def change(self, changes: Sequence[Change]) -> tuple[int | None, ...]:
        """Corrects; gives of each plain counter how much of it is settled; None: it is in doubt, or a window."""
        settled = await self._ask(lambda number: ["change", [_change(change, number) for change in changes]])
        return tuple(each if type(each) is int else None for each in settled) if isinstance(settled, list) else ()

    async def seed(
        self, key: str, value: int, settled: int = 0, mark: int = ANY_MARK, expires_s: float | None = None
    ) -> bool:
        """Sets a plain counter that is absent, unless it was dropped since `mark` was given."""
        expires = _milliseconds(expires_s)
        return await self._ask(lambda number: ["seed", number(key), value, settled, mark, expires, _mark()]) is True

    async def value(self, key: str) -> int | None:
        """What a plain counter holds; None: it is absent."""
        value = await self._ask(lambda number: ["value", number(key)])
        return value if type(value) is int else None

    async def drop(self, keys: Sequence[str]) -> None:
        """Forgets plain counters, whoever is seeding them."""
        await self._ask(lambda number: ["drop", [number(key) for key in keys]])

    async def new_run(self) -> str:
        """The server's run where it is not the one that the counters are of; empty: it is, or the server does not say."""
        run = await self._ask(lambda number: ["run", number(_RUN)])
        return run if isinstance(run, str) else ""

    async def know_run(self, run: str) -> None:
        """Tells that the counters are of this run of the server."""
        await self._ask(lambda number: ["know", number(_RUN), run])

    async def close(self) -> None:
        """Ends what is under way and the connections."""
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)
        self._fail(self._pending)
        await self._client.aclose()

    async def _ask(self, ask: Callable[[Callable[[str], int]], Ask], claims: Sequence[Claim] = ()) -> object:
        if self.troubled and (self._runner is not None or self._clock.monotonic() < self._again):
            raise CountersError("the counters are out of reach")
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._add(_Pending(ask, answer, self._waited_s, claims))
        try:
            return await answer
        except asyncio.CancelledError:
            if claims and not answer.cancelled() and answer.exception() is None:  # it came as the caller left
                self._give_back(claims, answer.result())
            raise

    def _add(self, pending: _Pending) -> None:
        self._pending.append(pending)
        if self._runner is None:
            self._runner = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        """Sends what is pending, one message after the other, until nothing is."""
        batch: list[_Pending] = []
        try:
            while self._pending:
                batch, self._pending = self._pending[:_MOST_ASKS], self._pending[_MOST_ASKS:]
                answers = await self._send(batch)
                self._tell(False)
                for pending, answer in zip(batch, answers, strict=True):
                    if not pending.answer.done():
                        pending.answer.set_result(answer)
                    elif pending.claims:
                        self._give_back(pending.claims, answer)
        except (RedisError, OSError, TimeoutError, msgspec.DecodeError, ValueError) as error:
            self.failures += 1
            self._again = self._clock.monotonic() + _REST_S
            self._tell(True, type(error).__name__)
        finally:
            self._runner = None
            batch, self._pending = [*batch, *self._pending], []
            self._fail(batch)

    async def _send(self, batch: Sequence[_Pending]) -> list[object]:
        numbers: dict[str, int] = {}

        def number(key: str) -> int:
            return numbers.setdefault(_PREFIX + key, len(numbers) + 1)

        asks = [pending.ask(number) for pending in batch]
        if self.troubled:  # it writes: what only reads or deletes may pass where nothing else does
            asks.insert(0, ["run", number(_RUN)])
        asked = msgspec.msgpack.encode(asks)
        longest_seed = int(LONGEST_SEED_S * 1000)
        call = asyncio.ensure_future(
            self._script(keys=list(numbers), args=[self._now(), SLOTS, longest_seed, asked], client=self._client)
        )
        try:
            await self._wait(call, batch[0].waited_s + self._timeout_s)
            return msgspec.msgpack.decode(call.result(), type=list[object])[-len(batch) :]
        finally:
            call.cancel()

    async def _wait(self, call: "asyncio.Future[object]", until_s: float) -> None:
        """Waits a slice at a time: a loop that is busy is not a Redis that is slow, so slices that it stretched count not.

        Args:
            call: a message.
            until_s: what may have been waited in all: so long the first of its asks has patience, and all others longer.

        Raises:
            TimeoutError: it took too long.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + max(_STRETCHED_S, 2 * self._timeout_s)
        while (left_s := until_s - self._waited_s) > 0 and (begin := loop.time()) < end:
            await asyncio.wait({call}, timeout=min(self._slice_s, left_s))
            took_s = loop.time() - begin
            if took_s < 2 * self._slice_s:
                self._waited_s += took_s
            if call.done():
                return
        raise TimeoutError

    def _give_back(self, claims: Sequence[Claim], answer: object) -> None:
        """Undoes claims whose caller has left while they were granted."""
        taken = _taken(answer)
        if taken.refused is not None or taken.absent:
            return
        back = [
            Change(claim.key, -claim.amount, mark, 0, claim.window_s)
            for claim, mark in zip(claims, taken.marks, strict=True)
        ]
        nobody: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        nobody.cancel()
        self._add(_Pending(lambda number: ["change", [_change(change, number) for change in back]], nobody, self._waited_s))

    def _tell(self, troubled: bool, error: str = "") -> None:
        if troubled == self.troubled:
            return
        self.troubled = troubled
        if troubled:
            self._log.warning("counters out of reach", error=error)
        else:
            self._log.info("counters back")
        self.on_trouble(troubled)

    def _fail(self, pending: Sequence[_Pending]) -> None:
        for each in pending:
            if not each.answer.done():
                each.answer.set_exception(CountersError("the counters are out of reach"))


def build_redis_counters(settings: RedisSettings, clock: Clock) -> RedisCounters:
    """Makes the counters of a configuration."""
    return RedisCounters(build_redis(settings), clock, settings.timeout)


def build_redis(settings: RedisSettings) -> Redis:
    """Makes a client that connects when it is needed, and leaves patience to its caller."""
    pool = BlockingConnectionPool.from_url(
        settings.url.get_secret_value(),
        max_connections=_CONNECTIONS,
        timeout=None,
        # What was asked may have been done. The pool sees by itself which connections were closed while nobody used them.
        retry=Retry(NoBackoff(), 0),
        socket_connect_timeout=None,
        socket_timeout=None,
        protocol=2,
    )
    return Redis.from_pool(pool)


def _claim(claim: Claim, number: Callable[[str], int]) -> Ask:
    expires, width = _milliseconds(claim.expires_s), round(claim.window_s * 1_000_000)
    limit = min(claim.limit, _LARGEST)
    return [number(claim.key), claim.amount, limit, expires, width, claim.burst, claim.seeded, claim.least]


def _change(change: Change, number: Callable[[str], int]) -> Ask:
    return [number(change.key), change.delta, change.mark, change.settled, round(change.window_s * 1_000_000)]


def _taken(answer: object) -> Taken:
    refused, absent, left, marks, wait_us = msgspec.convert(answer, tuple[int, list[int], list[int], list[int], int])
    wait_s = None if wait_us < 0 else wait_us / 1_000_000
    return Taken(
        None if refused < 0 else refused, tuple(absent), tuple(left), tuple(marks), wait_s if refused >= 0 else None
    )


def _mark() -> int:
    return 1 + randbelow(2**48)


def _milliseconds(seconds: float | None) -> int:
    return -1 if seconds is None else math.ceil(seconds * 1000)
