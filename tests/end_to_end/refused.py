"""What a test says of a refusal, as HTTP and as gRPC tell it."""

from dataclasses import dataclass
from typing import cast

import aiohttp
import grpc

from tests.fakes.http1_request import JsonObject
from tests.fakes.openai_schema import validate

INVALID, UNAVAILABLE = "invalid_request_error", "service_unavailable_error"


@dataclass(frozen=True, slots=True)
class Told:
    """One row of the table from reasons to what callers see.

    Attributes:
        status: of HTTP.
        type: of the error body.
        code: of the error body.
        grpc_code: the status.
        reason: in lower case.
    """

    status: int
    type: str
    code: str
    grpc_code: grpc.StatusCode
    reason: str


_Code = grpc.StatusCode
INVALID_REQUEST = Told(400, INVALID, "invalid_request", _Code.INVALID_ARGUMENT, "invalid_request")
CONTEXT_LENGTH = Told(400, INVALID, "context_length_exceeded", _Code.INVALID_ARGUMENT, "context_length_exceeded")
CONTENT_FILTER = Told(400, INVALID, "content_filter", _Code.INVALID_ARGUMENT, "content_filtered")
NO_KEY = Told(401, "authentication_error", "invalid_api_key", _Code.UNAUTHENTICATED, "invalid_api_key")
MAY_NOT = Told(403, "permission_error", "insufficient_permissions", _Code.PERMISSION_DENIED, "insufficient_permissions")
NO_MODEL = Told(404, INVALID, "model_not_found", _Code.NOT_FOUND, "model_not_found")
RATE_LIMITED = Told(429, "rate_limit_error", "rate_limited", _Code.RESOURCE_EXHAUSTED, "rate_limited")
NOT_BUILT = Told(501, "not_implemented_error", "not_implemented", _Code.UNIMPLEMENTED, "not_implemented")
PROVIDER = Told(502, "provider_error", "provider_error", _Code.INTERNAL, "provider_error")
BROKEN = Told(502, "provider_error", "provider_error", _Code.UNAVAILABLE, "provider_error")
NOBODY = Told(503, UNAVAILABLE, "providers_unavailable", _Code.UNAVAILABLE, "providers_unavailable")
DEADLINE = Told(504, "timeout_error", "deadline_exceeded", _Code.DEADLINE_EXCEEDED, "deadline_exceeded")


async def check(response: aiohttp.ClientResponse, told: Told) -> JsonObject:
    """Checks a whole error response and returns its error."""
    body = await response.json()
    assert (response.status, response.headers["Content-Type"]) == (told.status, "application/json"), body
    assert response.headers["x-request-id"] == body["request_id"]
    return check_body(body, told)


def check_body(body: JsonObject, told: Told) -> JsonObject:
    """Checks an error body, be it a response's or an event's, and returns its error."""
    validate("ErrorResponse", body)
    assert set(body) == {"error", "timestamp", "request_id"}
    assert body["request_id"]
    assert isinstance(body["timestamp"], int)
    error = cast(JsonObject, body["error"])
    assert (error["type"], error["code"]) == (told.type, told.code), error
    assert error["message"]
    return error
