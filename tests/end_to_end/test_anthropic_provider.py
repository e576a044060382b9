"""OpenAI's own package -> gateway -> a provider that speaks Anthropic's dialect, in both its versions."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import aiohttp
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from tests.end_to_end import sse
from tests.end_to_end.running import KEY, Running, Topology, config, run_gateway
from tests.fakes.answers import Refusal, Status, Text, Thinking, ToolCall, Usage
from tests.fakes.faults import Cut, ErrorInStream
from tests.fakes.openai_schema import validate
from tests.fakes.vendor import ScriptedVendor

OLD, NEW = "2023-06-01", "2026-10-21"
MODEL = "claude-haiku-4-5"
THINKER = "claude-opus-4-8"
HELLO: list[ChatCompletionMessageParam] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
USAGE = Usage(20, 3, cached_tokens=8, cache_write_tokens=2, reasoning_tokens=1)


@pytest.fixture(params=[None, OLD, NEW], ids=["version by need", "old version", "new version"])
def version(request: pytest.FixtureRequest) -> str | None:
    """What the row says of the version."""
    chosen: str | None = request.param
    return chosen


@pytest.fixture
async def gateway(vendor: ScriptedVendor, tmp_path: Path, topology: Topology, version: str | None) -> AsyncIterator[Running]:
    """A gateway with one provider of the type `anthropic`."""
    row = {
        "name": "first",
        "type": "anthropic",
        "max_retries": 0,
        "base_url": vendor.url,
        "api_key": vendor.key,
        "models": ["claude-*"],
        **({"api_version": version} if version else {}),
    }
    async with run_gateway(tmp_path, config([row]), topology) as running:
        yield running


@pytest.fixture
async def sdk(gateway: Running) -> AsyncIterator[openai.AsyncOpenAI]:
    """OpenAI's own package, pointed at the gateway."""
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0) as client:
        yield client


async def test_a_completion_arrives_whole(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI, version: str | None) -> None:
    vendor.add(Text("Hello there", usage=USAGE))
    completion = await sdk.chat.completions.create(model=MODEL, messages=HELLO)
    assert completion.choices[0].message.content == "Hello there"
    assert completion.choices[0].finish_reason == "stop"
    sent = vendor.requests[0]
    assert sent.headers["anthropic-version"] == (version or NEW)
    assert sent.body["system"] == "Be brief."
    assert [message["role"] for message in sent.body["messages"]] == ["user"]


async def test_usage_is_counted_as_openai_counts(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vendor.add(Text("Hello", usage=USAGE), Text("Hello", usage=USAGE))
    whole = (await sdk.chat.completions.create(model=MODEL, messages=HELLO)).usage
    stream = await sdk.chat.completions.create(
        model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    streamed = [chunk.usage async for chunk in stream][-1]
    for usage in (whole, streamed):
        assert usage is not None
        assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (20, 3, 23)
        assert usage.prompt_tokens_details is not None
        assert usage.prompt_tokens_details.cached_tokens == 8
        assert usage.completion_tokens_details is not None
        assert usage.completion_tokens_details.reasoning_tokens == 1


async def test_a_temperature_is_sent_where_the_version_takes_it(
    vendor: ScriptedVendor, sdk: openai.AsyncOpenAI, version: str | None
) -> None:
    await sdk.chat.completions.create(model=MODEL, messages=HELLO, temperature=0.5)
    sent = vendor.requests[0]
    assert sent.headers["anthropic-version"] == (version or OLD)
    assert ("temperature" in sent.body) is (version != NEW)


@pytest.mark.parametrize("counted", [False, True], ids=["without usage", "with usage"])
async def test_every_chunk_has_the_form_of_openai(vendor: ScriptedVendor, gateway: Running, counted: bool) -> None:
    vendor.add(Thinking("Hm.") + Text("Hello there") + ToolCall("weather", {"city": "Köln"}, id="toolu_a"))
    options = {"stream_options": {"include_usage": True}} if counted else {}
    request = {"model": THINKER, "messages": HELLO, "tools": [WEATHER], "stream": True, **options}
    async with (
        aiohttp.ClientSession(gateway.url, headers={"X-API-Key": KEY}) as session,
        session.post("/v1/chat/completions", json=request) as response,
    ):
        body = sse.parse(await response.read())
    assert response.headers["x-trunkline-provider"] == "first"
    assert body.done
    assert body.chunks[-1].pop("_proxy_info")["provider"] == "first"
    for chunk in body.chunks:
        validate("CreateChatCompletionStreamResponse", chunk)
    assert body.chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert bool(body.chunks[-1]["choices"]) is not counted
    assert (body.chunks[-1].get("usage") is not None) is counted


async def test_a_whole_answer_has_the_form_of_openai(vendor: ScriptedVendor, gateway: Running) -> None:
    vendor.add(Thinking("Hm.") + Text("Hello") + ToolCall("weather", {"city": "Köln"}))
    request = {"model": THINKER, "messages": HELLO, "tools": [WEATHER]}
    async with (
        aiohttp.ClientSession(gateway.url, headers={"X-API-Key": KEY}) as session,
        session.post("/v1/chat/completions", json=request) as response,
    ):
        body = await response.json()
    assert body.pop("_proxy_info")["provider"] == "first"
    validate("CreateChatCompletionResponse", body)


async def test_calls_of_tools_arrive_whole_and_streamed(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    answer = (
        Text("Let me see.")
        + ToolCall("weather", {"city": "Köln"}, id="toolu_a")
        + ToolCall("weather", {"city": "Bonn"}, id="toolu_b")
    )
    vendor.add(answer, answer)
    expected = [("toolu_a", "weather", {"city": "Köln"}), ("toolu_b", "weather", {"city": "Bonn"})]
    whole = await sdk.chat.completions.create(model=MODEL, messages=HELLO, tools=[WEATHER])
    async with sdk.chat.completions.stream(model=MODEL, messages=HELLO, tools=[WEATHER]) as stream:
        streamed = await stream.get_final_completion()
    for message, reason in (
        (whole.choices[0].message, whole.choices[0].finish_reason),
        (streamed.choices[0].message, streamed.choices[0].finish_reason),
    ):
        assert reason == "tool_calls"
        assert message.content == "Let me see."
        calls = [
            (call.id, call.function.name, json.loads(call.function.arguments))
            for call in message.tool_calls or ()
            if call.type == "function"
        ]
        assert calls == expected
    assert vendor.requests[0].body["tools"][0]["input_schema"]["required"] == ["city"]


async def test_thoughts_go_back_signed_while_a_tool_loop_goes_on(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    thought = Thinking("I need the weather.", signature="c2ln")
    vendor.add(thought + ToolCall("weather", {"city": "Köln"}, id="toolu_a"), Text("Sunny."))
    first = await sdk.chat.completions.create(model=THINKER, messages=HELLO, tools=[WEATHER], reasoning_effort="low")
    message = first.choices[0].message
    assert (message.model_extra or {})["reasoning_content"] == "I need the weather."
    assistant = cast(ChatCompletionMessageParam, message.model_dump(exclude_none=True))
    result: ChatCompletionMessageParam = {"role": "tool", "tool_call_id": "toolu_a", "content": "sun"}
    await sdk.chat.completions.create(
        model=THINKER, messages=[*HELLO, assistant, result], tools=[WEATHER], reasoning_effort="low"
    )
    blocks = vendor.requests[1].body["messages"][1]["content"]
    assert blocks[0] == {"type": "thinking", "thinking": "I need the weather.", "signature": "c2ln"}
    assert blocks[-1] == {"type": "tool_use", "id": "toolu_a", "name": "weather", "input": {"city": "Köln"}}


async def test_streamed_thoughts_bring_their_signature(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vendor.add(Thinking("Let me think.", signature="c2ln") + Text("Four."))
    stream = await sdk.chat.completions.create(model=THINKER, messages=HELLO, stream=True, reasoning_effort="low")
    extras = [chunk.choices[0].delta.model_extra or {} async for chunk in stream]
    assert "".join(extra.get("reasoning_content") or "" for extra in extras) == "Let me think."
    blocks = [block for extra in extras for block in extra.get("thinking_blocks") or ()]
    assert "c2ln" in [block.get("signature") for block in blocks]


async def test_several_blocks_of_thought_are_put_together_and_can_be_sent_back(
    vendor: ScriptedVendor, sdk: openai.AsyncOpenAI
) -> None:
    vendor.add(Thinking("One.", signature="b25l") + Text("Hm.") + Thinking("Two.", signature="dHdv") + Text("Yes."))
    async with sdk.chat.completions.stream(model=THINKER, messages=HELLO, reasoning_effort="low") as stream:
        message = (await stream.get_final_completion()).choices[0].message
    again = cast(list[ChatCompletionMessageParam], [*HELLO, message, *HELLO])
    await sdk.chat.completions.create(model=THINKER, messages=again, reasoning_effort="low")
    sent = vendor.requests[-1].body["messages"][1]["content"]
    assert [(block["thinking"], block["signature"]) for block in sent[:2]] == [("One.", "b25l"), ("Two.", "dHdv")]


async def test_a_refusal_is_told_as_one(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vendor.add(Refusal("Not this."), Refusal("Not this."))
    whole = await sdk.chat.completions.create(model=MODEL, messages=HELLO)
    assert whole.choices[0].finish_reason == "content_filter"
    assert whole.choices[0].message.refusal == "Not this."
    stream = await sdk.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    chunks = [chunk async for chunk in stream]
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "content_filter"


@pytest.mark.parametrize(("status", "told"), [(400, 400), (401, 503), (404, 404), (429, 429), (500, 503), (529, 503)])
async def test_what_the_vendor_refuses_is_told_in_openai_s_words(
    vendor: ScriptedVendor, sdk: openai.AsyncOpenAI, status: int, told: int
) -> None:
    vendor.add(Status(status, message="Said by the vendor"))
    with pytest.raises(openai.APIStatusError, match="Said by the vendor") as caught:
        await sdk.chat.completions.create(model=MODEL, messages=HELLO)
    assert caught.value.status_code == told


@pytest.mark.parametrize("fault", [Cut(after_events=4), ErrorInStream(after_events=4)], ids=["cut", "error event"])
async def test_a_stream_that_breaks_off_ends_with_an_error(
    vendor: ScriptedVendor, sdk: openai.AsyncOpenAI, fault: Cut | ErrorInStream
) -> None:
    vendor.add(Text("Hello there all of you").with_fault(fault))
    stream = await sdk.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    texts: list[str | None] = []
    with pytest.raises(openai.APIError, match="broke off"):
        texts.extend([chunk.choices[0].delta.content async for chunk in stream])
