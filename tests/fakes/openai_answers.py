"""Scripted answers in OpenAI's form: bodies, and the events of streams.

In come a call and an answer, out come JSON objects. Which status and headers they travel with is no matter here.
"""

import base64
import struct
import zlib
from collections.abc import Iterator

from tests.fakes.answers import Answer, Embeddings, Images, Refusal, Text, Thinking, ToolCall, Usage, pieces_of
from tests.fakes.dialect import CREATED, Call, usage_of
from tests.fakes.http1_request import JsonObject

TINY_PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="  # 1x1, transparent
)


def chat_completion(call: Call, answer: Answer) -> JsonObject:
    message: JsonObject = {"role": "assistant", "content": _joined(answer, Text), "refusal": _joined(answer, Refusal)}
    reasoning = _joined(answer, Thinking)
    if reasoning is not None:
        message["reasoning_content"] = reasoning
    choices = []
    for index in range(call.body.get("n") or 1):
        calls = [
            {"id": _call_id(call, part, index, place), "type": "function", "function": _function(part)}
            for place, part in enumerate(_tool_calls(answer))
        ]
        choice_message = {**message, "tool_calls": calls} if calls else {**message, "annotations": []}
        reason = _finish_reason(answer)
        choices.append({"index": index, "message": choice_message, "logprobs": None, "finish_reason": reason})
    envelope = _envelope(call, answer, f"chatcmpl-{call.serial}", "chat.completion")
    return {**envelope, "choices": choices, "usage": _usage(_usage_of(answer)), **answer.extra}


def chat_chunks(call: Call, answer: Answer) -> Iterator[JsonObject]:
    """Yields the role, what was scripted, the finish, and the usage where it was asked for."""
    envelope = _envelope(call, answer, f"chatcmpl-{call.serial}", "chat.completion.chunk")
    options = call.body.get("stream_options") or {}
    counted = {"usage": None} if options.get("include_usage") else {}
    choice_count = call.body.get("n") or 1
    for delta_of in _deltas(call, answer):
        for index in range(choice_count):
            choice = {"index": index, "delta": delta_of(index), "logprobs": None, "finish_reason": None}
            yield {**envelope, "choices": [choice], **counted, **_obfuscation(options), **answer.extra}
    for index in range(choice_count):
        choice = {"index": index, "delta": {}, "logprobs": None, "finish_reason": _finish_reason(answer)}
        yield {**envelope, "choices": [choice], **counted, **_obfuscation(options), **answer.extra}
    if counted:
        yield {**envelope, "choices": [], "usage": _usage(_usage_of(answer)), **answer.extra}


def text_completion(call: Call, answer: Answer) -> JsonObject:
    choices = [
        {"text": _plain_text(answer), "index": index, "logprobs": None, "finish_reason": answer.finish_reason or "stop"}
        for index in range(_text_choices(call))
    ]
    envelope = _envelope(call, answer, f"cmpl-{call.serial}", "text_completion")
    return {**envelope, "choices": choices, "usage": _usage(_usage_of(answer)), **answer.extra}


def text_chunks(call: Call, answer: Answer) -> Iterator[JsonObject]:
    """Yields the text, whose last chunk carries the finish, and the usage where it was asked for."""
    envelope = _envelope(call, answer, f"cmpl-{call.serial}", "text_completion")
    counted = {"usage": None} if (call.body.get("stream_options") or {}).get("include_usage") else {}
    _plain_text(answer)
    finish: tuple[str, str | None] = ("", answer.finish_reason or "stop")
    for text, reason in [*((piece, None) for part in answer.parts for piece in pieces_of(part)), finish]:
        for index in range(_text_choices(call)):
            choice = {"text": text, "index": index, "logprobs": None, "finish_reason": reason}
            yield {**envelope, "choices": [choice], **counted, **answer.extra}
    if counted:
        yield {**envelope, "choices": [], "usage": _usage(_usage_of(answer)), **answer.extra}


def embeddings(call: Call, answer: Embeddings) -> JsonObject:
    given = call.body["input"]
    inputs = given if isinstance(given, list) and not isinstance(given[0], int) else [given]
    vectors = answer.vectors or tuple(vector_of(item, call.body.get("dimensions") or 8) for item in inputs)
    if len(vectors) != len(inputs):
        raise TypeError(f"{len(inputs)} inputs cannot be answered with {len(vectors)} vectors")
    in_base64 = call.body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _in_base64(vector) if in_base64 else list(vector)}
        for index, vector in enumerate(vectors)
    ]
    tokens = usage_of(answer.usage, 0).input_tokens
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": call.model, "usage": usage}


def vector_of(item: object, dimensions: int) -> tuple[float, ...]:
    """Returns the vector that stands for an input: always the same, and exact in single precision."""
    return tuple((zlib.crc32(f"{item}:{place}".encode()) % 33 - 16) / 16 for place in range(dimensions))


def images(call: Call, answer: Images) -> JsonObject:
    revised = {"revised_prompt": answer.revised_prompt} if answer.revised_prompt is not None else {}
    data: list[JsonObject] = [{"url": url, **revised} for url in answer.urls]
    encoded = answer.b64_json or (() if data else (TINY_PNG,) * (call.body.get("n") or 1))
    data.extend({"b64_json": image, **revised} for image in encoded)
    body: JsonObject = {"created": CREATED, "data": data}
    if answer.usage is not None or not answer.urls:
        body["usage"] = _image_usage(answer.usage)
    return body


def image_events(call: Call, answer: Images) -> Iterator[JsonObject]:
    """Yields the partial images asked for and each image when it is complete; only base64 can stream."""
    if answer.urls:
        raise TypeError("an image stream cannot carry addresses")
    common = {"created_at": CREATED, "size": "1024x1024", "quality": "high", "background": "opaque", "output_format": "png"}
    for image in answer.b64_json or (TINY_PNG,):
        for index in range(call.body.get("partial_images") or 0):
            partial = {"type": "image_generation.partial_image", "b64_json": image, "partial_image_index": index}
            yield {**partial, **common}
        usage = _image_usage(answer.usage)
        yield {"type": "image_generation.completed", "b64_json": image, **common, "usage": usage}


def model(model_id: str) -> JsonObject:
    return {"id": model_id, "object": "model", "created": CREATED, "owned_by": "scripted"}


def _envelope(call: Call, answer: Answer, completion_id: str, kind: str) -> JsonObject:
    named = {"id": completion_id, "object": kind, "created": CREATED, "model": answer.model or call.model}
    tier = {} if kind == "text_completion" else {"service_tier": "default"}
    return {**named, **tier, "system_fingerprint": "fp_scripted"}


class _Delta:
    """One delta, which differs between choices in nothing but the ids of tool calls."""

    def __init__(self, call: Call, delta: JsonObject, head: tuple[ToolCall, int] | None = None) -> None:
        self._call = call
        self._delta = delta
        self._head = head

    def __call__(self, choice: int) -> JsonObject:
        if self._head is None:
            return self._delta
        part, place = self._head
        function = {"name": part.name, "arguments": ""}
        call_id = _call_id(self._call, part, choice, place)
        return {"tool_calls": [{"index": place, "id": call_id, "type": "function", "function": function}]}


def _deltas(call: Call, answer: Answer) -> Iterator[_Delta]:
    speaks = any(isinstance(part, Text) for part in answer.parts)
    yield _Delta(call, {"role": "assistant", "content": "" if speaks else None, "refusal": None})
    place = 0
    for part in answer.parts:
        if isinstance(part, ToolCall):
            yield _Delta(call, {}, head=(part, place))
            for piece in pieces_of(part):
                yield _Delta(call, {"tool_calls": [{"index": place, "function": {"arguments": piece}}]})
            place += 1
        else:
            name = {Text: "content", Refusal: "refusal", Thinking: "reasoning_content"}[type(part)]
            for piece in pieces_of(part):
                yield _Delta(call, {name: piece})


def _obfuscation(options: JsonObject) -> JsonObject:
    return {"obfuscation": "x7Qp"} if options.get("include_obfuscation") else {}


def _joined(answer: Answer, kind: type[Text] | type[Refusal] | type[Thinking]) -> str | None:
    texts = [part.text for part in answer.parts if isinstance(part, kind)]
    return "".join(texts) if texts else None


def _tool_calls(answer: Answer) -> list[ToolCall]:
    return [part for part in answer.parts if isinstance(part, ToolCall)]


def _call_id(call: Call, part: ToolCall, choice: int, place: int) -> str:
    return part.id or f"call_{call.serial}_{choice}_{place}"


def _function(part: ToolCall) -> JsonObject:
    return {"name": part.name, "arguments": part.arguments_json}


def _finish_reason(answer: Answer) -> str:
    return answer.finish_reason or ("tool_calls" if _tool_calls(answer) else "stop")


def _plain_text(answer: Answer) -> str:
    if not all(isinstance(part, Text) for part in answer.parts):
        raise TypeError("a text completion is made of text only")
    return _joined(answer, Text) or ""


def _text_choices(call: Call) -> int:
    prompt = call.body.get("prompt")
    prompts = len(prompt) if isinstance(prompt, list) and prompt and not isinstance(prompt[0], int) else 1
    return prompts * int(call.body.get("n") or 1)


def _usage_of(answer: Answer) -> Usage:
    return usage_of(answer.usage, sum(len(pieces_of(part)) for part in answer.parts))


def _usage(usage: Usage) -> JsonObject:
    written = {"cache_write_tokens": usage.cache_write_tokens} if usage.cache_write_tokens else {}
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "audio_tokens": 0, **written},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _image_usage(scripted: Usage | None) -> JsonObject:
    usage = usage_of(scripted, 100)
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "input_tokens_details": {"text_tokens": usage.input_tokens, "image_tokens": 0},
    }


def _in_base64(vector: tuple[float, ...]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
