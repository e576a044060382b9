"""A streamed answer adds up to what the unstreamed one says."""

from collections.abc import AsyncIterator
from typing import cast

import orjson
import pytest

from server.dispatch.fold import fold_chat, fold_text
from server.providers.base import Ask, Operation, Provider
from server.providers.echo import provider as echo
from server.providers.openai import provider as openai
from tests.fakes.answers import Answer, Part, Refusal, Text, Thinking, ToolCall, Usage
from tests.fakes.vendor import ScriptedVendor
from tests.server.providers.asking import chat_ask, chat_batches, chunks_of, context
from trunkline.v1.chat_pb2 import ChatCompletionChunk
from trunkline.v1.text_pb2 import TextCompletion
from trunkline_json import CHAT_CHUNK, CHAT_COMPLETION, TEXT_COMPLETION, TEXT_REQUEST

OF_THE_CALL = ("id", "created", "system_fingerprint")
"""Differ between two calls."""

TOOL: dict[str, object] = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ASKS: dict[str, dict[str, object]] = {
    "text": {},
    "two choices": {"n": 2},
    "tools": {"tools": [TOOL], "tool_choice": "required"},
    "json": {"response_format": {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA}}},
    "short": {"max_tokens": 1},
}
ANSWERS: dict[str, Part | Answer] = {
    "text": Text("Hello there, 👋🏽 you."),
    "usage": Text("Hi", usage=Usage(100, 20, cached_tokens=50, reasoning_tokens=7)),
    "length": Text("Hello", finish_reason="length"),
    "filter": Text("Hello", finish_reason="content_filter"),
    "refusal": Refusal("I'd rather not."),
    "reasoning": Thinking("Let me see.") + Text("Yes."),
    "call": ToolCall("weather", {"city": "Zürich", "days": 3}, id="call_1"),
    "calls": Text("Both.") + ToolCall("weather", {"a": 1}, id="call_1") + ToolCall("time", {}, id="call_2"),
    "broken arguments": ToolCall("weather", '{"city": "Zü', id="call_1"),
    "all": Thinking("Hm.") + Text("So.") + ToolCall("time", {"zone": "CET"}, id="call_9"),
}


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with ScriptedVendor() as vendor:
        yield vendor


async def said(provider: Provider, body: dict[str, object], streamed: bool) -> dict[str, object]:
    """A completion as JSON, without what differs between two calls."""
    asked = {**body, "stream_options": {"include_usage": True}} if streamed else body
    chunks = chunks_of(await chat_batches(provider, chat_ask(asked, streamed=streamed)))
    rendered = CHAT_COMPLETION.render(fold_chat(chunks))
    for choice in cast(list[dict[str, dict[str, object]]], rendered["choices"]):
        choice["message"].pop("annotations", None)  # only whole answers have them
    return {key: value for key, value in rendered.items() if key not in OF_THE_CALL}


@pytest.mark.parametrize("body", ASKS.values(), ids=ASKS.keys())
async def test_what_echo_streams_adds_up_to_what_it_says(body: dict[str, object]) -> None:
    async with context("echo") as given:
        provider = echo.build(given)
        streamed, whole = await said(provider, body, True), await said(provider, body, False)
    assert without_call_ids(streamed) == without_call_ids(whole)


def without_call_ids(completion: dict[str, object]) -> dict[str, object]:
    for choice in cast(list[dict[str, dict[str, list[dict[str, object]]]]], completion["choices"]):
        for call in choice["message"].get("tool_calls", []):
            assert call.pop("id")
    return completion


@pytest.mark.parametrize("choices", [1, 3], ids=["one choice", "three choices"])
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
async def test_what_a_vendor_streams_adds_up_to_what_it_says(
    vendor: ScriptedVendor, answer: Part | Answer, choices: int
) -> None:
    vendor.add(answer, answer)
    async with context("openai", base_url=f"{vendor.url}/v1", api_key=vendor.key) as given:
        provider = openai.build(given)
        streamed, whole = await said(provider, {"n": choices}, True), await said(provider, {"n": choices}, False)
    assert streamed == whole


@pytest.mark.parametrize("prompt", ["a", ["a", "b"]], ids=["one prompt", "two prompts"])
async def test_a_text_that_is_streamed_adds_up_to_the_whole_one(vendor: ScriptedVendor, prompt: object) -> None:
    folded = []
    async with context("openai", base_url=f"{vendor.url}/v1", api_key=vendor.key) as given:
        for streamed in (True, False):
            vendor.add(Text("Once upon a time"))
            body = {"model": "m", "prompt": prompt, "n": 2, "stream_options": {"include_usage": True}}
            ask = Ask(Operation.TEXT, TEXT_REQUEST.parse(body, True), "m", streamed, timeout_s=20)
            batches = await chat_batches(openai.build(given), ask)
            chunks = [cast(TextCompletion, chunk) for batch in batches for chunk in batch.chunks]
            rendered = TEXT_COMPLETION.render(fold_text(chunks))
            folded.append({key: value for key, value in rendered.items() if key not in OF_THE_CALL})
    assert folded[0] == folded[1]


def chunk(**choice: object) -> ChatCompletionChunk:
    return CHAT_CHUNK.parse({"id": "c", "model": "m", "choices": [{"index": 0, **choice}]}, strict=True)


def folded_message(*deltas: dict[str, object]) -> object:
    """The message that deltas add up to, as JSON."""
    rendered = CHAT_COMPLETION.render(fold_chat([chunk(delta=delta) for delta in deltas]))
    return cast(list[dict[str, object]], rendered["choices"])[0]["message"]


def test_an_answer_of_one_chunk_is_that_chunk() -> None:
    message: dict[str, object] = {"role": "assistant", "content": None, "refusal": None, "vendors_own": {"a": [1]}}
    assert folded_message(message) == message


def test_an_empty_text_is_not_an_absent_one() -> None:
    assert folded_message({"role": "assistant"}, {"content": ""}) == {"role": "assistant", "content": "", "refusal": None}
    assert folded_message({"role": "assistant"}, {}) == {"role": "assistant", "content": None, "refusal": None}


def test_pieces_of_calls_may_come_in_turns() -> None:
    def piece(index: int, text: str, **more: object) -> dict[str, object]:
        return {"tool_calls": [{"index": index, **more, "function": {"arguments": text}}]}

    message = folded_message(piece(1, "[", id="b"), piece(0, "{", id="a"), piece(1, "]"), piece(0, "}"))
    calls = cast(dict[str, list[dict[str, object]]], message)["tool_calls"]
    assert sorted((call["id"], call["function"]["arguments"]) for call in calls) == [("a", "{}"), ("b", "[]")]  # type: ignore[index]


def test_a_name_that_is_said_again_is_not_doubled() -> None:
    call = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{"}}
    again = {"index": 0, "function": {"name": "f", "arguments": "}"}}
    message = cast(dict[str, object], folded_message({"tool_calls": [call]}, {"tool_calls": [again]}))
    assert message["tool_calls"] == [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


def test_log_probabilities_are_strung_together() -> None:
    tokens: list[dict[str, object]] = [{"token": text, "logprob": -0.5, "bytes": None, "top_logprobs": []} for text in "ab"]
    chunks = [chunk(delta={"content": one["token"]}, logprobs={"content": [one], "refusal": None}) for one in tokens]
    rendered = CHAT_COMPLETION.render(fold_chat(chunks))
    logprobs = cast(list[dict[str, dict[str, object]]], rendered["choices"])[0]["logprobs"]
    assert logprobs["content"] == tokens


def test_choices_come_in_the_order_of_their_indices() -> None:
    pieces = [
        CHAT_CHUNK.parse({"choices": [{"index": index, "delta": {"content": str(index)}}]}, strict=True)
        for index in (2, 0, 1, 0)
    ]
    assert [choice.message.content for choice in fold_chat(pieces).choices] == ["00", "1", "2"]
    assert [choice.index for choice in fold_chat(pieces).choices] == [0, 1, 2]


def test_usage_that_grows_counts_once() -> None:
    chunks = [
        CHAT_CHUNK.parse({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": count}}, strict=True)
        for count in (1, 2, 3)
    ]
    usage = fold_chat(chunks).usage
    assert (usage.input_tokens, usage.output_tokens) == (5, 3)


def test_keys_of_nobody_come_from_every_chunk() -> None:
    bodies: list[dict[str, object]] = [
        {"choices": [{"index": 0, "delta": {"content": "a"}}], "provider": "x"},
        {"choices": [{"index": 0, "delta": {"content": "b"}}], "provider": "y"},
        {"choices": [], "citations": ["https://example.com"]},
    ]
    rendered = CHAT_COMPLETION.render(fold_chat([CHAT_CHUNK.parse(body, strict=True) for body in bodies]))
    assert (rendered["provider"], rendered["citations"]) == ("y", ["https://example.com"])
    assert len(cast(list[object], rendered["choices"])) == 1


def test_folding_leaves_the_chunks_as_they_were() -> None:
    chunks = [chunk(delta={"content": "a"}), chunk(delta={"content": "b"})]
    before = [one.SerializeToString() for one in chunks]
    fold_chat(chunks)
    assert [one.SerializeToString() for one in chunks] == before


def test_lists_that_a_message_carries_are_joined() -> None:
    parts = [
        {"index": 0, "delta": {"content": "a", "extra_json": '{"images":[1],"mark":1}'}},
        {"index": 0, "delta": {"content": "b", "extra_json": '{"images":[2],"mark":2}'}},
    ]
    folded = fold_chat([ChatCompletionChunk(choices=[part]) for part in parts])
    assert orjson.loads(folded.choices[0].message.extra_json) == {"images": [1, 2], "mark": 2}
