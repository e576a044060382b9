"""OpenAI's own package finds in the scripted vendor what it finds at OpenAI.

Nothing of this project stands in between: what passes here is the fake's faithfulness, on which the other tests rest.
"""

import asyncio
from collections.abc import AsyncIterator

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from tests.fakes.answers import Embeddings, Images, Refusal, Status, Text, ToolCall, Usage
from tests.fakes.dialect import DEFAULT_TEXT
from tests.fakes.faults import Crlf, Cut, ErrorInStream, Gzip, NoDone, NoSpace, SplitBytes
from tests.fakes.openai_answers import TINY_PNG, vector_of
from tests.fakes.openai_schema import validate
from tests.fakes.vendor import ScriptedVendor

MODELS = ("gpt-4o", "text-embedding-3-small", "gpt-image-1", "gpt-3.5-turbo-instruct")
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with ScriptedVendor(models=MODELS) as vendor:
        yield vendor


@pytest.fixture
async def client(vendor: ScriptedVendor) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{vendor.url}/v1", api_key=vendor.key, max_retries=0) as client:
        yield client


async def test_a_completion_arrives_whole(vendor: ScriptedVendor, client: openai.AsyncOpenAI) -> None:
    vendor.add(Text("Hello there", usage=Usage(12, 2, cached_tokens=4)))
    completion = await client.chat.completions.create(model="gpt-4o", messages=HELLO)
    assert completion.choices[0].message.content == "Hello there"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.total_tokens == 14
    assert completion.usage.prompt_tokens_details is not None
    assert completion.usage.prompt_tokens_details.cached_tokens == 4
    assert completion._request_id == "req_1"
    assert vendor.requests[0].headers["Authorization"] == f"Bearer {vendor.key}"
    assert vendor.requests[0].body["messages"] == HELLO


async def test_an_empty_queue_answers_the_same_every_time(client: openai.AsyncOpenAI) -> None:
    for _ in range(2):
        completion = await client.chat.completions.create(model="gpt-4o", messages=HELLO)
        assert completion.choices[0].message.content == DEFAULT_TEXT


async def test_a_stream_begins_with_the_role_and_ends_with_the_finish(
    vendor: ScriptedVendor, client: openai.AsyncOpenAI
) -> None:
    vendor.add(Text("Hello there"))
    stream = await client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
    chunks = [chunk async for chunk in stream]
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["", "Hello", " there", None]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None, None, None, "stop"]
    assert all("usage" not in chunk.model_fields_set for chunk in chunks)


async def test_usage_is_a_chunk_of_its_own_when_asked_for(vendor: ScriptedVendor, client: openai.AsyncOpenAI) -> None:
    vendor.add(Text("Hello", usage=Usage(9, 1)))
    stream = await client.chat.completions.create(
        model="gpt-4o", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert [chunk.usage.total_tokens if chunk.usage else None for chunk in chunks] == [None, None, None, 10]
    assert chunks[-1].choices == []
    assert all("usage" in chunk.model_fields_set for chunk in chunks)


async def test_several_choices_are_interleaved(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True, n=2)
    indexes = [chunk.choices[0].index async for chunk in stream]
    assert indexes[:4] == [0, 1, 0, 1]
    assert indexes.count(0) == indexes.count(1)


async def test_the_accumulator_puts_text_and_tool_calls_together(vendor: ScriptedVendor, client: openai.AsyncOpenAI) -> None:
    vendor.add(
        Text("Let me see.") + ToolCall("weather", {"city": "Köln"}, id="call_a") + ToolCall("weather", {"city": "Bonn"})
    )
    async with client.chat.completions.stream(model="gpt-4o", messages=HELLO, tools=[WEATHER]) as stream:
        completion = await stream.get_final_completion()
    message = completion.choices[0].message
    assert completion.choices[0].finish_reason == "tool_calls"
    assert message.content == "Let me see."
    assert message.tool_calls is not None
    assert [call.function.parsed_arguments for call in message.tool_calls] == [{"city": "Köln"}, {"city": "Bonn"}]
    assert [call.id for call in message.tool_calls] == ["call_a", "call_1_0_1"]


async def test_a_tool_call_and_its_result_make_a_conversation(vendor: ScriptedVendor, client: openai.AsyncOpenAI) -> None:
    vendor.add(ToolCall("weather", {"city": "Paris"}, id="call_a"), Text("Sunny."))
    first = await client.chat.completions.create(model="gpt-4o", messages=HELLO, tools=[WEATHER])
    assistant = first.choices[0].message.model_dump(exclude_none=True, exclude={"annotations"})
    second = await client.chat.completions.create(
        model="gpt-4o",
        messages=[*HELLO, assistant, {"role": "tool", "tool_call_id": "call_a", "content": "sun"}],  # type: ignore[list-item]
        tools=[WEATHER],
    )
    assert second.choices[0].message.content == "Sunny."


async def test_a_refusal_is_no_content(vendor: ScriptedVendor, client: openai.AsyncOpenAI) -> None:
    vendor.add(Refusal("No."))
    async with client.chat.completions.stream(model="gpt-4o", messages=HELLO) as stream:
        message = (await stream.get_final_completion()).choices[0].message
    assert (message.content, message.refusal) == (None, "No.")


async def test_text_completions_come_whole_and_streamed(vendor: ScriptedVendor, client: openai.AsyncOpenAI) -> None:
    vendor.add(Text("once upon"), Text("once upon"))
    model = "gpt-3.5-turbo-instruct"
    whole = await client.completions.create(model=model, prompt=["a", "b"])
    stream = await client.completions.create(model=model, prompt="a", stream=True, stream_options={"include_usage": True})
    chunks = [chunk async for chunk in stream]
    assert [(choice.index, choice.text) for choice in whole.choices] == [(0, "once upon"), (1, "once upon")]
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == "once upon"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None


async def test_embeddings_are_base64_unless_floats_are_asked_for(vendor: ScriptedVendor, client: openai.AsyncOpenAI) -> None:
    vendor.add(Embeddings(((0.5, -0.25),)), Embeddings())
    model = "text-embedding-3-small"
    unsaid = await client.embeddings.create(model=model, input="one")
    floats = await client.embeddings.create(model=model, input=["a", "b"], encoding_format="float", dimensions=4)
    assert vendor.requests[0].body["encoding_format"] == "base64"
    assert unsaid.data[0].embedding == [0.5, -0.25]
    assert [item.embedding for item in floats.data] == [list(vector_of("a", 4)), list(vector_of("b", 4))]


async def test_images_come_whole_and_streamed(vendor: ScriptedVendor, client: openai.AsyncOpenAI) -> None:
    vendor.add(Images(), Images(urls=("https://example.com/cat.png",), revised_prompt="one cat"), Images())
    tiny = await client.images.generate(model="gpt-image-1", prompt="a cat", n=2)
    address = await client.images.generate(model="gpt-image-1", prompt="a cat")
    stream = await client.images.generate(model="gpt-image-1", prompt="a cat", stream=True, partial_images=1)
    assert [image.b64_json for image in tiny.data or ()] == [TINY_PNG, TINY_PNG]
    assert address.data is not None
    assert address.data[0].url == "https://example.com/cat.png"
    kinds = [event.type async for event in stream]
    assert kinds == ["image_generation.partial_image", "image_generation.completed"]


async def test_models_are_listed_and_found(client: openai.AsyncOpenAI) -> None:
    models = [model.id async for model in client.models.list()]
    assert models[0] == "gpt-4o"
    assert (await client.models.retrieve("gpt-4o")).object == "model"


async def test_a_wrong_key_is_an_authentication_error(vendor: ScriptedVendor) -> None:
    async with openai.AsyncOpenAI(base_url=f"{vendor.url}/v1", api_key="sk-wrong", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as raised:
            await client.chat.completions.create(model="gpt-4o", messages=HELLO)
    assert raised.value.code == "invalid_api_key"


async def test_an_unknown_model_is_not_found(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        await client.chat.completions.create(model="gpt-nope", messages=HELLO)
    assert raised.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (403, openai.PermissionDeniedError),
        (409, openai.ConflictError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (529, openai.InternalServerError),
    ],
)
async def test_each_status_has_its_error_class(
    vendor: ScriptedVendor, client: openai.AsyncOpenAI, status: int, error: type[openai.APIStatusError]
) -> None:
    vendor.add(Status(status, {"retry-after": "1"}, message="as told"))
    with pytest.raises(error) as raised:
        await client.chat.completions.create(model="gpt-4o", messages=HELLO)
    assert raised.value.status_code == status
    assert "as told" in raised.value.message
    assert raised.value.response.headers["retry-after"] == "1"
    validate("ErrorResponse", {"error": raised.value.body})


async def test_the_package_asks_again_after_a_rate_limit(vendor: ScriptedVendor) -> None:
    vendor.add(Status(429, {"retry-after-ms": "1"}), Text("at last"))
    async with openai.AsyncOpenAI(base_url=f"{vendor.url}/v1", api_key=vendor.key, max_retries=1) as client:
        completion = await client.chat.completions.create(model="gpt-4o", messages=HELLO)
    assert completion.choices[0].message.content == "at last"
    assert [request.headers["x-stainless-retry-count"] for request in vendor.requests] == ["0", "1"]


async def test_a_bad_body_is_refused_with_its_place(vendor: ScriptedVendor, client: openai.AsyncOpenAI) -> None:
    vendor.expect_violation("greater than the maximum")
    with pytest.raises(openai.BadRequestError) as raised:
        await client.chat.completions.create(model="gpt-4o", messages=HELLO, temperature=3)
    assert raised.value.param == "temperature"


@pytest.mark.parametrize(
    "faults",
    [(SplitBytes(1),), (Crlf(), NoSpace()), (Crlf(), SplitBytes(3)), (Gzip(),), (NoDone(),)],
    ids=["byte-by-byte", "crlf-without-space", "torn-crlf", "gzip", "no-done"],
)
async def test_the_package_reads_a_stream_in_any_legal_form(
    vendor: ScriptedVendor, client: openai.AsyncOpenAI, faults: tuple[SplitBytes, ...]
) -> None:
    vendor.add(Text("Grüße 🌍 an alle").with_fault(*faults))
    stream = await client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
    assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == "Grüße 🌍 an alle"


async def test_an_error_within_a_stream_is_raised(vendor: ScriptedVendor, client: openai.AsyncOpenAI) -> None:
    vendor.add(Text("Hello there").with_fault(ErrorInStream(after_events=2, message="gone wrong")))
    stream = await client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
    with pytest.raises(openai.APIError, match="gone wrong"):
        [chunk async for chunk in stream]


async def test_a_cut_stream_is_a_connection_error(vendor: ScriptedVendor, client: openai.AsyncOpenAI) -> None:
    vendor.add(Text("Hello there").with_fault(Cut(after_events=2)))
    stream = await client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
    with pytest.raises(openai.APIConnectionError):
        [chunk async for chunk in stream]


async def test_azures_client_finds_its_deployment(vendor: ScriptedVendor) -> None:
    vendor.add(Text("Hello"), Text("Hello there"))
    async with openai.AsyncAzureOpenAI(azure_endpoint=vendor.url, api_key=vendor.key, api_version="2024-10-21") as client:
        whole = await client.chat.completions.create(model="gpt-4o", messages=HELLO)
        stream = await client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
        chunks = [chunk async for chunk in stream]
    assert whole.choices[0].message.content == "Hello"
    assert (chunks[0].id, chunks[0].choices) == ("", [])
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert vendor.requests[0].path == "/openai/deployments/gpt-4o/chat/completions"
    assert vendor.requests[0].query == {"api-version": "2024-10-21"}
    assert vendor.requests[0].headers["api-key"] == vendor.key


def use_every_resource(url: str, key: str) -> list[object]:
    """Calls all that the blocking client has, and returns a little of each answer."""
    with openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
        completion = client.chat.completions.create(model="gpt-4o", messages=HELLO)
        with client.chat.completions.stream(model="gpt-4o", messages=HELLO) as stream:
            streamed = stream.get_final_completion()
        return [
            completion.choices[0].message.content,
            streamed.choices[0].message.content,
            len(client.embeddings.create(model="text-embedding-3-small", input="one").data[0].embedding),
            [image.b64_json for image in client.images.generate(model="gpt-image-1", prompt="a cat").data or ()],
            next(model.id for model in client.models.list()),
        ]


async def test_the_blocking_client_gets_the_same(vendor: ScriptedVendor) -> None:
    got = await asyncio.to_thread(use_every_resource, vendor.url, vendor.key)
    assert got == [DEFAULT_TEXT, DEFAULT_TEXT, 8, [TINY_PNG], "gpt-4o"]


async def test_a_client_that_leaves_a_stream_is_noticed(vendor: ScriptedVendor, client: openai.AsyncOpenAI) -> None:
    vendor.add(Text("word " * 2000))
    stream = await client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
    async for _ in stream:
        break
    await stream.close()
    left = await vendor.next_disconnect()
    assert left.events_sent < 2000
    await vendor.wait_idle()
