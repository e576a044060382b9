"""OpenAI's HTTP API, as strict as the real one, and Azure's two ways to it.

Paths, keys and errors are here; what a body must be is in `openai_checks`, what an answer looks like in `openai_answers`.
Sources: the OpenAPI document that `tests/data/openai_schemas.json` names, and the openai package (3.52) as a client.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import cast

from tests.fakes import openai_answers, openai_checks, openai_vendors
from tests.fakes.answers import Answer, Embeddings, Images, Raw, Refusal, Scripted, Status, Text, Thinking, ToolCall, whole
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

PATHS: dict[str, tuple[str, Operation, str | None]] = {
    "chat/completions": ("POST", "chat", "CreateChatCompletionRequest"),
    "completions": ("POST", "completions", "CreateCompletionRequest"),
    "embeddings": ("POST", "embeddings", "CreateEmbeddingRequest"),
    "images/generations": ("POST", "images", "CreateImageRequest"),
    "models": ("GET", "models", None),
}
DEPLOYMENT = re.compile(r"/openai/deployments/(?P<deployment>[^/]+)/(?P<path>.+)")
AZURE_MODELS = "/openai/models"
TYPES = {429: "requests"}
CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
DONE = Data(b"data: [DONE]\n\n", role="end")
PROMPT_FILTER: JsonObject = {
    "prompt_filter_results": [
        {"prompt_index": 0, "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}
    ]
}


class OpenAIDialect:
    """Answers `/v1/...` with a bearer key, `/openai/v1/...` and `/openai/deployments/...` with an `api-key`.

    Under `/mistral/v1/...`, and the names of other vendors, it refuses what that vendor refuses, in that vendor's form.

    Args:
        key: the only key that is good.
        models: the models there are; any name is one when empty.
        strict: whether fields are refused that the published schema doesn't name.
    """

    def __init__(self, key: str, models: Iterable[str] = (), *, strict: bool = False) -> None:
        self._key = key
        self._models = tuple(models)
        self._strict = strict

    def serves(self, path: str) -> bool:
        return _route(path)[1].split("/")[0] == "models" or _route(path)[1] in PATHS

    def check(self, request: Request, serial: int) -> Call:
        self.check_key(request)
        deployment, path = _route(request.path)
        vendor = openai_vendors.vendor_of(request.path)
        if not request.query.get("api-version") and (deployment is not None or request.path == AZURE_MODELS):
            raise Refused(VendorError(404, "Resource not found", code="404"))
        if path.startswith("models/") and request.method == "GET":
            return self._known(Call("model", request, path.removeprefix("models/"), stream=False, serial=serial))
        if path not in PATHS:
            raise Refused(VendorError(404, f"Invalid URL ({request.method} {request.path})", code="unknown_url"))
        method, operation, component = PATHS[path]
        if request.method != method:
            raise Refused(
                VendorError(405, f"Not allowed to {request.method} on {request.path}.", code="method_not_supported")
            )
        if component is None:
            return Call(operation, request, "", stream=False, serial=serial)
        check_content_type(request)
        if vendor is not None and operation == "chat":
            openai_vendors.check_chat(vendor, request.body)
            call = Call(operation, request, request.body["model"], stream=bool(request.body.get("stream")), serial=serial)
            return self._known(call)
        if deployment is not None:
            request = replace(request, body={**request.body, "model": deployment})
        return self._checked(Call(operation, request, "", stream=False, serial=serial), component)

    def default(self, call: Call) -> Scripted:
        if call.operation == "embeddings":
            return Embeddings()
        return Images() if call.operation == "images" else Text(DEFAULT_TEXT)

    def plan(self, call: Call, answer: Scripted) -> Plan:
        match answer:
            case Status():
                return status_plan(self, answer, call.serial)
            case Raw():
                return raw_plan(self, answer, call.serial)
        if call.operation == "models":
            return self._unary(
                200, {"object": "list", "data": [openai_answers.model(name) for name in self._models]}, call.serial
            )
        if call.operation == "model":
            return self._unary(200, openai_answers.model(call.model), call.serial)
        match answer:
            case Text() | Thinking() | ToolCall() | Refusal() | Answer() if call.operation in ("chat", "completions"):
                return with_headers(self._completion(call, whole(answer)), answer.headers)
            case Embeddings() if call.operation == "embeddings":
                return with_headers(self._unary(200, openai_answers.embeddings(call, answer), call.serial), answer.headers)
            case Images() if call.operation == "images":
                return with_headers(self._images(call, answer), answer.headers)
        raise TypeError(f"a call for {call.operation} cannot be answered with {answer!r}")

    def error(self, error: VendorError, serial: int) -> Plan:
        body = error.body if isinstance(error, openai_vendors.OwnError) else _error(error)
        return self._unary(error.status, body, serial)

    def check_key(self, request: Request) -> None:
        vendor = openai_vendors.vendor_of(request.path)
        azure = request.path.startswith("/openai/")
        expected = {f"Bearer {self._key}"}
        given = request.headers.get("authorization")
        if azure and "api-key" in request.headers:
            expected, given = {self._key}, request.headers["api-key"]
        if given is None:
            raise Refused(VendorError(401, "You didn't provide an API key.", code=""), violation=False)
        if given not in expected and vendor is not None:
            raise openai_vendors.wrong_key(vendor)
        if given not in expected:
            code = "401" if azure else "invalid_api_key"
            raise Refused(VendorError(401, "Incorrect API key provided.", code=code), violation=False)

    def _checked(self, call: Call, component: str) -> Call:
        body = call.body
        openai_checks.check_schema(component, body, strict=self._strict)
        if call.operation == "chat":
            openai_checks.check_chat(body)
        elif call.operation == "completions":
            openai_checks.check_stream_options(body)
        model = body.get("model") or "dall-e-2"
        return self._known(replace(call, model=model, stream=bool(body.get("stream"))))

    def _known(self, call: Call) -> Call:
        if self._models and call.model not in self._models:
            message = f"The model `{call.model}` does not exist or you do not have access to it."
            raise Refused(VendorError(404, message, code="model_not_found"), violation=False)
        return call

    def _completion(self, call: Call, answer: Answer) -> Plan:
        chat = call.operation == "chat"
        filtered = PROMPT_FILTER if DEPLOYMENT.fullmatch(call.request.path) else {}
        if not call.stream:
            write = openai_answers.chat_completion if chat else openai_answers.text_completion
            return self._unary(200, {**write(call, answer), **filtered}, call.serial)
        stream = openai_answers.chat_chunks if chat else openai_answers.text_chunks
        chunks = list(stream(call, answer))
        if filtered:
            # Azure's first chunk tells of the prompt alone, and has no id, no model and no choice.
            empty = {"id": "", "object": "", "created": 0, "model": "", "choices": []}
            chunks.insert(0, {**empty, **filtered})
        return self._stream([Data(b"data: " + dumps(chunk) + b"\n\n") for chunk in chunks] + [DONE], call.serial)

    def _images(self, call: Call, answer: Images) -> Plan:
        if not call.stream:
            return self._unary(200, openai_answers.images(call, answer), call.serial)
        events = [
            Data(b"event: %s\ndata: %s\n\n" % (cast(str, event["type"]).encode(), dumps(event)))
            for event in openai_answers.image_events(call, answer)
        ]
        return self._stream([*events[:-1], replace(events[-1], role="end")], call.serial)

    def _unary(self, status: int, body: JsonObject, serial: int) -> Plan:
        return self._plan(status, "application/json", (Data(dumps(body)),), serial, stream=False)

    def _stream(self, events: list[Data], serial: int) -> Plan:
        return self._plan(200, "text/event-stream; charset=utf-8", tuple(events), serial, stream=True)

    def _plan(self, status: int, content_type: str, data: tuple[Data, ...], serial: int, *, stream: bool) -> Plan:
        headers = (
            ("content-type", content_type),
            ("x-request-id", f"req_{serial}"),
            ("openai-version", "2020-10-01"),
            ("openai-processing-ms", "7"),
        )
        return Plan(status, headers, (Head(), *data), stream, error_body=_error_body, error_event=_error_event)


def _route(path: str) -> tuple[str | None, str]:
    """Returns the deployment, where the path names one, and the path as OpenAI has it; "" for a path of nobody."""
    by_deployment = DEPLOYMENT.fullmatch(path)
    if by_deployment is not None:
        return by_deployment["deployment"], by_deployment["path"]
    if path == AZURE_MODELS:
        return None, "models"
    vendor = openai_vendors.vendor_of(path)
    if vendor is not None:
        return None, path.removeprefix(f"/{vendor}/v1/")
    prefix = next((prefix for prefix in ("/v1/", "/openai/v1/") if path.startswith(prefix)), path)
    return None, path.removeprefix(prefix)


def _error(error: VendorError) -> JsonObject:
    kind = error.type or TYPES.get(error.status, "server_error" if error.status >= 500 else "invalid_request_error")
    code = CODES.get(error.status) if error.code is None else error.code or None
    return {"error": {"message": error.message, "type": kind, "param": error.param, "code": code}}


def _error_body(error: VendorError) -> bytes:
    return dumps(_error(error))


def _error_event(error: VendorError) -> bytes:
    return b"data: " + dumps(_error(error)) + b"\n\n"
