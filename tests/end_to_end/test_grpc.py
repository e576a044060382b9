"""gRPC callers: through the project's own client, and through bare stubs, get what the others get."""

import asyncio
from pathlib import Path

import aiohttp
import grpc
import orjson
import pytest
from google.rpc import error_details_pb2, status_pb2

from tests.end_to_end.refused import NOBODY, check
from tests.end_to_end.running import COMPLETION_KEY, KEY, Running, Topology, config, row, run_gateway
from tests.fakes.answers import Status, Text, ToolCall, Usage
from tests.fakes.faults import Batch, Stall
from tests.fakes.openai_answers import TINY_PNG, vector_of
from tests.fakes.vendor import ScriptedVendor
from trunkline.v1.chat_pb2 import (
    ChatCompletionChunk,
    ChatCompletionRequest,
    FunctionDefinition,
    Message,
    StreamOptions,
    Tool,
)
from trunkline.v1.completion_service_pb2 import (
    AnswerFormat,
    CreateChatCompletionRequest,
    StreamChatCompletionRequest,
    StreamChatCompletionResponse,
)
from trunkline.v1.completion_service_pb2_grpc import CompletionServiceStub
from trunkline.v1.text_pb2 import EmbeddingRequest, ImageRequest, TextCompletionRequest, TextInput
from trunkline_client import AsyncClient, Client, PermissionDeniedError, UnavailableError, open_channel

CHAT = ChatCompletionRequest(model="gpt-4o", messages=[Message(role="user", content="Hello")])
AUTHORIZATION = ("authorization", f"Bearer {KEY}")


@pytest.fixture(params=["whole"])
def topology(request: pytest.FixtureRequest) -> str:
    """These callers meet the core itself, which is the same in every topology."""
    chosen: str = request.param
    return chosen


async def test_a_completion_arrives_whole(vendor: ScriptedVendor, client: AsyncClient) -> None:
    vendor.add(Text("Hello there", usage=Usage(12, 2, cached_tokens=4)))
    answer = await client.completions.create_chat_completion(CHAT)
    completion = answer.value
    assert completion.choices[0].message.content == "Hello there"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.total_tokens == 14
    assert completion.usage.input_tokens_details.cached_tokens == 4
    assert completion.create_time.seconds == 1_763_000_000
    assert (answer.provider, answer.attempts) == ("first", 1)
    assert answer.request_id.startswith("req_")


async def test_chunks_are_typed(vendor: ScriptedVendor, client: AsyncClient) -> None:
    vendor.add(Text("Hello there", usage=Usage(9, 2)))
    async with client.completions.stream_chat_completion(CHAT, metadata=[("x-request-id", "mine")]) as stream:
        chunks = [chunk async for chunk in stream.chunks()]
        trailing = dict(await stream.trailing_metadata())
    assert all(isinstance(chunk, ChatCompletionChunk) for chunk in chunks)
    assert [chunk.choices[0].delta.content for chunk in chunks if chunk.choices] == ["", "Hello", " there", ""]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert (stream.provider, stream.attempts, stream.request_id) == ("first", 1, "mine")
    assert trailing["x-request-id"] == "mine"
    assert trailing["trunkline-provider"] == "first"
    assert trailing["trunkline-attempts"] == "1"
    assert trailing["trunkline-model"] == "gpt-4o"
    assert trailing["trunkline-input-tokens"] == "9"
    assert trailing["trunkline-output-tokens"] == "2"


@pytest.mark.parametrize("asked", [False, True], ids=["not asked", "asked"])
async def test_usage_is_a_chunk_only_when_asked_for_and_a_field_always(
    vendor: ScriptedVendor, client: AsyncClient, asked: bool
) -> None:
    vendor.add(Text("Hello", usage=Usage(9, 1)))
    request = ChatCompletionRequest()
    request.CopyFrom(CHAT)
    request.stream_options.CopyFrom(StreamOptions(include_usage=asked))
    async with client.completions.stream_chat_completion(request) as stream:
        messages = [message async for message in stream]
    chunks = [chunk for message in messages for chunk in message.chunks]
    assert any(chunk.HasField("usage") for chunk in chunks) is asked
    assert [message.usage.total_tokens for message in messages if message.HasField("usage")] == [10]


async def test_what_one_read_brought_is_one_message(vendor: ScriptedVendor, client: AsyncClient) -> None:
    vendor.add(Text("Hello there all of you").with_fault(Batch()))
    async with client.completions.stream_chat_completion(CHAT) as stream:
        messages = [message async for message in stream]
    assert len(messages[0].chunks) > 5


async def test_chunks_come_as_the_provider_s_json_when_asked_for(vendor: ScriptedVendor, client: AsyncClient) -> None:
    vendor.add(Text("Hello there"))
    async with client.completions.stream_chat_completion(CHAT, answer_format=AnswerFormat.ANSWER_FORMAT_JSON) as stream:
        messages = [message async for message in stream]
    assert not any(message.chunks for message in messages)
    assert any(b'"content":" there"' in text for message in messages for text in message.chunks_json)


async def test_bare_stubs_get_the_same(vendor: ScriptedVendor, gateway: Running) -> None:
    vendor.add(Text("Hello there", usage=Usage(9, 2)), Text("Hello again"))
    async with grpc.aio.insecure_channel(gateway.target) as channel:
        stub = CompletionServiceStub(channel)
        call = stub.CreateChatCompletion(CreateChatCompletionRequest(chat=CHAT), metadata=[AUTHORIZATION])
        assert (await call).completion.choices[0].message.content == "Hello there"
        initial, trailing = await call.initial_metadata(), await call.trailing_metadata()
        assert dict(initial)["trunkline-provider"] == "first"
        assert dict(trailing)["trunkline-output-tokens"] == "2"
        assert dict(initial)["x-request-id"] == dict(trailing)["x-request-id"]
        stream = stub.StreamChatCompletion(StreamChatCompletionRequest(chat=CHAT), metadata=[("x-api-key", KEY)])
        received: list[StreamChatCompletionResponse] = [message async for message in stream]
    chunks = [chunk for message in received for chunk in message.chunks]
    assert "".join(chunk.choices[0].delta.content for chunk in chunks) == "Hello again"


async def test_the_client_for_threads_gets_the_same(vendor: ScriptedVendor, gateway: Running) -> None:
    vendor.add(Text("Hello there"), Text("Hello again"))

    def ask() -> tuple[str, list[str]]:
        with Client(gateway.target, api_key=KEY) as client:
            whole = client.completions.create_chat_completion(CHAT).value
            with client.completions.stream_chat_completion(CHAT) as stream:
                pieces = [chunk.choices[0].delta.content for chunk in stream.chunks()]
            return whole.choices[0].message.content, pieces

    assert await asyncio.to_thread(ask) == ("Hello there", ["", "Hello", " again", ""])


async def test_tools_and_unknown_fields_reach_the_provider(vendor: ScriptedVendor, client: AsyncClient) -> None:
    vendor.add(ToolCall("f", {"a": 1}, id="call_a"))
    request = ChatCompletionRequest(
        model="gpt-4o",
        messages=[Message(role="user", content="Hi", extra_json='{"vendor": [1]}')],
        tools=[Tool(type="function", function=FunctionDefinition(name="f", parameters_json='{"type": "object"}'))],
        extra_json='{"top_k": 40}',
        temperature=0,
    )
    answer = await client.completions.create_chat_completion(request)
    call = answer.value.choices[0].message.tool_calls[0]
    assert (call.id, call.function.name, call.function.arguments) == ("call_a", "f", '{"a":1}')
    assert vendor.requests[0].body == {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "Hi", "vendor": [1]}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "temperature": 0,
        "top_k": 40,
    }


async def test_the_other_operations_answer(client: AsyncClient) -> None:
    text = TextCompletionRequest(model="gpt-3.5-turbo-instruct", prompt=TextInput(text="Once"))
    assert (await client.completions.create_text_completion(text)).value.choices[0].text
    async with client.completions.stream_text_completion(text) as stream:
        assert [chunk.choices[0].finish_reason async for chunk in stream.chunks()][-1] == "stop"
    embedding = EmbeddingRequest(model="text-embedding-3-small", input=TextInput(text="one"))
    vectors = (await client.completions.create_embeddings(embedding)).value
    assert tuple(vectors.data[0].values) == vector_of("one", 8)
    image = ImageRequest(model="gpt-image-1", prompt="A cat")
    assert (await client.completions.create_images(image)).value.data[0].b64_json == TINY_PNG


async def test_models_health_and_configuration_are_told(client: AsyncClient) -> None:
    assert {model.provider async for model in client.models.list_models()} == {"first", "second"}
    assert (await client.models.get_model("gpt-4o")).provider == "first"
    assert (await client.metrics.get_health()).providers.total == 2
    assert (await client.admin.get_config_status()).providers_configured == 2


async def test_a_key_for_completions_is_not_enough_for_the_configuration(gateway: Running) -> None:
    async with AsyncClient(gateway.target, api_key=COMPLETION_KEY) as client:
        with pytest.raises(PermissionDeniedError) as caught:
            await client.admin.get_config_status()
    assert caught.value.metadata["permission"] == "admin"


async def test_an_error_carries_its_reason_fields_and_request_id(gateway: Running) -> None:
    async with grpc.aio.insecure_channel(gateway.target) as channel:
        call = CompletionServiceStub(channel).CreateChatCompletion(
            CreateChatCompletionRequest(chat=ChatCompletionRequest(model="gpt-4o")),
            metadata=[AUTHORIZATION, ("x-request-id", "mine")],
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    trailing = dict(caught.value.trailing_metadata() or ())
    assert trailing["x-request-id"] == "mine"
    packed = trailing["grpc-status-details-bin"]
    assert isinstance(packed, bytes)
    status = status_pb2.Status.FromString(packed)
    info, fault = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(fault)
    assert (info.reason, info.domain) == ("INVALID_REQUEST", "trunkline")
    assert dict(info.metadata) == {"param": "messages", "request_id": "mine"}
    assert fault.field_violations[0].field == "messages"


@pytest.mark.parametrize("topology", ["whole", "split"])
@pytest.mark.parametrize("text", ["No capacity. " * 100, "容量不足。" * 300], ids=["ASCII", "Chinese"])
async def test_long_errors_of_many_providers_arrive(
    vendor: ScriptedVendor, tmp_path: Path, topology: Topology, text: str
) -> None:
    vendor.add(*[Status(500, message=text)] * 16)
    rows = [row(f"provider-{number}", vendor, ["gpt-4o"]) for number in range(8)]
    async with run_gateway(tmp_path, config(rows), topology) as running:
        async with open_channel(running.target, retries=None) as channel:
            with pytest.raises(UnavailableError) as raised:
                await AsyncClient(channel, api_key=KEY).completions.create_chat_completion(CHAT)
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
        headers = {"Authorization": f"Bearer {KEY}"}
        async with (
            aiohttp.ClientSession(running.url, headers=headers) as http,
            http.post("/v1/chat/completions", json=body) as response,
        ):
            error = await check(response, NOBODY)
    assert (raised.value.reason, raised.value.message) == ("providers_unavailable", error["message"])
    assert f"could answer: {text[:50]}" in raised.value.message
    assert raised.value.details == error["details"]
    told = [one["provider"] for one in orjson.loads(raised.value.metadata["errors"])]
    assert (told[0], told[-1], raised.value.details["attempts"]) == ("provider-0", "provider-7", 8)


async def test_the_client_library_does_not_multiply_the_tries_of_the_gateway(vendor: ScriptedVendor, tmp_path: Path) -> None:
    vendor.add(Status(503))
    async with (
        run_gateway(tmp_path, config([row("first", vendor, ["gpt-4o"])]), "whole") as running,
        AsyncClient(running.target, api_key=KEY) as client,
    ):
        with pytest.raises(UnavailableError) as caught:
            await client.completions.create_chat_completion(CHAT)
    assert caught.value.details["attempts"] == 1
    assert len(vendor.requests) == 1


async def test_a_unix_socket_joins_front_and_core(vendor: ScriptedVendor, tmp_path: Path) -> None:
    vendor.add(Text("Hello"), Text("Hello"))
    async with run_gateway(tmp_path, config([row("first", vendor, ["gpt-4o"])]), "socket") as running:
        async with open_channel(f"unix:{tmp_path / 'core.sock'}", retries=None) as channel:
            answer = await AsyncClient(channel, api_key=KEY).completions.create_chat_completion(CHAT)
        assert answer.value.choices[0].message.content == "Hello"
        assert running.url


async def test_streams_run_beside_each_other(vendor: ScriptedVendor, client: AsyncClient) -> None:
    vendor.add(*(Text(f"Hello {number}").with_fault(Stall(after_events=1)) for number in range(20)))
    streams = [client.completions.stream_chat_completion(CHAT) for _ in range(20)]

    async def read(number: int) -> str:
        return "".join([chunk.choices[0].delta.content async for chunk in streams[number].chunks()])

    reading = [asyncio.create_task(read(number)) for number in range(20)]
    await vendor.stalled(20)
    vendor.release(20)
    assert sorted(await asyncio.gather(*reading)) == sorted(f"Hello {number}" for number in range(20))
