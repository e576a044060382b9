"""The REST floor: the least that a gateway built of the same parts can do, and so what the gateway is measured by.

A Sanic handler in one process that parses the JSON and forwards it with the gateway's HTTP client (aiohttp), nothing else.
An unstreamed answer is returned as it came; of a stream every read is sent on at once.

    python -m benchmarks.floor --port 9001 --provider http://127.0.0.1:9000
"""

import argparse
from types import SimpleNamespace

import aiohttp
import orjson
from sanic import HTTPResponse, Request, Sanic
from sanic.config import Config
from sanic.response import raw

_App = Sanic[Config, SimpleNamespace]
_HEADERS = {"Authorization": "Bearer x", "Content-Type": "application/json"}


def create_app(provider_url: str) -> _App:
    """Builds the app that forwards to the provider at this URL."""
    app: _App = Sanic("floor")
    url = provider_url + "/v1/chat/completions"

    @app.before_server_start
    async def open_session(app: _App) -> None:
        app.ctx.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    @app.after_server_stop
    async def close_session(app: _App) -> None:
        await app.ctx.session.close()

    @app.post("/v1/chat/completions")
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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The REST floor of the benchmarks.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--provider", required=True)
    arguments = parser.parse_args()
    create_app(arguments.provider).run(
        "127.0.0.1", arguments.port, single_process=True, access_log=False, debug=False, motd=False
    )
