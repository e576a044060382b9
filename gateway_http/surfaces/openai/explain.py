"""`?explain` on a completion's path: where the request would go, instead of an answer."""

from collections.abc import Callable, Coroutine

import orjson
from sanic import Request
from sanic.response import HTTPResponse

from gateway_http.errors import invalid
from gateway_http.exchange import Exchange, Handler
from gateway_http.response import JsonResponse
from gateway_http.settings import HttpSettings
from gateway_http.transcoding.json_rules import to_json
from trunkline.v1.models_service_pb2 import Operation
from trunkline_client import AsyncClient

Answering = Coroutine[object, object, HTTPResponse | None]


def explainable(
    handler: Handler, operation: Operation, client: Callable[[], AsyncClient], settings: HttpSettings
) -> Callable[[Request], Answering]:
    """The handler, but for requests with `?explain` one that tells their route. Their body needs nothing but a model."""

    async def explain(request: Request) -> HTTPResponse:
        exchange = Exchange(request, settings)
        model = (await exchange.json(client())).get("model")
        if not isinstance(model, str):
            raise invalid("`model` must be a string.", "model")
        told = await client().models.explain_route(
            model, operation, timeout_s=exchange.timeout_s, metadata=exchange.metadata
        )
        return JsonResponse(orjson.dumps(to_json(told)), {"x-request-id": exchange.request_id})

    def choose(request: Request) -> Answering:
        if request.query_string and "explain" in request.get_args(keep_blank_values=True):
            return explain(request)
        return handler(request)

    return choose
