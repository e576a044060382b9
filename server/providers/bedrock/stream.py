"""The frames of Converse's stream -> batches of chunks, one for each read that brings something.

The chunk with the role waits for the first block, so that a throttling told right after the start can still be hidden by
another attempt. The answer ends with `metadata`, which brings the usage after the stop. Source:
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html (2026-11).
"""

from collections.abc import Iterator

import msgspec

from server.providers.anthropic.seam import Seam
from server.providers.bedrock.answer import WireTier, WireUsage, extra, finish_reason, redacted_bytes, thinking_block
from server.providers.bedrock.errors import exception
from server.providers.bedrock.eventstream import Frame
from server.providers.chunks import ChunkWriter, OpenCall, broken
from server.providers.extra_fields import NO_CHOICES
from server.providers.wire import UNREADABLE
from trunkline.v1.chat_pb2 import Message
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse


class _ToolStart(msgspec.Struct, rename="camel"):
    tool_use_id: str
    name: str


class _Start(msgspec.Struct, rename="camel"):
    tool_use: _ToolStart | None = None


class _BlockStart(msgspec.Struct, rename="camel"):
    content_block_index: int
    start: _Start


class _ToolDelta(msgspec.Struct):
    input: str = ""


class _ReasoningDelta(msgspec.Struct, rename="camel"):
    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None


class _Delta(msgspec.Struct, rename="camel"):
    text: str | None = None
    tool_use: _ToolDelta | None = None
    reasoning_content: _ReasoningDelta | None = None


class _BlockDelta(msgspec.Struct, rename="camel"):
    content_block_index: int
    delta: _Delta


class _BlockStop(msgspec.Struct, rename="camel"):
    content_block_index: int


class _MessageStop(msgspec.Struct, rename="camel"):
    stop_reason: str
    additional_model_response_fields: msgspec.Raw = msgspec.Raw()


class _Metadata(msgspec.Struct, rename="camel"):
    usage: WireUsage
    service_tier: WireTier | None = None
    trace: msgspec.Raw = msgspec.Raw()


_BLOCK_START = msgspec.json.Decoder(_BlockStart)
_BLOCK_DELTA = msgspec.json.Decoder(_BlockDelta)
_BLOCK_STOP = msgspec.json.Decoder(_BlockStop)
_MESSAGE_STOP = msgspec.json.Decoder(_MessageStop)
_METADATA = msgspec.json.Decoder(_Metadata)


class _Block:
    """A block that is open: what has come of it so far."""

    __slots__ = ("call", "redacted", "signature", "thought", "thoughts")

    def __init__(self) -> None:
        self.call: OpenCall | None = None
        self.thought = False
        self.thoughts = ""
        self.signature = ""
        self.redacted = b""


class ConverseStream:
    """A stream on its way.

    Args:
        id: of the answer; the vendor gives it in the head alone.
        model: the model that was asked; the vendor does not repeat it.
        now: epoch seconds, for the chunks.
        usage_asked: whether the caller wants a chunk with the usage.
        seam: where the answer goes on from a given beginning.
    """

    def __init__(self, id: str, model: str, now: int, usage_asked: bool, seam: Seam) -> None:
        self._chunks = ChunkWriter(now, usage_asked, id, model)
        self._seam = seam
        self._started = False
        self._open: dict[int, _Block] = {}

    @property
    def done(self) -> bool:
        """Whether all has come."""
        return self._chunks.done

    def batches(self, frames: list[Frame]) -> Iterator[StreamChatCompletionResponse]:
        """The batch of one read's frames, where they bring something; also what came before a fault among them.

        Raises:
            ProviderError: a frame is an exception, or makes no sense.
        """
        return self._chunks.batches(frames, self._take)

    def _take(self, frame: Frame) -> None:
        kind = frame.headers.get(":message-type", "event")
        if kind != "event":
            name = frame.headers.get(":exception-type") or frame.headers.get(":error-code") or ""
            raise exception(name, frame.payload)
        name = frame.headers.get(":event-type", "")
        try:
            match name:
                case "contentBlockDelta":
                    self._take_delta(_BLOCK_DELTA.decode(frame.payload))
                case "contentBlockStart":
                    self._open_block(_BLOCK_START.decode(frame.payload))
                case "contentBlockStop":
                    self._close_block(_BLOCK_STOP.decode(frame.payload).content_block_index)
                case "messageStart":
                    self._begin()
                case "messageStop":
                    self._finish(_MESSAGE_STOP.decode(frame.payload))
                case "metadata":
                    self._end(_METADATA.decode(frame.payload))
                case _ if name.lower().endswith("exception"):
                    raise exception(name, frame.payload)
        except UNREADABLE:
            raise broken(f"has a malformed `{name}`") from None

    def _begin(self) -> None:
        if self._started:
            raise broken("begins twice")
        self._started = True

    def _open_block(self, event: _BlockStart) -> None:
        self._check_open()
        if event.content_block_index in self._open:
            raise broken("opens a block that is open")
        tool = event.start.tool_use
        block = self._block(event.content_block_index)
        if tool is not None:
            block.call = self._chunks.open_call(tool.tool_use_id, tool.name)

    def _take_delta(self, event: _BlockDelta) -> None:
        self._check_open()
        delta = event.delta
        block = self._open.get(event.content_block_index)
        if delta.tool_use is not None:
            if block is None or block.call is None:
                raise broken("goes on with a call that is not open")
            self._chunks.add_arguments(block.call, delta.tool_use.input)
            return
        if block is None:  # only calls are told to begin
            block = self._block(event.content_block_index)
        if block.call is not None:
            raise broken("has text within a call")
        if delta.text is not None:
            if text := self._seam.close(delta.text):
                self._chunks.say(Message(content=text))
        elif delta.reasoning_content is not None:
            self._take_thought(block, delta.reasoning_content)

    def _take_thought(self, block: _Block, thought: _ReasoningDelta) -> None:
        block.thought = True
        block.signature += thought.signature or ""
        block.redacted += redacted_bytes(thought.redacted_content or "")
        if thought.text:
            block.thoughts += thought.text
            self._chunks.say(Message(reasoning_content=thought.text))

    def _block(self, index: int) -> _Block:
        self._chunks.begin()
        block = self._open[index] = _Block()
        return block

    def _close_block(self, index: int) -> None:
        block = self._open.pop(index, None)
        if block is None:
            return  # of a block that was empty, and so never began
        if block.thought:
            self._chunks.think(thinking_block(block.thoughts, block.signature, block.redacted))
        elif block.call is not None:
            self._chunks.close_call(block.call)

    def _finish(self, event: _MessageStop) -> None:
        self._check_open()
        for index in tuple(self._open):
            self._close_block(index)
        reason = finish_reason(event.stop_reason, called=self._chunks.calls > 0)
        fields = extra(additionalModelResponseFields=event.additional_model_response_fields)
        self._chunks.finish(Message(), reason, fields)

    def _end(self, event: _Metadata) -> None:
        if not self._chunks.finished:
            raise broken("ends without a stop reason")
        self._chunks.tier = event.service_tier.type if event.service_tier is not None else None
        usage, traced = event.usage.typed(), extra(trace=event.trace)
        self._chunks.count(usage)
        self._chunks.end(usage, f"{NO_CHOICES[:-1]},{traced[1:]}" if traced else NO_CHOICES)

    def _check_open(self) -> None:
        if not self._started:
            raise broken("does not begin with its start")
        if self._chunks.finished:
            raise broken("goes on after its stop")
