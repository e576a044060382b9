"""The events of Cohere's stream -> batches of chunks, one for each read that brings something.

The chunk with the role waits for the first piece of the answer, so that a failure told right after the start can still be
hidden by another attempt. Citations are gathered and come with the finish reason. Source:
https://docs.cohere.com/v2/docs/streaming (2026-11).
"""

from collections.abc import Iterator

import msgspec

from server.providers.chunks import ChunkWriter, OpenCall, broken
from server.providers.cohere.answer import (
    WireCall,
    WireContent,
    WireLogprobs,
    WireUsage,
    cited,
    finish_reason,
    typed_logprobs,
)
from server.providers.cohere.errors import error_in, failure
from server.providers.refusals import ended_in_error
from server.providers.sse import Event
from server.providers.wire import UNREADABLE
from trunkline.v1.chat_pb2 import Message
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse


class _Piece(msgspec.Struct):
    """What an event adds to the message; of the plural names each holds one thing, not a list."""

    content: WireContent | None = None
    tool_plan: str | None = None
    tool_calls: WireCall | None = None
    citations: dict[str, object] | None = None


class _Delta(msgspec.Struct):
    message: _Piece = msgspec.field(default_factory=_Piece)
    finish_reason: str | None = None
    usage: WireUsage | None = None
    error: str | None = None


class _Type(msgspec.Struct):
    type: str


class _Start(msgspec.Struct):
    id: str


class _Event(msgspec.Struct):
    index: int | None = None
    delta: _Delta = msgspec.field(default_factory=_Delta)
    logprobs: WireLogprobs | None = None


_TYPE = msgspec.json.Decoder(_Type)
_START = msgspec.json.Decoder(_Start)
_EVENT = msgspec.json.Decoder(_Event)
_READ = frozenset(
    {
        "message-start",
        "tool-plan-delta",
        "content-start",
        "content-delta",
        "tool-call-start",
        "tool-call-delta",
        "tool-call-end",
        "citation-start",
        "message-end",
    }
)
"""The events that say something; others only close what these opened, or are new."""

_SDK_END = b"[DONE]"
"""Some gateways end Cohere's streams as they end OpenAI's."""


class ChatStream:
    """A stream on its way.

    Args:
        model: the name to give in the chunks.
        now: epoch seconds, for the chunks.
        usage_asked: whether the caller wants a chunk with the usage.
    """

    def __init__(self, model: str, now: int, usage_asked: bool) -> None:
        self._chunks = ChunkWriter(now, usage_asked, model=model)
        self._started = False
        self._thought = ""
        """Which kind of thought came last: the vendor has two, and the contract one."""
        self._calls: dict[int, OpenCall] = {}
        self._citations: list[dict[str, object]] = []

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

    def _take(self, sent: Event) -> None:
        name = sent.name if sent.name != "message" else _type_of(sent.data)
        if name == "error":
            raise error_in(sent.data) or ended_in_error()
        if name not in _READ:
            return
        try:
            if name == "message-start":
                self._begin(_START.decode(sent.data).id)
            elif not self._started:
                raise broken("does not begin with its start")
            else:
                self._take_piece(name, _EVENT.decode(sent.data))
        except UNREADABLE:
            raise broken(f"has a malformed `{name}`") from None

    def _begin(self, id: str) -> None:
        if self._started:
            raise broken("begins twice")
        self._started = True
        self._chunks.id = id

    def _take_piece(self, name: str, event: _Event) -> None:
        piece = event.delta.message
        match name:
            case "content-start" | "content-delta":
                content = piece.content or WireContent()
                self._emit_thought("thinking", content.thinking)
                if content.text:
                    logprobs = None if event.logprobs is None else typed_logprobs([event.logprobs])
                    self._chunks.say(Message(content=content.text), logprobs)
            case "tool-plan-delta":
                self._emit_thought("plan", piece.tool_plan)
            case "tool-call-start":
                self._open_call(event, piece.tool_calls or WireCall())
            case "tool-call-delta":
                function = (piece.tool_calls or WireCall()).function
                self._chunks.add_arguments(self._call(event), function.arguments)
            case "tool-call-end":
                self._chunks.close_call(self._call(event))
            case "citation-start":
                if piece.citations:
                    self._citations.append(piece.citations)
            case _:
                self._end(event.delta)

    def _open_call(self, event: _Event, wire: WireCall) -> None:
        if event.index is None or event.index in self._calls:
            raise broken("opens a call that cannot be opened")
        call = self._calls[event.index] = self._chunks.open_call(wire.id, wire.function.name)
        self._chunks.add_arguments(call, wire.function.arguments)

    def _call(self, event: _Event) -> OpenCall:
        call = None if event.index is None else self._calls.get(event.index)
        if call is None:
            raise broken("goes on with a call that is not open")
        return call

    def _end(self, delta: _Delta) -> None:
        failed = failure(delta.finish_reason, delta.error)
        if failed is not None:
            raise failed
        if delta.finish_reason is None:
            raise broken("ends without a finish reason")
        usage = None if delta.usage is None else delta.usage.typed()
        reason = finish_reason(delta.finish_reason, called=bool(self._calls))
        self._chunks.begin()
        self._chunks.finish(Message(extra_json=cited(self._citations)), reason)
        if usage is not None:
            self._chunks.count(usage)
        self._chunks.end(usage)

    def _emit_thought(self, kind: str, thought: str | None) -> None:
        if thought:
            apart = "\n\n" if self._thought not in ("", kind) else ""
            self._thought = kind
            self._chunks.say(Message(reasoning_content=apart + thought))


def _type_of(data: bytes) -> str:
    """The type of an event whose name was lost on its way."""
    if data == _SDK_END:
        raise broken("ends without its last event")
    try:
        return _TYPE.decode(data).type
    except UNREADABLE:
        raise error_in(data) or broken("has an event that cannot be read") from None
