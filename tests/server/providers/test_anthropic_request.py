"""OpenAI's parameters in Anthropic's form, each checked by the scripted vendor's rules too."""

import json
from typing import cast

import pytest

from server.config.provider_settings import ProviderSettings
from server.providers.anthropic.request import NEWEST_VERSION, SAMPLING_VERSION, vendor_request
from server.providers.errors import Fault, ProviderError
from tests.server.providers.anthropic_asking import HELLO, MARK, NEWER, NEWEST, OLDER, TOOLS, USER, asked, refused, written
from tests.server.providers.asking import chat_ask


def test_the_smallest_request_has_what_the_vendor_needs() -> None:
    body, version = written({})
    assert body == {"model": OLDER, "max_tokens": 8192, "messages": [HELLO]}
    assert version == NEWEST_VERSION
    assert written({}, streamed=True)[0]["stream"] is True


PARAMETERS: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "max_tokens": ({"max_tokens": 5}, {"max_tokens": 5}),
    "max_completion_tokens": ({"max_tokens": 5, "max_completion_tokens": 6}, {"max_tokens": 6}),
    "one stop": ({"stop": "END"}, {"stop_sequences": ["END"]}),
    "stops without blank ones": ({"stop": ["a", "\n"]}, {"stop_sequences": ["a"]}),
    "user": ({"user": "u1"}, {"metadata": {"user_id": "u1"}}),
    "metadata": ({"user": "u1", "metadata": {"user_id": "u2", "team": "x"}}, {"metadata": {"user_id": "u2"}}),
    "safety identifier": ({"safety_identifier": "s"}, {"metadata": {"user_id": "s"}}),
    "tier": ({"service_tier": "default"}, {"service_tier": "standard_only"}),
    "unknown tier": ({"service_tier": "flex"}, {}),
    "hints": ({"prompt_cache_key": "k", "store": True, "verbosity": "low", "made_up": 1}, {}),
    "what the vendor knows": ({"cache_control": MARK, "speed": "fast"}, {"cache_control": MARK, "speed": "fast"}),
    "what needs a beta": ({"context_management": {}}, {}),
    "dropped": ({"seed": 1, "logit_bias": {"1": 2}, "logprobs": True, "top_logprobs": 2, "presence_penalty": 1}, {}),
}


@pytest.mark.parametrize(("given", "expected"), PARAMETERS.values(), ids=PARAMETERS)
def test_parameters(given: dict[str, object], expected: dict[str, object]) -> None:
    plain, _ = written({})
    assert written(given)[0] == {**plain, **expected}


def test_a_field_of_a_beta_passes_where_the_settings_name_betas() -> None:
    request = asked(
        {"context_management": {"edits": []}}, custom_headers={"Anthropic-Beta": "context-management-2025-06-27"}
    )
    assert json.loads(request.body)["context_management"] == {"edits": []}


@pytest.mark.parametrize(
    "given",
    [{"seed": 1}, {"logit_bias": {"1": 2}}, {"logprobs": True}, {"presence_penalty": 1}, {"frequency_penalty": -1}],
    ids=lambda given: next(iter(given)),
)
def test_what_cannot_be_honoured_is_refused_where_the_settings_say_so(given: dict[str, object]) -> None:
    assert refused(given, unsupported_parameters="reject") == (Fault.UNSUPPORTED, next(iter(given)))
    assert written({"presence_penalty": 0, "logprobs": False}, unsupported_parameters="reject")


def test_several_choices_are_always_refused() -> None:
    assert refused({"n": 2}) == (Fault.UNSUPPORTED, "n")
    assert written({"n": 1})


SAMPLING: dict[str, tuple[dict[str, object], str, dict[str, object], dict[str, object], str]] = {
    "none": ({}, OLDER, {}, {}, NEWEST_VERSION),
    "temperature": ({"temperature": 0}, OLDER, {}, {"temperature": 0}, SAMPLING_VERSION),
    "too high": ({"temperature": 1.7}, OLDER, {}, {"temperature": 1}, SAMPLING_VERSION),
    "top_p": ({"top_p": 0.5}, OLDER, {}, {"top_p": 0.5}, SAMPLING_VERSION),
    "top_k": ({"top_k": 5}, OLDER, {}, {"top_k": 5}, SAMPLING_VERSION),
    "both": ({"temperature": 0.5, "top_p": 0.5}, OLDER, {}, {"temperature": 0.5}, SAMPLING_VERSION),
    "both, one of them for nothing": ({"temperature": 1, "top_p": 0.5}, OLDER, {}, {"top_p": 0.5}, SAMPLING_VERSION),
    "both at an old model": (
        {"temperature": 1, "top_p": 0.5},
        "claude-3-5-haiku-20241022",
        {},
        {"temperature": 1, "top_p": 0.5},
        SAMPLING_VERSION,
    ),
    "a model without": ({"temperature": 0.5, "top_k": 5}, NEWER, {}, {}, NEWEST_VERSION),
    "the older version": ({}, OLDER, {"api_version": SAMPLING_VERSION}, {}, SAMPLING_VERSION),
    "the newest version": ({"temperature": 0.5}, OLDER, {"api_version": NEWEST_VERSION}, {}, NEWEST_VERSION),
    "while thinking": ({"temperature": 0.5, "reasoning_effort": "low"}, OLDER, {}, {}, NEWEST_VERSION),
    "another vendor's model": ({"temperature": 0.5}, "glm-5", {}, {"temperature": 0.5}, SAMPLING_VERSION),
}


@pytest.mark.parametrize(("given", "model", "settings", "sent", "version"), SAMPLING.values(), ids=SAMPLING)
def test_sampling_decides_the_version(
    given: dict[str, object], model: str, settings: dict[str, object], sent: dict[str, object], version: str
) -> None:
    body, written_for = written(given, model, **settings)
    assert {name: body[name] for name in ("temperature", "top_p", "top_k") if name in body} == sent
    assert written_for == version


@pytest.mark.parametrize(("model", "pinned"), [(NEWER, None), (OLDER, NEWEST_VERSION)])
def test_sampling_that_is_not_taken_is_refused_where_the_settings_say_so(model: str, pinned: str | None) -> None:
    settings = {"unsupported_parameters": "reject", "api_version": pinned}
    assert refused({"temperature": 0.5}, model, **settings) == (Fault.UNSUPPORTED, "temperature")


def test_sampling_that_changes_nothing_is_never_refused() -> None:
    body, _ = written({"temperature": 1, "top_p": 1}, NEWER, unsupported_parameters="reject")
    assert not {"temperature", "top_p"} & set(body)
    body, _ = written({"temperature": 0.5, "top_p": 1}, OLDER, unsupported_parameters="reject")
    assert ("top_p" in body, body["temperature"]) == (False, 0.5)


def test_a_model_that_takes_one_of_two_samplings_refuses_the_other_where_the_settings_say_so() -> None:
    asked = {"temperature": 0.5, "top_p": 0.5}
    assert refused(asked, OLDER, unsupported_parameters="reject") == (Fault.UNSUPPORTED, "top_p")


SHOWN = {"type": "adaptive", "display": "summarized"}
THINKING: dict[str, tuple[str, dict[str, object], object, object]] = {
    "by effort": (NEWER, {"reasoning_effort": "high"}, SHOWN, {"effort": "high"}),
    "minimal": (NEWER, {"reasoning_effort": "minimal"}, SHOWN, {"effort": "low"}),
    "the highest but one": (NEWEST, {"reasoning_effort": "xhigh"}, SHOWN, {"effort": "xhigh"}),
    "a lower highest": ("claude-sonnet-4-6", {"reasoning_effort": "xhigh"}, SHOWN, {"effort": "high"}),
    "off": (NEWER, {"reasoning_effort": "none"}, {"type": "disabled"}, None),
    "off between tools": ("claude-sonnet-5-5", {"reasoning_effort": "none"}, {"type": "between_tools"}, None),
    "never off": (NEWEST, {"reasoning_effort": "none"}, None, {"effort": "low"}),
    "by budget": (OLDER, {"reasoning_effort": "medium"}, {"type": "enabled", "budget_tokens": 10_000}, None),
    "a budget below the limit": (
        OLDER,
        {"reasoning_effort": "high", "max_tokens": 2000},
        {"type": "enabled", "budget_tokens": 1999},
        None,
    ),
    "no room for a budget": (OLDER, {"reasoning_effort": "high", "max_tokens": 1000}, None, None),
    "off by budget": (OLDER, {"reasoning_effort": "none"}, None, None),
    "not at all": ("claude-3-5-haiku-20241022", {"reasoning_effort": "high"}, None, None),
    "the caller's own": (NEWER, {"thinking": {"type": "disabled"}}, {"type": "disabled"}, None),
    "the caller's own with effort": (
        NEWER,
        {"thinking": {"type": "adaptive"}, "reasoning_effort": "low"},
        {"type": "adaptive"},
        {"effort": "low"},
    ),
    "with a forced call": (
        NEWER,
        {"reasoning_effort": "low", "tools": TOOLS, "tool_choice": "required"},
        None,
        {"effort": "low"},
    ),
    "a forced call by budget": (OLDER, {"reasoning_effort": "low", "tools": TOOLS, "tool_choice": "required"}, None, None),
}


@pytest.mark.parametrize(("model", "given", "thinking", "config"), THINKING.values(), ids=THINKING)
def test_reasoning_effort_is_thinking(model: str, given: dict[str, object], thinking: object, config: object) -> None:
    body, _ = written(given, model)
    assert body.get("thinking") == thinking
    assert body.get("output_config") == config


def loop(*assistant: dict[str, object]) -> dict[str, object]:
    """A conversation whose assistant has called tools so, each time with a result."""
    messages: list[object] = [USER]
    for number, said in enumerate(assistant):
        call = {"id": f"c{number}", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        messages.append({"role": "assistant", **said, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": f"c{number}", "content": "1"})
    return {"messages": messages, "tools": TOOLS, "reasoning_effort": "low", "temperature": 0.5}


THOUGHT: dict[str, object] = {"thinking_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": "s"}]}


def test_calls_that_come_back_without_their_thoughts_are_gone_on_from_without_thinking() -> None:
    for lost in (loop({}), loop({}, {}), loop({"reasoning_content": "Hm."})):
        body, version = written(lost, OLDER)
        assert ("thinking" in body, body["temperature"], version) == (False, 0.5, SAMPLING_VERSION)
    for kept in (loop(THOUGHT), loop(THOUGHT, {})):
        assert "thinking" in written(kept, OLDER)[0]
    ended = [*cast(list[object], loop({})["messages"]), {"role": "assistant", "content": "1."}, USER]
    later = {**loop({}), "messages": ended}
    assert "thinking" in written(later, OLDER)[0]


@pytest.mark.parametrize("model", [NEWER, "glm-5"])
def test_models_that_do_not_mind_think_on_without_their_thoughts(model: str) -> None:
    assert "thinking" in written(loop({}), model)[0]


def test_a_budget_is_added_to_a_limit_that_nobody_set() -> None:
    assert written({"reasoning_effort": "medium"}, default_max_tokens=500)[0]["max_tokens"] == 10_500


def test_an_effort_that_is_unknown_is_refused_where_the_settings_say_so() -> None:
    assert refused({"reasoning_effort": "heroic"}, unsupported_parameters="reject") == (
        Fault.UNSUPPORTED,
        "reasoning_effort",
    )


FORM = {
    "type": "json_schema",
    "json_schema": {
        "name": "w",
        "schema": {
            "type": "object",
            "properties": {"items": {"type": "array", "minItems": 2, "items": {"oneOf": [{"$ref": "#/$defs/d"}]}}},
            "$defs": {
                "d": {"type": "object", "properties": {"s": {"type": "string", "format": "date", "description": "A day."}}}
            },
            "additionalProperties": True,
        },
    },
}


def test_a_schema_is_the_output_format_with_only_what_the_vendor_takes() -> None:
    body, _ = written({"response_format": FORM, "output_config": {"effort": "low"}})
    day = {"s": {"type": "string", "format": "date", "description": "A day."}}
    assert body["output_config"] == {
        "effort": "low",
        "format": {
            "type": "json_schema",
            "schema": {
                "type": "object",
                "properties": {
                    "items": {
                        "type": "array",
                        "items": {"anyOf": [{"$ref": "#/$defs/d"}]},
                        "description": '{"minItems":2}',
                    }
                },
                "$defs": {"d": {"type": "object", "properties": day, "additionalProperties": False}},
                "additionalProperties": False,
            },
        },
    }


def test_a_model_that_knows_no_schemas_is_told_in_words() -> None:
    body, _ = written({"response_format": FORM}, "claude-3-5-haiku-20241022")
    assert "output_config" not in body
    assert '"$defs"' in str(body["system"])


def test_a_json_object_is_asked_for_in_words_behind_the_system_prompt() -> None:
    body, _ = written(
        {"response_format": {"type": "json_object"}, "messages": [{"role": "system", "content": "Be kind."}, USER]}
    )
    system = str(body["system"])
    assert system.startswith("Be kind.\n\n")
    assert "JSON object" in system


def test_extras_that_are_no_object_are_the_callers_fault() -> None:
    ask = chat_ask({}, OLDER)
    ask.request.extra_json = "[1"
    row = ProviderSettings(name="a", type="anthropic")
    with pytest.raises(ProviderError) as raised:
        vendor_request(ask, ask.request, row)  # type: ignore[arg-type]
    assert (raised.value.fault, raised.value.param) == (Fault.INVALID_REQUEST, "extra_json")
