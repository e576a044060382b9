"""The events of Cohere's stream -> batches of chunks, one for each read that brings something.

The chunk with the role waits for the first piece of the answer, so that a failure told right after the start can still be
hidden by another attempt. Citations are gathered and come with the finish reason. Source:
https://docs.cohere.com/v2/docs/streaming (2026-11).
"""

from collections.abc import Iterator

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp

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
from server.providers.errors import Fault, ProviderError
from server.providers.extra_fields import NO_CHOICES
from server.providers.refusals import ended_in_error
from server.providers.sse import Event
from trunkline.v1.chat_pb2 import ChatChunkChoice, ChatCompletionChunk, FunctionCall, Message, ToolCall, Usage
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


class _Call:
    """A call on its way."""

    __slots__ = ("place", "started")

    def __init__(self, place: int) -> None:
        self.place = place
        """Which of the message's calls it is."""
        self.started = False
        """Whether a piece of its arguments has come."""


class ChatStream:
    """A stream on its way.

    Args:
        model: the name to give in the chunks.
        now: epoch seconds, for the chunks.
        usage_asked: whether the caller wants a chunk with the usage.
    """

    def __init__(self, model: str, now: int, usage_asked: bool) -> None:
        self._model = model
        self._now = Timestamp(seconds=now)
        self._usage_asked = usage_asked
        self._id: str | None = None
        self._role_due = True
        self._thought = ""
        """Which kind of thought came last: the vendor has two, and the contract one."""
        self._calls: dict[int, _Call] = {}
        self._citations: list[dict[str, object]] = []
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
                yield StreamChatCompletionResponse(chunks=chunks, finishing=self.done, usage=usage)

    def _take(self, sent: Event) -> None:
        name = sent.name if sent.name != "message" else _type_of(sent.data)
        if name == "error":
            raise error_in(sent.data) or ended_in_error()
        if name not in _READ:
            return
        try:
            if name == "message-start":
                self._begin(_START.decode(sent.data).id)
            elif self._id is None:
                raise _broken("does not begin with its start")
            else:
                self._take_piece(name, _EVENT.decode(sent.data))
        except ValueError:
            raise _broken(f"has a malformed `{name}`") from None

    def _begin(self, name: str) -> None:
        if self._id is not None:
            raise _broken("begins twice")
        self._id = name

    def _take_piece(self, name: str, event: _Event) -> None:
        piece = event.delta.message
        match name:
            case "content-start" | "content-delta":
                content = piece.content or WireContent()
                self._emit_thought("thinking", content.thinking)
                if content.text:
                    self._emit(Message(content=content.text), logprobs=event.logprobs)
            case "tool-plan-delta":
                self._emit_thought("plan", piece.tool_plan)
            case "tool-call-start":
                self._open_call(event, piece.tool_calls or WireCall())
            case "tool-call-delta":
                function = (piece.tool_calls or WireCall()).function
                self._emit_arguments(self._call(event), function.arguments)
            case "tool-call-end":
                call = self._call(event)
                if not call.started:
                    self._emit_arguments(call, "{}")
            case "citation-start":
                if piece.citations:
                    self._citations.append(piece.citations)
            case _:
                self._end(event.delta)

    def _open_call(self, event: _Event, wire: WireCall) -> None:
        if event.index is None or event.index in self._calls:
            raise _broken("opens a call that cannot be opened")
        call = _Call(len(self._calls))
        self._calls[event.index] = call
        function = FunctionCall(name=wire.function.name, arguments="")
        self._emit(Message(tool_calls=[ToolCall(index=call.place, id=wire.id, type="function", function=function)]))
        self._emit_arguments(call, wire.function.arguments)

    def _call(self, event: _Event) -> _Call:
        call = None if event.index is None else self._calls.get(event.index)
        if call is None:
            raise _broken("goes on with a call that is not open")
        return call

    def _end(self, delta: _Delta) -> None:
        failed = failure(delta.finish_reason, delta.error)
        if failed is not None:
            raise failed
        if delta.finish_reason is None:
            raise _broken("ends without a finish reason")
        usage = None if delta.usage is None else delta.usage.typed()
        reason = finish_reason(delta.finish_reason, called=bool(self._calls))
        self._emit(Message(extra_json=cited(self._citations)), reason)
        self.done = True
        self._usage = usage
        if self._usage_asked and usage is not None:
            self._add((), usage)

    def _emit_thought(self, kind: str, thought: str | None) -> None:
        if thought:
            apart = "\n\n" if self._thought not in ("", kind) else ""
            self._thought = kind
            self._emit(Message(reasoning_content=apart + thought))

    def _emit_arguments(self, call: _Call, arguments: str | None) -> None:
        if arguments:
            call.started = True
            self._emit(Message(tool_calls=[ToolCall(index=call.place, function=FunctionCall(arguments=arguments))]))

    def _emit(self, delta: Message, reason: str | None = None, logprobs: WireLogprobs | None = None) -> None:
        if self._role_due:
            self._role_due = False
            self._add((ChatChunkChoice(index=0, delta=Message(role="assistant")),))
        choice = ChatChunkChoice(index=0, delta=delta, finish_reason=reason)
        if logprobs is not None:
            choice.logprobs.CopyFrom(typed_logprobs([logprobs]))
        self._add((choice,))

    def _add(self, choices: tuple[ChatChunkChoice, ...], usage: Usage | None = None) -> None:
        chunk = ChatCompletionChunk(
            id=self._id or "",
            create_time=self._now,
            model=self._model,
            choices=choices,
            usage=usage,
            extra_json="" if choices else NO_CHOICES,
        )
        self._chunks.append(chunk)


def _type_of(data: bytes) -> str:
    """The type of an event whose name was lost on its way."""
    if data == _SDK_END:
        raise _broken("ends without its last event")
    try:
        return _TYPE.decode(data).type
    except ValueError:
        raise error_in(data) or _broken("has an event that cannot be read") from None


def _broken(what: str) -> ProviderError:
    return ProviderError(Fault.PROTOCOL, f"The provider's stream {what}.")
