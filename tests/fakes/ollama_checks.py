"""What Ollama refuses in a request; where it is lenient, what it would silently pass over is refused here all the same.

Source: https://docs.ollama.com/api (2026-11).
"""

import base64
import binascii

from tests.fakes.dialect import Refused
from tests.fakes.http1_request import JsonObject
from tests.fakes.plan import VendorError

COMMON = {"model", "options", "keep_alive", "truncate"}
FIELDS = {
    "/api/chat": COMMON | {"messages", "tools", "format", "stream", "think", "shift"},
    "/api/generate": COMMON
    | {"prompt", "suffix", "images", "format", "system", "template", "stream", "raw", "think", "shift"},
    "/api/embed": COMMON | {"input", "dimensions"},
}
OPTIONS: dict[str, type | tuple[type, ...]] = {
    "num_predict": int,
    "num_ctx": int,
    "num_keep": int,
    "seed": int,
    "top_k": int,
    "temperature": (int, float),
    "top_p": (int, float),
    "min_p": (int, float),
    "repeat_penalty": (int, float),
    "presence_penalty": (int, float),
    "frequency_penalty": (int, float),
    "stop": list,
}
MESSAGE = {"role", "content", "thinking", "images", "tool_calls", "tool_name", "tool_call_id"}


def refuse(message: str) -> Refused:
    return Refused(VendorError(400, message))


def check_body(path: str, body: JsonObject) -> None:
    """Refuses a body for one of the paths."""
    unknown = set(body) - FIELDS[path]
    if unknown:
        raise refuse(f"unknown field: {sorted(unknown)[0]}")
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise refuse("model is required")
    for name, value in body.get("options", {}).items():
        if name not in OPTIONS or not isinstance(value, OPTIONS[name]):
            raise refuse(f'option "{name}" must be of type {OPTIONS.get(name)}')
    if body.get("think") not in (None, True, False, "low", "medium", "high"):
        raise refuse("think must be a boolean or a level")
    form = body.get("format")
    if form is not None and form != "json" and not isinstance(form, dict):
        raise refuse("invalid format")
    if path == "/api/generate" and not isinstance(body.get("prompt"), str):
        raise refuse("prompt must be a string")
    if path == "/api/embed" and not all(isinstance(text, str) for text in body["input"]):
        raise refuse("invalid input type")
    for index, message in enumerate(body.get("messages", ())):
        _check_message(message, index)
    for tool in body.get("tools", ()):
        function = tool.get("function", {})
        if tool.get("type") != "function" or not isinstance(function.get("parameters"), dict) or not function.get("name"):
            raise refuse("invalid tool")


def _check_message(message: JsonObject, index: int) -> None:
    if set(message) - MESSAGE or not isinstance(message.get("content"), str):
        raise refuse(f"messages.{index}: cannot unmarshal")
    if message["role"] not in ("system", "user", "assistant", "tool"):
        raise refuse(f"messages.{index}: invalid role")
    for image in message.get("images", ()):
        try:
            base64.b64decode(image, validate=True)
        except binascii.Error:
            raise refuse(f"messages.{index}: illegal base64 data") from None
    for call in message.get("tool_calls", ()):
        if not isinstance(call["function"]["arguments"], dict):
            raise refuse(f"messages.{index}: cannot unmarshal string into Go struct field of arguments")
