"""The events of Anthropic's stream -> batches of chunks, one for each read that brings something.

The chunk with the role waits for the first block, so that an overload told right after the start can still be hidden by
another attempt. Source: https://platform.claude.com/docs/en/build-with-claude/streaming (2026-11).
"""

from collections.abc import Iterator

import msgspec

from server.providers.anthropic.answer import (
    StopDetails,
    WireBlock,
    WireMessage,
    WireUsage,
    finish_reason,
    refuse,
    thinking_block,
)
from server.providers.anthropic.errors import error_in
from server.providers.anthropic.seam import Seam
from server.providers.chunks import ChunkWriter, OpenCall, broken
from server.providers.refusals import ended_in_error
from server.providers.sse import Event
from server.providers.wire import UNREADABLE, arguments_text, take_over
from trunkline.v1.chat_pb2 import Message
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

    __slots__ = ("call", "wire")

    def __init__(self, wire: WireBlock) -> None:
        self.wire = wire
        self.call: OpenCall | None = None


class MessageStream:
    """A stream on its way.

    Args:
        now: epoch seconds, for the chunks.
        usage_asked: whether the caller wants a chunk with the usage.
        seam: where the answer goes on from a given beginning.
    """

    def __init__(self, now: int, usage_asked: bool, seam: Seam | None = None) -> None:
        self._chunks = ChunkWriter(now, usage_asked)
        self._seam = seam or Seam("")
        self._message: WireMessage | None = None
        self._open: dict[int, _Block] = {}

    @property
    def done(self) -> bool:
        """Whether the vendor said that this is all."""
        return self._chunks.done

    def batches(self, events: list[Event]) -> Iterator[StreamChatCompletionResponse]:
        """The batch of one read's events, where they bring something; also what came before a fault among them.

        Raises:
            ProviderError: an event is an error, or makes no sense.
        """
        return self._chunks.batches(events, self._take)

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
        except UNREADABLE:
            raise broken(f"has a malformed `{event.name}`") from None

    def _begin(self, message: WireMessage) -> None:
        if self._message is not None:
            raise broken("begins twice")
        self._message = message
        self._chunks.id, self._chunks.model, self._chunks.tier = message.id, message.model, message.usage.tier()

    def _open_block(self, start: _BlockStart) -> None:
        self._started()
        block = start.content_block
        if start.index in self._open or self._chunks.finished:
            raise broken("opens a block that cannot be opened")
        opened = self._open[start.index] = _Block(block)
        self._chunks.begin()
        if block.type == "text":
            self._emit_text(block.text)
        elif block.type == "thinking":
            self._emit_thought(block.thinking)
        elif block.type == "tool_use":
            opened.call = self._chunks.open_call(block.id, block.name)

    def _take_delta(self, event: _BlockDelta) -> None:
        block = self._open.get(event.index)
        if block is None:
            raise broken("goes on with a block that is not open")
        delta = event.delta
        kind = _BLOCK_OF.get(delta.type)
        if kind is None:
            return  # citations, and what the vendor may add
        if kind != block.wire.type:
            if kind == "tool_use":
                return  # the input of a tool that the vendor runs itself
            raise broken(f"has a `{delta.type}` in a block of another type")
        match delta.type:
            case "text_delta":
                self._emit_text(delta.text)
            case "thinking_delta":
                block.wire.thinking += delta.thinking
                self._emit_thought(delta.thinking)
            case "signature_delta":
                block.wire.signature += delta.signature
            case _ if block.call is not None:
                self._chunks.add_arguments(block.call, delta.partial_json)

    def _close_block(self, index: int) -> None:
        block = self._open.pop(index, None)
        if block is None:
            raise broken("closes a block that is not open")
        if block.wire.type in ("thinking", "redacted_thinking"):
            self._chunks.think(thinking_block(block.wire))
        elif block.call is not None:
            self._chunks.close_call(block.call, arguments_text(block.wire.input))

    def _finish(self, event: _MessageDelta) -> None:
        message = self._started()
        take_over(message.usage, event.usage)
        stop_reason = event.delta.stop_reason
        if stop_reason is None:
            return
        if self._chunks.finished or self._open:
            raise broken("ends an answer that is not open, or has blocks open")
        self._chunks.count(message.usage.typed())
        delta = Message()
        refuse(delta, stop_reason, event.delta.stop_details)
        self._chunks.finish(delta, finish_reason(stop_reason, called=self._chunks.calls > 0))

    def _end(self) -> None:
        message = self._started()
        if not self._chunks.finished:
            raise broken("ends without a stop reason")
        self._chunks.end(message.usage.typed())

    def _started(self) -> WireMessage:
        if self._message is None:
            raise broken("does not begin with its start")
        return self._message

    def _emit_text(self, text: str) -> None:
        if text := self._seam.close(text):
            self._chunks.say(Message(content=text))

    def _emit_thought(self, thought: str) -> None:
        if thought:
            self._chunks.say(Message(reasoning_content=thought))
