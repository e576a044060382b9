"""OpenAI's parameters and messages in Cohere's form, each checked by the scripted vendor's rules too."""

import json
from collections.abc import Mapping
from typing import cast

import pytest

from server.config.provider_settings import ProviderSettings
from server.providers.cohere.request import chat_body
from server.providers.errors import Fault, ProviderError
from tests.fakes.cohere_checks import check_chat
from tests.server.providers.asking import HELLO, chat_ask
from trunkline.v1.chat_pb2 import ChatCompletionRequest

MODEL = "command-a-reasoning-08-2025"
WITHOUT_THOUGHT = "command-a-03-2025"
PARAMETERS_OF = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"name": "weather", "description": "Tells the weather.", "parameters": PARAMETERS_OF}
TIME = {"name": "time", "parameters": {"type": "object", "properties": {}}}
TOOLS = [{"type": "function", "function": function} for function in (WEATHER, TIME)]
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Bern"}'}}
RESULT: dict[str, object] = {"role": "tool", "tool_call_id": "c1", "content": "Rain."}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


def asked(body: Mapping[str, object], model: str = MODEL, **settings: object) -> dict[str, object]:
    """The vendor's body of a request; `streamed` among the settings asks for a stream."""
    streamed = bool(settings.pop("streamed", False))
    row = ProviderSettings.model_validate({"name": "c", "type": "cohere", **settings})
    ask = chat_ask(body, model, streamed)
    return cast(dict[str, object], json.loads(chat_body(ask, cast(ChatCompletionRequest, ask.request), row)))


def written(body: Mapping[str, object], model: str = MODEL, **settings: object) -> dict[str, object]:
    """The vendor's body of a request, after the vendor's own checks."""
    vendor_body = asked(body, model, **settings)
    check_chat(vendor_body)
    return vendor_body


def refused(body: Mapping[str, object], model: str = MODEL, **settings: object) -> tuple[Fault, str]:
    with pytest.raises(ProviderError) as raised:
        asked(body, model, **settings)
    return raised.value.fault, raised.value.param


def test_the_smallest_request_has_what_the_vendor_needs() -> None:
    assert written({}) == {"model": MODEL, "messages": HELLO, "stream": False}
    assert written({}, streamed=True)["stream"] is True


PARAMETERS: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "max_tokens": ({"max_tokens": 5}, {"max_tokens": 5}),
    "max_completion_tokens": ({"max_tokens": 5, "max_completion_tokens": 6}, {"max_tokens": 6}),
    "one stop": ({"stop": "END"}, {"stop_sequences": ["END"]}),
    "stops without empty ones": ({"stop": ["a", "", "\n"]}, {"stop_sequences": ["a", "\n"]}),
    "too many stops": ({"stop": list("abcdef")}, {"stop_sequences": list("abcde")}),
    "temperature": ({"temperature": 0.5}, {"temperature": 0.5}),
    "too hot": ({"temperature": 1.7}, {"temperature": 1}),
    "top_p": ({"top_p": 0.5}, {"p": 0.5}),
    "top_p at its ends": ({"top_p": 1}, {"p": 0.99}),
    "top_p of nothing": ({"top_p": 0}, {"p": 0.01}),
    "top_k": ({"top_k": 5}, {"k": 5}),
    "penalties": ({"frequency_penalty": 0.5, "presence_penalty": 2}, {"frequency_penalty": 0.5, "presence_penalty": 1}),
    "negative penalties": ({"frequency_penalty": -1, "presence_penalty": 0}, {}),
    "seed": ({"seed": 7}, {"seed": 7}),
    "negative seed": ({"seed": -7}, {}),
    "logprobs": ({"logprobs": True, "top_logprobs": 3}, {"logprobs": True}),
    "json": ({"response_format": {"type": "json_object"}}, {"response_format": {"type": "json_object"}}),
    "text": ({"response_format": {"type": "text"}}, {}),
    "schema": (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}},
        {"response_format": {"type": "json_object", "json_schema": SCHEMA}},
    ),
    "low effort": ({"reasoning_effort": "low"}, {"thinking": {"type": "enabled", "token_budget": 2048}}),
    "high effort": ({"reasoning_effort": "high"}, {"thinking": {"type": "enabled"}}),
    "no effort": ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
    "own thinking": (
        {"reasoning_effort": "high", "thinking": {"type": "enabled", "token_budget": 9}},
        {"thinking": {"type": "enabled", "token_budget": 9}},
    ),
    "own fields": (
        {"safety_mode": "STRICT", "documents": ["d"], "citation_options": {"mode": "FAST"}, "priority": 1},
        {"safety_mode": "STRICT", "documents": ["d"], "citation_options": {"mode": "FAST"}, "priority": 1},
    ),
    "hints": ({"user": "u", "metadata": {"a": "b"}, "store": True, "prompt_cache_key": "k", "made_up": 1}, {}),
    "dropped": ({"logit_bias": {"1": 2}, "parallel_tool_calls": False, "web_search_options": {}}, {}),
}


@pytest.mark.parametrize(("given", "expected"), PARAMETERS.values(), ids=PARAMETERS)
def test_parameters(given: dict[str, object], expected: dict[str, object]) -> None:
    assert written(given) == {**written({}), **expected}


def test_the_settings_limit_an_answer_that_the_caller_does_not() -> None:
    assert written({}, default_max_tokens=9)["max_tokens"] == 9
    assert written({"max_tokens": 5}, default_max_tokens=9)["max_tokens"] == 5


REJECTED: dict[str, dict[str, object]] = {
    "logit_bias": {"logit_bias": {"1": 2}},
    "top_logprobs": {"logprobs": True, "top_logprobs": 2},
    "parallel_tool_calls": {"parallel_tool_calls": False},
    "stop": {"stop": list("abcdef")},
    "seed": {"seed": -1},
    "presence_penalty": {"presence_penalty": -1},
    "frequency_penalty": {"frequency_penalty": -0.1},
    "modalities": {"modalities": ["text", "audio"]},
    "prediction": {"prediction": {"type": "content", "content": "x"}},
    "web_search_options": {"web_search_options": {}},
}


@pytest.mark.parametrize(("param", "given"), REJECTED.items(), ids=REJECTED)
def test_what_cannot_be_honoured_is_refused_where_the_settings_say_so(param: str, given: dict[str, object]) -> None:
    assert refused(given, unsupported_parameters="reject") == (Fault.UNSUPPORTED, param)
    assert written(given)


def test_what_changes_nothing_is_not_refused() -> None:
    given = {"parallel_tool_calls": True, "logprobs": False, "presence_penalty": 0, "n": 1, "modalities": ["text"]}
    assert written(given, unsupported_parameters="reject") == written({})


def test_several_choices_are_always_refused() -> None:
    assert refused({"n": 2}) == (Fault.UNSUPPORTED, "n")


@pytest.mark.parametrize("model", [WITHOUT_THOUGHT, "command-r-plus-08-2024", "command-r7b-12-2024", "c4ai-aya-vision-32b"])
def test_models_that_cannot_think_are_not_told_to(model: str) -> None:
    assert "thinking" not in written({"reasoning_effort": "high"}, model)
    assert "thinking" not in written({"reasoning_effort": "none"}, model, unsupported_parameters="reject")
    assert refused({"reasoning_effort": "high"}, model, unsupported_parameters="reject") == (
        Fault.UNSUPPORTED,
        "reasoning_effort",
    )


CHOICES: dict[str, tuple[object, dict[str, object]]] = {
    "auto": ("auto", {"tools": TOOLS}),
    "none": ("none", {"tools": TOOLS, "tool_choice": "NONE"}),
    "required": ("required", {"tools": TOOLS, "tool_choice": "REQUIRED"}),
    "named": ({"type": "function", "function": {"name": "time"}}, {"tools": TOOLS[1:], "tool_choice": "REQUIRED"}),
    "allowed": (
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": WEATHER}]}},
        {"tools": TOOLS[:1]},
    ),
}


@pytest.mark.parametrize(("choice", "expected"), CHOICES.values(), ids=CHOICES)
def test_tools_and_their_choice(choice: object, expected: dict[str, object]) -> None:
    assert written({"tools": TOOLS, "tool_choice": choice}) == {**written({}), **expected}


def test_a_choice_without_tools_is_left_out() -> None:
    assert written({"tool_choice": "none"}) == written({})


def test_tools_are_strict_where_all_are() -> None:
    strict, loose = ({"type": "function", "function": {**WEATHER, "strict": flag}} for flag in (True, False))
    assert written({"tools": [strict]})["strict_tools"] is True
    assert "strict_tools" not in written({"tools": [strict, {**loose, "function": TIME}]})


def test_a_tool_without_parameters_takes_none() -> None:
    body = written({"tools": [{"type": "function", "function": {"name": "time"}}]})
    assert body["tools"] == TOOLS[1:]


def test_parameters_without_a_type_are_an_object() -> None:
    given = {"properties": {"city": {"type": "string"}}, "required": ["city"]}
    body = written({"tools": [{"type": "function", "function": {"name": "weather", "parameters": given}}]})
    assert body["tools"] == [
        {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", **given}}}
    ]


@pytest.mark.parametrize("role", ["system", "assistant", "tool"])
def test_images_of_others_than_the_user_are_refused(role: str) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    messages = [{"role": "user", "content": "Hi"}, {"role": role, "content": [image], "tool_call_id": "c"}]
    assert refused({"messages": messages}) == (Fault.UNSUPPORTED, "messages.content")


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"tools": [{"type": "function", "function": {"name": "look-up"}}]}, "tools.function.name"),
        ({"tools": [{"type": "function", "function": {"name": "2nd"}}]}, "tools.function.name"),
        ({"tools": TOOLS, "tool_choice": {"type": "custom", "custom": {"name": "x"}}}, "tool_choice"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages"),
        ({"messages": [{"role": "critic", "content": "Bad."}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": ""}}]}]}, None),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]}, None),
    ],
)
def test_what_the_vendor_does_not_have_is_always_refused(given: dict[str, object], param: str | None) -> None:
    assert refused(given) == (Fault.UNSUPPORTED, param or "messages.content")


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}}
CITATION = {"start": 0, "end": 4, "text": "Rain", "sources": []}
CONVERSATIONS: dict[str, tuple[list[dict[str, object]], list[dict[str, object]]]] = {
    "developer": (
        [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi", "name": "Ann"}],
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
    ),
    "image": (
        [{"role": "user", "content": [{"type": "text", "text": "What?"}, IMAGE, {"type": "text", "text": ""}]}],
        [{"role": "user", "content": [{"type": "text", "text": "What?"}, IMAGE]}],
    ),
    "empty ones": (
        [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": ""}, {"role": "user", "content": []}],
        [{"role": "user", "content": "Hi"}],
    ),
    "refusal": (
        [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": None, "refusal": "No."}],
        [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "No."}],
    ),
    "calls with a plan": (
        [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": None, "reasoning_content": "I will ask.", "tool_calls": [CALL]},
            RESULT,
        ],
        [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "tool_calls": [CALL], "tool_plan": "I will ask."},
            RESULT,
        ],
    ),
    "citations": (
        [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Rain.", "reasoning_content": "Hm.", "citations": [CITATION]},
        ],
        [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Rain.", "citations": [CITATION]}],
    ),
    "documents of a tool": (
        [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "tool_calls": [CALL]},
            {**RESULT, "content": [{"type": "document", "document": {"data": "Rain."}}]},
        ],
        [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "tool_calls": [CALL]},
            {**RESULT, "content": [{"type": "document", "document": {"data": "Rain."}}]},
        ],
    ),
    "a tool that says nothing": (
        [{"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": [CALL]}, {**RESULT, "content": ""}],
        [{"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": [CALL]}, {**RESULT, "content": ""}],
    ),
}


@pytest.mark.parametrize(("given", "expected"), CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_conversations(given: list[dict[str, object]], expected: list[dict[str, object]]) -> None:
    assert written({"messages": given})["messages"] == expected


def test_a_call_without_arguments_has_an_empty_object() -> None:
    call = {**CALL, "function": {"name": "time", "arguments": ""}}
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": [call]}, RESULT]
    sent = cast(list[dict[str, list[dict[str, object]]]], written({"messages": turns})["messages"])
    assert sent[1]["tool_calls"][0]["function"] == {"name": "time", "arguments": "{}"}


def test_json_that_is_none_is_the_callers_fault() -> None:
    ask = chat_ask({"tools": TOOLS})
    request = cast(ChatCompletionRequest, ask.request)
    request.tools[0].function.parameters_json = "[]"
    with pytest.raises(ProviderError) as raised:
        chat_body(ask, request, ProviderSettings.model_validate({"name": "c", "type": "cohere"}))
    assert raised.value.fault is Fault.INVALID_REQUEST
