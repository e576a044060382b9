"""The contract's tools and tool choice -> Cohere's.

The vendor can force a call, but not of a tool by name: where one is named, it is the only one that the model is shown.
Source: https://docs.cohere.com/reference/chat (2026-11).
"""

import re

from server.providers.extra_fields import json_object
from server.providers.tools import allowed_tools, function_of, no_choice
from server.providers.unsupported import unsupported
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Tool

Json = dict[str, object]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MODES = {"none": "NONE", "required": "REQUIRED"}
"""What else there is, `auto`, is what the vendor does unasked."""


def add_tools(body: Json, request: ChatCompletionRequest) -> None:
    """Adds the tools and the choice of them, where there are any.

    Raises:
        ProviderError: UNSUPPORTED for kinds and names of tools, and choices, that the vendor does not have.
    """
    mode, allowed = _choice(request)
    tools = [tool for tool in request.tools if allowed is None or tool.function.name in allowed]
    if not tools:
        return
    body["tools"] = [_tool(tool) for tool in tools]
    if all(tool.function.strict for tool in tools):
        body["strict_tools"] = True
    if mode in _MODES:
        body["tool_choice"] = _MODES[mode]


def _tool(tool: Tool) -> Json:
    function = function_of(tool)
    if not _NAME.fullmatch(function.name):
        raise unsupported(
            "The provider takes names of tools that consist of letters, digits and underscores, no digit first.",
            "tools.function.name",
        )
    parameters = json_object(function.parameters_json or "{}", "tools.function.parameters")
    mapped: Json = {"name": function.name, "parameters": {"type": "object", "properties": {}, **parameters}}
    if function.HasField("description"):
        mapped["description"] = function.description
    return {"type": "function", "function": mapped}


def _choice(request: ChatCompletionRequest) -> tuple[str, frozenset[str] | None]:
    """The mode, and the names of the only tools that may be called; None where all may."""
    choice = request.tool_choice
    if choice.type == "allowed_tools":
        return allowed_tools(choice)
    if choice.type == "function":
        return "required", frozenset((choice.function.name,))
    if choice.mode in ("", "auto", *_MODES) and not choice.type:
        return choice.mode, None
    raise no_choice()
