"""Tools through OpenAI's own package: called once, several at once, streamed in pieces, and answered."""

import json
from typing import cast

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from tests.fakes.answers import Text, ToolCall
from tests.fakes.vendor import ScriptedVendor

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the weather?"}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Köln", "Bonn"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


async def test_a_call_arrives_whole(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vendor.add(ToolCall("weather", {"city": "Köln"}, id="call_a"))
    completion = await sdk.chat.completions.create(
        model="gpt-4o", messages=HELLO, tools=[WEATHER], tool_choice="required", parallel_tool_calls=False
    )
    choice = completion.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    assert choice.message.tool_calls is not None
    call = choice.message.tool_calls[0]
    assert call.type == "function"
    assert (call.id, call.function.name, json.loads(call.function.arguments)) == ("call_a", "weather", {"city": "Köln"})
    sent = vendor.requests[0].body
    assert sent["tools"] == [WEATHER]
    assert sent["tool_choice"] == "required"
    assert sent["parallel_tool_calls"] is False


async def test_a_forced_function_reaches_the_provider_as_it_is(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    await sdk.chat.completions.create(
        model="gpt-4o",
        messages=HELLO,
        tools=[WEATHER],
        tool_choice={"type": "function", "function": {"name": "weather"}},
    )
    assert vendor.requests[0].body["tool_choice"] == {"type": "function", "function": {"name": "weather"}}


async def test_parallel_calls_in_pieces_are_put_together(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vendor.add(
        Text("Let me see.")
        + ToolCall("weather", {"city": "Köln"}, id="call_a")
        + ToolCall("weather", {"city": "Bonn"}, id="call_b")
    )
    async with sdk.chat.completions.stream(model="gpt-4o", messages=HELLO, tools=[WEATHER]) as stream:
        completion = await stream.get_final_completion()
    message = completion.choices[0].message
    assert completion.choices[0].finish_reason == "tool_calls"
    assert message.content == "Let me see."
    assert message.tool_calls is not None
    assert [(call.id, call.function.parsed_arguments) for call in message.tool_calls] == [
        ("call_a", {"city": "Köln"}),
        ("call_b", {"city": "Bonn"}),
    ]


async def test_calls_of_several_choices_do_not_mix(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vendor.add(ToolCall("weather", {"city": "Köln"}) + ToolCall("weather", {"city": "Bonn"}))
    async with sdk.chat.completions.stream(model="gpt-4o", messages=HELLO, tools=[WEATHER], n=2) as stream:
        completion = await stream.get_final_completion()
    assert [
        [call.function.parsed_arguments for call in choice.message.tool_calls or ()] for choice in completion.choices
    ] == [[{"city": "Köln"}, {"city": "Bonn"}]] * 2


@pytest.mark.parametrize("arguments", ['{"city": "Kö', "", "not JSON at all"], ids=["torn", "empty", "text"])
async def test_arguments_arrive_as_the_model_wrote_them(
    vendor: ScriptedVendor, sdk: openai.AsyncOpenAI, arguments: str
) -> None:
    vendor.add(ToolCall("weather", arguments), ToolCall("weather", arguments))
    completion = await sdk.chat.completions.create(model="gpt-4o", messages=HELLO, tools=[WEATHER])
    call = (completion.choices[0].message.tool_calls or [])[0]
    assert call.type == "function"
    assert call.function.arguments == arguments
    stream = await sdk.chat.completions.create(model="gpt-4o", messages=HELLO, tools=[WEATHER], stream=True)
    pieces = [
        call.function.arguments or ""
        async for chunk in stream
        for call in chunk.choices[0].delta.tool_calls or ()
        if call.function is not None
    ]
    assert "".join(pieces) == arguments


async def test_a_call_and_its_result_make_a_conversation(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vendor.add(ToolCall("weather", {"city": "Köln"}, id="call_a"), Text("Sunny."))
    first = await sdk.chat.completions.create(model="gpt-4o", messages=HELLO, tools=[WEATHER])
    assistant = cast(
        ChatCompletionMessageParam, first.choices[0].message.model_dump(exclude_none=True, exclude={"annotations"})
    )
    result: ChatCompletionMessageParam = {"role": "tool", "tool_call_id": "call_a", "content": "sun"}
    second = await sdk.chat.completions.create(model="gpt-4o", messages=[*HELLO, assistant, result], tools=[WEATHER])
    assert second.choices[0].message.content == "Sunny."
    assert vendor.requests[1].body["messages"] == [*HELLO, assistant, result]
