"""`POST /v1/videos/generations`: the gateway's own path, in the form of OpenAI's images.

It answers when the videos are there. Source: https://platform.openai.com/docs/api-reference/images (2026-11).
"""

from collections.abc import Callable

import orjson
from sanic import Request
from sanic.response import HTTPResponse

from gateway_http.errors import invalid
from gateway_http.exchange import Exchange, Handler, Json, fitting, pop_stream
from gateway_http.settings import HttpSettings
from trunkline.v1.text_pb2 import VideoRequest
from trunkline_client import AsyncClient
from trunkline_json import VIDEO_LIST, VIDEO_REQUEST


def video_generations(client: Callable[[], AsyncClient], settings: HttpSettings) -> Handler:
    """The handler."""

    async def handler(request: Request) -> HTTPResponse:
        exchange = Exchange(request, settings)
        video = await exchange.read(client(), _video_request)
        answer = await client().completions.create_videos(video, timeout_s=exchange.timeout_s, metadata=exchange.metadata)
        return exchange.answer(orjson.dumps(VIDEO_LIST.render(answer.value)), answer)

    return handler


def _video_request(body: Json) -> VideoRequest:
    if pop_stream(body):
        raise invalid("Videos are not streamed here; leave `stream` out.", "stream")
    return fitting(VIDEO_REQUEST.parse, body)
