"""`POST /v1/chat/completions`. Source: https://platform.openai.com/docs/api-reference/chat (2026-11)."""

from collections.abc import Callable, Sequence

import orjson
from sanic import Request
from sanic.response import HTTPResponse

from gateway_http.exchange import Exchange, Handler, streamed_or_not
from gateway_http.settings import HttpSettings
from gateway_http.sse import Keepalive
from gateway_http.surfaces.openai.streaming import send_stream
from trunkline.v1.completion_service_pb2 import (
    ANSWER_FORMAT_JSON,
    CreateChatCompletionRequest,
    CreateChatCompletionResponse,
    StreamChatCompletionRequest,
    StreamChatCompletionResponse,
)
from trunkline_client import AsyncClient
from trunkline_json import CHAT_CHUNK, CHAT_COMPLETION, CHAT_REQUEST


def chat_completions(client: Callable[[], AsyncClient], settings: HttpSettings) -> Handler:
    """The handler."""
    keepalive = Keepalive(settings.keepalive_s)
    understand = streamed_or_not(CHAT_REQUEST.keywords)

    async def handler(request: Request) -> HTTPResponse | None:
        exchange = Exchange(request, settings)
        streamed, chat = await exchange.read(client(), understand)
        completions = client().completions
        if not streamed:
            answer = await completions.create_chat_completion_response(
                CreateChatCompletionRequest(chat=chat, answer_format=ANSWER_FORMAT_JSON),
                timeout_s=exchange.timeout_s,
                metadata=exchange.metadata,
            )
            return exchange.answer(_completion_text(answer.value), answer)
        stream = completions.stream_chat_completion(
            StreamChatCompletionRequest(chat=chat, answer_format=ANSWER_FORMAT_JSON),
            timeout_s=exchange.stream_timeout_s,
            metadata=exchange.metadata,
        )
        await send_stream(request, exchange, stream, _chunk_texts, keepalive)
        return None

    return handler


def _completion_text(response: CreateChatCompletionResponse) -> bytes:
    """The completion as JSON text: the provider's own where it wrote one."""
    return response.completion_json or orjson.dumps(CHAT_COMPLETION.render(response.completion))


def _chunk_texts(message: StreamChatCompletionResponse) -> Sequence[bytes]:
    """The chunks of a message as JSON Lines: the provider's own where it wrote them."""
    texts = message.chunks_json[:]  # a third of what going through it costs, at the end of which protobuf raises
    if texts:
        return texts
    return [orjson.dumps(CHAT_CHUNK.render(chunk)) for chunk in message.chunks]
