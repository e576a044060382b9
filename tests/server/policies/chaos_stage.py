"""What tests of chaos need: a clock that sleeping turns, a scripted die, a provider that remembers, chaos with one fault."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from server.config.schema import ChaosEngineeringSettings, FaultSettings
from server.policies.chaos import Chaos
from server.providers.base import Ask, Batch, Operation
from server.providers.errors import ProviderError
from trunkline.v1.chat_pb2 import ChatCompletionChunk, ChatCompletionRequest
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse

START = 1_000_000.0


@dataclass(slots=True)
class TurnedClock:
    """A clock that stands until it is turned, or somebody sleeps.

    Attributes:
        time: what it shows.
        slept: how long each sleep was.
    """

    time: float = START
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


@dataclass(slots=True)
class Vendor:
    """A provider's `stream`, and what became of it.

    Attributes:
        batches: what it yields.
        asks: what it was asked.
        closed: how many of its streams have been left, however.
    """

    batches: Sequence[Batch]
    asks: list[Ask] = field(default_factory=list)
    closed: int = 0

    async def stream(self, ask: Ask) -> AsyncGenerator[Batch, None]:
        self.asks.append(ask)
        try:
            for batch in self.batches:
                yield batch
        finally:
            self.closed += 1


def says(*texts: str, finishing: bool = False, last: bool = False) -> StreamChatCompletionResponse:
    """A batch with a chunk for each text."""
    chunks = [ChatCompletionChunk(choices=[{"delta": {"content": text}}]) for text in texts]
    return StreamChatCompletionResponse(chunks=chunks, finishing=finishing, last=last)


def said(batches: Sequence[Batch]) -> list[list[str]]:
    """The texts of chat batches, batch by batch."""
    texts = []
    for batch in batches:
        assert isinstance(batch, StreamChatCompletionResponse)
        texts.append([chunk.choices[0].delta.content for chunk in batch.chunks])
    return texts


def chat(model: str = "m", streamed: bool = True, timeout_s: float | None = None) -> Ask:
    return Ask(Operation.CHAT, ChatCompletionRequest(model=model), model, streamed, timeout_s=timeout_s)


def fault(type: str, **settings: object) -> FaultSettings:
    """A fault that hits whatever it matches, unless told otherwise."""
    return FaultSettings.model_validate({"type": type, "probability": 1, **settings})


def chaos(
    *faults: FaultSettings, clock: TurnedClock | None = None, random: Callable[[], float] = lambda: 0.5, enabled: bool = True
) -> Chaos:
    """Chaos with configured faults."""
    clock = clock or TurnedClock()
    made = Chaos(clock, random, clock.sleep)
    made.configure(ChaosEngineeringSettings(enabled=enabled, faults=faults))
    return made


async def answer(
    made: Chaos, vendor: Vendor, ask: Ask | None = None, provider: str = "p", caller: str = "app"
) -> tuple[list[Batch], ProviderError | None, str]:
    """An attempt: the batches, the error that ended them, and the fault that was told."""
    stream, told = made.stream(provider, ask or chat(), caller, vendor.stream)
    batches: list[Batch] = []
    try:
        async with aclosing(stream):
            async for batch in stream:
                batches.append(batch)
    except ProviderError as error:
        return batches, error, told
    return batches, None, told
