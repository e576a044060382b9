"""A caller that leaves ends the provider's work at once, and leaves nothing behind, wherever it was in its answer."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.end_to_end.running import KEY, Running
from tests.fakes.answers import Text
from tests.fakes.faults import Stall
from tests.fakes.vendor import ScriptedVendor
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message
from trunkline_client import AsyncClient

CHAT = "/v1/chat/completions"
HELLO = Text("Hello there all of you")
TYPED = ChatCompletionRequest(model="gpt-4o", messages=[Message(role="user", content="Hello")])
SILENCES = {"before the head": Stall(), "after the head": Stall(after_bytes=0)}
LIMIT_S = 20


def _ask(streamed: bool) -> dict[str, object]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}], "stream": streamed}


@pytest.fixture(autouse=True)
async def nothing_is_left(gateway: Running, vendor: ScriptedVendor, second_vendor: ScriptedVendor) -> AsyncIterator[None]:
    """Afterwards the provider was let go, no other was asked, and no call and no task is there that was not before."""
    before = asyncio.all_tasks()
    yield
    async with asyncio.timeout(LIMIT_S):
        exchange = await vendor.next_disconnect()
        await vendor.wait_idle()
        await gateway.calls_ended()
        # By number: the gRPC server waits for the next call in a task that is another one after each call.
        while len(tasks := asyncio.all_tasks()) > len(before):
            await asyncio.wait(tasks - {asyncio.current_task()}, return_when=asyncio.FIRST_COMPLETED)
    assert not exchange.finished
    assert vendor.active_requests == 0
    assert len(vendor.requests) == 1
    assert not second_vendor.requests


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("silence", SILENCES)
async def test_a_rest_caller_leaves_before_the_first_byte(
    vendor: ScriptedVendor, gateway: Running, silence: str, streamed: bool
) -> None:
    vendor.add(HELLO.with_fault(SILENCES[silence]))
    async with aiohttp.ClientSession(gateway.url, headers={"X-API-Key": KEY}) as session:
        asking = asyncio.ensure_future(session.post(CHAT, json=_ask(streamed)))
        await vendor.stalled()
        asking.cancel()
        await asyncio.wait([asking])
    assert asking.cancelled()


async def test_a_rest_caller_leaves_in_its_stream(vendor: ScriptedVendor, gateway: Running) -> None:
    vendor.add(HELLO.with_fault(Stall(after_events=2)))
    async with aiohttp.ClientSession(gateway.url, headers={"X-API-Key": KEY}) as session:
        response = await session.post(CHAT, json=_ask(streamed=True))
        assert await response.content.readuntil(b"\n\n")
        await vendor.stalled()
        response.close()


async def test_a_rest_caller_leaves_while_the_stream_runs(vendor: ScriptedVendor, gateway: Running) -> None:
    # However much the sockets on the way take, the vendor is not done.
    vendor.add(Text("", pieces=("word " * 200,) * 5_000).with_fault(Stall(after_events=4_990)))
    async with aiohttp.ClientSession(gateway.url, headers={"X-API-Key": KEY}) as session:
        response = await session.post(CHAT, json=_ask(streamed=True))
        for _ in range(10):
            assert await response.content.readuntil(b"\n\n")
        response.close()


@pytest.mark.parametrize("silence", SILENCES)
async def test_a_grpc_caller_leaves_before_its_answer(vendor: ScriptedVendor, gateway: Running, silence: str) -> None:
    vendor.add(HELLO.with_fault(SILENCES[silence]))
    async with AsyncClient(gateway.target, api_key=KEY) as client:
        asking = asyncio.ensure_future(client.completions.create_chat_completion(TYPED))
        await vendor.stalled()
        asking.cancel()
        await asyncio.wait([asking])
    assert asking.cancelled()


@pytest.mark.parametrize("silence", SILENCES)
async def test_a_grpc_caller_leaves_before_its_stream_begins(vendor: ScriptedVendor, gateway: Running, silence: str) -> None:
    vendor.add(HELLO.with_fault(SILENCES[silence]))
    async with AsyncClient(gateway.target, api_key=KEY) as client:
        stream = client.completions.stream_chat_completion(TYPED)
        opening = asyncio.ensure_future(stream.open())
        await vendor.stalled()
        assert stream.cancel()
        await asyncio.wait([opening])


async def test_a_grpc_caller_leaves_in_its_stream(vendor: ScriptedVendor, gateway: Running) -> None:
    vendor.add(HELLO.with_fault(Stall(after_events=2)))
    async with (
        AsyncClient(gateway.target, api_key=KEY) as client,
        client.completions.stream_chat_completion(TYPED) as stream,
    ):
        assert await anext(stream)
        await vendor.stalled()


async def test_a_grpc_caller_loses_its_connection_in_its_stream(vendor: ScriptedVendor, gateway: Running) -> None:
    vendor.add(HELLO.with_fault(Stall(after_events=2)))
    async with AsyncClient(gateway.target, api_key=KEY) as client:
        stream = client.completions.stream_chat_completion(TYPED)
        assert await anext(stream)
        await vendor.stalled()
