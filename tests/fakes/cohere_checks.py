"""What Cohere's API refuses in a request.

In comes a body, out comes nothing or a `Refused` in the API's words. Fields that nobody knows are passed over by the vendor;
here they are refused, so that nothing is sent that has no meaning.

Source: https://docs.cohere.com/reference/chat and .../reference/embed (2026-11).
"""

import re
from collections.abc import Collection, Mapping

from tests.fakes.dialect import Refused
from tests.fakes.http1_request import JsonObject
from tests.fakes.plan import VendorError

CHAT_FIELDS = {
    "model",
    "messages",
    "stream",
    "tools",
    "strict_tools",
    "tool_choice",
    "documents",
    "citation_options",
    "response_format",
    "safety_mode",
    "max_tokens",
    "stop_sequences",
    "temperature",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "k",
    "p",
    "logprobs",
    "thinking",
    "priority",
    "raw_prompting",
}
EMBED_FIELDS = {
    "model",
    "input_type",
    "texts",
    "images",
    "inputs",
    "max_tokens",
    "output_dimension",
    "embedding_types",
    "truncate",
    "priority",
}
MESSAGE_FIELDS: dict[str, set[str]] = {
    "system": {"role", "content"},
    "user": {"role", "content"},
    "assistant": {"role", "content", "tool_calls", "tool_plan", "citations"},
    "tool": {"role", "content", "tool_call_id"},
}
PARTS: dict[str, set[str]] = {
    "system": {"text"},
    "user": {"text", "image_url"},
    "assistant": {"text", "thinking"},
    "tool": {"text", "document"},
}
RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 1),
    "p": (0.01, 0.99),
    "k": (0, 500),
    "frequency_penalty": (0, 1),
    "presence_penalty": (0, 1),
    "seed": (0, 1 << 64),
    "max_tokens": (0, 1 << 31),
}
INPUT_TYPES = ("search_document", "search_query", "classification", "clustering", "image")
EMBEDDING_TYPES = ("float", "int8", "uint8", "binary", "ubinary", "base64")
TOOL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def refuse(message: str) -> Refused:
    return Refused(VendorError(400, message))


def check_chat(body: JsonObject) -> None:
    """Refuses a body for `/v2/chat` that the API would refuse."""
    _check_fields(body, "", {"model", "messages"}, CHAT_FIELDS)
    _check_ranges(body)
    _check_choices(body)
    _check_tools(body)
    messages = body["messages"]
    if not isinstance(messages, list) or not messages:
        raise refuse("invalid request: messages must not be empty")
    for index, message in enumerate(messages):
        _check_message(message, f"messages[{index}]")
    _check_results(messages)


def check_embed(body: JsonObject) -> None:
    """Refuses a body for `/v2/embed` that the API would refuse."""
    _check_fields(body, "", {"model", "input_type", "texts", "embedding_types"}, EMBED_FIELDS)
    texts = body["texts"]
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise refuse("invalid request: texts must be a list of strings")
    if len(texts) > 96:
        raise refuse(f"invalid request: total number of texts must be at most 96 - received {len(texts)}")
    if body["input_type"] not in INPUT_TYPES:
        raise refuse("invalid request: input_type is not valid")
    if not set(body["embedding_types"]) <= set(EMBEDDING_TYPES):
        raise refuse("invalid request: embedding_types is not valid")
    if body.get("truncate", "END") not in ("NONE", "START", "END"):
        raise refuse("invalid request: truncate is not valid")


def _check_fields(value: object, place: str, required: set[str], known: Collection[str]) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise refuse(f"invalid type: parameter {place} is of the wrong type")
    for name in sorted(required - set(value)):
        raise refuse(f"invalid request: {place}{name} is required")
    for name in sorted(set(value) - required - set(known)):
        raise refuse(f"unknown field: parameter '{place}{name}' is not a valid field")
    return value


def _check_ranges(body: JsonObject) -> None:
    for name, (low, high) in RANGES.items():
        value = body.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high):
            raise refuse(f"invalid request: {name} must be between {low} and {high} inclusive.")
    if len(body.get("stop_sequences") or ()) > 5:
        raise refuse("invalid request: too many stop sequences, at most 5")


def _check_choices(body: JsonObject) -> None:
    if not isinstance(body.get("stream", False), bool):
        raise refuse("invalid type: parameter stream is of type string but should be of type boolean")
    wanted = body.get("response_format")
    if wanted is not None:
        _check_fields(wanted, "response_format.", {"type"}, {"json_schema"})
        if wanted["type"] not in ("text", "json_object"):
            raise refuse("invalid request: response_format.type must be `text` or `json_object`")
    thinking = body.get("thinking")
    if thinking is not None:
        _check_fields(thinking, "thinking.", {"type"}, {"token_budget"})
        if "command-a-03" in body["model"] or "command-r" in body["model"]:
            raise refuse("invalid request: thinking is not supported by this model")


def _check_tools(body: JsonObject) -> None:
    tools = body.get("tools")
    choice = body.get("tool_choice")
    if choice is not None and (choice not in ("REQUIRED", "NONE") or not tools):
        raise refuse("invalid request: tool_choice needs tools, and is REQUIRED or NONE")
    if tools is None:
        return
    if not isinstance(tools, list) or not tools:
        raise refuse("invalid request: tools must not be empty")
    for index, tool in enumerate(tools):
        _check_fields(tool, f"tools[{index}].", {"type", "function"}, ())
        function = _check_fields(tool["function"], f"tools[{index}].function.", {"name", "parameters"}, {"description"})
        if not TOOL_NAME.fullmatch(str(function["name"])):
            raise refuse(f"invalid request: the name of tool {index} may hold letters, digits and underscores only")
        if not isinstance(function["parameters"], dict) or function["parameters"].get("type") != "object":
            raise refuse(f"invalid request: the parameters of tool {index} must be an object's schema")


def _check_message(message: object, place: str) -> None:
    role = message.get("role") if isinstance(message, dict) else None
    if not isinstance(message, dict) or role not in MESSAGE_FIELDS:
        raise refuse(f"invalid request: {place}.role is not valid")
    required = {"role", "tool_call_id", "content"} if role == "tool" else {"role"}
    _check_fields(message, f"{place}.", required, MESSAGE_FIELDS[role])
    content = message.get("content")
    if not content and role != "tool" and not message.get("tool_calls"):
        raise refuse(f"invalid request: {place} must have non-empty content or tool calls")
    for index, part in enumerate(content if isinstance(content, list) else ()):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in PARTS[role]:
            raise refuse(f"invalid request: {place}.content[{index}].type is not valid")
        _check_fields(part, f"{place}.content[{index}].", {"type", str(kind)}, ())
    for index, call in enumerate(message.get("tool_calls") or ()):
        _check_fields(call, f"{place}.tool_calls[{index}].", {"id", "type", "function"}, ())
        _check_fields(call["function"], f"{place}.tool_calls[{index}].function.", {"name", "arguments"}, ())


def _check_results(messages: list[JsonObject]) -> None:
    """Refuses a call of a tool without a result, and a result without a call."""
    called: list[str] = []
    answered: list[str] = []
    for message in messages:
        called += [call["id"] for call in message.get("tool_calls") or ()]
        answered += [message["tool_call_id"]] if message["role"] == "tool" else []
    if set(called) != set(answered):
        raise refuse("invalid request: each tool call must be answered by a tool message, and the other way round")
