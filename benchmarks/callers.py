"""Callers that go on asking whether they are answered or not, and what became of each of their requests.

In: where to ask. Out: a list of what was done; what it means is not known here.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp

from benchmarks import answers

URL_PATH = "/v1/chat/completions"
REFUSALS = frozenset({429, 503})
_BODY = {"model": answers.UNARY_MODEL, "messages": [{"role": "user", "content": "Hello!"}]}


@dataclass(frozen=True, slots=True)
class Done:
    """One request.

    Attributes:
        sent_s: when it was sent.
        late_s: how much later that was than it should have been: the generator's own delay.
        took_s: how long its answer took.
        status: its answer's; 0: none came.
        hint: whether the answer says when to come back.
    """

    sent_s: float
    late_s: float
    took_s: float
    status: int
    hint: bool = False


class Callers:
    """Sends requests, and notes what became of them.

    Args:
        session: to the gateway.
        url: where to.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self._done: list[Done] = []

    async def closed(self, callers: int, seconds: float) -> Sequence[Done]:
        """So many callers, each of whom waits for its answer before it asks again."""
        end = time.monotonic() + seconds

        async def caller() -> None:
            while (now := time.monotonic()) < end:
                await self._ask(now)

        self._done = []
        await asyncio.gather(*(caller() for _ in range(callers)))
        return self._done

    async def open(self, per_second: float, seconds: float) -> Sequence[Done]:
        """So many requests a second at random moments, whether answers come or not."""
        chance = random.Random(1)
        start = at = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            self._done = []
            while (at := at + chance.expovariate(per_second)) < start + seconds:
                await asyncio.sleep(max(0.0, at - time.monotonic()))
                tasks.create_task(self._ask(at))
        return self._done

    async def _ask(self, due_s: float) -> None:
        sent = time.monotonic()
        status, hint = 0, False
        try:
            async with self._session.post(self._url, json=_BODY) as response:
                await response.read()
                status, hint = response.status, "Retry-After" in response.headers
        except (aiohttp.ClientError, TimeoutError):
            pass
        self._done.append(Done(sent, sent - due_s, time.monotonic() - sent, status, hint))


def per_second(done: Sequence[Done], seconds: float) -> float:
    """How many requests were answered in each second."""
    return sum(one.status == 200 for one in done) / seconds


def quantile_ms(times_s: Sequence[float], share: float) -> float:
    """The time under which so large a share of some times is; 0 where there are none."""
    ordered = sorted(times_s)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else 0.0


def recovered_s(done: Sequence[Done], start: float, seconds: float, window_s: float, share: float) -> float | None:
    """After how many seconds so large a share of the requests of a window was answered; None: never."""
    for window in range(int(seconds / window_s)):
        since = start + window * window_s
        sent = [one for one in done if since <= one.sent_s < since + window_s]
        if sent and sum(one.status == 200 for one in sent) >= share * len(sent):
            return window * window_s
    return None
