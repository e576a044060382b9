"""How a failure leaves the server."""

import asyncio

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from structlog.testing import capture_logs

from server.call import Call
from server.errors import GatewayError
from server.interceptors.errors import INTERNAL_TEXT, Errors
from server.telemetry.redaction import MASK, Redaction
from tests.server.calls import Aborted, call
from trunkline.v1.error_reason_pb2 import ErrorReason

SECRET = "sk-test-of-the-vendor"


async def left(errors: Errors, made: Call, error: BaseException | None) -> None:
    """What happens when a call ends so."""
    errors.enter(made)
    waiting = errors.leave(made, error)
    if waiting is not None:
        await waiting


async def ended(error: Exception, made: Call | None = None) -> tuple[grpc.Status, status_pb2.Status]:
    """The status of a call whose servicer raises: gRPC's, and the details."""
    with pytest.raises(Aborted) as raised:
        await left(Errors(Redaction((SECRET,)).text), made or call(), error)
    trailers = dict(raised.value.status.trailing_metadata or ())
    return raised.value.status, status_pb2.Status.FromString(trailers["grpc-status-details-bin"])


def info(status: status_pb2.Status) -> error_details_pb2.ErrorInfo:
    unpacked = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(unpacked)
    return unpacked


async def test_a_reason_becomes_a_status_with_the_request_id() -> None:
    error = GatewayError(ErrorReason.ERROR_REASON_MODEL_NOT_FOUND, "No such model.", {"model": "m"})
    status, details = await ended(error)
    assert (status.code, status.details) == (grpc.StatusCode.NOT_FOUND, "No such model.")
    assert (info(details).reason, info(details).domain) == ("MODEL_NOT_FOUND", "trunkline")
    assert dict(info(details).metadata) == {"model": "m", "request_id": "req_test"}


async def test_what_goes_out_with_every_status_goes_out_with_this_one() -> None:
    made = call()
    made.trailers.append(("x-request-id", "req_test"))
    status, _ = await ended(GatewayError(ErrorReason.ERROR_REASON_INTERNAL, "No."), made)
    assert ("x-request-id", "req_test") in (status.trailing_metadata or ())


async def test_a_code_may_be_another_than_the_reasons_own() -> None:
    error = GatewayError(ErrorReason.ERROR_REASON_PROVIDER_ERROR, "Gone.", code=grpc.StatusCode.UNAVAILABLE)
    status, details = await ended(error)
    assert (status.code, details.code) == (grpc.StatusCode.UNAVAILABLE, 14)


async def test_an_exception_without_a_reason_says_nothing_outside_and_everything_in_the_log() -> None:
    with capture_logs() as lines:
        status, details = await ended(ValueError("private words"))
    assert (status.code, status.details) == (grpc.StatusCode.INTERNAL, INTERNAL_TEXT)
    assert "private" not in str(details)
    [line] = lines
    assert (line["request_id"], str(line["exc_info"])) == ("req_test", "private words")


async def test_secrets_leave_neither_in_message_nor_in_metadata_nor_in_fields() -> None:
    error = GatewayError(
        ErrorReason.ERROR_REASON_INVALID_REQUEST,
        f"Bad key {SECRET}.",
        {"errors": f'["{SECRET}"]'},
        fields=(("n", f"Not {SECRET}."),),
    )
    status, details = await ended(error)
    assert status.details == f"Bad key {MASK}."
    assert SECRET.encode() not in details.SerializeToString()


@pytest.mark.parametrize("error", [asyncio.CancelledError(), GeneratorExit(), KeyboardInterrupt()], ids=repr)
async def test_a_cancellation_passes_through(error: BaseException) -> None:
    await left(Errors(Redaction().text), call(), error)


async def test_a_call_that_ends_well_is_left_alone() -> None:
    await left(Errors(Redaction().text), call(), None)
