"""The contract's tools and tool choice -> Converse's.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolConfiguration.html (2026-11).
"""

from server.providers.anthropic.models import ModelTraits
from server.providers.anthropic.schema import input_schema
from server.providers.tools import allowed_tools, function_of, no_choice
from server.providers.unsupported import unsupported
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Tool

Json = dict[str, object]

_NO_TOOL: Json = {
    "toolSpec": {
        "name": "no_tool",
        "description": "Does nothing and is not to be called.",
        "inputSchema": {"json": {"type": "object", "properties": {}}},
    }
}
"""Stands for tools where none may be called: the vendor wants tools where the conversation has calls."""


def add_tools(body: Json, request: ChatCompletionRequest, traits: ModelTraits, called: bool, forcing: bool) -> None:
    """Adds the tools and the choice of them, where there are any.

    Args:
        called: whether the conversation has calls, or results of them.
        forcing: whether a call may be forced; else the choice is the model's.

    Raises:
        ProviderError: UNSUPPORTED for kinds of tools, and forced calls, that the vendor does not have.
    """
    mode, name, allowed = _choice(request)
    tools = [_tool(tool, traits) for tool in request.tools if allowed is None or tool.function.name in allowed]
    if mode == "none":
        tools = []
    if not tools:
        if called:
            body["toolConfig"] = {"tools": [_NO_TOOL]}
        return
    config: Json = {"tools": tools}
    if mode in ("required", "function") and forcing:
        if not traits.forced_tools:
            raise unsupported("This model cannot be forced to call a tool.", "tool_choice")
        config["toolChoice"] = {"any": {}} if mode == "required" else {"tool": {"name": name}}
    elif mode:
        config["toolChoice"] = {"auto": {}}
    body["toolConfig"] = config


def _tool(tool: Tool, traits: ModelTraits) -> Json:
    function = function_of(tool)
    strict = function.strict and traits.schemas
    spec: Json = {"name": function.name, "inputSchema": {"json": input_schema(function, strict)}}
    if function.description:
        spec["description"] = function.description
    if strict:
        spec["strict"] = True
    return {"toolSpec": spec}


def _choice(request: ChatCompletionRequest) -> tuple[str, str, frozenset[str] | None]:
    """The mode, the function's name where one is forced, and the names of the only tools that may be called."""
    if not request.HasField("tool_choice"):
        return "", "", None
    choice = request.tool_choice
    if choice.type == "allowed_tools":
        mode, names = allowed_tools(choice)
        return _known(mode), "", names
    if choice.type == "function":
        return "function", choice.function.name, None
    return _known(choice.mode), "", None


def _known(mode: str) -> str:
    if mode not in ("auto", "none", "required"):
        raise no_choice()
    return mode
