"""Anthropic's HTTP API, as strict as the real one.

Paths, keys, versions and errors are here; what a body must be is in `anthropic_checks`, what an answer looks like in
`anthropic_answers`.

Seen in the installed anthropic package (2.11.0): `_constants.py` sets ANTHROPIC_API_VERSION to "2026-10-21", which
`_client.py` (`default_headers`) sends as `anthropic-version`; `_client.py` (`_api_key_auth`) sends the key as
`Authorization: Bearer`, where versions before 2 sent `x-api-key`. The vendor takes either header under either version: its
own guide to 2026-10-21 calls with `x-api-key` (Source: https://platform.claude.com/docs/en/api/migration-2026-10-21,
2026-11). Where both are sent, `x-api-key` counts, as was measured by others (Source:
https://qiita.com/Synthorai/items/01a0067e88747257a4e6, 2026-11).
"""

from collections.abc import Iterable

from tests.fakes import anthropic_answers, anthropic_checks
from tests.fakes.answers import Answer, Raw, Refusal, Scripted, Status, Text, Thinking, ToolCall, whole
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
    "/v1/messages": ("POST", "messages"),
    "/v1/messages/count_tokens": ("POST", "count_tokens"),
    "/v1/models": ("GET", "models"),
}
TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class AnthropicDialect:
    """Answers `/v1/messages`, the counting of its tokens and `/v1/models`.

    Args:
        key: the only key that is good.
        models: the models there are; any name is one when empty.
    """

    def __init__(self, key: str, models: Iterable[str] = ()) -> None:
        self._key = key
        self._models = tuple(models)

    def serves(self, path: str) -> bool:
        return path in PATHS or path.startswith("/v1/models/")

    def check(self, request: Request, serial: int) -> Call:
        self.check_key(request)
        version = _version(request)
        if request.path.startswith("/v1/models/") and request.method == "GET":
            model_id = request.path.removeprefix("/v1/models/")
            return self._known(Call("model", request, model_id, stream=False, serial=serial))
        if request.path not in PATHS:
            raise Refused(VendorError(404, "Not Found"))
        method, operation = PATHS[request.path]
        if request.method != method:
            raise Refused(VendorError(405, "Method Not Allowed", "invalid_request_error"))
        if operation == "models":
            return Call(operation, request, "", stream=False, serial=serial)
        check_content_type(request)
        betas = request.headers.get("anthropic-beta", "")
        anthropic_checks.check_messages(request.body, version, betas, counting=operation == "count_tokens")
        stream = bool(request.body.get("stream"))
        return self._known(Call(operation, request, request.body["model"], stream=stream, serial=serial))

    def default(self, call: Call) -> Scripted:
        return Text(DEFAULT_TEXT)

    def plan(self, call: Call, answer: Scripted) -> Plan:
        match answer:
            case Status():
                return status_plan(self, answer, call.serial)
            case Raw():
                return raw_plan(self, answer, call.serial)
        match call.operation:
            case "models":
                limit = int(call.request.query.get("limit", "20"))
                page = anthropic_answers.model_page(self._models, limit, call.request.query.get("after_id"))
                return self._unary(200, page, call.serial)
            case "model":
                return self._unary(200, anthropic_answers.model(call.model), call.serial)
            case "count_tokens":
                return self._unary(200, anthropic_answers.token_count(call), call.serial)
        match answer:
            case Text() | Thinking() | ToolCall() | Refusal() | Answer():
                return with_headers(self._message(call, whole(answer)), answer.headers)
        raise TypeError(f"a call for {call.operation} cannot be answered with {answer!r}")

    def error(self, error: VendorError, serial: int) -> Plan:
        body = {**_error(error), "request_id": f"req_{serial}"}
        return self._unary(error.status, body, serial)

    def check_key(self, request: Request) -> None:
        given = request.headers.get("x-api-key")
        if given is None:
            scheme, _, given = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer":
                raise Refused(VendorError(401, "x-api-key header is required"), violation=False)
        if given != self._key:
            raise Refused(VendorError(401, "invalid x-api-key"), violation=False)

    def _known(self, call: Call) -> Call:
        if self._models and call.model not in self._models:
            raise Refused(VendorError(404, f"model: {call.model}"), violation=False)
        return call

    def _message(self, call: Call, answer: Answer) -> Plan:
        if not call.stream:
            return self._unary(200, anthropic_answers.message(call, answer), call.serial)
        events = [
            Data(_event(event), role="end" if event["type"] == "message_stop" else "event")
            for event in anthropic_answers.events(call, answer)
        ]
        return self._plan(200, "text/event-stream; charset=utf-8", tuple(events), call.serial, stream=True)

    def _unary(self, status: int, body: JsonObject, serial: int) -> Plan:
        return self._plan(status, "application/json", (Data(dumps(body)),), serial, stream=False)

    def _plan(self, status: int, content_type: str, data: tuple[Data, ...], serial: int, *, stream: bool) -> Plan:
        headers = (("content-type", content_type), ("request-id", f"req_{serial}"))
        return Plan(status, headers, (Head(), *data), stream, error_body=_error_body, error_event=_error_event)


def _version(request: Request) -> str:
    version = request.headers.get("anthropic-version")
    if version is None:
        raise anthropic_checks.refuse("anthropic-version: header is required")
    if version not in anthropic_checks.VERSIONS:
        raise anthropic_checks.refuse(f'anthropic-version: "{version}" is not a valid version')
    return version


def _error(error: VendorError) -> JsonObject:
    kind = error.type or TYPES.get(error.status, "api_error" if error.status >= 500 else "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": error.message}}


def _error_body(error: VendorError) -> bytes:
    return dumps(_error(error))


def _error_event(error: VendorError) -> bytes:
    return _event(_error(error))


def _event(event: JsonObject) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (str(event["type"]).encode(), dumps(event))
