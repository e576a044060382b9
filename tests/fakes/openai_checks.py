"""What OpenAI refuses in a request beyond its schema.

In comes a body, out comes nothing or a `Refused` with OpenAI's status, param and code.
"""

import re

from tests.fakes.dialect import Refused
from tests.fakes.http1_request import JsonObject
from tests.fakes.openai_schema import find_fault, unknown_fields
from tests.fakes.plan import VendorError

REASONING_MODEL = re.compile(r"^(o\d|gpt-5(?!.*chat))")
NOT_FOR_REASONING = {
    "temperature": 1,
    "top_p": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logprobs": False,
    "logit_bias": {},
}
"""Fields that reasoning models refuse, with the only value that they take."""


def refuse(message: str, param: str | None = None, code: str | None = None) -> Refused:
    return Refused(VendorError(400, message, "invalid_request_error", param, code))


def check_schema(component: str, body: JsonObject, *, strict: bool) -> None:
    """Refuses a body that departs from the schema; fields that nobody knows only when strict."""
    fault = find_fault(component, body)
    if fault is not None:
        raise refuse(fault.message, fault.path or None)
    unknown = unknown_fields(component, body) if strict else []
    if unknown:
        raise refuse(f"Unrecognized request argument supplied: {unknown[0]}", unknown[0], "unknown_parameter")


def check_stream_options(body: JsonObject) -> None:
    if body.get("stream_options") is not None and not body.get("stream"):
        raise refuse("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")


def check_chat(body: JsonObject) -> None:
    """Refuses what the schema of a chat request allows and the API doesn't."""
    check_stream_options(body)
    _check_token_limit(body)
    _check_sampling(body)
    _check_tool_order(body["messages"])
    response_format = body.get("response_format") or {}
    if response_format.get("type") == "json_object" and "json" not in str(body["messages"]).lower():
        raise refuse("'messages' must contain the word 'json' in some form, to use 'json_object'.", "messages")
    if body.get("tool_choice") not in (None, "none") and not body.get("tools"):
        raise refuse("'tool_choice' is only allowed when 'tools' are specified.", "tool_choice")
    if body.get("top_logprobs") is not None and not body.get("logprobs"):
        raise refuse("'top_logprobs' is only allowed when 'logprobs' is true.", "top_logprobs")


def _check_token_limit(body: JsonObject) -> None:
    limits = {name for name in ("max_tokens", "max_completion_tokens") if body.get(name) is not None}
    if len(limits) == 2:
        raise refuse("'max_tokens' and 'max_completion_tokens' cannot be set at the same time.", "max_tokens")
    if "max_tokens" in limits and REASONING_MODEL.match(body["model"]):
        message = "Unsupported parameter: 'max_tokens' is not supported with this model."
        raise refuse(f"{message} Use 'max_completion_tokens' instead.", "max_tokens", "unsupported_parameter")


def _check_sampling(body: JsonObject) -> None:
    if not REASONING_MODEL.match(body["model"]) or body.get("reasoning_effort") == "none":
        return
    for name, taken in NOT_FOR_REASONING.items():
        if body.get(name) not in (None, taken):
            message = f"Unsupported value: '{name}' does not support {body[name]} with this model."
            raise refuse(message, name, "unsupported_value")


def _check_tool_order(messages: list[JsonObject]) -> None:
    """Refuses tool messages that answer no call, and calls that no tool message answers before the talk goes on."""
    unanswered: set[str] = set()
    for index, message in enumerate(messages):
        param = f"messages.[{index}].role"
        if message["role"] == "tool":
            if message["tool_call_id"] not in unanswered:
                raise refuse("A message with role 'tool' must follow a message with 'tool_calls' that it answers.", param)
            unanswered.remove(message["tool_call_id"])
            continue
        if unanswered:
            break
        unanswered = {call["id"] for call in message.get("tool_calls") or ()}
    if unanswered:
        message_ids = ", ".join(sorted(unanswered))
        raise refuse(f"'tool_calls' must be followed by tool messages for each id; not answered: {message_ids}", "messages")
