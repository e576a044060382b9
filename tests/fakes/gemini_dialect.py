"""Gemini's HTTP API, as strict as the real one.

Paths, the key and errors are here; what a body must be is in `gemini_checks`, what an answer looks like in `gemini_answers`.
Its paths name the model and what to do with it; the list of models is told from the others' by the header of the key.
"""

import json
import re
from collections.abc import Iterable

from tests.fakes import gemini_answers, gemini_checks
from tests.fakes.answers import Answer, Embeddings, Raw, Refusal, Scripted, Status, Text, Thinking, ToolCall, whole
from tests.fakes.dialect import (
    DEFAULT_TEXT,
    Call,
    Operation,
    Refused,
    check_content_type,
    dumps,
    raw_plan,
    status_plan,
    with_headers,
)
from tests.fakes.http1_request import JsonObject, Request
from tests.fakes.plan import Data, Head, Plan, VendorError

PATH = re.compile(r"/(?:v1|v1beta|v1alpha)/(?P<resource>(?:models|tunedModels)/(?P<model>[^:]+)):(?P<method>\w+)")
LIST = re.compile(r"/(?:v1|v1beta|v1alpha)/models")
METHODS: dict[str, Operation] = {
    "generateContent": "chat",
    "streamGenerateContent": "chat",
    "batchEmbedContents": "embeddings",
}
STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
KEY = "x-goog-api-key"


class GeminiDialect:
    """Answers the methods of `/v1beta/models/...`, and `/v1beta/models`.

    Args:
        key: the only key that is good.
        models: the models there are; any name is one when empty.
    """

    def __init__(self, key: str, models: Iterable[str] = ()) -> None:
        self._key = key
        self._models = tuple(models)

    def addressed(self, request: Request) -> bool:
        """Whether a request is meant for this vendor."""
        return KEY in request.headers or PATH.fullmatch(request.path) is not None

    def serves(self, path: str) -> bool:
        return PATH.fullmatch(path) is not None or LIST.fullmatch(path) is not None

    def check(self, request: Request, serial: int) -> Call:
        self.check_key(request)
        if LIST.fullmatch(request.path) and request.method == "GET":
            return Call("models", request, "", stream=False, serial=serial)
        found = PATH.fullmatch(request.path)
        if found is None or found["method"] not in METHODS or request.method != "POST":
            raise Refused(VendorError(404, ""))
        check_content_type(request)
        model, operation = found["model"], METHODS[found["method"]]
        stream = found["method"] == "streamGenerateContent"
        if stream and request.query.get("alt") != "sse":
            raise Refused(VendorError(400, "This vendor streams as server-sent events only: alt=sse."))
        if operation == "embeddings":
            gemini_checks.check_embeddings(request.body, found["resource"])
        else:
            gemini_checks.check_generation(request.body, model)
        if self._models and model not in self._models:
            message = f"{found['resource']} is not found for API version v1beta, or is not supported for {found['method']}."
            raise Refused(VendorError(404, message), violation=False)
        return Call(operation, request, model, stream=stream, serial=serial)

    def default(self, call: Call) -> Scripted:
        return Embeddings() if call.operation == "embeddings" else Text(DEFAULT_TEXT)

    def plan(self, call: Call, answer: Scripted) -> Plan:
        match answer:
            case Status():
                return status_plan(self, answer, call.serial)
            case Raw():
                return raw_plan(self, answer, call.serial)
        match call.operation, answer:
            case "models", _:
                query = call.request.query
                page = gemini_answers.model_page(self._models, int(query.get("pageSize", "50")), query.get("pageToken", ""))
                return self._unary(200, page)
            case "embeddings", Embeddings():
                return with_headers(self._unary(200, gemini_answers.embeddings(call, answer)), answer.headers)
            case "chat", Text() | Thinking() | ToolCall() | Refusal() | Answer():
                return with_headers(self._chat(call, whole(answer)), answer.headers)
        raise TypeError(f"a call for {call.operation} cannot be answered with {answer!r}")

    def error(self, error: VendorError, serial: int) -> Plan:
        return self._unary(error.status, _error(error))

    def check_key(self, request: Request) -> None:
        given = request.headers.get(KEY)
        if given is None:
            message = "Method doesn't allow unregistered callers (callers without established identity)."
            raise Refused(VendorError(403, message), violation=False)
        if given != self._key:
            message = "API key not valid. Please pass a valid API key."
            raise Refused(VendorError(400, message, code="API_KEY_INVALID"), violation=False)

    def _chat(self, call: Call, answer: Answer) -> Plan:
        if not call.stream:
            return self._unary(200, gemini_answers.response(call, answer))
        events = [_event(event) for event in gemini_answers.events(call, answer)]
        data = (*map(Data, events[:-1]), Data(events[-1], role="end"))
        return self._plan(200, "text/event-stream", data, stream=True)

    def _unary(self, status: int, body: JsonObject) -> Plan:
        return self._plan(status, "application/json; charset=UTF-8", (Data(_indented(body)),), stream=False)

    def _plan(self, status: int, content_type: str, data: tuple[Data, ...], *, stream: bool) -> Plan:
        headers = (("content-type", content_type), ("server", "scaffolding on HTTPServer2"))
        return Plan(status, headers, (Head(), *data), stream, error_body=_error_body, error_event=_error_event)


def _error(error: VendorError) -> JsonObject:
    status = error.type or STATUSES.get(error.status, "UNAVAILABLE" if error.status >= 500 else "INVALID_ARGUMENT")
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": error.code, "domain": "googleapis.com"}
    details = {"details": [info]} if error.code else {}
    return {"error": {"code": error.status, "message": error.message, "status": status, **details}}


def _indented(body: JsonObject) -> bytes:
    return json.dumps(body, ensure_ascii=False, indent=2).encode() + b"\n"


def _error_body(error: VendorError) -> bytes:
    return _indented(_error(error))


def _error_event(error: VendorError) -> bytes:
    return _event(_error(error))


def _event(event: JsonObject) -> bytes:
    return b"data: %s\n\n" % dumps(event)
