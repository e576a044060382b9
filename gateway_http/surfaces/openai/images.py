"""`POST /v1/images/generations`. Source: https://platform.openai.com/docs/api-reference/images (2026-11)."""

from collections.abc import Callable

import orjson
from sanic import Request
from sanic.response import HTTPResponse

from gateway_http.errors import invalid
from gateway_http.exchange import Exchange, Handler, Json, fitting, pop_stream
from gateway_http.settings import HttpSettings
from trunkline.v1.text_pb2 import ImageRequest
from trunkline_client import AsyncClient
from trunkline_json import IMAGE_LIST, IMAGE_REQUEST


def image_generations(client: Callable[[], AsyncClient], settings: HttpSettings) -> Handler:
    """The handler."""

    async def handler(request: Request) -> HTTPResponse:
        exchange = Exchange(request, settings)
        image = await exchange.read(client(), _image_request)
        answer = await client().completions.create_images(image, timeout_s=exchange.timeout_s, metadata=exchange.metadata)
        return exchange.answer(orjson.dumps(IMAGE_LIST.render(answer.value)), answer)

    return handler


def _image_request(body: Json) -> ImageRequest:
    if pop_stream(body):
        raise invalid("Images are not streamed here; leave `stream` out.", "stream")
    return fitting(IMAGE_REQUEST.parse, body)
