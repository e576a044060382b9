"""The echo provider, asked directly."""

import base64
import json
import math
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import cast

import jsonschema
import pytest
from google.protobuf.message import Message as AnyMessage

from server.providers.base import Ask, Operation, Provider
from server.providers.echo.kinds import KINDS
from server.providers.echo.provider import build
from server.providers.errors import Fault, ProviderError
from tests.server.providers.asking import NOW, chat_ask, chat_batches, chunks_of, completion, context
from trunkline.v1.completion_service_pb2 import CreateEmbeddingsResponse, CreateImagesResponse, StreamTextCompletionResponse
from trunkline_json import EMBEDDING_REQUEST, IMAGE_REQUEST, TEXT_REQUEST

PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string", "minLength": 1}, "days": {"type": "integer", "minimum": 1}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
TOOLS: list[object] = [
    {"type": "function", "function": {"name": "clock"}},
    {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}},
]
THREE_WORDS = {"messages": [{"role": "user", "content": "one two  three"}]}


@pytest.fixture
async def echo() -> AsyncIterator[Provider]:
    async with context("echo") as given:
        yield build(given)


async def test_its_kind_needs_neither_key_nor_address() -> None:
    assert [(kind.type, kind.needs_key, kind.needs_base_url, kind.models) for kind in KINDS] == [
        ("echo", False, False, ("echo",))
    ]


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([{"role": "user", "content": "Hello"}], "Hello"),
        ([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}], "Hi"),
        (
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Look: "},
                        {"type": "image_url", "image_url": {"url": "https://a.test/i.png"}},
                        {"type": "text", "text": "there"},
                    ],
                }
            ],
            "Look: there",
        ),
        (
            [{"role": "user", "content": "Hi"}, {"role": "tool", "tool_call_id": "c", "content": "Sunny"}],
            "Sunny",
        ),
        ([{"role": "system", "content": "Be brief."}], ""),
    ],
    ids=["the user's text", "the last of the user", "its text parts", "a tool's result", "nothing"],
)
async def test_it_says_what_was_said(echo: Provider, messages: list[object], said: str) -> None:
    answer = await completion(echo, chat_ask({"messages": messages}))
    assert answer.choices[0].message.content == said
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.model, answer.create_time.seconds) == ("asked", int(NOW))


async def test_a_stream_comes_word_by_word_with_the_role_first_and_the_reason_last(echo: Provider) -> None:
    batches = await chat_batches(echo, chat_ask(THREE_WORDS, streamed=True))
    choices = [chunk.choices[0] for chunk in chunks_of(batches)]
    assert choices[0].delta.role == "assistant"
    assert [choice.delta.content for choice in choices[1:-1]] == ["one", " two", "  three"]
    assert [choice.finish_reason for choice in choices] == ["", "", "", "", "stop"]
    assert len({chunk.id for chunk in chunks_of(batches)}) == 1
    assert [batch.finishing for batch in batches] == [True]
    assert (batches[-1].usage.input_tokens, batches[-1].usage.output_tokens, batches[-1].usage.total_tokens) == (3, 3, 6)


async def test_the_chunk_with_the_usage_comes_only_when_asked_for(echo: Provider) -> None:
    asked = chunks_of(await chat_batches(echo, chat_ask({"stream_options": {"include_usage": True}}, streamed=True)))
    unasked = chunks_of(await chat_batches(echo, chat_ask({}, streamed=True)))
    assert [(len(chunk.choices), chunk.HasField("usage")) for chunk in asked[-2:]] == [(1, False), (0, True)]
    assert not any(chunk.HasField("usage") for chunk in unasked)


async def test_a_paced_stream_brings_one_chunk_at_a_time() -> None:
    async with context("echo", chunk_delay_ms=1) as given:
        batches = await chat_batches(
            build(given), chat_ask({**THREE_WORDS, "stream_options": {"include_usage": True}}, streamed=True)
        )
    assert [len(batch.chunks) for batch in batches] == [1, 1, 1, 1, 2]
    assert [batch.finishing for batch in batches] == [False, False, False, False, True]
    assert [batch.HasField("usage") for batch in batches] == [False, False, False, False, True]


async def test_a_pace_that_the_timeout_does_not_allow_is_a_timeout() -> None:
    async with context("echo", chunk_delay_ms=60_000) as given:
        ask = chat_ask({}, streamed=True)
        ask.timeout_s = 0.01
        with pytest.raises(ProviderError) as raised:
            await chat_batches(build(given), ask)
    assert raised.value.fault is Fault.TIMEOUT


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("body", "text", "reason"),
    [
        ({"max_tokens": 2}, "one two", "length"),
        ({"max_completion_tokens": 1}, "one", "length"),
        ({"max_tokens": 3}, "one two  three", "stop"),
        ({"stop": "thr"}, "one two", "stop"),
        ({"stop": ["three", " two"]}, "one", "stop"),
    ],
)
async def test_limits_and_stops_are_kept(
    echo: Provider, streamed: bool, body: dict[str, object], text: str, reason: str
) -> None:
    answer = await completion(echo, chat_ask({**THREE_WORDS, **body}, streamed=streamed))
    assert answer.choices[0].message.content.rstrip() == text
    assert answer.choices[0].finish_reason == reason


@pytest.mark.parametrize("streamed", [False, True])
async def test_as_many_choices_come_as_were_asked_for(echo: Provider, streamed: bool) -> None:
    batches = await chat_batches(echo, chat_ask({"n": 3}, streamed=streamed))
    finished = [choice.index for chunk in chunks_of(batches) for choice in chunk.choices if choice.HasField("finish_reason")]
    assert finished == [0, 1, 2]
    assert batches[-1].finishing
    assert batches[-1].usage.output_tokens == 3


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("choice", "name"),
    [("required", "clock"), ({"type": "function", "function": {"name": "weather"}}, "weather")],
    ids=["required", "named"],
)
async def test_a_forced_call_has_arguments_that_keep_to_the_schema(
    echo: Provider, streamed: bool, choice: object, name: str
) -> None:
    answer = (await completion(echo, chat_ask({"tools": TOOLS, "tool_choice": choice}, streamed=streamed))).choices[0]
    call = answer.message.tool_calls[0]
    assert (call.function.name, call.type, answer.finish_reason) == (name, "function", "tool_calls")
    assert not answer.message.HasField("content")
    arguments = json.loads(call.function.arguments)
    if name == "weather":
        jsonschema.validate(arguments, PARAMETERS)
    else:
        assert arguments == {}


async def test_a_streamed_call_comes_with_its_head_first(echo: Provider) -> None:
    ask = chat_ask({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "weather"}}}, streamed=True)
    calls = [call for chunk in chunks_of(await chat_batches(echo, ask)) for call in chunk.choices[0].delta.tool_calls]
    assert (calls[0].index, bool(calls[0].id), calls[0].function.arguments) == (0, True, "")
    assert len(calls) > 2
    assert not any(call.HasField("id") or call.function.HasField("name") for call in calls[1:])


async def test_forcing_a_function_that_is_not_there_is_refused(echo: Provider) -> None:
    with pytest.raises(ProviderError) as raised:
        await chat_batches(echo, chat_ask({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "x"}}}))
    assert (raised.value.fault, raised.value.param) == (Fault.INVALID_REQUEST, "tool_choice")


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_keeps_to_the_schema_that_is_asked_for(echo: Provider, streamed: bool) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "w", "schema": PARAMETERS}}
    answer = await completion(echo, chat_ask({"response_format": form}, streamed=streamed))
    jsonschema.validate(json.loads(answer.choices[0].message.content), PARAMETERS)


async def test_a_schema_that_nothing_keeps_to_is_refused(echo: Provider) -> None:
    nothing = {"type": "integer", "minimum": 2, "maximum": 1}
    form = {"type": "json_schema", "json_schema": {"name": "w", "schema": nothing}}
    with pytest.raises(ProviderError) as raised:
        await completion(echo, chat_ask({"response_format": form}))
    assert (raised.value.fault, raised.value.param) == (Fault.INVALID_REQUEST, "response_format.json_schema.schema")


async def test_a_json_object_holds_the_echo(echo: Provider) -> None:
    answer = await completion(echo, chat_ask({"response_format": {"type": "json_object"}}))
    assert json.loads(answer.choices[0].message.content) == {"echo": "Hello"}


async def test_the_same_request_has_the_same_answer(echo: Provider) -> None:
    one, two = [await completion(echo, chat_ask({})) for _ in range(2)]
    assert one == two
    assert (await completion(echo, chat_ask({"seed": 1}))).id != one.id


async def test_a_text_is_continued_with_itself(echo: Provider) -> None:
    batch = await text(echo, {"prompt": ["one two", "three"], "n": 2, "max_tokens": 1, "echo": True})
    choices = batch[0].chunks[0].choices
    assert [(c.index, c.text, c.finish_reason) for c in choices] == [
        (0, "one twoone", "length"),
        (1, "one twoone", "length"),
        (2, "threethree", "stop"),
        (3, "threethree", "stop"),
    ]
    assert (batch[0].usage.input_tokens, batch[0].usage.output_tokens, batch[0].finishing) == (3, 4, True)


async def test_a_streamed_text_comes_word_by_word(echo: Provider) -> None:
    batches = await text(echo, {"prompt": [5, 6], "stream_options": {"include_usage": True}}, streamed=True)
    chunks = [chunk for batch in batches for chunk in batch.chunks]
    assert [chunk.choices[0].text if chunk.choices else None for chunk in chunks] == ["5", " 6", "", None]
    assert chunks[-1].usage.total_tokens == 4
    assert batches[-1].finishing


async def text(echo: Provider, body: dict[str, object], streamed: bool = False) -> list[StreamTextCompletionResponse]:
    request = TEXT_REQUEST.parse({"model": "m", **body}, strict=True)
    return cast(list[StreamTextCompletionResponse], await messages(echo, Ask(Operation.TEXT, request, "asked", streamed)))


async def messages(echo: Provider, ask: Ask) -> list[AnyMessage]:
    async with aclosing(echo.stream(ask)) as batches:
        return [batch async for batch in batches]


async def embedded(echo: Provider, body: dict[str, object]) -> CreateEmbeddingsResponse:
    request = EMBEDDING_REQUEST.parse({"model": "m", **body}, strict=True)
    (batch,) = await messages(echo, Ask(Operation.EMBEDDINGS, request, "asked", streamed=False))
    assert isinstance(batch, CreateEmbeddingsResponse)
    return batch


@pytest.mark.parametrize(("body", "dimensions"), [({}, 16), ({"dimensions": 1}, 1), ({"dimensions": 1000}, 1000)])
async def test_vectors_have_the_length_one_and_the_dimensions_asked_for(
    echo: Provider, body: dict[str, object], dimensions: int
) -> None:
    answer = (await embedded(echo, {"input": ["a b", "c", "a b"], **body})).embeddings
    vectors = [list(embedding.values) for embedding in answer.data]
    assert [len(vector) for vector in vectors] == [dimensions] * 3
    assert math.isclose(math.hypot(*vectors[0]), 1, rel_tol=1e-6)
    assert vectors[0] == vectors[2]
    assert (vectors[0] != vectors[1]) or dimensions == 1
    assert (answer.usage.input_tokens, answer.usage.total_tokens) == (5, 5)


async def test_a_vector_in_base64_is_the_vector_in_numbers(echo: Provider) -> None:
    numbers = (await embedded(echo, {"input": [[1, 2], [3]]})).embeddings.data
    packed = (await embedded(echo, {"input": [[1, 2], [3]], "encoding_format": "base64"})).embeddings.data
    for one, other in zip(numbers, packed, strict=True):
        assert list(struct.unpack("<16f", base64.b64decode(other.values_base64))) == list(one.values)


async def test_dimensions_without_sense_are_refused(echo: Provider) -> None:
    with pytest.raises(ProviderError) as raised:
        await embedded(echo, {"input": "a", "dimensions": 0})
    assert (raised.value.fault, raised.value.param) == (Fault.INVALID_REQUEST, "dimensions")


@pytest.mark.parametrize("form", ["b64_json", "url"])
async def test_images_are_png(echo: Provider, form: str) -> None:
    request = IMAGE_REQUEST.parse({"model": "m", "prompt": "a cat", "n": 2, "response_format": form}, strict=True)
    (batch,) = await messages(echo, Ask(Operation.IMAGES, request, "asked", streamed=False))
    assert isinstance(batch, CreateImagesResponse)
    images = [image.b64_json or image.url.removeprefix("data:image/png;base64,") for image in batch.images.data]
    assert len(set(images)) == 2
    for image in images:
        rows = pixels(base64.b64decode(image, validate=True))
        assert len(rows) == 8 * (1 + 3 * 8)


def pixels(png: bytes) -> bytes:
    """The unpacked rows of a PNG, whose chunks are checked on the way."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    data, place = b"", 8
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        body = png[place + 4 : place + 8 + length]
        assert struct.unpack(">I", png[place + 8 + length : place + 12 + length]) == (zlib.crc32(body),)
        data += body[4:] if body[:4] == b"IDAT" else b""
        place += 12 + length
    return zlib.decompress(data)
