"""`GET /v1/models`, `GET /v1/models/{id}`. Source: https://platform.openai.com/docs/api-reference/models (2026-11)."""

from collections.abc import Callable
from urllib.parse import unquote

import orjson
from sanic import Request
from sanic.response import HTTPResponse

from gateway_http.exchange import Exchange, Handler, Json
from gateway_http.model_views import model as model_json
from gateway_http.response import JsonResponse
from gateway_http.settings import HttpSettings
from trunkline_client import AsyncClient


def list_models(client: Callable[[], AsyncClient], settings: HttpSettings) -> Handler:
    """The handler of the list: OpenAI's, with who serves each model and how that one does."""

    async def handler(request: Request) -> HTTPResponse:
        exchange = Exchange(request, settings)
        models = client().models.list_models(timeout_s=exchange.timeout_s, metadata=exchange.metadata)
        return _response(exchange, {"object": "list", "data": [model_json(model) async for model in models]})

    return handler


def get_model(client: Callable[[], AsyncClient], settings: HttpSettings) -> Handler:
    """The handler of one model, whose id may have `/` and `:`."""

    async def handler(request: Request, model: str) -> HTTPResponse:
        exchange = Exchange(request, settings)
        found = await client().models.get_model(unquote(model), timeout_s=exchange.timeout_s, metadata=exchange.metadata)
        return _response(exchange, model_json(found))

    return handler


def _response(exchange: Exchange, body: Json) -> HTTPResponse:
    return JsonResponse(orjson.dumps(body), {"x-request-id": exchange.request_id})
