"""Failures -> HTTP: the one table from reasons to status, type and code, and OpenAI's error body.

Source of the body: https://platform.openai.com/docs/guides/error-codes (2026-11).
"""

import math
import time
from collections.abc import Mapping
from typing import NamedTuple

import grpc
import orjson

from trunkline_client import TrunklineError


class Kind(NamedTuple):
    """What a reason is over HTTP."""

    status: int
    type: str
    code: str


_INVALID = "invalid_request_error"
_UNAVAILABLE = "service_unavailable_error"

KINDS: Mapping[str, Kind] = {
    "invalid_request": Kind(400, _INVALID, "invalid_request"),
    "context_length_exceeded": Kind(400, _INVALID, "context_length_exceeded"),
    "content_filtered": Kind(400, _INVALID, "content_filter"),
    "limits_not_shared": Kind(400, _INVALID, "limits_not_shared"),
    "ledger_disabled": Kind(400, _INVALID, "ledger_disabled"),
    "invalid_api_key": Kind(401, "authentication_error", "invalid_api_key"),
    "insufficient_permissions": Kind(403, "permission_error", "insufficient_permissions"),
    "quota_exceeded": Kind(403, "insufficient_quota", "quota_exceeded"),
    "budget_exceeded": Kind(403, "insufficient_quota", "budget_exceeded"),
    "model_not_found": Kind(404, _INVALID, "model_not_found"),
    "resource_not_found": Kind(404, _INVALID, "not_found"),
    "already_exists": Kind(409, "conflict_error", "already_exists"),
    "body_too_large": Kind(413, _INVALID, "body_too_large"),
    "rate_limited": Kind(429, "rate_limit_error", "rate_limited"),
    "cancelled": Kind(499, "cancelled", "cancelled"),
    "not_implemented": Kind(501, "not_implemented_error", "not_implemented"),
    "provider_error": Kind(502, "provider_error", "provider_error"),
    "providers_unavailable": Kind(503, _UNAVAILABLE, "providers_unavailable"),
    "overloaded": Kind(503, _UNAVAILABLE, "overloaded"),
    "deadline_exceeded": Kind(504, "timeout_error", "deadline_exceeded"),
    "internal": Kind(500, "server_error", "internal"),
}
_REASONS_BY_CODE: Mapping[grpc.StatusCode, str] = {
    grpc.StatusCode.INVALID_ARGUMENT: "invalid_request",
    grpc.StatusCode.UNAUTHENTICATED: "invalid_api_key",
    grpc.StatusCode.PERMISSION_DENIED: "insufficient_permissions",
    grpc.StatusCode.NOT_FOUND: "resource_not_found",
    grpc.StatusCode.ALREADY_EXISTS: "already_exists",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "body_too_large",
    grpc.StatusCode.UNIMPLEMENTED: "not_implemented",
    grpc.StatusCode.UNAVAILABLE: "overloaded",
    grpc.StatusCode.DEADLINE_EXCEEDED: "deadline_exceeded",
    grpc.StatusCode.CANCELLED: "cancelled",
}
"""For statuses without a reason, which gRPC itself makes: an unreachable core, a deadline that passed, a large message."""

_RETRIED_BY_CALLERS = frozenset({408, 409, 429})
_LIMITS = ("limit", "remaining", "reset")

TOO_LARGE = "The request is larger than this gateway takes."

OUT_OF_REACH = "The gateway's core is out of reach or stopping."
"""What a caller is told then. gRPC's own words have the core's address in them."""


class HttpError(Exception):
    """A request fails in the front, before any RPC, or because an RPC failed.

    Args:
        kind: status, type and code.
        message: for a developer.
        param: the field at fault, as JSON would write it.
        retry_after_s: when trying again may help.
        details: what `details` of the body says.
        limits: the `X-RateLimit-` headers' values, by their last word in lower case.
    """

    def __init__(
        self,
        kind: Kind,
        message: str,
        param: str | None = None,
        retry_after_s: float | None = None,
        details: Mapping[str, object] | None = None,
        limits: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s
        self.details = details
        self.limits = limits or {}

    def headers(self) -> dict[str, str]:
        """The headers that go with the body.

        `x-should-retry` tells OpenAI's and Anthropic's packages whether to try again, which they would do by status. Where
        the gateway has tried, they should not: their tries would multiply its own; nor where nobody knows when a rate
        would let it pass: it asks for more than ever passes.
        Source: https://github.com/openai/openai-python, `_base_client.py` (2026-11).
        """
        headers = {f"X-RateLimit-{name.title()}": value for name, value in self.limits.items()}
        if self.kind.status >= 500 or self.kind.status in _RETRIED_BY_CALLERS:
            limited = self.kind.code == "rate_limited" and self.retry_after_s is not None
            turned_away = self.details is None and (limited or self.kind.code == "overloaded")
            headers["x-should-retry"] = "true" if turned_away else "false"
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(math.ceil(self.retry_after_s))
            headers["retry-after-ms"] = str(math.ceil(self.retry_after_s * 1000))
        return headers

    def body(self, request_id: str) -> bytes:
        """OpenAI's error body, with the gateway's `timestamp` (epoch seconds) and `request_id` beside the error."""
        error: dict[str, object] = {
            "message": self.message,
            "type": self.kind.type,
            "param": self.param,
            "code": self.kind.code,
        }
        if self.retry_after_s is not None:
            error["retry_after"] = math.ceil(self.retry_after_s)
        if self.details is not None:
            error["details"] = self.details
        return orjson.dumps({"error": error, "timestamp": int(time.time()), "request_id": request_id})


def invalid(message: str, param: str | None = None) -> HttpError:
    """The request is at fault."""
    return HttpError(KINDS["invalid_request"], message, param)


def from_client(error: TrunklineError) -> HttpError:
    """An RPC that failed, as HTTP tells it."""
    reason = error.reason if error.reason in KINDS else _REASONS_BY_CODE.get(error.code, "internal")
    metadata = error.metadata
    limits = {name: metadata[name] for name in _LIMITS if name in metadata} if reason == "rate_limited" else None
    too_large = reason == "body_too_large" and error.reason == "unspecified"  # gRPC itself says so
    message = OUT_OF_REACH if out_of_reach(error) else TOO_LARGE if too_large else error.message
    return HttpError(KINDS[reason], message, metadata.get("param"), error.retry_after_s, _details(error), limits)


def out_of_reach(error: TrunklineError) -> bool:
    """Whether gRPC itself says that there is nobody to answer; the core would give a reason."""
    return error.code is grpc.StatusCode.UNAVAILABLE and error.reason == "unspecified"


def _details(error: TrunklineError) -> Mapping[str, object] | None:
    """Who was asked, and how each of them failed; of a stream that broke, what its provider had made and refused."""
    refused = error.metadata.get("failed_generation")
    return error.details or ({"failed_generation": refused} if refused else None)
