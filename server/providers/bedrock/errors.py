"""What Bedrock says when it refuses -> `ProviderError`.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html (2026-11), and the names of
botocore's model of `bedrock-runtime`. Bedrock says nothing of when to come back.
"""

import re
from collections.abc import Mapping

import msgspec

from server.providers.errors import Fault, ProviderError
from server.providers.retry_after import retry_after_s

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
_BY_STATUS = {
    401: Fault.AUTHENTICATION,
    402: Fault.AUTHENTICATION,
    403: Fault.AUTHENTICATION,
    404: Fault.MODEL_NOT_FOUND,
    408: Fault.TIMEOUT,
    409: Fault.SERVER,
    424: Fault.SERVER,
    429: Fault.RATE_LIMITED,
    503: Fault.OVERLOADED,
    504: Fault.TIMEOUT,
}
_OVERFLOW = re.compile(
    r"input is too long for requested model|prompt is too long|too many input tokens|exceed context limit|"
    r"exceeds? model maximum",
    re.IGNORECASE,
)
_NO_SUCH_MODEL = re.compile(r"model identifier is invalid|on-demand throughput isn.t supported", re.IGNORECASE)
"""Both are invalid requests by name and status, and told by text alone."""

_LONGEST_MESSAGE = 2000


class _Told(msgspec.Struct):
    message: str | None = None
    Message: str | None = None


_TOLD = msgspec.json.Decoder(_Told)


def refusal(status: int, headers: Mapping[str, str], body: bytes, now: float) -> ProviderError:
    """The error of an answer whose status is no success."""
    if status < 400:
        return ProviderError(Fault.PROTOCOL, f"The provider answered with status {status}, which is no answer.", status)
    name = error_name(headers)
    message = _message(body) or f"The provider answered with status {status}."
    fault = _BY_NAME.get(name) or _BY_STATUS.get(status)
    if fault is None:
        fault = Fault.INVALID_REQUEST if status < 500 else Fault.SERVER
    return ProviderError(_by_text(fault, message), message, status, retry_after_s(headers, now))


def error_name(headers: Mapping[str, str]) -> str:
    """The name of a refusal, in lower case; empty where none is told. It may carry an address behind a colon."""
    return headers.get("x-amzn-errortype", "").partition(":")[0].rpartition("#")[2].strip().lower()


def exception(name: str, payload: bytes) -> ProviderError:
    """The error that a frame of a stream holds."""
    fault = _BY_NAME.get(name.lower(), Fault.SERVER)
    message = _message(payload) or "The provider ended its answer with an error."
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
    except ValueError:
        return ""
    return (told.message or told.Message or "")[:_LONGEST_MESSAGE]
