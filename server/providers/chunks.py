"""The pieces of a streamed answer with one choice -> chunks of the contract, in a batch for each read that brings any."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from server.providers.errors import Fault, ProviderError
from server.providers.extra_fields import NO_CHOICES
from trunkline.v1.chat_pb2 import (
    ChatChunkChoice,
    ChatCompletionChunk,
    FunctionCall,
    Logprobs,
    Message,
    ThinkingBlock,
    ToolCall,
    Usage,
)
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse

E = TypeVar("E")


class OpenCall:
    """A call of a tool on its way."""

    __slots__ = ("index", "started")

    def __init__(self, index: int) -> None:
        self.index = index
        """Which of the message's calls it is."""
        self.started = False
        """Whether a piece of its arguments has come."""


class ChunkWriter:
    """Writes the chunks of one stream.

    Args:
        now: epoch seconds, for the chunks.
        usage_asked: whether the caller wants a chunk with the usage.
        id: of the answer; empty until the vendor tells.
        model: the one that answers; empty until the vendor tells.
    """

    def __init__(self, now: int, usage_asked: bool, id: str = "", model: str = "") -> None:
        self.id = id
        self.model = model
        self.tier: str | None = None
        """The tier that serves the answer, where the vendor tells."""
        self.calls = 0
        """How many calls of tools there are so far."""
        self.thoughts = 0
        """How many blocks of thought there are so far."""
        self.finished = False
        """Whether the finish reason has been told."""
        self.done = False
        """Whether all has come."""
        self._now = Timestamp(seconds=now)
        self._usage_asked = usage_asked
        self._role_due = True
        self._usage: Usage | None = None
        """Usage that the next batch is to bring."""
        self._chunks: list[ChatCompletionChunk] = []

    def batches(self, events: Iterable[E], take: Callable[[E], None]) -> Iterator[StreamChatCompletionResponse]:
        """The batch of one read's events, where they bring something; also what came before a fault among them.

        Args:
            events: what the read brought.
            take: reads one of them, and writes what it says.

        Raises:
            ProviderError: what `take` raises.
        """
        try:
            for event in events:
                if self.done:
                    break
                take(event)
        finally:
            if self._chunks or self._usage is not None:
                chunks, self._chunks = self._chunks, []
                usage, self._usage = self._usage, None
                yield StreamChatCompletionResponse(chunks=chunks, finishing=self.finished, usage=usage)

    def begin(self) -> None:
        """Writes the chunk with the role, where it has not been; what is said begins by itself."""
        if self._role_due:
            self._role_due = False
            self._add((ChatChunkChoice(index=0, delta=Message(role="assistant")),))

    def say(self, delta: Message, logprobs: Logprobs | None = None) -> None:
        """Writes what a piece adds."""
        if self._role_due:
            self.begin()
        self._add((ChatChunkChoice(index=0, delta=delta, logprobs=logprobs),))

    def think(self, block: ThinkingBlock) -> None:
        """Writes a block of thought, with its place: by that OpenAI's package puts the lists of a stream together."""
        block.extra_json = f'{{"index":{self.thoughts}}}'
        self.thoughts += 1
        self.say(Message(thinking_blocks=[block]))

    def open_call(self, id: str, name: str) -> OpenCall:
        """Writes the beginning of a call."""
        call = OpenCall(self.calls)
        self.calls += 1
        function = FunctionCall(name=name, arguments="")
        self.say(Message(tool_calls=[ToolCall(index=call.index, id=id, type="function", function=function)]))
        return call

    def add_arguments(self, call: OpenCall, arguments: str | None) -> None:
        """Writes a piece of a call's arguments, where it is not empty."""
        if arguments:
            call.started = True
            self.say(Message(tool_calls=[ToolCall(index=call.index, function=FunctionCall(arguments=arguments))]))

    def close_call(self, call: OpenCall, arguments: str = "{}") -> None:
        """Writes the arguments of a call that came without a piece of them."""
        if not call.started:
            self.add_arguments(call, arguments)

    def finish(self, delta: Message, reason: str, extra_json: str = "") -> None:
        """Writes the end of the choice, and the role with it where nothing was said."""
        if self._role_due:
            self._role_due = False
            delta.role = "assistant"
        self.finished = True
        self._add((ChatChunkChoice(index=0, delta=delta, finish_reason=reason),), extra_json=extra_json)

    def count(self, usage: Usage) -> None:
        """Tells the next batch the usage so far."""
        self._usage = usage

    def end(self, usage: Usage | None, extra_json: str = NO_CHOICES) -> None:
        """Says that all has come, and writes the chunk with the usage where it was asked for."""
        self.done = True
        if usage is not None and self._usage_asked:
            self._usage = usage
            self._add((), usage, extra_json)

    def _add(self, choices: tuple[ChatChunkChoice, ...], usage: Usage | None = None, extra_json: str = "") -> None:
        self._chunks.append(
            ChatCompletionChunk(
                id=self.id,
                create_time=self._now,
                model=self.model,
                choices=choices,
                usage=usage,
                service_tier=self.tier,
                extra_json=extra_json,
            )
        )


def broken(what: str) -> ProviderError:
    """The error of a stream that makes no sense."""
    return ProviderError(Fault.PROTOCOL, f"The provider's stream {what}.")
