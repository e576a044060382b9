"""What a call fails with: the status of an RPC in, one `TrunklineError` out.

The table at the end is the only place that decides which status becomes which class. Knows nothing of HTTP.
"""

import json
from collections.abc import Iterable, Mapping
from functools import partial
from typing import NamedTuple, cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from trunkline.v1.error_reason_pb2 import ErrorReason

_DOMAIN = "trunkline"
_PREFIX = "ERROR_REASON_"
_TOO_LARGE = "message larger than max"
"""What gRPC itself says of a message that a side neither sends nor takes; its code is RESOURCE_EXHAUSTED, as of limits."""


class FieldViolation(NamedTuple):
    """One field of the request that is at fault: its path as JSON would write it, and what is wrong with it."""

    field: str
    description: str


class TrunklineError(Exception):
    """A call failed.

    Attributes:
        code: the gRPC status.
        reason: why, in lower case: `model_not_found`. `unspecified` where nobody said, as when nothing answers.
        error_reason: the same as a value of the contract's enum; unspecified, too, for a reason newer than this library.
        message: for a developer.
        metadata: what the reason's comment in the contract lists.
        retry_after_s: when trying again may help, in seconds from now. None: nobody said.
        field_violations: the request's fields at fault.
        request_id: what to look for in the gateway's log. Empty where nobody said.
    """

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode,
        reason: str = "unspecified",
        metadata: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
        field_violations: Iterable[FieldViolation] = (),
        request_id: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.metadata: Mapping[str, str] = dict(metadata or {})
        self.retry_after_s = retry_after_s
        self.field_violations = tuple(field_violations)
        self.request_id = request_id

    def __reduce__(self) -> tuple[object, ...]:
        """How to pickle it; an exception is made anew from its positional arguments otherwise, and `code` is none."""
        return partial(type(self), code=self.code), (self.message,), self.__dict__

    @property
    def error_reason(self) -> ErrorReason:
        """The reason as a value of the contract's enum."""
        try:
            return cast(ErrorReason, ErrorReason.Value(_PREFIX + self.reason.upper()))
        except ValueError:
            return ErrorReason.ERROR_REASON_UNSPECIFIED

    @property
    def details(self) -> Mapping[str, object]:
        """Which providers were tried and how each of them failed, where the metadata tells; else empty.

        Keys, each only where it is known: `attempts`, a number; `providers_tried`, a list of names in order; `errors`, a
        list of objects with `provider`, `error_type` and `message`.
        """
        details: dict[str, object] = {}
        attempts = self.metadata.get("attempts", "")
        if attempts.isdecimal():
            details["attempts"] = int(attempts)
        if "providers_tried" in self.metadata:
            details["providers_tried"] = [name for name in self.metadata["providers_tried"].split(",") if name]
        errors = _json_array(self.metadata.get("errors", ""))
        if errors is not None:
            details["errors"] = errors
        return details

    def __str__(self) -> str:
        request = f" (request {self.request_id})" if self.request_id else ""
        reason = self.code.name if self.reason == "unspecified" else self.reason
        return f"{reason}: {self.message}{request}"


class InvalidRequestError(TrunklineError):
    """The request can never work as it is; `field_violations` may say where."""


class AuthenticationError(TrunklineError):
    """The key is missing or not known."""


class PermissionDeniedError(TrunklineError):
    """The key is known and may not do this."""


class NotFoundError(TrunklineError):
    """There is no such model, or no such resource."""


class RateLimitedError(TrunklineError):
    """Too much for now: a rate limit, a quota or a budget is used up; `retry_after_s` may say when to come back."""


class UnavailableError(TrunklineError):
    """Nobody could answer; trying again may help."""


class DeadlineExceededError(TrunklineError):
    """The time allowed for the call passed."""


class CallCancelledError(TrunklineError):
    """The call was cancelled, and not by cancelling the task that waits for it."""


class ProviderError(TrunklineError):
    """The provider's answer made no sense, or broke off."""


class UnsupportedError(TrunklineError):
    """No provider of the model has this operation, or the gateway is older than the method."""


class InternalError(TrunklineError):
    """A fault of the gateway; its log says more under `request_id`."""


def from_rpc_error(error: grpc.RpcError) -> TrunklineError:
    """Reads the error that a call raised, of either gRPC API; details that are absent or garbled are left out."""
    code = error.code()
    trailing = _pairs(error.trailing_metadata())
    reason, metadata, retry_after_s, violations = "unspecified", dict[str, str](), None, list[FieldViolation]()
    for detail in _details(trailing.get("grpc-status-details-bin")):
        match detail:
            case error_details_pb2.ErrorInfo() if detail.domain == _DOMAIN:
                reason = detail.reason.removeprefix(_PREFIX).lower()
                metadata = dict(detail.metadata)
            case error_details_pb2.RetryInfo():
                retry_after_s = detail.retry_delay.seconds + detail.retry_delay.nanos / 1e9
            case error_details_pb2.BadRequest():
                violations = [
                    FieldViolation(violation.field, violation.description) for violation in detail.field_violations
                ]
    message = error.details() or ""
    error_class = _CLASSES.get(reason) or _CLASSES.get(code, TrunklineError)
    if reason == "unspecified" and _TOO_LARGE in message:
        error_class = InvalidRequestError
    return error_class(
        message,
        code=code,
        reason=reason,
        metadata=metadata,
        retry_after_s=retry_after_s,
        field_violations=violations,
        request_id=metadata.get("request_id", "") or _request_id(error, trailing),
    )


def _details(serialized: str | bytes | None) -> list[object]:
    """The known details of a serialized `google.rpc.Status`."""
    if not isinstance(serialized, bytes):
        return []
    details: list[object] = []
    try:
        for packed in status_pb2.Status.FromString(serialized).details:
            for kind in (error_details_pb2.ErrorInfo, error_details_pb2.RetryInfo, error_details_pb2.BadRequest):
                if packed.Is(kind.DESCRIPTOR):
                    details.append(kind.FromString(packed.value))
    except DecodeError:
        pass
    return details


def _request_id(error: grpc.RpcError, trailing: Mapping[str, str | bytes]) -> str:
    read = getattr(error, "initial_metadata", None)
    initial = _pairs(read()) if callable(read) else {}
    value = initial.get("x-request-id") or trailing.get("x-request-id", "")
    return value if isinstance(value, str) else ""


def _pairs(metadata: object) -> dict[str, str | bytes]:
    """Metadata of either gRPC API by key."""
    return dict(cast("Iterable[tuple[str, str | bytes]]", metadata or ()))


def _json_array(text: str) -> list[object] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) else None


_CLASSES: Mapping[str | grpc.StatusCode, type[TrunklineError]] = {
    # A reason comes before a code.
    "body_too_large": InvalidRequestError,
    "provider_error": ProviderError,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequestError,
    grpc.StatusCode.FAILED_PRECONDITION: InvalidRequestError,
    grpc.StatusCode.OUT_OF_RANGE: InvalidRequestError,
    grpc.StatusCode.ALREADY_EXISTS: InvalidRequestError,
    grpc.StatusCode.UNAUTHENTICATED: AuthenticationError,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDeniedError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: RateLimitedError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceededError,
    grpc.StatusCode.CANCELLED: CallCancelledError,
    grpc.StatusCode.UNIMPLEMENTED: UnsupportedError,
    grpc.StatusCode.INTERNAL: InternalError,
    grpc.StatusCode.UNKNOWN: InternalError,
    grpc.StatusCode.DATA_LOSS: InternalError,
}
