"""A caller's deadline bounds everything: the answer is 504 or DEADLINE_EXCEEDED, and the provider is let go."""

import aiohttp
import grpc
import pytest

from tests.end_to_end import sse
from tests.end_to_end.refused import DEADLINE, check, check_body
from tests.end_to_end.running import KEY, Running
from tests.fakes.answers import Text
from tests.fakes.faults import Stall
from tests.fakes.vendor import ScriptedVendor
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message
from trunkline.v1.completion_service_pb2 import CreateChatCompletionRequest
from trunkline.v1.completion_service_pb2_grpc import CompletionServiceStub
from trunkline_client import AsyncClient, DeadlineExceededError

CHAT = "/v1/chat/completions"
SOON = "0.2"
HELLO = Text("Hello there all of you")
TYPED = ChatCompletionRequest(model="gpt-4o", messages=[Message(role="user", content="Hello")])


def _ask(streamed: bool) -> dict[str, object]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}], "stream": streamed}


@pytest.mark.parametrize(
    ("header", "streamed"),
    [("x-request-timeout", False), ("x-request-timeout", True), ("x-stainless-read-timeout", False)],
)
async def test_a_caller_says_in_a_header_how_long_it_waits(
    vendor: ScriptedVendor,
    second_vendor: ScriptedVendor,
    http: aiohttp.ClientSession,
    header: str,
    streamed: bool,
) -> None:
    vendor.add(HELLO.with_fault(Stall()))
    async with http.post(CHAT, json=_ask(streamed), headers={header: SOON}) as response:
        await check(response, DEADLINE)
    await vendor.next_disconnect()
    assert not second_vendor.requests


async def test_a_stream_may_take_longer_than_each_wait_of_openais_package(
    vendor: ScriptedVendor, http: aiohttp.ClientSession
) -> None:
    vendor.add(HELLO.with_fault(Stall(after_events=2)), HELLO.with_fault(Stall()))
    async with http.post(CHAT, json=_ask(streamed=True), headers={"x-stainless-read-timeout": SOON}) as response:
        async with http.post(CHAT, json=_ask(streamed=False), headers={"x-request-timeout": SOON}) as later:
            await check(later, DEADLINE)  # as much time has passed since the stream began
        vendor.release(2)
        assert sse.parse(await response.read()).done


async def test_a_deadline_that_passes_in_a_stream_ends_it_with_an_error(
    vendor: ScriptedVendor, http: aiohttp.ClientSession
) -> None:
    vendor.add(HELLO.with_fault(Stall(after_events=2)))
    async with http.post(CHAT, json=_ask(streamed=True), headers={"x-request-timeout": SOON}) as response:
        body = sse.parse(await response.read())
    assert not body.done
    check_body(body.chunks[-1], DEADLINE)
    await vendor.next_disconnect()


@pytest.mark.parametrize("header", ["", "soon", "-1", "0", "nan", "inf"])
async def test_a_time_that_is_none_is_not_heeded(http: aiohttp.ClientSession, header: str) -> None:
    async with http.post(CHAT, json=_ask(streamed=False), headers={"x-request-timeout": header}) as response:
        assert response.status == 200


@pytest.mark.parametrize("topology", ["whole"], indirect=True)
async def test_the_deadline_of_a_grpc_call_is_kept(vendor: ScriptedVendor, client: AsyncClient) -> None:
    vendor.add(HELLO.with_fault(Stall()), HELLO.with_fault(Stall()), HELLO.with_fault(Stall(after_events=2)))
    with pytest.raises(DeadlineExceededError):
        await client.completions.create_chat_completion(TYPED, timeout_s=float(SOON))
    await vendor.next_disconnect()
    with pytest.raises(DeadlineExceededError):
        await client.completions.stream_chat_completion(TYPED, timeout_s=float(SOON)).open()
    await vendor.next_disconnect()
    async with client.completions.stream_chat_completion(TYPED, timeout_s=float(SOON)) as stream:
        with pytest.raises(DeadlineExceededError):
            _ = [chunk async for chunk in stream.chunks()]
    await vendor.next_disconnect()


@pytest.mark.parametrize("topology", ["whole"], indirect=True)
async def test_bare_stubs_get_the_status_too(vendor: ScriptedVendor, gateway: Running) -> None:
    vendor.add(HELLO.with_fault(Stall()))
    async with grpc.aio.insecure_channel(gateway.target) as channel:
        call = CompletionServiceStub(channel).CreateChatCompletion(
            CreateChatCompletionRequest(chat=TYPED), timeout=float(SOON), metadata=[("x-api-key", KEY)]
        )
        assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await vendor.next_disconnect()
