"""Bedrock's HTTP API, as strict as the real one: the runtime, and the lists of its control plane under the same address.

Who asks is shown by the key as a bearer token, or by a signature whose secret is the key; what a body must be is in
`bedrock_checks`, what an answer looks like in `bedrock_answers`.
"""

import re
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from tests.fakes import bedrock_answers, bedrock_checks, bedrock_frames
from tests.fakes.answers import Answer, Raw, Refusal, Scripted, Status, Text, Thinking, ToolCall, whole
from tests.fakes.bedrock_signature import REGION, fault_of_signature
from tests.fakes.dialect import (
    DEFAULT_TEXT,
    Call,
    Refused,
    check_content_type,
    dumps,
    raw_plan,
    status_plan,
    with_headers,
)
from tests.fakes.http1_request import JsonObject, Request
from tests.fakes.plan import Data, Head, Plan, VendorError

CONVERSE = re.compile(r"/model/(?P<model>[^/]+)/(?P<method>converse|converse-stream)")
LISTS = ("/foundation-models", "/inference-profiles")
NAMES = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}
STREAM = "application/vnd.amazon.eventstream"


class BedrockDialect:
    """Answers `converse`, `converse-stream` and the lists.

    Args:
        key: the only key that is good, and the secret of the only signature that is.
        models: the models there are; any name is one when empty.
    """

    def __init__(self, key: str, models: Iterable[str] = ()) -> None:
        self._key = key
        self._models = tuple(models)

    def addressed(self, request: Request) -> bool:
        """Whether a request is meant for this vendor."""
        return self.serves(request.path) or request.path.startswith("/model/")

    def serves(self, path: str) -> bool:
        return path in LISTS or CONVERSE.fullmatch(path) is not None

    def check_key(self, request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme == "AWS4-HMAC-SHA256":
            fault = fault_of_signature(request, self._key)
            if fault is not None:
                raise Refused(VendorError(403, fault, "InvalidSignatureException"), violation=False)
        elif scheme.lower() != "bearer" or given != self._key:
            raise Refused(VendorError(403, "Authentication failed: the API key is not valid."), violation=False)

    def check(self, request: Request, serial: int) -> Call:
        self.check_key(request)
        if request.path in LISTS and request.method == "GET":
            return Call("models", request, "", stream=False, serial=serial)
        found = CONVERSE.fullmatch(urlsplit(request.target).path)  # a slash in a model's name is encoded
        if found is None or request.method != "POST":
            raise Refused(VendorError(404, "", "UnknownOperationException"))
        check_content_type(request)
        model = unquote(found["model"])
        bedrock_checks.check_converse(request.body, model)
        if self._models and model not in self._models:
            raise Refused(VendorError(400, "The provided model identifier is invalid."), violation=False)
        return Call("chat", request, model, stream=found["method"] == "converse-stream", serial=serial)

    def default(self, call: Call) -> Scripted:
        return Text(DEFAULT_TEXT)

    def plan(self, call: Call, answer: Scripted) -> Plan:
        match answer:
            case Status():
                return status_plan(self, answer, call.serial)
            case Raw():
                return raw_plan(self, answer, call.serial)
        if call.operation == "models":
            return self._unary(200, self._list(call.request.path), call.serial)
        match answer:
            case Text() | Thinking() | ToolCall() | Refusal() | Answer():
                return with_headers(self._converse(call, whole(answer)), answer.headers)
        raise TypeError(f"a call for {call.operation} cannot be answered with {answer!r}")

    def error(self, error: VendorError, serial: int) -> Plan:
        name = error.type or NAMES.get(error.status, "InternalServerException" if error.status >= 500 else "")
        plan = self._unary(error.status, {"message": error.message}, serial)
        return plan.with_header("x-amzn-errortype", f"{name}:http://internal.amazon.com/coral/") if name else plan

    def _list(self, path: str) -> JsonObject:
        if path == "/foundation-models":
            return {"modelSummaries": [bedrock_answers.model(name, REGION) for name in self._models]}
        return {"inferenceProfileSummaries": []}

    def _converse(self, call: Call, answer: Answer) -> Plan:
        if not call.stream:
            return self._unary(200, bedrock_answers.answer(call, answer), call.serial)
        data = tuple(
            Data(bedrock_frames.event(name, dumps(event)), role="end" if name == "metadata" else "event")
            for name, event in bedrock_answers.events(call, answer)
        )
        return self._plan(200, STREAM, data, call.serial, stream=True)

    def _unary(self, status: int, body: JsonObject, serial: int) -> Plan:
        return self._plan(status, "application/json", (Data(dumps(body)),), serial, stream=False)

    def _plan(self, status: int, content_type: str, data: tuple[Data, ...], serial: int, *, stream: bool) -> Plan:
        headers = (("content-type", content_type), ("x-amzn-requestid", f"request-{serial}"))
        return Plan(status, headers, (Head(), *data), stream, error_body=_error_body, error_event=_error_event)


def _error_body(error: VendorError) -> bytes:
    return dumps({"message": error.message})


def _error_event(error: VendorError) -> bytes:
    name = error.type or NAMES.get(error.status, "serviceUnavailableException")
    return bedrock_frames.exception(name[0].lower() + name[1:], _error_body(error))
