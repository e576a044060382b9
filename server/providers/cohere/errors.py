"""What Cohere says when it refuses -> `ProviderError`.

Source: https://docs.cohere.com/reference/errors (2026-11).
"""

import re
from collections.abc import Mapping

import msgspec

from server.providers.errors import Fault, ProviderError
from server.providers.refusals import BY_STATUS, by_class, no_answer, said
from server.providers.retry_after import retry_after_s
from server.providers.wire import UNREADABLE

_BY_STATUS = {
    **BY_STATUS,
    498: Fault.CONTENT_FILTER,
    499: Fault.SERVER,
    501: Fault.UNSUPPORTED,
    529: Fault.OVERLOADED,
}
"""498: prompt or answer hold a token that is on a list of forbidden ones; 499: it takes the call for one that was left."""

FAILED = {"ERROR": Fault.SERVER, "TIMEOUT": Fault.TIMEOUT, "ERROR_LIMIT": Fault.CONTEXT_LENGTH}
"""Finish reasons that are no end of an answer but a failure."""

_OVERFLOW = re.compile(
    r"too many tokens|size limit exceeded by \d+ tokens|max tokens must be less than or equal to", re.IGNORECASE
)
"""Overflow is an invalid request by its status, and told by text alone."""


class _ErrorBody(msgspec.Struct):
    message: str


_ERROR_BODY = msgspec.json.Decoder(_ErrorBody)


def refusal(status: int, headers: Mapping[str, str], body: bytes, now: float) -> ProviderError:
    """The error of an answer whose status is no success."""
    if status < 400:
        return no_answer(status)
    message = _message(body)
    fault = _BY_STATUS.get(status) or by_class(status)
    if fault is Fault.INVALID_REQUEST and _OVERFLOW.search(message):
        fault = Fault.CONTEXT_LENGTH
    return ProviderError(fault, said(message, status), status, retry_after_s(headers, now))


def error_in(body: bytes) -> ProviderError | None:
    """The error that a body, or an event of a stream, holds although the status is a success; None where it holds none."""
    message = _message(body)
    return ProviderError(Fault.SERVER, said(message)) if message else None


def failure(finish_reason: str | None, message: str | None) -> ProviderError | None:
    """The error of an answer that ended because something went wrong; None where it ended well."""
    fault = FAILED.get(finish_reason or "") or (Fault.SERVER if message else None)
    if fault is None:
        return None
    return ProviderError(fault, said(message or f"The provider ended its answer with {finish_reason}."))


def _message(body: bytes) -> str:
    try:
        return _ERROR_BODY.decode(body).message
    except UNREADABLE:
        return ""
