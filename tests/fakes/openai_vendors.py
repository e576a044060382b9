"""What the other vendors of OpenAI's dialect refuse, each in its own form of an error.

In comes a vendor's name and a body, out comes nothing or a `Refused`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from tests.fakes.dialect import Refused
from tests.fakes.http1_request import JsonObject
from tests.fakes.plan import VendorError

_PATH = re.compile(r"/(?P<vendor>[a-z]+)/v1/.+")
_MISTRAL_KEYS = frozenset(
    {
        "model",
        "messages",
        "temperature",
        "top_p",
        "max_tokens",
        "stream",
        "stop",
        "random_seed",
        "metadata",
        "response_format",
        "tools",
        "tool_choice",
        "presence_penalty",
        "frequency_penalty",
        "n",
        "prediction",
        "parallel_tool_calls",
        "prompt_mode",
        "reasoning_effort",
        "guardrails",
        "prompt_cache_key",
        "safe_prompt",
    }
)
_MISTRAL_MESSAGE_KEYS = {
    "system": {"role", "content"},
    "user": {"role", "content"},
    "assistant": {"role", "content", "tool_calls", "prefix"},
    "tool": {"role", "content", "tool_call_id", "name"},
}


@dataclass(frozen=True, slots=True)
class OwnError(VendorError):
    """An error whose body is given."""

    body: JsonObject = field(default_factory=dict)


def vendor_of(path: str) -> str | None:
    """The vendor that a path names; None for OpenAI and Azure."""
    found = _PATH.fullmatch(path)
    return found["vendor"] if found and found["vendor"] in _CHECKS else None


def check_chat(vendor: str, body: JsonObject) -> None:
    """Refuses what the vendor refuses."""
    _CHECKS[vendor](body)


def wrong_key(vendor: str) -> Refused:
    """What a vendor says to a key that it does not know; xAI with status 400."""
    if vendor == "grok":
        return _flat("Incorrect API key provided: xa***.", violation=False)
    if vendor == "mistral":
        body: JsonObject = {"message": "Unauthorized", "request_id": "r-1"}
        return Refused(OwnError(401, "Unauthorized", body=body), violation=False)
    return Refused(VendorError(401, "Invalid API Key", code="invalid_api_key"), violation=False)


def _flat(message: str, violation: bool = True) -> Refused:
    body: JsonObject = {"code": "Client specified an invalid argument", "error": message}
    return Refused(OwnError(400, message, body=body), violation=violation)


def _nested(message: str, status: int = 400, param: str | None = None) -> Refused:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": "invalid_request_error"}
    return Refused(OwnError(status, message, body={"error": error}))


def _check_grok(body: JsonObject) -> None:
    if "logit_bias" in body:
        raise _flat("Argument not supported on this model: logitBias")
    if body["model"].startswith("grok-4"):
        for name in ("presence_penalty", "frequency_penalty", "stop"):
            if name in body:  # even when it is 0
                raise _flat(f"Model {body['model']} does not support parameter {name}.")
    if "reasoning_effort" in body and not body["model"].startswith(("grok-3-mini", "grok-4.")):
        raise _flat(f"Model {body['model']} does not support parameter reasoningEffort.")


def _check_groq(body: JsonObject) -> None:
    for name in ("logprobs", "top_logprobs", "logit_bias"):
        if name in body:
            raise _nested(f"property '{name}' is unsupported", param=name)
    if body.get("n", 1) != 1:
        raise _nested("'n' : number must be at most 1", param="n")
    for message in body["messages"]:
        for name in ("name", "reasoning_content", "thinking_blocks", "reasoning_details"):
            if name in message and message["role"] != "tool":
                raise _nested(f"property '{name}' is unsupported", param=f"messages.{name}")


def _check_perplexity(body: JsonObject) -> None:
    if (body.get("response_format") or {}).get("type") == "json_object":
        raise _nested("response_format must be text, json_schema or regex")
    talk = [message["role"] for message in body["messages"]]
    while talk and talk[0] == "system":
        del talk[0]
    sides = ["assistant" if role == "assistant" else role for role in talk]
    if "developer" in talk or "system" in talk or any(one == other for one, other in pairwise(sides)):
        raise _nested(
            "After the (optional) system message(s), user or tool message(s) should alternate with assistant message(s)"
        )


def _check_deepseek(body: JsonObject) -> None:
    if (body.get("response_format") or {}).get("type") == "json_schema":
        raise _nested("This response_format type is unavailable now")
    if "max_completion_tokens" in body:
        raise _nested("unknown field max_completion_tokens", 422)
    if (body.get("thinking") or {}).get("type") == "disabled":
        return
    for message in body["messages"]:
        if message.get("tool_calls") and not message.get("reasoning_content"):
            raise _nested("The `reasoning_content` in the thinking mode must be passed back to the API.")


def _check_mistral(body: JsonObject) -> None:
    unknown = sorted(set(body) - _MISTRAL_KEYS)
    if unknown:
        raise _extra_forbidden(["body", unknown[0]])
    if body.get("reasoning_effort") not in (None, "none", "high"):
        raise _mistral("Input should be 'none' or 'high'")
    messages = body["messages"]
    for place, message in enumerate(messages):
        if message["role"] not in _MISTRAL_MESSAGE_KEYS:
            raise _extra_forbidden(["body", "messages", place, "role"])
        for name in sorted(set(message) - _MISTRAL_MESSAGE_KEYS[message["role"]]):
            raise _extra_forbidden(["body", "messages", place, message["role"], name])
        ids = [call["id"] for call in message.get("tool_calls") or ()]
        for id in [*ids, *([message["tool_call_id"]] if message["role"] == "tool" else [])]:
            if not re.fullmatch(r"[A-Za-z0-9]{9}", id):
                raise _mistral(f"Tool call id was {id} but must be a-z, A-Z, 0-9, with a length of 9.")
    for before, after in pairwise(message["role"] for message in messages):
        if before == "tool" and after == "user":
            raise _mistral("Unexpected role 'user' after role 'tool'", "3230")
    if messages[-1]["role"] == "assistant" and not messages[-1].get("prefix"):
        raise _mistral("Expected last role User or Tool (or Assistant with prefix True) for serving", "3230")


def _extra_forbidden(place: list[object]) -> Refused:
    message = "Extra inputs are not permitted"
    body: JsonObject = {"detail": [{"type": "extra_forbidden", "loc": place, "msg": message, "input": 1}]}
    return Refused(OwnError(422, f"{message}: {place}", body=body))


def _mistral(message: str, code: str = "3280") -> Refused:
    kind = "invalid_request_message_order" if code == "3230" else "invalid_request_error"
    body: JsonObject = {"object": "error", "message": message, "type": kind, "param": None, "code": code}
    return Refused(OwnError(400, message, body=body))


def _check_nothing(body: JsonObject) -> None:
    """Takes everything."""


_CHECKS: Mapping[str, Callable[[JsonObject], None]] = {
    "grok": _check_grok,
    "groq": _check_groq,
    "perplexity": _check_perplexity,
    "deepseek": _check_deepseek,
    "mistral": _check_mistral,
    "openrouter": _check_nothing,
    "blackbox": _check_nothing,
    "vllm": _check_nothing,
}
