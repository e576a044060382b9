"""The messages of a conversation, in OpenAI's form -> what a vendor of the dialect takes of them."""

import hashlib
from typing import cast

from server.providers.openai.vendors import Vendor

Json = dict[str, object]

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BETWEEN = "I have read the result."
"""What the assistant says between a tool and a user, where the vendor wants it to say something."""

_REASONING = ("reasoning_content", "reasoning")
_OWN_REASONING = ("thinking_blocks", "reasoning_details")


def shape_messages(messages: list[Json], vendor: Vendor) -> list[Json]:
    """The messages as the vendor takes them; the given ones are changed.

    What only another vendor could read, as its signed reasoning, is left out.
    """
    for message in messages:
        role = message.get("role")
        if role == "developer":
            if not vendor.developer_role:
                message["role"] = "system"
        elif role == "assistant" and vendor.reasoning_key is not None:
            _shape_reasoning(message, vendor)
        if not vendor.names and role != "tool":
            message.pop("name", None)
    if vendor.call_id:
        _rename_calls(messages, vendor.call_id)
    if vendor.tool_order:
        messages = _spoken_between(messages)
    if vendor.alternating:
        messages = _taking_turns(messages)
    if vendor.message_keys:
        allowed = dict(vendor.message_keys)
        messages = [_only(message, allowed.get(str(message.get("role")))) for message in messages]
    return messages


def continue_from(body: Json, prefix: str, vendor: Vendor) -> None:
    """Ends a conversation with the beginning of the answer, and says that the model is to go on from there.

    Source: https://docs.mistral.ai/capabilities/completion and
    https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html (2026-11).
    """
    messages = cast(list[Json], body["messages"])
    begun: Json = {"role": "assistant", "content": prefix}
    if vendor.continuation == "prefix":
        begun["prefix"] = True
    elif vendor.continuation == "final_message":
        body["continue_final_message"] = True
        body["add_generation_prompt"] = False
    messages.append(begun)


def lost_reasoning(messages: list[Json]) -> bool:
    """Whether an assistant's call of tools comes back without its reasoning."""
    return any(
        message.get("role") == "assistant" and message.get("tool_calls") and not message.get("reasoning_content")
        for message in messages
    )


def _shape_reasoning(message: Json, vendor: Vendor) -> None:
    """Puts an assistant's reasoning where the vendor wants it, or nowhere."""
    texts = [text for text in (message.pop(key, None) for key in _REASONING) if isinstance(text, str) and text]
    for key in _OWN_REASONING:
        if not (vendor.reasoning_details and key == "reasoning_details"):
            message.pop(key, None)
    if not texts:
        return
    if vendor.thinking_parts:
        thinking: list[object] = [{"type": "thinking", "thinking": [{"type": "text", "text": texts[0]}]}]
        message["content"] = thinking + _parts(message.get("content"))
    elif vendor.reasoning_key:
        message[vendor.reasoning_key] = texts[0]


def _rename_calls(messages: list[Json], length: int) -> None:
    """Gives calls of tools ids of the form that the vendor wants: the same for the same, whoever made them."""
    for message in messages:
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict) and isinstance(call.get("id"), str):
                call["id"] = _call_id(call["id"], length)
        answered = message.get("tool_call_id")
        if isinstance(answered, str):
            message["tool_call_id"] = _call_id(answered, length)


def _call_id(id: str, length: int) -> str:
    if len(id) == length and id.isascii() and id.isalnum():
        return id
    number = int.from_bytes(hashlib.sha256(id.encode("utf-8", "replace")).digest())
    letters = []
    for _ in range(length):
        number, letter = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[letter])
    return "".join(letters)


def _spoken_between(messages: list[Json]) -> list[Json]:
    """The messages, with a word of the assistant wherever a user follows a tool."""
    spoken: list[Json] = []
    for message in messages:
        if message.get("role") == "user" and spoken and spoken[-1].get("role") == "tool":
            spoken.append({"role": "assistant", "content": _BETWEEN})
        spoken.append(message)
    return spoken


def _taking_turns(messages: list[Json]) -> list[Json]:
    """The messages, with neighbours of one role made one, and a system that speaks later on made a user."""
    turns: list[Json] = []
    for message in messages:
        role = message.get("role")
        if role == "system" and any(turn.get("role") != "system" for turn in turns):
            role = message["role"] = "user"
        if turns and turns[-1].get("role") == role and role in ("user", "assistant"):
            _join(turns[-1], message)
        else:
            turns.append(message)
    return turns


def _join(first: Json, second: Json) -> None:
    contents = [content for content in (first.get("content"), second.get("content")) if content]
    if all(isinstance(content, str) for content in contents):
        first["content"] = "\n\n".join(cast(list[str], contents))
    else:
        first["content"] = [part for content in contents for part in _parts(content)]
    calls = [call for message in (first, second) for call in _list(message.get("tool_calls"))]
    if calls:
        first["tool_calls"] = calls


def _parts(content: object) -> list[object]:
    """A content as parts."""
    if isinstance(content, str) and content:
        return [{"type": "text", "text": content}]
    return _list(content)


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []


def _only(message: Json, allowed: frozenset[str] | None) -> Json:
    return message if allowed is None else {key: value for key, value in message.items() if key in allowed}
