"""What Gemini says when it refuses, by status, reason and, where there is nothing else, by its words."""

import json

import pytest

from server.providers.errors import Fault, ProviderError
from server.providers.gemini.errors import error_in, refusal


def told(
    code: int, status: str = "", message: str = "No.", details: object = (), http_status: int | None = None
) -> ProviderError:
    error = {"code": code, "message": message, "status": status, "details": details}
    return refusal(http_status or code, {}, json.dumps({"error": error}).encode(), 0)


KEY = "API key not valid. Please pass a valid API key."
TOO_LONG = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
REASON = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
ERRORS: dict[str, tuple[ProviderError, Fault]] = {
    "invalid": (told(400, "INVALID_ARGUMENT"), Fault.INVALID_REQUEST),
    "invalid by status alone": (told(400), Fault.INVALID_REQUEST),
    "key by its reason": (told(400, "INVALID_ARGUMENT", "Bad.", REASON), Fault.AUTHENTICATION),
    "key by its words": (told(400, "INVALID_ARGUMENT", KEY), Fault.AUTHENTICATION),
    "overflow": (told(400, "INVALID_ARGUMENT", TOO_LONG), Fault.CONTEXT_LENGTH),
    "overflow without counts": (
        told(400, "INVALID_ARGUMENT", "input token count exceeds the maximum number of tokens allowed 9"),
        Fault.CONTEXT_LENGTH,
    ),
    "region or billing": (told(400, "FAILED_PRECONDITION"), Fault.AUTHENTICATION),
    "unauthenticated": (told(401, "UNAUTHENTICATED"), Fault.AUTHENTICATION),
    "payment": (told(402), Fault.AUTHENTICATION),
    "forbidden": (told(403, "PERMISSION_DENIED"), Fault.AUTHENTICATION),
    "no such model": (told(404, "NOT_FOUND"), Fault.MODEL_NOT_FOUND),
    "timeout": (told(408), Fault.TIMEOUT),
    "aborted": (told(409, "ABORTED"), Fault.SERVER),
    "too large": (told(413), Fault.INVALID_REQUEST),
    "teapot": (told(418), Fault.INVALID_REQUEST),
    "rate": (told(429, "RESOURCE_EXHAUSTED"), Fault.RATE_LIMITED),
    "rate with other words": (told(429, "RESOURCE_EXHAUSTED", TOO_LONG), Fault.RATE_LIMITED),
    "rate within": (told(429, "RESOURCE_EXHAUSTED", http_status=503), Fault.RATE_LIMITED),
    "rate within, by code": (told(429, http_status=500), Fault.RATE_LIMITED),
    "cancelled": (told(499, "CANCELLED"), Fault.SERVER),
    "internal": (told(500, "INTERNAL"), Fault.SERVER),
    "unbuilt": (told(501, "UNIMPLEMENTED"), Fault.UNSUPPORTED),
    "overloaded": (told(503, "UNAVAILABLE"), Fault.OVERLOADED),
    "deadline": (told(504, "DEADLINE_EXCEEDED"), Fault.TIMEOUT),
    "a page": (refusal(502, {}, b"<html>", 0), Fault.SERVER),
    "nothing": (refusal(503, {}, b"", 0), Fault.OVERLOADED),
    "a redirect": (refusal(302, {}, b"", 0), Fault.PROTOCOL),
    "an array": (refusal(429, {}, b'[{"error": {"code": 429, "message": "No."}}]', 0), Fault.RATE_LIMITED),
    "an empty array": (refusal(429, {}, b"[]", 0), Fault.RATE_LIMITED),
    "odd details": (told(400, "INVALID_ARGUMENT", details="x"), Fault.INVALID_REQUEST),
}


@pytest.mark.parametrize(("error", "fault"), ERRORS.values(), ids=ERRORS)
def test_refusals(error: ProviderError, fault: Fault) -> None:
    assert error.fault is fault
    assert error.message


def test_the_vendors_words_and_status_are_handed_on() -> None:
    error = told(400, "INVALID_ARGUMENT", "Bad.")
    assert (error.message, error.status) == ("Bad.", 400)


def test_long_words_of_the_vendor_are_cut_where_no_key_is_cut() -> None:
    message = told(400, message=f"{'x ' * 995}canary-0123456789 is wrong.").message
    assert message.startswith("x x ")
    assert "c" not in message


def retry(delay: object, quota: str = "") -> list[dict[str, object]]:
    return [
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota}]},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay},
    ]


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [("34.4s", 34.4), ("7s", 7), ("0s", 0), ("999999s", 86_400), ("soon", None), ("-1s", None), ("", None), (5, None)],
)
def test_it_says_when_to_come_back(delay: object, seconds: float | None) -> None:
    assert told(429, "RESOURCE_EXHAUSTED", details=retry(delay)).retry_after_s == seconds


def test_a_header_goes_before_the_body() -> None:
    body = json.dumps({"error": {"code": 429, "details": retry("7s")}}).encode()
    assert refusal(429, {"retry-after": "2"}, body, 0).retry_after_s == 2
    assert refusal(429, {"retry-after": "0"}, body, 0).retry_after_s == 0


def test_a_days_quota_that_is_spent_is_not_back_soon() -> None:
    spent = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
    assert told(429, "RESOURCE_EXHAUSTED", details=retry("7s", spent)).retry_after_s == 3600
    assert told(429, "RESOURCE_EXHAUSTED", details=retry("7200s", spent)).retry_after_s == 7200
    assert told(429, "RESOURCE_EXHAUSTED", details=retry("7s", "RequestsPerMinute")).retry_after_s == 7


def test_an_error_may_come_with_a_success() -> None:
    error = error_in(b' [{"error": {"code": 503, "status": "UNAVAILABLE"}}]')
    assert error is not None
    assert (error.fault, error.status) == (Fault.OVERLOADED, None)
    assert [error_in(body) for body in (b"", b"{}", b"[]", b"oops", b'data: {"error": {}}')] == [None] * 5
