"""The older forms of four vendors' APIs: a prompt or a question in, a text out, as strict as they were.

Anthropic's and Grok's stand under one path, and are told apart by the version that only Anthropic's clients send.
"""

import re
from collections.abc import Iterable
from typing import ClassVar, Literal, TypeAlias

from tests.fakes.answers import Answer, Raw, Scripted, Status, Text, pieces_of, whole
from tests.fakes.dialect import (
    DEFAULT_TEXT,
    Call,
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

Vendor: TypeAlias = Literal["anthropic", "cohere", "grok", "perplexity"]

PATHS: dict[Vendor, str] = {
    "anthropic": "/v1/complete",
    "cohere": "/v1/generate",
    "grok": "/v1/complete",
    "perplexity": "/v1/ask",
}
REQUIRED: dict[Vendor, set[str]] = {
    "anthropic": {"model", "prompt", "max_tokens_to_sample"},
    "cohere": {"model", "prompt", "max_tokens"},
    "grok": {"model", "prompt", "max_tokens"},
    "perplexity": {"model", "query", "max_tokens"},
}
OPTIONAL: dict[Vendor, set[str]] = {
    "anthropic": {"stop_sequences", "temperature", "top_p", "top_k", "metadata", "stream"},
    "cohere": {
        "num_generations",
        "temperature",
        "k",
        "p",
        "frequency_penalty",
        "presence_penalty",
        "end_sequences",
        "stop_sequences",
        "truncate",
        "seed",
        "stream",
    },
    "grok": set(),
    "perplexity": set(),
}
REASONS: dict[str, dict[str, str]] = {
    "anthropic": {"stop": "stop_sequence", "length": "max_tokens"},
    "cohere": {"stop": "COMPLETE", "length": "MAX_TOKENS"},
    "grok": {"stop": "stop_sequence", "length": "max_tokens"},
    "perplexity": {},
}
ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}
PROMPT = re.compile(r"(?s).*?\n\nHuman:.*\n\nAssistant:(.*\S)?")
SOURCES = [{"title": "Bern", "url": "https://example.com/bern"}]


class LegacyDialect:
    """One vendor's older form.

    Args:
        vendor: whose.
        key: the only key that is good.
    """

    vendors: ClassVar[tuple[Vendor, ...]] = ("anthropic", "cohere", "grok", "perplexity")

    def __init__(self, vendor: Vendor, key: str) -> None:
        self._vendor: Vendor = vendor
        self._key = key

    def addressed(self, request: Request) -> bool:
        """Whether a request is meant for this vendor's older form."""
        of_anthropic = "anthropic-version" in request.headers
        return request.path == PATHS[self._vendor] and (
            request.path != PATHS["anthropic"] or of_anthropic == (self._vendor == "anthropic")
        )

    def serves(self, path: str) -> bool:
        return path == PATHS[self._vendor]

    def check(self, request: Request, serial: int) -> Call:
        self.check_key(request)
        if request.method != "POST":
            raise Refused(VendorError(405, "Method Not Allowed"))
        check_content_type(request)
        body = request.body
        self._check_names(body, REQUIRED[self._vendor], OPTIONAL[self._vendor])
        if self._vendor == "anthropic":
            self._check_anthropic(request)
        return Call("completions", request, body["model"], stream=bool(body.get("stream")), serial=serial)

    def default(self, call: Call) -> Scripted:
        return Text(DEFAULT_TEXT)

    def plan(self, call: Call, answer: Scripted) -> Plan:
        match answer:
            case Status():
                return status_plan(self, answer, call.serial)
            case Raw():
                return raw_plan(self, answer, call.serial)
            case Text() | Answer():
                return with_headers(self._text(call, whole(answer)), answer.headers)
        raise TypeError(f"an older form cannot be answered with {answer!r}")

    def error(self, error: VendorError, serial: int) -> Plan:
        return self._plan(error.status, "application/json", (Data(self._error_body(error)),), stream=False)

    def check_key(self, request: Request) -> None:
        match self._vendor:
            case "anthropic":
                given = request.headers.get("x-api-key")
            case "perplexity":
                given = request.headers.get("x-perplexity-api-key")
            case _:
                given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if given != self._key:
            raise Refused(VendorError(401, "invalid key"), violation=False)

    def _check_names(self, body: JsonObject, required: set[str], optional: Iterable[str]) -> None:
        for name in sorted(required - set(body)):
            raise Refused(VendorError(400, f"{name}: Field required"))
        for name in sorted(set(body) - required - set(optional)):
            raise Refused(VendorError(400, f"{name}: Extra inputs are not permitted"))
        for name in required:
            kind = int if name.startswith("max_tokens") else str
            if not isinstance(body[name], kind) or not body[name]:
                raise Refused(VendorError(400, f"{name}: not valid"))

    def _check_anthropic(self, request: Request) -> None:
        if request.headers["anthropic-version"] != "2023-06-01":
            raise Refused(VendorError(400, "anthropic-version: not a valid version"))
        if not PROMPT.fullmatch(request.body["prompt"]):
            raise Refused(
                VendorError(400, 'prompt must start with "\\n\\nHuman:" turn and end with "\\n\\nAssistant:" turn')
            )

    def _text(self, call: Call, answer: Answer) -> Plan:
        pieces = [piece for part in answer.parts for piece in pieces_of(part)]
        reason = answer.finish_reason or "stop"
        reason = REASONS[self._vendor].get(reason, reason)
        if not call.stream:
            body = {**self._whole(call, "".join(pieces), reason, answer), **answer.extra}
            return self._plan(200, "application/json", (Data(dumps(body)),), stream=False)
        if self._vendor == "anthropic":
            shared = {"type": "completion", "id": f"compl_{call.serial}", "model": call.model}
            told = [{**shared, "completion": f" {piece}" if not place else piece} for place, piece in enumerate(pieces)]
            events = [_event("completion", {**each, "stop_reason": None}) for each in told]
            events.insert(1, _event("ping", {}))
            last = _event("completion", {**shared, "completion": "", "stop_reason": reason})
            return self._streamed("text/event-stream", events, last)
        texts = [dumps({"event_type": "text-generation", "text": piece, "is_finished": False}) for piece in pieces]
        ended = {"event_type": "stream-end", "is_finished": True, "finish_reason": reason}
        response = self._whole(call, "".join(pieces), reason, answer)
        last_line = dumps({**ended, "response": response})
        return self._streamed("application/stream+json", [text + b"\n" for text in texts], last_line + b"\n")

    def _whole(self, call: Call, text: str, reason: str, answer: Answer) -> JsonObject:
        usage = usage_of(answer.usage, len(text.split()))
        match self._vendor:
            case "anthropic":
                shared = {"type": "completion", "id": f"compl_{call.serial}", "model": call.model}
                return {**shared, "completion": f" {text}", "stop_reason": reason}
            case "cohere":
                meta = {"billed_units": {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}}
                generation = {"id": "g", "text": text}
                return {"id": f"gen_{call.serial}", "prompt": call.body["prompt"], "generations": [generation], "meta": meta}
            case "grok":
                return {"id": f"grok_{call.serial}", "completion": text, "stop_reason": reason, "model": call.model}
            case _:
                counts = {"prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens}
                return {"id": f"ask_{call.serial}", "answer": text, "perplexity_sources": SOURCES, "usage": counts}

    def _streamed(self, content_type: str, events: list[bytes], last: bytes) -> Plan:
        data = (*(Data(event) for event in events), Data(last, role="end"))
        return self._plan(200, content_type, data, stream=True)

    def _plan(self, status: int, content_type: str, data: tuple[Data, ...], *, stream: bool) -> Plan:
        return Plan(
            status,
            (("content-type", content_type),),
            (Head(), *data),
            stream,
            error_body=self._error_body,
            error_event=self._error_event,
        )

    def _error_body(self, error: VendorError) -> bytes:
        match self._vendor:
            case "anthropic":
                kind = error.type or ANTHROPIC_TYPES.get(error.status, "api_error")
                return dumps({"type": "error", "error": {"type": kind, "message": error.message}})
            case "cohere":
                return dumps({"message": error.message})
            case "grok":
                return dumps({"code": error.code or "Client specified an invalid argument", "error": error.message})
            case _:
                return dumps({"error": {"message": error.message, "type": error.type, "code": error.status}})

    def _error_event(self, error: VendorError) -> bytes:
        if self._vendor == "anthropic":
            return b"event: error\ndata: %s\n\n" % self._error_body(error)
        line = {"event_type": "stream-error", "is_finished": True, "finish_reason": "ERROR", "err": error.message}
        return dumps(line) + b"\n"


def _event(name: str, data: JsonObject) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), dumps(data))
