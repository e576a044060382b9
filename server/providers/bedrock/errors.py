"""What Bedrock says when it refuses -> `ProviderError`.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html (2026-11), and the names of
botocore's model of `bedrock-runtime`. Bedrock says nothing of when to come back.
"""

import re
from collections.abc import Mapping

import msgspec

from server.providers.errors import Fault, ProviderError
from server.providers.refusals import BY_STATUS, by_class, ended_in_error, no_answer, said
from server.providers.retry_after import retry_after_s
from server.providers.wire import UNREADABLE

_BY_NAME = {
    "accessdeniedexception": Fault.AUTHENTICATION,
    "expiredtokenexception": Fault.AUTHENTICATION,
    "incompletesignatureexception": Fault.AUTHENTICATION,
    "invalidsignatureexception": Fault.AUTHENTICATION,
    "missingauthenticationtokenexception": Fault.AUTHENTICATION,
    "unrecognizedclientexception": Fault.AUTHENTICATION,
    "conflictexception": Fault.SERVER,
    "internalserverexception": Fault.SERVER,
    "modelerrorexception": Fault.SERVER,
    "modelstreamerrorexception": Fault.SERVER,
    "modelnotreadyexception": Fault.OVERLOADED,
    "serviceunavailableexception": Fault.OVERLOADED,
    "modeltimeoutexception": Fault.TIMEOUT,
    "resourcenotfoundexception": Fault.MODEL_NOT_FOUND,
    "servicequotaexceededexception": Fault.RATE_LIMITED,
    "throttlingexception": Fault.RATE_LIMITED,
    "validationexception": Fault.INVALID_REQUEST,
}
_BY_STATUS = {**BY_STATUS, 409: Fault.SERVER, 424: Fault.SERVER}
_OVERFLOW = re.compile(
    r"input is too long for requested model|prompt is too long|too many input tokens|exceed context limit|"
    r"exceeds? model maximum",
    re.IGNORECASE,
)
_NO_SUCH_MODEL = re.compile(r"model identifier is invalid|on-demand throughput isn.t supported", re.IGNORECASE)
"""Both are invalid requests by name and status, and told by text alone."""


class _Told(msgspec.Struct):
    message: str | None = None
    Message: str | None = None


_TOLD = msgspec.json.Decoder(_Told)


def refusal(status: int, headers: Mapping[str, str], body: bytes, now: float) -> ProviderError:
    """The error of an answer whose status is no success."""
    if status < 400:
        return no_answer(status)
    message = said(_message(body), status)
    fault = _BY_NAME.get(error_name(headers)) or _BY_STATUS.get(status) or by_class(status)
    return ProviderError(_by_text(fault, message), message, status, retry_after_s(headers, now))


def error_name(headers: Mapping[str, str]) -> str:
    """The name of a refusal, in lower case; empty where none is told. It may carry an address behind a colon."""
    return headers.get("x-amzn-errortype", "").partition(":")[0].rpartition("#")[2].strip().lower()


def exception(name: str, payload: bytes) -> ProviderError:
    """The error that a frame of a stream holds."""
    fault = _BY_NAME.get(name.lower(), Fault.SERVER)
    message = said(_message(payload) or ended_in_error().message)
    return ProviderError(_by_text(fault, message), message)


def _by_text(fault: Fault, message: str) -> Fault:
    if fault is Fault.INVALID_REQUEST and _OVERFLOW.search(message):
        return Fault.CONTEXT_LENGTH
    if fault is Fault.INVALID_REQUEST and _NO_SUCH_MODEL.search(message):
        return Fault.MODEL_NOT_FOUND
    return fault


def _message(body: bytes) -> str:
    try:
        told = _TOLD.decode(body)
    except UNREADABLE:
        return ""
    return told.message or told.Message or ""
