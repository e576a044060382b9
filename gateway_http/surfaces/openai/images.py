"""`POST /v1/images/generations`. Source: https://platform.openai.com/docs/api-reference/images (2026-11)."""

from collections.abc import Callable

import orjson
from sanic import Request
from sanic.response import HTTPResponse

from gateway_http.errors import invalid
from gateway_http.exchange import Exchange, Handler, fitting, pop_stream
from gateway_http.settings import HttpSettings
from trunkline_client import AsyncClient
from trunkline_json import IMAGE_LIST, IMAGE_REQUEST


def image_generations(client: Callable[[], AsyncClient], settings: HttpSettings) -> Handler:
    """The handler."""

    async def handler(request: Request) -> HTTPResponse:
        exchange = Exchange(request, settings)
        body = await exchange.json()
        if pop_stream(body):
            raise invalid("Images are not streamed here; leave `stream` out.", "stream")
        image = fitting(IMAGE_REQUEST.parse, body)
        answer = await client().completions.create_images(image, timeout_s=exchange.timeout_s, metadata=exchange.metadata)
        return exchange.answer(orjson.dumps(IMAGE_LIST.render(answer.value)), answer)

    return handler
