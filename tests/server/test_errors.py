"""A failure's details on the wire."""

from google.rpc import error_details_pb2

from server.errors import GatewayError, to_status
from trunkline.v1.error_reason_pb2 import ErrorReason


def test_what_is_used_up_is_told_as_a_quota_failure() -> None:
    error = GatewayError(ErrorReason.ERROR_REASON_QUOTA_EXCEEDED, "Used up.", violations=(("tenant:acme", "Used up."),))
    details = to_status(error).details
    failure = error_details_pb2.QuotaFailure()
    assert [detail.Unpack(failure) for detail in details] == [False, True]
    assert [(each.subject, each.description) for each in failure.violations] == [("tenant:acme", "Used up.")]
