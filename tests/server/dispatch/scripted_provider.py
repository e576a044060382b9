"""Providers that do what a test says, and the targets that they are."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from server.config.provider_settings import ProviderSettings
from server.dispatch.router import Router, Target
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
        asks: what it was asked.
        closed: how many of its streams have been left, however.
    """

    batches: Sequence[Batch] = ()
    error: ProviderError | None = None
    operations: frozenset[Operation] = frozenset(Operation)
    asks: list[Ask] = field(default_factory=list)
    closed: int = 0

    async def stream(self, ask: Ask) -> AsyncGenerator[Batch, None]:
        self.asks.append(ask)
        try:
            for batch in self.batches:
                yield batch
            if self.error is not None:
                raise self.error
        finally:
            self.closed += 1


def says(text: str, usage: Usage | None = None) -> StreamChatCompletionResponse:
    """A batch with one chunk."""
    chunk = ChatCompletionChunk(choices=[{"delta": {"content": text}}])
    return StreamChatCompletionResponse(chunks=[chunk], usage=usage)


def fails(fault: Fault, message: str = "No.", retry_after_s: float | None = None, param: str = "") -> Scripted:
    """A provider that fails at once."""
    return Scripted(error=ProviderError(fault, message, retry_after_s=retry_after_s, param=param))


def row(name: str, *models: str, **settings: object) -> ProviderSettings:
    """A provider's row."""
    return ProviderSettings.model_validate({"name": name, "type": "echo", "models": list(models), **settings})


def router(*providers: Scripted) -> Router:
    """Routes `m` to the providers, in order; their names are a, b, c..."""
    return Router([(row("abcdef"[place], "m"), provider) for place, provider in enumerate(providers)])


def target(name: str = "a", provider: Scripted | None = None) -> Target:
    return Target(provider or Scripted(), row(name, "m"), "m")


def chat(model: str = "m", streamed: bool = True) -> Ask:
    """Asks for a chat completion."""
    return Ask(Operation.CHAT, ChatCompletionRequest(model=model), model, streamed)
