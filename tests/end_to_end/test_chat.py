"""Chat through OpenAI's own package, whole and streamed."""

import asyncio

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel

from tests.end_to_end.running import KEY, Running
from tests.fakes.answers import Answer, Refusal, Text, Thinking, Usage
from tests.fakes.faults import Batch, Comments, Crlf, Gzip, NoSpace, SplitBytes
from tests.fakes.vendor import ScriptedVendor

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]


async def test_a_completion_arrives_whole(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vendor.add(Text("Hello there, Jürgen 🙂", usage=Usage(12, 4, cached_tokens=4, reasoning_tokens=2)))
    completion = await sdk.chat.completions.create(model="gpt-4o", messages=HELLO)
    assert completion.choices[0].message.content == "Hello there, Jürgen 🙂"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.total_tokens == 16
    assert completion.usage.prompt_tokens_details is not None
    assert completion.usage.prompt_tokens_details.cached_tokens == 4
    assert completion.usage.completion_tokens_details is not None
    assert completion.usage.completion_tokens_details.reasoning_tokens == 2
    assert vendor.requests[0].body == {"model": "gpt-4o", "messages": HELLO}


async def test_the_sdk_for_threads_gets_the_same(vendor: ScriptedVendor, gateway: Running) -> None:
    vendor.add(Text("Hello there"), Text("Hello again"))

    def ask() -> tuple[str | None, list[str | None]]:
        with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0) as client:
            whole = client.chat.completions.create(model="gpt-4o", messages=HELLO)
            stream = client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
            with stream:
                return whole.choices[0].message.content, [chunk.choices[0].delta.content for chunk in stream]

    assert await asyncio.to_thread(ask) == ("Hello there", ["", "Hello", " again", None])


async def test_a_stream_brings_every_chunk_as_the_provider_wrote_it(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vendor.add(Text("Hello there"))
    stream = await sdk.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
    chunks = [chunk async for chunk in stream]
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["", "Hello", " there", None]
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None, None, None, "stop"]
    assert {chunk.id for chunk in chunks} == {"chatcmpl-1"}


async def test_usage_is_the_last_chunk_when_asked_for(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vendor.add(Text("Hello", usage=Usage(9, 1)))
    stream = await sdk.chat.completions.create(
        model="gpt-4o", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert [chunk.usage.total_tokens if chunk.usage else None for chunk in chunks] == [None, None, None, 10]
    assert chunks[-1].choices == []


async def test_usage_that_was_not_asked_for_is_not_sent(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vendor.add(Text("Hello", usage=Usage(9, 1)))
    stream = await sdk.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
    chunks = [chunk async for chunk in stream]
    assert all(chunk.choices for chunk in chunks)
    assert all(chunk.usage is None for chunk in chunks)
    assert vendor.requests[0].body["stream_options"] == {"include_usage": True}


async def test_the_accumulator_of_the_sdk_puts_a_stream_together(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vendor.add(Text("Hello there", usage=Usage(9, 2)))
    async with sdk.chat.completions.stream(model="gpt-4o", messages=HELLO, stream_options={"include_usage": True}) as stream:
        kinds = [event.type async for event in stream]
        completion = await stream.get_final_completion()
    assert completion.choices[0].message.content == "Hello there"
    assert completion.usage is not None
    assert completion.usage.total_tokens == 11
    assert kinds.count("content.delta") == 3  # the first one is empty
    assert kinds.count("content.done") == 1


class Place(BaseModel):
    """What the model is to answer with."""

    city: str
    people: int


async def test_an_answer_after_a_schema_is_parsed_by_the_sdk(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vendor.add(Text('{"city": "Köln", "people": 1080000}'))
    completion = await sdk.chat.completions.parse(model="gpt-4o", messages=HELLO, response_format=Place)
    assert completion.choices[0].message.parsed == Place(city="Köln", people=1_080_000)
    sent = vendor.requests[0].body["response_format"]["json_schema"]
    assert (sent["name"], sent["strict"]) == ("Place", True)
    assert sent["schema"]["required"] == ["city", "people"]
    assert list(sent["schema"]["properties"]) == ["city", "people"]


async def test_a_streamed_answer_after_a_schema_is_parsed_by_the_sdk(
    vendor: ScriptedVendor, sdk: openai.AsyncOpenAI
) -> None:
    vendor.add(Text('{"city": "Köln", "people": 1}'))
    async with sdk.chat.completions.stream(model="gpt-4o", messages=HELLO, response_format=Place) as stream:
        completion = await stream.get_final_completion()
    assert completion.choices[0].message.parsed == Place(city="Köln", people=1)


async def test_a_refusal_is_told_as_one(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vendor.add(Refusal("I would rather not."), Refusal("I would rather not."))
    completion = await sdk.chat.completions.create(model="gpt-4o", messages=HELLO)
    assert completion.choices[0].message.refusal == "I would rather not."
    assert completion.choices[0].message.content is None
    async with sdk.chat.completions.stream(model="gpt-4o", messages=HELLO) as stream:
        streamed = await stream.get_final_completion()
    assert streamed.choices[0].message.refusal == "I would rather not."


async def test_reasoning_arrives_whole_and_streamed(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vendor.add(Thinking("Let me think.") + Text("Four."), Thinking("Let me think.") + Text("Four."))
    completion = await sdk.chat.completions.create(model="gpt-4o", messages=HELLO)
    assert (completion.choices[0].message.model_extra or {})["reasoning_content"] == "Let me think."
    stream = await sdk.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
    extras = [(chunk.choices[0].delta.model_extra or {}) async for chunk in stream]
    assert "".join(extra.get("reasoning_content", "") for extra in extras) == "Let me think."


async def test_every_choice_arrives(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vendor.add(Text("Hello there"), Text("Hello there"))
    completion = await sdk.chat.completions.create(model="gpt-4o", messages=HELLO, n=3)
    assert [(choice.index, choice.message.content) for choice in completion.choices] == [
        (0, "Hello there"),
        (1, "Hello there"),
        (2, "Hello there"),
    ]
    async with sdk.chat.completions.stream(model="gpt-4o", messages=HELLO, n=3) as stream:
        streamed = await stream.get_final_completion()
    assert [choice.message.content for choice in streamed.choices] == ["Hello there"] * 3


@pytest.mark.parametrize(
    "fault",
    [SplitBytes(1), SplitBytes(7), Batch(), Batch(2), Crlf(), NoSpace(), Comments(), Gzip()],
    ids=lambda fault: f"{type(fault).__name__} {getattr(fault, 'size', '')}".strip(),
)
async def test_however_the_provider_cuts_its_stream_the_caller_gets_it_all(
    vendor: ScriptedVendor, sdk: openai.AsyncOpenAI, fault: SplitBytes
) -> None:
    vendor.add(Text("Grüße an alle 🙂 dort", usage=Usage(9, 5)).with_fault(fault))
    stream = await sdk.chat.completions.create(
        model="gpt-4o", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert [chunk.choices[0].delta.content for chunk in chunks[:-1]] == ["", "Grüße", " an", " alle", " 🙂", " dort", None]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 14


async def test_the_raw_response_of_the_sdk_has_the_headers(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vendor.add(Text("Hello"))
    raw = await sdk.chat.completions.with_raw_response.create(
        model="gpt-4o", messages=HELLO, extra_headers={"x-request-id": "mine-1"}
    )
    assert raw.headers["x-request-id"] == "mine-1"
    assert raw.headers["x-trunkline-provider"] == "first"
    assert raw.headers["x-trunkline-attempts"] == "1"
    assert raw.parse().choices[0].message.content == "Hello"
    assert raw.request_id == "mine-1"


async def test_the_model_that_answered_is_told_and_not_the_one_that_was_asked(
    vendor: ScriptedVendor, sdk: openai.AsyncOpenAI
) -> None:
    vendor.add(Answer((Text("Hello"),), model="gpt-4o-2024-11-20"))
    completion = await sdk.chat.completions.create(model="gpt-4o", messages=HELLO)
    assert completion.model == "gpt-4o-2024-11-20"


async def test_a_provider_can_be_addressed_by_its_name(second_vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    second_vendor.add(Text("From the second"))
    completion = await sdk.chat.completions.create(model="second/o9/anything:free", messages=HELLO)
    assert completion.choices[0].message.content == "From the second"
    assert second_vendor.requests[0].body["model"] == "o9/anything:free"
