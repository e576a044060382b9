"""What a dialect has to do for the scripted vendor, and what all dialects do alike.

A dialect checks a request as strictly as its vendor does, and writes answers in its vendor's form. It neither sees the
connection nor knows what was scripted before.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeAlias

from tests.fakes.answers import Raw, Scripted, Status, Usage
from tests.fakes.http1_request import JsonObject, Request
from tests.fakes.plan import Data, Head, Plan, VendorError

CREATED = 1_763_000_000  # every scripted thing was made at this second
DEFAULT_TEXT = "Hello from the scripted vendor."
DEFAULT_INPUT_TOKENS = 9

Operation: TypeAlias = Literal[
    "chat", "completions", "embeddings", "images", "models", "model", "messages", "count_tokens", "other"
]


class Refused(Exception):
    """The vendor refuses a request; it is a violation unless a client that keeps the protocol can meet with it too."""

    def __init__(self, error: VendorError, *, violation: bool = True) -> None:
        super().__init__(error.message)
        self.error = error
        self.violation = violation


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was found good."""

    operation: Operation
    request: Request
    model: str
    stream: bool
    serial: int  # counts the vendor's calls from 1, and makes ids

    @property
    def body(self) -> JsonObject:
        return self.request.body


class Dialect(Protocol):
    """One vendor's way of speaking HTTP."""

    def serves(self, path: str) -> bool:
        """Says whether the vendor knows the path."""

    def check_key(self, request: Request) -> None:
        """Raises Refused unless the request carries the key."""

    def check(self, request: Request, serial: int) -> Call:
        """Returns what the request asks for; raises Refused as the vendor would refuse it."""

    def default(self, call: Call) -> Scripted:
        """Returns the answer to a call that nothing was scripted for."""

    def plan(self, call: Call, answer: Scripted) -> Plan:
        """Returns an answer in the vendor's form; raises TypeError when it is none to this call."""

    def error(self, error: VendorError, serial: int) -> Plan:
        """Returns an error in the vendor's form."""


def dumps(value: object) -> bytes:
    """Writes JSON as vendors do: compact, and with characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def status_plan(dialect: Dialect, answer: Status, serial: int) -> Plan:
    """Returns a scripted status, with the dialect's error for a body unless one is given."""
    plan = dialect.error(VendorError(answer.status, answer.message, answer.type, code=answer.code), serial)
    if answer.body is not None:
        body = answer.body if isinstance(answer.body, bytes) else dumps(answer.body)
        plan = replace(plan, steps=(Head(), Data(body)))
    return with_headers(plan, answer.headers)


def raw_plan(dialect: Dialect, answer: Raw, serial: int) -> Plan:
    """Returns a response as it was written out."""
    portions = (answer.body,) if isinstance(answer.body, bytes) else answer.body
    return replace(
        dialect.error(VendorError(answer.status, ""), serial),
        headers=tuple(answer.headers.items()),
        steps=(Head(), *(Data(portion) for portion in portions if portion)),
        stream=not isinstance(answer.body, bytes),
    )


def with_headers(plan: Plan, headers: Mapping[str, str]) -> Plan:
    for name, value in headers.items():
        plan = plan.with_header(name, value)
    return plan


def usage_of(scripted: Usage | None, output_tokens: int) -> Usage:
    return scripted or Usage(DEFAULT_INPUT_TOKENS, output_tokens)


def check_content_type(request: Request) -> None:
    """Refuses a body that doesn't say it is JSON, or isn't a JSON object."""
    content_type = request.headers.get("content-type", "")
    if content_type.split(";")[0].strip().lower() != "application/json":
        raise Refused(VendorError(400, f"Unsupported content type: {content_type!r}; application/json is expected."))
    if not request.body and request.raw_body.strip() != b"{}":
        raise Refused(VendorError(400, "We could not parse the JSON body of your request."))
