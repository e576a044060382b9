"""The contract's messages -> Ollama's: text, and beside it images, thoughts and calls.

Source: https://docs.ollama.com/api/chat (2026-11).
"""

import base64
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from server.providers.tools import arguments_of, called_function
from server.providers.unsupported import no_content, no_role, unsupported
from trunkline.v1.chat_pb2 import ContentPart, Message, ToolCall

Json = dict[str, object]

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool"}


def vendor_messages(messages: Iterable[Message]) -> list[Json]:
    """The messages in the vendor's form.

    Raises:
        ProviderError: UNSUPPORTED for roles and content that the vendor does not have.
    """
    names: dict[str, str] = {}  # of the functions that were called, by the call's id
    written: list[Json] = []
    for message in messages:
        names.update((call.id, call.function.name) for call in message.tool_calls)
        written.append(_message(message, names))
    return written


def _message(message: Message, names: dict[str, str]) -> Json:
    role = _ROLES.get(message.role)
    if role is None:
        raise no_role(message)
    texts = [_text(part) for part in message.content_parts if part.type in ("text", "refusal")]
    if said := message.content or (message.refusal if role == "assistant" else ""):
        texts.append(said)
    written: Json = {"role": role, "content": "\n".join(texts)}
    if images := [_image(part) for part in message.content_parts if part.type not in ("text", "refusal")]:
        written["images"] = images
    if role == "assistant":
        if thought := message.reasoning_content or message.reasoning:
            written["thinking"] = thought
        if message.tool_calls:
            written["tool_calls"] = [_call(call) for call in message.tool_calls]
    elif role == "tool":
        written["tool_call_id"] = message.tool_call_id
        if name := message.name or names.get(message.tool_call_id, ""):
            written["tool_name"] = name
    return written


def _text(part: ContentPart) -> str:
    return part.text if part.type == "text" else part.refusal


def _image(part: ContentPart) -> str:
    """The base64 of an image, which is the only other content there is."""
    if part.type == "image_url":
        url = part.image_url.url
    elif part.type == "file" and part.file.file_data[:11].lower() == "data:image/":
        url = part.file.file_data
    else:
        raise no_content(part)
    if url[:5].lower() != "data:":
        raise unsupported("The provider takes images as data URLs only.", "messages.content.image_url")
    head, _, data = url[5:].partition(",")
    if any(parameter.strip().lower() == "base64" for parameter in head.split(";")):
        return data
    return base64.b64encode(unquote_to_bytes(data)).decode()


def _call(call: ToolCall) -> Json:
    function = called_function(call)
    return {"id": call.id, "function": {"name": function.name, "arguments": arguments_of(function)}}
