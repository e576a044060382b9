"""Requests and answers as JSON text, for those who want them kept."""

from collections.abc import Callable, Mapping
from typing import cast

import orjson

from server.dispatch.told import Answer, chunks_of
from server.providers.base import Ask, Batch, Operation
from trunkline.v1.completion_service_pb2 import (
    CreateEmbeddingsResponse,
    CreateImagesResponse,
    CreateVideosResponse,
    StreamChatCompletionResponse,
)
from trunkline.v1.text_pb2 import TextCompletion
from trunkline_json import (
    CHAT_CHUNK,
    CHAT_REQUEST,
    EMBEDDING_LIST,
    EMBEDDING_REQUEST,
    IMAGE_LIST,
    IMAGE_REQUEST,
    TEXT_COMPLETION,
    TEXT_REQUEST,
    VIDEO_LIST,
    VIDEO_REQUEST,
)

_REQUESTS = cast(
    Mapping[Operation, Callable[[object], object]],
    {
        Operation.CHAT: CHAT_REQUEST.render,
        Operation.TEXT: TEXT_REQUEST.render,
        Operation.EMBEDDINGS: EMBEDDING_REQUEST.render,
        Operation.IMAGES: IMAGE_REQUEST.render,
        Operation.VIDEOS: VIDEO_REQUEST.render,
    },
)


def request_text(ask: Ask) -> str:
    """What was asked."""
    return orjson.dumps(_REQUESTS[ask.operation](ask.request)).decode()


def answer_text(batch: Batch) -> str:
    """An unstreamed answer."""
    match batch:
        case StreamChatCompletionResponse() if batch.chunks_json:
            return batch.chunks_json[0].decode("utf-8", "replace")
        case CreateEmbeddingsResponse():
            return orjson.dumps(EMBEDDING_LIST.render(batch.embeddings)).decode()
        case CreateImagesResponse():
            return orjson.dumps(IMAGE_LIST.render(batch.images)).decode()
        case CreateVideosResponse():
            return orjson.dumps(VIDEO_LIST.render(batch.videos)).decode()
    chunk = chunks_of(batch)[0]
    written = TEXT_COMPLETION.render(chunk) if isinstance(chunk, TextCompletion) else CHAT_CHUNK.render(chunk)
    return orjson.dumps(written).decode()


def told_text(answer: Answer) -> str:
    """A streamed answer, put together."""
    calls = [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in answer.calls.values()]
    return orjson.dumps(
        {**answer.texts, **({"tool_calls": calls} if calls else {}), "finish_reason": answer.finish_reason or None}
    ).decode()
