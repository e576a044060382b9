"""The contract's tools and tool choice -> Anthropic's."""

import re

from server.providers.anthropic.models import ModelTraits
from server.providers.anthropic.schema import closed_schema
from server.providers.errors import Fault, ProviderError
from server.providers.extra_fields import extra_of, json_object
from trunkline.v1.chat_pb2 import ChatCompletionRequest, FunctionDefinition, Tool

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
    if tool.type != "function" or not tool.HasField("function"):
        raise ProviderError(Fault.UNSUPPORTED, f"The provider has no tools of the type `{tool.type[:64]}`.", param="tools")
    function = tool.function
    strict = function.strict and traits.schemas
    mapped: Json = {"name": function.name, "input_schema": _input_schema(function, strict)}
    if function.HasField("description"):
        mapped["description"] = function.description
    if strict:
        mapped["strict"] = True
    extras = {**extra_of(function), **extra_of(tool)}
    return mapped | {name: extras[name] for name in _EXTRAS if name in extras}


def _input_schema(function: FunctionDefinition, strict: bool) -> Json:
    if not function.HasField("parameters_json"):
        return {"type": "object", "properties": {}} | ({"additionalProperties": False} if strict else {})
    schema = json_object(function.parameters_json, "tools.function.parameters")
    schema = closed_schema(schema) if strict else schema
    return schema if schema.get("type") == "object" else {**schema, "type": "object"}


def _choice(request: ChatCompletionRequest, traits: ModelTraits) -> tuple[Json | None, frozenset[str] | None]:
    """The choice, and the names of the only tools that may be called; None where all may."""
    if not request.HasField("tool_choice"):
        return None, None
    choice = request.tool_choice
    mode = choice.mode
    allowed = None
    if choice.type == "allowed_tools":
        mode, allowed = _allowed_tools(extra_of(choice).get("allowed_tools"))
    if mode == "required":
        return _forced({"type": "any"}, traits), allowed
    if mode in ("auto", "none"):
        return {"type": mode}, allowed
    if choice.type == "function":
        return _forced({"type": "tool", "name": choice.function.name}, traits), allowed
    raise ProviderError(Fault.UNSUPPORTED, "The provider has no such choice of tools.", param="tool_choice")


def _forced(choice: Json, traits: ModelTraits) -> Json:
    if not traits.forced_tools:
        raise ProviderError(Fault.UNSUPPORTED, "This model cannot be forced to call a tool.", param="tool_choice")
    return choice


def _allowed_tools(allowed: object) -> tuple[str, frozenset[str]]:
    fields = allowed if isinstance(allowed, dict) else {}
    mode, tools = fields.get("mode"), fields.get("tools")
    functions = [tool.get("function") for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    names = frozenset(function["name"] for function in functions if isinstance(function, dict) and "name" in function)
    return mode if isinstance(mode, str) else "", names
