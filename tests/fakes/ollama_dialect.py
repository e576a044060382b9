"""Ollama's own HTTP API, as strict as the real one and a little stricter.

A key is not asked for, but has to be good where it is sent, as in the vendor's cloud. What a body must be is in
`ollama_checks`.
"""

import json
from collections.abc import Iterable, Iterator

from tests.fakes import ollama_checks
from tests.fakes.answers import (
    Answer,
    Embeddings,
    Part,
    Raw,
    Refusal,
    Scripted,
    Status,
    Text,
    Thinking,
    ToolCall,
    pieces_of,
    whole,
)
from tests.fakes.dialect import (
    DEFAULT_INPUT_TOKENS,
    DEFAULT_TEXT,
    Call,
    Operation,
    Refused,
    check_content_type,
    dumps,
    raw_plan,
    status_plan,
    usage_of,
    with_headers,
)
from tests.fakes.http1_request import JsonObject, Request
from tests.fakes.plan import Data, Head, Plan, VendorError

PATHS: dict[str, tuple[str, Operation]] = {
    "/api/chat": ("POST", "chat"),
    "/api/generate": ("POST", "completions"),
    "/api/embed": ("POST", "embeddings"),
    "/api/tags": ("GET", "models"),
    "/api/version": ("GET", "other"),
}
MADE = "2025-11-13T02:13:20.123456789Z"
TIMES = {
    "total_duration": 5_000_000,
    "load_duration": 1_000_000,
    "prompt_eval_duration": 1_000_000,
    "eval_duration": 3_000_000,
}


class OllamaDialect:
    """Answers chats, generation, embeddings, and the list of models.

    Args:
        key: the only key that is good.
        models: the models there are; any name is one when empty.
    """

    def __init__(self, key: str, models: Iterable[str] = ()) -> None:
        self._key = key
        self._models = tuple(models)

    def addressed(self, request: Request) -> bool:
        """Whether a request is meant for this vendor."""
        return self.serves(request.path)

    def serves(self, path: str) -> bool:
        return path in PATHS

    def check_key(self, request: Request) -> None:
        if request.headers.get("authorization") not in (None, f"Bearer {self._key}"):
            raise Refused(VendorError(401, "unauthorized"), violation=False)

    def check(self, request: Request, serial: int) -> Call:
        self.check_key(request)
        method, operation = PATHS[request.path]
        if request.method != method:
            raise Refused(VendorError(405, "method not allowed"))
        if method == "GET":
            return Call(operation, request, "", stream=False, serial=serial)
        check_content_type(request)
        ollama_checks.check_body(request.path, request.body)
        model = request.body["model"]
        if self._models and model not in self._models:
            raise Refused(VendorError(404, f"model '{model}' not found"), violation=False)
        stream = operation != "embeddings" and request.body.get("stream", True)
        return Call(operation, request, model, stream=stream, serial=serial)

    def default(self, call: Call) -> Scripted:
        return Embeddings() if call.operation == "embeddings" else Text(DEFAULT_TEXT)

    def plan(self, call: Call, answer: Scripted) -> Plan:
        match answer:
            case Status():
                return status_plan(self, answer, call.serial)
            case Raw():
                return raw_plan(self, answer, call.serial)
        if call.operation == "models":
            return self._unary(200, {"models": [_tag(name) for name in self._models]})
        if call.operation == "other":
            return self._unary(200, {"version": "0.13.0"})
        match answer:
            case Embeddings():
                return self._unary(200, _vectors(call, answer))
            case Text() | Thinking() | ToolCall() | Refusal() | Answer():
                return with_headers(self._answer(call, whole(answer)), answer.headers)
        raise TypeError(f"a call for {call.operation} cannot be answered with {answer!r}")

    def error(self, error: VendorError, serial: int) -> Plan:
        return self._unary(error.status, {"error": error.message})

    def _answer(self, call: Call, answer: Answer) -> Plan:
        end = {**_end(answer), **answer.extra}
        start = {"model": answer.model or call.model, "created_at": MADE}
        if not call.stream:
            return self._unary(200, {**start, **_said(call, answer.parts), **end})
        lines = [{**start, **line, "done": False} for part in answer.parts for line in _lines(call, part)]
        data = [Data(dumps(line) + b"\n") for line in lines]
        last = Data(dumps({**start, **_said(call, ()), **end}) + b"\n", role="end")
        return self._plan(200, "application/x-ndjson", (*data, last), stream=True)

    def _unary(self, status: int, body: JsonObject) -> Plan:
        return self._plan(status, "application/json; charset=utf-8", (Data(dumps(body)),), stream=False)

    def _plan(self, status: int, content_type: str, data: tuple[Data, ...], *, stream: bool) -> Plan:
        headers = (("content-type", content_type),)
        return Plan(status, headers, (Head(), *data), stream, error_body=_error, error_event=_error_line)


def _end(answer: Answer) -> JsonObject:
    usage = usage_of(answer.usage, sum(len(pieces_of(part)) for part in answer.parts))
    reason = "length" if answer.finish_reason == "length" else "stop"
    counts = {"prompt_eval_count": usage.input_tokens, "eval_count": usage.output_tokens}
    return {"done": True, "done_reason": reason, **TIMES, **counts}


def _said(call: Call, parts: tuple[Part, ...]) -> JsonObject:
    text = "".join(part.text for part in parts if isinstance(part, Text | Refusal))
    if call.operation == "completions":
        return {"response": text}
    message: JsonObject = {"role": "assistant", "content": text}
    if thought := "".join(part.text for part in parts if isinstance(part, Thinking)):
        message["thinking"] = thought
    if calls := [_call(part) for part in parts if isinstance(part, ToolCall)]:
        message["tool_calls"] = calls
    return {"message": message}


def _call(part: ToolCall) -> JsonObject:
    function = {"name": part.name, "arguments": json.loads(part.arguments_json)}
    return {"id": part.id, "function": function} if part.id else {"function": function}


def _lines(call: Call, part: Part) -> Iterator[JsonObject]:
    if isinstance(part, ToolCall):
        yield _said(call, (part,))
        return
    for piece in pieces_of(part):
        yield _said(call, (Thinking(piece) if isinstance(part, Thinking) else Text(piece),))


def _vectors(call: Call, answer: Embeddings) -> JsonObject:
    vectors = answer.vectors or tuple((float(len(text)), 0.5) for text in call.body["input"])
    counted = usage_of(answer.usage, 0).input_tokens if answer.usage else DEFAULT_INPUT_TOKENS
    return {"model": call.model, "embeddings": [list(vector) for vector in vectors], "prompt_eval_count": counted}


def _tag(name: str) -> JsonObject:
    details = {"format": "gguf", "family": "some", "parameter_size": "8B", "context_length": 131_072}
    return {"name": name, "model": name, "modified_at": MADE, "size": 1, "digest": "0", "details": details}


def _error(error: VendorError) -> bytes:
    return dumps({"error": error.message})


def _error_line(error: VendorError) -> bytes:
    return _error(error) + b"\n"
