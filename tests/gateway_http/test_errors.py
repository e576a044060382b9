"""Failures that gRPC itself makes, between the front and a core elsewhere."""

from grpc import StatusCode

from gateway_http.errors import from_client
from trunkline_client import TrunklineError


def test_what_does_not_fit_between_front_and_core_is_too_large_and_not_tried_again() -> None:
    error = from_client(TrunklineError("Sent message larger than max", code=StatusCode.RESOURCE_EXHAUSTED))
    assert (error.kind.status, error.kind.code) == (413, "body_too_large")
    assert "x-should-retry" not in error.headers()
