"""What Anthropic says when it refuses -> `ProviderError`.

Source: https://platform.claude.com/docs/en/api/errors (2026-11); `error.details.error_code` from anthropic 2.11,
`_error_classes.py`.
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
    409: Fault.SERVER,
    413: Fault.INVALID_REQUEST,
    529: Fault.OVERLOADED,
}
_BY_TYPE = {
    "invalid_request_error": Fault.INVALID_REQUEST,
    "authentication_error": Fault.AUTHENTICATION,
    "billing_error": Fault.AUTHENTICATION,
    "permission_error": Fault.AUTHENTICATION,
    "not_found_error": Fault.MODEL_NOT_FOUND,
    "request_too_large": Fault.INVALID_REQUEST,
    "rate_limit_error": Fault.RATE_LIMITED,
    "timeout_error": Fault.TIMEOUT,
    "overloaded_error": Fault.OVERLOADED,
}
_SPENT = frozenset({"contract_spend_limit_reached", "enforced_spend_limit_reached"})
"""Limits of money that come with status 429, and that no waiting lifts."""

_OVERFLOW = re.compile(r"prompt is too long|exceed context limit")
_NO_CREDIT = "credit balance is too low"
"""Overflow and an empty account are invalid requests by status and type, and told by text alone."""


class _Details(msgspec.Struct):
    error_code: str | None = None


class _Error(msgspec.Struct):
    type: str = ""
    message: str = ""
    details: _Details | None = None


class _ErrorBody(msgspec.Struct):
    error: _Error


_ERROR_BODY = msgspec.json.Decoder(_ErrorBody)


def refusal(status: int, headers: Mapping[str, str], body: bytes, now: float) -> ProviderError:
    """The error of an answer whose status is no success."""
    if status < 400:
        return no_answer(status)
    return _told(_read(body) or _Error(), status, retry_after_s(headers, now))


def error_in(body: bytes) -> ProviderError | None:
    """The error that a body, or an event of a stream, holds although the status is a success; None where it holds none."""
    error = _read(body)
    return None if error is None else _told(error, None, None)


def _read(body: bytes) -> _Error | None:
    try:
        return _ERROR_BODY.decode(body).error
    except UNREADABLE:
        return None


def _told(error: _Error, status: int | None, retry_after: float | None) -> ProviderError:
    by_type = _BY_TYPE.get(error.type)
    fault = _BY_STATUS.get(status or 0) or by_type or by_class(status)
    if fault is Fault.RATE_LIMITED and error.details is not None and error.details.error_code in _SPENT:
        fault = Fault.AUTHENTICATION
    elif by_type is Fault.INVALID_REQUEST and status in (400, None):
        if _OVERFLOW.search(error.message):
            fault = Fault.CONTEXT_LENGTH
        elif _NO_CREDIT in error.message:
            fault = Fault.AUTHENTICATION
    return ProviderError(fault, said(error.message, status), status, retry_after)
