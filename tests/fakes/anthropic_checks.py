"""What Anthropic's Messages API refuses in a request.

In comes a body and the API version it was sent for, out comes nothing or a `Refused` that begins with the place, as the
API spells it (`messages.0.content.1.text: ...`). What a model's name forbids is here too: the API tells it the same way.

Sources: the parameter types of the anthropic package (2.11, `types/*_param.py`) for the names of fields, and the vendor's
pages for the versions: https://platform.claude.com/docs/en/api/versioning and .../api/migration-2026-10-21 (2026-11).
"""

import re
from collections.abc import Mapping

from tests.fakes.anthropic_tools import check_tool_use
from tests.fakes.dialect import Refused
from tests.fakes.http1_request import JsonObject
from tests.fakes.plan import VendorError

OLD_VERSION = "2023-06-01"
NEW_VERSION = "2026-10-21"
VERSIONS = (OLD_VERSION, NEW_VERSION)

SAMPLING = {"temperature", "top_p", "top_k"}
COUNTED = {"messages", "model", "cache_control", "output_config", "speed", "system", "thinking", "tool_choice", "tools"}
FIELDS = COUNTED | {
    "container",
    "diagnostics",
    "inference_geo",
    "max_tokens",
    "metadata",
    "service_tier",
    "stop_sequences",
    "stream",
}
# Fields that only a beta opens, by the beginning of the beta's name.
BETA_FIELDS = {"context_management": "context-management-", "mcp_servers": "mcp-client-"}

# The required fields of a block and its others; `type` is understood.
BLOCKS: dict[str, tuple[set[str], set[str]]] = {
    "text": ({"text"}, {"cache_control", "citations"}),
    "image": ({"source"}, {"cache_control", "transformations"}),
    "document": ({"source"}, {"cache_control", "citations", "context", "title"}),
    "search_result": ({"content", "source", "title"}, {"cache_control", "citations"}),
    "thinking": ({"thinking", "signature"}, set()),
    "redacted_thinking": ({"data"}, set()),
    "tool_use": ({"id", "name", "input"}, {"cache_control", "caller", "toolset_name"}),
    "tool_result": ({"tool_use_id"}, {"cache_control", "content", "is_error", "toolset_name"}),
    "server_tool_use": ({"id", "name", "input"}, {"cache_control", "caller"}),
    "web_search_tool_result": ({"tool_use_id", "content"}, {"cache_control", "caller"}),
    "container_upload": ({"file_id"}, {"cache_control"}),
}
ASSISTANT_ONLY = {"thinking", "redacted_thinking", "tool_use", "server_tool_use"}
USER_ONLY = {"tool_result", "image", "search_result"}
SOURCES: dict[str, set[str]] = {
    "base64": {"media_type", "data"},
    "url": {"url"},
    "text": {"media_type", "data"},
    "content": {"content"},
    "file": {"file_id"},
}
TOOL_FIELDS = {
    "name",
    "input_schema",
    "type",
    "description",
    "strict",
    "cache_control",
    "allowed_callers",
    "defer_loading",
    "eager_input_streaming",
    "input_examples",
}
VENDORS_TOOL = re.compile(r"[a-z_]+_\d{8}")
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
# Models that sample one way only and think adaptively, and those (with Opus and Sonnet 4.6 between) that take no prefill.
FIXED_SAMPLING = re.compile(r"claude-(opus-(4-[78]|5)|sonnet-5|fable|mythos)")
NO_PREFILL = re.compile(r"claude-(opus-(4-[678]|5)|sonnet-5|fable|mythos)")


def refuse(message: str) -> Refused:
    return Refused(VendorError(400, message, "invalid_request_error"))


def check_messages(body: JsonObject, version: str, betas: str, *, counting: bool) -> None:
    """Refuses a body for `/v1/messages`, or for the counting of its tokens, that the API would refuse."""
    _check_fields(body, version, betas, counting=counting)
    if not counting:
        _check_numbers(body)
    _check_system(body.get("system"))
    _check_thinking(body, counting=counting)
    _check_tools(body)
    messages = body["messages"]
    if not isinstance(messages, list) or not messages:
        raise refuse("messages: at least one message is required")
    for index, message in enumerate(messages):
        _check_message(message, f"messages.{index}", version, last=index == len(messages) - 1)
    if messages[0]["role"] != "user":
        raise refuse('messages: first message must use the "user" role')
    check_tool_use(messages)
    _check_prefill(body)


def _check_fields(body: JsonObject, version: str, betas: str, *, counting: bool) -> None:
    known = COUNTED if counting else FIELDS | (SAMPLING if version == OLD_VERSION else set())
    opened = {name for name, beta in BETA_FIELDS.items() if any(b.strip().startswith(beta) for b in betas.split(","))}
    _check_object(body, "", {"model", "messages"} | (set() if counting else {"max_tokens"}), known | opened)
    if not isinstance(body["model"], str) or not body["model"]:
        raise refuse("model: String should have at least 1 character")


def _check_object(value: object, place: str, required: set[str], known: set[str]) -> Mapping[str, object]:
    """Returns the value as an object that has what it must have and nothing that is unknown."""
    prefix = f"{place}." if place else ""
    if not isinstance(value, dict):
        raise refuse(f"{place}: Input should be a valid dictionary")
    for name in sorted(required - set(value)):
        raise refuse(f"{prefix}{name}: Field required")
    for name in sorted(set(value) - required - known):
        raise refuse(f"{prefix}{name}: Extra inputs are not permitted")
    return value


def _check_numbers(body: JsonObject) -> None:
    limit = body["max_tokens"]
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        raise refuse("max_tokens: Input should be a valid integer, 0 or more")
    for name in ("temperature", "top_p"):
        value = body.get(name)
        if value is not None and not (isinstance(value, int | float) and 0 <= value <= 1):
            raise refuse(f"{name}: range: 0..1")
    if FIXED_SAMPLING.match(body["model"]) and (set(body) & SAMPLING):
        raise refuse(f"`{sorted(set(body) & SAMPLING)[0]}` is deprecated for this model.")
    for index, sequence in enumerate(body.get("stop_sequences") or ()):
        if not isinstance(sequence, str) or not sequence.strip():
            raise refuse(f"stop_sequences.{index}: each stop sequence must contain non-whitespace")
    if not isinstance(body.get("stream", False), bool):
        raise refuse("stream: Input should be a valid boolean")
    if body.get("service_tier", "auto") not in ("auto", "standard_only"):
        raise refuse("service_tier: Input should be 'auto' or 'standard_only'")
    if "metadata" in body:
        _check_object(body["metadata"], "metadata", set(), {"user_id"})


def _check_system(system: object) -> None:
    if system is None or isinstance(system, str):
        return
    if not isinstance(system, list):
        raise refuse("system: Input should be a valid list")
    for index, block in enumerate(system):
        if not isinstance(block, dict) or block.get("type") != "text":
            raise refuse(f"system.{index}.type: Input should be 'text'")
        _check_block(block, f"system.{index}")


def _check_thinking(body: JsonObject, *, counting: bool) -> None:
    thinking = body.get("thinking")
    if thinking is None:
        return
    kinds = {"enabled": {"budget_tokens"}, "disabled": set(), "adaptive": set(), "between_tools": set()}
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind not in kinds:
        raise refuse(f"thinking: Input tag {kind!r} found using 'type' does not match any of the expected tags")
    _check_object(thinking, f"thinking.{kind}", {"type", *kinds[kind]}, {"display"})
    if kind == "enabled":
        if FIXED_SAMPLING.match(body["model"]):
            raise refuse("thinking.type.enabled: this model takes adaptive thinking only")
        if thinking["budget_tokens"] < 1024:
            raise refuse("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
        if not counting and thinking["budget_tokens"] >= body["max_tokens"]:
            raise refuse("`max_tokens` must be greater than `thinking.budget_tokens`")
        if body.get("temperature", 1) != 1:
            raise refuse("`temperature` may only be set to 1 when thinking is enabled")
    if kind != "disabled" and (body.get("tool_choice") or {}).get("type") in ("any", "tool"):
        raise refuse("Thinking may not be enabled when tool_choice forces tool use.")


def _check_tools(body: JsonObject) -> None:
    tools = body.get("tools") or []
    names = []
    for index, tool in enumerate(tools):
        kind = tool.get("type") if isinstance(tool, dict) else None
        if isinstance(kind, str) and VENDORS_TOOL.fullmatch(kind):
            continue  # a tool of the vendor's own has fields of its own
        if kind not in (None, "custom"):
            raise refuse(f"tools.{index}: Input tag {kind!r} found using 'type' does not match any of the expected tags")
        _check_object(tool, f"tools.{index}.custom", {"name", "input_schema"}, TOOL_FIELDS)
        if not isinstance(tool["name"], str) or not TOOL_NAME.fullmatch(tool["name"]):
            raise refuse(f"tools.{index}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
        if not isinstance(tool["input_schema"], dict) or tool["input_schema"].get("type") != "object":
            raise refuse(f"tools.{index}.custom.input_schema.type: Input should be 'object'")
        names.append(tool["name"])
    if len(set(names)) < len(names):
        raise refuse("tools: Tool names must be unique.")
    choice = body.get("tool_choice")
    if choice is None:
        return
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind not in ("auto", "any", "tool", "none"):
        raise refuse(f"tool_choice: Input tag {kind!r} found using 'type' does not match any of the expected tags")
    parallel = set() if kind == "none" else {"disable_parallel_tool_use"}
    _check_object(choice, f"tool_choice.{kind}", {"type", "name"} if kind == "tool" else {"type"}, parallel)
    if not tools:
        raise refuse("tool_choice: tool_choice may only be specified while providing tools")
    if kind == "tool" and choice["name"] not in names:
        raise refuse(f"Tool '{choice['name']}' not found in provided tools")


def _check_message(message: object, place: str, version: str, *, last: bool) -> None:
    fields = _check_object(message, place, {"role", "content"}, set())
    role, content = fields["role"], fields["content"]
    # The package's types know a `system` role too; the vendor tells of models without it, so a gateway must not count on it.
    if role not in ("user", "assistant"):
        raise refuse(f'messages: Unexpected role "{role}". The Messages API accepts a top-level `system` parameter instead.')
    if not content and not (last and role == "assistant"):
        raise refuse(f"{place}: all messages must have non-empty content except for the optional final assistant message")
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise refuse(f"{place}.content: Input should be a valid list")
    for index, block in enumerate(content):
        _check_block(block, f"{place}.content.{index}")
        kind = block["type"]
        if kind in (ASSISTANT_ONLY if role == "user" else USER_ONLY):
            raise refuse(f"{place}.content.{index}: `{kind}` blocks are not permitted in {role} messages")
        if version == NEW_VERSION and role == "assistant" and kind == "document":
            raise refuse(f"{place}.content.{index}: `document` blocks are not permitted in assistant messages")
        if version == NEW_VERSION and role == "user" and kind == "text" and block.get("citations"):
            raise refuse(f"{place}.content.{index}.text.citations: citations are not permitted in user messages")


def _check_block(block: object, place: str) -> None:
    kind = block.get("type") if isinstance(block, dict) else None
    if not isinstance(block, dict) or kind not in BLOCKS:
        raise refuse(f"{place}: Input tag {kind!r} found using 'type' does not match any of the expected tags")
    required, others = BLOCKS[kind]
    _check_object(block, f"{place}.{kind}", {"type", *required}, others)
    if kind == "text" and (not isinstance(block["text"], str) or not block["text"]):
        raise refuse(f"{place}: text content blocks must be non-empty")
    if kind == "text" and not block["text"].strip():
        raise refuse(f"{place}: text content blocks must contain non-whitespace text")
    if kind in ("image", "document"):
        source = block["source"]
        source_kind = source.get("type") if isinstance(source, dict) else None
        if source_kind not in SOURCES:
            raise refuse(f"{place}.{kind}.source: Input tag {source_kind!r} does not match any of the expected tags")
        _check_object(source, f"{place}.{kind}.source.{source_kind}", {"type", *SOURCES[source_kind]}, set())
    if kind == "tool_result" and isinstance(block.get("content"), list):
        for index, part in enumerate(block["content"]):
            _check_block(part, f"{place}.tool_result.content.{index}")


def _check_prefill(body: JsonObject) -> None:
    final = body["messages"][-1]
    if final["role"] != "assistant":
        return
    if NO_PREFILL.match(body["model"]):
        raise refuse("This model does not support assistant message prefill. The conversation must end with a user message.")
    content = final["content"]
    text = content if isinstance(content, str) else content[-1].get("text", "") if content else ""
    if text != text.rstrip():
        raise refuse("messages: final assistant content cannot end with trailing whitespace")
