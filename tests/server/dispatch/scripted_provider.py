"""Providers that do what a test says, and the targets that they are."""

import asyncio
import random
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from server.clock import Clock, SystemClock
from server.config.provider_settings import ProviderSettings
from server.config.schema import CircuitBreakerSettings, RoutingSettings
from server.dispatch.accounts import Accounts
from server.dispatch.books import Books
from server.dispatch.means import Means
from server.dispatch.router import Router, Row, Target
from server.dispatch.standing import TargetState, TargetStates
from server.dispatch.strategies import Strategy
from server.ledger.prices import Prices
from server.limits.counters import Counters
from server.limits.limits import Limits
from server.limits.memory import MemoryCounters
from server.policies.chaos import Chaos
from server.providers.base import Ask, Batch, Operation, Provider
from server.providers.errors import Fault, ProviderError
from trunkline.v1.chat_pb2 import ChatCompletionChunk, ChatCompletionRequest, Usage
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse


@dataclass(slots=True)
class Scripted(Provider):
    """A provider with an answer, or a fault before or after its first batches.

    Attributes:
        batches: what it yields.
        error: what it raises after them; None: it ends as it should.
        silent: whether it says nothing more after them, for ever.
        turns: what it does at the asks to come, before it does the above.
        prefixes: whether it goes on from a beginning.
        asks: what it was asked.
        closed: how many of its streams have been left, however.
    """

    batches: Sequence[Batch] = ()
    error: ProviderError | None = None
    silent: bool = False
    turns: "list[Scripted]" = field(default_factory=list)
    prefixes: bool = False
    operations: frozenset[Operation] = frozenset(Operation)
    asks: list[Ask] = field(default_factory=list)
    closed: int = 0

    async def stream(self, ask: Ask) -> AsyncGenerator[Batch, None]:
        self.asks.append(ask)
        turn = self.turns.pop(0) if self.turns else self
        try:
            for batch in turn.batches:
                yield batch
            if turn.silent:
                await asyncio.Event().wait()
            if turn.error is not None:
                raise turn.error
        finally:
            self.closed += 1

    def continues(self, model: str) -> bool:
        return self.prefixes


def says(text: str, usage: Usage | None = None, end: str = "") -> StreamChatCompletionResponse:
    """A batch with one chunk; the last one with `end`, its finish reason."""
    chunk = ChatCompletionChunk(id="1", choices=[{"delta": {"content": text}, "finish_reason": end or None}])
    return StreamChatCompletionResponse(chunks=[chunk], usage=usage, finishing=bool(end))


def fails(fault: Fault, message: str = "No.", retry_after_s: float | None = None, param: str = "") -> Scripted:
    """A provider that fails at once."""
    return Scripted(error=ProviderError(fault, message, retry_after_s=retry_after_s, param=param))


def row(name: str, *models: str, **settings: object) -> ProviderSettings:
    """A provider's row; it is not asked again unless the settings say so."""
    given = {"name": name, "type": "echo", "models": list(models), "max_retries": 0, **settings}
    return ProviderSettings.model_validate(given)


def rows(*providers: Scripted, **settings: object) -> list[Row]:
    """Rows that serve `m`, in order; their names are a, b, c..."""
    return [Row(row("abcdef"[place], "m", **settings), provider) for place, provider in enumerate(providers)]


def means(
    rows: Sequence[Row],
    routing: Mapping[str, object] | None = None,
    clock: Clock | None = None,
    chaos: Chaos | None = None,
    breaker: CircuitBreakerSettings | None = None,
) -> Means:
    """What a dispatcher needs, with configured ways."""
    settings = RoutingSettings.model_validate(routing or {})
    chance = random.Random(1)
    strategy = Strategy(settings.strategy, lambda *_: None, chance)
    router = Router(rows, settings, TargetStates(breaker or CircuitBreakerSettings()))
    return Means(router, settings, strategy, clock or SystemClock(), chance, chaos=chaos)


def rated(given: Means, counters: Counters | None = None) -> Means:
    """The same, and the providers' own rates hold."""
    limits = Limits(None, counters or MemoryCounters(given.clock), None, given.clock)
    return replace(given, accounts=Accounts(Books(limits, None, Prices(), given.clock)))


def state(**settings: object) -> TargetState:
    """A target's record, with nothing in it."""
    return TargetState(CircuitBreakerSettings.model_validate(settings))


def target(name: str = "a", provider: Scripted | None = None, **settings: object) -> Target:
    return Target(provider or Scripted(), row(name, "m", **settings), "m", state())


def chat(model: str = "m", streamed: bool = True) -> Ask:
    """Asks for a chat completion."""
    return Ask(Operation.CHAT, ChatCompletionRequest(model=model), model, streamed)
