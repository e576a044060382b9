"""A provider with a list of models that a test scripts, and a clock that it turns."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from server.config.provider_settings import ProviderSettings
from server.providers.base import Ask, Batch, ListedModel, Operation, Provider


@dataclass(slots=True)
class TurnedClock:
    """A clock that stands until it is turned."""

    time_s: float = 1000.0

    def now(self) -> float:
        return 1_700_000_000 + self.time_s

    def monotonic(self) -> float:
        return self.time_s

    def turn(self, seconds: float) -> None:
        self.time_s += seconds


@dataclass(slots=True)
class Listing(Provider):
    """A provider that lists what it is told to.

    Attributes:
        listed: the names of its models, or what it raises.
        asked: how often it was asked.
        asking: set once it is asked.
        may_answer: it answers once this is set.
    """

    listed: Sequence[str | ListedModel] | BaseException = ()
    operations: frozenset[Operation] = frozenset({Operation.CHAT})
    asked: int = 0
    asking: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_answer.set()

    async def models(self, timeout_s: float) -> Sequence[ListedModel]:
        self.asked += 1
        self.asking.set()
        await self.may_answer.wait()
        if isinstance(self.listed, BaseException):
            raise self.listed
        return [ListedModel(model) if isinstance(model, str) else model for model in self.listed]

    async def stream(self, ask: Ask) -> AsyncGenerator[Batch, None]:
        raise AssertionError("nobody asks for a completion here")
        yield


def row(name: str, *models: str, kind: str = "openai", **settings: object) -> ProviderSettings:
    """A provider's row."""
    return ProviderSettings.model_validate({"name": name, "type": kind, "models": list(models), **settings})
