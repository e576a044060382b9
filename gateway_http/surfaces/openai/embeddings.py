"""`POST /v1/embeddings`. Source: https://platform.openai.com/docs/api-reference/embeddings (2026-11)."""

from collections.abc import Callable
from functools import partial

import orjson
from sanic import Request
from sanic.response import HTTPResponse

from gateway_http.exchange import Exchange, Handler, fitting
from gateway_http.settings import HttpSettings
from trunkline_client import AsyncClient
from trunkline_json import EMBEDDING_LIST, EMBEDDING_REQUEST


def embeddings(client: Callable[[], AsyncClient], settings: HttpSettings) -> Handler:
    """The handler."""
    understand = partial(fitting, EMBEDDING_REQUEST.parse)

    async def handler(request: Request) -> HTTPResponse:
        exchange = Exchange(request, settings)
        embedding = await exchange.read(client(), understand)
        answer = await client().completions.create_embeddings(
            embedding, timeout_s=exchange.timeout_s, metadata=exchange.metadata
        )
        body = EMBEDDING_LIST.render(answer.value)
        for number, item in enumerate(answer.value.data):
            body["data"][number].setdefault("object", "embedding")  # type: ignore[index]
            body["data"][number].setdefault("index", item.index)  # type: ignore[index]
        return exchange.answer(orjson.dumps(body), answer)

    return handler
