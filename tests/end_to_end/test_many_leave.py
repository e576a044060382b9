"""A thousand callers leave, by REST and by gRPC, before the first byte and after it, and nothing of them stays."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path

import aiohttp
import pytest

from server.caller import ANONYMOUS
from tests.end_to_end.running import KEY, Running, config, row, run_gateway
from tests.fakes.answers import Text
from tests.fakes.faults import Stall
from tests.fakes.vendor import ScriptedVendor
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message
from trunkline_client import AsyncClient, open_channel

CHAT = "/v1/chat/completions"
TYPED = ChatCompletionRequest(model="gpt-4o", messages=[Message(role="user", content="Hello")])
HELLO = Text("Hello there all of you")
WAVE, WAVES = 42, 4
"""Six ways to leave, so many at once, so often: a thousand and eight."""

Leaving = Callable[[Running, asyncio.Event], Coroutine[object, object, None]]


def body(streamed: bool) -> dict[str, object]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}], "stream": streamed}


async def rest_whole(running: Running, begun: asyncio.Event) -> None:
    async with aiohttp.ClientSession(running.url, headers={"X-API-Key": KEY}) as session:
        await session.post(CHAT, json=body(streamed=False))


async def rest_streamed(running: Running, begun: asyncio.Event) -> None:
    async with aiohttp.ClientSession(running.url, headers={"X-API-Key": KEY}) as session:
        response = await session.post(CHAT, json=body(streamed=True))
        await response.content.readuntil(b"\n\n")
        begun.set()
        await response.read()


async def grpc_whole(running: Running, begun: asyncio.Event) -> None:
    async with open_channel(running.target, retries=None) as channel:
        await AsyncClient(channel, api_key=KEY).completions.create_chat_completion(TYPED)


async def grpc_streamed(running: Running, begun: asyncio.Event) -> None:
    async with (
        open_channel(running.target, retries=None) as channel,
        AsyncClient(channel, api_key=KEY).completions.stream_chat_completion(TYPED) as stream,
    ):
        async for _ in stream.chunks():
            begun.set()


@pytest.fixture
async def one(tmp_path: Path, vendor: ScriptedVendor) -> AsyncIterator[Running]:
    """A gateway with one provider."""
    document = config([row("first", vendor, ["gpt-4o"], max_retries=2)], routing={"on_broken_stream": "recover"})
    async with run_gateway(tmp_path, document, "whole") as running:
        yield running


def taken(running: Running) -> dict[str, int]:
    """What requests hold of the gateway."""
    core = running.gateways[0]._core
    assert core is not None
    means = core._runtime.means
    return {
        "places": means.gate.in_flight,
        "attempts": sum(target.state.in_flight for target in means.router.targets("gpt-4o", ANONYMOUS)),
        "requests": means.budget._requests,
        "retries": means.budget._spent,
        "watched": len(means.watch._dogs),
        "calls": len(core.channel.calls),
    }


@pytest.mark.parametrize(
    ("leaving", "after_first"),
    [
        (rest_whole, False),
        (rest_streamed, False),
        (rest_streamed, True),
        (grpc_whole, False),
        (grpc_streamed, False),
        (grpc_streamed, True),
    ],
    ids=["REST whole", "REST before", "REST after", "gRPC whole", "gRPC before", "gRPC after"],
)
async def test_nothing_of_them_stays(vendor: ScriptedVendor, one: Running, leaving: Leaving, after_first: bool) -> None:
    before = len(asyncio.all_tasks())
    for _ in range(WAVES):
        vendor.add(*[HELLO.with_fault(Stall(after_events=2) if after_first else Stall())] * WAVE)
        begun = [asyncio.Event() for _ in range(WAVE)]
        callers = [asyncio.ensure_future(leaving(one, event)) for event in begun]
        await vendor.stalled(WAVE)
        if after_first:
            await asyncio.gather(*(event.wait() for event in begun))
        for caller in callers:
            caller.cancel()
        await asyncio.wait(callers)
        assert all(caller.cancelled() for caller in callers)
        await vendor.wait_idle()
        await one.calls_ended()
    await until_only(before)
    assert set(taken(one).values()) == {0}, taken(one)
    assert (len(vendor.requests), vendor.active_requests) == (WAVE * WAVES, 0)
    assert not any(exchange.finished for exchange in vendor.exchanges)


async def until_only(count: int) -> None:
    """Returns once there are no more tasks than so many; gRPC's own come and go."""
    while len(tasks := asyncio.all_tasks()) > count:
        await asyncio.wait(tasks - {asyncio.current_task()}, return_when=asyncio.FIRST_COMPLETED)
