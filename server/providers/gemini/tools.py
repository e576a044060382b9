"""The contract's tools and tool choice -> Gemini's."""

from server.providers.errors import Fault, ProviderError
from server.providers.extra_fields import extra_of, json_object
from server.providers.gemini.schema import vendor_schema
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
        raise ProviderError(Fault.UNSUPPORTED, f"The provider has no tools of the type `{tool.type[:64]}`.", param="tools")
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
        allowed = extra_of(choice).get("allowed_tools")
        fields = allowed if isinstance(allowed, dict) else {}
        mode = fields.get("mode")
        if isinstance(mode, str) and mode in _MODES:
            return _MODES[mode], _names(fields.get("tools"))
    raise ProviderError(Fault.UNSUPPORTED, "The provider has no such choice of tools.", param="tool_choice")


def _names(tools: object) -> frozenset[str]:
    functions = [tool.get("function") for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    return frozenset(str(function["name"]) for function in functions if isinstance(function, dict) and "name" in function)
