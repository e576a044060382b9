"""OpenAI's tools in Anthropic's form, each checked by the scripted vendor's rules too."""

import json

import pytest

from server.providers.errors import Fault
from tests.server.providers.anthropic_asking import MARK, TOOLS, WEATHER, refused, written

CHOICES: dict[str, tuple[dict[str, object], object]] = {
    "none said": ({}, None),
    "auto": ({"tool_choice": "auto"}, {"type": "auto"}),
    "none": ({"tool_choice": "none", "parallel_tool_calls": False}, {"type": "none"}),
    "required": ({"tool_choice": "required"}, {"type": "any"}),
    "named": ({"tool_choice": {"type": "function", "function": {"name": "weather"}}}, {"type": "tool", "name": "weather"}),
    "one at a time": ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
    "one at a time and forced": (
        {"tool_choice": "required", "parallel_tool_calls": False},
        {"type": "any", "disable_parallel_tool_use": True},
    ),
    "several": ({"parallel_tool_calls": True}, None),
    "allowed": (
        {
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "weather"}}]},
            }
        },
        {"type": "any"},
    ),
}


@pytest.mark.parametrize(("given", "choice"), CHOICES.values(), ids=CHOICES)
def test_choices_of_tools(given: dict[str, object], choice: object) -> None:
    clock = {"type": "function", "function": {"name": "clock"}}
    body, _ = written({"tools": [*TOOLS, clock], **given})
    assert body.get("tool_choice") == choice
    names = [tool["name"] for tool in body["tools"]]  # type: ignore[attr-defined]
    assert names == (["weather"] if "allowed_tools" in json.dumps(given) else ["weather", "clock"])


def test_a_choice_without_tools_is_left_out() -> None:
    assert "tool_choice" not in written({"tool_choice": "auto"})[0]


def test_a_tool_keeps_its_schema_and_what_the_vendor_knows_of_the_rest() -> None:
    tool = {"type": "function", "function": WEATHER, "cache_control": MARK, "colour": "red"}
    assert written({"tools": [tool]})[0]["tools"] == [
        {
            "name": "weather",
            "description": "Tells the weather.",
            "input_schema": WEATHER["parameters"],
            "cache_control": MARK,
        }
    ]


def test_tools_without_a_schema_take_an_empty_object() -> None:
    tools = [{"type": "function", "function": {"name": "clock"}}]
    assert written({"tools": tools})[0]["tools"] == [{"name": "clock", "input_schema": {"type": "object", "properties": {}}}]


def test_a_strict_tool_has_a_closed_schema() -> None:
    parameters = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "$schema": "x"}
    tools = [{"type": "function", "function": {"name": "f", "parameters": parameters, "strict": True}}]
    assert written({"tools": tools})[0]["tools"] == [
        {
            "name": "f",
            "strict": True,
            "input_schema": {
                "type": "object",
                "properties": {"n": {"type": "integer", "description": '{"minimum":1}'}},
                "additionalProperties": False,
            },
        }
    ]


def test_tools_of_the_vendor_pass_as_they_are() -> None:
    tool = {"type": "web_search_20260318", "name": "web_search", "max_uses": 2}
    assert written({"tools": [tool]})[0]["tools"] == [tool]


def test_other_kinds_of_tools_may_be_tried_elsewhere() -> None:
    assert refused({"tools": [{"type": "custom", "custom": {"name": "x"}}]}) == (Fault.UNSUPPORTED, "tools")


@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-1", "claude-mythos-preview"])
def test_models_that_cannot_be_forced_to_call_a_tool_are_not(model: str) -> None:
    assert refused({"tools": TOOLS, "tool_choice": "required"}, model) == (Fault.UNSUPPORTED, "tool_choice")
