"""The contract's tools, calls of them and the choice of tools, as far as every dialect reads them alike: functions only."""

from collections.abc import Mapping

import orjson

from server.providers.errors import ProviderError
from server.providers.extra_fields import extra_of, is_json_object
from server.providers.unsupported import unsupported
from trunkline.v1.chat_pb2 import FunctionCall, FunctionDefinition, Tool, ToolCall, ToolChoice


def function_of(tool: Tool) -> FunctionDefinition:
    """The function that a tool is.

    Raises:
        ProviderError: UNSUPPORTED for tools of another kind.
    """
    if tool.type != "function" or not tool.HasField("function"):
        raise no_tool(tool)
    return tool.function


def no_functions(extras: Mapping[str, object]) -> None:
    """Sees to it that no functions are given in the form that was before tools.

    Raises:
        ProviderError: UNSUPPORTED.
    """
    if extras.get("functions"):
        raise unsupported("The provider takes functions only as `tools`.", "functions")


def no_tool(tool: Tool) -> ProviderError:
    """The error of a kind of tools that the vendor does not have."""
    return unsupported(f"The provider has no tools of the type `{tool.type[:64]}`.", "tools")


def no_choice() -> ProviderError:
    """The error of a choice of tools that the vendor does not have."""
    return unsupported("The provider has no such choice of tools.", "tool_choice")


def allowed_tools(choice: ToolChoice) -> tuple[str, frozenset[str]]:
    """The mode, empty where none is given, and the names of the functions of a choice of the type `allowed_tools`."""
    allowed = extra_of(choice).get("allowed_tools")
    fields = allowed if isinstance(allowed, dict) else {}
    mode, tools = fields.get("mode"), fields.get("tools")
    functions = [tool.get("function") for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    names = (str(function["name"]) for function in functions if isinstance(function, dict) and "name" in function)
    return mode if isinstance(mode, str) else "", frozenset(names)


def called_function(call: ToolCall) -> FunctionCall:
    """The function that a call calls.

    Raises:
        ProviderError: UNSUPPORTED for calls of another kind.
    """
    if not call.HasField("function"):
        raise unsupported("The provider has calls of functions only.", "messages.tool_calls")
    return call.function


def arguments_of(function: FunctionCall) -> orjson.Fragment:
    """The arguments of a call, for vendors that want them as an object and not as text.

    Raises:
        ProviderError: UNSUPPORTED where they are no JSON object.
    """
    arguments = function.arguments.strip() or "{}"
    if not is_json_object(arguments):
        raise unsupported(
            "The provider takes a call's arguments only as a JSON object.", "messages.tool_calls.function.arguments"
        )
    return orjson.Fragment(arguments)
