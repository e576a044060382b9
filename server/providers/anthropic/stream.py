"""The events of Anthropic's stream -> batches of chunks, one for each read that brings something.

The chunk with the role waits for the first block, so that an overload told right after the start can still be hidden by
another attempt. Source: https://platform.claude.com/docs/en/build-with-claude/streaming (2026-11).
"""

from collections.abc import Iterator

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp

from server.providers.anthropic.answer import (
    StopDetails,
    WireBlock,
    WireMessage,
    WireUsage,
    finish_reason,
    input_json,
    refuse,
    thinking_block,
)
from server.providers.anthropic.errors import error_in
from server.providers.anthropic.seam import Seam
from server.providers.errors import Fault, ProviderError
from server.providers.extra_fields import NO_CHOICES
from server.providers.refusals import ended_in_error
from server.providers.sse import Event
from trunkline.v1.chat_pb2 import ChatChunkChoice, ChatCompletionChunk, FunctionCall, Message, ToolCall, Usage
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse


class _Start(msgspec.Struct):
    message: WireMessage


class _BlockStart(msgspec.Struct):
    index: int
    content_block: WireBlock


class _Delta(msgspec.Struct):
    type: str
    text: str = ""
    thinking: str = ""
    signature: str = ""
    partial_json: str = ""


class _BlockDelta(msgspec.Struct):
    index: int
    delta: _Delta


class _BlockStop(msgspec.Struct):
    index: int


class _Stop(msgspec.Struct):
    stop_reason: str | None = None
    stop_details: StopDetails | None = None


class _MessageDelta(msgspec.Struct):
    delta: _Stop
    usage: WireUsage = msgspec.field(default_factory=WireUsage)


_START = msgspec.json.Decoder(_Start)
_BLOCK_START = msgspec.json.Decoder(_BlockStart)
_BLOCK_DELTA = msgspec.json.Decoder(_BlockDelta)
_BLOCK_STOP = msgspec.json.Decoder(_BlockStop)
_MESSAGE_DELTA = msgspec.json.Decoder(_MessageDelta)

_BLOCK_OF = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "thinking",
    "input_json_delta": "tool_use",
}


class _Block:
    """A block that is open: what has come of it so far."""

    __slots__ = ("call", "started", "wire")

    def __init__(self, wire: WireBlock, call: int | None) -> None:
        self.wire = wire
        self.call = call
        """Which of the message's calls it is; None where it is none."""
        self.started = False
        """Whether a piece of the call's arguments has come."""


class MessageStream:
    """A stream on its way.

    Args:
        now: epoch seconds, for the chunks.
        usage_asked: whether the caller wants a chunk with the usage.
        seam: where the answer goes on from a given beginning.
    """

    def __init__(self, now: int, usage_asked: bool, seam: Seam | None = None) -> None:
        self._now = Timestamp(seconds=now)
        self._usage_asked = usage_asked
        self._seam = seam or Seam("")
        self._message: WireMessage | None = None
        self._tier: str | None = None
        self._role_due = True
        self._open: dict[int, _Block] = {}
        self._calls = 0
        self._finished = False
        self._usage: Usage | None = None
        """Usage that the next batch is to bring."""
        self._chunks: list[ChatCompletionChunk] = []
        self.done = False
        """Whether the vendor said that this is all."""

    def batches(self, events: list[Event]) -> Iterator[StreamChatCompletionResponse]:
        """The batch of one read's events, where they bring something; also what came before a fault among them.

        Raises:
            ProviderError: an event is an error, or makes no sense.
        """
        try:
            for event in events:
                if self.done:
                    break
                self._take(event)
        finally:
            if self._chunks:
                chunks, self._chunks = self._chunks, []
                usage, self._usage = self._usage, None
                yield StreamChatCompletionResponse(chunks=chunks, finishing=self._finished, usage=usage)

    def _take(self, event: Event) -> None:
        try:
            match event.name:
                case "content_block_delta":
                    self._take_delta(_BLOCK_DELTA.decode(event.data))
                case "content_block_start":
                    self._open_block(_BLOCK_START.decode(event.data))
                case "content_block_stop":
                    self._close_block(_BLOCK_STOP.decode(event.data).index)
                case "message_start":
                    self._begin(_START.decode(event.data).message)
                case "message_delta":
                    self._finish(_MESSAGE_DELTA.decode(event.data))
                case "message_stop":
                    self._end()
                case "error":
                    raise error_in(event.data) or ended_in_error()
        except ValueError:
            raise _broken(f"has a malformed `{event.name}`") from None

    def _begin(self, message: WireMessage) -> None:
        if self._message is not None:
            raise _broken("begins twice")
        self._message = message
        self._tier = message.usage.tier()

    def _open_block(self, start: _BlockStart) -> None:
        self._started()
        block = start.content_block
        if start.index in self._open or self._finished:
            raise _broken("opens a block that cannot be opened")
        call = None
        if block.type == "tool_use":
            call, self._calls = self._calls, self._calls + 1
        self._open[start.index] = _Block(block, call)
        if self._role_due:
            self._role_due = False
            self._emit(Message(role="assistant"))
        if block.type == "text":
            self._emit_text(block.text)
        elif block.type == "thinking":
            self._emit_thought(block.thinking)
        elif call is not None:
            function = FunctionCall(name=block.name, arguments="")
            self._emit(Message(tool_calls=[ToolCall(index=call, id=block.id, type="function", function=function)]))

    def _take_delta(self, event: _BlockDelta) -> None:
        block = self._open.get(event.index)
        if block is None:
            raise _broken("goes on with a block that is not open")
        delta = event.delta
        kind = _BLOCK_OF.get(delta.type)
        if kind is None:
            return  # citations, and what the vendor may add
        if kind != block.wire.type:
            if kind == "tool_use":
                return  # the input of a tool that the vendor runs itself
            raise _broken(f"has a `{delta.type}` in a block of another type")
        match delta.type:
            case "text_delta":
                self._emit_text(delta.text)
            case "thinking_delta":
                block.wire.thinking += delta.thinking
                self._emit_thought(delta.thinking)
            case "signature_delta":
                block.wire.signature += delta.signature
            case _:
                self._emit_arguments(block, delta.partial_json)

    def _close_block(self, index: int) -> None:
        block = self._open.pop(index, None)
        if block is None:
            raise _broken("closes a block that is not open")
        if block.wire.type in ("thinking", "redacted_thinking"):
            self._emit(Message(thinking_blocks=[thinking_block(block.wire)]))
        elif block.call is not None and not block.started:
            self._emit_arguments(block, input_json(block.wire))

    def _finish(self, event: _MessageDelta) -> None:
        message = self._started()
        message.usage.update(event.usage)
        stop_reason = event.delta.stop_reason
        if stop_reason is None:
            return
        if self._finished or self._open:
            raise _broken("ends an answer that is not open, or has blocks open")
        self._finished = True
        self._usage = message.usage.typed()
        delta = Message(role="assistant") if self._role_due else Message()
        self._role_due = False
        refuse(delta, stop_reason, event.delta.stop_details)
        self._emit(delta, finish_reason(stop_reason, called=self._calls > 0))

    def _end(self) -> None:
        message = self._started()
        if not self._finished:
            raise _broken("ends without a stop reason")
        self.done = True
        if self._usage_asked:
            self._usage = message.usage.typed()
            self._add(message, (), self._usage)

    def _started(self) -> WireMessage:
        if self._message is None:
            raise _broken("does not begin with its start")
        return self._message

    def _emit_text(self, text: str) -> None:
        if text := self._seam.close(text):
            self._emit(Message(content=text))

    def _emit_thought(self, thought: str) -> None:
        if thought:
            self._emit(Message(reasoning_content=thought))

    def _emit_arguments(self, block: _Block, arguments: str) -> None:
        if arguments:
            block.started = True
            piece = ToolCall(index=block.call, function=FunctionCall(arguments=arguments))
            self._emit(Message(tool_calls=[piece]))

    def _emit(self, delta: Message, reason: str | None = None) -> None:
        self._add(self._started(), (ChatChunkChoice(index=0, delta=delta, finish_reason=reason),), None)

    def _add(self, message: WireMessage, choices: tuple[ChatChunkChoice, ...], usage: Usage | None) -> None:
        chunk = ChatCompletionChunk(
            id=message.id,
            create_time=self._now,
            model=message.model,
            choices=choices,
            usage=usage,
            service_tier=self._tier,
            extra_json="" if choices else NO_CHOICES,
        )
        self._chunks.append(chunk)


def _broken(what: str) -> ProviderError:
    return ProviderError(Fault.PROTOCOL, f"The provider's stream {what}.")
