"""Text completions, embeddings, images and models, through OpenAI's own package."""

import base64
import struct

import aiohttp
import openai
import pytest

from tests.end_to_end.conftest import MODELS
from tests.end_to_end.running import COMPLETION_KEY, Running
from tests.fakes.answers import Embeddings, Images, Text, Usage
from tests.fakes.openai_answers import TINY_PNG, vector_of
from tests.fakes.openai_schema import validate
from tests.fakes.vendor import ScriptedVendor

TEXT_MODEL = "gpt-3.5-turbo-instruct"
EMBEDDING_MODEL = "text-embedding-3-small"


async def test_a_text_is_continued(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vendor.add(Text(" upon a time", usage=Usage(3, 3)))
    completion = await sdk.completions.create(model=TEXT_MODEL, prompt="Once", max_tokens=5, logprobs=2, echo=False)
    assert completion.choices[0].text == " upon a time"
    assert completion.usage is not None
    assert completion.usage.total_tokens == 6
    assert vendor.requests[0].body == {
        "model": TEXT_MODEL,
        "prompt": "Once",
        "max_tokens": 5,
        "logprobs": 2,
        "echo": False,
    }


@pytest.mark.parametrize(
    "prompt", ["Once", ["Once", "Twice"], [1, 2, 3], [[1, 2], [3]]], ids=["text", "texts", "tokens", "lists of tokens"]
)
async def test_every_form_of_prompt_reaches_the_provider(
    vendor: ScriptedVendor, sdk: openai.AsyncOpenAI, prompt: str | list[str] | list[int] | list[list[int]]
) -> None:
    completion = await sdk.completions.create(model=TEXT_MODEL, prompt=prompt)
    assert vendor.requests[0].body["prompt"] == prompt
    assert len(completion.choices) == (2 if prompt in (["Once", "Twice"], [[1, 2], [3]]) else 1)


async def test_a_text_is_continued_piece_by_piece(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vendor.add(Text(" upon a time", usage=Usage(3, 3)))
    stream = await sdk.completions.create(
        model=TEXT_MODEL, prompt="Once", stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert [chunk.choices[0].text for chunk in chunks[:-1]] == [" upon", " a", " time", ""]
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 6


async def test_vectors_arrive_by_the_way_that_the_sdk_prefers(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    embedded = await sdk.embeddings.create(model=EMBEDDING_MODEL, input=["one", "two"], dimensions=4)
    assert [tuple(item.embedding) for item in embedded.data] == [vector_of("one", 4), vector_of("two", 4)]
    assert [item.index for item in embedded.data] == [0, 1]
    assert embedded.usage.prompt_tokens > 0
    assert vendor.requests[0].body["encoding_format"] == "base64"


async def test_vectors_arrive_as_numbers(sdk: openai.AsyncOpenAI) -> None:
    embedded = await sdk.embeddings.create(model=EMBEDDING_MODEL, input="one", encoding_format="float")
    assert tuple(embedded.data[0].embedding) == vector_of("one", 8)


async def test_vectors_in_base64_are_little_endian_floats(http: aiohttp.ClientSession) -> None:
    request = {"model": EMBEDDING_MODEL, "input": "one", "encoding_format": "base64"}
    async with http.post("/v1/embeddings", json=request) as response:
        body = await response.json()
    validate("CreateEmbeddingResponse", body)
    packed = base64.b64decode(body["data"][0]["embedding"])
    assert struct.unpack("<8f", packed) == vector_of("one", 8)


@pytest.mark.parametrize("tokens", [[1, 2, 3], [[1, 2], [3]]], ids=["tokens", "lists of tokens"])
async def test_tokens_are_embedded(
    vendor: ScriptedVendor, sdk: openai.AsyncOpenAI, tokens: list[int] | list[list[int]]
) -> None:
    embedded = await sdk.embeddings.create(model=EMBEDDING_MODEL, input=tokens)
    assert vendor.requests[0].body["input"] == tokens
    assert len(embedded.data) == (1 if tokens == [1, 2, 3] else 2)


async def test_long_vectors_keep_every_digit(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vector = tuple(1 / number for number in range(1, 3073))
    vendor.add(Embeddings((vector,)))
    embedded = await sdk.embeddings.create(model=EMBEDDING_MODEL, input="one", encoding_format="float")
    assert tuple(embedded.data[0].embedding) == vector


async def test_images_are_drawn(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vendor.add(Images(b64_json=(TINY_PNG, TINY_PNG), usage=Usage(7, 200)))
    images = await sdk.images.generate(
        model="gpt-image-1", prompt="A cat", n=2, size="1024x1024", quality="low", background="transparent"
    )
    assert [image.b64_json for image in images.data or ()] == [TINY_PNG, TINY_PNG]
    assert images.usage is not None
    assert images.usage.total_tokens == 207
    assert vendor.requests[0].body["background"] == "transparent"


async def test_images_arrive_as_addresses(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vendor.add(Images(urls=("https://example.org/cat.png",), revised_prompt="A cat, sitting"))
    images = await sdk.images.generate(model="gpt-image-1", prompt="A cat")
    assert images.data is not None
    assert images.data[0].url == "https://example.org/cat.png"
    assert images.data[0].revised_prompt == "A cat, sitting"


async def test_every_model_is_listed_with_who_serves_it(sdk: openai.AsyncOpenAI, http: aiohttp.ClientSession) -> None:
    listed = [(model.id, (model.model_extra or {})["provider"]) async for model in sdk.models.list()]
    assert sorted(listed) == sorted([*((name, "first") for name in MODELS), ("gpt-4o", "second")])
    async with http.get("/v1/models") as response:
        body = await response.json()
    validate("ListModelsResponse", body)
    assert {(model["provider_type"], model["enabled"], model["forced"]) for model in body["data"]} == {
        ("openai", True, False)
    }


@pytest.mark.parametrize("name", ["gpt-4o", "meta-llama/llama-4:free", "second/anything/at:all"])
async def test_a_model_is_found_whatever_its_name_has(sdk: openai.AsyncOpenAI, name: str) -> None:
    model = await sdk.models.retrieve(name)
    assert model.id == name
    assert model.object == "model"


async def test_a_model_is_found_by_its_bare_path(http: aiohttp.ClientSession) -> None:
    async with http.get("/v1/models/meta-llama/llama-4:free") as response:
        body = await response.json()
    validate("Model", body)
    assert body["id"] == "meta-llama/llama-4:free"


async def test_a_model_with_a_slash_is_asked(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    await sdk.chat.completions.create(model="meta-llama/llama-4:free", messages=[{"role": "user", "content": "Hi"}])
    assert vendor.requests[0].body["model"] == "meta-llama/llama-4:free"


@pytest.mark.parametrize("path", ["/health", "/providers", "/v1/models"])
async def test_a_key_for_completions_is_enough_for(gateway: Running, path: str) -> None:
    async with (
        aiohttp.ClientSession(gateway.url, headers={"X-API-Key": COMPLETION_KEY}) as session,
        session.get(path) as response,
    ):
        assert response.status == 200, await response.text()


async def test_health_needs_no_key(gateway: Running) -> None:
    async with aiohttp.ClientSession(gateway.url) as session, session.get("/health") as response:
        body = await response.json()
    assert response.status == 200
    assert body["status"] == "healthy"
    assert body["providers"]["total"] == 2
