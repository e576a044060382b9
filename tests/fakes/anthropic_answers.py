"""Scripted answers in Anthropic's form: the message, and the events of its stream.

In come a call and an answer, out come JSON objects. Which status and headers they travel with is no matter here.
"""

import base64
import hashlib
import json
from collections.abc import Iterator

from tests.fakes.answers import Answer, Part, Refusal, Text, Thinking, ToolCall, Usage, pieces_of
from tests.fakes.dialect import DEFAULT_INPUT_TOKENS, Call, usage_of
from tests.fakes.http1_request import JsonObject

STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
MADE = "2025-11-13T02:13:20Z"


def message(call: Call, answer: Answer) -> JsonObject:
    content = [_block(call, part, place) for place, part in enumerate(answer.parts) if not isinstance(part, Refusal)]
    usage = _usage(_usage_of(answer))
    return {**_envelope(call, answer), "content": content, **_stop(call, answer), "usage": usage, **answer.extra}


def events(call: Call, answer: Answer) -> Iterator[JsonObject]:
    """Yields a stream's events; the usage of `message_delta` is that of the whole answer."""
    usage = _usage_of(answer)
    started = {**_envelope(call, answer), "content": [], "stop_reason": None, "stop_sequence": None}
    first_usage = {**_usage(usage), "output_tokens": 1}
    yield {"type": "message_start", "message": {**started, "usage": first_usage, **answer.extra}}
    pinged = False
    index = 0
    for place, part in enumerate(answer.parts):
        if isinstance(part, Refusal):
            continue
        yield {"type": "content_block_start", "index": index, "content_block": _empty_block(call, part, place)}
        if not pinged:
            pinged = True
            yield {"type": "ping"}
        for delta in _deltas(part):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
        index += 1
    if not pinged:
        yield {"type": "ping"}
    final = {name: value for name, value in _usage(usage).items() if name not in ("cache_creation", "service_tier")}
    yield {"type": "message_delta", "delta": _stop(call, answer), "usage": final}
    yield {"type": "message_stop"}


def token_count(call: Call) -> JsonObject:
    return {"input_tokens": DEFAULT_INPUT_TOKENS + len(call.request.raw_body) // 4}


def model(model_id: str) -> JsonObject:
    limits = {"max_input_tokens": 200_000, "max_tokens": 64_000}
    named = {"type": "model", "id": model_id, "display_name": model_id.replace("-", " ").title()}
    return {**named, "created_at": MADE, "lifecycle": "active", **limits}


def model_page(model_ids: tuple[str, ...], limit: int, after_id: str | None) -> JsonObject:
    """Returns one page of the list of models, beginning behind `after_id`."""
    start = model_ids.index(after_id) + 1 if after_id in model_ids else 0
    page = model_ids[start : start + limit]
    ends = {"first_id": page[0] if page else None, "last_id": page[-1] if page else None}
    return {"data": [model(name) for name in page], "has_more": start + limit < len(model_ids), **ends}


def signature_of(part: Thinking) -> str:
    """Returns the signature of a thought: always the same for the same text."""
    return part.signature or base64.b64encode(hashlib.sha256(part.text.encode()).digest()).decode()


def _envelope(call: Call, answer: Answer) -> JsonObject:
    return {"id": f"msg_{call.serial}", "type": "message", "role": "assistant", "model": answer.model or call.model}


def _stop(call: Call, answer: Answer) -> JsonObject:
    refusal = next((part for part in answer.parts if isinstance(part, Refusal)), None)
    if refusal is not None:
        details = {"type": "refusal", "category": refusal.category, "explanation": refusal.text}
        return {"stop_reason": "refusal", "stop_sequence": None, "stop_details": details}
    called = any(isinstance(part, ToolCall) for part in answer.parts)
    reason = answer.finish_reason or ("tool_calls" if called else "stop")
    sequence = call.body["stop_sequences"][0] if reason == "stop_sequence" else None
    return {"stop_reason": STOP_REASONS.get(reason, reason), "stop_sequence": sequence}


def _block(call: Call, part: Part, place: int) -> JsonObject:
    match part:
        case Thinking():
            return {"type": "thinking", "thinking": part.text, "signature": signature_of(part)}
        case ToolCall():
            arguments = json.loads(part.arguments_json or "{}")
            if not isinstance(arguments, dict):
                raise TypeError("the input of an Anthropic tool call is an object")
            return {**_empty_block(call, part, place), "input": arguments}
        case _:
            return {"type": "text", "text": part.text}


def _empty_block(call: Call, part: Part, place: int) -> JsonObject:
    match part:
        case Thinking():
            return {"type": "thinking", "thinking": "", "signature": ""}
        case ToolCall():
            return {"type": "tool_use", "id": part.id or f"toolu_{call.serial}_{place}", "name": part.name, "input": {}}
        case _:
            return {"type": "text", "text": ""}


def _deltas(part: Part) -> Iterator[JsonObject]:
    match part:
        case Text():
            yield from ({"type": "text_delta", "text": piece} for piece in pieces_of(part))
        case Thinking():
            yield from ({"type": "thinking_delta", "thinking": piece} for piece in pieces_of(part))
            yield {"type": "signature_delta", "signature": signature_of(part)}
        case ToolCall():
            # The first fragment is empty; a call without arguments has no other.
            pieces = () if part.arguments_json == "{}" else pieces_of(part)
            yield from ({"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces))


def _usage_of(answer: Answer) -> Usage:
    return usage_of(answer.usage, sum(len(pieces_of(part)) for part in answer.parts))


def _usage(usage: Usage) -> JsonObject:
    """Writes usage as Anthropic counts: the input without what was read from the cache or written to it."""
    details = {"output_tokens_details": {"thinking_tokens": usage.reasoning_tokens}} if usage.reasoning_tokens else {}
    return {
        "input_tokens": usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "cache_creation": {"ephemeral_5m_input_tokens": usage.cache_write_tokens, "ephemeral_1h_input_tokens": 0},
        "output_tokens": usage.output_tokens,
        **details,
        "service_tier": "standard",
    }
