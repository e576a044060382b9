"""The server's one exception family, and the table from its reasons to gRPC codes.

In comes whatever went wrong with a name; out goes a `google.rpc.Status`. Knows nothing of HTTP.
"""

from collections.abc import Mapping, Sequence

import grpc
from google.protobuf import any_pb2, duration_pb2, message
from google.rpc import error_details_pb2, status_pb2

from trunkline.v1.error_reason_pb2 import ErrorReason

DOMAIN = "trunkline"

_CODES: Mapping[ErrorReason, grpc.StatusCode] = {
    ErrorReason.ERROR_REASON_INVALID_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
    ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED: grpc.StatusCode.INVALID_ARGUMENT,
    ErrorReason.ERROR_REASON_CONTENT_FILTERED: grpc.StatusCode.INVALID_ARGUMENT,
    ErrorReason.ERROR_REASON_INVALID_API_KEY: grpc.StatusCode.UNAUTHENTICATED,
    ErrorReason.ERROR_REASON_INSUFFICIENT_PERMISSIONS: grpc.StatusCode.PERMISSION_DENIED,
    ErrorReason.ERROR_REASON_QUOTA_EXCEEDED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ErrorReason.ERROR_REASON_BUDGET_EXCEEDED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ErrorReason.ERROR_REASON_MODEL_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    ErrorReason.ERROR_REASON_RESOURCE_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    ErrorReason.ERROR_REASON_ALREADY_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    ErrorReason.ERROR_REASON_BODY_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ErrorReason.ERROR_REASON_RATE_LIMITED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ErrorReason.ERROR_REASON_CANCELLED: grpc.StatusCode.CANCELLED,
    ErrorReason.ERROR_REASON_NOT_IMPLEMENTED: grpc.StatusCode.UNIMPLEMENTED,
    ErrorReason.ERROR_REASON_PROVIDER_ERROR: grpc.StatusCode.INTERNAL,
    ErrorReason.ERROR_REASON_PROVIDERS_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    ErrorReason.ERROR_REASON_OVERLOADED: grpc.StatusCode.UNAVAILABLE,
    ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED: grpc.StatusCode.DEADLINE_EXCEEDED,
    ErrorReason.ERROR_REASON_INTERNAL: grpc.StatusCode.INTERNAL,
    ErrorReason.ERROR_REASON_LIMITS_NOT_SHARED: grpc.StatusCode.FAILED_PRECONDITION,
}


class GatewayError(Exception):
    """A call fails, for a reason with a name.

    Args:
        reason: why.
        message: for a developer; reaches the caller.
        metadata: what the reason's comment in the contract lists.
        retry_after_s: when trying again may help, in seconds from now.
        fields: the request's fields at fault, each with what is wrong with it.
        code: another gRPC code than the reason's usual one.
        violations: what is used up: of whom, and what.
    """

    def __init__(
        self,
        reason: ErrorReason,
        message: str,
        metadata: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
        fields: Sequence[tuple[str, str]] = (),
        code: grpc.StatusCode | None = None,
        violations: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.retry_after_s = retry_after_s
        self.fields = tuple(fields)
        self.violations = tuple(violations)
        self.code = code or _CODES[reason]

    @property
    def reason_name(self) -> str:
        """The reason in lower case without its prefix: `model_not_found`."""
        return reason_name(self.reason)


def reason_name(reason: ErrorReason) -> str:
    """The reason in lower case without its prefix: `model_not_found`."""
    return ErrorReason.Name(reason).removeprefix("ERROR_REASON_").lower()


def invalid_request(message: str, param: str = "") -> GatewayError:
    """A fault of the request; `param` is the path of the field at fault, as JSON would write it."""
    return GatewayError(
        ErrorReason.ERROR_REASON_INVALID_REQUEST,
        message,
        metadata={"param": param} if param else {},
        fields=((param, message),) if param else (),
    )


def to_status(error: GatewayError) -> status_pb2.Status:
    """The status on the wire: one `ErrorInfo`; `RetryInfo`, `QuotaFailure` and `BadRequest` where there is one to tell."""
    details: list[message.Message] = [
        error_details_pb2.ErrorInfo(
            reason=ErrorReason.Name(error.reason).removeprefix("ERROR_REASON_"), domain=DOMAIN, metadata=error.metadata
        )
    ]
    if error.retry_after_s is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(round(error.retry_after_s * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    if error.violations:
        used_up = [
            error_details_pb2.QuotaFailure.Violation(subject=subject, description=description)
            for subject, description in error.violations
        ]
        details.append(error_details_pb2.QuotaFailure(violations=used_up))
    if error.fields:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(field=field, description=description)
            for field, description in error.fields
        ]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    return status_pb2.Status(code=error.code.value[0], message=error.message, details=[_pack(detail) for detail in details])


def _pack(detail: message.Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed
