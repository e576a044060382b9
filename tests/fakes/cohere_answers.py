"""Scripted answers in Cohere's form: the chat answer, the events of its stream, vectors and models.

In come a call and an answer, out come JSON objects. Which status and headers they travel with is no matter here.
"""

import base64
import struct
from collections.abc import Iterator

from tests.fakes.answers import Answer, Embeddings, Part, Text, Thinking, ToolCall, Usage, pieces_of
from tests.fakes.dialect import DEFAULT_INPUT_TOKENS, Call, usage_of
from tests.fakes.http1_request import JsonObject

FINISH_REASONS = {"stop": "COMPLETE", "length": "MAX_TOKENS", "tool_calls": "TOOL_CALL", "content_filter": "ERROR_TOXIC"}
NOT_BILLED = 4
"""Tokens of the prompt that the vendor adds and does not bill."""


def chat(call: Call, answer: Answer) -> JsonObject:
    message: JsonObject = {"role": "assistant"}
    content = [{"type": _kind(part), _kind(part): part.text} for part in answer.parts if not isinstance(part, ToolCall)]
    calls = [_call(call, part, place, part.arguments_json) for place, part in _calls(answer)]
    if content:
        message["content"] = content
    if calls:
        message["tool_calls"] = calls
    usage = _usage(_usage_of(answer))
    return {"id": f"c{call.serial}", "finish_reason": _reason(answer), "message": message, "usage": usage, **answer.extra}


def events(call: Call, answer: Answer) -> Iterator[JsonObject]:
    """Yields a stream's events."""
    start = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    yield {"type": "message-start", "id": f"c{call.serial}", "delta": {"message": start}}
    for place, part in enumerate(answer.parts):
        if isinstance(part, ToolCall):
            yield _event("tool-call-start", place, {"tool_calls": _call(call, part, place, "")})
            for piece in pieces_of(part):
                yield _event("tool-call-delta", place, {"tool_calls": {"function": {"arguments": piece}}})
            yield {"type": "tool-call-end", "index": place}
            continue
        kind = _kind(part)
        yield _event("content-start", place, {"content": {"type": kind, kind: ""}})
        for piece in pieces_of(part):
            yield _event("content-delta", place, {"content": {kind: piece}})
        yield {"type": "content-end", "index": place}
    delta = {"finish_reason": _reason(answer), "usage": _usage(_usage_of(answer))}
    yield {"type": "message-end", "id": f"c{call.serial}", "delta": delta}


def embeddings(call: Call, answer: Embeddings) -> JsonObject:
    texts = call.body["texts"]
    vectors = answer.vectors or tuple(_vector(text, call.body.get("output_dimension", 4)) for text in texts)
    kinds = call.body["embedding_types"]
    made: JsonObject = {}
    if "float" in kinds:
        made["float"] = [list(vector) for vector in vectors]
    if "base64" in kinds:
        made["base64"] = [base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() for vector in vectors]
    billed = (answer.usage or Usage(len(texts), 0)).input_tokens
    meta = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": billed}}
    return {"id": f"e{call.serial}", "embeddings": made, "texts": texts, "meta": meta, "response_type": "embeddings_by_type"}


def model_page(names: tuple[str, ...], size: int, token: str) -> JsonObject:
    """Returns one page of the list of models; the token of a page is the number of its first model."""
    start = int(token or 0)
    page: JsonObject = {"models": [_model(name) for name in names[start : start + size]]}
    if start + size < len(names):
        page["next_page_token"] = str(start + size)
    return page


def _model(name: str) -> JsonObject:
    embeds = name.startswith("embed")
    return {
        "name": name,
        "endpoints": ["embed", "classify"] if embeds else ["chat", "generate"],
        "features": None if embeds else ["tools", "json_schema", "strict_tools"],
        "finetuned": False,
        "context_length": 512 if embeds else 288_000,
        "is_deprecated": False,
    }


def _event(name: str, index: int, message: JsonObject) -> JsonObject:
    return {"type": name, "index": index, "delta": {"message": message}}


def _kind(part: Part) -> str:
    return "thinking" if isinstance(part, Thinking) else "text"


def _calls(answer: Answer) -> list[tuple[int, ToolCall]]:
    return [(place, part) for place, part in enumerate(answer.parts) if isinstance(part, ToolCall)]


def _call(call: Call, part: ToolCall, place: int, arguments: str) -> JsonObject:
    name = part.id or f"{part.name}_{call.serial}_{place}"
    return {"id": name, "type": "function", "function": {"name": part.name, "arguments": arguments}}


def _reason(answer: Answer) -> str:
    reason = answer.finish_reason or ("tool_calls" if _calls(answer) else "stop")
    return FINISH_REASONS.get(reason, reason)


def _usage_of(answer: Answer) -> Usage:
    default = usage_of(answer.usage, sum(len(pieces_of(part)) for part in answer.parts if isinstance(part, Text)))
    return answer.usage or Usage(DEFAULT_INPUT_TOKENS, default.output_tokens)


def _usage(usage: Usage) -> JsonObject:
    billed = {"input_tokens": max(usage.input_tokens - NOT_BILLED, 0), "output_tokens": usage.output_tokens}
    tokens = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
    return {"billed_units": billed, "tokens": tokens, "cached_tokens": usage.cached_tokens}


def _vector(text: str, size: int) -> tuple[float, ...]:
    return tuple(((len(text) + place) % 8) / 8 for place in range(size))
