"""The contract's request -> the body that a vendor of OpenAI's dialect wants."""

from collections.abc import Callable, Mapping
from typing import cast

from server.providers.base import Ask, Operation
from server.providers.capabilities import Gate, capabilities, fit
from server.providers.errors import Fault, ProviderError
from server.providers.openai.messages import continue_from, lost_reasoning, shape_messages
from server.providers.openai.vendors import Vendor
from server.providers.parameters import body_bytes, one_choice
from server.providers.unsupported import unsupported
from trunkline_json import CHAT_REQUEST, EMBEDDING_REQUEST, IMAGE_REQUEST, TEXT_REQUEST, VIDEO_REQUEST, Misfit

Json = dict[str, object]

_RENDER = cast(
    Mapping[Operation, Callable[[object], Json]],
    {
        Operation.CHAT: CHAT_REQUEST.render,
        Operation.TEXT: TEXT_REQUEST.render,
        Operation.EMBEDDINGS: EMBEDDING_REQUEST.render,
        Operation.IMAGES: IMAGE_REQUEST.render,
        Operation.VIDEOS: VIDEO_REQUEST.render,
    },
)
_DROP = Gate(reject=False)
_ANY_OBJECT: Mapping[str, object] = {"name": "object", "schema": {"type": "object"}}


def request_body(ask: Ask, vendor: Vendor, gate: Gate = _DROP) -> bytes:
    """The body as bytes, with the vendor's ways applied.

    Args:
        gate: what becomes of parameters that the vendor or the model cannot honour.

    Raises:
        ProviderError: INVALID_REQUEST when a `*_json` field of the request holds no JSON; UNSUPPORTED for what cannot be
            honoured.
    """
    try:
        body = _RENDER[ask.operation](ask.request)
    except Misfit as misfit:
        raise ProviderError(
            Fault.INVALID_REQUEST, f"`{misfit.path}` must be {misfit.expected}.", param=misfit.path
        ) from None
    body["model"] = ask.model
    if ask.operation in vendor.media_by_chat:
        body = _media_body(body, gate)
    elif ask.streamed:
        body["stream"] = True
        if vendor.stream_usage:
            options = body.get("stream_options")
            body["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    else:
        body.pop("stream", None)
        body.pop("stream_options", None)
    _apply(vendor, body, gate)
    if ask.operation is Operation.CHAT:
        fit(body, capabilities(vendor.type, ask.model), gate)
        _shape_chat(vendor, body, gate)
        if ask.prefix:
            continue_from(body, ask.prefix, vendor)
    return body_bytes(body)


def _apply(vendor: Vendor, body: Json, gate: Gate) -> None:
    if vendor.old_max_tokens and "max_completion_tokens" in body:
        body["max_tokens"] = body.pop("max_completion_tokens")
    for name, theirs in vendor.renamed:
        if name in body:
            body[theirs] = body.pop(name)
    if vendor.refused:
        for name in sorted(body.keys() & vendor.refused):
            gate.drop(body, name)
    if vendor.single_choice and isinstance(count := body.get("n"), int):
        one_choice(count)


def _shape_chat(vendor: Vendor, body: Json, gate: Gate) -> None:
    messages = body.get("messages")
    if not isinstance(messages, list) or set(map(type, messages)) != {dict}:
        return  # the caller's own `messages`, in `extra_json`
    messages = body["messages"] = shape_messages(messages, vendor)
    if vendor.needs_reasoning_back and "thinking" not in body and lost_reasoning(messages):
        body["thinking"] = {"type": "disabled"}
    wanted = body.get("response_format")
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind == "json_object" and kind not in vendor.formats:
        body["response_format"] = {"type": "json_schema", "json_schema": _ANY_OBJECT}
    elif kind == "json_schema" and kind not in vendor.formats:
        gate.refuse("response_format", wanted)
        schema = cast(Json, wanted).get("json_schema")
        schema = schema.get("schema") if isinstance(schema, dict) else None
        words = f"Answer with a JSON object that keeps to this JSON schema: {body_bytes(schema or {}).decode()}"
        messages.insert(0, {"role": "system", "content": words})
        body["response_format"] = {"type": "json_object"}


def _media_body(given: Json, gate: Gate) -> Json:
    """A request for images or videos as a conversation; all it can say is the prompt."""
    count = given.pop("n", None)
    if isinstance(count, int) and count > 1:
        raise unsupported("The provider makes one at a time.", "n")
    body: Json = {"model": given.pop("model"), "messages": [{"role": "user", "content": given.pop("prompt")}]}
    if given.get("response_format") == "url":
        del given["response_format"]
    for name in sorted(given):
        gate.refuse(name, given[name])
    return body
