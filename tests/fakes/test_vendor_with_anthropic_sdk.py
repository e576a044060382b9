"""Anthropic's own package finds in the scripted vendor what it finds at Anthropic.

Nothing of this project stands in between: what passes here is the fake's faithfulness, on which the other tests rest.
"""

import asyncio
import json
from collections.abc import AsyncIterator

import anthropic
import pytest
from anthropic.types import MessageParam, ToolParam

from tests.fakes.answers import Refusal, Status, Text, Thinking, ToolCall, Usage
from tests.fakes.anthropic_answers import signature_of
from tests.fakes.dialect import DEFAULT_TEXT
from tests.fakes.faults import Crlf, ErrorInStream, Gzip, NoSpace, SplitBytes
from tests.fakes.vendor import ScriptedVendor

MODEL = "claude-scripted-1"
HELLO: list[MessageParam] = [{"role": "user", "content": "Hello"}]
WEATHER: ToolParam = {
    "name": "weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with ScriptedVendor(models=[MODEL, "claude-scripted-2"]) as vendor:
        yield vendor


@pytest.fixture
async def client(vendor: ScriptedVendor) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=vendor.url, api_key=vendor.key, max_retries=0) as client:
        yield client


async def test_the_package_sends_the_new_version_and_a_bearer_key(
    vendor: ScriptedVendor, client: anthropic.AsyncAnthropic
) -> None:
    # anthropic 2.11.0: _constants.py ANTHROPIC_API_VERSION; _client.py default_headers and _api_key_auth.
    await client.messages.create(model=MODEL, max_tokens=64, messages=HELLO)
    headers = vendor.requests[0].headers
    assert headers["anthropic-version"] == "2026-10-21"
    assert headers["authorization"] == f"Bearer {vendor.key}"
    assert "x-api-key" not in headers


async def test_a_message_arrives_whole(vendor: ScriptedVendor, client: anthropic.AsyncAnthropic) -> None:
    vendor.add(Thinking("Hm.") + Text("Hello there", usage=Usage(100, 7, cached_tokens=60, cache_write_tokens=10)))
    message = await client.messages.create(model=MODEL, max_tokens=64, messages=HELLO)
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.stop_reason == "end_turn"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (30, 7)
    assert (message.usage.cache_read_input_tokens, message.usage.cache_creation_input_tokens) == (60, 10)
    assert message._request_id == "req_1"


async def test_a_stream_has_the_events_in_the_vendors_order(
    vendor: ScriptedVendor, client: anthropic.AsyncAnthropic
) -> None:
    vendor.add(Text("Hello there", usage=Usage(9, 2)))
    stream = await client.messages.create(model=MODEL, max_tokens=64, messages=HELLO, stream=True)
    events = [event async for event in stream]
    assert [event.type for event in events] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    delta = events[-2]
    assert delta.type == "message_delta"
    assert (delta.usage.input_tokens, delta.usage.output_tokens) == (9, 2)


async def test_the_accumulator_puts_thought_text_and_tool_calls_together(
    vendor: ScriptedVendor, client: anthropic.AsyncAnthropic
) -> None:
    thought = Thinking("Let me think about it.")
    vendor.add(thought + Text("Grüße!") + ToolCall("weather", {"city": "Köln"}, id="toolu_a") + ToolCall("now"))
    async with client.messages.stream(model=MODEL, max_tokens=64, messages=HELLO, tools=[WEATHER]) as stream:
        message = await stream.get_final_message()
    first, second, third, fourth = message.content
    assert first.type == "thinking"
    assert (first.thinking, first.signature) == (thought.text, signature_of(thought))
    assert second.type == "text"
    assert second.text == "Grüße!"
    assert third.type == "tool_use"
    assert (third.id, third.input) == ("toolu_a", {"city": "Köln"})
    assert fourth.type == "tool_use"
    assert fourth.input == {}
    assert message.stop_reason == "tool_use"


async def test_a_tool_call_and_its_result_make_a_conversation(
    vendor: ScriptedVendor, client: anthropic.AsyncAnthropic
) -> None:
    vendor.add(ToolCall("weather", {"city": "Paris"}, id="toolu_a"), Text("Sunny."))
    first = await client.messages.create(model=MODEL, max_tokens=64, messages=HELLO, tools=[WEATHER])
    second = await client.messages.create(
        model=MODEL,
        max_tokens=64,
        messages=[
            *HELLO,
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_a", "content": "sun"}]},
        ],
        tools=[WEATHER],
    )
    assert second.content[0].type == "text"
    assert second.content[0].text == "Sunny."


async def test_a_refusal_says_why(vendor: ScriptedVendor, client: anthropic.AsyncAnthropic) -> None:
    vendor.add(Refusal("Not that.", category="bio"))
    async with client.messages.stream(model=MODEL, max_tokens=64, messages=HELLO) as stream:
        message = await stream.get_final_message()
    assert (message.stop_reason, message.content) == ("refusal", [])
    assert message.stop_details is not None
    assert (message.stop_details.category, message.stop_details.explanation) == ("bio", "Not that.")


async def test_tokens_are_counted(client: anthropic.AsyncAnthropic) -> None:
    assert (await client.messages.count_tokens(model=MODEL, messages=HELLO)).input_tokens > 0


async def test_models_are_listed_over_pages_and_found(vendor: ScriptedVendor, client: anthropic.AsyncAnthropic) -> None:
    assert [model.id async for model in client.models.list(limit=1)] == [MODEL, "claude-scripted-2"]
    assert [request.query for request in vendor.requests] == [{"limit": "1"}, {"limit": "1", "after_id": MODEL}]
    assert (await client.models.retrieve(MODEL)).max_tokens == 64_000


async def test_a_wrong_key_is_an_authentication_error(vendor: ScriptedVendor) -> None:
    async with anthropic.AsyncAnthropic(base_url=vendor.url, api_key="sk-wrong", max_retries=0) as client:
        with pytest.raises(anthropic.AuthenticationError) as raised:
            await client.messages.create(model=MODEL, max_tokens=64, messages=HELLO)
    assert raised.value.type == "authentication_error"
    assert raised.value.request_id == "req_1"


async def test_an_unknown_model_is_not_found(client: anthropic.AsyncAnthropic) -> None:
    with pytest.raises(anthropic.NotFoundError) as raised:
        await client.messages.create(model="claude-nope", max_tokens=64, messages=HELLO)
    assert raised.value.type == "not_found_error"


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, anthropic.BadRequestError, "invalid_request_error"),
        (403, anthropic.PermissionDeniedError, "permission_error"),
        (413, anthropic.APIStatusError, "request_too_large"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
        (529, anthropic.APIStatusError, "overloaded_error"),
    ],
)
async def test_each_status_has_its_error_class_and_type(
    vendor: ScriptedVendor,
    client: anthropic.AsyncAnthropic,
    status: int,
    error: type[anthropic.APIStatusError],
    kind: str,
) -> None:
    vendor.add(Status(status, {"retry-after": "1"}))
    with pytest.raises(error) as raised:
        await client.messages.create(model=MODEL, max_tokens=64, messages=HELLO)
    assert (raised.value.status_code, raised.value.type) == (status, kind)


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
async def test_the_new_version_knows_no_sampling(
    vendor: ScriptedVendor, client: anthropic.AsyncAnthropic, name: str
) -> None:
    vendor.expect_violation(f"{name}: Extra inputs are not permitted")
    with pytest.raises(anthropic.BadRequestError, match="Extra inputs"):
        await client.messages.create(model=MODEL, max_tokens=64, messages=HELLO, extra_body={name: 1})


async def test_the_old_version_samples_and_takes_the_old_key_header(vendor: ScriptedVendor) -> None:
    headers = {"anthropic-version": "2023-06-01", "x-api-key": vendor.key}
    async with anthropic.AsyncAnthropic(base_url=vendor.url, api_key=vendor.key, default_headers=headers) as client:
        message = await client.messages.create(
            model=MODEL, max_tokens=64, messages=HELLO, extra_body={"temperature": 0.5, "top_k": 5}
        )
    assert message.content[0].type == "text"
    assert vendor.requests[0].headers["anthropic-version"] == "2023-06-01"


@pytest.mark.parametrize(
    "faults",
    [(SplitBytes(1),), (Crlf(), NoSpace()), (Crlf(), SplitBytes(3)), (Gzip(),)],
    ids=["byte-by-byte", "crlf-without-space", "torn-crlf", "gzip"],
)
async def test_the_package_reads_a_stream_in_any_legal_form(
    vendor: ScriptedVendor, client: anthropic.AsyncAnthropic, faults: tuple[SplitBytes, ...]
) -> None:
    vendor.add(Text("Grüße 🌍 an alle").with_fault(*faults))
    async with client.messages.stream(model=MODEL, max_tokens=64, messages=HELLO) as stream:
        assert await stream.get_final_text() == "Grüße 🌍 an alle"


async def test_an_error_within_a_stream_is_raised(vendor: ScriptedVendor, client: anthropic.AsyncAnthropic) -> None:
    vendor.add(Text("Hello there").with_fault(ErrorInStream(after_events=3)))
    async with client.messages.stream(model=MODEL, max_tokens=64, messages=HELLO) as stream:
        with pytest.raises(anthropic.APIStatusError) as raised:
            await stream.get_final_message()
    assert raised.value.type == "overloaded_error"


def use_every_resource(url: str, key: str) -> list[object]:
    """Calls all that the blocking client has, and returns a little of each answer."""
    with anthropic.Anthropic(base_url=url, api_key=key, max_retries=0) as client:
        message = client.messages.create(model=MODEL, max_tokens=64, messages=HELLO)
        with client.messages.stream(model=MODEL, max_tokens=64, messages=HELLO) as stream:
            streamed = stream.get_final_text()
        return [
            json.loads(message.content[0].to_json()),
            streamed,
            client.messages.count_tokens(model=MODEL, messages=HELLO).input_tokens > 0,
            [model.id for model in client.models.list()],
        ]


async def test_the_blocking_client_gets_the_same(vendor: ScriptedVendor) -> None:
    got = await asyncio.to_thread(use_every_resource, vendor.url, vendor.key)
    assert got == [{"type": "text", "text": DEFAULT_TEXT}, DEFAULT_TEXT, True, [MODEL, "claude-scripted-2"]]
