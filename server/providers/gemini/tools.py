"""The contract's tools and tool choice -> Gemini's."""

from server.providers.extra_fields import extra_of, json_object
from server.providers.gemini.schema import vendor_schema
from server.providers.tools import allowed_tools, no_choice, no_tool
from trunkline.v1.chat_pb2 import ChatCompletionRequest, FunctionDefinition, Tool

Json = dict[str, object]

_VENDORS_OWN = {
    "google_search": "googleSearch",
    "google_search_retrieval": "googleSearchRetrieval",
    "google_maps": "googleMaps",
    "url_context": "urlContext",
    "code_execution": "codeExecution",
    "computer_use": "computerUse",
    "file_search": "fileSearch",
}
"""Tools that the vendor runs itself, by the types that a caller may give, which may also be spelled as the vendor does."""

_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}


def add_tools(body: Json, request: ChatCompletionRequest, searches: bool) -> None:
    """Adds the tools and the choice of them, where there are any.

    Args:
        body: where to add them.
        request: the contract's.
        searches: whether the caller asked for a search of the web by OpenAI's own parameter.

    Raises:
        ProviderError: UNSUPPORTED for kinds of tools and choices that the vendor does not have.
    """
    mode, names = _choice(request)
    functions: list[Json] = []
    tools: list[Json] = []
    for tool in request.tools:
        if tool.type == "function" and tool.HasField("function"):
            functions.append(_declaration(tool.function))
        else:
            tools.append(_own(tool))
    if searches and not any("googleSearch" in tool for tool in tools):
        tools.append({"googleSearch": {}})
    if names is not None and mode != "ANY":  # names go with ANY only: the other functions are left out instead
        functions = [function for function in functions if function["name"] in names]
        names = None
    if functions:
        tools.insert(0, {"functionDeclarations": functions})
        config: Json = {"mode": mode} if mode else {}
        if names is not None:
            config["allowedFunctionNames"] = sorted(names)
        if config:
            body["toolConfig"] = {"functionCallingConfig": config}
    if tools:
        body["tools"] = tools


def _declaration(function: FunctionDefinition) -> Json:
    declaration: Json = {"name": function.name}
    if function.HasField("description"):
        declaration["description"] = function.description
    if function.HasField("parameters_json"):
        schema = vendor_schema(json_object(function.parameters_json, "tools.function.parameters"))
        if schema.keys() - {"type", "additionalProperties"}:  # a function without parameters has no schema
            declaration["parametersJsonSchema"] = {"type": "object", **schema}
    return declaration


def _own(tool: Tool) -> Json:
    name = _VENDORS_OWN.get(tool.type, tool.type)
    if name not in _VENDORS_OWN.values():
        raise no_tool(tool)
    return {name: extra_of(tool)}


def _choice(request: ChatCompletionRequest) -> tuple[str, frozenset[str] | None]:
    """The mode, empty where none was asked for, and the names of the only functions that may be called, if not all."""
    if not request.HasField("tool_choice"):
        return "", None
    choice = request.tool_choice
    if choice.mode in _MODES:
        return _MODES[choice.mode], None
    if choice.type == "function":
        return "ANY", frozenset({choice.function.name})
    if choice.type == "allowed_tools":
        mode, names = allowed_tools(choice)
        if mode in _MODES:
            return _MODES[mode], names
    raise no_choice()
