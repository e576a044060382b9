"""What a status becomes."""

import pickle

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2

from tests.clients.fake_gateway import Failure, Gateway, error_info, retry_info
from tests.clients.requests import chat
from trunkline.v1.error_reason_pb2 import ErrorReason
from trunkline_client import (
    AsyncClient,
    AuthenticationError,
    CallCancelledError,
    FieldViolation,
    InternalError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    ProviderError,
    RateLimitedError,
    TrunklineError,
    UnavailableError,
    UnsupportedError,
    open_channel,
)

Code = grpc.StatusCode


async def fails(client: AsyncClient, gateway: Gateway, failure: Failure) -> TrunklineError:
    """The error of a call that the gateway fails in this way, each time it is tried."""
    gateway.script.failures.extend([failure] * 3)
    with pytest.raises(TrunklineError) as raised:
        await client.completions.create_chat_completion(chat())
    return raised.value


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (Code.INVALID_ARGUMENT, "INVALID_REQUEST", InvalidRequestError),
        (Code.ALREADY_EXISTS, "ALREADY_EXISTS", InvalidRequestError),
        (Code.UNAUTHENTICATED, "INVALID_API_KEY", AuthenticationError),
        (Code.PERMISSION_DENIED, "INSUFFICIENT_PERMISSIONS", PermissionDeniedError),
        (Code.NOT_FOUND, "MODEL_NOT_FOUND", NotFoundError),
        (Code.RESOURCE_EXHAUSTED, "RATE_LIMITED", RateLimitedError),
        (Code.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED", RateLimitedError),
        (Code.RESOURCE_EXHAUSTED, "BODY_TOO_LARGE", InvalidRequestError),
        (Code.UNAVAILABLE, "PROVIDERS_UNAVAILABLE", UnavailableError),
        (Code.UNAVAILABLE, "PROVIDER_ERROR", ProviderError),
        (Code.INTERNAL, "PROVIDER_ERROR", ProviderError),
        (Code.INTERNAL, "INTERNAL", InternalError),
        (Code.UNIMPLEMENTED, "NOT_IMPLEMENTED", UnsupportedError),
        (Code.CANCELLED, "CANCELLED", CallCancelledError),
        (Code.ABORTED, "", TrunklineError),
    ],
    ids=lambda value: getattr(value, "__name__", None) or str(value),
)
async def test_reason_and_code_decide_the_class(
    client: AsyncClient, gateway: Gateway, code: grpc.StatusCode, reason: str, expected: type[TrunklineError]
) -> None:
    error = await fails(client, gateway, Failure(code, "no", (error_info(reason),)))

    assert type(error) is expected
    assert (error.code, error.reason, error.message) == (code, reason.lower(), "no")


@pytest.mark.parametrize("value", [value for value in ErrorReason.values() if value])
async def test_every_reason_of_the_contract_comes_back_as_itself(client: AsyncClient, gateway: Gateway, value: int) -> None:
    name = ErrorReason.Name(value).removeprefix("ERROR_REASON_")
    error = await fails(client, gateway, Failure(Code.INTERNAL, "no", (error_info(name),)))

    assert error.error_reason == value
    assert error.reason == name.lower()


async def test_all_details_are_read(client: AsyncClient, gateway: Gateway) -> None:
    violation = error_details_pb2.BadRequest.FieldViolation(field="messages[0].role", description="is not a role")
    details: tuple[Message, ...] = (
        error_info("INVALID_REQUEST", param="messages[0].role", request_id="req-9"),
        retry_info(1.5),
        error_details_pb2.BadRequest(field_violations=[violation]),
        error_details_pb2.DebugInfo(detail="nobody reads this"),
    )
    error = await fails(client, gateway, Failure(Code.INVALID_ARGUMENT, "A field is wrong.", details))

    assert error.metadata == {"param": "messages[0].role", "request_id": "req-9"}
    assert error.retry_after_s == 1.5
    assert error.field_violations == (FieldViolation("messages[0].role", "is not a role"),)
    assert error.request_id == "req-9"
    assert str(error) == "invalid_request: A field is wrong. (request req-9)"


async def test_the_providers_that_failed_are_told_one_by_one(client: AsyncClient, gateway: Gateway) -> None:
    errors = '[{"provider": "a", "error_type": "timeout", "message": "too slow"}]'
    info = error_info("PROVIDERS_UNAVAILABLE", attempts="3", providers_tried="a,b", errors=errors)
    error = await fails(client, gateway, Failure(Code.UNAVAILABLE, "None answered.", (info,)))

    assert error.details == {
        "attempts": 3,
        "providers_tried": ["a", "b"],
        "errors": [{"provider": "a", "error_type": "timeout", "message": "too slow"}],
    }


@pytest.mark.parametrize("errors", ["", "no JSON", '{"not": "a list"}', "[" * 10_000])
async def test_a_list_of_failures_that_cannot_be_read_is_left_out(
    client: AsyncClient, gateway: Gateway, errors: str
) -> None:
    info = error_info("PROVIDERS_UNAVAILABLE", attempts="many", errors=errors)

    assert (await fails(client, gateway, Failure(Code.UNAVAILABLE, "None answered.", (info,)))).details == {}


@pytest.mark.parametrize("garbled", [b"", b"\xff\xff\xff", b"\x12\x03\x0a\x01\xff"], ids=["absent", "garbage", "bad detail"])
async def test_details_that_cannot_be_read_are_left_out(client: AsyncClient, gateway: Gateway, garbled: bytes) -> None:
    trailers = (("x-request-id", "req-3"),)
    error = await fails(client, gateway, Failure(Code.NOT_FOUND, "Gone.", trailers=trailers, garbled=garbled))

    assert isinstance(error, NotFoundError)
    assert (error.reason, error.metadata, error.retry_after_s) == ("unspecified", {}, None)
    assert error.error_reason == ErrorReason.ERROR_REASON_UNSPECIFIED
    assert str(error) == "NOT_FOUND: Gone. (request req-3)"


async def test_a_reason_of_another_domain_is_not_ours(client: AsyncClient, gateway: Gateway) -> None:
    info = error_details_pb2.ErrorInfo(reason="MODEL_NOT_FOUND", domain="example.com")

    assert (await fails(client, gateway, Failure(Code.INTERNAL, "no", (info,)))).reason == "unspecified"


async def test_a_reason_newer_than_the_library_keeps_its_name(client: AsyncClient, gateway: Gateway) -> None:
    error = await fails(client, gateway, Failure(Code.RESOURCE_EXHAUSTED, "no", (error_info("MOON_FULL"),)))

    assert isinstance(error, RateLimitedError)
    assert (error.reason, error.error_reason) == ("moon_full", ErrorReason.ERROR_REASON_UNSPECIFIED)


async def test_an_error_can_be_told_to_another_process(client: AsyncClient, gateway: Gateway) -> None:
    error = await fails(client, gateway, Failure(Code.RESOURCE_EXHAUSTED, "no", (error_info("RATE_LIMITED"), retry_info(2))))
    told = pickle.loads(pickle.dumps(error))

    assert type(told) is RateLimitedError
    assert (told.code, told.reason, told.retry_after_s, str(told)) == (error.code, "rate_limited", 2, str(error))


async def test_a_message_that_grpc_finds_too_large_is_no_matter_of_rates(gateway: Gateway) -> None:
    async with open_channel(gateway.target, options=[("grpc.max_send_message_length", 100)]) as channel:
        with pytest.raises(InvalidRequestError, match="larger than max") as raised:
            await AsyncClient(channel).completions.create_chat_completion(chat(text="a" * 100))
    assert raised.value.code is Code.RESOURCE_EXHAUSTED
    assert raised.value.reason == "unspecified"


async def test_a_target_where_nobody_listens_is_unavailable(tmp_path: object) -> None:
    async with AsyncClient(f"unix:{tmp_path}/nobody.sock") as client:
        with pytest.raises(UnavailableError):
            await client.metrics.get_health()
