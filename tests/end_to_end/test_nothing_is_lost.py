"""What the gateway does not know goes through it unchanged, in both directions and at every level."""

import json
from collections.abc import Mapping

import aiohttp
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.end_to_end import sse
from tests.fakes.answers import Answer, Raw, Text
from tests.fakes.http1_request import JsonObject
from tests.fakes.openai_answers import TINY_PNG
from tests.fakes.vendor import ScriptedVendor

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]
PARTS: list[ChatCompletionMessageParam] = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{TINY_PNG}", "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}},
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
            {"type": "file", "file": {"file_id": "file-123"}},
        ],
    }
]
REQUEST: JsonObject = {
    "model": "gpt-4o",
    "messages": [
        {"role": "system", "content": "Be brief.", "vendor_message": {"cache": True}},
        {
            "role": "user",
            "name": "jo",
            "content": [
                {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}},
                {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "vendor_image": [1, None]}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "f", "arguments": "{}", "vendor_call": 1.5},
                    "vendor_tool_call": "x",
                }
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "", "vendor_tool_result": []},
    ],
    "tools": [
        {
            "type": "function",
            "function": {"name": "f", "parameters": {"type": "object", "x-order": ["b", "a"]}, "vendor_function": True},
            "vendor_tool": {"a": {"b": [1, 2.25, "c", None, True]}},
        }
    ],
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "s", "schema": {"type": "object", "$defs": {}}, "vendor_schema": 0},
        "vendor_format": "y",
    },
    "stop": ["a", "b"],
    "temperature": 0,
    "top_p": None,
    "seed": 9_007_199_254_740_993,
    "logit_bias": {"50256": -100},
    "metadata": {"team": "blue"},
    "reasoning_effort": "none",
    "web_search_options": {"search_context_size": "low"},
    "prediction": {"type": "content", "content": "Hello"},
    "top_k": 40,
    "vendor_request": {"deep": [{"er": -0.5}], "empty": {}, "text": "Grüße 🙂"},
}


def _answer(choice: Mapping[str, object]) -> JsonObject:
    return {
        "id": "x-1",
        "object": "chat.completion",
        "created": 1_763_000_000,
        "model": "gpt-4o",
        "choices": [{"index": 0, "finish_reason": "stop", "logprobs": None, "vendor_choice": [1], **choice}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "vendor_usage": {"cost": 0.125}},
        "system_fingerprint": None,
        "vendor_answer": {"deep": [None, {"a": 1}]},
    }


MESSAGE: JsonObject = {
    "role": "assistant",
    "content": "Hi",
    "refusal": None,
    "annotations": [],
    "vendor_message": {"k": "v"},
}


async def test_parts_of_messages_reach_the_provider_as_they_are(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    await sdk.chat.completions.create(model="gpt-4o", messages=PARTS)
    assert vendor.requests[0].body["messages"] == PARTS


@pytest.mark.parametrize("content", ["text", [{"type": "text", "text": "text"}]], ids=["string", "array"])
async def test_a_string_stays_a_string_and_an_array_an_array(
    vendor: ScriptedVendor, http: aiohttp.ClientSession, content: object
) -> None:
    messages = [{"role": "user", "content": content}]
    async with http.post("/v1/chat/completions", json={"model": "gpt-4o", "messages": messages}) as response:
        assert response.status == 200
    assert vendor.requests[0].body["messages"] == messages


async def test_extra_fields_of_the_sdk_reach_the_provider(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    extra = {"top_k": 40, "provider": {"order": ["a", "b"], "allow_fallbacks": False}, "transforms": []}
    await sdk.chat.completions.create(model="gpt-4o", messages=HELLO, extra_body=extra)
    assert vendor.requests[0].body == {"model": "gpt-4o", "messages": HELLO, **extra}


async def test_a_request_reaches_the_provider_with_every_field_at_every_level(
    vendor: ScriptedVendor, http: aiohttp.ClientSession
) -> None:
    async with http.post("/v1/chat/completions", json=REQUEST) as response:
        assert response.status == 200, await response.text()
    assert vendor.requests[0].body == REQUEST


async def test_a_streamed_request_does_as_well(vendor: ScriptedVendor, http: aiohttp.ClientSession) -> None:
    async with http.post("/v1/chat/completions", json={**REQUEST, "stream": True}) as response:
        assert sse.parse(await response.read()).done
    assert vendor.requests[0].body == {**REQUEST, "stream": True, "stream_options": {"include_usage": True}}


async def test_an_answer_comes_back_with_every_field_at_every_level(
    vendor: ScriptedVendor, http: aiohttp.ClientSession
) -> None:
    answer = _answer({"message": MESSAGE})
    vendor.add(Raw(200, {"content-type": "application/json"}, json.dumps(answer).encode()))
    async with http.post("/v1/chat/completions", json={"model": "gpt-4o", "messages": HELLO}) as response:
        got = await response.json()
    assert {name: value for name, value in got.items() if name != "_proxy_info"} == answer


async def test_an_answer_that_needs_repair_keeps_every_field_too(
    vendor: ScriptedVendor, http: aiohttp.ClientSession
) -> None:
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}", "vendor": 1}, "vendor": 2}]
    answer = _answer({"message": {**MESSAGE, "tool_calls": calls}})
    vendor.add(Raw(200, {"content-type": "application/json"}, json.dumps(answer).encode()))
    async with http.post("/v1/chat/completions", json={"model": "gpt-4o", "messages": HELLO}) as response:
        got = await response.json()
    answer["choices"][0]["finish_reason"] = "tool_calls"
    assert {name: value for name, value in got.items() if name != "_proxy_info"} == answer


@pytest.mark.parametrize("finish", ["stop", "vendor_reason"], ids=["as it is", "through the contract"])
async def test_chunks_come_back_with_every_field_at_every_level(
    vendor: ScriptedVendor, http: aiohttp.ClientSession, finish: str
) -> None:
    chunks = [
        {**_answer({"delta": MESSAGE, "finish_reason": None}), "object": "chat.completion.chunk", "usage": None},
        {**_answer({"delta": {}, "finish_reason": finish}), "object": "chat.completion.chunk"},
    ]
    events = tuple(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)
    vendor.add(Raw(200, {"content-type": "text/event-stream"}, (*events, b"data: [DONE]\n\n")))
    request = {"model": "gpt-4o", "messages": HELLO, "stream": True, "stream_options": {"include_usage": True}}
    async with http.post("/v1/chat/completions", json=request) as response:
        got = sse.parse(await response.read())
    assert got.done
    del got.chunks[-1]["_proxy_info"]
    assert got.chunks == chunks


async def test_the_sdk_finds_unknown_fields_of_answers_and_chunks(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    answer = Answer((Text("Hi"),), extra={"citations": ["https://example.org"]})
    vendor.add(answer, answer)
    completion = await sdk.chat.completions.create(model="gpt-4o", messages=HELLO)
    assert (completion.model_extra or {})["citations"] == ["https://example.org"]
    stream = await sdk.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
    assert all([(chunk.model_extra or {})["citations"] == ["https://example.org"] async for chunk in stream])
