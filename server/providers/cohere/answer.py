"""Cohere's answer -> one chunk of the contract that holds the whole of it; and what a stream shares with that.

The vendor does not name the model in its answers, so that they carry the name that was asked for. Citations are carried in
the message's `extra_json`, as the vendor writes them, and what it billed in the usage's.
"""

from typing import Annotated

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp

from server.providers.cohere.errors import error_in, failure
from server.providers.errors import Fault, ProviderError
from server.providers.wire import UNREADABLE
from trunkline.v1.chat_pb2 import (
    ChatChunkChoice,
    ChatCompletionChunk,
    FunctionCall,
    InputTokensDetails,
    Logprobs,
    Message,
    TokenLogprob,
    ToolCall,
    Usage,
)
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse

_FINISH_REASONS = {"MAX_TOKENS": "length", "ERROR_TOXIC": "content_filter"}
"""The others, `COMPLETE`, `STOP_SEQUENCE`, `TOOL_CALL` and unknown ones, are `stop` or `tool_calls`."""

_Count = Annotated[float, msgspec.Meta(ge=0, le=float(1 << 53))]
"""Counts are numbers in the vendor's schema, so that `5.0` may stand for 5."""


class _Tokens(msgspec.Struct):
    input_tokens: _Count | None = None
    output_tokens: _Count | None = None


class WireUsage(msgspec.Struct):
    """What was counted, and what of it is paid for."""

    tokens: _Tokens | None = None
    billed_units: dict[str, object] | None = None
    cached_tokens: _Count | None = None

    def typed(self) -> Usage:
        """The usage by the tokens counted; what is billed stands beside it."""
        tokens = self.tokens or msgspec.convert(self.billed_units or {}, _Tokens)
        input_tokens, output_tokens = int(tokens.input_tokens or 0), int(tokens.output_tokens or 0)
        usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens, total_tokens=input_tokens + output_tokens)
        if self.cached_tokens is not None:
            cached = min(int(self.cached_tokens), input_tokens)
            usage.input_tokens_details.CopyFrom(InputTokensDetails(cached_tokens=cached))
        if self.billed_units:
            usage.extra_json = msgspec.json.encode({"billed_units": self.billed_units}).decode()
        return usage


class WireFunction(msgspec.Struct):
    """A function as it is called; its arguments are JSON, or a piece of it."""

    name: str = ""
    arguments: str | None = None


class WireCall(msgspec.Struct):
    """A call of a tool."""

    id: str = ""
    function: WireFunction = msgspec.field(default_factory=WireFunction)


class WireContent(msgspec.Struct):
    """A part of the content: text or thought, in a stream a piece of it."""

    text: str | None = None
    thinking: str | None = None


class WireLogprobs(msgspec.Struct):
    """How likely a piece of the text was, token by token."""

    text: str = ""
    logprobs: list[float] = []


class _WireMessage(msgspec.Struct):
    content: list[WireContent] | None = None
    tool_plan: str | None = None
    tool_calls: list[WireCall] | None = None
    citations: list[dict[str, object]] | None = None


class _WireAnswer(msgspec.Struct):
    id: str
    finish_reason: str
    message: _WireMessage
    usage: WireUsage | None = None
    logprobs: list[WireLogprobs] | None = None


_ANSWER = msgspec.json.Decoder(_WireAnswer)


def whole_answer(body: bytes, model: str, now: int) -> StreamChatCompletionResponse:
    """The batch of an unstreamed answer.

    Raises:
        ProviderError: PROTOCOL when the body is no answer; whatever it says, when it is an error.
    """
    try:
        answer = _ANSWER.decode(body)
        usage = None if answer.usage is None else answer.usage.typed()
    except UNREADABLE:
        raise error_in(body) or ProviderError(Fault.PROTOCOL, "The provider's answer is not a chat answer.") from None
    failed = failure(answer.finish_reason, None)
    if failed is not None:
        raise failed
    delta = _delta(answer.message)
    reason = finish_reason(answer.finish_reason, called=bool(delta.tool_calls))
    choice = ChatChunkChoice(index=0, delta=delta, finish_reason=reason)
    if answer.logprobs:
        choice.logprobs.CopyFrom(typed_logprobs(answer.logprobs))
    chunk = ChatCompletionChunk(id=answer.id, create_time=Timestamp(seconds=now), model=model, choices=[choice], usage=usage)
    return StreamChatCompletionResponse(chunks=[chunk], finishing=True, usage=usage)


def finish_reason(said: str, called: bool) -> str:
    """OpenAI's word for why an answer ended; calls count by being there, not by being named as the reason."""
    return _FINISH_REASONS.get(said) or ("tool_calls" if called else "stop")


def typed_logprobs(pieces: list[WireLogprobs]) -> Logprobs:
    """The vendor gives the text of several tokens at once, whose likelihood is that of all of them together."""
    return Logprobs(
        content=[TokenLogprob(token=piece.text, logprob=sum(piece.logprobs), bytes=piece.text.encode()) for piece in pieces]
    )


def cited(citations: list[dict[str, object]]) -> str:
    """The `extra_json` of a message with citations; empty where there are none."""
    return msgspec.json.encode({"citations": citations}).decode() if citations else ""


def _delta(message: _WireMessage) -> Message:
    content = message.content or []
    texts = [part.text for part in content if part.text is not None]
    thoughts = "".join(part.thinking for part in content if part.thinking)
    return Message(
        role="assistant",
        content="".join(texts) if texts else None,
        reasoning_content="\n\n".join(text for text in (thoughts, message.tool_plan) if text) or None,
        tool_calls=[
            ToolCall(
                id=call.id,
                type="function",
                function=FunctionCall(name=call.function.name, arguments=call.function.arguments or "{}"),
            )
            for call in message.tool_calls or []
        ],
        extra_json=cited(message.citations or []),
    )
