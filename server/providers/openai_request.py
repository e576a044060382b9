"""The contract's request -> the body that a vendor of OpenAI's dialect wants."""

from collections.abc import Callable, Mapping
from typing import cast

import orjson

from server.providers.base import Ask, Operation
from server.providers.errors import Fault, ProviderError
from server.providers.openai_vendors import Vendor
from trunkline_json import CHAT_REQUEST, EMBEDDING_REQUEST, IMAGE_REQUEST, TEXT_REQUEST, Misfit

_RENDER = cast(
    Mapping[Operation, Callable[[object], dict[str, object]]],
    {
        Operation.CHAT: CHAT_REQUEST.render,
        Operation.TEXT: TEXT_REQUEST.render,
        Operation.EMBEDDINGS: EMBEDDING_REQUEST.render,
        Operation.IMAGES: IMAGE_REQUEST.render,
    },
)


def request_body(ask: Ask, vendor: Vendor) -> bytes:
    """The body as bytes, with the vendor's ways applied.

    Raises:
        ProviderError: INVALID_REQUEST when a `*_json` field of the request holds no JSON.
    """
    try:
        body = _RENDER[ask.operation](ask.request)
    except Misfit as misfit:
        raise ProviderError(
            Fault.INVALID_REQUEST, f"`{misfit.path}` must be {misfit.expected}.", param=misfit.path
        ) from None
    body["model"] = ask.model
    if ask.streamed:
        body["stream"] = True
        if vendor.stream_usage:
            options = body.get("stream_options")
            body["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    else:
        body.pop("stream", None)
        body.pop("stream_options", None)
    _apply(vendor, body)
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:
        raise ProviderError(Fault.INVALID_REQUEST, "The request is nested too deeply.") from None


def _apply(vendor: Vendor, body: dict[str, object]) -> None:
    if vendor.old_max_tokens and "max_completion_tokens" in body:
        body["max_tokens"] = body.pop("max_completion_tokens")
    for name, theirs in vendor.renamed:
        if name in body:
            body[theirs] = body.pop(name)
    for name in vendor.refused:
        body.pop(name, None)
    messages = body.get("messages")
    if not vendor.developer_role and isinstance(messages, list):
        for message in messages:
            if isinstance(message, dict) and message.get("role") == "developer":
                message["role"] = "system"
