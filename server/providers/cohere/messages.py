"""The contract's messages -> Cohere's.

Messages that are empty are left out, as the vendor refuses them. Source: https://docs.cohere.com/reference/chat (2026-11).
"""

from collections.abc import Iterable

from server.providers.content import given_parts
from server.providers.extra_fields import extra_of
from server.providers.tools import called_function
from server.providers.unsupported import no_content, no_role, no_words
from trunkline.v1.chat_pb2 import ContentPart, Message, ToolCall

Json = dict[str, object]


def vendor_messages(messages: Iterable[Message]) -> list[Json]:
    """The conversation in the vendor's form.

    Raises:
        ProviderError: UNSUPPORTED for roles and parts that the vendor does not have, and where nothing is said.
    """
    mapped = [turn for message in messages if (turn := _message(message)) is not None]
    if not mapped:
        raise no_words()
    return mapped


def _message(message: Message) -> Json | None:
    match message.role:
        case "system" | "developer":
            return _said("system", message)
        case "user":
            return _said("user", message)
        case "assistant":
            return _assistant(message)
        case "tool":
            content = _content(message)
            return {"role": "tool", "tool_call_id": message.tool_call_id, "content": "" if content is None else content}
        case _:
            raise no_role(message)


def _said(role: str, message: Message) -> Json | None:
    content = _content(message)
    return None if content is None else {"role": role, "content": content}


def _assistant(message: Message) -> Json | None:
    """The model's turn; what it thought before it called tools is its plan, other thoughts need not be sent back."""
    turn: Json = {"role": "assistant"}
    content = _content(message)
    if content is not None:
        turn["content"] = content
    extras = extra_of(message)
    if message.tool_calls:
        turn["tool_calls"] = [_call(call) for call in message.tool_calls]
        plan = extras.get("tool_plan") or message.reasoning_content or message.reasoning
        if plan:
            turn["tool_plan"] = plan
    if len(turn) > 1 and extras.get("citations"):
        turn["citations"] = extras["citations"]
    return turn if len(turn) > 1 else None


def _call(call: ToolCall) -> Json:
    function = called_function(call)
    written = {"name": function.name, "arguments": function.arguments.strip() or "{}"}
    return {"id": call.id, "type": "function", "function": written}


def _content(message: Message) -> str | list[Json] | None:
    """The content, text as such where it is nothing but text; None where it is empty."""
    if not message.content_parts:
        return message.content or message.refusal or None
    return given_parts(message, _users_part if message.role == "user" else _part) or None


def _users_part(part: ContentPart) -> Json | None:
    """One part of what the user says, who alone may show images."""
    if part.type != "image_url":
        return _part(part)
    image = {"url": part.image_url.url}
    if part.image_url.detail:
        image["detail"] = part.image_url.detail
    return {"type": "image_url", "image_url": image}


def _part(part: ContentPart) -> Json | None:
    """One part; None for empty text."""
    match part.type:
        case "text":
            return {"type": "text", "text": part.text} if part.text else None
        case "refusal":
            return {"type": "text", "text": part.refusal} if part.refusal else None
        case "document":
            return {"type": "document", **extra_of(part)}
        case _:
            raise no_content(part)
