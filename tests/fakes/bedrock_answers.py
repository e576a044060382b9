"""Scripted answers in Converse's form: the whole, and the events of its stream."""

import json
from collections.abc import Iterator

from tests.fakes.answers import Answer, Part, Refusal, Text, Thinking, ToolCall, Usage, pieces_of
from tests.fakes.anthropic_answers import signature_of
from tests.fakes.dialect import Call, usage_of
from tests.fakes.http1_request import JsonObject

STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "guardrail_intervened",
}
METRICS = {"metrics": {"latencyMs": 120}}


def answer(call: Call, scripted: Answer) -> JsonObject:
    content = [_block(call, part, place) for place, part in enumerate(scripted.parts)]
    usage = _usage(_usage_of(scripted))
    output = {"message": {"role": "assistant", "content": content}}
    return {"output": output, "stopReason": _stop(scripted), "usage": usage, **METRICS, **scripted.extra}


def events(call: Call, scripted: Answer) -> Iterator[tuple[str, JsonObject]]:
    """Yields a stream's events by name; only calls are told to begin, and the usage comes last."""
    yield "messageStart", {"p": "abcd", "role": "assistant"}
    for index, part in enumerate(scripted.parts):
        if isinstance(part, ToolCall):
            start = {"toolUse": {"toolUseId": _id(call, part, index), "name": part.name}}
            yield "contentBlockStart", {"contentBlockIndex": index, "p": "ab", "start": start}
        for delta in _deltas(part):
            yield "contentBlockDelta", {"contentBlockIndex": index, "delta": delta, "p": "abcdefgh"}
        yield "contentBlockStop", {"contentBlockIndex": index, "p": "abc"}
    yield "messageStop", {"p": "a", "stopReason": _stop(scripted)}
    yield "metadata", {**METRICS, "p": "abcde", "usage": _usage(_usage_of(scripted)), **scripted.extra}


def model(model_id: str, region: str) -> JsonObject:
    named = {"modelId": model_id, "modelName": model_id, "providerName": model_id.partition(".")[0].title()}
    arn = f"arn:aws:bedrock:{region}::foundation-model/{model_id}"
    modalities = {"inputModalities": ["TEXT", "IMAGE"], "outputModalities": ["TEXT"]}
    lives = {"modelLifecycle": {"status": "ACTIVE"}, "inferenceTypesSupported": ["ON_DEMAND"]}
    return {**named, "modelArn": arn, **modalities, "responseStreamingSupported": True, **lives}


def _stop(scripted: Answer) -> str:
    called = any(isinstance(part, ToolCall) for part in scripted.parts)
    refused = any(isinstance(part, Refusal) for part in scripted.parts)
    reason = scripted.finish_reason or ("content_filter" if refused else "tool_calls" if called else "stop")
    return STOP_REASONS.get(reason, reason)


def _id(call: Call, part: ToolCall, place: int) -> str:
    return part.id or f"tooluse_{call.serial}_{place}"


def _block(call: Call, part: Part, place: int) -> JsonObject:
    match part:
        case Thinking():
            return {"reasoningContent": {"reasoningText": {"text": part.text, "signature": signature_of(part)}}}
        case ToolCall():
            arguments = json.loads(part.arguments_json or "{}")
            return {"toolUse": {"toolUseId": _id(call, part, place), "name": part.name, "input": arguments}}
        case _:
            return {"text": part.text}


def _deltas(part: Part) -> Iterator[JsonObject]:
    match part:
        case Text() | Refusal():
            yield from ({"text": piece} for piece in pieces_of(part))
        case Thinking():
            yield from ({"reasoningContent": {"text": piece}} for piece in pieces_of(part))
            yield {"reasoningContent": {"signature": signature_of(part)}}
        case ToolCall():
            # A call without arguments has no delta.
            pieces = () if part.arguments_json == "{}" else pieces_of(part)
            yield from ({"toolUse": {"input": piece}} for piece in pieces)


def _usage_of(scripted: Answer) -> Usage:
    return usage_of(scripted.usage, sum(len(pieces_of(part)) for part in scripted.parts))


def _usage(usage: Usage) -> JsonObject:
    """Writes usage as Bedrock counts: the input without the cache, the total with it."""
    return {
        "inputTokens": usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.input_tokens + usage.output_tokens,
        "cacheReadInputTokens": usage.cached_tokens,
        "cacheWriteInputTokens": usage.cache_write_tokens,
    }
