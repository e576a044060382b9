"""The server's one exception family, and the table from its reasons to gRPC codes.

In comes whatever went wrong with a name; out goes a `google.rpc.Status`. Knows nothing of HTTP.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate

import grpc
from google.protobuf import any_pb2, duration_pb2, message
from google.rpc import error_details_pb2, status_pb2

from trunkline.v1.error_reason_pb2 import ErrorReason

DOMAIN = "trunkline"

_LONGEST_MESSAGE = 1000
_LONGEST_DESCRIPTION = 500
_LONGEST_NAME = 200
_LARGEST_DETAILS = 4200
"""In bytes. With more than 8 KB of metadata gRPC's clients tell their caller of that alone: there stand the message, which
is percent-encoded, and all the details in base64, the message among them, beside what else goes out at the end."""

_PAIR_BYTES = 12
"""What a pair of the metadata takes besides its text."""

_MORE = "..."
"""What stands in the place of what was cut off."""

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
    ErrorReason.ERROR_REASON_LEDGER_DISABLED: grpc.StatusCode.FAILED_PRECONDITION,
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
    """The status on the wire: one `ErrorInfo`; `RetryInfo`, `QuotaFailure` and `BadRequest` where there is one to tell.

    It fits into gRPC's metadata: long texts are cut, and the longest values of the `ErrorInfo` are left out.
    """
    text = _cut_as_encoded(error.message, _LONGEST_MESSAGE)
    info = error_details_pb2.ErrorInfo(reason=ErrorReason.Name(error.reason).removeprefix("ERROR_REASON_"), domain=DOMAIN)
    details: list[message.Message] = [info]
    if error.retry_after_s is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(round(error.retry_after_s * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    if error.violations:
        used_up = [
            error_details_pb2.QuotaFailure.Violation(
                subject=_cut_as_encoded(subject, _LONGEST_NAME),
                description=_cut_as_encoded(description, _LONGEST_DESCRIPTION),
            )
            for subject, description in error.violations
        ]
        details.append(error_details_pb2.QuotaFailure(violations=used_up))
    if error.fields:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(
                field=_cut_as_encoded(field, _LONGEST_NAME), description=_cut_as_encoded(description, _LONGEST_DESCRIPTION)
            )
            for field, description in error.fields
        ]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    room = _LARGEST_DETAILS - len(text.encode()) - sum(detail.ByteSize() for detail in details)
    info.metadata.update(_shortest(error.metadata, room))
    return status_pb2.Status(code=error.code.value[0], message=text, details=[_pack(detail) for detail in details])


def _cut_as_encoded(text: str, most_bytes: int) -> str:
    """The text, its beginning where it has more bytes than this as gRPC encodes it.

    Its secrets are masked already; what still has some is cut by `server.telemetry.redaction`.
    """
    sizes = list(accumulate(map(_encoded_bytes, text[: most_bytes + 1])))
    if not sizes or sizes[-1] <= most_bytes:
        return text
    return text[: bisect_right(sizes, most_bytes - len(_MORE))] + _MORE


def _encoded_bytes(letter: str) -> int:
    """How long a letter is in a message that gRPC percent-encodes."""
    return 1 if " " <= letter <= "~" and letter != "%" else 3 * len(letter.encode())


def _shortest(metadata: Mapping[str, str], room: int) -> dict[str, str]:
    """The metadata, without its longest values where there is not room for all."""
    kept: dict[str, str] = {}
    for key, value in sorted(metadata.items(), key=lambda pair: len(pair[1])):
        room -= _PAIR_BYTES + len(key) + len(value.encode())
        if room < 0:
            break
        kept[key] = value
    return kept


def _pack(detail: message.Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed
