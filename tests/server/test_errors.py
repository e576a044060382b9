"""A failure's details on the wire."""

import base64
from urllib.parse import quote

import pytest
from google.rpc import error_details_pb2

from server.errors import GatewayError, to_status
from trunkline.v1.error_reason_pb2 import ErrorReason


def test_what_is_used_up_is_told_as_a_quota_failure() -> None:
    error = GatewayError(ErrorReason.ERROR_REASON_QUOTA_EXCEEDED, "Used up.", violations=(("tenant:acme", "Used up."),))
    details = to_status(error).details
    failure = error_details_pb2.QuotaFailure()
    assert [detail.Unpack(failure) for detail in details] == [False, True]
    assert [(each.subject, each.description) for each in failure.violations] == [("tenant:acme", "Used up.")]


@pytest.mark.parametrize("text", ["x" * 1000, "%" * 1000, "é" * 3000, "長い" * 20_000], ids=["1", "%", "é", "long"])
def test_whatever_an_error_says_its_status_fits_into_grpcs_metadata(text: str) -> None:
    error = GatewayError(
        ErrorReason.ERROR_REASON_INVALID_REQUEST,
        text,
        {"request_id": "req_1", "model": text, "param": text, "errors": text},
        retry_after_s=1.5,
        fields=((text, text),),
        violations=((text, text),),
    )
    status = to_status(error)
    assert len(quote(status.message, safe=" ")) + len(base64.b64encode(status.SerializeToString())) < 7000
    assert text.startswith(status.message.removesuffix("..."))
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.metadata["request_id"]) == ("INVALID_REQUEST", "req_1")
    assert all(value == text for key, value in info.metadata.items() if key != "request_id")


def test_what_fits_is_told_as_it_is() -> None:
    error = GatewayError(
        ErrorReason.ERROR_REASON_INVALID_REQUEST, "m" * 1000, {"a": "a" * 1500}, fields=(("f" * 200, "d" * 500),)
    )
    status = to_status(error)
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(request)
    [violation] = request.field_violations
    assert (status.message, dict(info.metadata)) == (error.message, error.metadata)
    assert (violation.field, violation.description) == error.fields[0]
