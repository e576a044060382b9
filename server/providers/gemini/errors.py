"""What Gemini says when it refuses -> `ProviderError`.

Source: https://ai.google.dev/gemini-api/docs/troubleshooting (2026-11) and https://cloud.google.com/apis/design/errors
(2026-11): the body's status names what happened, its details hold reasons, spent quotas and the time to come back. No answer
has a `retry-after` header.
"""

import re
from collections.abc import Mapping

import msgspec

from server.providers.errors import Fault, ProviderError
from server.providers.refusals import BY_STATUS, by_class, no_answer, said
from server.providers.retry_after import retry_after_s
from server.providers.wire import UNREADABLE

_BY_HTTP_STATUS = {
    **BY_STATUS,
    409: Fault.SERVER,
    413: Fault.INVALID_REQUEST,
    499: Fault.SERVER,
    529: Fault.OVERLOADED,
}
_BY_STATUS = {
    "INVALID_ARGUMENT": Fault.INVALID_REQUEST,
    "OUT_OF_RANGE": Fault.INVALID_REQUEST,
    "FAILED_PRECONDITION": Fault.AUTHENTICATION,
    "UNAUTHENTICATED": Fault.AUTHENTICATION,
    "PERMISSION_DENIED": Fault.AUTHENTICATION,
    "NOT_FOUND": Fault.MODEL_NOT_FOUND,
    "RESOURCE_EXHAUSTED": Fault.RATE_LIMITED,
    "ABORTED": Fault.SERVER,
    "CANCELLED": Fault.SERVER,
    "INTERNAL": Fault.SERVER,
    "UNIMPLEMENTED": Fault.UNSUPPORTED,
    "UNAVAILABLE": Fault.OVERLOADED,
    "DEADLINE_EXCEEDED": Fault.TIMEOUT,
}
"""A precondition that fails is the account's: a region that is not served, or billing that is not set up."""

_OF_THE_KEY = frozenset({"API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED", "BILLING_DISABLED", "SERVICE_DISABLED"})
"""Reasons in the details; a wrong key is otherwise an invalid argument like any other."""

_WRONG_KEY = re.compile(r"API key (?:not valid|expired|not found)")
_OVERFLOW = re.compile(r"input token count.{0,40}exceeds the maximum number of tokens")
"""Overflow is an invalid argument by status, and told by text alone."""

_DELAY = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
_LONGEST_S = 86_400.0
_SPENT_FOR_TODAY_S = 3600.0
"""The least time to stay away when a day's quota is spent, whatever shorter delay is named beside it."""


class _Violation(msgspec.Struct, rename="camel"):
    quota_id: str = ""


class _Detail(msgspec.Struct, rename="camel"):
    reason: str = ""
    retry_delay: str = ""
    violations: list[_Violation] = []


class _Error(msgspec.Struct):
    code: int = 0
    message: str = ""
    status: str = ""
    details: msgspec.Raw = msgspec.Raw(b"[]")


class _ErrorBody(msgspec.Struct):
    error: _Error


_ERROR_BODY = msgspec.json.Decoder(_ErrorBody)
_ERROR_BODIES = msgspec.json.Decoder(list[_ErrorBody])
_DETAILS = msgspec.json.Decoder(list[_Detail])


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
    """The error of a body; where no stream of events was asked for, it may stand in an array."""
    try:
        if body.lstrip()[:1] == b"[":
            bodies = _ERROR_BODIES.decode(body)
            return bodies[0].error if bodies else None
        return _ERROR_BODY.decode(body).error
    except UNREADABLE:
        return None


def _told(error: _Error, status: int | None, said_retry_after_s: float | None) -> ProviderError:
    details = _details(error)
    by_status = _BY_STATUS.get(error.status)
    fault = by_status or _BY_HTTP_STATUS.get(error.code) or _BY_HTTP_STATUS.get(status or 0)
    fault = fault or by_class(status or error.code)
    if fault is Fault.INVALID_REQUEST:
        if any(detail.reason in _OF_THE_KEY for detail in details) or _WRONG_KEY.search(error.message):
            fault = Fault.AUTHENTICATION
        elif _OVERFLOW.search(error.message):
            fault = Fault.CONTEXT_LENGTH
    retry = said_retry_after_s if said_retry_after_s is not None else _retry_delay_s(details)
    if fault is Fault.RATE_LIMITED and any("PerDay" in spent.quota_id for detail in details for spent in detail.violations):
        retry = max(retry or 0.0, _SPENT_FOR_TODAY_S)
    return ProviderError(fault, said(error.message, status), status, retry)


def _details(error: _Error) -> list[_Detail]:
    try:
        return _DETAILS.decode(error.details)
    except UNREADABLE:
        return []


def _retry_delay_s(details: list[_Detail]) -> float | None:
    """The body's own word on when to come back, `"34.4s"`."""
    found = (_DELAY.fullmatch(detail.retry_delay) for detail in details)
    return next((min(float(delay[1]), _LONGEST_S) for delay in found if delay is not None), None)
