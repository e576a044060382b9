"""What tests of idempotency need: a clock that wakes sleepers when it is turned, and a dispatcher that waits to be told."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

from server.call import Call
from server.caller import Caller
from server.policies.idempotency import Idempotency
from server.policies.idempotency_record import MOST_BYTES
from server.providers.base import Ask, Batch, Operation
from server.storage.database import Database
from tests.server.calls import RecordingContext
from tests.server.calls import call as make_call
from trunkline.v1.chat_pb2 import ChatCompletionChunk, ChatCompletionRequest
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse

START = 1_000_000.0
CALLER = Caller("app", frozenset(), tenant_id="t1", key_id="k1")


class TurnedClock:
    """A clock that stands until it is turned. Who sleeps wakes when it is time.

    Attributes:
        time: what it shows.
    """

    def __init__(self) -> None:
        self.time = START
        self._sleepers: list[tuple[float, asyncio.Event]] = []
        self._slept = asyncio.Event()

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        sleeper = self.time + seconds, woken
        self._sleepers.append(sleeper)
        self._slept.set()
        try:
            await woken.wait()
        finally:
            self._sleepers.remove(sleeper)

    def turn(self, seconds: float) -> None:
        self.time += seconds
        for until, woken in self._sleepers:
            if until <= self.time:
                woken.set()

    async def asleep(self) -> None:
        """Returns once somebody sleeps."""
        while all(woken.is_set() for _, woken in self._sleepers):
            self._slept.clear()
            await self._slept.wait()

    async def turn_for_sleeper(self) -> None:
        """Turns it to when the next sleeper wakes; waits until there is one."""
        await self.asleep()
        self.turn(min(until for until, woken in self._sleepers if not woken.is_set()) - self.time)

    async def turn_until_done(self, *tasks: "asyncio.Task[Heard]") -> None:
        """Turns it for every sleeper until the tasks are done."""
        while pending := [task for task in tasks if not task.done()]:
            turning = asyncio.ensure_future(self.turn_for_sleeper())
            waited: list[asyncio.Task[object]] = [turning, *pending]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            turning.cancel()
            await asyncio.wait([turning])


def says(text: str) -> StreamChatCompletionResponse:
    """A batch with one chunk."""
    return StreamChatCompletionResponse(chunks=[ChatCompletionChunk(choices=[{"delta": {"content": text}}])])


@dataclass(slots=True)
class Dispatched:
    """A dispatcher's `stream`: batches, then an error or the end; from `held` on it waits to be told to go on.

    Attributes:
        texts: what it says, a batch each.
        error: what it raises after them; None: it ends.
        settled: whether it has the answer kept after them, as where it is settled; then it waits, where it is held there.
        held: after how many batches it waits; None: it does not.
        go_on: tells it to.
        waiting: set while it waits.
        calls: those that it was given.
        closed: how many of its streams have been left, however.
    """

    texts: tuple[str, ...] = ("a", "b")
    error: Exception | None = None
    held: int | None = None
    settled: bool = False
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    calls: list[Call] = field(default_factory=list)
    closed: int = 0

    async def stream(self, ask: Ask, call: Call) -> AsyncGenerator[Batch, None]:
        self.calls.append(call)
        call.notes["provider"] = "first"
        try:
            for place, text in enumerate(self.texts):
                await self._wait_at(place)
                if place == 0:
                    told = (
                        ("x-request-id", call.request_id),
                        ("trunkline-provider", "first"),
                        ("x-ratelimit-remaining", "7"),
                    )
                    await call.context.send_initial_metadata(told)
                    call.trailers.extend(told[1:])
                yield says(text)
            if self.settled and call.keep is not None:
                call.trailers.append(("trunkline-cost-usd-micros", "5"))
                await call.keep()
            await self._wait_at(len(self.texts))
            if self.error is not None:
                raise self.error
        finally:
            self.closed += 1

    async def _wait_at(self, place: int) -> None:
        if place == self.held:
            self.waiting.set()
            await self.go_on.wait()


@dataclass(slots=True)
class Heard:
    """What a caller was told.

    Attributes:
        texts: the batches' texts.
        head: the initial metadata.
        trailers: the trailing metadata.
    """

    texts: list[str]
    head: Mapping[str, str | bytes]
    trailers: Mapping[str, str]


@dataclass(slots=True)
class Asker:
    """One caller's call with a key.

    Attributes:
        made: what answers it.
        dispatched: the dispatcher.
        key: the key.
        text: what it asks.
        caller: whose call it is.
        streamed: whether it wants a stream.
        request_id: the call's.
        context: the call's; has the metadata that was sent.
        call: the call.
    """

    made: Idempotency
    dispatched: Dispatched
    key: str = "k"
    text: str = "Hello"
    caller: Caller = CALLER
    streamed: bool = True
    request_id: str = "req_test"
    time_left_s: float | None = None
    context: RecordingContext = field(init=False)
    call: Call = field(init=False)

    def __post_init__(self) -> None:
        self.context = RecordingContext(self.time_left_s)
        self.call = make_call("/trunkline.v1.CompletionService/S", {"idempotency-key": self.key}, self.context)
        self.call.caller = self.caller
        self.call.request_id = self.request_id
        self.call.trailers.append(("x-request-id", self.request_id))

    def stream(self) -> AsyncGenerator[Batch, None]:
        request = ChatCompletionRequest(model="m", messages=[{"role": "user", "content": self.text}])
        ask = Ask(Operation.CHAT, request, "m", self.streamed)
        return self.made.stream(ask, self.call, self.dispatched.stream)

    async def hear(self) -> Heard:
        """Reads the whole answer."""
        async with aclosing(self.stream()) as batches:
            texts = [text_of(batch) async for batch in batches]
        return Heard(texts, self.context.initial[0], dict(self.call.trailers))


def text_of(batch: Batch) -> str:
    assert isinstance(batch, StreamChatCompletionResponse)
    return batch.chunks[0].choices[0].delta.content


def idempotency(
    database: Database, clock: TurnedClock, worker: str = "worker-1", most_bytes: int = MOST_BYTES
) -> Idempotency:
    return Idempotency(database, clock, worker, clock.sleep, most_bytes)
