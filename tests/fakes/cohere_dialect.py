"""Cohere's HTTP API, as strict as the real one.

Paths, the key and errors are here; what a body must be is in `cohere_checks`, what an answer looks like in `cohere_answers`.
Its clients name themselves in `X-Client-Name`, which is how its list of models is told from the others' under that path.
"""

from collections.abc import Iterable

from tests.fakes import cohere_answers, cohere_checks
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

PATHS: dict[str, tuple[str, Operation]] = {
    "/v2/chat": ("POST", "chat"),
    "/v2/embed": ("POST", "embeddings"),
    "/v1/models": ("GET", "models"),
    "/v1/check-api-key": ("POST", "other"),
}


class CohereDialect:
    """Answers `/v2/chat`, `/v2/embed`, `/v1/models` and `/v1/check-api-key`.

    Args:
        key: the only key that is good.
        models: the models there are; any name is one when empty.
    """

    def __init__(self, key: str, models: Iterable[str] = ()) -> None:
        self._key = key
        self._models = tuple(models)

    def addressed(self, request: Request) -> bool:
        """Whether a request is meant for this vendor."""
        return request.path in ("/v2/chat", "/v2/embed", "/v1/check-api-key") or (
            request.path == "/v1/models" and "x-client-name" in request.headers
        )

    def serves(self, path: str) -> bool:
        return path in PATHS

    def check(self, request: Request, serial: int) -> Call:
        self.check_key(request)
        method, operation = PATHS[request.path]
        if request.method != method:
            raise Refused(VendorError(405, "method not allowed"))
        if method == "GET":
            return Call(operation, request, "", stream=False, serial=serial)
        check_content_type(request)
        if operation == "other":
            return Call(operation, request, "", stream=False, serial=serial)
        (cohere_checks.check_chat if operation == "chat" else cohere_checks.check_embed)(request.body)
        model, stream = request.body["model"], bool(request.body.get("stream"))
        if self._models and model not in self._models:
            raise Refused(VendorError(404, f"model '{model}' not found"), violation=False)
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
                page = cohere_answers.model_page(
                    self._models, int(query.get("page_size", "20")), query.get("page_token", "")
                )
                return self._unary(200, page, call.serial)
            case "other", _:
                return self._unary(200, {"valid": True, "organization_id": "org", "owner_id": "own"}, call.serial)
            case "embeddings", Embeddings():
                plan = self._unary(200, cohere_answers.embeddings(call, answer), call.serial)
                return with_headers(plan, answer.headers)
            case "chat", Text() | Thinking() | ToolCall() | Refusal() | Answer():
                return with_headers(self._chat(call, whole(answer)), answer.headers)
        raise TypeError(f"a call for {call.operation} cannot be answered with {answer!r}")

    def error(self, error: VendorError, serial: int) -> Plan:
        return self._unary(error.status, {"id": f"e{serial}", "message": error.message}, serial)

    def check_key(self, request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Refused(VendorError(401, "no api key supplied"), violation=False)
        if given != self._key:
            raise Refused(VendorError(401, "invalid api token"), violation=False)

    def _chat(self, call: Call, answer: Answer) -> Plan:
        if not call.stream:
            return self._unary(200, cohere_answers.chat(call, answer), call.serial)
        data = [
            Data(_event(event), role="end" if event["type"] == "message-end" else "event")
            for event in cohere_answers.events(call, answer)
        ]
        return self._plan(200, "text/event-stream", tuple(data), call.serial, stream=True)

    def _unary(self, status: int, body: JsonObject, serial: int) -> Plan:
        return self._plan(status, "application/json", (Data(dumps(body)),), serial, stream=False)

    def _plan(self, status: int, content_type: str, data: tuple[Data, ...], serial: int, *, stream: bool) -> Plan:
        headers = (("content-type", content_type), ("x-debug-trace-id", f"t{serial}"))
        return Plan(status, headers, (Head(), *data), stream, error_body=_error_body, error_event=_error_event)


def _error_body(error: VendorError) -> bytes:
    return dumps({"message": error.message})


def _error_event(error: VendorError) -> bytes:
    reason = "TIMEOUT" if error.status == 504 else "ERROR"
    return _event({"type": "message-end", "delta": {"finish_reason": reason, "error": error.message}})


def _event(event: JsonObject) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (str(event["type"]).encode(), dumps(event))
