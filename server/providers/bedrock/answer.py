"""Converse's answer -> one chunk of the contract that holds the whole of it; and what a stream shares with that.

Citations and blocks of tools that the vendor runs itself have no place in the contract and are left out. What a guardrail
traced goes along in `extra_json`.
"""

import base64
import binascii

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp

from server.providers.anthropic.seam import Seam
from server.providers.errors import Fault, ProviderError
from server.providers.wire import UNREADABLE, Count, arguments_text
from trunkline.v1.chat_pb2 import (
    ChatChunkChoice,
    ChatCompletionChunk,
    FunctionCall,
    InputTokensDetails,
    Message,
    ThinkingBlock,
    ToolCall,
    Usage,
)
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse

_FINISH_REASONS = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
"""The others, `end_turn`, `stop_sequence`, `tool_use` and unknown ones, are `stop` or `tool_calls`."""

_FAILURES = {
    "malformed_model_output": "The model's output was malformed.",
    "malformed_tool_use": "The model called a tool in a malformed way.",
}


class WireUsage(msgspec.Struct, rename="camel"):
    """Usage as the vendor counts: the input without what was read from the cache or written to it."""

    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_read_input_tokens: Count | None = None
    cache_write_input_tokens: Count | None = None
    cache_details: list[object] | None = None

    def typed(self) -> Usage:
        """The usage as the contract counts: the input with all of it."""
        cached, written = self.cache_read_input_tokens or 0, self.cache_write_input_tokens or 0
        input_tokens = self.input_tokens + cached + written
        usage = Usage(
            input_tokens=input_tokens,
            output_tokens=self.output_tokens,
            total_tokens=input_tokens + self.output_tokens,
            input_tokens_details=InputTokensDetails(cached_tokens=cached, cache_write_tokens=written),
        )
        if self.cache_details:
            usage.extra_json = msgspec.json.encode({"cache_details": self.cache_details}).decode()
        return usage


class WireTier(msgspec.Struct):
    """The tier that served the answer, by its name, which is OpenAI's too."""

    type: str | None = None


class _ReasoningText(msgspec.Struct):
    text: str = ""
    signature: str = ""


class _Reasoning(msgspec.Struct, rename="camel"):
    reasoning_text: _ReasoningText | None = None
    redacted_content: str | None = None


class _ToolUse(msgspec.Struct, rename="camel"):
    tool_use_id: str
    name: str
    input: msgspec.Raw = msgspec.Raw(b"{}")


class _Block(msgspec.Struct, rename="camel"):
    text: str | None = None
    tool_use: _ToolUse | None = None
    reasoning_content: _Reasoning | None = None


class _Message(msgspec.Struct):
    content: list[_Block]


class _Output(msgspec.Struct):
    message: _Message


class _Answer(msgspec.Struct, rename="camel"):
    output: _Output
    stop_reason: str
    usage: WireUsage
    service_tier: WireTier | None = None
    trace: msgspec.Raw = msgspec.Raw()
    additional_model_response_fields: msgspec.Raw = msgspec.Raw()


_ANSWER = msgspec.json.Decoder(_Answer)


def whole_answer(body: bytes, id: str, model: str, now: int, seam: Seam) -> StreamChatCompletionResponse:
    """The batch of an unstreamed answer.

    Args:
        id: of the answer; the vendor gives it in the head alone.
        model: the model that was asked; the vendor does not repeat it.
        now: epoch seconds, for the chunk.
        seam: where the answer goes on from a given beginning.

    Raises:
        ProviderError: PROTOCOL when the body is no answer; SERVER when the model failed.
    """
    try:
        answer = _ANSWER.decode(body)
        delta = _delta(answer.output.message.content)
        apart = extra(trace=answer.trace, additionalModelResponseFields=answer.additional_model_response_fields)
    except UNREADABLE:
        raise ProviderError(Fault.PROTOCOL, "The provider's answer is not a message.") from None
    seam.close_message(delta)
    reason = finish_reason(answer.stop_reason, called=bool(delta.tool_calls))
    usage = answer.usage.typed()
    chunk = ChatCompletionChunk(
        id=id,
        create_time=Timestamp(seconds=now),
        model=model,
        choices=[ChatChunkChoice(index=0, delta=delta, finish_reason=reason)],
        usage=usage,
        service_tier=answer.service_tier.type if answer.service_tier is not None else None,
        extra_json=apart,
    )
    return StreamChatCompletionResponse(chunks=[chunk], finishing=True, usage=usage)


def finish_reason(stop_reason: str, called: bool) -> str:
    """OpenAI's word for why an answer ended; calls count by being there, not by being named as the reason.

    Raises:
        ProviderError: SERVER when the model failed.
    """
    if stop_reason in _FAILURES:
        raise ProviderError(Fault.SERVER, _FAILURES[stop_reason])
    return _FINISH_REASONS.get(stop_reason) or ("tool_calls" if called else "stop")


def extra(**fields: msgspec.Raw) -> str:
    """The fields that are there as a JSON object; empty where none is."""
    given = {name: value for name, value in fields.items() if bytes(value) not in (b"", b"null")}
    return msgspec.json.encode(given).decode() if given else ""


def thinking_block(text: str, signature: str, redacted: bytes) -> ThinkingBlock:
    """A block of thought as the caller is to send it back."""
    if redacted:
        return ThinkingBlock(type="redacted_thinking", data=base64.b64encode(redacted).decode())
    return ThinkingBlock(type="thinking", thinking=text, signature=signature)


def redacted_bytes(encoded: str) -> bytes:
    """The sealed thought, or the piece of one.

    Raises:
        ValueError: it is no base64.
    """
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ValueError(encoded) from error


def _delta(blocks: list[_Block]) -> Message:
    texts = [block.text for block in blocks if block.text is not None]
    thoughts = [block.reasoning_content for block in blocks if block.reasoning_content is not None]
    calls = [block.tool_use for block in blocks if block.tool_use is not None]
    reasoning = "".join(thought.reasoning_text.text for thought in thoughts if thought.reasoning_text is not None)
    return Message(
        role="assistant",
        content="".join(texts) if texts else None,
        reasoning_content=reasoning or None,
        thinking_blocks=[_thought(thought) for thought in thoughts],
        tool_calls=[ToolCall(id=call.tool_use_id, type="function", function=_called(call)) for call in calls],
    )


def _thought(thought: _Reasoning) -> ThinkingBlock:
    text = thought.reasoning_text or _ReasoningText()
    return thinking_block(text.text, text.signature, redacted_bytes(thought.redacted_content or ""))


def _called(call: _ToolUse) -> FunctionCall:
    return FunctionCall(name=call.name, arguments=arguments_text(call.input))
