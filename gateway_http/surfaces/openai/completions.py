"""`POST /v1/completions`. Source: https://platform.openai.com/docs/api-reference/completions (2026-11)."""

from collections.abc import Callable, Sequence

import orjson
from sanic import Request
from sanic.response import HTTPResponse

from gateway_http.exchange import Exchange, Handler, streamed_or_not
from gateway_http.settings import HttpSettings
from gateway_http.sse import Keepalive
from gateway_http.surfaces.openai.streaming import send_stream
from trunkline.v1.completion_service_pb2 import (
    CreateTextCompletionRequest,
    StreamTextCompletionRequest,
    StreamTextCompletionResponse,
)
from trunkline_client import AsyncClient
from trunkline_json import TEXT_COMPLETION, TEXT_REQUEST


def completions(client: Callable[[], AsyncClient], settings: HttpSettings) -> Handler:
    """The handler."""
    keepalive = Keepalive(settings.keepalive_s)
    understand = streamed_or_not(TEXT_REQUEST.parse)

    async def handler(request: Request) -> HTTPResponse | None:
        exchange = Exchange(request, settings)
        streamed, text = await exchange.read(client(), understand)
        if not streamed:
            answer = await client().completions.create_text_completion(
                CreateTextCompletionRequest(text=text), timeout_s=exchange.timeout_s, metadata=exchange.metadata
            )
            return exchange.answer(orjson.dumps(TEXT_COMPLETION.render(answer.value)), answer)
        stream = client().completions.stream_text_completion(
            StreamTextCompletionRequest(text=text), timeout_s=exchange.stream_timeout_s, metadata=exchange.metadata
        )
        await send_stream(request, exchange, stream, _chunk_texts, keepalive)
        return None

    return handler


def _chunk_texts(message: StreamTextCompletionResponse) -> Sequence[bytes]:
    return [orjson.dumps(TEXT_COMPLETION.render(chunk)) for chunk in message.chunks]
