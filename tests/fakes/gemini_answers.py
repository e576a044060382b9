"""Scripted answers in Gemini's form: the response, and the responses of its stream.

In come a call and an answer, out come JSON objects. Which status and headers they travel with is no matter here.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence

from tests.fakes.answers import Answer, Embeddings, Part, Refusal, Thinking, ToolCall, Usage, pieces_of
from tests.fakes.dialect import Call, usage_of
from tests.fakes.http1_request import JsonObject
from tests.fakes.openai_answers import vector_of

REASONS = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP", "content_filter": "SAFETY"}


def response(call: Call, answer: Answer) -> JsonObject:
    """Returns the whole answer; a refusal with a category is one of the prompt, and has no candidates."""
    usage = _usage(_usage_of(answer))
    blocked = _blocked(answer)
    if blocked is not None:
        return {**blocked, **_envelope(call, answer, usage), **answer.extra}
    parts = [part for piece in _pieces(answer) for part in piece if part != {"text": ""}]
    content: JsonObject = {"content": {"parts": _joined(parts), "role": "model"}} if parts else {}
    candidates = [
        {**content, **_finish(answer), **({"index": index} if index else {})} for index in range(_candidates(call))
    ]
    return {"candidates": candidates, **_envelope(call, answer, usage), **answer.extra}


def events(call: Call, answer: Answer) -> Iterator[JsonObject]:
    """Yields a stream's responses; each carries the usage so far, and the last one why the answer ended."""
    usage = _usage_of(answer)
    blocked = _blocked(answer)
    if blocked is not None:
        yield {**blocked, **_envelope(call, answer, _usage(usage)), **answer.extra}
        return
    pieces = _pieces(answer)
    for place, parts in enumerate(pieces):
        last = place == len(pieces) - 1
        output_tokens = usage.output_tokens if last else min(place + 1, usage.output_tokens)
        for index in range(_candidates(call)):
            content = {"content": {"parts": parts, "role": "model"}, "index": index}
            candidate = {**content, **(_finish(answer) if last else {})}
            counted = _usage(Usage(usage.input_tokens, output_tokens)) if not last else _usage(usage)
            yield {"candidates": [candidate], **_envelope(call, answer, counted), **answer.extra}


def embeddings(call: Call, answer: Embeddings) -> JsonObject:
    requests = call.body["requests"]
    vectors = answer.vectors or tuple(
        vector_of(request["content"]["parts"][0]["text"], request.get("outputDimensionality") or 8) for request in requests
    )
    return {"embeddings": [{"values": list(vector)} for vector in vectors]}


def model_page(model_ids: Sequence[str], size: int, token: str) -> JsonObject:
    """Returns one page of the list of models, beginning at the place that the token names."""
    start = int(token or 0)
    page: JsonObject = {"models": [_model(name) for name in model_ids[start : start + size]]}
    return {**page, "nextPageToken": str(start + size)} if start + size < len(model_ids) else page


def signature_of(part: Thinking) -> str:
    """Returns the signature of a thought: always the same for the same text."""
    return part.signature or base64.b64encode(hashlib.sha256(part.text.encode()).digest()).decode()


def _model(name: str) -> JsonObject:
    methods = ["embedContent", "batchEmbedContents"] if "embedding" in name else ["generateContent", "countTokens"]
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name,
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": methods,
        "thinking": "embedding" not in name,
    }


def _pieces(answer: Answer) -> list[list[JsonObject]]:
    """Returns the parts of each event; a signature goes with the first call, or with an empty text at the end."""
    signature = next((signature_of(part) for part in answer.parts if isinstance(part, Thinking)), None)
    signed: JsonObject = {} if signature is None else {"thoughtSignature": signature}
    pieces: list[list[JsonObject]] = []
    for part in answer.parts:
        if isinstance(part, ToolCall):
            pieces.append([{"functionCall": _call(part), **signed}])
            signed = {}
        elif not isinstance(part, Refusal):
            pieces.extend([_text(part, piece)] for piece in pieces_of(part))
    return [*pieces, [{"text": "", **signed}]]


def _text(part: Part, text: str) -> JsonObject:
    return {"text": text, "thought": True} if isinstance(part, Thinking) else {"text": text}


def _call(part: ToolCall) -> JsonObject:
    arguments = json.loads(part.arguments_json or "{}")
    if not isinstance(arguments, dict):
        raise TypeError("the arguments of a Gemini function call are an object")
    return {**({"id": part.id} if part.id else {}), "name": part.name, "args": arguments}


def _joined(parts: list[JsonObject]) -> list[JsonObject]:
    """Returns parts as they stand in a whole answer: neighbouring texts of one kind are one."""
    joined: list[JsonObject] = []
    for part in parts:
        before = joined[-1] if joined else {}
        if "text" in part and "text" in before and part.get("thought") == before.get("thought"):
            joined[-1] = {**before, **part, "text": before["text"] + part["text"]}
        else:
            joined.append(part)
    return joined


def _finish(answer: Answer) -> JsonObject:
    refusal = next((part for part in answer.parts if isinstance(part, Refusal)), None)
    if refusal is not None:
        return {"finishReason": "SAFETY", "finishMessage": refusal.text}
    reason = answer.finish_reason or "stop"
    return {"finishReason": REASONS.get(reason, reason)}


def _blocked(answer: Answer) -> JsonObject | None:
    refusal = next((part for part in answer.parts if isinstance(part, Refusal)), None)
    return {"promptFeedback": {"blockReason": refusal.category}} if refusal is not None and refusal.category else None


def _candidates(call: Call) -> int:
    return int(call.body.get("generationConfig", {}).get("candidateCount", 1))


def _envelope(call: Call, answer: Answer, usage: JsonObject) -> JsonObject:
    return {"usageMetadata": usage, "modelVersion": answer.model or call.model, "responseId": f"resp_{call.serial}"}


def _usage_of(answer: Answer) -> Usage:
    return usage_of(answer.usage, sum(len(pieces_of(part)) for part in answer.parts))


def _usage(usage: Usage) -> JsonObject:
    """Writes usage as Gemini counts: the thoughts beside the rest of the output."""
    counts = {
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": usage.output_tokens - usage.reasoning_tokens,
        "totalTokenCount": usage.input_tokens + usage.output_tokens,
        "cachedContentTokenCount": usage.cached_tokens,
        "thoughtsTokenCount": usage.reasoning_tokens,
    }
    written = {name: count for name, count in counts.items() if count}
    return {**written, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.input_tokens}]}
