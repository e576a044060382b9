"""The REST floor: the least that a gateway can do, and so what the gateway is measured by.

A Sanic handler in one process that parses the JSON and forwards it with aiohttp, nothing else. An unstreamed answer is
returned as it came; of a stream every read is sent on at once. With `--own-connections` it forwards over the gateway's
connections to providers instead, which cost less than aiohttp's sessions: a lower floor, which shows what is due to them.

    python -m benchmarks.floor --port 9001 --provider http://127.0.0.1:9000 [--own-connections]
"""

import argparse
from types import SimpleNamespace

import aiohttp
import orjson
from sanic import HTTPResponse, Request, Sanic
from sanic.config import Config
from sanic.response import raw

from server.providers.http.http1 import Http1

_App = Sanic[Config, SimpleNamespace]
_HEADERS = {"Authorization": "Bearer x", "Content-Type": "application/json"}
_PATH = "/v1/chat/completions"


def create_app(provider_url: str) -> _App:
    """Builds the app that forwards to the provider at this URL."""
    app: _App = Sanic("floor")
    url = provider_url + _PATH

    @app.before_server_start
    async def open_session(app: _App) -> None:
        app.ctx.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    @app.after_server_stop
    async def close_session(app: _App) -> None:
        await app.ctx.session.close()

    @app.post(_PATH)
    async def complete(request: Request) -> HTTPResponse | None:
        body = orjson.loads(request.body)
        async with app.ctx.session.post(url, data=request.body, headers=_HEADERS) as answer:
            if not body.get("stream"):
                return raw(await answer.read(), content_type="application/json")
            response = await request.respond(content_type="text/event-stream")
            async for data in answer.content.iter_any():
                await response.send(data)
            await response.eof()
            return None

    return app


def create_lower_app(provider_url: str) -> _App:
    """Builds the app that does the same over the gateway's own connections."""
    app: _App = Sanic("lower_floor")
    url = provider_url + _PATH

    @app.before_server_start
    async def open_connections(app: _App) -> None:
        app.ctx.http = Http1(5.0, None, max_connections=4096, keepalive_s=60.0, max_idle=4096)

    @app.after_server_stop
    async def close_connections(app: _App) -> None:
        await app.ctx.http.close()

    @app.post(_PATH)
    async def complete(request: Request) -> HTTPResponse | None:
        body = orjson.loads(request.body)
        async with await app.ctx.http.post(url, _HEADERS, request.body, 600.0) as answer:
            if not body.get("stream"):
                return raw(await answer.body(), content_type="application/json")
            response = await request.respond(content_type="text/event-stream")
            while data := await answer.read():
                await response.send(data)
            await response.eof()
            return None

    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The REST floor of the benchmarks.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--provider", required=True)
    parser.add_argument("--own-connections", action="store_true")
    arguments = parser.parse_args()
    create = create_lower_app if arguments.own_connections else create_app
    create(arguments.provider).run(
        "127.0.0.1", arguments.port, single_process=True, access_log=False, debug=False, motd=False
    )
