"""Anthropic's message -> one chunk of the contract that holds the whole of it; and what a stream shares with that.

Citations and the blocks of tools that the vendor runs itself have no place in the contract and are left out.
"""

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp

from server.providers.anthropic.errors import error_in
from server.providers.anthropic.seam import Seam
from server.providers.errors import Fault, ProviderError
from server.providers.wire import UNREADABLE, Count, arguments_text
from trunkline.v1.chat_pb2 import (
    ChatChunkChoice,
    ChatCompletionChunk,
    FunctionCall,
    InputTokensDetails,
    Message,
    OutputTokensDetails,
    ThinkingBlock,
    ToolCall,
    Usage,
)
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse

_FINISH_REASONS = {"max_tokens": "length", "model_context_window_exceeded": "length", "refusal": "content_filter"}
"""The others, `end_turn`, `stop_sequence`, `pause_turn`, `tool_use` and unknown ones, are `stop` or `tool_calls`."""

_TIERS = {"standard": "default", "priority": "priority"}


class _OutputDetails(msgspec.Struct):
    thinking_tokens: Count | None = None


class WireUsage(msgspec.Struct):
    """Usage as the vendor counts: the input without what was read from the cache or written to it."""

    input_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    output_tokens: Count | None = None
    output_tokens_details: _OutputDetails | None = None
    cache_creation: dict[str, object] | None = None
    server_tool_use: dict[str, object] | None = None
    service_tier: str | None = None

    def typed(self) -> Usage:
        """The usage as the contract counts: the input with all of it."""
        cached, written = self.cache_read_input_tokens or 0, self.cache_creation_input_tokens or 0
        input_tokens, output_tokens = (self.input_tokens or 0) + cached + written, self.output_tokens or 0
        usage = Usage(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            total_tokens=input_tokens + output_tokens,
            input_tokens_details=InputTokensDetails(cached_tokens=cached, cache_write_tokens=written),
        )
        if self.output_tokens_details is not None and self.output_tokens_details.thinking_tokens is not None:
            reasoning = self.output_tokens_details.thinking_tokens
            usage.output_tokens_details.CopyFrom(OutputTokensDetails(reasoning_tokens=reasoning))
        apart = {"cache_creation": self.cache_creation, "server_tool_use": self.server_tool_use}
        if extra := {name: value for name, value in apart.items() if value}:
            usage.extra_json = msgspec.json.encode(extra).decode()
        return usage

    def tier(self) -> str | None:
        """The tier that served the answer, by OpenAI's names."""
        return _TIERS.get(self.service_tier or "")


class WireBlock(msgspec.Struct):
    """A block of content, of any type."""

    type: str
    text: str = ""
    thinking: str = ""
    signature: str = ""
    data: str = ""
    id: str = ""
    name: str = ""
    input: msgspec.Raw = msgspec.Raw(b"{}")


class StopDetails(msgspec.Struct):
    """Why the vendor stopped the answer."""

    explanation: str | None = None


class WireMessage(msgspec.Struct):
    """A whole message, or the empty one that a stream starts with."""

    id: str
    model: str
    content: list[WireBlock]
    usage: WireUsage
    stop_reason: str | None = None
    stop_details: StopDetails | None = None


_MESSAGE = msgspec.json.Decoder(WireMessage)


def whole_message(body: bytes, now: int, seam: Seam) -> StreamChatCompletionResponse:
    """The batch of an unstreamed answer.

    Args:
        now: epoch seconds, for the chunk.
        seam: where the answer goes on from a given beginning.

    Raises:
        ProviderError: PROTOCOL when the body is no message; whatever it says, when it is an error.
    """
    try:
        message = _MESSAGE.decode(body)
        delta = _delta(message.content)
    except UNREADABLE:
        raise error_in(body) or ProviderError(Fault.PROTOCOL, "The provider's answer is not a message.") from None
    if message.stop_reason is None:
        raise ProviderError(Fault.PROTOCOL, "The provider's answer has no stop reason.")
    seam.close_message(delta)
    refuse(delta, message.stop_reason, message.stop_details)
    reason = finish_reason(message.stop_reason, called=bool(delta.tool_calls))
    usage = message.usage.typed()
    chunk = ChatCompletionChunk(
        id=message.id,
        create_time=Timestamp(seconds=now),
        model=message.model,
        choices=[ChatChunkChoice(index=0, delta=delta, finish_reason=reason)],
        usage=usage,
        service_tier=message.usage.tier(),
    )
    return StreamChatCompletionResponse(chunks=[chunk], finishing=True, usage=usage)


def finish_reason(stop_reason: str, called: bool) -> str:
    """OpenAI's word for why an answer ended; calls count by being there, not by being named as the reason."""
    return _FINISH_REASONS.get(stop_reason) or ("tool_calls" if called else "stop")


def refuse(delta: Message, stop_reason: str, details: StopDetails | None) -> None:
    """Puts the vendor's words about a refusal into the delta, where there are any."""
    if stop_reason == "refusal" and details is not None and details.explanation:
        delta.refusal = details.explanation


def thinking_block(block: WireBlock) -> ThinkingBlock:
    """A block of thought as the caller is to send it back."""
    if block.type == "redacted_thinking":
        return ThinkingBlock(type=block.type, data=block.data)
    return ThinkingBlock(type=block.type, thinking=block.thinking, signature=block.signature)


def _delta(blocks: list[WireBlock]) -> Message:
    texts = [block.text for block in blocks if block.type == "text"]
    thoughts = [block for block in blocks if block.type in ("thinking", "redacted_thinking")]
    reasoning = "".join(block.thinking for block in thoughts)
    return Message(
        role="assistant",
        content="".join(texts) if texts else None,
        reasoning_content=reasoning or None,
        thinking_blocks=[thinking_block(block) for block in thoughts],
        tool_calls=[
            ToolCall(id=block.id, type="function", function=_called(block)) for block in blocks if block.type == "tool_use"
        ],
    )


def _called(block: WireBlock) -> FunctionCall:
    return FunctionCall(name=block.name, arguments=arguments_text(block.input))
