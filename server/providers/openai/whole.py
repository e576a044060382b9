"""An unstreamed answer of a vendor of OpenAI's dialect -> the contract's messages, or the vendor's JSON if sound."""

from typing import cast

from server.providers.base import Ask
from server.providers.errors import Fault, ProviderError
from server.providers.openai.calls import complete_calls
from server.providers.openai.look import look_at_whole
from server.providers.openai.media import check_data
from server.providers.openai.reading import Json, choices_of, drop_none_strings, finish_reason, typed
from server.providers.openai.shaping import Shaper
from server.providers.openai.usage import sound_usage
from server.providers.openai.vendors import Vendor
from trunkline.v1.completion_service_pb2 import (
    CreateEmbeddingsResponse,
    StreamChatCompletionResponse,
    StreamTextCompletionResponse,
)
from trunkline.v1.text_pb2 import EmbeddingRequest
from trunkline_json import CHAT_CHUNK, EMBEDDING_LIST, TEXT_COMPLETION


def whole_chat_unread(body: bytes) -> StreamChatCompletionResponse | None:
    """An unstreamed chat completion as the vendor wrote it; None where it must be read to be mended or refused."""
    look = look_at_whole(body)
    if look is None or not look.choices or look.usage is None or not look.usage.sound:
        return None
    for choice in look.choices:
        if choice.finish_reason in ("stop", "tool_calls"):
            ended = "tool_calls" if choice.message.tool_calls else "stop"
            if choice.finish_reason != ended:
                return None
    return StreamChatCompletionResponse(chunks_json=[body], finishing=True, usage=look.usage.keywords())


def whole_chat(answer: Json, ask: Ask, vendor: Vendor, now: int) -> StreamChatCompletionResponse:
    """An unstreamed chat completion, as one chunk that holds the whole of it."""
    if vendor.none_strings:
        drop_none_strings(answer)
    for place, choice in enumerate(_choices(answer)):
        message = choice.pop("message", None)
        if not isinstance(message, dict):
            raise ProviderError(Fault.PROTOCOL, "The provider's answer has a choice without a message.")
        choice["delta"] = message
        if not message.get("role"):
            message["role"] = "assistant"
        if type(choice.get("index")) is not int:
            choice["index"] = place
        called = complete_calls(message.get("tool_calls"), f"{ask.request_id or now}_{place}")
        choice["finish_reason"] = finish_reason(choice, called, vendor.trusts_stop)
        if Shaper.needed(vendor):
            Shaper(vendor, ask.prefix).shape(message, ending=True, answer=answer)
    _complete(answer, ask, vendor, now)
    chunk = typed(CHAT_CHUNK.parse, answer)
    usage = chunk.usage if chunk.HasField("usage") else None
    return StreamChatCompletionResponse(chunks=[chunk], finishing=True, usage=usage)


def whole_text(answer: Json, ask: Ask, vendor: Vendor, now: int) -> StreamTextCompletionResponse:
    """An unstreamed text completion, as one chunk."""
    for choice in _choices(answer):
        choice["finish_reason"] = finish_reason(choice, called=False)
    _complete(answer, ask, vendor, now)
    chunk = typed(TEXT_COMPLETION.parse, answer)
    usage = chunk.usage if chunk.HasField("usage") else None
    return StreamTextCompletionResponse(chunks=[chunk], finishing=True, usage=usage)


def whole_embeddings(answer: Json, ask: Ask, vendor: Vendor) -> CreateEmbeddingsResponse:
    """The vectors, one for each text.

    Raises:
        ProviderError: PROTOCOL when there are more or fewer.
    """
    check_data(answer)
    answer["usage"] = sound_usage(answer.get("usage"), vendor)
    embeddings = EMBEDDING_LIST.parse(answer, False)
    given = cast(EmbeddingRequest, ask.request).input
    asked = {"text": 1, "texts": len(given.texts.values), "tokens": 1, "token_lists": len(given.token_lists.values)}
    form = given.WhichOneof("form")
    if form is not None and len(embeddings.data) != asked[form]:  # none: the caller wrote it in the vendor's own form
        raise ProviderError(Fault.PROTOCOL, "The provider's answer does not have a vector for each text.")
    return CreateEmbeddingsResponse(embeddings=embeddings)


def _choices(answer: Json) -> list[Json]:
    choices = choices_of(answer)
    if not choices:
        raise ProviderError(Fault.PROTOCOL, "The provider's answer has no proper choices.")
    return choices


def _complete(answer: Json, ask: Ask, vendor: Vendor, now: int) -> None:
    """Puts in what every answer has, and a usage that can be relied on."""
    if "usage" in answer:
        answer["usage"] = sound_usage(answer["usage"], vendor)
    for key, default in (("id", ask.request_id), ("created", now), ("model", ask.model)):
        if not answer.get(key):
            answer[key] = default
