"""A request that is made again with its key gets the same answer, over HTTP and gRPC, and its provider is asked once."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import openai
import pytest

from tests.end_to_end import sse
from tests.end_to_end.running import COMPLETION_KEY, KEY, Running, config, row, run_gateway
from tests.fakes.answers import Status, Text, Usage
from tests.fakes.faults import Cut, Stall
from tests.fakes.http1_request import JsonObject
from tests.fakes.vendor import ScriptedVendor
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse
from trunkline_client import AsyncClient, TrunklineError

CHAT = "/v1/chat/completions"
REPLAYED = "x-trunkline-replayed"
HELLO = Text("Hello there all of you", usage=Usage(9, 5))
TYPED = ChatCompletionRequest(model="gpt-4o", messages=[Message(role="user", content="Hello")])
OPERATIONS: dict[str, tuple[str, JsonObject]] = {
    "chat": (CHAT, {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}),
    "text": ("/v1/completions", {"model": "gpt-3.5-turbo-instruct", "prompt": "Once"}),
    "embeddings": ("/v1/embeddings", {"model": "text-embedding-3-small", "input": "one"}),
    "images": ("/v1/images/generations", {"model": "gpt-image-1", "prompt": "A cat"}),
}
LIMIT_S = 20


def ask(key: str = "k", text: str = "Hello") -> dict[str, object]:
    """What OpenAI's package is given."""
    messages = [{"role": "user", "content": text}]
    return {"model": "gpt-4o", "messages": messages, "extra_headers": {"Idempotency-Key": key}}


def beside(key: str = "k") -> tuple[tuple[str, str], ...]:
    """The metadata of a gRPC call."""
    return (("idempotency-key", key),)


async def post(
    http: aiohttp.ClientSession, path: str, body: JsonObject, **headers: str
) -> tuple[JsonObject, Mapping[str, str]]:
    """Posts with a key; gives the answer without what tells of the call, and the headers."""
    async with http.post(path, json=body, headers={"Idempotency-Key": "k", **headers}) as response:
        assert response.status == 200
        answer = await response.json()
        assert answer.pop("_proxy_info")["provider"] == "first"
        return answer, response.headers


def texts(messages: list[StreamChatCompletionResponse]) -> str:
    return "".join(chunk.choices[0].delta.content for message in messages for chunk in message.chunks if chunk.choices)


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_whole_answer_is_given_again(vendor: ScriptedVendor, http: aiohttp.ClientSession, operation: str) -> None:
    path, body = OPERATIONS[operation]
    first, first_headers = await post(http, path, body)
    again, headers = await post(http, path, body, **{"x-request-id": "again"})
    assert again == first
    assert REPLAYED not in first_headers
    assert (headers[REPLAYED], headers["x-request-id"], headers["x-trunkline-provider"]) == ("true", "again", "first")
    assert len(vendor.requests) == 1


async def test_a_stream_is_given_again(vendor: ScriptedVendor, http: aiohttp.ClientSession) -> None:
    vendor.add(HELLO)
    path, body = OPERATIONS["chat"]
    bodies = []
    for replayed in (None, "true"):
        async with http.post(path, json={**body, "stream": True}, headers={"Idempotency-Key": "k"}) as response:
            assert response.headers.get(REPLAYED) == replayed
            bodies.append(sse.parse(await response.read()))
    for streamed in bodies:
        assert streamed.done
        assert streamed.chunks[-1].pop("_proxy_info")["provider"] == "first"
    assert bodies[0].chunks == bodies[1].chunks
    assert len(vendor.requests) == 1


async def test_a_request_joins_the_one_that_runs(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vendor.add(HELLO.with_fault(Stall(after_events=2)))
    streams = [await sdk.chat.completions.create(**ask(), stream=True) for _ in range(3)]  # type: ignore[call-overload]
    assert [(await anext(stream)).choices[0].delta.content for stream in streams] == [""] * 3
    await vendor.stalled()
    vendor.release()
    rests = [[chunk.choices[0].delta.content async for chunk in stream if chunk.choices] for stream in streams]
    assert ["".join(filter(None, rest)) for rest in rests] == [HELLO.text] * 3
    assert len(vendor.requests) == 1


async def test_many_at_once_are_answered_once(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vendor.add(HELLO.with_fault(Stall()))
    asking = [asyncio.ensure_future(sdk.chat.completions.create(**ask())) for _ in range(10)]  # type: ignore[call-overload]
    await vendor.stalled()
    vendor.release()
    answers = await asyncio.gather(*asking)
    assert {answer.choices[0].message.content for answer in answers} == {HELLO.text}
    assert len({answer.id for answer in answers}) == 1
    assert len(vendor.requests) == 1


async def test_another_body_is_a_conflict(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI, client: AsyncClient) -> None:
    await sdk.chat.completions.create(**ask())  # type: ignore[call-overload]
    with pytest.raises(openai.ConflictError) as conflict:
        await sdk.chat.completions.create(**ask(text="Goodbye"))  # type: ignore[call-overload]
    assert conflict.value.code == "already_exists"
    assert conflict.value.response.headers["x-should-retry"] == "false"
    assert "Goodbye" not in conflict.value.message
    with pytest.raises(TrunklineError) as refused:
        await client.completions.create_chat_completion(TYPED, metadata=beside())  # in another form
    assert refused.value.reason == "already_exists"
    assert refused.value.metadata["name"] == "idempotencyKeys/k"
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("key", ["", "a b", "ü", "x" * 256, "x" * 5000], ids=["none", "space", "ü", "long", "longer"])
async def test_what_is_no_key_is_refused(vendor: ScriptedVendor, http: aiohttp.ClientSession, key: str) -> None:
    path, body = OPERATIONS["chat"]
    async with http.post(path, json=body, headers={"Idempotency-Key": key}) as response:
        error = (await response.json())["error"]
    assert (response.status, error["code"], error["param"]) == (400, "invalid_request", "Idempotency-Key")
    assert not vendor.requests


@pytest.mark.parametrize("keys", [("k", "l"), ("k", "k")], ids=["different", "equal"])
async def test_several_keys_are_refused(
    vendor: ScriptedVendor, http: aiohttp.ClientSession, client: AsyncClient, keys: tuple[str, str]
) -> None:
    path, body = OPERATIONS["chat"]
    async with http.post(path, json=body, headers=[("Idempotency-Key", key) for key in keys]) as response:
        error = (await response.json())["error"]
    assert (response.status, error["code"], error["param"]) == (400, "invalid_request", "Idempotency-Key")
    with pytest.raises(TrunklineError) as refused:
        await client.completions.create_chat_completion(TYPED, metadata=[*beside(keys[0]), *beside(keys[1])])
    assert refused.value.reason == "invalid_request"
    assert not vendor.requests


async def test_callers_do_not_meet(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    await sdk.chat.completions.create(**ask())  # type: ignore[call-overload]
    other = sdk.with_options(api_key=COMPLETION_KEY)
    await other.chat.completions.create(**ask(text="Goodbye"))  # type: ignore[call-overload]
    assert len(vendor.requests) == 2


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_a_failure_is_not_kept(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI, streamed: bool) -> None:
    body = {**ask(), "model": "solo", "stream": streamed}
    vendor.add(Status(401))
    with pytest.raises(openai.APIStatusError):
        await sdk.chat.completions.create(**body)  # type: ignore[call-overload]
    answer = await sdk.chat.completions.with_raw_response.create(**body)  # type: ignore[call-overload]
    assert REPLAYED not in answer.headers
    await answer.http_response.aread()
    assert len(vendor.requests) == 2


async def test_a_stream_that_broke_is_not_kept(vendor: ScriptedVendor, client: AsyncClient) -> None:
    vendor.add(HELLO.with_fault(Cut(after_events=2)), HELLO)
    broken = client.completions.stream_chat_completion(TYPED, metadata=beside())
    with pytest.raises(TrunklineError):
        assert [message async for message in broken]
    again = client.completions.stream_chat_completion(TYPED, metadata=beside())
    assert texts([message async for message in again]) == HELLO.text
    assert len(vendor.requests) == 2


async def test_grpc_streams_are_given_again_with_what_is_told_at_their_end(
    vendor: ScriptedVendor, client: AsyncClient
) -> None:
    vendor.add(HELLO)
    told = []
    for _ in range(2):
        stream = client.completions.stream_chat_completion(TYPED, metadata=beside())
        assert texts([message async for message in stream]) == HELLO.text
        metadata = {**dict(stream.metadata), **dict(await stream.trailing_metadata())}
        told.append({key: value for key, value in metadata.items() if key.startswith("trunkline-")})
    facts = {"provider": "first", "attempts": "1", "model": "gpt-4o", "input-tokens": "9", "output-tokens": "5"}
    expected = {f"trunkline-{key}": value for key, value in facts.items()}
    cost = told[0]["trunkline-cost-usd-micros"]
    assert told == [{**expected, "trunkline-cost-usd-micros": cost}, {**told[0], "trunkline-replayed": "true"}]
    assert len(vendor.requests) == 1


async def test_a_call_that_its_only_caller_left_is_ended_and_made_again(vendor: ScriptedVendor, client: AsyncClient) -> None:
    vendor.add(HELLO.with_fault(Stall(after_events=2)), HELLO)
    async with client.completions.stream_chat_completion(TYPED, metadata=beside()) as left:
        assert await anext(left)
        await vendor.stalled()
    async with asyncio.timeout(LIMIT_S):
        assert not (await vendor.next_disconnect()).finished
    again = client.completions.stream_chat_completion(TYPED, metadata=beside())
    assert texts([message async for message in again]) == HELLO.text
    assert "trunkline-replayed" not in dict(again.metadata)
    assert len(vendor.requests) == 2


async def test_a_call_goes_on_when_its_first_caller_leaves(vendor: ScriptedVendor, client: AsyncClient) -> None:
    vendor.add(HELLO.with_fault(Stall(after_events=2)))
    first = client.completions.stream_chat_completion(TYPED, metadata=beside())
    assert await anext(first)
    await vendor.stalled()
    joined = client.completions.stream_chat_completion(TYPED, metadata=beside())
    messages = [await anext(joined)]
    first.cancel()
    vendor.release()
    messages += [message async for message in joined]
    assert texts(messages) == HELLO.text
    assert len(vendor.requests) == 1


async def test_openais_package_sends_no_key_of_its_own(vendor: ScriptedVendor) -> None:
    vendor.add(Status(500))
    async with openai.AsyncOpenAI(base_url=f"{vendor.url}/v1", api_key=vendor.key, max_retries=1) as plain:
        await plain.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hello"}])
    assert [request.headers.get("idempotency-key") for request in vendor.requests] == [None, None]


@pytest.fixture
async def two_gateways(vendor: ScriptedVendor, database_url: str, tmp_path: Path) -> AsyncIterator[list[Running]]:
    """Two gateways with one database."""
    document = config([row("first", vendor, ["gpt-4o"])], storage={"url": database_url})
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(run_gateway(tmp_path, document, "whole")) for _ in range(2)]


def package(running: Running) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key=KEY, max_retries=0)


async def test_two_gateways_answer_a_request_once(vendor: ScriptedVendor, two_gateways: list[Running]) -> None:
    vendor.add(HELLO.with_fault(Stall()))
    one, other = map(package, two_gateways)
    async with one, other:
        asking = [asyncio.ensure_future(sdk.chat.completions.create(**ask())) for sdk in (one, other) * 3]  # type: ignore[call-overload]
        await vendor.stalled()
        vendor.release()
        answers = await asyncio.gather(*asking)
        with pytest.raises(openai.ConflictError):
            await other.chat.completions.create(**ask(text="Goodbye"))  # type: ignore[call-overload]
    assert {answer.choices[0].message.content for answer in answers} == {HELLO.text}
    assert len(vendor.requests) == 1


async def test_an_answer_outlives_its_gateway(vendor: ScriptedVendor, sqlite_url: str, tmp_path: Path) -> None:
    document = config([row("first", vendor, ["gpt-4o"])], storage={"url": sqlite_url})
    ids = []
    for _ in range(2):
        async with run_gateway(tmp_path, document, "whole") as running, package(running) as sdk:
            ids.append((await sdk.chat.completions.create(**ask())).id)  # type: ignore[call-overload]
    assert ids[0] == ids[1]
    assert len(vendor.requests) == 1
