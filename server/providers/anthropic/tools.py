"""The contract's tools and tool choice -> Anthropic's."""

import re

from server.providers.anthropic.models import ModelTraits
from server.providers.anthropic.schema import input_schema
from server.providers.extra_fields import extra_of
from server.providers.tools import allowed_tools, function_of, no_choice
from server.providers.unsupported import unsupported
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Tool

Json = dict[str, object]

_EXTRAS = ("cache_control", "defer_loading", "eager_input_streaming", "input_examples", "allowed_callers")
_VENDORS_OWN = re.compile(r"[a-z_]+_20\d{6}")
"""Tools that the vendor defines are named with the day of their definition: `web_search_20260318`."""


def add_tools(body: Json, request: ChatCompletionRequest, traits: ModelTraits) -> None:
    """Adds the tools and the choice of them, where there are any.

    Raises:
        ProviderError: UNSUPPORTED for kinds of tools, and forced calls, that the vendor does not have.
    """
    choice, allowed = _choice(request, traits)
    tools = [_tool(tool, traits) for tool in request.tools]
    if allowed is not None:
        tools = [tool for tool in tools if tool.get("name") in allowed]
    if not tools:
        return
    body["tools"] = tools
    if request.HasField("parallel_tool_calls") and not request.parallel_tool_calls:
        choice = choice or {"type": "auto"}
        if choice["type"] != "none":
            choice["disable_parallel_tool_use"] = True
    if choice is not None:
        body["tool_choice"] = choice


def _tool(tool: Tool, traits: ModelTraits) -> Json:
    if _VENDORS_OWN.fullmatch(tool.type):
        return {"type": tool.type, **extra_of(tool)}
    function = function_of(tool)
    strict = function.strict and traits.schemas
    mapped: Json = {"name": function.name, "input_schema": input_schema(function, strict)}
    if function.HasField("description"):
        mapped["description"] = function.description
    if strict:
        mapped["strict"] = True
    extras = {**extra_of(function), **extra_of(tool)}
    return mapped | {name: extras[name] for name in _EXTRAS if name in extras}


def _choice(request: ChatCompletionRequest, traits: ModelTraits) -> tuple[Json | None, frozenset[str] | None]:
    """The choice, and the names of the only tools that may be called; None where all may."""
    if not request.HasField("tool_choice"):
        return None, None
    choice = request.tool_choice
    mode = choice.mode
    allowed = None
    if choice.type == "allowed_tools":
        mode, allowed = allowed_tools(choice)
    if mode == "required":
        return _forced({"type": "any"}, traits), allowed
    if mode in ("auto", "none"):
        return {"type": mode}, allowed
    if choice.type == "function":
        return _forced({"type": "tool", "name": choice.function.name}, traits), allowed
    raise no_choice()


def _forced(choice: Json, traits: ModelTraits) -> Json:
    if not traits.forced_tools:
        raise unsupported("This model cannot be forced to call a tool.", "tool_choice")
    return choice
